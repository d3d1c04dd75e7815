"""The shop: every order it has, and what the API may do to them."""

import hashlib
import json
import random
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from orders_connector.sandbox.clock import Clock, microseconds, stamp
from orders_connector.sandbox.voucherify.errors import bad_payload, not_found
from orders_connector.sandbox.voucherify.listing import Listing, Record
from orders_connector.sandbox.voucherify.pricing import (
    STATUSES,
    given,
    in_order,
    mark_rolled_back,
    priced_items,
    set_totals,
    strip_discounts,
)
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["Order", "Shop"]

Order = dict[str, Any]


class Shop:
    """The state behind the API. Safe to use from any thread; one lock guards all of it.

    Args:
        clock: stamps every write.
        switches: how the open questions of the documentation are answered; may be replaced at any
            time.
        seed: makes the ids of new orders repeatable.
    """

    def __init__(self, clock: Clock, switches: Switches | None = None, *, seed: int = 0) -> None:
        self.clock = clock
        self.switches = switches or Switches()
        self.lock = threading.RLock()
        self.listing = Listing()
        self.prices: dict[str, int] = {}
        self._records: dict[str, Record] = {}
        self._by_source: dict[str, str] = {}
        self._unseen: deque[tuple[int, str, Record | None]] = deque()
        self._rng = random.Random(f"ids-{seed}")

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._records

    # --- reading -------------------------------------------------------------------------------

    def truth(self) -> list[Order]:
        """Return every order as GET returns it now, sorted by id, freshly decoded."""
        return [json.loads(body) for body in self.bodies()]

    def order_ids(self) -> list[str]:
        """Return the ids of all orders, sorted."""
        with self.lock:
            return sorted(self._records)

    def bodies(self) -> list[bytes]:
        """Return every order as encoded JSON, sorted by id."""
        with self.lock:
            return [self._records[order_id].body for order_id in sorted(self._records)]

    def get(self, reference: str) -> Order:
        """Return one order by id or source id.

        Raises:
            ApiError: 404 `not_found`.
        """
        return self.record(reference).order()

    def record(self, reference: str) -> Record:
        """Return one order's record by id or source id; raises like `get`."""
        with self.lock:
            order_id = self._resolve(reference)
            if order_id is None:
                raise not_found("order", reference)
            return self._records[order_id]

    def visible(self) -> Listing:
        """Return what list and export may see now; hold `lock` while reading it."""
        now = self._now()
        while self._unseen and self._unseen[0][0] <= now:
            _, order_id, record = self._unseen.popleft()
            self._show(order_id, record)
        return self.listing

    # --- writing -------------------------------------------------------------------------------

    def load(self, orders: Iterable[Order]) -> None:
        """Fill the shop with many orders, stored verbatim and visible at once."""
        with self.lock:
            records = [_record(order) for order in orders]
            self._records.update((record.id, record) for record in records)
            self._by_source.update((r.source_id, r.id) for r in records if r.source_id)
            self.listing.load(records)

    def put_raw(self, order: Order) -> Order:
        """Store an order verbatim, whatever it holds, under its `id` (a string)."""
        record = _record(order)
        with self.lock:
            self._store(record)
        return record.order()

    def upsert(self, order: Order) -> Order:
        """Create an order, or update the one with the same id or source id (`POST /v1/orders`).

        Raises:
            ApiError: 400 `invalid_payload`.
        """
        check_order(order := given(order))
        with self.lock:
            for key in ("id", "source_id"):
                existing = self._resolve(order[key]) if order.get(key) else None
                if existing:
                    return self.update(existing, order)
            return self._create(order)

    create = upsert  # the API has one verb for both

    def update(self, reference: str, changes: Order) -> Order:
        """Change the given keys of an order (`PUT /v1/orders/{orderId}`).

        Raises:
            ApiError: 404 `not_found`, 400 `invalid_payload`.
        """
        with self.lock:
            order = self.get(reference)
            self._apply(order, changes)
            return self._touch(order)

    def imported(self, order: Order) -> Order:
        """Create or update an order as an import does: `created_at` is the import time."""
        with self.lock:
            order = {key: value for key, value in order.items() if key != "created_at"}
            existing = self._resolve(order.get("source_id") or order.get("id") or "")
            if existing is None:
                return self._create(order)
            old = self.get(existing)
            self._apply(old, order)
            return self._touch(old, moves=self.switches.import_touches_updated_at == "yes")

    def rollback(self, order_id: str, with_order: bool = True) -> Order:
        """Roll back every redemption of an order (`POST /v1/redemptions/{redemptionId}/rollback`).

        Args:
            order_id: id or source id.
            with_order: also take back discounts and cancel the order; otherwise the switch
                `rollback_without_order` says what remains of it in the order.

        Returns:
            Order: the order afterwards.

        Raises:
            ApiError: 404 `not_found`.
        """
        with self.lock:
            order = self.get(order_id)
            trace = self.switches.rollback_without_order
            if not with_order and trace == "nothing":
                return order
            mark_rolled_back(order, stamp(self.clock.now()), lambda: self.new_id("rr_"))
            if with_order:
                strip_discounts(order)
                order["status"] = "CANCELED"
            return self._touch(order, moves=with_order or trace == "map_and_updated_at")

    def with_redemption(self, redemption_id: str) -> Order:
        """Return the order that holds a redemption, as parent or stacked child.

        Raises:
            ApiError: 404 `not_found`.
        """
        needle = json.dumps(redemption_id).encode()
        with self.lock:  # a rare call: a scan of the bodies is cheaper than an index
            for record in self._records.values():
                if needle in record.body and redemption_id in _redemption_ids(record.order()):
                    return record.order()
        raise not_found("redemption", redemption_id)

    def erase_customer(self, customer_id: str) -> int:
        """Delete a customer's orders without trace, and count them.

        API: `POST /v1/customers/{customerId}/permanent-deletion`.
        """
        needle = json.dumps(customer_id).encode()
        with self.lock:
            gone = [
                record.id
                for record in self._records.values()
                if needle in record.body and record.order().get("customer_id") == customer_id
            ]
            for order_id in gone:
                self.delete(order_id)
            return len(gone)

    def delete(self, order_id: str) -> None:
        """Let one order vanish, as an erasure of its customer does."""
        with self.lock:
            record = self._records.pop(order_id)
            if record.source_id and self._by_source.get(record.source_id) == order_id:
                del self._by_source[record.source_id]
            self._publish(order_id, None)

    def purge_metadata_key(self, key: str) -> int:
        """Remove a metadata key from all orders and count those that had it."""
        moves = self.switches.purge_touches_updated_at == "yes"
        needle = json.dumps(key).encode()
        count = 0
        with self.lock:
            for record in list(self._records.values()):
                if needle in record.body:
                    order = record.order()
                    if (order.get("metadata") or {}).pop(key, self) is not self:
                        self._touch(order, moves=moves)
                        count += 1
        return count

    def unchanged_since_creation(self, order: Order) -> Order:
        """Give an order the `updated_at` of one that nobody ever updated, as the switch says."""
        fresh = {"null": {"updated_at": None}, "same": {"updated_at": order["created_at"]}}
        old = {key: value for key, value in order.items() if key != "updated_at"}
        return in_order(old | fresh.get(self.switches.updated_at_on_create, {}))

    def new_id(self, prefix: str) -> str:
        """Return a new id, the same ones in the same sequence for the same seed."""
        with self.lock:
            return f"{prefix}{self._rng.getrandbits(72):018x}"

    # --- inside --------------------------------------------------------------------------------

    def _now(self) -> int:
        return microseconds(stamp(self.clock.now())) or 0

    def _resolve(self, reference: str) -> str | None:
        return reference if reference in self._records else self._by_source.get(reference)

    def _create(self, request: Order) -> Order:
        now = stamp(self.clock.now())
        order: Order = {
            "id": request.get("id") or self.new_id("ord_"),
            "source_id": None,
            "created_at": now,
            "status": "CREATED",
            "items": [],
            "metadata": {},
            "customer_id": None,
            "referrer_id": None,
            "object": "order",
        }
        self._apply(order, request)
        return self.put_raw(self.unchanged_since_creation(order))

    def _touch(self, order: Order, *, moves: bool = True) -> Order:
        if moves:
            order["updated_at"] = stamp(self.clock.now())
        return self.put_raw(in_order(order))

    def _apply(self, order: Order, request: Order) -> None:
        request = given(request)
        check_order(request)
        for key in ("source_id", "status", "discount_amount", "initial_amount"):
            if key in request:
                order[key] = request[key]
        if request.get("created_at"):
            order["created_at"] = _normal_date(request["created_at"])
        if isinstance(request.get("metadata"), dict):
            merge = self.switches.metadata_update == "merge"
            order["metadata"] = (order.get("metadata") or {} if merge else {}) | request["metadata"]
        for role in ("customer", "referrer"):
            person = request.get(role)
            person_id = request.get(f"{role}_id") or (_person_id(person) if person else None)
            if person_id:
                order[role] = {"id": person_id, "object": "customer"}
                order[f"{role}_id"] = person_id
        if "items" in request:
            items = priced_items(request["items"], self.prices)
            merge = self.switches.update_items == "merge"
            order["items"] = _merged(order.get("items") or [], items) if merge else items
        if {"items", "amount", "discount_amount"} & request.keys():
            set_totals(order, request.get("amount"))

    def _store(self, record: Record) -> None:
        old = self._records.get(record.id)
        if old is not None and old.source_id and old.source_id != record.source_id:
            self._by_source.pop(old.source_id, None)
        self._records[record.id] = record
        if record.source_id:
            self._by_source[record.source_id] = record.id
        self._publish(record.id, record)

    def _publish(self, order_id: str, record: Record | None) -> None:
        lag = timedelta(seconds=self.switches.listing_lag_seconds)
        if lag or self._unseen:  # never overtake an earlier write that still waits
            due = self._now() + lag // timedelta(microseconds=1)
            self._unseen.append((due, order_id, record))
        else:
            self._show(order_id, record)

    def _show(self, order_id: str, record: Record | None) -> None:
        if record is None:
            self.listing.drop(order_id)
        else:
            self.listing.put(record)


