"""Orders and licenses are read completely, in few requests, and only what is proven is claimed."""

import json
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.landing.coverage import coverage_of
from orders_connector.sandbox.licensespring import Fault, Switches
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, plan_backfill, sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.licensespring.conftest import NOW, held, there

DAY = timedelta(days=1)
# What changes without a time: no load but a comparison of everything sees it.
UNDATED = ("is_archived", "order_store_id")


def dated(rows):
    return {
        row_id: {key: value for key, value in row.items() if key not in UNDATED}
        for row_id, row in rows.items()
    }


def lacks(box, vendor):
    """Return the ids of what the warehouse does not hold as the vendor has it."""
    return [
        row_id
        for parts in (False, True)
        for row_id, row in dated(there(box, parts=parts)).items()
        if dated(held(vendor, parts=parts)).get(row_id) != row
    ]


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


@settings(max_examples=12)
@given(
    limit=st.sampled_from([5, 7, 20, 100]),
    sort=st.sampled_from(["honoured", "honoured", "ignored", "rejected"]),
    ties=st.sampled_from(["id", "shuffled"]),
    orders=st.sampled_from([0, 2, 20, 60]),
    seed=st.integers(0, 1_000),
    traffic=st.integers(0, 2),
    overlap=st.sampled_from([0, 10]),
)
def test_one_quiet_night_makes_everything_equal(
    start_vendor,
    vendor_settings,
    tmp_path_factory,
    limit,
    sort,
    ties,
    orders,
    seed,
    traffic,
    overlap,
):
    """Whatever moved while pages were read."""
    switches = Switches(max_limit=limit, sort_by_updated_at=sort, tie_order=ties)
    box = start_vendor(orders, switches=switches, seed=seed)
    vendor = vendor_settings(
        box, f"overlap_minutes = {overlap}", folder=tmp_path_factory.mktemp("moving")
    )
    box.traffic = traffic
    for _ in range(2):
        sync_account(vendor, "vendor")
        box.moves.some(5)
    box.traffic = 0
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


@pytest.mark.parametrize("way", ["into", "out_of"])
def test_an_order_that_changes_lists_while_they_are_read_is_seen(
    start_vendor, vendor_settings, way
):
    box = start_vendor(40)
    vendor = vendor_settings(box)
    order_id = box.shop.order_ids()[5]
    shop, asked = box.shop, []
    shop.archive(order_id) if way == "out_of" else shop._archived.discard(order_id)

    def move(call):
        asked.append(call.query)
        first = "is_archived=true" if way == "into" else "is_archived=false"
        # Once the list that it is moved to was read: before it is read that it is moved out of.
        if "order_by=-updated_at" in call.query and first not in call.query and move.read:
            shop.archive(order_id) if way == "into" else shop._archived.discard(order_id)
        move.read = move.read or ("order_by=-updated_at" in call.query and first in call.query)

    move.read = False
    box.on_request = move
    sync_account(vendor, "vendor")
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
    assert (result.status, result.reading.proven) == ("incomplete", None)
    assert "more rows share a value than a page shows" in result.reading.reason


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
    box = start_vendor(400, switches=Switches(max_limit=20, sort_by_updated_at=sort))
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


async def no_wait(_):
    """Let the source's trouble pass at once."""


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


# --- bad input -------------------------------------------------------------------------------

