"""How requests to Voucherify are signed: a key pair, or an OAuth token bought with it.

Facts from the authentication guide and ``oauth.json`` of Voucherify's OpenAPI (August 2026): both
key headers go on every request; ``POST /v1/oauth/token`` takes the key pair and a form and gives
a bearer token for 900 s without a refresh token.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Generator

import httpx
from pydantic import SecretStr

from orders_connector.answers import error_for
from orders_connector.errors import UnreadableAnswer
from orders_connector.sources.voucherify.account import Credentials

__all__ = ["LOADER_SCOPE", "TOKEN_PATH", "KeyPairAuth", "OAuthAuth", "token_form"]

TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address
# Listing and export of orders, download of export files, results of imports.
LOADER_SCOPE = "orders exports async-actions"
_MARGIN_SECONDS = 60.0
_LIFE_SECONDS = 900.0


class KeyPairAuth(httpx.Auth):
    """Puts ``X-App-Id`` and ``X-App-Token`` on each request."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request."""
        request.headers["X-App-Id"] = self._credentials.app_id.get_secret_value()
        request.headers["X-App-Token"] = self._credentials.app_token.get_secret_value()
        yield request


class OAuthAuth(httpx.Auth):
    """Client credentials: buys a bearer token, renews it in time, and once after a 401.

    Safe for parallel requests of one event loop: they share the token, and one of them renews it
    while the others wait. The token request itself goes through the same client, so it is counted,
    paced and repeated like any other.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        *,
        scope: str = LOADER_SCOPE,
        account: str = "unnamed",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up; the first request buys the first token.

        Args:
            credentials: The key pair whose rights the token gets.
            base_url: Address of the API without a trailing slash.
            scope: Scopes separated by blanks; commas are refused by the server.
            account: Name of the account, for messages.
            clock: Monotonic seconds.
        """
        self._keys = KeyPairAuth(credentials)
        self._url = base_url + TOKEN_PATH
        self._scope = scope
        self._account = account
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: SecretStr | None = None
        self._renew_at = 0.0

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign one request, with token requests before it where needed.

        Raises:
            SourceError: No token could be had; by kind, so that the transport repeats what may
                pass.
        """
        async with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                await self._store((yield self._token_request()))
            used = self._token
        assert used is not None  # noqa: S101 - set by _store
        request.headers["Authorization"] = f"Bearer {used.get_secret_value()}"
        response = yield request
        if response.status_code != 401:
            return
        # Revoked, or the server's clock is ahead: one new token, then the answer stands.
        async with self._lock:
            if self._token is used:
                await self._store((yield self._token_request()))
            renewed = self._token
        assert renewed is not None  # noqa: S101
        request.headers["Authorization"] = f"Bearer {renewed.get_secret_value()}"
        yield request

    def _token_request(self) -> httpx.Request:
        request = httpx.Request(
            "POST", self._url, data=token_form(self._scope), headers={"accept": "application/json"}
        )
        return next(self._keys.auth_flow(request))

    async def _store(self, response: httpx.Response) -> None:
        asked_at = self._clock()
        content = await response.aread()
        if response.status_code != 200:
            raise error_for(
                response.status_code,
                response.headers,
                content,
                account=self._account,
                method="POST",
                path=TOKEN_PATH,
            )
        try:
            body = json.loads(content)
            token, life = str(body["access_token"]), float(body.get("expires_in", _LIFE_SECONDS))
        except (ValueError, KeyError, TypeError, AttributeError):
            # The body may hold a token in a form we do not know, so it is not kept.
            raise UnreadableAnswer(
                "The answer to the token request holds no access_token. Run again later.",
                account=self._account,
                method="POST",
                path=TOKEN_PATH,
                status=response.status_code,
            ) from None
        self._token = SecretStr(token)
        self._renew_at = asked_at + life - _MARGIN_SECONDS


def token_form(scope: str) -> dict[str, str]:
    """Return the form that asks for a token with these scopes, separated by blanks."""
    return {"grant_type": "client_credentials", "scope": scope}
