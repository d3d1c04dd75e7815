"""Three shops of always the same orders, loaded for real, and the cookbook's page made from them.

`make docs` runs this file and writes `docs/cookbook.md`; `test_documentation.py` compares the page.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from orders_connector.config import Settings
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.voucherify import VoucherifySandbox
from orders_connector.sync import sync_account

ROOT = Path(__file__).parents[1]
# Midnight in Warsaw: the first load sees July as its last evening left it.
MONTH_END = datetime(2026, 7, 31, 22, tzinfo=UTC)
CONFIG = """
[accounts.demo_shop]
source = "voucherify"
base_url = "{shop.base_url}"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = 2026-01-01

[accounts.demo_store]
source = "ultracart"
base_url = "{store.base_url}"
currency = "USD"
time_zone = "Europe/Warsaw"
history_start = 2026-01-01

[accounts.demo_vendor]
source = "licensespring"
base_url = "{vendor.base_url}"
requests_per_second = 100
time_zone = "Europe/Warsaw"
history_start = 2026-01-01
"""


@contextmanager
def demo_shops(folder: Path) -> Iterator[Path]:
    """Load the three shops, let a day pass in them, load again; give the published copy."""
    past = {"seed": 7, "now": MONTH_END, "history_days": 180}
    with ExitStack() as stack:
        shop = stack.enter_context(VoucherifySandbox(450, **past))
        store = stack.enter_context(UltraCartSandbox(220, latency=0.0, **past))
        vendor = stack.enter_context(LicenseSpringSandbox(170, **past))
        os.environ |= {
            "VOUCHERIFY_APP_ID": shop.app_id,
            "VOUCHERIFY_APP_TOKEN": shop.app_token,
            "ULTRACART_SIMPLE_KEY": store.simple_key,
            "LICENSESPRING_API_KEY": vendor.api_key,
        }
        file = folder / "orders.toml"
        file.write_text(CONFIG.format(shop=shop, store=store, vendor=vendor), encoding="utf-8")
        settings = Settings.load(file)
        boxes = (shop, store, vendor)
        for day in range(2):
            if day:
                for box in boxes:
                    box.moves.day()
            for name in settings.accounts:
                sync_account(settings, name).raise_unless_complete()
            refresh_models(settings)
        publish_warehouse(settings)
        yield settings.warehouse.published
