"""UltraCart sandboxes, settings that point at them, and what the warehouse should hold."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from orders_connector.config import Settings
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.ultracart.expansions import projected
from orders_connector.sources.ultracart.expansions import LANDED
from orders_connector.sources.ultracart.secrets import redacted
from orders_connector.warehouse.configured import warehouse_connection

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)

CONFIG = """
[accounts.shop]
source = "ultracart"
base_url = "{base_url}"
currency = "USD"
time_zone = "America/New_York"
history_start = 2020-01-01
{extra}
"""

NEWEST = """
    select order_id, arg_max(payload, (version_at, version_id)) filter (where channel <> 'gone')
    from raw.order_payloads
    where quarantine_reason is null
    group by order_id
    having arg_max(channel, version_id) <> 'gone'
"""


@pytest.fixture
def start():
    """Start sandboxes with a clock that stands still."""
    with ExitStack() as stack:

        def make(orders=0, **options):
            options = {"now": NOW, "latency": 0.0, **options}
            return stack.enter_context(UltraCartSandbox(orders, **options))

        yield make


@pytest.fixture
def settings_for(tmp_path, monkeypatch):
    """Write a configuration for a sandbox and load it, the key in the environment."""

    def make(box, extra="", folder=tmp_path):
        monkeypatch.setenv("ULTRACART_SIMPLE_KEY", box.simple_key)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "orders.toml"
        file.write_text(CONFIG.format(base_url=box.base_url, extra=extra))
        return Settings.load(file)

    return make


@pytest.fixture
def stored():
    """Read the newest version of each order that the warehouse does not hold for deleted."""

    def read(settings):
        with warehouse_connection(settings) as con:
            return {one: json.loads(payload) for one, payload in con.execute(NEWEST).fetchall()}

    return read


@pytest.fixture
def truth():
    """Return each order as a load should have it now."""

    def read(box, expand=LANDED):
        rows = (box.shop.get(order["order_id"]) for order in box.truth())
        orders = [projected(order, ",".join(expand), box.switches) for order in rows]
        clean = json.loads(redacted(json.dumps(orders).encode()))
        return {order["order_id"]: order for order in clean}

    return read
