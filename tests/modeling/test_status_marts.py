"""Where orders stood and for how long: stays, funnel, evenings, stuck orders, recognition."""

from datetime import UTC, date, datetime

import pytest

from orders_connector.modeling.checks import run_checks
from orders_connector.warehouse.database import open_warehouse
from tests.test_no_money import House, license_order, ultracart_order

MARTS = (
    "core.status_intervals",
    "marts.daily_funnel",
    "marts.daily_recognition",
    "marts.daily_revenue",
    "marts.daily_status_moves",
    "marts.status_durations",
    "marts.status_funnel",
    "marts.status_snapshot",
    "marts.stuck_orders",
)

HOUR, DAY = 3600, 86400


def order(name, status="CREATED", created="2026-03-02T10:00:00Z", updated=None, **fields):
    """Return an order of 10.00 that was created at 11:00 in Warsaw."""
    body = {"id": name, "status": status, "created_at": created, "updated_at": updated}
    return body | {"amount": 1000, "items": [], "metadata": {}} | fields


def values(warehouse, query):
    return [tuple(row.values()) for row in warehouse.rows(query)]


def cover(warehouse, end, account="shop"):
    warehouse.con.execute("delete from ops.coverage where account = ?", [account])
    warehouse.con.execute(
        "insert into ops.coverage values ('voucherify', ?, '2026-01-01T00:00:00Z', ?, 'ext_1')",
        [account, end],
    )


def failing(warehouse):
    return {
        (r.model, r.name)
        for r in run_checks(warehouse.con, warehouse.models.values())
        if not r.passed
    }


STAYS = """
    select status, next_status, is_open, is_exact, lower_seconds, upper_seconds
    from core.status_intervals where order_id = '{}' order by visit_no
"""


def live(warehouse):
    """Land one order that was seen four times: created, created, paid, fulfilled."""
    for status, updated in [
        ("CREATED", None),
        ("CREATED", "2026-03-03T10:00:00Z"),
        ("PAID", "2026-03-05T10:00:00Z"),
        ("FULFILLED", "2026-03-05T16:00:00Z"),
    ]:
        warehouse.land(order("a", status, updated=updated))
    warehouse.refresh()


@pytest.fixture
def life(copy_of):
    return copy_of(live)


def test_a_stay_lies_between_what_was_seen_last_and_first(life):
    assert values(life, STAYS.format("a")) == [
        # Created on the 2nd at 10:00, seen so until the 3rd, seen paid on the 5th.
        ("created", "paid", False, False, DAY, 3 * DAY),
        # Seen paid once, so perhaps for no time; from after the 3rd to the 5th at 16:00 at most.
        ("paid", "fulfilled", False, False, 0, 2 * DAY + 6 * HOUR),
        ("fulfilled", None, True, False, None, None),
    ]
    assert failing(life) == set()


def test_the_first_status_begins_at_creation_only_as_far_as_it_was_seen_there(warehouse):
    warehouse.land(order("new"), order("old", "PAID", updated="2026-03-09T10:00:00Z"))
    warehouse.refresh()
    shown = values(
        warehouse,
        "select order_id, entered_after, entered_at, is_exact from core.status_intervals"
        " order by order_id",
    )
    created = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert [(row[0], *row[1:3], row[3]) for row in shown] == [
        ("new", created, created, True),
        ("old", created, datetime(2026, 3, 9, 10, tzinfo=UTC), False),
    ]


@pytest.fixture
def sources(tmp_path):
    """Open a warehouse with one account per source, all in UTC."""
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        yield House(con)


def stage(before, after, at):
    entry = {"before_stage": before, "after_stage": after, "transition_dts": at}
    return {key: value for key, value in entry.items() if value}


