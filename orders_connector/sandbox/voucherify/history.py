"""The shop's past: when orders were placed, and what became of them since."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from orders_connector.sandbox.clock import EPOCH
from orders_connector.sandbox.seasons import DAY, HOUR, placed
from orders_connector.sandbox.voucherify.orders import OrderMaker, moment
from orders_connector.sandbox.voucherify.pricing import mark_rolled_back, strip_discounts

__all__ = ["history"]

Order = dict[str, Any]


def history(maker: OrderMaker, orders: int, now: datetime, days: int) -> Iterator[Order]:
    """Make the shop's past up to `now`.

    Args:
        maker: makes the single orders.
        orders: how many there are.
        now: aware, UTC; nothing is younger.
        days: how far the past reaches.

    Yields:
        Order: one after the other, by the time they were placed.
    """
    rng = maker.rng
    end = (now - EPOCH) // timedelta(milliseconds=1)
    imports = _import_bursts(rng, orders, end, days)
    usual = [(created, None) for created in placed(rng, orders - len(imports), now, days)]
    # Two may be placed at a time, and None cannot be compared.
    past = sorted([*usual, *imports], key=lambda order: (order[0], order[1] or 0))
    letters_until = end - days * DAY // 2
    for created, true_date in past:
        order = maker.make(
            created,
            letters=created < letters_until,
            redeemed=0.45 if true_date is None else 0.0,
        )
        if true_date is not None:
            order["metadata"] = {"ordered_at": moment(true_date), "legacy": True}
            order["status"] = rng.choice(("FULFILLED", "FULFILLED", "PAID", "CANCELED"))
        else:
            _live(order, created, end, maker)
        _make_odd(order, rng)
        yield order


def _import_bursts(
    rng: random.Random, orders: int, end: int, days: int
) -> list[tuple[int, int | None]]:
    """Two imports of old orders: five per millisecond, the true date only in the metadata."""
    size = orders * 3 // 200
    bursts: list[tuple[int, int | None]] = []
    for share in (0.7, 0.3):
        start = end - int(days * share) * DAY + 10 * HOUR
        bursts += [
            (start + place // 5, start - int((1 + rng.random() * 400) * DAY))
            for place in range(size)
        ]
    return bursts


def _live(order: Order, created: int, end: int, maker: OrderMaker) -> None:
    """Let an order age until `end`: payment, fulfilment, cancellation, rollback, late changes."""
    rng = maker.rng
    luck = rng.random()
    if "redemptions" not in order and luck < 0.4:
        # Sent to the API when all was done, and never touched again.
        order["status"] = "PAID" if luck < 0.1 else "FULFILLED"
        return
    events = []
    if order["status"] == "CREATED" and luck < 0.97:
        events.append((created + int(rng.expovariate(0.5) * HOUR), "PAID"))
    if luck < 0.85:
        events.append((created + int((1 + rng.random() * 4) * DAY), "FULFILLED"))
    elif 0.93 < luck < 0.97:
        events.append((created + int(rng.random() * 10 * DAY), "CANCELED"))
    if rng.random() < 0.05:
        events.append((created + int((5 + rng.random() * 85) * DAY), "changed"))
    if "redemptions" in order and rng.random() < 0.05:
        events.append((created + int(rng.random() * 90 * DAY), "rolled back"))
    for at, event in sorted(events):
        if at > end:
            break
        order["updated_at"] = moment(at)
        if event == "changed":
            order.setdefault("metadata", {})["changed_by"] = "support"
            if rng.random() < 0.3:
                maker.redeem(order, at - 300)
        elif event == "rolled back":
            mark_rolled_back(order, moment(at - 20), lambda: f"rr_{rng.getrandbits(72):018x}")
            strip_discounts(order)
            order["status"] = "CANCELED"
            break
        else:
            order["status"] = event


def _make_odd(order: Order, rng: random.Random) -> None:
    """Give a few orders the oddities that official samples show."""
    chance = rng.random()
    if chance > 0.06:
        return
    if chance < 0.01:  # the amount is not the sum of the items
        order["amount"] += 500
        order["total_amount"] += 500
    elif chance < 0.015 and "redemptions" not in order:
        for item in order["items"]:
            item.update({"price": 0, "amount": 0, "subtotal_amount": 0})
        order["amount"] = order["total_amount"] = 0
    elif chance < 0.022:
        if "redemptions" not in order:
            del order["items"]
    elif chance < 0.025 and "redemptions" not in order:
        order["items"] = []
        del order["amount"], order["total_amount"]
    elif chance < 0.03:
        if order["updated_at"] is None:
            del order["updated_at"]
    elif chance < 0.04:
        order["created_at"] = order["created_at"][:-1] + f"{rng.randrange(1000):03d}Z"
    elif chance < 0.045:
        order["created_at"] = order["created_at"][:19] + "Z"
    elif chance < 0.05:
        order["created_at"] = order["created_at"][:22] + "+00:00"
    elif chance < 0.055:
        order.pop("metadata", None)
