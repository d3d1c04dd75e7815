"""The error answers of the API."""

import json
from typing import Any

from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.faults import Dialect

__all__ = ["DIALECT", "ApiError", "bad_request"]

MESSAGES = {
    400: "The request cannot be understood.",
    401: "The credentials are not valid.",
    404: "There is nothing at this address.",
    405: "This address has no such method.",
    410: "The authorized application is disabled.",
    429: "Too many requests.",
    500: "Something went wrong on the server.",
}


class ApiError(Refusal):
    """An answer with an `error` object, and its text in the header `UC-REST-ERROR`.

    Args:
        status: HTTP status.
        message: what is wrong; the usual text of the status by default.
        headers: further response headers.
    """

    def __init__(
        self, status: int, message: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.message = message or MESSAGES.get(status, "Error")
        named = {"UC-REST-ERROR": self.message}
        super().__init__(status, _envelope(self.message), named | (headers or {}))


def bad_request(message: str) -> ApiError:
    """A 400, or a 200 with the error inside, as the switch `failure_status` says."""
    return ApiError(400, message)


def _envelope(message: str) -> dict[str, Any]:
    error = {"developer_message": message, "user_message": message}
    return {"error": error, "metadata": {}}


def _error_by_fault(status: int, _: str) -> tuple[dict[str, str], bytes]:
    message = MESSAGES.get(status, "Error")
    return {"uc-rest-error": message}, json.dumps(_envelope(message)).encode()


DIALECT = Dialect(
    error=_error_by_fault,
    list_key="orders",
    one_key="order",
    id_key="order_id",
    syntax_key="current_stage",
    amount_text={"summary": {"total": {"value": "12,50"}}},
    dates={"creation_dts": "yesterday", "refund_dts": 20260801},
)
