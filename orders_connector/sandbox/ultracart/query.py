"""Filters, sorting and paging of lists."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zlib import crc32

from orders_connector.sandbox.clock import EPOCH, microseconds
from orders_connector.sandbox.ultracart.eastern import EASTERN
from orders_connector.sandbox.ultracart.errors import bad_request
from orders_connector.sandbox.ultracart.life import STAGES
from orders_connector.sandbox.ultracart.shop import Order, Record, Target, View
from orders_connector.sandbox.ultracart.switches import Switches

__all__ = ["GET_FILTERS", "POST_FILTERS", "Page", "Search", "page_of", "search_of"]

SECOND = 1_000_000
DEFAULT_LIMIT = 100
_DATES = ("creation_date", "payment_date", "shipment_date")
_POST_DATES = ("refund_date", "shipped_on_date")
_UNDOCUMENTED_STAGES = ("Pre-ordered", "Advanced Order Routing")
_BOTH = ("billing", "shipping")
_CUSTOM = {f"custom_field_{n}": ("checkout", f"custom_field{n}") for n in range(1, 11)}

# Where a text filter looks: parts of the order, and the key in each.
_TEXTS: dict[str, tuple[tuple[str, ...], str]] = {
    "payment_method": (("payment",), "payment_method"),
    "company": (_BOTH, "company"),
    "first_name": (_BOTH, "first_name"),
    "last_name": (_BOTH, "last_name"),
    "city": (_BOTH, "city"),
    "state_region": (_BOTH, "state_region"),
    "postal_code": (_BOTH, "postal_code"),
    "country_code": (_BOTH, "country_code"),
    "email": (("billing",), "email"),
    "screen_branding_theme_code": (("checkout",), "screen_branding_theme_code"),
    "storefront_host_name": (("checkout",), "storefront_host_name"),
    "rma": (("shipping",), "rma"),
    "channel_partner_code": (("channel_partner",), "channel_partner_code"),
    "channel_partner_order_id": (("channel_partner",), "channel_partner_order_id"),
}
_DOTTED_SORTS = {
    "billing.first_name": ("billing", "first_name"),
    "billing.last_name": ("billing", "last_name"),
    "shipping.state_region": ("shipping", "state_region"),
    "shipping.city": ("shipping", "city"),
}

GET_FILTERS = {
    *("order_id", "phone", "cc_email", "total", "purchase_order_number", "item_id"),
    *("current_stage", *_TEXTS, *(f"{name}_{end}" for name in _DATES for end in ("begin", "end"))),
}
POST_FILTERS = {
    *GET_FILTERS,
    *("customer_profile_oid", "query_target", "card_bin", "card_last4"),
    *("payment_transaction_filters", *_CUSTOM),
    *(f"{name}_{end}" for name in _POST_DATES for end in ("begin", "end")),
}
_NO_FILTERS = {"query_target"}  # says where to look, not what for


@dataclass(frozen=True)
class Page:
    """Which slice of a list, in which order.

    Attributes:
        limit: most orders.
        offset: from 0.
        sort: keys, each with whether it is descending; empty for the default.
    """

    limit: int
    offset: int
    sort: tuple[tuple[str, bool], ...] = ()


class Search:
    """Which orders a list holds.

    Args:
        filters: checked ones.
        windows: bounds in microseconds by name of the window.
        target: what is searched.
        switches: of the shop.
    """

    def __init__(
        self,
        filters: dict[str, Any],
        windows: dict[str, tuple[int | None, int | None]],
        target: Target,
        switches: Switches,
    ) -> None:
        self._filters = filters
        self._windows = windows
        self.target: Target = target
        self._switches = switches
        self.key = repr((sorted(filters.items(), key=str), windows, target, switches))

    def find(self, view: View, page: Page, salt: int) -> list[Record]:
        """Return all orders that match, sorted.

        Args:
            view: hold the shop's lock.
            page: says how to sort.
            salt: changes what is shuffled.
        """
        low, high = self._windows.get("creation_date", (None, None))
        created = view.created_between(
            0 if low is None else low - SECOND, 2**62 if high is None else high + SECOND
        )
        found = [record for record in created if self._matches(record)]
        return self._sorted(found, page, salt)

    def _matches(self, record: Record) -> bool:
        for name, moment in (
            ("creation_date", record.created),
            ("payment_date", record.paid),
            ("refund_date", record.refunded),
        ):
            if not self._within(name, (moment,), record.id):
                return False
        stage = self._filters.get("current_stage")
        if stage is not None and not self._has_stage(record, stage):
            return False
        if self._filters.get("order_id", record.id) != record.id:
            return False
        if not {"shipment_date", "shipped_on_date"} & self._windows.keys() and not (
            self._filters.keys() - {"current_stage", "order_id"}
        ):
            return True
        order = record.order()
        shipped = [record.shipped]
        if self._switches.shipment_date == "any":
            shipped += [microseconds(item.get("shipped_dts")) for item in order.get("items") or ()]
        planned = microseconds(_part(order, "shipping").get("ship_on_date"))
        return (
            self._within("shipment_date", shipped, record.id)
            and self._within("shipped_on_date", (planned,), record.id)
            and all(self._fits(name, wanted, order) for name, wanted in self._filters.items())
        )

    def _within(self, name: str, moments: Iterable[int | None], order_id: str) -> bool:
        if name not in self._windows:
            return True
        low, high = self._windows[name]
        switches = self._switches
        # Answers show whole seconds; what lies behind them is made up, but always the same.
        kept = switches.date_fraction == "kept"
        fraction = crc32(f"{name}{order_id}".encode()) % 1000 * 1000 if kept else 0
        for moment in moments:
            if moment is None:
                continue
            at = moment + fraction
            after = low is None or at > low or (at == low and switches.date_begin == "inclusive")
            before = high is None or at < high or (at == high and switches.date_end == "inclusive")
            if after and before:
                return True
        return False

    def _has_stage(self, record: Record, stage: str) -> bool:
        if stage in _UNDOCUMENTED_STAGES and self._switches.undocumented_stages == "nothing":
            return False
        return record.stage == stage

    def _fits(self, name: str, wanted: Any, order: Order) -> bool:  # noqa: ANN401 - any JSON
        if name in ("order_id", "current_stage"):
            return True
        if name == "total":
            key = "value" if self._switches.total_filter == "base" else "localized"
            total = _part(_part(order, "summary"), "total")
            return bool(total.get(key) == wanted)
        if name == "payment_transaction_filters":
            return all(_has_detail(order, pair) for pair in wanted)
        if name == "customer_profile_oid":
            return bool(_part(order, "customer_profile").get(name) == wanted)
        text = wanted.casefold()
        return any(self._same(text, value) for value in _values(name, order))

    def _same(self, wanted: str, value: object) -> bool:
        if not isinstance(value, str):
            return False
        if self._switches.text_filter == "starts_with":
            return value.casefold().startswith(wanted)
        return value.casefold() == wanted

    def _sorted(self, found: list[Record], page: Page, salt: int) -> list[Record]:
        default = self._switches.default_sort
        if self._switches.tie_order == "shuffled" or (not page.sort and default == "shuffled"):
            found = random.Random(salt).sample(found, len(found))
        if not page.sort:
            if default == "shuffled":
                return found
            return sorted(found, key=lambda r: r.created, reverse=default == "newest_first")
        for name, descending in reversed(page.sort):
            found = sorted(found, key=_sort_key(name), reverse=descending)
        return found


def search_of(
    given: Mapping[str, Any], known: set[str], switches: Switches, *, paged: bool
) -> Search:
    """Read the filters of a list.

    Args:
        given: from the query string or the body; nulls count as absent.
        known: `GET_FILTERS` or `POST_FILTERS`.
        switches: of the shop.
        paged: whether `_limit` or a sibling is there.

    Returns:
        Search: what is looked for.

    Raises:
        ApiError: 400, a bad value, or no parameter at all.
    """
    filters = {name: value for name, value in given.items() if value is not None}
    for name in filters.keys() - known:
        if switches.unknown_filters == "rejected":
            raise bad_request(f"Unknown parameter {name}.")
        del filters[name]
    if not filters.keys() - _NO_FILTERS and not (paged and switches.limit_alone == "accepted"):
        raise bad_request("At least one parameter has to be given.")
    target = filters.pop("query_target", switches.default_target)
    if target not in ("origin", "cache"):
        raise bad_request("query_target is origin or cache.")
    windows: dict[str, tuple[int | None, int | None]] = {}
    for name in [name for name in filters if name.endswith(("_begin", "_end"))]:
        window, _, end = name.rpartition("_")
        low, high = windows.get(window, (None, None))
        bound = _bound(name, filters.pop(name), switches)
        windows[window] = (bound, high) if end == "begin" else (low, bound)
    _check(filters, windows, target, switches)
    return Search(filters, windows, cast(Target, target), switches)


def page_of(query: Mapping[str, str], switches: Switches) -> Page:
    """Read `_limit`, `_offset` and `_sort`.

    Raises:
        ApiError: 400, one of them is no such thing.
    """
    limit, offset = _number(query, "_limit", DEFAULT_LIMIT), _number(query, "_offset", 0)
    if limit < 1:
        raise bad_request("_limit has to be at least 1.")
    over = limit > switches.most_per_page and "_limit" in query
    if over and switches.limit_over_most == "rejected":
        raise bad_request(f"_limit can be at most {switches.most_per_page}.")
    limit = min(limit, switches.most_per_page)
    sort = []
    for key in query["_sort"].split(",") if query.get("_sort") else ():
        # A plus that is not encoded arrives as a blank, and so is refused.
        if key[:1] not in ("+", "-") or not (
            key[1:] in _DOTTED_SORTS or key[1:] in ("creation_dts", "order_id")
        ):
            raise bad_request(f"_sort does not know {key!r}.")
        sort.append((key[1:], key[0] == "-"))
    return Page(limit, offset, tuple(sort))


def _check(
    filters: dict[str, Any],
    windows: dict[str, tuple[int | None, int | None]],
    target: str,
    switches: Switches,
) -> None:
    """Check the values, and turn `total` into a number."""
    for name, value in filters.items():
        if name == "payment_transaction_filters":
            pairs = isinstance(value, list) and all(isinstance(pair, dict) for pair in value)
            if not pairs or target != "cache":
                raise bad_request(f"{name} is a list of names and values, for the cache only.")
        elif name == "total":
            try:
                filters[name] = float(value)
            except (TypeError, ValueError):
                raise bad_request("total has to be a number.") from None
        elif name == "customer_profile_oid":
            if type(value) is not int:
                raise bad_request(f"{name} has to be a whole number.")
        elif not isinstance(value, str):
            raise bad_request(f"{name} has to be a text.")
    stage = filters.get("current_stage")
    if stage is not None and (
        stage not in STAGES
        or (stage in _UNDOCUMENTED_STAGES and switches.undocumented_stages == "rejected")
    ):
        raise bad_request(f"There is no stage {stage!r}.")
    cards = {"card_bin", "card_last4"} & filters.keys()
    dated = None not in windows.get("payment_date", (None, None))
    if cards and not (len(cards) == 2 and dated and target == "cache"):
        raise bad_request("Cards are found by both parts, between payment dates, in the cache.")


def _bound(name: str, value: object, switches: Switches) -> int:
    if not isinstance(value, str):
        raise bad_request(f"{name} has to be a date as text.")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise bad_request(f"{name} is no ISO 8601 date.") from None
    if moment.tzinfo is None:
        if switches.date_without_offset == "rejected":
            raise bad_request(f"{name} has no offset.")
        utc = switches.date_without_offset == "utc"
        moment = moment.replace(tzinfo=UTC if utc else EASTERN)
    return round((moment - EPOCH).total_seconds() * SECOND)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f"{name} has to be a whole number from 0.")
    return int(text)


def _values(name: str, order: Order) -> list[Any]:
    """Return the values of an order that a text filter is compared with."""
    if name in _TEXTS:
        parts, key = _TEXTS[name]
        return [_part(order, part).get(key) for part in parts]
    if name in _CUSTOM:
        part, key = _CUSTOM[name]
        return [_part(order, part).get(key)]
    if name == "phone":
        keys = ("day_phone", "evening_phone", "cell_phone")
        return [_part(order, part).get(key) for part in _BOTH for key in keys]
    if name == "cc_email":
        return list(_part(order, "billing").get("cc_emails", []))
    if name == "item_id":
        return [item.get("merchant_item_id") for item in order.get("items") or ()]
    payment = _part(order, "payment")
    if name == "purchase_order_number":
        return [_part(payment, "purchase_order").get(name)]
    card = _part(payment, "credit_card").get("card_number", "")
    return [card[:6] if name == "card_bin" else card[-4:]]


def _part(order: Order, name: str) -> Order:
    """Return a part of an order; an empty one when it is absent or no object."""
    part = order.get(name)
    return part if isinstance(part, dict) else {}


def _has_detail(order: Order, pair: dict[str, Any]) -> bool:
    transactions = _part(order, "payment").get("transactions") or ()
    details = [detail for one in transactions for detail in one.get("details", ())]
    wanted = (pair.get("name"), pair.get("value"))
    return any((detail.get("name"), detail.get("value")) == wanted for detail in details)


def _sort_key(name: str) -> Callable[[Record], Any]:
    if name == "creation_dts":
        return lambda record: record.created
    if name == "order_id":
        return lambda record: record.id
    part, key = _DOTTED_SORTS[name]
    return lambda record: str(_part(record.order(), part).get(key, ""))
