"""Vendors at a sandbox, settings that point at them, and what the warehouse holds of them."""

import asyncio
import json
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from orders_connector.config import Settings
from orders_connector.sandbox.licensespring import LicenseSpringSandbox, Switches
from orders_connector.warehouse.configured import warehouse_connection

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)

CONFIG = """
[accounts.vendor]
source = "licensespring"
base_url = "{base_url}"
time_zone = "Europe/Warsaw"
history_start = 2020-01-01
requests_per_second = 100
{extra}
"""

NEWEST = """
    select arg_max(payload, (version_at, version_id)) filter (where channel <> 'gone'),
        arg_max(channel, version_id) = 'gone'
    from raw.order_payloads
    where quarantine_reason is null and (part_id is not null) = $parts
    group by order_id, part_id
"""


@pytest.fixture
def start_vendor():
    """Start sandboxes with a clock that stands still."""
    with ExitStack() as stack:

        def start(orders=0, *, switches=None, **options):
            box = LicenseSpringSandbox(
                orders, switches=switches or Switches(), **{"now": NOW, **options}
            )
            return stack.enter_context(box)

        yield start


@pytest.fixture
def vendor_settings(tmp_path, monkeypatch):
    """Write a configuration for a sandbox and load it, the key in the environment."""

    def make(box, extra="", folder=tmp_path):
        monkeypatch.setenv("LICENSESPRING_API_KEY", box.api_key)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "orders.toml"
        file.write_text(CONFIG.format(base_url=box.base_url, extra=extra))
        return Settings.load(file)

    return make


@pytest.fixture
def collect():
    """Return all readings that a reader yields."""

    def run(readings):
        async def go():
            return [reading async for reading in readings]

        return asyncio.run(go())

    return run


def held(settings, *, parts=False):
    """Return the newest state of each order (or license) that is not gone, by id."""
    with warehouse_connection(settings) as con:
        rows = con.execute(NEWEST, {"parts": parts}).fetchall()
    states = [json.loads(payload) for payload, is_gone in rows if not is_gone]
    return {state["id"]: still(state) for state in states}


def there(box, *, parts=False):
    """Return what `held` should be when the warehouse knows all that the vendor has."""
    rows = box.shop.license_truth() if parts else box.truth()
    return {row["id"]: still(row) for row in rows}


def still(row):
    """Take out of an order or a license what is secret, and what moves without it."""
    row = {key: value for key, value in row.items() if key not in ("order_items", "license_key")}
    for user in row.get("license_users") or []:
        user.pop("initial_password", None)
    if isinstance(row.get("customer"), dict):
        row["customer"] = {
            key: value for key, value in row["customer"].items() if not key.startswith("total_")
        }
    return row


# What changes without a time: no load but a comparison of everything sees it.
UNDATED = ("is_archived", "order_store_id")


def dated(rows):
    return {
        row_id: {key: value for key, value in row.items() if key not in UNDATED}
        for row_id, row in rows.items()
    }


def lacks(box, vendor):
    """Return the ids of what the warehouse does not hold as the vendor has it."""
    missing = []
    for parts in (False, True):
        known = dated(held(vendor, parts=parts))
        now = dated(there(box, parts=parts))
        missing += [row_id for row_id, row in now.items() if known.get(row_id) != row]
    return missing


async def no_wait(_):
    """Let the source's trouble pass at once."""
