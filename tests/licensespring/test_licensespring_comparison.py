"""A comparison of everything finds what no window can: deletions, and changes without a time."""

import asyncio
import json
from datetime import timedelta

import pytest

from orders_connector.errors import PermissionDenied
from orders_connector.reconciliation import reconcile_account
from orders_connector.sandbox.licensespring import Fault, Switches
from orders_connector.sources.licensespring.client import LicenseSpringClient
from orders_connector.sources.licensespring.reading import LicenseSpringReader
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.licensespring.conftest import held, there


@pytest.fixture
def loaded(start_vendor, vendor_settings):
    """A vendor that is loaded, an hour later."""

    def make(orders=60, **switches):
        box = start_vendor(orders, switches=Switches(**switches))
        vendor = vendor_settings(box)
        assert sync_account(vendor, "vendor").status == "complete"
        box.clock.advance(timedelta(hours=1))
        return box, vendor

    return make


def drop_license(shop):
    """Let one license of an order vanish; the order stays."""
    order_id = next(one for one in shop.order_ids() if len(shop.licenses_of(one)) > 1)
    item = next(item for item in shop._items[order_id] if item["licenses"])
    del shop._licenses[item["licenses"].pop()]
    shop.version += 1
    return order_id


SWITCHES = [{}, {"list_items": "present"}, {"sort_by_updated_at": "ignored"}, {"max_limit": 7}]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_nothing_differs_where_nothing_was_missed(loaded, switches):
    _, vendor = loaded(**switches)
    result = reconcile_account(vendor, "vendor")
    assert (result.status, result.landed.versions) == ("equal", 0)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_deletions_and_changes_without_a_time_are_found_once(loaded, switches):
    box, vendor = loaded(**switches)
    deleted, quiet = box.shop.order_ids()[3], box.shop.order_ids()[30]
    box.shop.delete(deleted)
    box.shop.archive(box.shop.order_ids()[10])
    changed = box.shop.get(quiet) | {"metadata": {"quiet": True}}
    box.shop.put_raw(changed if switches.get("list_items") else without_items(changed))
    drop_license(box.shop)
    result = reconcile_account(vendor, "vendor")
    assert (result.status, dict(result.differences)) == ("repaired", {"vanished": 2, "wrong": 1})
    assert held(vendor) == there(box)
    assert held(vendor, parts=True) == there(box, parts=True)
    again = reconcile_account(vendor, "vendor")
    assert (again.status, again.landed.versions) == ("equal", 0)


def without_items(order):
    return {key: value for key, value in order.items() if key != "order_items"}


def test_an_order_that_did_not_come_is_not_gone_before_the_source_says_so(loaded):
    box, vendor = loaded()
    deleted = box.shop.order_ids()[3]
    box.shop.delete(deleted)
    box.faults.add(Fault("status", status=403, path=f"/orders/{deleted}"))
    assert reconcile_account(vendor, "vendor").status == "different"
    assert deleted in held(vendor)
    box.faults.clear()
    assert reconcile_account(vendor, "vendor").status == "repaired"
    assert held(vendor) == there(box)


class Sink:
    """Keeps pages in memory."""

    def __init__(self):
        self.pages = []

    def add(self, body, channel):
        self.pages.append((channel, json.loads(body)))
        return len(self.pages)


def ask(box, vendor, ids):
    account, sink = vendor.accounts["vendor"], Sink()

    async def go():
        async with LicenseSpringClient.for_account(account) as client:
            return await LicenseSpringReader(client, account).ask([str(one) for one in ids], sink)

    return asyncio.run(go()), sink.pages


def test_an_order_that_is_asked_for_comes_with_its_licenses_and_without_secrets(
    start_vendor, vendor_settings
):
    box = start_vendor(20)
    order_id = next(one for one in box.shop.order_ids() if box.shop.licenses_of(one))
    answered, pages = ask(box, vendor_settings(box), [order_id, 1, "CRM-7"])
    (_, orders), (_, licenses) = pages
    assert [channel for channel, _ in pages] == ["get", "licenses"]
    assert [order["id"] for order in orders["results"]] == [order_id]
    assert [one["id"] for one in licenses["results"]] == box.shop.licenses_of(order_id)
    assert {one["order"] for one in licenses["results"]} == {order_id}
    assert {one["license_key"] for one in licenses["results"]} == {"[redacted]"}
    assert [(one, json.loads(told)["status"]) for one, told in answered.gone] == [("1", 404)]
    assert list(answered.unreadable) == ["CRM-7"]


def test_a_license_that_does_not_name_its_order_gets_its_name(start_vendor, vendor_settings):
    box = start_vendor(20)
    order_id = next(one for one in box.shop.order_ids() if box.shop.licenses_of(one))
    order = box.shop.get(order_id)
    for item in order["order_items"]:
        for one in item["licenses"]:
            del one["order"]
    box.shop.put_raw(order)
    _, pages = ask(box, vendor_settings(box), [order_id])
    assert {one["order"] for one in pages[1][1]["results"]} == {order_id}


def test_what_stops_the_asking_is_told(start_vendor, vendor_settings):
    box = start_vendor(20)
    ids = box.shop.order_ids()[:4]
    box.faults.add(Fault("status", status=403, path=f"/orders/{ids[2]}"))
    answered, pages = ask(box, vendor_settings(box), ids)
    assert isinstance(answered.stopped, PermissionDenied)
    assert [page["results"][0]["id"] for channel, page in pages if channel == "get"] == ids[:2]


def test_licenses_of_a_deleted_order_are_gone_with_it(loaded):
    box, vendor = loaded()
    order_id = next(one for one in box.shop.order_ids() if box.shop.licenses_of(one))
    licenses = box.shop.licenses_of(order_id)
    box.shop.delete(order_id)
    reconcile_account(vendor, "vendor")
    with warehouse_connection(vendor) as con:
        gone = con.execute(
            "select part_id from raw.order_payloads where channel = 'gone' and order_id = ?",
            [str(order_id)],
        ).fetchall()
    assert {part for (part,) in gone} == {None, *map(str, licenses)}


@pytest.mark.parametrize("repair_calls", [0, 3])
def test_repair_makes_no_more_calls_than_it_may_and_goes_on_with_the_next_comparison(
    loaded, repair_calls
):
    box, vendor = loaded()
    deleted = {str(one) for one in box.shop.order_ids()[10:15]}
    for one in deleted:
        box.shop.delete(int(one))
    box.reset_calls()
    first = reconcile_account(vendor, "vendor", repair_calls=repair_calls)
    asked = [call for call in box.calls if call.path.rsplit("/", 2)[-2] in deleted]
    assert len(asked) == repair_calls
    assert (first.status, first.repaired) == ("different", repair_calls)
    assert f"used the {repair_calls} requests that a comparison may spend" in first.reason
    second = reconcile_account(vendor, "vendor", repair_calls=5 - repair_calls)
    assert (second.status, second.repaired) == ("repaired", 5 - repair_calls)
