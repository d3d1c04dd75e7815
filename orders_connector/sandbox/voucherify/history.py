"""The shop's past: when orders were placed, and what became of them since."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from math import cos, tau
from typing import Any

from orders_connector.sandbox.clock import EPOCH
from orders_connector.sandbox.voucherify.orders import OrderMaker, moment
from orders_connector.sandbox.voucherify.pricing import mark_rolled_back, strip_discounts

__all__ = ["DAY", "day_weight", "history"]

Order = dict[str, Any]

HOUR = 3_600_000
DAY = 24 * HOUR
_WEEK = (1.0, 0.95, 0.95, 1.0, 1.2, 1.35, 1.15)
_HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 11, 10, 9, 9, 9, 10, 12, 13, 13, 11, 8, 5)
_MIDNIGHTS = tuple(int((24 - zone) % 24 * HOUR) for zone in (-8, -5, 0, 1, 2, 5.5, 9))


def day_weight(day: datetime) -> float:
    """Return how busy a day is, 1 being usual: weekends, summer, November and December."""
    season = 1 + 0.15 * cos(tau * (day.timetuple().tm_yday - 350) / 365)
    peak = {11: 1.35, 12: 1.5}.get(day.month, 1.0)
    return _WEEK[day.weekday()] * season * peak


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
    placed = sorted(_placed(rng, orders - len(imports), now, end, days) + imports)
    letters_until = end - days * DAY // 2
    for created, true_date in placed:
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


def _placed(
    rng: random.Random, count: int, now: datetime, end: int, days: int
) -> list[tuple[int, None]]:
    """Spread orders over days by season and growth, and over hours by habit."""
    weights = [
        day_weight(now - timedelta(days=back)) * (1 + 0.8 * (days - back) / days)
        for back in range(days)
    ]
    midnight = end - end % DAY
    times = []
    for back in rng.choices(range(days), cum_weights=list(accumulate(weights)), k=count):
        if rng.random() < 0.02:  # within two seconds of somebody's midnight
            time = rng.choice(_MIDNIGHTS) + int((rng.random() - 0.5) * 4000)
        else:
            time = int((rng.choices(range(24), _HOURS)[0] + rng.random()) * HOUR)
        created = midnight - back * DAY + time
        if created > end:  # the rest of today has not happened yet
            created -= DAY
        times.append((created, None))
    return times


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
