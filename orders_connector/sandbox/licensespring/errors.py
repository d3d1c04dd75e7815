"""The error bodies of the API: one text, under one of two keys."""

import json

from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.faults import Dialect
from orders_connector.sandbox.licensespring.switches import Switches

__all__ = ["DIALECT", "not_found", "refusal"]

_TEXTS = {
    400: "The request is not valid.",
    401: "No valid API key was provided.",
    403: "This key may not do that.",
    404: "Nothing here.",
    405: "This method is not allowed here.",
    429: "Too many requests.",
    500: "Something went wrong.",
    502: "Bad gateway.",
    503: "Service unavailable.",
}


def refusal(
    status: int, switches: Switches, text: str = "", headers: dict[str, str] | None = None
) -> Refusal:
    """Make an error with its text under the key that the switch `error_key` names."""
    text = text or _TEXTS.get(status, "Error.")
    key = switches.error_key
    return Refusal(status, {key: [text] if key == "non_field_errors" else text}, headers)


def not_found() -> Refusal:
    """Make the 404 for what does not exist or belongs to somebody else."""
    return Refusal(404, {"message": _TEXTS[404]})


def _error_by_fault(status: int, _: str) -> tuple[dict[str, str], bytes]:
    return {}, json.dumps({"detail": _TEXTS.get(status, "Error.")}).encode()


DIALECT = Dialect(
    error=_error_by_fault,
    list_key="results",
    one_key=None,
    id_key="id",
    syntax_key="type",
    amount_text={"company": "12,50"},  # there are no amounts; the next best number
    dates={"created_at": "yesterday", "updated_at": 20260801},
)
