"""Customers, cohorts, second orders and referrals, with figures worked out by hand."""

from datetime import date, timedelta

import pytest

from orders_connector.modeling.checks import run_checks
from orders_connector.warehouse.database import open_warehouse
from tests.modeling.test_worked_example import ORDERS, ROLLED_BACK
from tests.test_no_money import House, license_order, ultracart_order

MARTS = (
    "core.customer_months",
    "core.customer_orders",
    "marts.customer_cohort_grid",
    "marts.customer_cohorts",
    "marts.customer_segments",
    "marts.customers",
    "marts.daily_customers",
    "marts.daily_revenue",
    "marts.referrals",
    "marts.second_orders",
)

MINE = (
    "core.customer_orders",
    "core.customer_months",
    "marts.customers",
    "marts.customer_segments",
    "marts.daily_customers",
    "marts.customer_cohorts",
    "marts.customer_cohort_grid",
    "marts.second_orders",
    "marts.referrals",
)


def order(name, day, customer="c1", amount=1000, **fields):
    created_at = day if "T" in day else f"{day}T10:00:00Z"
    return {
        "id": name,
        "created_at": created_at,
        "status": "PAID",
        "amount": amount,
        "total_amount": amount,
        "customer_id": customer,
        "items": [{"product_id": "p1", "quantity": 1, "amount": amount, "price": amount}],
        "metadata": {},
    } | fields


def discounted(name, day, customer, amount, discount):
    given = {"discount_amount": discount, "total_discount_amount": discount}
    return order(name, day, customer, amount, total_amount=amount - discount, **given)


def changed(before, **fields):
    return before | {"updated_at": "2026-09-01T08:00:00Z"} | fields


def load(warehouse, *orders):
    """Land and refresh; every promise holds."""
    warehouse.land(*orders)
    warehouse.refresh()
    checks = run_checks(warehouse.con, [warehouse.models[name] for name in MINE])
    assert [(check.model, check.name) for check in checks if not check.passed] == []


def load_late(warehouse, *orders):
    """Load over what is there; no slice is forgotten."""
    load(warehouse, *orders)
    by_slices = {name: warehouse.rows(f"from {name} order by all") for name in MINE}
    warehouse.refresh(full=True)
    rebuilt = {name: warehouse.rows(f"from {name} order by all") for name in MINE}
    assert [name for name in MINE if rebuilt[name] != by_slices[name]] == []


def cover(warehouse, until, account="shop"):
    """Prove the account's history up to the time `until`, UTC."""
    warehouse.con.execute(
        "insert into ops.coverage values ('voucherify', ?, '2025-01-01T00:00:00Z', ?, 'ext')",
        [account, until],
    )


def tuples(warehouse, query):
    return [tuple(row.values()) for row in warehouse.rows(query)]


def months_of(warehouse):
    return tuples(
        warehouse,
        "select strftime(cohort_month, '%m'), month_number, customers, active_customers,"
        " orders_recognised, net_revenue_minor, cumulative_net_minor"
        " from marts.customer_cohorts order by 1, 2",
    )


def test_what_a_customer_is_worth(warehouse):
    load(
        warehouse,
        discounted("a", "2026-01-10", "c1", 1000, 100),
        order("b", "2026-01-20", amount=2000),
        order("c", "2026-03-01", amount=3000),
        order("d", "2026-04-01", amount=4000, status="CANCELED"),
        order("e", "2026-04-02", amount=7000, status="CREATED"),
        order("f", "2026-04-03", amount=9000, metadata={"test": True}),
    )
    (customer,) = warehouse.rows("from marts.customers")
    expected = {
        "orders_placed": 5,
        "orders_recognised": 3,
        "orders_cancelled": 1,
        "rebill_orders": None,
        "first_order_date": date(2026, 1, 10),
        "second_order_date": date(2026, 1, 20),
        "last_order_date": date(2026, 3, 1),
        "cohort_month": date(2026, 1, 1),
        "days_first_to_last": 50,
        "median_gap_days": 10,  # of 10 and 40 the lower
        "gross_revenue_minor": 6000,
        "discounts_minor": 100,
        "net_revenue_minor": 5900,
        "refunds_minor": None,
        "cancelled_value_minor": 4000,
        "average_order_net_minor": 1967,  # 1966.67
        "orders_discounted": 1,
        "is_discount_only": False,
    }
    assert {key: customer[key] for key in expected} == expected


