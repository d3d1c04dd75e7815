"""LicenseSpring's vendor: orders and licenses, each with times of their own."""

import json

from orders_connector.errors import RateLimited
from orders_connector.sandbox.clock import Clock, microseconds
from orders_connector.sandbox.licensespring import LicenseSpringSandbox, Switches
from orders_connector.sandbox.licensespring.life import Maker, Moves
from orders_connector.sandbox.licensespring.shop import Shop, stamp
from orders_connector.sources.licensespring.reading import COUNTS
from orders_connector.sources.licensespring.secrets import redacted
from tests.conftest import NOW
from tests.invariants.nights import Night, texts_under


class LicenseSpringNight(Night):
    """Dated is the last change of an order, and that of a license."""

    source = "licensespring"
    account = "vendor"
    config = """\
base_url = "{base_url}"
requests_per_second = 100
"""
    switches = Switches
    numbers = {"max_limit": (4, 20, 100), "requests_per_minute": (0, 0, 0, 60)}  # noqa: RUF012
    sizes = (0, 1, 5, 21, 60, 110)
    paths = ("/orders", "/licenses")
    kinds = tuple(Moves(Shop(Clock(NOW)), Maker(0), 0).weights)
    id_key = "id"
    kept = frozenset(("id", "created_at", "updated_at"))
    status_key = "type"

    @classmethod
    def sandbox(cls, size, seed=7, switches=None, **options):
        return LicenseSpringSandbox(size, seed=seed, switches=switches, now=NOW, **options)

    @property
    def environment(self):
        return {"LICENSESPRING_API_KEY": self.box.api_key}

    def truth(self):
        shop = self.box.shop
        with shop.lock:
            rows = {(str(row["id"]), None): row for row in shop.truth()}
            parts = {(str(row["order"]), str(row["id"])): row for row in shop.license_truth()}
        clean = json.loads(redacted(json.dumps([*rows.values(), *parts.values()]).encode()))
        keys = [*rows, *parts]
        return {key: self.still(key, row) for key, row in zip(keys, clean, strict=True)}

    def there(self):
        shop = self.box.shop
        with shop.lock:
            orders = shop.order_ids()
            parts = {(str(one), str(part)) for one in orders for part in shop.licenses_of(one)}
            return {(str(one), None) for one in orders} | parts

    @staticmethod
    def dated(order):
        times = [(order or {}).get(name) for name in ("updated_at", "created_at")]
        known = [at for at in map(microseconds, times) if at is not None]
        return {"version": known[0]} if known else {}

    @staticmethod
    def still(key, order):
        """An order's items are told by its licenses; a customer's counts move with each order."""
        order = {name: value for name, value in order.items() if name != "order_items"}
        if isinstance(order.get("customer"), dict):
            customer = order["customer"].items()
            order["customer"] = {name: one for name, one in customer if name not in COUNTS}
        return order

    def whole(self):
        return self.box.shop.truth()

    def put(self, number, order):
        now = stamp(self.box.clock.now())
        named = {"id": 10**15 + number, "created_at": now, "updated_at": now}
        return str(self.box.shop.put_raw(order | named)["id"])

    def secrets(self):
        rows = [*self.whole(), *self.box.shop.license_truth()]
        return texts_under(rows, {"license_key", "initial_password"})

    @staticmethod
    def money(order):
        """The source knows no money."""
        return dict.fromkeys(
            ("gross_minor", "net_minor", "tax_minor", "total_minor", "refunded_minor")
        )

    def burst(self, count):
        for number in range(count // 3):
            self.tick()
            self.box.moves.make(("patch", "activate", "append")[number % 3])

    @classmethod
    def refusals(cls, switches):
        # Nobody says how long to wait.
        unannounced = switches.requests_per_minute and switches.retry_after == "omitted"
        return {RateLimited} if unannounced else set()
