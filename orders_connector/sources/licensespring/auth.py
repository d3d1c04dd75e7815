"""How requests to LicenseSpring's Management API are signed: one key in one header."""

from collections.abc import Generator

import httpx
from pydantic import SecretStr

__all__ = ["ApiKeyAuth"]


class ApiKeyAuth(httpx.Auth):
    """Puts ``Authorization: Api-Key <key>`` on each request."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request."""
        request.headers["Authorization"] = f"Api-Key {self._key.get_secret_value()}"
        yield request
