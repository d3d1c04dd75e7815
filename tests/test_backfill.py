"""Histories beyond the reach of the listing: exported, counted, and fetched in full."""

import json

import pytest

from orders_connector.sandbox.voucherify import Switches
from orders_connector.sync import sync_account, warehouse_connection
from tests.test_sync import truth_of


async def no_wait(_seconds):
    """Exports need not be waited for in a test."""


def sync(settings, **options):
    return sync_account(settings, "shop", sleep=no_wait, **options)


FULL = """
    select order_id, payload::varchar from raw.order_payloads
    where channel in ('list', 'get')
    qualify row_number() over (partition by order_id order by version_at desc, version_id desc) = 1
"""


def full_orders(settings):
    with warehouse_connection(settings) as con:
        return {row[0]: json.loads(row[1]) for row in con.execute(FULL).fetchall()}


@pytest.mark.parametrize("size", [99, 101, 300, 301, 420, 1_200])
@pytest.mark.parametrize("pages", [1, 3])
def test_x(start_shop, settings_for, size, pages):
    box = start_shop(size, switches=Switches(listing_pages=pages))
    settings = settings_for(box)
    result = sync(settings)
    print(result.as_metadata())
    assert result.status == "complete"
    assert full_orders(settings) == truth_of(box)
