"""Histories beyond the reach of the listing: exported, counted, and fetched in full."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest

from orders_connector.account_load import AccountLoad, open_account
from orders_connector.load import refresh_models
from orders_connector.sandbox.voucherify import Switches
from orders_connector.sources.base import Window
from orders_connector.sources.voucherify.loading.backfill import Backfill
from orders_connector.sources.voucherify.loading.listing_places import ListingPlaces, Nulls
from orders_connector.sync import hydrate_account, sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.conftest import NOW
from tests.test_sync import coverage, no_wait, truth_of

FULL = """
    select order_id, payload::varchar from raw.order_payloads
    where channel in ('list', 'get')
    qualify row_number() over (partition by order_id order by version_at desc, version_id desc) = 1
"""

EVERY_THIRD = """
    select order_id from raw.export_rows qualify row_number() over (order by order_id) % 3 = 0
"""


def sync(settings, **options):
    return sync_account(settings, "shop", sleep=no_wait, **options)


def query(settings, sql):
    with warehouse_connection(settings) as con:
        return con.execute(sql).fetchall()


def full_orders(settings):
    return {name: json.loads(payload) for name, payload in query(settings, FULL)}


def starts(box):
    return [call for call in box.calls if (call.method, call.path) == ("POST", "/v1/orders/export")]


@pytest.mark.parametrize(
    ("size", "pages", "exports"),
    [(100, 1, 0), (101, 1, 1), (300, 3, 0), (301, 3, 1), (430, 2, 1)],
)
def test_a_history_beyond_the_reach_comes_whole(start_shop, settings_for, size, pages, exports):
    box = start_shop(size, switches=Switches(listing_pages=pages))
    settings = settings_for(box)
    result = sync(settings)
    assert (result.status, result.exports, result.hydrated.awaiting) == ("complete", exports, 0)
    assert coverage(settings)[0].end == NOW
    assert full_orders(settings) == truth_of(box)
    box.clock.advance(timedelta(hours=8))
    assert (quiet := sync(settings)).status == "complete"
    assert quiet.calls <= 4


def test_items_come_within_the_budget_of_each_run_newest_dates_first(start_shop, settings_for):
    box = start_shop(240, switches=Switches(listing_pages=1))
    settings = settings_for(box)
    result = sync(settings, hydration_calls=0)
    assert (result.status, result.hydrated.calls) == ("complete", 0)
    detail = """
        select sum(r.orders_without_items), sum(s.item_detail_share * s.orders_recognised)
        from marts.daily_revenue as r
        inner join marts.daily_summary as s using (source, account, order_date, currency)
    """
    complete = []
    while True:
        refresh_models(settings)
        ((without, known),) = query(settings, detail)
        complete.append(known)
        if not without:
            break
        box.reset_calls()
        result = sync(settings, hydration_calls=50)
        assert result.hydrated.calls <= 50
        assert len(complete) < 12
        fetched = [call.path.rsplit("/", 1)[1] for call in box.calls if "/ord_" in call.path]
        dates = dict(query(settings, "select order_id, order_date from core.orders"))
        waiting = query(settings, "select order_id from core.orders where detail_level = 'export'")
        left = [dates[name] for (name,) in waiting if name not in full_orders(settings)]
        assert not left or max(left) <= min((dates[name] for name in fetched), default=date.max)
    assert complete == sorted(set(complete))
    assert result.hydrated.awaiting == 0
    assert full_orders(settings) == truth_of(box)


def test_a_newer_header_shows_until_its_items_come_and_an_equally_new_one_never(
    start_shop, settings_for
):
    box = start_shop(90, switches=Switches(listing_pages=1))
    settings = settings_for(box)
    sync(settings)
    snapshot(settings)
    assert query(settings, "select count(*) from raw.order_payloads") == [(90,)]
    assert query(settings, "select count(*) from raw.export_rows") == [(90,)]
    box.clock.advance(timedelta(hours=1))
    changed = box.shop.truth()[0]["id"]
    box.shop.update(changed, {"status": "CANCELED"})
    snapshot(settings)
    shown = f"select status, detail_level from core.orders where order_id = '{changed}'"
    refresh_models(settings)
    assert query(settings, shown) == [("cancelled", "export")]
    sync(settings)
    refresh_models(settings)
    assert query(settings, shown) == [("cancelled", "full")]


def on_pages(settings, order, nulls):
    async def work(load: AccountLoad):
        with duckdb.connect() as con:
            con.execute("create table waiting (order_id varchar)")
            with warehouse_connection(load.settings) as warehouse:
                found = warehouse.execute(EVERY_THIRD).fetchall()
            con.executemany("insert into waiting values (?)", found)
            return ListingPlaces(load, con, last_page=4).on_pages(order, nulls)

    return open_account(settings, "shop", work, sleep=no_wait)


@pytest.mark.parametrize("order", ["created_at", "-created_at", "updated_at", "-updated_at"])
@pytest.mark.parametrize("nulls", ["last", "first", "smallest", "largest"])
def test_the_page_of_an_order_is_known_from_its_dates(start_shop, settings_for, order, nulls):
    box = start_shop(330, switches=Switches(listing_pages=1, null_updated_at=nulls))
    settings = settings_for(box)
    sync(settings, hydration_calls=0)
    rows = box.shop.listing.window(order, 0, 330, box.switches)
    changed = order.endswith("updated_at")
    first = changed and rows[0].updated is None
    key = "-id" if order.startswith("-") else "id"
    waiting = {order_id for (order_id,) in query(settings, EVERY_THIRD)}
    pages = Counter(place // 100 + 1 for place, row in enumerate(rows) if row.id in waiting)
    assert on_pages(settings, order, Nulls(first=first, key=key)) == pages
    by_chance = on_pages(settings, order, Nulls(first=first, key=None))
    assert sum(by_chance.values()) == pytest.approx(len(waiting))


def test_pages_that_are_not_as_the_dates_say_are_given_up_and_not_asked_again(
    start_shop, settings_for, caplog
):
    box = start_shop(1_500, switches=Switches(listing_pages=8))
    settings = settings_for(box)
    sync(settings, hydration_calls=0)
    box.switches = replace(box.switches, listing_pages=1)
    asked = []
    for _ in range(2):
        box.reset_calls()
        hydrate_account(settings, "shop", calls=30, sleep=no_wait)
        asked.append([call for call in box.calls if "order=created_at" in call.query])
    assert [len(pages) for pages in asked] == [2, 0]  # the first page, and one that is refused
    assert "fetched one by one" in caplog.text
    told = "select evidence from ops.extractions where strategy = 'hydration' order by ended_at"
    evidence = json.loads(query(settings, told)[0][0])[0]
    assert evidence == {
        "harvest": "created_at",
        "page": 2,
        "expected": evidence["expected"],
        "brought": 100,
        "gave_up": True,
    }


def snapshot(settings):
    async def work(load: AccountLoad):
        return await Backfill(load).everything(Window(NOW - timedelta(days=1)), again=True)

    return open_account(settings, "shop", work, sleep=no_wait)


def ranged(settings, window, profile=None):
    async def work(load: AccountLoad):
        load.profile = replace(load.profile, **(profile or {}))
        return await Backfill(load).window(window)

    return open_account(settings, "shop", work, sleep=no_wait)


@pytest.mark.parametrize("pages", [1, 2])
def test_more_changes_than_the_listing_reaches_are_exported_as_a_range(
    start_shop, settings_for, pages
):
    box = start_shop(450, switches=Switches(listing_pages=pages))
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=1))
    box.reset_calls()
    for order in box.shop.truth()[: 100 * pages + 50]:
        box.clock.advance(timedelta(seconds=1))
        box.shop.update(order["id"], {"status": "CANCELED"})
    result = sync(settings)
    assert result.status == "complete"
    assert result.exports == len(starts(box)) == 2  # by updated_at and by created_at
    assert full_orders(settings) == truth_of(box)


@pytest.mark.parametrize("bounds", ["exclusive", "inclusive"])
@pytest.mark.parametrize("precision", ["microseconds", "seconds"])
@pytest.mark.parametrize("nulls", ["hidden", "shown"])
def test_a_range_holds_every_version_of_its_window(
    start_shop, settings_for, bounds, precision, nulls
):
    box = start_shop(
        20,
        switches=Switches(
            export_bounds=bounds, export_bound_precision=precision, export_null_updated_at=nulls
        ),
    )
    settings = settings_for(box)
    sync(settings)
    window = Window(NOW + timedelta(seconds=1), NOW + timedelta(seconds=3))
    expected = set()
    template = box.shop.truth()[0]
    for number, after in enumerate((0.999, 1, 1.0005, 2, 2.999, 3, 3.5)):
        at = (NOW + timedelta(seconds=after)).isoformat()
        for kind, dates in (
            ("new", {"created_at": at, "updated_at": None}),
            ("old", {"created_at": "2024-01-01T00:00:00Z", "updated_at": at}),
        ):
            box.shop.put_raw(template | dates | {"id": f"ord_{kind}{number}", "source_id": None})
            if 1 <= after < 3:
                expected.add(f"ord_{kind}{number}")
    box.clock.advance(timedelta(hours=1))
    reading = ranged(settings, window, {"null_updated_at_in_exports": nulls == "shown"})
    assert (reading.proven, reading.missing, reading.reason) == (window, [], None)
    exported = query(settings, "select order_id from raw.order_payloads where channel = 'export'")
    assert expected <= {name for (name,) in exported}


def test_a_change_that_showed_late_is_in_the_next_range_too(start_shop, settings_for):
    box = start_shop(300, switches=Switches(listing_pages=1, listing_lag_seconds=40))
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=1))
    orders = sorted(box.shop.truth(), key=lambda order: order["created_at"])
    late = orders.pop(150)  # out of reach from both ends
    box.shop.update(late["id"], {"status": "CANCELED"})
    box.clock.advance(timedelta(seconds=5))
    assert sync(settings).status == "complete"
    box.clock.advance(timedelta(hours=1))
    for order in orders[:150]:  # more than the listing reaches
        box.clock.advance(timedelta(seconds=1))
        box.shop.update(order["id"], {"status": "CANCELED"})
    box.clock.advance(timedelta(minutes=1))
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(box)


def test_changes_that_showed_late_are_found_when_the_reach_ends_before_them(
    start_shop, settings_for
):
    box = start_shop(300, switches=Switches(listing_pages=1, listing_lag_seconds=40))
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=1))
    orders = [order["id"] for order in sorted(box.shop.truth(), key=lambda o: o["created_at"])]
    for some, pause in ((orders[120:180], 5), (orders[:70], 60)):  # the first are not shown yet
        for order_id in some:
            box.shop.update(order_id, {"status": "CANCELED"})
        box.clock.advance(timedelta(seconds=pause))
        assert sync(settings, hydration_calls=0).status == "complete"
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(box)


def test_a_range_as_long_as_the_longest_whole_file_may_be_cut_off(start_shop, settings_for):
    limited = Switches(listing_pages=1, export_row_limit=100, export_over_row_limit="truncated")
    box = start_shop(100, switches=limited)
    settings = settings_for(box)
    sync(settings)
    snapshot(settings)  # a whole file of 100 rows
    box.clock.advance(timedelta(hours=3))
    for days in range(160):
        created = (NOW - timedelta(days=days)).isoformat()
        box.shop.upsert({"status": "CREATED", "amount": 500, "created_at": created})
    box.switches = replace(limited, listing_pages=100)
    sync(settings)
    box.switches = limited
    for order in box.shop.truth():
        box.clock.advance(timedelta(seconds=1))
        box.shop.update(order["id"], {"status": "PAID"})
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(box)
