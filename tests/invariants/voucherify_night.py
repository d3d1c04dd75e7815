"""Voucherify's shop: exports, changes without a date, a listing that lags."""

import json
from decimal import Decimal

from orders_connector.errors import JobFailed, JobUnfinished, PermissionDenied, RateLimited
from orders_connector.sandbox.clock import Clock, microseconds, stamp
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox
from orders_connector.sandbox.voucherify.moves import Moves
from orders_connector.sandbox.voucherify.orders import OrderMaker
from orders_connector.sandbox.voucherify.shop import Shop
from tests.conftest import NOW
from tests.invariants.nights import Night

DISCOUNTS = ("discount_amount", "items_discount_amount")
OWN_KINDS = ("reorder", "undo", "overwrite", "purge")  # with what the switches on writes decide
BROKEN_AMOUNT = "12,50"  # what the sandbox puts in place of an amount


class VoucherifyNight(Night):
    """What changes without a date here is found by its facts alone."""

    source = "voucherify"
    account = "shop"
    config = """\
base_url = "{base_url}"
download_hosts = ["{download_host}"]
currency = "EUR"
business_date_path = "$.metadata.ordered_at"
currency_path = "$.metadata.currency"
export_timeout_seconds = 300
"""
    switches = Switches
    numbers = {  # noqa: RUF012
        "listing_pages": (1, 2),
        "listing_lag_seconds": (0, 40),
        "import_polls": (0, 3),
        "export_polls": (1, 3),
        "export_seconds": (0, 90),
        "export_parallel": (0, 1),
        "export_row_limit": (0, 100, 300),
        "bulk_calls_per_hour": (0, 0, 2, 30),
        "download_life_seconds": (0, 3),
    }
    # Without exports little is left to compare, so most examples have them.
    usually = {"export_allowed": ("yes",) * 5, "export_outcome": ("done",) * 8}  # noqa: RUF012
    sizes = (0, 99, 101, 199, 250, 420, 700)
    paths = ("/v1/orders", "/v1/exports", "/v1/orders/export", "/files")
    kinds = (*Moves(Shop(Clock(NOW)), OrderMaker(0), 0).weights, *OWN_KINDS)
    id_key = "id"
    kept = frozenset(("id", "created_at", "updated_at"))
    status_key = "status"

    @classmethod
    def sandbox(cls, size, seed=7, switches=None, **options):
        return VoucherifySandbox(size, seed=seed, switches=switches, now=NOW, **options)

    @property
    def environment(self):
        return {
            "VOUCHERIFY_APP_ID": self.box.app_id,
            "VOUCHERIFY_APP_TOKEN": self.box.app_token,
        }

    @property
    def facts(self):
        host = self.box.download_url.removeprefix("http://")
        return super().facts | {"download_host": host}

    def truth(self):
        return {(order["id"], None): order for order in self.box.shop.truth()}

    def shown(self):
        """What list and export show, behind their lag."""
        with self.box.shop.lock:
            records = self.box.shop.visible().records
            return {(name, None): json.loads(record.body) for name, record in records.items()}

    def there(self):
        return {(name, None) for name in self.box.shop.order_ids()}

    @staticmethod
    def dated(order):
        return {"version": version_of(order)} if order else {}

    def whole(self):
        return self.box.shop.truth()

    def put(self, number, order):
        now = stamp(self.box.clock.now())
        dates = {"created_at": now, "updated_at": now}
        return self.box.shop.put_raw(order | dates | {"id": f"ord_odd_{number}"})["id"]

    @staticmethod
    def money(order):
        """Minor units already; an absent discount is zero by contract."""
        given = {
            name: Decimal(order[name])
            for name in (*DISCOUNTS, "amount", "total_amount", "total_discount_amount")
            if isinstance(order.get(name), int)
        }
        gross = given.get("amount")
        discount = given.get(
            "total_discount_amount", sum(given.get(name, Decimal()) for name in DISCOUNTS)
        )
        net = None if gross is None else given.get("total_amount", gross - discount)
        return {"gross_minor": gross, "net_minor": net, "tax_minor": None, "refunded_minor": None}

    def burst(self, count):
        for order in self.box.shop.truth()[:count]:  # maybe more than the listing reaches
            self.tick()
            self.box.shop.update(order["id"], {"status": "PAID"})
            self.undated.discard((order["id"], None))

    def noting(self, work):
        """Note also which orders changed without a date."""
        shop, now = self.box.shop, microseconds(self.box.clock.now().isoformat())
        old = {json.loads(body)["id"]: body for body in shop.bodies()}
        super().noting(work)
        known = set(old.values())
        for order in (json.loads(body) for body in shop.bodies() if body not in known):
            if version_of(order) >= now - 1000:
                self.undated.discard((order["id"], None))
            elif order["id"] in old:
                self.undated.add((order["id"], None))

    def make(self, kind):
        shop = self.box.shop
        if kind not in OWN_KINDS:
            super().make(kind)
        elif kind == "purge":
            shop.purge_metadata_key("changed_by")
        elif whole := [o for o in shop.truth() if "total_amount" in o and o.get("items")]:
            order = whole[len(self.pending) * 7 % len(whole)]
            changes = {
                "items": [{"product_id": "prod_extra", "quantity": 1, "price": 700}],
                "metadata": {"note": len(self.pending)},
            }
            if kind == "reorder":
                shop.update(order["id"], changes)
            elif kind == "overwrite":
                shop.imported(changes | {"id": order["id"], "status": "FULFILLED"})
            else:
                mode = self.box.switches.rollback_mode
                redeemed = next((o for o in whole if o.get("redemptions")), order)
                shop.rollback(redeemed["id"], mode == "with_order")

    def excused(self):
        """Return what changed without a date, and is held with the facts that exports show."""
        held, truth = self.held(), self.truth()
        undated = self.undated | {
            key for key, order in held.items() if (order or {}).get("amount") == BROKEN_AMOUNT
        }
        return {
            key
            for key in undated
            if (mine := held.get(key))
            and (theirs := truth.get(key))
            and facts(mine) == facts(theirs)
        }

    @classmethod
    def refusals(cls, switches):
        ends = {"error": {JobFailed}, "never": {JobUnfinished}}
        errors = ends.get(switches.export_outcome, set())
        if switches.export_allowed == "no":
            errors = {PermissionDenied}
        unannounced = switches.retry_after == "omitted" and switches.rate_limit_headers == "never"
        # Whole files take a few starts, files of 100 rows several dozen.
        too_few = switches.bulk_calls_per_hour == 2 or (
            switches.bulk_calls_per_hour and switches.export_row_limit
        )
        if too_few and unannounced:
            errors = errors | {RateLimited}  # nobody says how long to wait
        return errors


def version_of(order):
    at = microseconds(order.get("updated_at"))
    return microseconds(order["created_at"]) if at is None else at


def facts(order):
    """What an export shows of an order and a comparison compares."""
    return order["status"], order.get("total_amount")
