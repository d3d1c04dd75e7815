"""Reads the query of a list request: filters, sort order, limit and offset."""

import dataclasses
import json
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from orders_connector.sandbox.clock import EPOCH, microseconds
from orders_connector.sandbox.licensespring.errors import refusal
from orders_connector.sandbox.licensespring.shop import Row, Shop

__all__ = ["LICENSES", "ORDERS", "Kind", "Slice", "found", "page_of", "slice_of"]

DEFAULT_LIMIT = 20
_PLAIN = ("limit", "offset", "order_by")
_LOOKUPS = (
    *("startswith", "icontains", "iexact", "in", "isnull", "not"),
    *("gt", "gte", "lt", "lte"),
)
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}
_DAY = 86_400_000_000

Getter = Callable[[Shop, Row], Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """What can be listed.

    Attributes:
        fields: what can be filtered by, and where it is found in a full row.
        times: fields that are compared as times.
        sorts: attributes to sort by.
    """

    fields: Mapping[str, Getter]
    times: frozenset[str]
    sorts: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Slice:
    """Which rows of a list were asked for."""

    limit: int
    offset: int


def _key(*path: str) -> Getter:
    def get(_: Shop, row: Row) -> Any:  # noqa: ANN401 - any JSON value
        value: Any = row
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return get


def _customer_name(_: Shop, row: Row) -> str:
    customer = row.get("customer") or {}
    return f"{customer.get('first_name', '')} {customer.get('last_name', '')}"


ORDERS = Kind(
    fields={
        "store_id": _key("store_id"),
        "company": _key("company"),
        "customer_id": _key("customer", "id"),
        "customer__email": _key("customer", "email"),
        "customer_email": _key("customer", "email"),
        "customer_company_name": _key("customer", "company_name"),
        "customer_reference": _key("customer", "reference"),
        "customer_name": _customer_name,
        "customer_label": lambda shop, row: shop.labels(row["id"]),
        "customer__account": lambda shop, row: shop.account_of(row["id"]),
        "metadata": lambda _, row: json.dumps(row.get("metadata")),
        "is_archived": lambda shop, row: shop.is_archived(row["id"]),
        "short_code": lambda shop, row: shop.short_codes(row["id"]),
        "created_at": _key("created_at"),
        "updated_at": _key("updated_at"),
    },
    times=frozenset({"created_at", "updated_at"}),
    sorts=frozenset({"id", "created_at", "updated_at", "store_id"}),
)

LICENSES = Kind(
    fields={
        "id": _key("id"),
        "order__store_id": _key("order_store_id"),
        "customer_id": _key("customer", "id"),
        "customer_email": _key("customer", "email"),
        "product_id": _key("product", "id"),
        "product_short_code": _key("product", "short_code"),
        "enabled": _key("enabled"),
        "active": _key("active"),
        "updated_at": _key("updated_at"),
        "time_activated": _key("time_activated"),
        "validity_period": _key("validity_period"),
    },
    times=frozenset({"updated_at", "time_activated", "validity_period"}),
    sorts=frozenset(
        {
            *("id", "created_at", "updated_at", "status", "active", "enabled", "license_type"),
            *("validity_period", "time_activated", "times_activated", "max_activations"),
        }
    ),
)


def slice_of(query: Mapping[str, str], most: int) -> Slice:
    """Return limit and offset; what is no number counts as absent, too high a limit is cut."""
    limit = _whole(query.get("limit")) or DEFAULT_LIMIT
    return Slice(min(limit, most), _whole(query.get("offset")) or 0)


def found(
    shop: Shop, kind: Kind, rows: list[Row], query: Mapping[str, str], salt: int
) -> list[Row]:
    """Return the rows that match, in the order that was asked for.

    Args:
        shop: knows what rows do not show.
        kind: what they are.
        rows: all of them, in full.
        query: of the request.
        salt: changes the order of ties when they are shuffled.

    Raises:
        Refusal: 400.
    """
    switches = shop.switches
    conditions = [
        condition
        for name, value in query.items()
        if name not in _PLAIN and (condition := _condition(shop, kind, name, value)) is not None
    ]
    if kind is ORDERS and "is_archived" not in query and switches.archived == "hidden":
        conditions.append(lambda row: not shop.is_archived(row["id"]))
    matching = [row for row in rows if all(fits(row) for fits in conditions)]
    matching.sort(key=lambda row: _sortable(row["id"]))
    if switches.tie_order == "shuffled":
        random.Random(salt).shuffle(matching)
    default = "-created_at" if switches.default_sort == "newest_first" else "created_at"
    order_by = query.get("order_by") or default
    if order_by.lstrip("-") == "updated_at" and kind is ORDERS:
        if switches.sort_by_updated_at == "rejected":
            raise refusal(400, switches, "order_by: cannot sort by this attribute.")
        order_by = default if switches.sort_by_updated_at == "ignored" else order_by
    attribute = order_by.lstrip("-")
    if attribute not in kind.sorts:
        raise refusal(400, switches, f"order_by: {attribute} is not known.")
    # Ties keep their order in both directions, as a database with a second key would.
    matching.sort(key=lambda row: _sortable(row.get(attribute)), reverse=order_by.startswith("-"))
    return matching


def page_of(rows: list[Row], part: Slice, url: str, query: Mapping[str, str]) -> Row:
    """Return the envelope of one page.

    Args:
        rows: all that match.
        part: which of them.
        url: of the list, without a query.
        query: of the request; the links repeat it.
    """

    def link(offset: int) -> str:
        others = {name: value for name, value in query.items() if name != "offset"}
        others["limit"] = str(part.limit)
        if offset > 0:
            others["offset"] = str(offset)
        return f"{url}?{urlencode(sorted(others.items()))}"

    after = part.offset + part.limit
    return {
        "count": len(rows),
        "next": link(after) if after < len(rows) else None,
        "previous": link(max(0, part.offset - part.limit)) if part.offset > 0 else None,
        "results": rows[part.offset : after],
    }


def _condition(shop: Shop, kind: Kind, name: str, value: str) -> Callable[[Row], bool] | None:
    """Return what a filter asks of a row, None when it is ignored."""
    switches = shop.switches
    field, lookup = name, "exact"
    if name not in kind.fields:
        field, _, lookup = name.rpartition("__")
        if lookup not in _LOOKUPS or field.removesuffix("__date") not in kind.fields:
            if switches.unknown_filters == "rejected":
                raise refusal(400, switches, f"{name}: this filter is not known.")
            return None
    by_day = field.endswith("__date")
    field = field.removesuffix("__date")
    if kind is ORDERS and field in kind.times and switches.time_filters != "honoured":
        if switches.time_filters == "rejected":
            raise refusal(400, switches, f"{name}: this filter is not known.")
        return None
    get = kind.fields[field]
    if lookup in _COMPARED:
        compare, bound = _COMPARED[lookup], _moment(value)
        if bound is None:
            raise refusal(400, switches, f"{name}: a valid date or time is expected.")
        unit = _DAY if by_day else 1

        def compared(row: Row) -> bool:
            at = microseconds(get(shop, row))
            return at is not None and compare(at // unit, bound // unit)

        return compared
    return lambda row: _matches(get(shop, row), lookup, value)


def _matches(there: Any, lookup: str, value: str) -> bool:  # noqa: ANN401 - any JSON value
    if lookup == "isnull":
        return (there is None) == (value.lower() in ("true", "1"))
    if lookup == "not":
        return not _matches(there, "exact", value)
    if isinstance(there, list):
        return any(_matches(one, lookup, value) for one in there)
    if isinstance(there, bool):
        return there == (value.lower() in ("true", "1"))
    text = "" if there is None else str(there)
    return {
        "exact": text == value,
        "iexact": text.lower() == value.lower(),
        "startswith": text.startswith(value),
        "icontains": value.lower() in text.lower(),
        "in": text in value.split(","),
    }[lookup]


def _moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or EPOCH.tzinfo) - EPOCH) // (datetime.resolution)


def _sortable(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON value
    """Make values of all kinds comparable; times by moment, nulls last."""
    if isinstance(value, bool | int | float):
        return (0, value)
    if isinstance(value, str):
        at = microseconds(value)
        return (1, value) if at is None else (0, at)
    return (2, 0)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