def test_a_history_of_the_source_gives_exact_stays(sources):
    history = [
        stage(None, "Accounts Receivable", "2026-03-02T15:00:00Z"),
        stage("Accounts Receivable", "Pending Clearance", "2026-03-02T15:10:00Z"),
        stage("Pending Clearance", "Shipping Department", "2026-03-02T17:00:00Z"),
        stage("Shipping Department", "Completed Order", "2026-03-03T17:00:30Z"),
    ]
    sources.land("ultracart", ultracart_order("u") | {"current_stage_histories": history})
    sources.refresh()
    # Two stages that are both pending are one stay.
    assert values(sources, STAYS.format("u")) == [
        ("pending", "paid", False, True, 2 * HOUR, 2 * HOUR),
        ("paid", "fulfilled", False, True, DAY + 30, DAY + 30),
        ("fulfilled", None, True, True, None, None),
    ]
    durations = (
        "select stays, stays_exact, upper_p90_seconds from marts.status_durations order by 3"
    )
    assert values(sources, durations) == [(1, 1, 2 * HOUR), (1, 1, DAY + 30)]
    assert values(
        sources, "select orders_ever_paid, orders_ever_fulfilled from marts.daily_funnel"
    ) == [(1, 1)]
    assert sources.failing() == set()


def test_a_time_that_cannot_be_read_measures_nothing(sources):
    history = [
        stage(None, "Accounts Receivable", "2026-03-02T15:00:00Z"),
        stage("Accounts Receivable", "Completed Order", None),
    ]
    sources.land("ultracart", ultracart_order("u") | {"current_stage_histories": history})
    sources.refresh()
    assert values(sources, STAYS.format("u")) == [
        ("pending", "fulfilled", False, False, None, None),
        ("fulfilled", None, True, False, None, None),
    ]
    (row,) = sources.rows("from marts.status_durations")
    assert (row["stays"], row["stays_measured"], row["upper_p50_seconds"]) == (1, 0, None)


