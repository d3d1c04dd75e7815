"""Reads the query of a list request."""

import re
from collections.abc import Mapping

from orders_connector.sandbox.clock import microseconds
from orders_connector.sandbox.voucherify.errors import ApiError, bad_query
from orders_connector.sandbox.voucherify.listing import Record
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["ORDER_SORTS", "Bounds", "bounds", "limit_of", "page_of", "sort_of", "within"]

ORDER_SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")
LAST_PAGE = 100

# `created_at[after]=`, `[created_at][after]=` and `[filters][updated_at][conditions][$after][0]=`
_DATE_FILTER = re.compile(
    r"^\[?(?:filters\]?\[)?(created_at|updated_at)\]?(?:\[conditions\])?\[\$?(after|before)\]"
    r"(?:\[\d+\])?$"
)

Bounds = dict[tuple[str, str], int]


def limit_of(query: Mapping[str, str]) -> int:
    """Return `limit`, 1 to 100, by default 10; raises ApiError 400 `invalid_query_params`."""
    return _whole(query, "limit", default=10, most=100)


def page_of(query: Mapping[str, str], switches: Switches, last_page: int = LAST_PAGE) -> int | None:
    """Return `page`, by default 1, or None for a page over the limit that shows as empty.

    Args:
        query: of the request.
        switches: say what a page over the limit answers.
        last_page: highest page that is answered.

    Raises:
        ApiError: 400 or 404 for other pages, as the switch `page_over_limit` says.
    """
    page = _whole(query, "page", default=1, most=None)
    if page <= last_page:
        return page
    details = f"Property .page cannot be higher than {last_page}"
    if switches.page_over_limit == "empty":
        return None
    if switches.page_over_limit == "not_found":
        raise ApiError(404, extra={"details": details})
    if switches.page_over_limit == "invalid_query_params":
        raise bad_query(details)
    message = f"Listing resource above {last_page} page is not supported"
    raise ApiError(400, "page_over_limit", message, extra={"details": details})


def sort_of(query: Mapping[str, str], allowed: tuple[str, ...], default: str) -> str:
    """Return `order`, one of `allowed`; raises ApiError 400 `invalid_query_params`."""
    sort = query.get("order", default)
    if sort not in allowed:
        raise bad_query(
            f"Property .order should be equal to one of the allowed values [ {', '.join(allowed)} ]"
        )
    return sort


def bounds(query: Mapping[str, str], switches: Switches) -> Bounds:
    """Return the date filters of the list that are honoured, in microseconds since 1970 UTC.

    Raises:
        ApiError: 400 `invalid_query_params` for what the switches refuse, or for no date.
    """
    modes = {
        "created_at": switches.list_created_at_filter,
        "updated_at": switches.list_updated_at_filter,
    }
    found: Bounds = {}
    for name, value in query.items():
        match = _DATE_FILTER.match(name)
        if match is None:
            if (
                name not in ("limit", "page", "order")
                and switches.unknown_query_params != "ignored"
            ):
                raise bad_query(f"Property .{name} is not allowed")
            continue
        field, side = match.groups()
        if modes[field] == "rejected":
            raise bad_query(f"Property .{field} is not allowed")
        if modes[field] == "honoured":
            moment = microseconds(value)
            if moment is None:
                raise bad_query(
                    f"Property .{field} cannot be recognized as a ISO-8601 compliant date"
                )
            found[field, side] = moment
    return found


def within(record: Record, limits: Bounds) -> bool:
    """Whether an order lies within the date filters, bounds excluded."""
    for (field, side), bound in limits.items():
        moment = record.created if field == "created_at" else record.updated
        if moment is None or moment == bound or (moment > bound) != (side == "after"):
            return False
    return True


def _whole(query: Mapping[str, str], name: str, *, default: int, most: int | None) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"-?\d+", text):
        raise bad_query(f"Property .{name} should be integer")
    value = int(text)
    if value < 1:
        raise bad_query(f"Property .{name} cannot be lower than 1")
    if most is not None and value > most:
        raise bad_query(f"Property .{name} cannot be higher than {most}")
    return value
