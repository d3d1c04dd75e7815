"""What every API's refusals have in common; how a body looks is up to each API."""

from typing import Any

from starlette.responses import JSONResponse, Response

__all__ = ["Refusal"]


class Refusal(Exception):
    """An answer that is not 200.

    Args:
        status: HTTP status.
        body: what the answer says; bytes are sent as they are.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        body: dict[str, Any] | bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers or {}
        super().__init__(f"{status} {body!r}")

    def response(self, request_id: str) -> Response:
        """Return the answer to the request with this id."""
        if isinstance(self.body, bytes):
            return Response(self.body, self.status, self.headers)
        return JSONResponse(self._named(self.body, request_id), self.status, self.headers)

    def _named(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        """Return the body for one request; APIs that name requests in it override this."""
        del request_id
        return body
