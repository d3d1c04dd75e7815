"""Who may call: the key pair, and OAuth 2.0 (version 1) tokens."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from orders_connector.sandbox.clock import EPOCH, Clock
from orders_connector.sandbox.voucherify.errors import ApiError

__all__ = ["APP_ID", "APP_TOKEN", "Access"]

# The only pair the sandbox accepts. It opens nothing else, so it is no secret.
APP_ID = "sandbox-app-id"
APP_TOKEN = "sandbox-app-token"  # noqa: S105

LIFE = timedelta(seconds=900)
SCOPES = {
    *("api", "orders", "exports", "async-actions", "customers", "products", "skus"),
    *("redemptions", "vouchers", "campaigns", "promotions", "metadata-schemas"),
}


@dataclass(frozen=True)
class _Grant:
    scope: str
    expires: datetime

    def allows(self, resource: str) -> bool:
        return bool({"api", resource} & set(self.scope.split()))


class Access:
    """Checks requests and hands out tokens.

    Args:
        clock: tokens live 900 seconds of it.
        seed: makes the tokens repeatable.
    """

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self._clock = clock
        self._rng = random.Random(f"tokens-{seed}")
        self._grants: dict[str, _Grant] = {}

    def check(self, headers: dict[str, str], resource: str) -> None:
        """Let a request pass or not.

        Args:
            headers: of the request, names in lower case.
            resource: first part of the path after the version, such as `orders`.

        Raises:
            ApiError: 401 `unauthorized`, 403 `missing_required_permission`.
        """
        if resource != "oauth" and headers.get("authorization", "").startswith("Bearer "):
            grant = self._grants.get(headers["authorization"].removeprefix("Bearer "))
            if grant is None or grant.expires <= self._clock.now():
                raise ApiError(401)
            if not grant.allows(resource):
                raise ApiError(403, "missing_required_permission", "Missing required permission")
        elif (headers.get("x-app-id"), headers.get("x-app-token")) != (APP_ID, APP_TOKEN):
            raise ApiError(401)

    def token(self, form: bytes) -> dict[str, Any]:
        """Answer `POST /v1/oauth/token`.

        Args:
            form: the request's body, form-encoded.

        Returns:
            dict[str, Any]: the token object; `expires_at` in Unix seconds.

        Raises:
            ApiError: 400 `missing_parameters`, `invalid_grant_type` or `invalid_scope`.
        """
        fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        if not {"grant_type", "scope"} <= fields.keys():
            raise _refused("missing_parameters", "Missing parameters: grant_type, scope")
        if fields["grant_type"] != "client_credentials":
            raise _refused("invalid_grant_type", f"Invalid grant type: {fields['grant_type']}")
        scope = fields["scope"]
        if not set(scope.split()) <= SCOPES:
            raise _refused("invalid_scope", f"Invalid scope: {scope}")
        token = f"{self._rng.getrandbits(256):064x}"
        self._grants[token] = _Grant(scope, self._clock.now() + LIFE)
        return self._described(token)

    def introspect(self, form: bytes) -> dict[str, Any]:
        """Answer `POST /v1/oauth/introspect`; an unknown token is just not active."""
        token = _access_token(form)
        if token not in self._grants:
            return {"active": False}
        active = self._grants[token].expires > self._clock.now()
        return self._described(token) | {"active": active}

    def revoke(self, form: bytes) -> None:
        """Answer `POST /v1/oauth/token/revoke`.

        Raises:
            ApiError: 404 with an empty body.
        """
        if self._grants.pop(_access_token(form), None) is None:
            raise ApiError(404, body=b"")

    def _described(self, token: str) -> dict[str, Any]:
        grant = self._grants[token]
        return {
            "access_token": token,
            "client_id": APP_ID,
            "expires_at": (grant.expires - EPOCH) // timedelta(seconds=1),
            "expires_in": max(0, (grant.expires - self._clock.now()) // timedelta(seconds=1)),
            "scope": grant.scope,
            "token_type": "Bearer",
        }


def _access_token(form: bytes) -> str:
    return parse_qs(form.decode()).get("access_token", [""])[0]


def _refused(key: str, message: str) -> ApiError:
    return ApiError(400, key, message, request_id=False)
