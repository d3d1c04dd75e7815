"""Orders and licenses are read completely, in few requests, and only what is proven is claimed."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orders_connector.landing.coverage import coverage_of
from orders_connector.sandbox.licensespring import Fault, Switches
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, plan_backfill, sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.licensespring.conftest import NOW, dated, held, lacks, no_wait, there

DAY = timedelta(days=1)


@pytest.mark.parametrize("orders", [0, 1, 3, 230])
def test_a_first_load_reads_everything_and_a_second_one_changes_nothing(
    start_vendor, vendor_settings, orders
):
    box = start_vendor(orders)
    vendor = vendor_settings(box)
    first = sync_account(vendor, "vendor")
    assert first.status == "complete"
    assert held(vendor) == there(box)
    assert held(vendor, parts=True) == there(box, parts=True)
    assert first.known_orders == orders
    assert sync_account(vendor, "vendor").landed.versions == 0


def test_a_quiet_night_takes_six_requests(start_vendor, vendor_settings):
    box = start_vendor(230)
    vendor = vendor_settings(box)
    sync_account(vendor, "vendor")
    box.clock.advance(DAY)
    box.reset_calls()
    result = sync_account(vendor, "vendor")
    assert (result.status, len(box.calls)) == ("complete", 6)
    assert result.reading.proven == Window(NOW, NOW + DAY)


def test_a_night_brings_new_orders_edits_and_licenses(start_vendor, vendor_settings):
    box = start_vendor(150)
    vendor = vendor_settings(box)
    sync_account(vendor, "vendor")
    box.moves.weights |= {"delete": 0}
    for _ in range(3):
        box.moves.day()
        assert sync_account(vendor, "vendor").status == "complete"
        assert lacks(box, vendor) == []


READING = {
    "max_limit": [3, 7, 100],
    "sort_by_updated_at": ["honoured", "ignored", "rejected"],
    "default_sort": ["newest_first", "newest_last"],
    "tie_order": ["id", "shuffled"],
    "unknown_filters": ["ignored", "rejected"],
    "time_filters": ["ignored", "honoured", "rejected"],
    "archived": ["hidden", "shown"],
    "list_items": ["absent", "present"],
    "next_links": ["same_host", "other_host"],
    "archived_key": ["absent", "present"],
    "created_at_precision": ["seconds", "microseconds"],
    "append_touches_updated_at": ["no", "yes"],
    "customer_account": ["object", "id", "text"],
}


@pytest.mark.parametrize(
    ("switch", "value"), [(name, value) for name, values in READING.items() for value in values]
)
def test_under_every_reading_of_the_documentation(start_vendor, vendor_settings, switch, value):
    box = start_vendor(30, switches=Switches(**{switch: value}))
    vendor = vendor_settings(box)
    assert sync_account(vendor, "vendor").status == "complete"
    box.moves.weights |= {"delete": 0}
    box.clock.advance(DAY)
    box.moves.some(12)
    box.clock.advance(timedelta(seconds=1))
    assert sync_account(vendor, "vendor").status == "complete"
    assert lacks(box, vendor) == []


def test_rows_that_are_deleted_while_pages_are_read_pull_no_other_out_of_sight(
    start_vendor, vendor_settings
):
    box = start_vendor(120, switches=Switches(max_limit=10))
    vendor = vendor_settings(box)

    def delete(call):
        if "is_archived=false" in call.query and "offset=0" not in call.query:
            for order_id in sorted(box.shop.order_ids())[-3:]:
                box.shop.delete(order_id)

    box.on_request = delete
    result = sync_account(vendor, "vendor")
    assert sum(walk.rereads for walk in result.reading.walks) > 0
    assert lacks(box, vendor) == []


@pytest.mark.parametrize(
    ("archived_before", "asked_for", "time"), [(False, "false", 1), (True, "true", 2)]
)
def test_an_order_that_changes_lists_while_they_are_read_is_seen(
    start_vendor, vendor_settings, archived_before, asked_for, time
):
    """It moves just before the list is read that it was in, or after that it moves to."""
    box = start_vendor(40)
    vendor = vendor_settings(box)
    archived, order_id = box.shop._archived, box.shop.order_ids()[5]
    archived.discard(order_id)
    archived |= {order_id} if archived_before else set()
    times = []

    def move(call):
        if "order_by=-updated_at" in call.query and f"is_archived={asked_for}" in call.query:
            times.append(call)
            if len(times) == time:
                archived.symmetric_difference_update({order_id})
                box.shop.version += 1

    box.on_request = move
    sync_account(vendor, "vendor")
    assert len(times) >= time
    assert order_id in held(vendor)


def test_a_source_that_ignores_the_sort_is_found_out_although_its_rows_descend(
    start_vendor, vendor_settings
):
    """All orders but an old one stand in the same order by creation and by change."""
    box = start_vendor(0, switches=Switches(sort_by_updated_at="ignored", max_limit=10))
    for _ in range(40):
        box.clock.advance(timedelta(minutes=1))
        box.moves.make("create")
    vendor = vendor_settings(box)
    sync_account(vendor, "vendor")
    box.clock.advance(DAY)
    box.shop.update(min(box.shop.order_ids()), {"is_test": True})
    box.clock.advance(timedelta(seconds=1))
    assert sync_account(vendor, "vendor").status == "complete"
    assert lacks(box, vendor) == []


@pytest.mark.parametrize("sort", ["honoured", "ignored"])
def test_more_orders_of_one_second_than_a_page_shows(start_vendor, vendor_settings, sort):
    box = start_vendor(
        0, switches=Switches(max_limit=10, tie_order="shuffled", sort_by_updated_at=sort)
    )
    for _ in range(35):
        box.moves.make("create")
    vendor = vendor_settings(box)
    box.clock.advance(timedelta(seconds=1))
    result = sync_account(vendor, "vendor")
    assert result.status == "complete"
    assert lacks(box, vendor) == []
    assert any(walk.order.endswith("orders by id") for walk in result.reading.walks)


def test_what_cannot_be_told_apart_is_not_claimed(start_vendor, vendor_settings):
    box = start_vendor(20, switches=Switches(max_limit=1))
    result = sync_account(vendor_settings(box), "vendor")
    assert result.status == "incomplete"
    # The newest change alone is proven.
    assert result.reading.missing[0].start == datetime(2020, 1, 1, tzinfo=UTC)
    tied, counted = result.reading.reason.split("; the source counts ")
    assert tied.endswith("more rows share a value than a page shows, and they cannot be told apart")
    assert counted.endswith(" more orders than it shows; run again")


# --- runs that end before they are done ------------------------------------------------------


def unproven(box, vendor):
    """Return rows that lie in a covered window and are not held."""
    with warehouse_connection(vendor) as con:
        covered = coverage_of(con, "licensespring", "vendor")
    missing = set(lacks(box, vendor))
    rows = box.truth() + box.shop.license_truth()
    moments = {row["id"]: datetime.fromisoformat(row["updated_at"]) for row in rows}
    return [
        row_id
        for row_id in missing
        if any(window.start <= moments[row_id] < window.end for window in covered)
    ], covered


@pytest.mark.parametrize("sort", ["honoured", "ignored"])
def test_a_load_that_exceeds_its_budget_is_continued_by_the_next(
    start_vendor, vendor_settings, sort
):
    box = start_vendor(400, switches=Switches(max_limit=10, sort_by_updated_at=sort))
    vendor = vendor_settings(box, "max_calls_per_run = 45")
    statuses, known = [], []
    while len(statuses) < 12:
        result = sync_account(vendor, "vendor")
        statuses.append(result.status)
        known.append(len(held(vendor)))
        assert unproven(box, vendor)[0] == []
        if result.status == "complete":
            break
        box.clock.advance(timedelta(minutes=30))
    assert statuses[0] == "failed"
    assert statuses[-1] == "complete"
    assert known == sorted(known)
    assert lacks(box, vendor) == []


def test_what_is_proven_before_the_source_fails_stays_proven(start_vendor, vendor_settings):
    box = start_vendor(300, switches=Switches(max_limit=20))
    vendor = vendor_settings(box, "max_attempts = 2")
    box.faults.add(Fault("status", status=503, path="/licenses/", nth=tuple(range(5, 99))))
    result = sync_account(vendor, "vendor", sleep=no_wait)
    missing, covered = unproven(box, vendor)
    assert result.status == "failed"
    assert covered
    assert missing == []
    box.faults.clear()
    assert sync_account(vendor, "vendor").status == "complete"
    assert lacks(box, vendor) == []


# --- windows in the past ---------------------------------------------------------------------


def test_a_window_in_the_past_is_sought(start_vendor, vendor_settings):
    box = start_vendor(1_500)
    vendor = vendor_settings(box)
    whole = len(box.shop) / 98
    window = Window(NOW - 400 * DAY, NOW - 393 * DAY)
    sync_account(vendor, "vendor", window=Window(NOW - DAY, None))
    with warehouse_connection(vendor) as con:
        con.execute("delete from raw.order_payloads")
        con.execute("delete from ops.coverage where covered_to < ?", [NOW])
    box.reset_calls()
    result = backfill_account(vendor, "vendor", window)
    assert result.status == "complete"
    assert result.reading.proven == window
    assert all(walk.sought for walk in result.reading.walks)
    assert sum(walk.pages for walk in result.reading.walks) < whole
    versions = dated(held(vendor)) | dated(held(vendor, parts=True))
    inside = [
        row["id"]
        for row in box.truth() + box.shop.license_truth()
        if window.start <= datetime.fromisoformat(row["updated_at"]) < window.end
    ]
    assert inside
    assert [row_id for row_id in inside if row_id not in versions] == []


def test_a_plan_says_about_how_many_requests_a_window_takes(start_vendor, vendor_settings):
    box = start_vendor(1_000)
    vendor = vendor_settings(box)
    whole = Window(datetime.combine(date(2020, 1, 1), datetime.min.time(), UTC), NOW)
    plan = plan_backfill(vendor, "vendor", whole)
    assert plan.source_total == 1_000
    planned = plan.calls
    box.reset_calls()
    sync_account(vendor, "vendor")
    assert abs(len(box.calls) - planned) <= 0.2 * planned + 4