def test_a_customer_without_a_recognised_order_has_no_dates_and_no_cohort(warehouse):
    load(warehouse, order("a", "2026-01-10", status="CREATED"))
    (customer,) = warehouse.rows("from marts.customers")
    assert (customer["orders_placed"], customer["orders_recognised"]) == (1, 0)
    assert (customer["net_revenue_minor"], customer["average_order_net_minor"]) == (0, None)
    assert (customer["cohort_month"], customer["is_discount_only"]) == (None, None)
    for name in ("core.customer_months", "marts.customer_segments", "marts.second_orders"):
        assert warehouse.rows(f"from {name}") == []


def test_who_buys_at_a_discount_only(warehouse):
    load(
        warehouse,
        discounted("a", "2026-01-10", "always", 1000, 100),
        order("b", "2026-01-11", "always", status="CANCELED"),
        discounted("c", "2026-01-10", "sometimes", 1000, 100),
        order("d", "2026-01-11", "sometimes"),
        discounted("e", "2026-01-10", "nothing yet", 1000, 100) | {"status": "CREATED"},
    )
    assert tuples(
        warehouse, "select customer_key, is_discount_only from marts.customers order by 1"
    ) == [("always", True), ("nothing yet", None), ("sometimes", False)]


DAY = (
    "select new_customers, returning_customers, new_customer_orders, returning_customer_orders,"
    " guest_orders, new_customer_net_minor, returning_customer_net_minor, guest_net_minor"
    " from marts.daily_customers where order_date = '2026-03-03'"
)


def test_the_third_of_march_and_its_rollback(warehouse):
    load(warehouse, *ORDERS)
    assert tuples(warehouse, DAY) == [(1, 1, 1, 1, 0, 64_440, 5_000, 0)]
    assert warehouse.rows("select returning_gap_days from marts.daily_customers order by 1") == [
        {"returning_gap_days": 0},
        {"returning_gap_days": 1},
    ]
    load_late(warehouse, ROLLED_BACK)
    assert tuples(warehouse, DAY) == [(2, 0, 2, 0, 0, 69_440, 0, 0)]
    # The second of March has no recognised order any more.
    assert len(warehouse.rows("from marts.daily_customers")) == 1
    (first,) = warehouse.rows("from marts.customers where customer_key = 'cust_1'")
    assert (first["first_order_date"], first["net_revenue_minor"]) == (date(2026, 3, 3), 5_000)
    assert (first["orders_cancelled"], first["cancelled_value_minor"]) == (1, 2_700)


def test_guests_are_never_one_customer(warehouse):
    load(
        warehouse,
        order("a", "2026-03-03", None, 100),
        order("b", "2026-03-03", None, 200),
        order("c", "2026-03-03", "c1", 400),
    )
    assert tuples(warehouse, DAY) == [(1, 0, 1, 0, 2, 400, 0, 300)]
    assert warehouse.rows("select customer_key from marts.customers") == [{"customer_key": "c1"}]
    assert months_of(warehouse) == [("03", 0, 1, 1, 1, 400, 400)]


def test_of_two_orders_at_one_time_the_first_by_id_is_first(warehouse):
    at = "2026-03-03T10:00:00Z"
    load(warehouse, order("b", at, amount=700), order("a", at, amount=300))
    # One person, new this day, with two orders.
    assert tuples(warehouse, DAY) == [(1, 0, 1, 1, 0, 300, 700, 0)]
    assert tuples(
        warehouse,
        "select order_id, order_seq, days_since_previous_order from core.customer_orders"
        " order by order_seq",
    ) == [("a", 1, None), ("b", 2, 0)]
    (customer,) = warehouse.rows("from marts.customers")
    assert (customer["second_order_date"], customer["median_gap_days"]) == (date(2026, 3, 3), 0)


