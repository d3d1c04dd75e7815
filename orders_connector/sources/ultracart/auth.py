"""How requests to UltraCart are signed: a simple key, or an OAuth token renewed by a refresh token.

Facts from UltraCart's OAuth guide and its official SDK 4.1.208: the simple key is one header;
``POST /oauth/token`` takes a form and gives an access token with its life in seconds. Whether it
replaces the refresh token is not documented, so the newest one is used.
"""

import json
import time
from collections.abc import AsyncGenerator, Callable, Generator

import httpx
from pydantic import SecretStr

from orders_connector.answers import error_for
from orders_connector.errors import CredentialsRejected, RequestRejected, UnreadableAnswer
from orders_connector.sources.ultracart.account import UltraCartOAuth

__all__ = ["API_VERSION", "TOKEN_PATH", "VERSION_HEADER", "OAuthAuth", "SimpleKeyAuth"]

VERSION_HEADER, API_VERSION = "X-UltraCart-Api-Version", "2017-03-01"
TOKEN_PATH = "/rest/v2/oauth/token"  # noqa: S105 - an address
_MARGIN_SECONDS = 60.0
# Only where the answer does not say; a token that ends earlier is renewed after a 401.
_LIFE_SECONDS = 900.0


class SimpleKeyAuth(httpx.Auth):
    """Puts ``x-ultracart-simple-key`` on each request."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request."""
        request.headers["x-ultracart-simple-key"] = self._key.get_secret_value()
        yield request


class OAuthAuth(httpx.Auth):
    """Bearer tokens: bought with a refresh token, renewed in time, and once after a 401.

    For one request at a time, as the client sends them.
    """

    def __init__(
        self,
        credentials: UltraCartOAuth,
        base_url: str,
        *,
        account: str = "unnamed",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up; the first request buys the first token.

        Args:
            credentials: Client id and refresh token.
            base_url: Address of the API without a trailing slash.
            account: Name of the account, for messages.
            clock: Monotonic seconds.
        """
        self._client_id, self._refresh_token = credentials
        self._url = base_url + TOKEN_PATH
        self._account = account
        self._clock = clock
        self._token: SecretStr | None = None
        self._renew_at = 0.0

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign one request, with a token request before it where needed.

        Raises:
            SourceError: No token could be had; by kind, so that the transport repeats what may
                pass.
        """
        if self._token is None or self._clock() >= self._renew_at:
            await self._store((yield self._token_request()))
        self._sign(request)
        response = yield request
        if response.status_code == 401:
            # Revoked, or the server's clock is ahead: one new token, then the answer stands.
            await self._store((yield self._token_request()))
            self._sign(request)
            yield request

    def _sign(self, request: httpx.Request) -> None:
        token = self._token.get_secret_value() if self._token else ""
        request.headers["Authorization"] = f"Bearer {token}"

    def _token_request(self) -> httpx.Request:
        form = {
            "client_id": self._client_id.get_secret_value(),
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token.get_secret_value(),
        }
        headers = {"accept": "application/json", VERSION_HEADER: API_VERSION}
        return httpx.Request("POST", self._url, data=form, headers=headers)

    async def _store(self, response: httpx.Response) -> None:
        asked_at = self._clock()
        content = await response.aread()
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        told = body if isinstance(body, dict) else {}
        if response.status_code != 200 or told.get("error"):
            raise self._refusal(response, content)
        token = told.get("access_token")
        if not isinstance(token, str) or not token:
            # The body may hold a token in a form we do not know, so it is not kept.
            raise UnreadableAnswer(
                "The answer to the token request holds no access_token. Run again later.",
                account=self._account,
                method="POST",
                path=TOKEN_PATH,
                status=response.status_code,
            )
        try:
            life = float(told.get("expires_in") or _LIFE_SECONDS)
        except (TypeError, ValueError):
            life = _LIFE_SECONDS
        if isinstance(newer := told.get("refresh_token"), str) and newer:
            self._refresh_token = SecretStr(newer)
        self._token = SecretStr(token)
        self._renew_at = asked_at + life - _MARGIN_SECONDS

    def _refusal(self, response: httpx.Response, content: bytes) -> Exception:
        error = error_for(
            response.status_code if response.status_code >= 300 else 400,
            response.headers,
            content,
            account=self._account,
            method="POST",
            path=TOKEN_PATH,
        )
        error.status = response.status_code
        if not isinstance(error, RequestRejected | CredentialsRejected):
            return error
        return CredentialsRejected(
            "UltraCart gave no token. The refresh token may have been used up or the consent "
            "withdrawn: let the merchant authorize the application again.",
            **error.context,
        )
