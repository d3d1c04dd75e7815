"""Orders that move between lists, or come in behind the walk, are read or counted as missing."""

from datetime import UTC, datetime, timedelta

import pytest

from orders_connector.landing.coverage import coverage_of, load_state
from orders_connector.sandbox.licensespring import Switches
from orders_connector.sources.base import Window
from orders_connector.sources.licensespring.sweep import Sweep
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.licensespring.conftest import NOW, held, there

SMALL = Switches(max_limit=20)
ACTIVE = "order_by=-updated_at&is_archived=false"


def accepted(settings):
    with warehouse_connection(settings) as con:
        return load_state(con, "licensespring", "vendor").accepted_difference


def load_over_runs(settings, *, most=40):
    """Load until it is complete; return the runs."""
    for run in range(1, most + 1):
        result = sync_account(settings, "vendor")
        if result.status == "complete":
            return run
    raise AssertionError(result.reading.reason)


@pytest.mark.parametrize("page", [3, 6, 9])
def test_an_order_archived_after_the_archived_ones_came_to_their_end_is_read(
    start_vendor, vendor_settings, page
):
    box = start_vendor(240, switches=SMALL)
    box.shop._archived.clear()
    oldest = box.shop.order_ids()[:4]
    box.shop.archive(oldest[3])
    vendor = vendor_settings(box)
    pages = []

    def archive(call):
        pages.append(call)
        if sum(ACTIVE in one.query for one in pages) == page:
            box.shop.archive(oldest[0])

    box.on_request = archive
    assert sync_account(vendor, "vendor").status == "complete"
    assert box.shop.is_archived(oldest[0])
    assert held(vendor) == there(box)


def test_an_order_archived_between_the_counts_of_the_lists_is_not_left_out(
    start_vendor, vendor_settings
):
    box = start_vendor(40)
    vendor = vendor_settings(box)
    box.shop._archived.clear()
    counts = []

    def archive(call):
        if "limit=1&" in call.query and "order_by=updated_at" in call.query:
            counts.append(call)
            if len(counts) == 2:
                box.shop.archive(box.shop.order_ids()[-1])

    box.on_request = archive
    result = sync_account(vendor, "vendor")
    assert result.reading.total >= 40
    assert held(vendor) == there(box)


def put_behind(box, moment):
    """Let there be an order that no window shows any more."""
    at = moment.isoformat().replace("+00:00", "Z")
    return box.shop.put_raw({"id": 10**15, "created_at": at, "updated_at": at})["id"]


def test_a_first_load_of_several_runs_accepts_no_order_that_came_in_behind_it(
    start_vendor, vendor_settings
):
    box = start_vendor(240, switches=SMALL)
    vendor = vendor_settings(box, "max_calls_per_run = 60")
    short = vendor_settings(box, "max_calls_per_run = 16")
    assert sync_account(short, "vendor").status == "failed"
    with warehouse_connection(short) as con:
        (covered,) = coverage_of(con, "licensespring", "vendor")
    behind = put_behind(box, covered.start + (NOW - covered.start) / 3)
    vendor = vendor_settings(box, "max_calls_per_run = 60")
    load_over_runs(vendor)
    assert behind in held(vendor)
    assert accepted(vendor) == 0


def test_orders_from_before_the_history_are_no_reason_to_read_all(start_vendor, vendor_settings):
    box = start_vendor(240, switches=SMALL)
    history = (NOW - timedelta(days=200)).date()
    vendor = vendor_settings(box, "max_calls_per_run = 14")
    settings = with_history(vendor, history)
    assert load_over_runs(settings) > 1
    begin = datetime(history.year, history.month, history.day, tzinfo=UTC)
    begin -= timedelta(minutes=settings.accounts["vendor"].overlap_minutes)
    older = [one for one in box.shop.truth() if datetime.fromisoformat(one["updated_at"]) < begin]
    known = held(settings)
    assert 0 < accepted(settings) == 240 - len(known) <= len(older)
    assert not set(there(box)) - set(known) - {one["id"] for one in older}


@pytest.mark.parametrize(("earlier", "goes_on"), [(True, False), (False, True)])
def test_licenses_of_an_older_window_are_not_taken_for_read_by_a_sweep_for_a_newer_one(
    earlier, goes_on
):
    began, read_from = NOW, NOW - timedelta(days=30)
    marks = {"sweep_began": began, "sweep_licenses_from": read_from, "sweep_licenses": began}
    start = read_from - timedelta(days=9) if earlier else read_from
    sweep = Sweep(None, Window(start), passes=(None,), licenses_from=start, marks=marks)
    assert ("sweep_licenses" in sweep._marks) is goes_on


def with_history(settings, day):
    account = settings.accounts["vendor"].model_copy(update={"history_start": day})
    return settings.model_copy(update={"accounts": {"vendor": account}})
