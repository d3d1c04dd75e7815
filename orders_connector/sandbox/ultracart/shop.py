"""The shop: every order it has, and what the API may do to them."""

import json
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from orders_connector.sandbox.clock import Clock, microseconds
from orders_connector.sandbox.ultracart.errors import bad_request
from orders_connector.sandbox.ultracart.expansions import EVERYTHING, projected
from orders_connector.sandbox.ultracart.life import ENDS, is_paid, is_shipped, reject
from orders_connector.sandbox.ultracart.refunds import (
    RefundOptions,
    full_refund,
    is_refunded,
    refund,
)
from orders_connector.sandbox.ultracart.switches import Switches

__all__ = ["Mail", "Order", "Record", "Shop", "View"]

Order = dict[str, Any]
Target = Literal["origin", "cache"]

_READ_ONLY = (
    *("order_id", "merchant_id", "creation_dts", "current_stage", "current_stage_histories"),
    *("refund_dts", "reject_dts", "currency_code", "exchange_rate"),
)


class Record(NamedTuple):
    """One state of one order. Never changed in place: every write makes a new record.

    Attributes:
        id: the order's id.
        stage: its stage.
        created: microseconds since 1970 UTC; 0 when it is no date.
        paid: likewise; None when it never happened. So are the others.
        shipped: the first shipment.
        refunded: the last refund.
        body: the whole order as JSON, every expansion in it.
    """

    id: str
    stage: str
    created: int
    paid: int | None
    shipped: int | None
    refunded: int | None
    body: bytes

    def order(self) -> Order:
        """Decode the order anew; changing the result changes nothing here."""
        decoded: Order = json.loads(self.body)
        return decoded


class Mail(NamedTuple):
    """A mail that would have gone out: its kind and the order it is about."""

    kind: str
    order_id: str