def test_the_shown_status_goes_on_where_the_history_stops_short(sources):
    history = [stage(None, "Accounts Receivable", "2026-03-02T14:30:00Z")]
    # The version is dated by its creation at 15:00 and shows a completed order.
    sources.land("ultracart", ultracart_order("u") | {"current_stage_histories": history})
    sources.refresh()
    assert values(sources, STAYS.format("u")) == [
        ("pending", "fulfilled", False, False, 0, HOUR // 2),
        ("fulfilled", None, True, False, None, None),
    ]


def test_without_money_there_are_counts_and_no_amounts(sources):
    sources.land("licensespring", license_order(1), license_order(2, is_trial=True))
    sources.refresh()  # the trial is placed and not recognised
    (funnel,) = sources.rows("from marts.daily_funnel")
    assert funnel["orders_placed"] == 2
    assert {value for key, value in funnel.items() if key.endswith("_minor")} == {None}
    assert {value for key, value in funnel.items() if key.startswith("orders_ever")} == {None}
    (days,) = sources.rows("from marts.daily_recognition")
    assert (days["orders_recognised"], days["recognised_minor"]) == (1, None)
    (evening,) = sources.rows("from marts.status_snapshot")
    assert (evening["orders"], evening["net_minor"]) == (2, None)
    assert sources.failing() == set()


def test_durations_of_a_day_are_exact_ranks(warehouse):
    # Three orders of 2 March: created at 10:00, seen paid 1, 2 and 9 hours later.
    for name, hour in (("a", 11), ("b", 12), ("c", 19)):
        warehouse.land(order(name), order(name, "PAID", updated=f"2026-03-02T{hour}:00:00Z"))
    warehouse.land(order("d"), order("t", metadata={"test": True}))
    warehouse.refresh()
    (row,) = warehouse.rows("from marts.status_durations")
    assert row == {
        "source": "voucherify",
        "account": "shop",
        "order_date": date(2026, 3, 2),
        "from_status": "created",
        "to_status": "paid",
        "stays": 3,
        "stays_measured": 3,
        "stays_exact": 0,
        "orders_still_there": 1,
        "lower_p50_seconds": 0,
        "lower_p90_seconds": 0,
        "upper_p50_seconds": 2 * HOUR,
        "upper_p90_seconds": 9 * HOUR,
        "lower_seconds_sum": 0,
        "upper_seconds_sum": 12 * HOUR,
    }


FUNNEL = """
    select orders_placed, orders_ever_paid, orders_ever_fulfilled, orders_ever_cancelled,
        orders_fulfilled_not_seen_paid, orders_cancelled_after_payment, orders_reversed,
        cancelled_gross_minor, reversed_net_minor
    from marts.daily_funnel where order_date = '2026-03-02'
"""


def test_the_funnel_remembers_what_the_current_status_hides(warehouse):
    warehouse.land(order("a", "PAID"), order("b", "PAID", discount_amount=100), order("c"))
    warehouse.land(order("t", "PAID", metadata={"test": True}))
    warehouse.refresh()
    assert values(warehouse, FUNNEL) == [(3, 2, 0, 0, 0, 0, 0, 0, 0)]
    warehouse.land(
        order("a", "FULFILLED", updated="2026-03-04T10:00:00Z"),
        order("b", "CANCELED", updated="2026-03-04T10:00:00Z"),
        order("c", "FULFILLED", updated="2026-03-04T10:00:00Z"),
    )
    warehouse.refresh()
    # b was paid with 9.00 net; c went from created to fulfilled between two loads.
    assert values(warehouse, FUNNEL) == [(3, 2, 2, 1, 1, 1, 1, 1000, 900)]
    (read,) = warehouse.rows("from marts.status_funnel")
    assert round(read["paid_rate"], 4) == round(read["fulfilled_rate"], 4) == 0.6667
    assert (read["fulfilled_of_paid_rate"], round(read["cancelled_rate"], 4)) == (0.5, 0.3333)
    # Reversed 9.00 of 9.00 + 10.00 (a) + 10.00 (c).
    assert round(read["reversal_rate"], 4) == 0.3333
    assert round(read["reversal_value_rate"], 4) == round(900 / 2900, 4)
    warehouse.land_gone("b")
    warehouse.refresh()
    assert values(warehouse, FUNNEL) == [(2, 1, 2, 0, 1, 0, 0, 0, 0)]
    assert failing(warehouse) == set()


@pytest.mark.parametrize(
    ("end", "days", "mature"),
    [
        ("2026-04-01T21:59:00Z", 30, False),  # still 1 April in Warsaw
        ("2026-04-01T22:00:00Z", 31, True),
    ],
    ids=["thirty_days", "thirty_one_days"],
)
def test_young_days_of_the_funnel_are_flagged(warehouse, end, days, mature):
    warehouse.land(order("a", "PAID"))
    warehouse.refresh()
    shown = "select days_observed, is_mature from marts.status_funnel"
    assert values(warehouse, shown) == [(None, False)]
    cover(warehouse, end)
    assert values(warehouse, shown) == [(days, mature)]


SNAPSHOT = """
    select snapshot_date, status, orders, net_minor from marts.status_snapshot
    where orders > 0 order by all
"""


def test_a_snapshot_shows_each_evening_as_it_was(warehouse):
    warehouse.land(order("a"))
    # Half past midnight on 4 March in Warsaw.
    warehouse.land(order("a", "PAID", updated="2026-03-03T23:30:00Z", discount_amount=100))
    warehouse.refresh()
    cover(warehouse, "2026-03-06T08:00:00Z")
    second, third, fourth, fifth, sixth = (date(2026, 3, day) for day in range(2, 7))
    assert values(warehouse, SNAPSHOT) == [
        (second, "created", 1, 1000),
        (third, "created", 1, 1000),
        (fourth, "paid", 1, 900),
        (fifth, "paid", 1, 900),
        (sixth, "paid", 1, 900),
    ]
    flags = "select snapshot_date from marts.status_snapshot where {} order by all"
    assert values(warehouse, flags.format("is_partial and status = 'paid'")) == [(sixth,)]
    # The fixture reads on 10 March: all of this is known from versions alone.
    assert values(warehouse, flags.format("is_observed")) == []


def test_a_late_change_moves_its_own_day_and_no_evening_before(warehouse):
    warehouse.land(order("a"), order("b"))
    warehouse.refresh()
    warehouse.land(order("a", "CANCELED", updated="2026-03-20T10:00:00Z"))
    report = warehouse.refresh()
    (moves,) = [m for m in report.models if m.model == "marts.daily_status_moves"]
    assert (moves.mode, moves.slices) == ("slices", 1)
    assert values(
        warehouse,
        "select move_date, status, orders_entered, orders_left, orders_change, net_change_minor"
        " from marts.daily_status_moves order by all",
    ) == [
        (date(2026, 3, 2), "created", 2, 0, 2, 2000),
        (date(2026, 3, 20), "cancelled", 1, 0, 1, 1000),
        (date(2026, 3, 20), "created", 0, 1, -1, -1000),
    ]
    nineteenth = "select status, orders from marts.status_snapshot where snapshot_date = '{}'"
    assert values(warehouse, nineteenth.format("2026-03-19")) == [("created", 2)]
    assert sorted(values(warehouse, nineteenth.format("2026-03-20"))) == [
        ("cancelled", 1),
        ("created", 1),
    ]


def test_a_new_amount_in_the_same_status_is_no_move_of_the_order(warehouse):
    warehouse.land(order("a", "PAID"))
    warehouse.land(order("a", "PAID", updated="2026-03-07T10:00:00Z", amount=1500))
    warehouse.refresh()
    (row,) = warehouse.rows("from marts.daily_status_moves where move_date = '2026-03-07'")
    assert (row["orders_entered"], row["orders_left"], row["orders_change"]) == (0, 0, 0)
    assert (row["gross_change_minor"], row["net_change_minor"]) == (500, 500)


def test_an_order_that_is_gone_leaves_the_snapshot_on_the_day_it_was_found_gone(warehouse):
    warehouse.land(order("a", "PAID"))
    warehouse.land_gone("a")  # on 10 March
    warehouse.refresh()
    cover(warehouse, "2026-03-12T00:00:00Z")
    evenings = "select orders from marts.status_snapshot where snapshot_date = '2026-03-{}'"
    assert values(warehouse, evenings.format("09")) == [(1,)]
    assert values(warehouse, evenings.format("10")) == [(0,)]
    warehouse.land(order("a", "PAID"))
    warehouse.refresh()
    assert values(warehouse, evenings.format("09")) == [(1,)]
    assert failing(warehouse) == set()


def test_stuck_orders_have_certainly_waited_too_long(warehouse):
    warehouse.land(
        order("waits"),
        order("young", created="2026-03-09T10:00:00Z"),
        order("test", metadata={"test": True}),
        order("done", "FULFILLED"),
        # Paid on the 5th or before; whether it waits since the 2nd is not known.
        order("paid", "PAID", updated="2026-03-05T10:00:00Z"),
    )
    warehouse.refresh()
    shown = (
        "select order_id, reason, days_waiting_at_least, days_waiting_at_most"
        " from marts.stuck_orders order by all"
    )
    assert values(warehouse, shown) == []  # nothing is covered: nobody knows of today
    cover(warehouse, "2026-03-16T10:00:00Z")
    assert values(warehouse, shown) == [("waits", "created_not_paid", 14, 14)]
    cover(warehouse, "2026-03-19T10:00:00Z")
    paid = [row for row in values(warehouse, shown) if row[0] == "paid"]
    assert paid == []
    cover(warehouse, "2026-03-19T10:00:01Z")
    paid = [row for row in values(warehouse, shown) if row[0] == "paid"]
    assert paid == [("paid", "paid_not_fulfilled", 14, 17)]
    warehouse.land(order("paid", "FULFILLED", updated="2026-03-19T09:00:00Z"))
    warehouse.refresh()
    assert [row[0] for row in values(warehouse, shown)] == ["waits", "young"]


RECOGNITION = """
    select recognition_date, orders_recognised, orders_adjusted, orders_reversed,
        recognised_minor, adjusted_minor, reversed_minor, net_movement_minor
    from marts.daily_recognition where currency = 'EUR' order by all
"""


def ties(warehouse):
    """Return both views' sums per account and currency: they have to be equal."""
    booked = (
        "select account, currency, sum(net_revenue_minor)::bigint, sum(orders_recognised)::bigint"
        " from marts.daily_revenue group by all having sum(orders_recognised) > 0 order by all"
    )
    moved = (
        "select account, currency, sum(net_movement_minor)::bigint,"
        " sum(orders_recognised - orders_reversed)::bigint"
        " from marts.daily_recognition group by all"
        " having sum(orders_recognised - orders_reversed) > 0 order by all"
    )
    return values(warehouse, booked), values(warehouse, moved)


def test_revenue_comes_and_goes_on_the_days_it_was_seen_to(warehouse):
    second, fifth, seventh, ninth = (date(2026, 3, day) for day in (2, 5, 7, 9))
    warehouse.land(order("a"), order("b", "PAID"))
    warehouse.land(order("a", "PAID", updated="2026-03-05T10:00:00Z"))
    warehouse.refresh()
    before = values(warehouse, RECOGNITION)
    assert before == [
        (second, 1, 0, 0, 1000, 0, 0, 1000),
        (fifth, 1, 0, 0, 1000, 0, 0, 1000),
    ]
    warehouse.land(order("a", "PAID", updated="2026-03-07T10:00:00Z", discount_amount=150))
    warehouse.land(order("a", "CANCELED", updated="2026-03-09T10:00:00Z"))
    warehouse.refresh()
    assert values(warehouse, RECOGNITION) == [
        *before,
        (seventh, 0, 1, 0, 0, -150, 0, -150),
        (ninth, 0, 0, 1, 0, 0, 850, -850),
    ]
    booked, moved = ties(warehouse)
    assert booked == moved == [("shop", "EUR", 1000, 1)]
    warehouse.land_gone("b")
    warehouse.refresh()
    assert values(warehouse, RECOGNITION)[-1] == (date(2026, 3, 10), 0, 0, 1, 0, 0, 1000, -1000)
    assert ties(warehouse) == ([], [])


def test_an_order_in_another_currency_is_reversed_in_the_old_one(warehouse):
    warehouse.land(order("a", "PAID"))
    warehouse.land(
        order("a", "PAID", updated="2026-03-05T10:00:00Z", metadata={"currency": "JPY"}),
        order("b", "PAID", metadata={"currency": "JPY"}),
    )
    warehouse.land(order("c", "PAID"), order("t", "PAID", metadata={"test": True}))
    warehouse.refresh()
    assert values(warehouse, RECOGNITION) == [
        (date(2026, 3, 2), 2, 0, 0, 2000, 0, 0, 2000),
        (date(2026, 3, 5), 0, 0, 1, 0, 0, 1000, -1000),
    ]
    booked, moved = ties(warehouse)
    assert booked == moved == [("shop", "EUR", 1000, 1), ("shop", "JPY", 2000, 2)]


def test_an_order_that_counts_again_is_recognised_again(warehouse):
    warehouse.land(order("a", "PAID"))
    warehouse.land(order("a", "CREATED", updated="2026-03-05T10:00:00Z"))
    warehouse.land(order("a", "PAID", updated="2026-03-07T10:00:00Z", amount=700))
    warehouse.refresh()
    assert [row[1:4] + row[-1:] for row in values(warehouse, RECOGNITION)] == [
        (1, 0, 0, 1000),
        (0, 0, 1, -1000),
        (1, 0, 0, 700),
    ]
    booked, moved = ties(warehouse)
    assert booked == moved