def test_a_bare_date_beside_times_gives_no_negative_days(warehouse):
    warehouse.configure(time_zone="America/New_York")
    load(
        warehouse,
        # Counts for 00:00 UTC on 1 March, and for that day.
        order("bare", "2026-03-05", metadata={"ordered_at": "2026-03-01"}),
        # Later by the clock, and still 28 February in New York.
        order("timed", "2026-03-01T02:00:00Z"),
    )
    assert tuples(
        warehouse,
        "select order_id, order_date, days_since_previous_order from core.customer_orders"
        " order by order_seq",
    ) == [("bare", date(2026, 3, 1), None), ("timed", date(2026, 2, 28), 0)]
    (customer,) = warehouse.rows("from marts.customers")
    assert customer["first_order_date"] == date(2026, 2, 28)
    assert (customer["second_order_date"], customer["median_gap_days"]) == (date(2026, 3, 1), 1)
    assert [row[:4] for row in months_of(warehouse)] == [("02", 0, 1, 1), ("02", 1, 1, 1)]


def test_currencies_are_never_added_up(warehouse):
    load(
        warehouse,
        order("a", "2026-01-05", amount=1000),
        order("b", "2026-02-05", amount=500, metadata={"currency": "JPY"}),
        order("c", "2026-02-06", amount=2000),
    )
    assert tuples(
        warehouse,
        "select currency, cohort_month, orders_recognised, net_revenue_minor, median_gap_days"
        " from marts.customers order by 1",
    ) == [("EUR", date(2026, 1, 1), 2, 3000, 32), ("JPY", date(2026, 2, 1), 1, 500, None)]
    # New only once; the sequence of orders knows no currency.
    assert warehouse.rows("select sum(new_customers) as n from marts.daily_customers") == [{"n": 1}]
    assert tuples(
        warehouse,
        "select currency, cohort_month, month_number, customers from marts.customer_cohorts"
        " order by all",
    ) == [
        ("EUR", date(2026, 1, 1), 0, 1),
        ("EUR", date(2026, 1, 1), 1, 1),
        ("JPY", date(2026, 2, 1), 0, 1),
    ]


COHORTS = [
    order("a", "2026-01-10", "c1", 100),
    order("b", "2026-02-10", "c1", 200),
    order("c", "2026-02-20", "c1", 50),
    order("d", "2026-04-10", "c1", 400),
    order("e", "2026-01-31", "c2", 300),
    order("f", "2026-02-15", "c3", 700),
    order("g", "2026-03-15", "c3", 600, status="CANCELED"),
]


def test_cohorts_hold_only_months_with_orders(warehouse):
    load(warehouse, *COHORTS)
    assert months_of(warehouse) == [
        ("01", 0, 2, 2, 2, 400, 400),
        ("01", 1, 2, 1, 2, 250, 650),
        ("01", 3, 2, 1, 1, 400, 1050),
        ("02", 0, 1, 1, 1, 700, 700),
    ]


def test_the_grid_has_every_month_and_says_which_are_not_over(warehouse):
    # In Warsaw it is 1 April already, so March is over.
    cover(warehouse, "2026-03-31T22:30:00Z")
    load(warehouse, *COHORTS)
    assert tuples(
        warehouse,
        "select strftime(cohort_month, '%m'), month_number, strftime(order_month, '%m'),"
        " retention, revenue_retention, ltv_minor, is_partial_month, is_partial_cohort"
        " from marts.customer_cohort_grid order by 1, 2",
    ) == [
        ("01", 0, "01", 1.0, 1.0, 200.0, False, False),
        ("01", 1, "02", 0.5, 0.625, 325.0, False, False),
        ("01", 2, "03", 0.0, 0.0, 325.0, False, False),
        ("01", 3, "04", 0.5, 1.0, 525.0, True, False),
        ("02", 0, "02", 1.0, 1.0, 700.0, False, False),
        ("02", 1, "03", 0.0, 0.0, 700.0, False, False),
        ("02", 2, "04", 0.0, 0.0, 700.0, True, False),
    ]


