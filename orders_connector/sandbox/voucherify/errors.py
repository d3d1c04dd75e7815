"""The error bodies of the API."""

import json
from typing import Any

from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.faults import Dialect

__all__ = ["DIALECT", "ApiError", "bad_payload", "bad_query", "not_found", "too_large"]

MESSAGES = {
    400: ("invalid_payload", "Invalid payload"),
    401: ("unauthorized", "Unauthorized"),
    402: ("missing_required_feature", "Missing required feature"),
    403: ("forbidden", "Forbidden"),
    404: ("not_found", "Resource not found"),
    405: ("method_not_allowed", "Method not allowed"),
    406: ("not_acceptable", "Not acceptable"),
    415: ("unsupported_media_type", "Unsupported media type"),
    429: ("too_many_requests", "Too many requests hit the API too quickly."),
    500: ("internal_error", "Internal server error"),
    502: ("bad_gateway", "Bad gateway"),
    503: ("service_unavailable", "Service unavailable"),
}


class ApiError(Refusal):
    """An answer that is not 200.

    Args:
        status: HTTP status, repeated as `code` in the body.
        key: machine-readable reason; the usual one of the status by default.
        message: short text; the usual one of the status by default.
        extra: further keys of the body, such as `details` or `resource_id`.
        headers: further response headers.
        body: the whole body instead, for the errors with another envelope; None for no body.
        request_id: whether the body names the request.
    """

    def __init__(
        self,
        status: int,
        key: str | None = None,
        message: str | None = None,
        *,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | bytes | None = None,
        request_id: bool = True,
    ) -> None:
        usual_key, usual_message = MESSAGES.get(status, ("error", "Error"))
        self._names_request = request_id and body is None
        usual = {"code": status, "key": key or usual_key, "message": message or usual_message}
        super().__init__(status, usual | (extra or {}) if body is None else body, headers)

    @property
    def details(self) -> str:
        """What exactly is wrong, as far as the body says so."""
        return str(self.body.get("details", "")) if isinstance(self.body, dict) else ""

    def _named(self, body: dict[str, Any], request_id: str) -> dict[str, Any]:
        return body | ({"request_id": request_id} if self._names_request else {})


def not_found(resource: str, reference: str) -> ApiError:
    """A 404 that names what was looked for; `GET /v1/orders/{orderId}`."""
    return ApiError(
        404,
        extra={
            "details": f"Cannot find {resource} with id {reference}",
            "resource_id": reference,
            "resource_type": resource,
        },
    )


def bad_payload(details: str) -> ApiError:
    """A 400 about the body of a request."""
    return ApiError(400, extra={"details": details})


def bad_query(details: str) -> ApiError:
    """A 400 about the query of a request."""
    return ApiError(400, "invalid_query_params", "Invalid query params", extra={"details": details})


def too_large(most: int) -> ApiError:
    """A 413, which has an envelope of its own."""
    return ApiError(
        413,
        body={
            "statusCode": 413,
            "error": "Request Entity Too Large",
            "message": f"Payload content length greater than maximum allowed: {most}",
        },
    )


def _error_by_fault(status: int, request_id: str) -> tuple[dict[str, str], bytes]:
    key, message = MESSAGES.get(status, ("error", "Error"))
    body: dict[str, Any] = {"code": status, "message": message}
    if status != 429:
        body |= {"key": key, "request_id": request_id}
    return {}, json.dumps(body).encode()


DIALECT = Dialect(
    error=_error_by_fault,
    list_key="orders",
    one_key=None,
    id_key="id",
    syntax_key="status",
    amount_text={"amount": "12,50"},
    dates={"created_at": "yesterday", "updated_at": 20260801},
)
