"""Whatever an export does: a clear message, nothing lost, and the next run heals it."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest

from orders_connector.errors import (
    ExportDamaged,
    ExportNotUnderstood,
    HostNotAllowed,
    JobFailed,
    JobUnfinished,
    PermissionDenied,
)
from orders_connector.landing.profiles import read_profile
from orders_connector.sandbox.voucherify import Fault, Switches, exports
from orders_connector.warehouse.configured import warehouse_connection
from tests.test_complete_history import full_orders, query, starts, sync
from tests.test_sync import coverage, truth_of

QUICK = "max_attempts = 3\nmax_wait_seconds = 1"
BEYOND = Switches(listing_pages=1)


@pytest.fixture
def shop(start_shop):
    """A shop with 40 orders more than its listing reaches."""
    return start_shop(140, switches=BEYOND)


@pytest.fixture
def spoil(monkeypatch):
    """Let the sandbox hand out another file than it should, until it is called with None."""
    written = exports.csv_chunks

    def change(how):
        def chunks(*given):
            whole = b"".join(written(*given))
            return iter([how(whole) if how else whole])

        monkeypatch.setattr(exports, "csv_chunks", chunks)

    return change


def column(number, *, drop=False):
    """Return how to drop a column of a file, or to add one in its place."""

    def how(whole):
        rows = list(csv.reader(io.StringIO(whole.decode())))
        out = io.StringIO()
        for row in rows:
            row[number : number + drop] = [] if drop else ["extra"]
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue().encode()

    return how


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        (lambda f: f.replace(b"Status", b"State", 1), ExportNotUnderstood, "column 5 .* 'State'"),
        (column(4, drop=True), ExportNotUnderstood, "column 5 should be status"),
        (column(4), ExportNotUnderstood, "14 columns where 13|column 5 should be status"),
        (lambda f: b"", ExportDamaged, "is empty"),
        (lambda f: b"<!doctype html><h1>Sorry</h1>", ExportDamaged, "web page"),
        (lambda f: f[: len(f) // 2].rstrip(b"\n"), ExportDamaged, "cut off|breaks off"),
    ],
    ids=["header", "column missing", "column more", "empty", "html", "half"],
)
def test_a_file_that_cannot_be_trusted_is_refused_and_the_next_run_heals(
    shop, settings_for, spoil, monkeypatch, how, error, message
):
    monkeypatch.setattr("orders_connector.sources.voucherify.exporting.PATIENCE", 3)
    settings = settings_for(shop, QUICK)
    spoil(how)
    result = sync(settings)
    assert result.status == "failed"
    assert isinstance(result.error, error)
    with pytest.raises(error, match=message):
        result.raise_unless_complete()
    assert "export" in result.reading.reason
    assert result.reading.missing[0].start.year == 2020
    assert len(starts(shop)) <= 3
    assert query(settings, "select count(*) from raw.export_rows") == [(0,)]
    spoil(None)
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(shop)


@pytest.mark.parametrize(
    "switches",
    [
        {"export_csv_bom": "yes", "export_line_end": "crlf", "export_header": "fields"},
        {"export_quoting": "all", "export_money": "decimal"},
        {"export_metadata": "columns", "export_metadata_nested": "joined"},
    ],
)
def test_odd_but_sound_files_are_read(shop, settings_for, switches):
    shop.switches = replace(shop.switches, **switches)
    odd = 'a "quoted", line\nand\r\nanother; ,, "'
    oldest = min(shop.shop.truth(), key=lambda order: order["created_at"])
    shop.shop.put_raw(oldest | {"updated_at": None, "metadata": {"note": odd, "n": [1, "x,y"]}})
    settings = settings_for(shop, QUICK)
    result = sync(settings, hydration_calls=0)
    assert (result.status, result.landed.quarantined, result.exports) == ("complete", 0, 1)
    notes = "select order_id, payload ->> '$.metadata.note', payload ->> '$.total_amount'"
    rows = query(settings, f"{notes} from raw.order_payloads where channel = 'export'")
    assert {name: note for name, note, _ in rows}[oldest["id"]] == odd
    totals = {name: order.get("total_amount") for name, order in truth_of(shop).items()}
    for name, _, total in rows:
        assert total == (None if totals[name] is None else str(totals[name]))


def test_half_a_file_that_ends_at_a_line_is_noticed_by_counting(shop, settings_for, spoil):
    settings = settings_for(shop, QUICK)
    asked = []

    def first_half(whole):
        asked.append(whole)
        lines = whole.splitlines(keepends=True)
        return b"".join(lines[:70] if len(asked) == 1 else lines)

    spoil(first_half)
    result = sync(settings)
    assert (result.status, result.exports) == ("complete", 3)  # and two halves
    assert full_orders(settings) == truth_of(shop)


@pytest.mark.parametrize("answer", ["truncated", "error"])
def test_a_limit_of_rows_is_noticed_and_smaller_windows_are_exported(shop, settings_for, answer):
    shop.switches = replace(shop.switches, export_row_limit=60, export_over_row_limit=answer)
    settings = settings_for(shop, QUICK)
    result = sync(settings)
    assert (result.status, result.reading.total) == ("complete", 140)
    assert result.exports > 1
    assert full_orders(settings) == truth_of(shop)


def test_more_changes_in_an_hour_than_a_file_may_hold_are_found_by_a_snapshot(
    start_shop, settings_for
):
    limited = replace(BEYOND, export_row_limit=100)
    box = start_shop(300, switches=limited)
    settings = settings_for(box, QUICK)
    assert sync(settings).status == "complete"
    box.clock.advance(timedelta(hours=3))
    for order in box.shop.truth()[:230]:
        box.clock.advance(timedelta(seconds=1))
        box.shop.update(order["id"], {"status": "PAID"})
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(box)


@pytest.mark.parametrize(("outcome", "error"), [("never", JobUnfinished), ("error", JobFailed)])
def test_exports_that_never_come_end_the_load_in_bounded_calls(shop, settings_for, outcome, error):
    shop.switches = replace(shop.switches, export_outcome=outcome)
    settings = settings_for(shop, QUICK + "\nexport_timeout_seconds = 60")
    result = sync(settings)
    assert isinstance(result.error, error)
    assert result.status == "failed"
    assert result.reading.missing[0].start.year == 2020
    assert len(starts(shop)) <= 12
    assert result.calls < 100
    shop.switches = BEYOND
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(shop)


def test_a_gap_of_an_earlier_load_that_still_fails_is_named(shop, settings_for):
    shop.switches = replace(BEYOND, export_outcome="error")
    settings = settings_for(shop, QUICK)
    first = sync(settings)
    shop.clock.advance(timedelta(hours=2))
    later = sync(settings)
    assert (first.status, later.status) == ("failed", "incomplete")
    assert later.reading.missing == first.reading.missing != []
    assert coverage(settings)[0].end == shop.clock.now()


def test_a_key_that_may_not_export_is_asked_once(shop, settings_for):
    shop.switches = replace(BEYOND, export_allowed="no")
    settings = settings_for(shop, QUICK)
    result = sync(settings)
    assert isinstance(result.error, PermissionDenied)
    with warehouse_connection(settings) as con:
        assert read_profile(con, "voucherify", "shop")["exports_allowed"] == "no"
    shop.clock.advance(timedelta(hours=1))
    night = sync(settings)  # complete for its own window
    assert (night.status, len(starts(shop))) == ("complete", 1)
    assert coverage(settings)[0].start == result.reading.missing[0].end


def test_an_address_that_ran_out_is_asked_anew(shop, settings_for):
    shop.faults.add(Fault("status", host="download", status=401, times=1))
    settings = settings_for(shop, QUICK)
    assert sync(settings).status == "complete"
    assert len(starts(shop)) == 1
    assert full_orders(settings) == truth_of(shop)


def test_a_file_that_is_kept_no_longer_is_exported_anew(shop, settings_for):
    shop.switches = replace(BEYOND, download_life_seconds=60)
    slept = []

    def doing(what):
        if "downloading" in what and not slept:
            slept.append(what)
            shop.clock.advance(timedelta(hours=1))

    settings = settings_for(shop, QUICK)
    assert sync(settings, doing=doing).status == "complete"
    assert len(starts(shop)) == 2
    assert full_orders(settings) == truth_of(shop)


def test_keys_do_not_travel_to_the_host_that_a_download_is_redirected_to(shop, settings_for):
    shop.switches = replace(BEYOND, download_redirect="storage")
    settings = settings_for(shop, QUICK)
    assert sync(settings).status == "complete"  # the storage host refuses requests with keys
    assert [call.path.split("/")[1] for call in shop.downloads] == ["v1", "files"]


def test_a_file_on_a_foreign_host_is_not_asked_for(shop, settings_for):
    settings = settings_for(shop, QUICK)
    shop.exports.download_url = shop.storage_url
    result = sync(settings)
    assert isinstance(result.error, HostNotAllowed)
    assert shop.storage_url.removeprefix("http://") in str(result.error)
    assert "download_hosts" in str(result.error)
    assert shop.downloads == []
    shop.exports.download_url = shop.download_url
    assert sync(settings).status == "complete"
    assert full_orders(settings) == truth_of(shop)


def test_an_order_that_went_between_export_and_items_is_marked_gone(shop, settings_for):
    settings = settings_for(shop, QUICK)
    sync(settings, hydration_calls=0)
    waiting = query(
        settings,
        "select order_id from raw.order_payloads group by 1 having max(channel) = 'export'",
    )
    gone = waiting[0][0]
    shop.shop.delete(gone)
    result = sync(settings)
    assert (result.hydrated.gone, result.hydrated.awaiting, result.known_orders) == (1, 0, 139)
    entry = f"select channel from raw.order_payloads where order_id = '{gone}' order by version_id"
    assert query(settings, entry) == [("export",), ("gone",)]
    assert full_orders(settings) == truth_of(shop)


@pytest.mark.parametrize("broken", ["id_number", "no_id", "dates", "null"])
def test_a_broken_answer_to_the_start_starts_no_second_export(start_shop, settings_for, broken):
    shop = start_shop(140, switches=BEYOND, now=None)  # by its time of creation, so by real time
    settings = settings_for(shop)
    shop.faults.add(Fault("broken_order", path="/v1/orders/export", nth=1, broken=broken))
    assert sync(settings).status == "complete"
    assert len(starts(shop)) == 1
    assert full_orders(settings) == truth_of(shop)


def test_a_lost_answer_to_the_start_starts_no_second_export(shop, settings_for):
    shop.faults.add(Fault("reset_after", path="/v1/orders/export", method="POST", times=1))
    settings = settings_for(shop, QUICK)
    assert sync(settings).status == "complete"
    assert len(starts(shop)) == 1


class Killed(BaseException):
    """Ends a load as a signal would."""


@pytest.mark.parametrize("where", ["start", "poll", "download"])
def test_a_load_that_was_killed_finds_its_export_again(start_shop, settings_for, where):
    box = start_shop(140, switches=BEYOND, now=None)  # by its time of creation, so by real time
    settings = settings_for(box, QUICK)
    words = {"start": "starting an", "poll": "is IN_PROGRESS", "download": "downloading"}

    def doing(what):
        if words[where] in what:
            raise Killed

    with pytest.raises(Killed):
        sync(settings, doing=doing)
    before = len(starts(box))
    assert before == (where != "start")
    assert sync(settings).status == "complete"
    assert len(starts(box)) == 1
    assert full_orders(settings) == truth_of(box)


def test_an_export_whose_id_was_lost_with_the_process_is_found_by_its_parameters(
    start_shop, settings_for, monkeypatch
):
    box = start_shop(140, switches=BEYOND, now=None)
    settings = settings_for(box, QUICK)

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("orders_connector.landing.export_jobs.mark_started", die)
        with pytest.raises(Killed):
            sync(settings)
    assert query(settings, "select status, export_id from ops.export_jobs") == [("asked", None)]
    assert sync(settings).status == "complete"
    assert len(starts(box)) == 1


def test_an_export_that_vanished_is_started_anew(start_shop, settings_for):
    box = start_shop(140, switches=BEYOND)
    settings = settings_for(box, QUICK)

    def doing(what):
        if "downloading" in what:
            raise Killed

    with pytest.raises(Killed):
        sync(settings, doing=doing)
    ((export_id,),) = query(settings, "select export_id from ops.export_jobs")
    box.exports.delete(export_id)
    assert sync(settings).status == "complete"
    assert len(starts(box)) == 2
    assert full_orders(settings) == truth_of(box)
