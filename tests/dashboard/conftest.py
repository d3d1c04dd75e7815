"""Small warehouses of made-up shops, loaded and published once."""

from contextlib import ExitStack
from datetime import UTC, datetime
from types import SimpleNamespace

import duckdb
import pytest

from orders_connector.config import Settings
from orders_connector.dashboard.serving import build_dashboard
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.voucherify import VoucherifySandbox
from orders_connector.sync import sync_account
from tests.dashboard.hostile_names import FORMULA, HOSTILE

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)

PAST = {"now": NOW, "history_days": 420}
KEYS = {
    "voucherify": {"VOUCHERIFY_APP_ID": "app_id", "VOUCHERIFY_APP_TOKEN": "app_token"},
    "ultracart": {"ULTRACART_SIMPLE_KEY": "simple_key"},
    "licensespring": {"LICENSESPRING_API_KEY": "api_key"},
}
ACCOUNT = """
[accounts.{name}]
source = "{source}"
base_url = "{url}"
{currency}
time_zone = "{zone}"
history_start = 2025-01-01
"""


def hostile_order(order_id, day, product, code, amount):
    """Return an order whose product and coupon have such names."""
    return {
        "id": order_id,
        "object": "order",
        "created_at": f"2026-07-{day:02}T10:00:00.000Z",
        "updated_at": None,
        "status": "PAID",
        "customer_id": "mallory",
        "amount": amount,
        "total_amount": amount - 100,
        "discount_amount": 100,
        "total_discount_amount": 100,
        "items": [
            {
                "object": "order_item",
                "product_id": product,
                "quantity": 1,
                "price": amount,
                "amount": amount,
                "product": {"name": product},
            }
        ],
        "redemptions": {
            f"r_{order_id}": {
                "date": f"2026-07-{day:02}T10:00:01.000Z",
                "related_object_type": "voucher",
                "related_object_id": code,
            }
        },
    }


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Load accounts into a warehouse of their own, publish it and make its page."""

    def loaded(folder, boxes):
        text = ""
        with pytest.MonkeyPatch.context() as patch:
            for name, (source, box, currency, zone) in boxes.items():
                text += ACCOUNT.format(
                    name=name,
                    source=source,
                    url=box.base_url,
                    currency=f'currency = "{currency}"' if currency else "",
                    zone=zone,
                )
                for variable, attribute in KEYS[source].items():
                    patch.setenv(variable, getattr(box, attribute))
            file = tmp_path_factory.mktemp(folder) / "orders.toml"
            file.write_text(text)
            settings = Settings.load(file)
            for name in settings.accounts:
                sync_account(settings, name).raise_unless_complete()
            refresh_models(settings)
            publish_warehouse(settings)
            made = build_dashboard(settings)

        def ask(query, parameters=None):
            with duckdb.connect(str(settings.warehouse.published), read_only=True) as con:
                return con.execute(query, parameters or {}).fetchall()

        return SimpleNamespace(settings=settings, page=made.path, ask=ask)

    return loaded


@pytest.fixture(scope="session")
def shops(load):
    """Three sources: euros, dollars, and one that knows no money."""
    with ExitStack() as stack:
        shop = stack.enter_context(VoucherifySandbox(220, **PAST))
        store = stack.enter_context(UltraCartSandbox(60, seed=3, latency=0.0, **PAST))
        vendor = stack.enter_context(LicenseSpringSandbox(60, **PAST))
        for number, code in enumerate((HOSTILE, FORMULA), 1):
            shop.shop.put_raw(hostile_order(f"h{number}", 20 + number, code, code, 900_000))
        return load(
            "three",
            {
                "shop": ("voucherify", shop, "EUR", "Europe/Warsaw"),
                "store": ("ultracart", store, "USD", "America/New_York"),
                "vendor": ("licensespring", vendor, None, "UTC"),
            },
        )


@pytest.fixture(scope="session")
def vendor_only(load):
    with LicenseSpringSandbox(40, **PAST) as vendor:
        return load("vendor", {"vendor": ("licensespring", vendor, None, "UTC")})


@pytest.fixture(scope="session")
def nothing_sold(load):
    with VoucherifySandbox(0, now=NOW) as shop:
        return load("empty", {"shop": ("voucherify", shop, "EUR", "UTC")})