def check_order(request: object) -> None:
    """Refuse what can be no order at all.

    Raises:
        ApiError: 400 `invalid_payload`.
    """
    if not isinstance(request, dict):
        raise bad_payload("Property . should be object")
    if request.get("status", "PAID") not in STATUSES:
        allowed = ", ".join(STATUSES)
        raise bad_payload(
            f"Property .status should be equal to one of the allowed values [ {allowed} ]"
        )
    for key in ("amount", "initial_amount", "discount_amount"):
        if type(request.get(key, 0)) is not int:
            raise bad_payload(f"Property .{key} should be integer")
    if microseconds(request.get("created_at", "2018-08-01")) is None:
        raise bad_payload("Property .created_at cannot be recognized as a ISO-8601 compliant date")


def _record(order: Order) -> Record:
    body = json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()
    source_id = order.get("source_id")
    return Record(
        order["id"],
        source_id if isinstance(source_id, str) else None,
        microseconds(order.get("created_at")) or 0,
        microseconds(order.get("updated_at")),
        body,
    )


def _normal_date(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return stamp(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC))


def _person_id(person: Order) -> str:
    """The customer behind a customer object; `id` wins over `source_id`."""
    if person.get("id"):
        return str(person["id"])
    named = person.get("source_id") or json.dumps(person, sort_keys=True)
    return f"cust_{hashlib.sha256(str(named).encode()).hexdigest()[:18]}"


def _merged(old: list[Order], new: list[Order]) -> list[Order]:
    def key(item: Order) -> tuple[Any, ...]:
        return tuple(item.get(name) for name in ("sku_id", "product_id", "source_id"))

    merged = {key(item) if any(key(item)) else place: item for place, item in enumerate(old)}
    for place, item in enumerate(new, start=len(old)):
        merged[key(item) if any(key(item)) else place] = item
    return list(merged.values())


def _redemption_ids(order: Order) -> set[str]:
    redemptions = order.get("redemptions") or {}
    children = (child for entry in redemptions.values() for child in entry.get("stacked", ()))
    return {*redemptions, *children}
