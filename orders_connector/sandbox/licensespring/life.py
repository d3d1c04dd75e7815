"""The vendor's past, and what happens while somebody reads."""

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from orders_connector.sandbox.licensespring.people import PRODUCTS, buyer
from orders_connector.sandbox.licensespring.shop import Row, Shop

__all__ = ["Maker", "Moves", "fill"]

_WEEK = (1.2, 1.3, 1.25, 1.2, 1.0, 0.3, 0.25)  # businesses buy on weekdays
_TERMS = {"subscription": ("1y", "1m", "1y"), "time-limited": ("30d", "1y")}
_WEIGHTS = {
    "create": 30,
    "trial": 10,
    "append": 6,
    "patch": 12,
    "activate": 22,
    "disable": 5,
    "backdate": 3,
    "archive": 2,
    "delete": 1,
}


class Maker:
    """Makes requests for orders as a shop system would send them.

    Attributes:
        buyers: how many different ones there were.
        number: of the last order; the next one goes on from there.

    Args:
        seed: the same seed and the same calls give the same requests.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"orders-{seed}")
        self.buyers = 0
        self.number = 1_000

    def order(self) -> Row:
        """Return the body of a request for a paid order, or sometimes a test."""
        rng = self.rng
        self.number += 1
        codes = rng.sample(list(PRODUCTS), k=1 if rng.random() < 0.8 else 2)
        request: Row = {
            "id": f"CRM-{self.number}",
            "append": False,
            "is_test": rng.random() < 0.03,
            "order_type": "normal",
            "language": rng.choice(("en", "de", None)),
            "campaign_params": "cpg=web,src=example" if rng.random() < 0.3 else None,
            "metadata": f'{{"invoice": "INV-{self.number}"}}' if rng.random() < 0.6 else "{}",
            "items": [self.item(code) for code in codes],
        }
        if rng.random() < 0.95:
            request["customer"] = self._customer()
        if rng.random() < 0.15:
            request["customer_account_id"] = rng.randint(40, 60)
        return request

    def trial(self) -> Row:
        """Return the body of a trial; the platform makes its id."""
        code = self.rng.choice(list(PRODUCTS))
        request: Row = {
            "order_type": "api_trial",
            "is_trial": True,
            "metadata": "{}",
            "items": [
                {
                    "product_code": code,
                    "licenses": [{"is_trial": True, "trial_days": 30, "valid_duration": "30d"}],
                }
            ],
        }
        if self.rng.random() < 0.6:
            request["customer"] = self._customer()
        return request

    def item(self, code: str) -> Row:
        """Return one item of a request."""
        rng, sold = self.rng, PRODUCTS[code]["sold"]
        one: Row = {"license_type": sold, "max_activations": rng.choice((1, 1, 2, 3))}
        if sold in _TERMS:
            one["valid_duration"] = rng.choice(_TERMS[sold])
        if sold == "subscription":
            one["subscription_id"] = f"sub_{rng.getrandbits(40):010x}"
        if sold == "consumption":
            one["max_consumptions"] = rng.choice((100, 1_000))
        quantity = rng.choice((1, 1, 1, 2, 3, 5))
        licenses = [
            one | ({"users": [{"is_manager": False}]} if rng.random() < 0.4 else {})
            for _ in range(quantity)
        ]
        return {"product_code": code, "licenses": licenses}

    def _customer(self) -> Row:
        if not self.buyers or self.rng.random() < 0.55:
            self.buyers += 1
            return buyer(self.buyers)
        return buyer(self.rng.randint(1, self.buyers))


def fill(shop: Shop, maker: Maker, orders: int, now: datetime, days: int) -> None:
    """Let the vendor have a past up to `now`.

    Args:
        shop: an empty one.
        maker: makes the single orders.
        orders: how many there are.
        now: aware, UTC; nothing is younger.
        days: how far the past reaches.
    """
    rng = maker.rng
    weights = [
        _WEEK[(now - timedelta(days=back)).weekday()] * (1 + 0.8 * (days - back) / days)
        for back in range(days)
    ]
    placed = sorted(
        now - timedelta(days=back, microseconds=rng.randrange(86_400_000_000))
        for back in rng.choices(range(days), cum_weights=list(accumulate(weights)), k=orders)
    )
    for at in placed:
        is_trial = rng.random() < 0.2
        request = maker.trial() if is_trial else maker.order()
        order_id = shop.create(request, at=at, by_platform=is_trial)["id"]
        for license_id in shop.licenses_of(order_id):
            later = at + timedelta(seconds=rng.expovariate(1 / (3 * 86_400)))
            if later < now and rng.random() < 0.8:
                shop.activate(license_id, at=later)
                end = later + timedelta(days=rng.random() * 200)
                if end < now and rng.random() < 0.05:
                    shop.disable(license_id, at=end)
        edited = at + timedelta(days=rng.random() * 90)
        if edited < now and rng.random() < 0.08:
            shop.update(order_id, {"download_id": f"dl-{rng.randrange(10_000)}"}, at=edited)
        if rng.random() < 0.02:
            shop.archive(order_id)


class Moves:
    """Makes the vendor live, repeatably.

    Attributes:
        weights: how often `some` makes each kind of move; 0 switches a kind off.

    Args:
        shop: the one to move.
        maker: makes its new orders.
        seed: the same seed and the same calls give the same life.
    """

    def __init__(self, shop: Shop, maker: Maker, seed: int) -> None:
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
        """Live 24 hours, ending 24 hours later; counts what happened.

        About three moves per new order, as many new orders as one in 500 of those there are, at
        least three.
        """
        rng, clock = self._rng, self._shop.clock
        start = clock.now()
        count = 3 * max(3, len(self._shop) // 500)
        kinds = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
        made: Counter[str] = Counter()
        for second, kind in zip(sorted(rng.random() for _ in kinds), kinds, strict=True):
            clock.set(start + timedelta(days=1) * second)
            made[kind] += self.make(kind)
        clock.set(start + timedelta(days=1))
        return made

    def make(self, kind: str) -> int:
        """Make one move and return how many orders it touched (0 when none was fit for it)."""
        shop, maker = self._shop, self._maker
        with shop.lock:
            if kind in ("create", "backdate"):
                request = maker.order()
                if kind == "backdate":
                    back = shop.clock.now() - timedelta(seconds=self._rng.random() * 5_000_000)
                    request["created"] = back.strftime("%Y-%m-%d %H:%M:%S")
                shop.create(request)
                return 1
            if kind == "trial":
                shop.create(maker.trial(), by_platform=True)
                return 1
            if kind in ("activate", "disable"):
                return self._license(kind)
            order_id = self._pick(shop.order_ids())
            return 0 if order_id is None else self._order(kind, order_id)

    def _license(self, kind: str) -> int:
        license_id = self._pick(self._shop.license_ids())
        if license_id is None:
            return 0
        if kind == "activate":
            self._shop.activate(license_id)
        else:
            self._shop.disable(license_id)
        return 1

    def _order(self, kind: str, order_id: int) -> int:
        shop, rng = self._shop, self._rng
        if kind == "append":
            store_id = shop.get(order_id)["store_id"]
            item = self._maker.item(rng.choice(list(PRODUCTS)))
            shop.create({"id": store_id, "append": True, "items": [item]})
        elif kind == "patch":
            changes: tuple[dict[str, Any], ...] = (
                {"store_id": f"renamed-{rng.getrandbits(40):010x}"},
                {"is_test": True},
                {"metadata": {"ticket": rng.randrange(10_000)}},
                {"is_trial": False, "type": "normal"},
            )
            shop.update(order_id, rng.choice(changes))
        elif kind == "archive":
            shop.archive(order_id)
        elif kind == "delete":
            shop.delete(order_id)
        else:
            raise ValueError(f"unknown kind of move {kind!r}; known: {', '.join(_WEIGHTS)}")
        return 1

    def _pick(self, ids: list[int]) -> int | None:
        return self._rng.choice(ids) if ids else None
