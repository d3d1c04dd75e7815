"""What happens in the shop while somebody reads: single moves, and whole days."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from orders_connector.sandbox.clock import EPOCH
from orders_connector.sandbox.seasons import DAY, day_weight
from orders_connector.sandbox.ultracart.history import REASONS
from orders_connector.sandbox.ultracart.life import (
    ENDS,
    advance,
    analyse_costs,
    hold,
    is_paid,
    reject,
)
from orders_connector.sandbox.ultracart.orders import OrderMaker
from orders_connector.sandbox.ultracart.refunds import full_refund, is_refunded, partial_refund
from orders_connector.sandbox.ultracart.shop import Order, Record, Shop

__all__ = ["Moves"]

_WEIGHTS = {
    "create": 40,
    "advance": 36,
    "refund": 6,
    "reject": 4,
    "hold": 2,
    "edit": 5,
    "costs": 5,
    "delete": 2,
}


class Moves:
    """Makes the shop live, repeatably.

    `reject`, `hold`, `edit`, `costs` and `delete` move no date that a list could be filtered by.

    Attributes:
        weights: how often `some` makes each kind of move; 0 switches a kind off.

    Args:
        shop: the one to move.
        maker: makes its new orders.
        seed: the same seed and the same calls give the same life.
    """

    def __init__(self, shop: Shop, maker: OrderMaker, seed: int) -> None:
        self._shop = shop
        self._maker = maker
        self._rng = random.Random(f"moves-{seed}")
        self.weights = dict(_WEIGHTS)

    def some(self, count: int) -> Counter[str]:
        """Make `count` random moves, the clock going on a little before each; counts them."""
        kinds = self._rng.choices(list(self.weights), list(self.weights.values()), k=count)
        made: Counter[str] = Counter()
        for kind in kinds:
            self._shop.clock.advance(timedelta(milliseconds=self._rng.randrange(0, 700)))
            made[kind] += self.make(kind)
        return made

    def day(self) -> Counter[str]:
        """Live 24 hours, in order of time, ending 24 hours later; counts what happened.

        As many new orders as on a usual day of the last month, weighted by weekday and season,
        and a few steps of others per new order; refunds, edits and deletions of orders up to 90
        days old.
        """
        rng, clock = self._rng, self._shop.clock
        start = clock.now()
        usual = len(self._recent(30)) / 30
        created = max(3, round(usual * day_weight(start)))
        plan = [("create", created), ("advance", created * 2), ("refund", created // 12 + 1)]
        plan += [
            ("reject", created // 25 + 1),
            ("hold", created // 50),
            ("edit", created // 20 + 1),
        ]
        plan += [("costs", created // 3 + 1), ("delete", rng.random() < 0.3)]
        kinds = [kind for kind, count in plan for _ in range(count)]
        rng.shuffle(kinds)
        made: Counter[str] = Counter()
        for second, kind in zip(sorted(rng.random() for _ in kinds), kinds, strict=True):
            clock.set(start + timedelta(milliseconds=int(second * DAY)))
            made[kind] += self.make(kind)
        clock.set(start + timedelta(days=1))
        return made

    def make(self, kind: str) -> int:
        """Make one move and return how many orders it touched (0 when none was fit for it)."""
        shop, rng = self._shop, self._rng
        with shop.lock:
            now = shop.clock.now()
            if kind == "create":
                order = shop.put_raw(self._maker.make(now))
                return len([order])
            if kind == "advance":
                return self._change(20, _unfinished, lambda order: advance(order, now, rng))
            if kind == "reject":
                return self._change(20, _unfinished, lambda order: reject(order, now, "Declined"))
            if kind == "hold":
                return self._change(10, _to_be_shipped, lambda order: hold(order, now))
            if kind == "costs":
                return self._change(60, is_paid, lambda order: analyse_costs(order, rng))
            if kind == "edit":
                note = {"merchant_notes": f"ticket {rng.randrange(10_000)}"}
                return self._change(90, bool, lambda o: o.setdefault("internal", {}).update(note))
            if kind == "delete":
                order_id = self._pick(90, bool)
                if order_id is not None:
                    shop.delete(order_id)
                return int(order_id is not None)
            return self._refund()

    def _refund(self) -> int:
        order_id = self._pick(90, _refundable)
        if order_id is None:
            return 0
        order, reason = self._shop.get(order_id), self._rng.choice(REASONS)
        whole = "total_refunded" in order["summary"] or self._rng.random() < 0.5
        asked = full_refund(order, reason) if whole else partial_refund(order, self._rng, reason)
        self._shop.refund(order_id, asked)
        return 1

    def _change(
        self, days: int, fit: Callable[[Order], object], change: Callable[[Order], object]
    ) -> int:
        order_id = self._pick(days, fit)
        if order_id is None:
            return 0
        self._shop.change(order_id, change)
        return 1

    def _pick(self, days: int, fit: Callable[[Order], object]) -> str | None:
        """Return a fit order of the last days, or None when a few tries found none."""
        recent = self._recent(days)
        for _ in range(12 if recent else 0):
            record = self._rng.choice(recent)
            if fit(record.order()):
                return record.id
        return None

    def _recent(self, days: int) -> list[Record]:
        now = (self._shop.clock.now() - EPOCH) // timedelta(microseconds=1)
        with self._shop.lock:
            return self._shop.view().created_between(now - days * DAY * 1000, now)


def _unfinished(order: Order) -> bool:
    return order["current_stage"] not in ENDS


def _to_be_shipped(order: Order) -> bool:
    return bool(order["current_stage"] == "Shipping Department")


def _refundable(order: Order) -> bool:
    return is_paid(order) and not is_refunded(order)