SPOILT = {
    "an error inside a success": Fault("status", status=200, path="/api/v1/", every=4),
    "a web page": Fault("html", status=200, path="/api/v1/", every=4),
    "cut off": Fault("cut_json", path="/api/v1/", every=4),
    "malformed": Fault("malformed_json", path="/api/v1/", every=4),
    "a broken row": Fault("broken_order", path="/api/v1/", every=4),
    "half a body": Fault("truncated_body", path="/api/v1/", every=4),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_spoilt_once_is_asked_for_again(start_vendor, vendor_settings, fault):
    box = start_vendor(60, switches=Switches(max_limit=20))
    vendor = vendor_settings(box)
    box.faults.add(SPOILT[fault])
    result = sync_account(vendor, "vendor", sleep=no_wait)
    assert result.status == "complete"
    assert result.landed.quarantined == 0
    assert lacks(box, vendor) == []


@pytest.mark.parametrize("path", ["/orders/", "/licenses/"])
def test_of_a_page_that_is_always_malformed_the_rest_is_kept_and_no_secret(
    start_vendor, vendor_settings, path
):
    box = start_vendor(30)
    vendor = vendor_settings(box)
    box.faults.add(Fault("broken_order", path=path, order_index=3, broken="syntax"))
    result = sync_account(vendor, "vendor", sleep=no_wait)
    assert result.landed.quarantined > 0
    with warehouse_connection(vendor) as con:
        kept = str(con.execute("select payload from ops.quarantine").fetchall())
        kept += str(con.execute("select payload from raw.order_payloads").fetchall())
    keys = [row["license_key"] for row in box.shop.license_truth()]
    assert [key for key in keys if key in kept] == []
    assert len(lacks(box, vendor)) <= 2  # on the page of active orders, and of archived ones
    box.faults.clear()
    box.clock.advance(DAY)
    sync_account(vendor, "vendor", window=Window(NOW - 9_999 * DAY))


@pytest.mark.parametrize("answer", [{"detail": "no"}, {"results": None}, {"results": "x"}, []])
def test_an_answer_without_rows_is_told(start_vendor, vendor_settings, answer):
    box = start_vendor(30)
    vendor = vendor_settings(box)
    result = sync_account(
        vendor, "vendor", sleep=no_wait, http_transport=Altering(lambda page, _: answer)
    )
    assert result.status == "failed"
    assert result.reading.proven is None
    assert sync_account(vendor, "vendor").status == "complete"


class Altering(httpx.AsyncHTTPTransport):
    """Real requests whose lists are changed on the way back."""

    def __init__(self, alter):
        super().__init__()
        self._alter = alter

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        page = json.loads(await response.aread())
        await response.aclose()
        changed = self._alter(page, request)
        headers = {"date": response.headers["date"], "content-type": "application/json"}
        return httpx.Response(response.status_code, headers=headers, json=changed)


def without(*keys):
    return lambda page, _: {key: value for key, value in page.items() if key not in keys}


def short(page, request):
    """Give half of every second page, and claim that it was the last."""
    if int(request.url.params["offset"]) % 20 > 9 and len(page["results"]) > 10:
        return page | {"results": page["results"][:10], "next": None}
    return page


ENDS = {
    "no next": without("next"),
    "no count": without("count"),
    "neither": without("count", "next"),
    "short pages": short,
    "next never ends": lambda page, _: page | {"next": "https://elsewhere.example/"},
}


@pytest.mark.parametrize("ends", ENDS)
def test_the_end_of_a_list_is_found_however_it_is_told(start_vendor, vendor_settings, ends):
    box = start_vendor(150)
    vendor = vendor_settings(box)
    result = sync_account(vendor, "vendor", http_transport=Altering(ENDS[ends]))
    assert result.status == "complete"
    assert lacks(box, vendor) == []


def test_a_list_that_shrinks_below_the_offset_is_read_again_from_further_up(
    start_vendor, vendor_settings
):
    box = start_vendor(150, switches=Switches(max_limit=20))
    vendor = vendor_settings(box)

    def delete(call):
        if "offset=95" in call.query or "offset=114" in call.query:
            for order_id in sorted(box.shop.order_ids())[:100]:
                box.shop.delete(order_id)
            box.on_request = None

    box.on_request = delete
    result = sync_account(vendor, "vendor")
    assert result.status in {"complete", "incomplete"}
    assert lacks(box, vendor) == []


ODD = {
    "no time of change": {"updated_at": None},
    "a number as time": {"updated_at": 20260801},
    "customer is a number": {"customer": 605},
    "metadata is a text": {"metadata": "{}"},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_orders_are_kept(start_vendor, vendor_settings, odd):
    box = start_vendor(120, switches=Switches(max_limit=20))
    vendor = vendor_settings(box)
    sync_account(vendor, "vendor")
    box.clock.advance(DAY)
    number = 1_800_000_000_000_001
    plain = box.shop.row(box.shop.order_ids()[0])
    created = (NOW + DAY).isoformat().replace("+00:00", "Z")
    box.shop.put_raw(
        plain | {"id": number, "created_at": created, "updated_at": created} | ODD[odd]
    )
    box.clock.advance(timedelta(seconds=1))
    assert sync_account(vendor, "vendor").status == "complete"
    with warehouse_connection(vendor) as con:
        where = f"where order_id = '{number}'"
        assert con.execute(f"select count(*) from raw.order_payloads {where}").fetchall() == [(1,)]