def test_the_grid_goes_on_while_nobody_buys_and_ends_with_the_orders_when_nothing_is_proven(
    warehouse,
):
    last = "select max(order_month) as month, bool_or(is_partial_month) as partial"
    load(warehouse, *COHORTS)
    assert warehouse.rows(f"{last} from marts.customer_cohort_grid") == [
        {"month": date(2026, 4, 1), "partial": None}
    ]
    cover(warehouse, "2026-06-15T12:00:00Z")
    assert warehouse.rows(f"{last} from marts.customer_cohort_grid") == [
        {"month": date(2026, 6, 1), "partial": True}
    ]


def test_a_late_earlier_order_moves_the_customer_to_another_cohort_and_back(warehouse):
    load(warehouse, *COHORTS)
    before = months_of(warehouse)
    late = order("late", "2026-08-30", "c3", 10, metadata={"ordered_at": "2026-01-02"})
    warehouse.land(late)
    report = warehouse.refresh()
    moved = [
        ("01", 0, 3, 3, 3, 410, 410),
        ("01", 1, 3, 2, 3, 950, 1360),
        ("01", 3, 3, 1, 1, 400, 1760),
    ]
    assert months_of(warehouse) == moved
    (cohorts,) = [model for model in report.models if model.model == "marts.customer_cohorts"]
    assert (cohorts.mode, cohorts.slices) == ("slices", 2)
    load_late(warehouse)
    assert months_of(warehouse) == moved
    warehouse.land_gone("late")
    warehouse.refresh()
    assert months_of(warehouse) == before
    load_late(warehouse)


def test_an_order_that_changes_its_customer_moves_from_one_to_the_other(warehouse):
    load(warehouse, *COHORTS)
    load_late(warehouse, changed(COHORTS[5], customer_id="c2"))
    assert tuples(
        warehouse,
        "select customer_key, orders_placed, net_revenue_minor from marts.customers order by 1",
    ) == [("c1", 4, 750), ("c2", 2, 1000), ("c3", 1, 0)]
    assert [row[:5] for row in months_of(warehouse)] == [
        ("01", 0, 2, 2, 2),
        ("01", 1, 2, 2, 3),
        ("01", 3, 2, 1, 1),
    ]


def test_what_all_customers_and_guests_bought_is_the_revenue(warehouse):
    load(warehouse, *COHORTS, *ORDERS, order("guest", "2026-02-01", None, 80))
    (sums,) = warehouse.rows(
        "select (select sum(net_revenue_minor) from marts.daily_revenue) as revenue,"
        " (select sum(net_revenue_minor) from marts.customers) as customers,"
        " (select sum(net_revenue_minor) from marts.customer_cohorts) as cohorts,"
        " (select sum(guest_net_minor) from marts.daily_customers) as guests"
    )
    assert sums["revenue"] == 1750 + 1187 + 69_440 + 80
    assert sums["customers"] == sums["cohorts"] == sums["revenue"] - sums["guests"]
    assert sums["guests"] == 80


def crowd():
    """Ten customers: the n-th bought n euro, last on the n-th of February, the last five twice."""
    for n in range(1, 11):
        yield order(f"o{n:02}", f"2026-02-{n:02}", f"c{n:02}", 100 * n)
        if n > 5:
            yield order(f"p{n:02}", f"2026-01-{n:02}", f"c{n:02}", 0)


def test_scores_are_fifths_and_equal_customers_have_equal_scores(warehouse):
    cover(warehouse, "2026-02-20T12:00:00Z")
    load(warehouse, *crowd())
    assert tuples(
        warehouse,
        "select recency_score, frequency_score, monetary_score, segment, is_top_decile"
        " from marts.customer_segments order by customer_key",
    ) == [
        (1, 1, 1, "lost", False),
        (1, 1, 1, "lost", False),
        (2, 1, 2, "hibernating", False),
        (2, 1, 2, "hibernating", False),
        (3, 1, 3, "needs_attention", False),
        (3, 3, 3, "loyal", False),
        (4, 3, 4, "loyal", False),
        (4, 3, 4, "loyal", False),
        (5, 3, 5, "loyal", False),
        (5, 3, 5, "loyal", True),
    ]
    # The best one bought 1000 of 5500.
    assert warehouse.rows("select distinct top_decile_share from marts.customer_segments") == [
        {"top_decile_share": 1000 / 5500}
    ]


