"""Loads of an UltraCart merchant against the sandbox: everything comes, at little cost."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from orders_connector.errors import CallBudgetExhausted, ServerFailed, UnreadableAnswer
from orders_connector.sandbox.ultracart import Fault
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, plan_backfill, sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.ultracart.conftest import NOW


async def no_wait(_):
    """Backoff need not be waited for here."""


def sync(settings, **options):
    return sync_account(settings, "shop", **{"sleep": no_wait, **options})


def rows(settings, query):
    with warehouse_connection(settings) as con:
        return con.execute(query).fetchall()


def paths(box):
    return Counter(call.path.rpartition("/")[2] for call in box.calls)


def test_a_first_load_brings_everything(start, settings_for, stored, truth):
    box = start(450)
    settings = settings_for(box)
    loaded = sync(settings)
    assert (loaded.status, loaded.reading.reason) == ("complete", None)
    assert loaded.reading.proven.end == NOW
    assert stored(settings) == truth(box)
    # One to count, three for late events, three pages of 200.
    assert (loaded.calls, paths(box)) == (7, {"query": 7})
    assert all("_expand=summary" in call.query for call in box.calls[1:])


def test_a_night_reads_what_happened_and_what_may_have(start, settings_for, stored, truth):
    box = start(450)
    box.moves.weights |= {"delete": 0, "edit": 0, "costs": 0}
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=20))
    made = box.moves.some(150)
    assert min(made[kind] for kind in ("create", "advance", "refund", "reject", "hold")) > 0
    box.clock.advance(timedelta(hours=1))
    box.reset_calls()
    night = sync(settings)
    assert night.status == "complete"
    assert stored(settings) == truth(box)
    assert paths(box) == {"query": 6, "batch": 1}
    # Nothing more happens, so nothing more is stored.
    versions = rows(settings, "select count(*) from raw.order_payloads")
    assert sync(settings).landed.versions == 0
    assert rows(settings, "select count(*) from raw.order_payloads") == versions


def test_an_open_order_that_moves_without_a_date_is_seen_however_old_it_is(
    start, settings_for, stored, truth
):
    box = start(300)
    settings = settings_for(box)
    sync(settings)
    old = min(
        (o for o in box.truth() if o["current_stage"] not in ("Completed Order", "Rejected")),
        key=lambda order: order["creation_dts"],
    )
    assert old["creation_dts"] < "2026-05"
    box.clock.advance(timedelta(hours=1))
    box.shop.change(old["order_id"], lambda o: o.update(current_stage="Hold"))
    sync(settings)
    assert stored(settings)[old["order_id"]]["current_stage"] == "Hold"
    box.shop.change(old["order_id"], lambda o: o.update(current_stage="Completed Order"))
    sync(settings)
    assert stored(settings) == truth(box)
    box.reset_calls()
    sync(settings)
    assert old["order_id"] in stored(settings)


def test_recent_orders_are_read_again_and_older_settled_ones_are_not(
    start, settings_for, stored, truth
):
    box = start(300)
    settings = settings_for(box, "reread_days = 20")
    sync(settings)
    box.clock.advance(timedelta(hours=1))
    settled = [o for o in box.truth() if o["current_stage"] == "Completed Order"]
    settled.sort(key=lambda order: order["creation_dts"])
    young, old = settled[-1]["order_id"], settled[0]["order_id"]
    for one in (young, old):
        box.shop.change(one, lambda o: o["summary"].update(actual_profit_review=True))
    before = stored(settings)
    assert sync(settings).landed.versions == 1
    after = stored(settings)
    assert after[young] == truth(box)[young] != before[young]
    assert after[old] == before[old]


def test_open_orders_that_were_deleted_are_marked_and_settled_ones_wait(
    start, settings_for, stored, truth
):
    box = start(300)
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=1))
    open_one = next(o for o in box.truth() if o["current_stage"] == "Accounts Receivable")
    settled = next(o for o in box.truth() if o["current_stage"] == "Rejected")
    for order in (open_one, settled):
        box.shop.delete(order["order_id"])
    box.reset_calls()
    assert sync(settings).status == "complete"
    assert paths(box)["batch"] == 2
    found = stored(settings)
    assert open_one["order_id"] not in found
    assert found.keys() - truth(box).keys() == {settled["order_id"]}
    told = rows(settings, "select order_id, payload from raw.order_payloads where channel = 'gone'")
    assert [one for one, _ in told] == [open_one["order_id"]]
    assert '"status":400' in told[0][1].replace(" ", "")
    assert sync(settings).known_orders == 299


def test_nothing_is_deleted_when_the_source_has_none_of_the_open_orders(
    start, settings_for, stored
):
    box = start(400)
    settings = settings_for(box)
    sync(settings)
    kept = stored(settings)
    for order in box.truth():
        box.shop.delete(order["order_id"])
    night = sync(settings)
    assert night.status == "incomplete"
    assert "another merchant" in night.reading.reason
    assert stored(settings) == kept


def test_events_of_orders_from_before_the_history_come_in(start, settings_for, stored):
    box = start(500)
    settings = settings_for(box)
    settings = settings.model_copy(
        update={
            "accounts": {
                "shop": settings.accounts["shop"].model_copy(
                    update={"history_start": NOW.date() - timedelta(days=60)}
                )
            }
        }
    )
    sync(settings)
    begin = (NOW - timedelta(days=60)).replace(hour=0)
    times = {
        order["order_id"]: (
            box.shop.record(order["order_id"]).created,
            max(filter(None, box.shop.record(order["order_id"])[2:6])),
        )
        for order in box.truth()
    }
    start_at = begin.timestamp() * 1_000_000
    wanted = {one for one, (_, latest) in times.items() if latest >= start_at}
    assert wanted <= stored(settings).keys()
    assert any(created < start_at for one, (created, _) in times.items() if one in wanted)


def test_a_window_of_the_past_is_read_by_its_four_dates(start, settings_for, stored, truth):
    box = start(500)
    settings = settings_for(box)
    sync(settings)
    box.reset_calls()
    window = Window(NOW - timedelta(days=40), NOW - timedelta(days=30))
    done = backfill_account(settings, "shop", window, sleep=no_wait)
    assert (done.status, done.reading.proven) == ("complete", window)
    assert paths(box) == {"query": 4}
    plan = plan_backfill(settings, "shop", window)
    assert plan.steps[0].how == "windows"
    assert plan.steps[0].calls == 4
    assert plan.source_total == 500


# --- interrupted ------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [9, 12])
def test_a_load_whose_budget_ends_goes_on_where_it_stopped(
    start, settings_for, stored, truth, budget
):
    box = start(300)
    box.switches = replace(box.switches, most_per_page=20, limit_over_most="lowered")
    settings = settings_for(box, f"max_calls_per_run = {budget}\nreread_days = 0")
    ends = []
    for _ in range(30):
        loaded = sync(settings)
        covered = rows(settings, "select max(covered_to) from ops.coverage")[0][0]
        ends.append(covered)
        if loaded.status == "complete":
            break
        assert isinstance(loaded.error, CallBudgetExhausted)
        assert loaded.calls <= budget
    # Each run comes further; the last one may have had orders left to read again.
    assert ends == sorted(ends)
    assert ends[0] < ends[-1] == NOW
    assert len(ends) - len(set(ends)) <= 1
    assert stored(settings) == truth(box)


def test_a_source_that_fails_for_good_keeps_what_was_read(start, settings_for, stored, truth):
    box = start(300)
    box.switches = replace(box.switches, most_per_page=20, limit_over_most="lowered")
    settings = settings_for(box)
    box.faults.add(Fault("status", path="query", nth=tuple(range(10, 40)), status=500))
    failed = sync(settings)
    assert failed.status == "failed"
    assert isinstance(failed.error, ServerFailed)
    assert failed.reading.proven
    assert failed.reading.missing == [Window(failed.reading.proven.end, None)]
    assert len(stored(settings)) > 80
    box.faults.clear()
    box.clock.advance(timedelta(hours=1))
    assert sync(settings).status == "complete"
    assert stored(settings) == truth(box)


def test_the_limits_of_the_account_end_a_run_and_the_next_goes_on(start, settings_for, stored):
    box = start(300)
    box.switches = replace(box.switches, most_per_page=20, limit_over_most="lowered")
    settings = settings_for(box, "calls_per_hour = 12\nreserve = 0\nmax_wait_seconds = 60")
    first = sync(settings)
    assert first.status == "failed"
    assert "12 calls per hour" in first.reading.reason
    assert 0 < len(stored(settings)) < 300


# --- switches ---------------------------------------------------------------------------------

SWITCHES = {
    "exclusive bounds": {"date_begin": "exclusive", "date_end": "exclusive"},
    "bounds with fractions": {"date_fraction": "kept", "date_end": "exclusive"},
    "exclusive and fractions": {"date_begin": "exclusive", "date_fraction": "kept"},
    "any shipment": {"shipment_date": "any"},
    "refused limit": {"most_per_page": 100},
    "lowered limit": {"most_per_page": 90, "limit_over_most": "lowered"},
    "small refused limit": {"most_per_page": 7},
    "tiny pages": {"most_per_page": 2, "limit_over_most": "lowered"},
    "short pages": {"short_pages": "yes"},
    "short tiny pages": {"short_pages": "yes", "most_per_page": 5, "limit_over_most": "lowered"},
    "more is false": {"more": "false"},
    "more is never sent": {"more": "never_sent"},
    "no total": {"total_records": "absent"},
    "end not told": {"more": "never_sent", "total_records": "absent"},
    "no result set": {"result_set": "absent", "no_orders": "absent"},
    "no result set, short": {
        "result_set": "absent",
        "short_pages": "yes",
        "most_per_page": 10,
        "limit_over_most": "lowered",
    },
    "ties shuffled": {
        "tie_order": "shuffled",
        "most_per_page": 10,
        "limit_over_most": "lowered",
    },
    "cache by default": {"default_target": "cache", "cache_old_orders": "partial"},
    "batch refuses unknown ids": {"unknown_batch_ids": "rejected"},
    "batch sorted": {"batch_order": "by_id", "missing_order": "not_found"},
    "missing order is success": {"missing_order": "no_order"},
    "parts never sent": {"unlisted_parts": "never"},
    "parts always sent": {"unlisted_parts": "always"},
    "errors inside 200": {"failure_status": "http_200", "failure_success": "false"},
    "errors inside 200 and refusals": {
        "failure_status": "http_200",
        "unknown_batch_ids": "rejected",
        "most_per_page": 100,
    },
    "discount of units": {"item_discount": "unit", "total_and_gift_certificate": "after"},
}


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_every_reading_of_the_documentation_gives_the_same_orders(
    start, settings_for, stored, truth, switches
):
    box = start(80)
    box.switches = replace(box.switches, **switches)
    settings = settings_for(box, "overlap_minutes = 0")
    assert sync(settings).status == "complete"
    assert stored(settings) == truth(box)
    # In the second of the first load, so that nothing but the bounds decides.
    box.moves.weights |= {"edit": 0, "costs": 0, "delete": 0}
    box.moves.some(30)
    open_one = next(
        o for o in box.truth() if o["current_stage"] not in ("Completed Order", "Rejected")
    )
    box.shop.delete(open_one["order_id"])
    box.clock.advance(timedelta(seconds=1))
    assert sync(settings).status == "complete"
    assert stored(settings) == truth(box)


# --- faults and odd answers -------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("malformed_json", path="query", nth=5),
        Fault("cut_json", path="query", nth=5),
        Fault("html", path="query", nth=(2, 5), status=200),
        Fault("reset_after", path="query", nth=5),
        Fault("truncated_body", path="query", nth=5),
        Fault("status", path="query", nth=(5, 6), status=500),
        Fault("status", path="query", nth=5, status=429, retry_after=3),
        Fault("broken_order", path="query", nth=5, order_index=7),
        Fault("broken_order", path="query", nth=5, order_index=-1),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.order_index}",
)
def test_trouble_that_passes_leaves_no_trace(start, settings_for, stored, truth, fault):
    box = start(120)
    box.switches = replace(box.switches, most_per_page=50, limit_over_most="lowered")
    box.faults.add(fault)
    settings = settings_for(box)
    assert sync(settings).status == "complete"
    assert stored(settings) == truth(box)
    assert rows(settings, "select count(*) from ops.quarantine") == [(0,)]


def test_a_malformed_order_goes_to_quarantine_and_its_secrets_do_not(
    start, settings_for, stored, truth
):
    box = start(60)
    box.faults.add(Fault("broken_order", path="query", nth=(5, 6, 7), order_index=20))
    settings = settings_for(box)
    assert sync(settings).status == "complete"
    assert len(stored(settings)) == 59
    ((text, reason),) = rows(settings, "select content, reason from ops.quarantine")
    assert "malformed JSON" in reason
    assert "card_number" not in text
    box.faults.clear()
    window = Window(NOW - timedelta(days=1000), NOW)
    backfill_account(settings, "shop", window, sleep=no_wait)
    assert stored(settings) == truth(box)


def test_a_page_that_is_malformed_each_time_stops_the_load_and_the_rest_is_kept(
    start, settings_for, stored
):
    box = start(120)
    box.switches = replace(box.switches, most_per_page=50, limit_over_most="lowered")
    box.faults.add(Fault("malformed_json", path="query", nth=(6, 7, 8)))
    settings = settings_for(box)
    failed = sync(settings)
    assert isinstance(failed.error, UnreadableAnswer)
    assert len(stored(settings)) == 50
    assert sync(settings).status == "complete"
    assert len(stored(settings)) == 120


@pytest.mark.parametrize("broken", ["string", "null", "number", "no_id", "dates", "amount_text"])
@pytest.mark.parametrize("place", [0, 30, -1])
def test_an_odd_row_does_not_stop_a_walk(start, settings_for, stored, truth, broken, place):
    box = start(120)
    box.switches = replace(box.switches, most_per_page=50, limit_over_most="lowered")
    fault = Fault("broken_order", path="query", broken=broken, order_index=place, nth=(5, 6))
    box.faults.add(fault)
    settings = settings_for(box)
    assert sync(settings).status == "complete"
    box.faults.clear()
    with_odd = stored(settings)
    assert len(with_odd) >= 117
    # The rows are wrong on two pages only; a run over the same window puts them right.
    window = Window(NOW - timedelta(days=1000), NOW)
    backfill_account(settings, "shop", window, sleep=no_wait)
    assert stored(settings).keys() - {"12345"} == truth(box).keys()
