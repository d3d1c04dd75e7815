"""A sandbox, settings that point at it, and an environment without a user's own settings."""

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

from orders_connector.config import Settings
from orders_connector.sandbox.voucherify import VoucherifySandbox

# One cache for all workers, which no earlier run has filled.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="orders-cache-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

settings.register_profile(
    "orders",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("orders")

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)

CONFIG = """
[accounts.shop]
source = "voucherify"
base_url = "{base_url}"
download_hosts = ["{download_host}"]
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = 2020-01-01
business_date_path = "$.metadata.ordered_at"
currency_path = "$.metadata.currency"
{extra}
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("ORDERS_", "VOUCHERIFY_", "ULTRACART_", "LICENSESPRING_")):
            monkeypatch.delenv(name)


@pytest.fixture
def start_shop():
    """Start sandboxes with a clock that stands still."""
    with ExitStack() as stack:

        def start(orders=0, **options):
            return stack.enter_context(VoucherifySandbox(orders, **{"now": NOW, **options}))

        yield start


@pytest.fixture
def settings_for(tmp_path, monkeypatch):
    """Write a configuration for a sandbox and load it, credentials in the environment."""

    def make(box, extra="", folder=tmp_path):
        monkeypatch.setenv("VOUCHERIFY_APP_ID", box.app_id)
        monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", box.app_token)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "orders.toml"
        file.write_text(
            CONFIG.format(
                base_url=box.base_url,
                download_host=box.download_url.removeprefix("http://"),
                extra=extra,
            )
        )
        return Settings.load(file)

    return make