class View:
    """Orders by id and by time of creation, as the database or the cache sees them."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.version = 0
        self._created: list[tuple[int, str]] = []

    def load(self, records: Iterable[Record]) -> None:
        """Add many new orders at once."""
        self.records.update((record.id, record) for record in records)
        self._created = sorted((record.created, record.id) for record in self.records.values())
        self.version += 1

    def put(self, record: Record) -> None:
        """Add an order or replace its former state."""
        self.drop(record.id)
        self.records[record.id] = record
        insort(self._created, (record.created, record.id))
        self.version += 1

    def drop(self, order_id: str) -> None:
        """Remove an order if it is there."""
        old = self.records.pop(order_id, None)
        if old is not None:
            del self._created[bisect_left(self._created, (old.created, old.id))]
            self.version += 1

    def created_between(self, low: int, high: int) -> list[Record]:
        """Return orders with `low <= created <= high` (microseconds), oldest first."""
        first = bisect_left(self._created, (low, ""))
        last = bisect_left(self._created, (high + 1, ""))
        return [self.records[order_id] for _, order_id in self._created[first:last]]


class Shop:
    """The state behind the API. Safe to use from any thread; one lock guards all of it.

    Args:
        clock: stamps every write.
        switches: how the open questions of the documentation are answered; may be replaced at any
            time.

    Attributes:
        mails: what would have been sent to customers.
    """

    def __init__(self, clock: Clock, switches: Switches | None = None) -> None:
        self.clock = clock
        self.switches = switches or Switches()
        self.lock = threading.RLock()
        self.mails: list[Mail] = []
        self._origin = View()
        self._cache = View()
        self._unseen: deque[tuple[datetime, str, Record | None]] = deque()

    def __len__(self) -> int:
        return len(self._origin.records)

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._origin.records

    # --- reading -------------------------------------------------------------------------------

    def truth(self) -> list[Order]:
        """Return every order as a get with every expansion returns it now, sorted by id."""
        with self.lock:
            records = [self._origin.records[key] for key in sorted(self._origin.records)]
            return [projected(record.order(), EVERYTHING, self.switches) for record in records]

    def bodies(self) -> list[bytes]:
        """Return `truth` as encoded JSON."""
        return [encoded(order) for order in self.truth()]

    def kept(self) -> list[Order]:
        """Return every order as it is kept, with what no expansion shows, sorted by id."""
        with self.lock:
            return [self._origin.records[key].order() for key in sorted(self._origin.records)]

    def get(self, order_id: str) -> Order:
        """Return one whole order, with what no expansion shows.

        Raises:
            ApiError: 400, there is none.
        """
        return self.record(order_id).order()

    def record(self, order_id: str) -> Record:
        """Return one order's record; raises like `get`."""
        with self.lock:
            record = self._origin.records.get(order_id)
        if record is None:
            raise bad_request(f"The order {order_id} does not exist.")
        return record

    def view(self, target: Target = "origin") -> View:
        """Return what a query sees; hold `lock` while reading it."""
        now = self.clock.now()
        while self._unseen and self._unseen[0][0] <= now:
            _, order_id, record = self._unseen.popleft()
            if record is None:
                self._cache.drop(order_id)
            else:
                self._cache.put(record)
        return self._origin if target == "origin" else self._cache

    # --- writing -------------------------------------------------------------------------------

    def load(self, orders: Iterable[Order]) -> None:
        """Fill the shop with many orders, stored verbatim and in the cache at once."""
        with self.lock:
            records = [_record(order) for order in orders]
            self._origin.load(records)
            self._cache.load(records)

    def put_raw(self, order: Order) -> Order:
        """Store an order verbatim, whatever it holds, under its `order_id` (a string)."""
        record = _record(order)
        with self.lock:
            self._origin.put(record)
            self._publish(record.id, record)
        return record.order()

    def change(self, order_id: str, change: Callable[[Order], object]) -> Order:
        """Let a function change an order, which may raise to leave it as it was."""
        with self.lock:
            order = self.get(order_id)
            change(order)
            return self.put_raw(order)

    def update(self, order_id: str, changes: Order) -> Order:
        """Change the given keys of an order (`PUT /order/orders/{order_id}`).

        Objects are merged, lists replaced; ids, stage and dates of the order itself stay.

        Raises:
            ApiError: 400, there is no such order or the changes are no object.
        """
        if not isinstance(changes, dict):
            raise bad_request("The body has to be an order.")
        allowed = {key: value for key, value in changes.items() if key not in _READ_ONLY}
        return self.change(order_id, lambda order: _merge(order, allowed))

    def refund(self, order_id: str, asked: Order, options: RefundOptions | None = None) -> Order:
        """Refund an order (`PUT /order/orders/{order_id}/refund`); amounts are totals to date.

        Raises:
            ApiError: 400, see `refunds.refund`.
        """
        status = self.switches.partial_refund_status
        now = self.clock.now()
        order = self.change(order_id, lambda order: refund(order, asked, now, options, status))
        if options is None or not options.skip_customer_notification:
            self.mails.append(Mail("refund", order_id))
        return order

    def cancel(self, order_id: str, *, skip_refund_and_hold: bool = False) -> Order:
        """Cancel an order by rejecting it; what was paid is refunded unless that is skipped.

        Raises:
            ApiError: 400, it is missing, finished, or handed over for shipping.
        """
        now = self.clock.now()

        def rejected(order: Order) -> None:
            sent = any("transmitted_to_distribution_center_dts" in i for i in order["items"])
            if order["current_stage"] in ENDS or sent or is_shipped(order):
                raise bad_request("The order is completed, rejected or transmitted already.")
            if is_paid(order) and not skip_refund_and_hold and not is_refunded(order):
                refund(order, full_refund(order, "Canceled"), now)
            reject(order, now, "Canceled")

        return self.change(order_id, rejected)

    def delete(self, order_id: str) -> None:
        """Let an order vanish.

        Raises:
            ApiError: 400, there is no such order.
        """
        with self.lock:
            self.record(order_id)
            self._origin.drop(order_id)
            self._publish(order_id, None)

    def _publish(self, order_id: str, record: Record | None) -> None:
        lag = timedelta(seconds=self.switches.cache_lag_seconds)
        self._unseen.append((self.clock.now() + lag, order_id, record))


def encoded(order: Order) -> bytes:
    """Write an order as compact JSON."""
    return json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()


def _merge(old: Order, new: Order) -> None:
    for key, value in new.items():
        if value is None:
            continue
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        elif value is False:  # never sent, so never kept
            old.pop(key, None)
        else:
            old[key] = value


def _record(order: Order) -> Record:
    payment, shipping = order.get("payment"), order.get("shipping")
    return Record(
        order["order_id"],
        str(order.get("current_stage")),
        microseconds(order.get("creation_dts")) or 0,
        _moment(payment, "payment_dts"),
        _moment(shipping, "shipping_date"),
        microseconds(order.get("refund_dts")),
        encoded(order),
    )


def _moment(part: object, key: str) -> int | None:
    return microseconds(part.get(key)) if isinstance(part, dict) else None