def test_a_recent_first_order_makes_a_customer_new(warehouse):
    load(warehouse, *crowd(), order("x", "2026-02-25", "c99"), order("y", "2026-02-26", "c98"))
    assert warehouse.rows(
        "select customer_key from marts.customer_segments where segment = 'new' order by 1"
    ) == [{"customer_key": "c98"}, {"customer_key": "c99"}]


def test_churn_is_measured_against_the_customers_own_rhythm(warehouse):
    first = date(2026, 1, 1)
    every = {"often": 10, "rarely": 60}
    orders = [
        order(f"{name}{n}", str(first + timedelta(days=gap * n)), name)
        for name, gap in every.items()
        for n in range(3)
    ]
    orders.append(order("once", "2026-01-21", "once"))
    churn = "select churn_after_days, is_churned from marts.customer_segments order by customer_key"
    load(warehouse, *orders)
    # Nothing is proven, so nobody knows what day it is.
    assert tuples(warehouse, churn) == [(90, None), (90, None), (120, None)]
    # Last orders: often and once on 21 January, rarely on 1 May.
    for day, gone in [
        ("2026-04-21", (False, False, False)),  # 90 days
        ("2026-04-22", (True, True, False)),
        ("2026-08-29", (True, True, False)),  # 120 days
        ("2026-08-30", (True, True, True)),
    ]:
        cover(warehouse, f"{day}T12:00:00Z")
        assert tuple(row["is_churned"] for row in warehouse.rows(churn)) == gone


def second_orders(warehouse):
    (row,) = warehouse.rows("from marts.second_orders where cohort_month = '2026-01-01'")
    return row


def test_customers_who_did_not_come_back_yet_are_waiting_not_lost(warehouse):
    load(
        warehouse,
        order("a1", "2026-01-01", "a"),
        order("a2", "2026-01-11", "a"),  # after 10 days
        order("b1", "2026-01-01", "b"),
        order("b2", "2026-02-10", "b"),  # after 40 days
        order("c1", "2026-01-01", "c"),
        order("d1", "2026-01-31", "d"),
        order("e1", "2026-01-31", "e"),
        order("e2", "2026-02-10", "e"),  # after 10 days
        order("e3", "2026-02-11", "e"),
    )
    row = second_orders(warehouse)
    assert (row["customers"], row["customers_with_second"], row["customers_waiting"]) == (5, 3, 2)
    assert row["median_days_to_second"] == 10
    assert row["followed_30"] == 0
    assert (row["share_within_30"], row["estimated_share_30"]) == (None, None)
    # a, b and c are followed for 55 days, d and e for 25.
    cover(warehouse, "2026-02-25T12:00:00Z")
    row = second_orders(warehouse)
    assert (row["followed_30"], row["second_within_30"]) == (3, 1)
    assert row["share_within_30"] == 1 / 3
    assert (row["followed_60"], row["share_within_60"]) == (0, None)
    # Day 10: 2 of 5 return. Day 25: d leaves the count. Day 40: 1 of the 2 left returns.
    assert row["estimated_share_30"] == pytest.approx(1 - 3 / 5)
    assert (row["estimated_share_60"], row["estimated_median_days"]) == (None, 40)
    cover(warehouse, "2026-05-05T12:00:00Z")
    row = second_orders(warehouse)
    assert (row["followed_90"], row["share_within_90"]) == (5, 3 / 5)
    # Nobody leaves the count before day 94 now: the estimate is the share.
    assert row["share_within_30"] == pytest.approx(2 / 5)
    assert row["estimated_share_30"] == pytest.approx(2 / 5)
    assert row["estimated_share_60"] == row["estimated_share_90"] == pytest.approx(3 / 5)


def test_when_all_came_back_the_estimate_is_certain(warehouse):
    cover(warehouse, "2026-01-25T12:00:00Z")
    load(warehouse, order("a1", "2026-01-01", "a"), order("a2", "2026-01-11", "a"))
    row = second_orders(warehouse)
    assert (row["share_within_30"], row["estimated_share_30"], row["estimated_share_90"]) == (
        *(None, 1.0, 1.0),
    )
    assert row["estimated_median_days"] == 10


