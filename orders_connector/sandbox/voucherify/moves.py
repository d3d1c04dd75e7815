"""What happens in the shop while somebody reads: single moves, and whole days."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from orders_connector.sandbox.clock import EPOCH, stamp
from orders_connector.sandbox.seasons import DAY, day_weight
from orders_connector.sandbox.voucherify.orders import OrderMaker, moment
from orders_connector.sandbox.voucherify.shop import Order, Shop

__all__ = ["Moves"]

_WEIGHTS = {
    "create": 40,
    "pay": 16,
    "fulfil": 18,
    "cancel": 4,
    "change": 10,
    "redeem": 3,
    "rollback": 4,
    "backdate": 3,
    "import": 1,
    "erase": 1,
}


class Moves:
    """Makes the shop live, repeatably.

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

        As many new orders as on a usual day of the last month, weighted by weekday and season;
        about one other move per new order; late changes, rollbacks and redemptions of orders up
        to 90 days old; sometimes an import, a back-dated order, the erasure of a customer.
        """
        rng, clock = self._rng, self._shop.clock
        start = clock.now()
        with self._shop.lock:
            usual = len(self._recent(30)) / 30
        created = max(3, round(usual * day_weight(start)))
        plan = [("create", created), ("pay", created // 3), ("fulfil", created // 2)]
        plan += [("cancel", created // 20 + 1), ("change", created // 15 + 1)]
        plan += [("redeem", created // 60), ("rollback", created // 50 + 1)]
        plan += [("backdate", rng.random() < 0.5), ("import", rng.random() < 0.2)]
        plan += [("erase", rng.random() < 0.2)]
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
        with self._shop.lock:
            if kind in ("create", "backdate"):
                return self._create(back=kind == "backdate")
            if kind == "import":
                return self._import()
            if kind == "erase":
                customer = self._pick(90, lambda order: order.get("customer_id"))
                return self._shop.erase_customer(customer["customer_id"]) if customer else 0
            return self._change(kind)

    def _create(self, *, back: bool) -> int:
        now = _milliseconds(self._shop.clock.now())
        age = int(self._rng.random() * 60 * DAY) if back else 0
        order = self._maker.make(now - age, redeemed=0.0 if back else 0.45)
        if order["updated_at"] is None:
            order = self._shop.unchanged_since_creation(order)
        else:
            # The redemption touches the order in the same breath, never in the future.
            order["updated_at"] = stamp(self._shop.clock.now())
        self._shop.put_raw(order)
        return 1

    def _import(self) -> int:
        now = _milliseconds(self._shop.clock.now())
        count = self._rng.randint(3, 25)
        for _ in range(count):
            order = self._maker.make(now, redeemed=0.0)
            age = int(self._rng.random() * 400 * DAY)
            metadata = {"ordered_at": moment(now - age), "legacy": True}
            order |= {"status": "FULFILLED", "metadata": metadata}
            self._shop.put_raw(self._shop.unchanged_since_creation(order))
        return count

    def _change(self, kind: str) -> int:
        shop = self._shop
        if kind == "pay":
            order = self._pick(3, lambda o: o.get("status") == "CREATED")
            return self._update(order, {"status": "PAID"})
        if kind == "fulfil":
            order = self._pick(7, lambda o: o.get("status") == "PAID")
            return self._update(order, {"status": "FULFILLED"})
        if kind == "cancel":
            order = self._pick(15, lambda o: o.get("status") != "CANCELED")
            return self._update(order, {"status": "CANCELED"})
        if kind == "change":
            changed = {"changed_by": "support", "ticket": self._rng.randrange(10_000)}
            return self._update(self._pick(90, bool), {"metadata": changed})
        if kind == "rollback":
            order = self._pick(90, _has_redemption)
            return 0 if order is None else bool(shop.rollback(order["id"]))
        order = self._pick(90, lambda o: o.get("status") != "CANCELED" and "amount" in o)
        if order is None:
            return 0
        now = shop.clock.now()
        self._maker.redeem(order, _milliseconds(now))
        shop.put_raw(order | {"updated_at": stamp(now)})
        return 1

    def _update(self, order: Order | None, changes: Order) -> int:
        return 0 if order is None else bool(self._shop.update(order["id"], changes))

    def _pick(self, days: int, fit: Callable[[Order], object]) -> Order | None:
        """Return a fit order of the last days, or None when a few tries found none."""
        ids = self._recent(days)
        for _ in range(12 if ids else 0):
            order_id = self._rng.choice(ids)
            order = self._shop.get(order_id)
            if fit(order):
                return order
        return None

    def _recent(self, days: int) -> list[str]:
        now = _milliseconds(self._shop.clock.now())
        listing = self._shop.listing
        ids = listing.created_between((now - days * DAY) * 1000, now * 1000 + 1000)
        # Behind a listing lag, an erased order is still listed.
        return ids if not self._shop.switches.listing_lag_seconds else self._alive(ids)

    def _alive(self, ids: list[str]) -> list[str]:
        return [order_id for order_id in ids if order_id in self._shop]


def _has_redemption(order: Order) -> bool:
    entries = (order.get("redemptions") or {}).values()
    return any("rollback_id" not in entry for entry in entries)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
