"""The shop's past: when orders were placed, and what became of them since."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from orders_connector.sandbox.clock import EPOCH
from orders_connector.sandbox.seasons import placed
from orders_connector.sandbox.ultracart.life import ENDS, advance, analyse_costs, is_paid, reject
from orders_connector.sandbox.ultracart.orders import OrderMaker
from orders_connector.sandbox.ultracart.refunds import (
    full_refund,
    is_refunded,
    partial_refund,
    refund,
)

__all__ = ["REASONS", "history"]

Order = dict[str, Any]

REASONS = ("CustomerReturn", "Damaged", "LateDelivery", "PriceMatch")

# Mean hours until the next step, the chance that it never comes, and that of a rejection instead.
_PACE = {
    "Accounts Receivable": (0.01, 0.03, 0.02),
    "Pending Clearance": (70, 0.02, 0.05),
    "Quote Request": (20, 0.05, 0.05),
    "Quote Sent": (90, 0.15, 0.2),
    "Pre-ordered": (300, 0.0, 0.05),
    "Unknown": (6, 0.2, 0.0),
    "Fraud Review": (12, 0.0, 0.4),
    "Hold": (50, 0.05, 0.2),
    "Least Cost Routing": (2, 0.0, 0.0),
    "Advanced Order Routing": (4, 0.0, 0.0),
    "Shipping Department": (40, 0.005, 0.01),
}


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
    for created in sorted(placed(maker.rng, orders, now, days)):
        at = EPOCH + timedelta(milliseconds=created)
        order = maker.make(at)
        _live(order, at, now, maker.rng)
        yield order


def _live(order: Order, at: datetime, now: datetime, rng: random.Random) -> None:
    """Let an order age until `now`: payment, shipment, rejection, refunds, cost analysis."""
    while order["current_stage"] not in ENDS:
        hours, stuck, rejected = _PACE[order["current_stage"]]
        luck = rng.random()
        if luck < stuck:
            return
        rejects = luck < stuck + rejected
        at += timedelta(seconds=1 + rng.expovariate(1 / (3600 * (hours + 48 * rejects))))
        if at > now:
            return
        if rejects:
            reject(order, at, "Fraud" if order["current_stage"] == "Fraud Review" else "Declined")
        else:
            advance(order, at, rng)
    if not is_paid(order):
        return
    if rng.random() < 0.6 and at + timedelta(days=5) < now:
        analyse_costs(order, rng)
    if order["current_stage"] == "Rejected" or rng.random() < 0.08:
        _refund_late(order, at, now, rng)


def _refund_late(order: Order, at: datetime, now: datetime, rng: random.Random) -> None:
    """Refund all at once, or a line first and the rest in some cases later, within 90 days."""
    reason = rng.choice(REASONS)
    at += timedelta(days=rng.random() * 60)
    if at > now:
        return
    if rng.random() < 0.5 or order["current_stage"] == "Rejected":
        refund(order, full_refund(order, reason), at)
        return
    refund(order, partial_refund(order, rng, reason), at)
    at += timedelta(days=rng.random() * 30)
    if rng.random() < 0.25 and at <= now and not is_refunded(order):
        refund(order, full_refund(order, reason), at)