def test_referrers_and_what_they_brought(warehouse):
    load(
        warehouse,
        order("a", "2026-01-01", "c1", 1000, referrer_id="r1"),
        order("b", "2026-01-05", "c1", 500, referrer_id="r1"),
        order("c", "2026-01-06", None, 200, referrer_id="r1"),
        order("d", "2026-01-07", "r1", 50, referrer_id="r1"),
        order("e", "2026-01-08", "c2", 70, referrer_id="r1", status="CANCELED"),
        order("f", "2026-01-09", "c3", 30),
        order("g", "2026-01-10", "c3", 40, referrer_id="r2"),
    )
    shown = (
        "select referrer_id, referred_orders_placed, referred_orders, customers, new_customers,"
        " guest_orders, self_referred_orders, net_revenue_minor, new_customer_net_minor"
        " from marts.referrals order by 1"
    )
    assert tuples(warehouse, shown) == [
        ("r1", 5, 4, 2, 2, 1, 1, 1750, 1050),
        ("r2", 1, 1, 1, 0, 0, 0, 40, 0),  # c3 had bought before
    ]
    # b was another's, and c3's first order is withdrawn.
    b = order("b", "2026-01-05", "c1", 500, referrer_id="r2")
    load_late(warehouse, changed(b), changed(order("f", "2026-01-09", "c3", 30, status="CANCELED")))
    assert tuples(warehouse, shown) == [
        ("r1", 4, 3, 2, 2, 1, 1, 1250, 1050),
        ("r2", 2, 2, 2, 1, 0, 0, 540, 40),
    ]
    b = changed(b, referrer_id=None, updated_at="2026-09-02T08:00:00Z")
    load_late(warehouse, b)
    assert [row[:3] for row in tuples(warehouse, shown)] == [("r1", 4, 3), ("r2", 1, 1)]


def test_customers_of_two_accounts_are_not_one(warehouse):
    warehouse.configure(account="second")
    warehouse.land(order("z", "2026-02-01", "c1"), account="second")
    load(warehouse, order("a", "2026-01-01", "c1"))
    assert tuples(
        warehouse, "select account, orders_recognised, cohort_month from marts.customers order by 1"
    ) == [("second", 1, date(2026, 2, 1)), ("shop", 1, date(2026, 1, 1))]
    assert warehouse.rows("select sum(new_customers) as n from marts.daily_customers") == [{"n": 2}]


@pytest.fixture
def house(tmp_path):
    with open_warehouse(tmp_path / "all.duckdb") as con:
        yield House(con)


MONEY = ("_minor", "_share", "ltv_minor", "monetary_score", "revenue_retention")


def test_a_source_without_money_has_customers_and_no_amounts(house):
    house.land("licensespring", license_order(1), license_order(2))
    house.refresh()
    for name in MINE[1:-2]:
        row = house.row(f"from {name}")
        amounts = {key: value for key, value in row.items() if key.endswith(MONEY)}
        assert amounts
        assert set(amounts.values()) == {None}
        assert (row["currency"], row["gives_money"]) == ("XXX", False)
        assert row["orders_recognised"] == 2
    assert house.row("select customers_with_second from marts.second_orders") == {
        "customers_with_second": 1
    }
    assert house.failing(*MINE) == set()


def test_refunds_and_rebills_of_a_source_that_knows_them(house):
    house.land(
        "ultracart",
        ultracart_order("u1"),
        ultracart_order(
            "u2",
            subtotal_refunded=20,
            subtotal_discount_refunded=2,
            total_refunded=26,
        )
        | {"auto_order": {"auto_order_code": "A", "original_order_id": "u1"}},
    )
    house.refresh()
    customer = house.row("from marts.customers")
    assert (customer["net_revenue_minor"], customer["refunds_minor"]) == (9_000, 2_600)
    assert customer["net_after_refunds_minor"] == 7_200
    assert (customer["rebill_orders"], customer["second_order_kind"]) == (1, "rebill")
    assert house.row("select rebill_orders from marts.daily_customers") == {"rebill_orders": 1}
    assert house.row("select second_by_rebill from marts.second_orders") == {"second_by_rebill": 1}
    assert house.failing(*MINE) == set()
