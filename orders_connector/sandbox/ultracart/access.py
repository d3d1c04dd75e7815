"""Who may call: the version header, the simple key, OAuth tokens."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.ultracart.errors import ApiError, bad_request

__all__ = ["CLIENT_ID", "REFRESH_TOKEN", "SIMPLE_KEY", "VERSION", "Access"]

VERSION = "2017-03-01"

# The only credentials the sandbox accepts. They open nothing else, so they are no secrets.
SIMPLE_KEY = "5a" * 32
CLIENT_ID = "sandbox-client"
REFRESH_TOKEN = "sandbox-refresh-token"  # noqa: S105

LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class _Grant:
    scopes: frozenset[str]
    expires: datetime


class Access:
    """Checks requests and hands out tokens.

    Args:
        clock: tokens live an hour of it.
        seed: makes the tokens repeatable.

    Attributes:
        disabled: the application was switched off: every call is a 410.
    """

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self.disabled = False
        self._clock = clock
        self._rng = random.Random(f"tokens-{seed}")
        self._grants: dict[str, _Grant] = {}

    def key(self, headers: dict[str, str]) -> str:
        """Return what a caller identifies itself with, unchecked."""
        return headers.get("x-ultracart-simple-key") or headers.get("authorization", "")

    def check(self, headers: dict[str, str], method: str, path: str) -> None:
        """Let a request pass or not.

        Args:
            headers: of the request, names in lower case.
            method: HTTP method.
            path: after `/rest/v2`.

        Raises:
            ApiError: 400 without the version header, 401 without good credentials, 410.
        """
        if path.startswith("/oauth/"):
            return
        if headers.get("x-ultracart-api-version") != VERSION:
            raise bad_request(f"The header X-UltraCart-Api-Version: {VERSION} is missing.")
        if self.disabled:
            raise ApiError(410)
        if headers.get("x-ultracart-simple-key") == SIMPLE_KEY:
            return
        grant = self._grants.get(headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.expires <= self._clock.now():
            raise ApiError(401)
        if _scope(method, path) not in grant.scopes:
            raise ApiError(401, f"The scope {_scope(method, path)} is missing.")

    def token(self, form: bytes) -> dict[str, Any]:
        """Answer `POST /oauth/token`.

        Args:
            form: the request's body, form-encoded; `code` or `refresh_token` has to be the
                sandbox's refresh token, and a field `scope` narrows what the token opens.

        Returns:
            dict[str, Any]: the token object; `expires_in` in seconds.

        Raises:
            ApiError: 400 for another client, grant or token.
        """
        fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        given = {"refresh_token": "refresh_token", "authorization_code": "code"}
        name = given.get(fields.get("grant_type", ""))
        if name is None or fields.get("client_id") != CLIENT_ID:
            raise bad_request("Unknown grant type or client.")
        if fields.get(name) != REFRESH_TOKEN:
            raise bad_request(f"The {name} is not valid.")
        scope = fields.get("scope", "order_read order_write")
        token = f"{self._rng.getrandbits(256):064x}"
        self._grants[token] = _Grant(frozenset(scope.split()), self._clock.now() + LIFE)
        return {
            "access_token": token,
            "refresh_token": REFRESH_TOKEN,
            "expires_in": LIFE // timedelta(seconds=1),
            "scope": scope,
            "token_type": "Bearer",
        }

    def revoke(self, form: bytes) -> dict[str, Any]:
        """Answer `POST /oauth/revoke`; an unknown token is revoked already."""
        fields = parse_qs(form.decode())
        self._grants.pop(fields.get("token", [""])[0], None)
        return {"successful": True, "message": "revoked"}


def _scope(method: str, path: str) -> str:
    reads = method == "GET" or path in ("/order/orders/query", "/order/orders/batch")
    return "order_read" if reads else "order_write"
