"""What the lists of orders are narrowed by, checked before it is sent.

A filter that the server does not know might be ignored, and then the answer is the whole account;
a list without any filter is refused. Neither leaves this machine.

Names: UltraCart's Order API as in its official Python SDK 4.1.208.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypedDict, get_args

__all__ = [
    "Moment",
    "OrderFilters",
    "OrderQuery",
    "OrderSort",
    "QueryTarget",
    "Stage",
    "TransactionFilter",
    "query_body",
    "query_parameters",
    "sort_parameter",
]

Moment = datetime | str
QueryTarget = Literal["origin", "cache"]
# An order may also be Pre-ordered or in Advanced Order Routing; no filter is documented for these.
Stage = Literal[
    "Accounts Receivable",
    "Pending Clearance",
    "Fraud Review",
    "Rejected",
    "Shipping Department",
    "Completed Order",
    "Quote Request",
    "Quote Sent",
    "Least Cost Routing",
    "Hold",
    "Unknown",
]
# The fields that are confirmed; the list of all is not published.
OrderSort = Literal[
    "+creation_dts",
    "-creation_dts",
    "+billing.first_name",
    "-billing.first_name",
    "+billing.last_name",
    "-billing.last_name",
    "+shipping.state_region",
    "-shipping.state_region",
    "+shipping.city",
    "-shipping.city",
]
_SORTS = frozenset(get_args(OrderSort))
# Says where to look, not for what.
_NOT_A_FILTER = "query_target"


class OrderFilters(TypedDict, total=False):
    """Filters of ``GET /order/orders``; they narrow together.

    Moments are aware times or ISO 8601 texts with an offset. Whether the bounds are part of a
    window is not documented: let windows overlap.
    """

    order_id: str
    payment_method: str
    company: str
    first_name: str
    last_name: str
    city: str
    state_region: str
    postal_code: str
    country_code: str
    phone: str
    email: str
    cc_email: str
    total: Decimal | int
    screen_branding_theme_code: str
    storefront_host_name: str
    creation_date_begin: Moment
    creation_date_end: Moment
    payment_date_begin: Moment
    payment_date_end: Moment
    shipment_date_begin: Moment
    shipment_date_end: Moment
    rma: str
    purchase_order_number: str
    item_id: str
    current_stage: Stage
    channel_partner_code: str
    channel_partner_order_id: str


class TransactionFilter(TypedDict):
    """One detail of a payment transaction, matched exactly."""

    name: str
    value: str


class OrderQuery(OrderFilters, total=False):
    """Filters of ``POST /order/orders/query``: those of the GET and more.

    ``refund_date_*`` exist only here. ``shipped_on_date_*`` is when an order is supposed to ship.
    ``query_target``: ``origin`` is the database; ``cache`` is faster, may miss the last minutes
    and may lack parts of old orders. ``card_bin`` and ``card_last4`` go together, with a payment
    window; they and ``payment_transaction_filters`` need the cache.
    """

    refund_date_begin: Moment
    refund_date_end: Moment
    shipped_on_date_begin: Moment
    shipped_on_date_end: Moment
    customer_profile_oid: int
    custom_field_1: str
    custom_field_2: str
    custom_field_3: str
    custom_field_4: str
    custom_field_5: str
    custom_field_6: str
    custom_field_7: str
    custom_field_8: str
    custom_field_9: str
    custom_field_10: str
    card_bin: str
    card_last4: str
    payment_transaction_filters: Sequence[TransactionFilter]
    query_target: QueryTarget


def query_parameters(filters: OrderFilters) -> dict[str, str]:
    """Write the filters as parameters of the GET.

    Raises:
        ValueError: An unknown filter, an empty one, none at all, or a moment without an offset.
    """
    checked = _checked(filters, OrderFilters.__optional_keys__)
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else str(value)
        for name, value in checked.items()
    }


def query_body(query: OrderQuery) -> dict[str, Any]:
    """Write the filters as the body of the POST.

    Raises:
        ValueError: As for ``query_parameters``.
    """
    return _checked(query, OrderQuery.__optional_keys__)


def sort_parameter(sort: Iterable[OrderSort]) -> str | None:
    """Write the value of ``_sort``, the first key first; None for no sort.

    Raises:
        ValueError: A key that is not known to be sortable, or without its sign.
    """
    if isinstance(sort, str):
        raise ValueError(f"sort keys are a list, not one text: {sort!r}")  # noqa: TRY004
    keys = list(sort)
    if unknown := [key for key in keys if key not in _SORTS]:
        raise ValueError(f"cannot sort by {unknown[0]!r}; known are {', '.join(sorted(_SORTS))}")
    return ",".join(keys) or None


def _checked(filters: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    given = {name: value for name, value in filters.items() if value is not None}
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"this list of orders knows no filter {unknown[0]!r}")
    if not set(given) - {_NOT_A_FILTER}:
        raise ValueError("UltraCart lists no orders without a filter; give a window of dates")
    for name, value in given.items():
        if value in ("", []):
            raise ValueError(f"filter {name} is empty")
        if name.endswith(("_date_begin", "_date_end")):
            given[name] = _moment(name, value)
    return given


def _moment(name: str, value: Moment) -> str:
    """Write a moment as sent: ISO 8601 with an offset, milliseconds where it has them."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"{name} is no ISO 8601 time: {value!r}") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{name} has no offset, so it would mean another moment: {value!r}")
    if isinstance(value, str):
        return value
    # Outwards, so that rounding never makes a window smaller.
    odd = parsed.microsecond % 1_000
    if odd and name.endswith("_end"):
        parsed += timedelta(microseconds=1_000 - odd)
    return parsed.isoformat(timespec="milliseconds" if parsed.microsecond else "seconds")
