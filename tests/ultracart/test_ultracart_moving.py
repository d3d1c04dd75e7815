"""Orders move while they are read: nothing is lost, and what cannot be proven is not claimed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orders_connector.landing.coverage import coverage_of, load_state
from orders_connector.reconciliation import reconcile_account
from orders_connector.sandbox.ultracart.eastern import eastern
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.ultracart.conftest import NOW


async def no_wait(_):
    """Backoff need not be waited for here."""


def sync(settings):
    return sync_account(settings, "shop", sleep=no_wait)


def reconcile(settings, **options):
    return reconcile_account(settings, "shop", sleep=no_wait, **options)


def rows(settings, query):
    with warehouse_connection(settings) as con:
        return con.execute(query).fetchall()


def small_pages(box, most=10, **switches):
    box.switches = replace(box.switches, most_per_page=most, limit_over_most="lowered", **switches)


def orders_at(box, moment, count):
    """Put orders into the shop that were all created in one second."""
    sample = box.truth()[0]
    made = []
    for number in range(count):
        order = {**box.shop.get(sample["order_id"]), "order_id": f"ACME-TIE-{number:04d}"}
        order["creation_dts"] = eastern(moment)
        box.shop.put_raw(order)
        made.append(order["order_id"])
    return made


@pytest.mark.parametrize(
    ("seed", "switches"),
    [
        (1, {}),
        (2, {"tie_order": "shuffled"}),
        (3, {"more": "never_sent", "total_records": "absent", "short_pages": "yes"}),
        (4, {"date_begin": "exclusive", "date_fraction": "kept", "result_set": "absent"}),
        (5, {"unknown_batch_ids": "rejected", "missing_order": "no_order"}),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "-".join(value) or "documented",
)
def test_traffic_between_all_pages_loses_nothing(
    start, settings_for, stored, truth, seed, switches
):
    box = start(150, seed=seed)
    small_pages(box, **switches)
    settings = settings_for(box, "overlap_minutes = 0")
    box.traffic = 3
    for _ in range(2):
        sync(settings)
        box.clock.advance(timedelta(hours=3))
    box.traffic = 0
    assert sync(settings).status == "complete"
    found, there = stored(settings), truth(box)
    assert there.keys() <= found.keys()
    late = [one for one in there if found[one] != there[one]]
    # Only costs that were filled in after the days that are read again may differ.
    young = eastern(box.clock.now() - timedelta(days=34))
    assert [one for one in late if there[one]["creation_dts"] > young] == []
    compared = reconcile(settings)
    assert compared.status in ("equal", "repaired")
    assert stored(settings) == truth(box)
    assert compared.source_total in (None, len(there))
    assert reconcile(settings).status == "equal"


@pytest.mark.parametrize("direction", ["read", "read and last", "ahead"])
def test_orders_that_are_deleted_under_a_walk_take_no_other_with_them(
    start, settings_for, stored, truth, direction
):
    box = start(120)
    small_pages(box)
    settings = settings_for(box)
    oldest_first = sorted(box.truth(), key=lambda one: box.shop.record(one["order_id"]).created)
    ids = [one["order_id"] for one in oldest_first]

    def delete(call):
        page = len(box.calls) - 5  # after one to count and three for late events
        if page < 1 or page > 9:
            return
        read = page * 10
        doomed = {
            "read": ids[read - 9 : read - 7],
            "read and last": ids[read - 4 : read],
            "ahead": ids[read + 3 : read + 5],
        }[direction]
        for one in doomed:
            if one in box.shop:
                box.shop.delete(one)

    box.on_request = delete
    assert sync(settings).status == "complete"
    box.on_request = None
    assert len(truth(box)) < 110
    assert truth(box).keys() <= stored(settings).keys()


def test_more_orders_of_one_second_than_a_page_holds_are_read(start, settings_for, stored, truth):
    box = start(40)
    orders_at(box, NOW - timedelta(days=90), 75)
    small_pages(box, 20)
    settings = settings_for(box)
    assert sync(settings).status == "complete"
    assert stored(settings) == truth(box)


def test_a_second_whose_orders_come_in_any_order_is_not_claimed(start, settings_for, stored):
    box = start(40)
    moment = NOW - timedelta(days=90)
    orders_at(box, moment, 75)
    small_pages(box, 20, tie_order="shuffled")
    settings = settings_for(box)
    loaded = sync(settings)
    assert loaded.status == "incomplete"
    moved, counted = loaded.reading.reason.split("; the source counts ")
    assert moved == "orders moved under the walk too often; run again at a quieter time"
    assert counted.endswith("more orders than it shows; run again")
    assert loaded.reading.proven.end <= moment
    assert loaded.calls < 150


def test_a_deletion_among_many_orders_of_one_second_is_noticed(start, settings_for, stored, truth):
    box = start(10)
    made = orders_at(box, NOW - timedelta(days=90), 75)
    small_pages(box, 20)
    settings = settings_for(box)

    def delete(call):
        if len(box.calls) in (7, 9):
            box.shop.delete(made[len(box.calls) - 5])

    box.on_request = delete
    assert sync(settings).status == "complete"
    assert truth(box).keys() <= stored(settings).keys()
    (evidence,) = rows(settings, "select evidence from ops.extractions where status = 'complete'")[
        0
    ]
    assert '"rereads": 0}' not in evidence.rsplit("creation_date", 1)[1]


def test_orders_from_the_past_are_found_by_the_count(start, settings_for, stored, truth):
    box = start(120)
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=2))
    orders_at(box, NOW - timedelta(days=400), 3)
    loaded = sync(settings)
    assert loaded.status == "complete"
    assert stored(settings) == truth(box)


def with_history(settings, day):
    account = settings.accounts["shop"].model_copy(update={"history_start": day})
    return settings.model_copy(update={"accounts": {"shop": account}})


def state(settings):
    with warehouse_connection(settings) as con:
        return load_state(con, "ultracart", "shop")


def test_orders_from_before_the_history_are_no_reason_to_read_all(
    start, settings_for, stored, truth
):
    box = start(150)
    history = NOW - timedelta(days=90)
    settings = with_history(settings_for(box), history.date())
    first = sync(settings)
    assert (first.status, first.reading.read_everything) == ("complete", False)
    known, there = stored(settings), truth(box)
    older = {one for one in there if there[one]["creation_dts"] < eastern(history)}
    assert 0 < state(settings).accepted_difference == 150 - len(known) <= len(older)
    assert there.keys() - known.keys() <= older
    box.reset_calls()
    box.clock.advance(timedelta(hours=1))
    again = sync(settings)
    assert (again.status, again.reading.read_everything) == ("complete", False)
    # One to count, four for the new window, one for recent orders; open ones were read there.
    assert len(box.calls) <= 7


def test_a_first_load_of_several_runs_accepts_no_order_that_came_in_behind_it(
    start, settings_for, stored, truth
):
    box = start(150)
    small_pages(box)
    history = NOW - timedelta(days=300)
    short = with_history(settings_for(box, "max_calls_per_run = 12"), history.date())
    assert sync(short).status == "failed"
    with warehouse_connection(short) as con:
        (covered,) = coverage_of(con, "ultracart", "shop")
    older = {one["order_id"] for one in box.truth() if one["creation_dts"] < eastern(history)}
    assert older - stored(short).keys()
    (behind,) = orders_at(box, covered.start + (covered.end - covered.start) / 2, 1)
    settings = with_history(settings_for(box), history.date())
    loaded = sync(settings)
    assert (loaded.status, loaded.reading.read_everything) == ("complete", True)
    assert behind in stored(settings)
    assert stored(settings) == truth(box)
    assert state(settings).accepted_difference == 0


def test_a_comparison_finds_what_no_load_can_see(start, settings_for, stored, truth):
    box = start(300)
    settings = settings_for(box)
    sync(settings)
    box.clock.advance(timedelta(hours=2))
    old = [o["order_id"] for o in box.truth() if o["current_stage"] == "Completed Order"][:4]
    for one in old[:2]:
        box.shop.delete(one)
    box.shop.change(old[2], lambda order: order["summary"].update(actual_profit_review=True))
    orders_at(box, NOW - timedelta(days=400), 2)
    sync(settings)
    assert stored(settings) != truth(box)
    compared = reconcile(settings)
    assert compared.status == "repaired"
    assert compared.differences == {"vanished": 2, "wrong": 1, "missed": 2}
    assert stored(settings) == truth(box)
    assert reconcile(settings).status == "equal"
    assert sync(settings).known_orders == 300


@pytest.mark.parametrize(
    ("missing", "unknown", "failure"),
    [
        ("bad_request", "left_out", "http_200"),
        ("bad_request", "rejected", "http_400"),
        ("not_found", "rejected", "http_200"),
        ("no_order", "left_out", "http_400"),
    ],
)
def test_a_deleted_order_is_told_from_a_trouble_however_it_is_answered(
    start, settings_for, stored, truth, missing, unknown, failure
):
    box = start(40)
    settings = settings_for(box)
    sync(settings)
    box.switches = replace(
        box.switches, missing_order=missing, unknown_batch_ids=unknown, failure_status=failure
    )
    box.clock.advance(timedelta(hours=2))
    for one in list(truth(box))[3:6]:
        box.shop.delete(one)
    compared = reconcile(settings)
    assert (compared.status, compared.differences) == ("repaired", {"vanished": 3})
    assert stored(settings) == truth(box)


def test_a_comparison_marks_nothing_when_everything_is_gone(start, settings_for, stored):
    box = start(40)
    settings = settings_for(box)
    sync(settings)
    for order in box.truth():
        box.shop.delete(order["order_id"])
    compared = reconcile(settings)
    assert compared.status == "failed"
    assert len(stored(settings)) == 40
