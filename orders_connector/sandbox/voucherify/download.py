"""The download host, and the storage host that it may redirect to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from orders_connector.sandbox.voucherify.access import Access
from orders_connector.sandbox.voucherify.errors import ApiError
from orders_connector.sandbox.voucherify.exports import Exports
from orders_connector.sandbox.voucherify.shop import Shop

__all__ = ["Downloads"]


class Downloads:
    """Hands out the files of finished exports (`GET /v1/exports/{id}?token=`).

    Args:
        shop: gives the switches.
        exports: has the files.
        access: checks the auth headers.
    """

    def __init__(self, shop: Shop, exports: Exports, access: Access) -> None:
        self.storage_url = ""
        self._shop = shop
        self._exports = exports
        self._access = access
        self.app = _app("/v1/exports/{export_id}", self._download)
        self.storage = _app("/files/{export_id}", self._stored)

    async def _download(self, request: Request) -> Response:
        export_id, token = request.path_params["export_id"], request.query_params.get("token")
        self._check(dict(request.headers), export_id, token)
        export = self._exports.find(export_id)
        if self._shop.switches.download_redirect == "storage":
            url = f"{self.storage_url}/files/{export_id}?signature={export.token}"
            return RedirectResponse(url, 302)
        return _stream(self._exports.file(export))

    async def _stored(self, request: Request) -> Response:
        """Refuses our auth headers: they must not follow a redirect to a stranger."""
        if {"x-app-id", "x-app-token", "authorization"} & set(request.headers):
            raise ApiError(400, "invalid_request", "Auth headers were sent to the storage host")
        signature = request.query_params.get("signature", "")
        export = self._exports.find(request.path_params["export_id"], signature)
        return _stream(self._exports.file(export))

    def _check(self, headers: dict[str, str], export_id: str, token: str | None) -> None:
        mode = self._shop.switches.download_auth
        by_token = by_keys = True
        try:
            self._exports.find(export_id, token or "")
        except ApiError as error:
            if error.status != 401:
                raise
            by_token = False
        try:
            self._access.check(headers, "exports")
        except ApiError:
            by_keys = False
        good = {
            "both": by_token and by_keys,
            "token": by_token,
            "keys": by_keys,
            "either": by_token or by_keys,
        }
        if not good[mode]:
            raise ApiError(401, request_id=False)


def _app(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Starlette:
    handlers: Any = {ApiError: _refuse}
    return Starlette(routes=[Route(path, endpoint)], exception_handlers=handlers)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - the handler is registered for it alone
    return error.response(request.scope["request_id"])


def _stream(chunks: Iterator[bytes]) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0)  # let other requests in: all hosts share one thread

    return StreamingResponse(pieces(), media_type="text/plain")
