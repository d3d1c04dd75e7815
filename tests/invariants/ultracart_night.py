"""UltraCart's shop: no time of change, four dates, open orders."""

import json
from decimal import Decimal

from orders_connector.sandbox.clock import Clock, microseconds
from orders_connector.sandbox.ultracart import Switches, UltraCartSandbox
from orders_connector.sandbox.ultracart.eastern import eastern
from orders_connector.sandbox.ultracart.expansions import projected
from orders_connector.sandbox.ultracart.moves import Moves
from orders_connector.sandbox.ultracart.orders import OrderMaker
from orders_connector.sandbox.ultracart.shop import Shop
from orders_connector.sources.ultracart.expansions import LANDED
from orders_connector.sources.ultracart.secrets import redacted
from tests.conftest import NOW
from tests.invariants.nights import Night, texts_under

SECRET_KEYS = {
    *("activation_codes", "credit_card", "echeck", "check", "password", "gift_certificate_code"),
    *("card_number", "card_verification_number", "bank_account_number"),
}
DATES = {
    "created": ("creation_dts",),
    "paid": ("payment", "payment_dts"),
    "shipped": ("shipping", "shipping_date"),
    "refunded": ("refund_dts",),
}


class UltraCartNight(Night):
    """Dated are creation, payment, first shipment and last refund, each in a window of its own."""

    source = "ultracart"
    account = "cart"
    config = """\
base_url = "{base_url}"
currency = "USD"
calls_per_hour = 100000
calls_per_day = 1000000
"""
    switches = Switches
    numbers = {"most_per_page": (5, 20, 200), "cache_lag_seconds": (0, 300)}  # noqa: RUF012
    sizes = (0, 1, 19, 20, 45, 130)
    paths = ("/order/", "/query", "/batch")
    kinds = tuple(Moves(Shop(Clock(NOW)), OrderMaker(0), 0).weights)
    id_key = "order_id"
    kept = frozenset(("order_id", "creation_dts"))
    status_key = "current_stage"

    @classmethod
    def sandbox(cls, size, seed=7, switches=None, **options):
        options = {"latency": 0.0, **options}
        return UltraCartSandbox(size, seed=seed, switches=switches, now=NOW, **options)

    @property
    def environment(self):
        return {"ULTRACART_SIMPLE_KEY": self.box.simple_key}

    def truth(self):
        expand, switches = ",".join(LANDED), self.box.switches
        orders = [projected(order, expand, switches) for order in self.box.shop.kept()]
        clean = json.loads(redacted(json.dumps(orders).encode()))
        return {(order["order_id"], None): order for order in clean}

    def there(self):
        with self.box.shop.lock:
            return {(name, None) for name in self.box.shop.view().records}

    @staticmethod
    def dated(order):
        moments = {}
        for name, path in DATES.items():
            found = order
            for key in path:
                found = found.get(key) if isinstance(found, dict) else None
            at = microseconds(found)
            if at is not None:
                moments[name] = at
        return moments

    def whole(self):
        return self.box.shop.kept()

    def put(self, number, order):
        named = {"order_id": f"ACME-ODD-{number}", "creation_dts": eastern(self.box.clock.now())}
        return self.box.shop.put_raw(order | named)["order_id"]

    def secrets(self):
        return texts_under(self.whole(), SECRET_KEYS)

    @staticmethod
    def money(order):
        """Decimals of the base currency; the API leaves out what is null."""
        summary = order.get("summary") or {}

        def minor(name, absent=None):
            if name not in summary:
                return absent
            # The shortest text of a number of JSON is what the source wrote.
            return Decimal(repr(summary[name]["value"])) * 100

        gross, none = minor("subtotal"), Decimal() if "subtotal" in summary else None
        return {
            "gross_minor": gross,
            "net_minor": None if gross is None else gross - minor("subtotal_discount", none),
            "tax_minor": minor("tax"),
            "total_minor": minor("total"),
            "refunded_minor": minor("total_refunded", none),
        }

    def burst(self, count):
        for _ in range(count // 3):
            self.tick()
            self.box.moves.make("advance")
