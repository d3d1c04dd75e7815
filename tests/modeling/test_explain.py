"""A figure taken apart adds up to the figure, for every metric that is a sum."""

from datetime import date
from decimal import Decimal

import pytest

from orders_connector.errors import QueryRejected, WarehouseError
from orders_connector.explain import explain_within
from tests.modeling.test_worked_example import ORDERS, ROLLED_BACK, order

EXPLAINED = (
    "marts.daily_customers",
    "marts.daily_discounts",
    "marts.daily_funnel",
    "marts.daily_licenses",
    "marts.daily_promotions",
    "marts.daily_revenue",
    "marts.daily_status",
    "marts.hourly_revenue",
    "marts.license_products",
    "marts.status_durations",
)
MARTS = (*EXPLAINED, "marts.daily_products", "marts.daily_summary")

THIRD = date(2026, 3, 3)
# A figure of these says how it was made, but is no sum over orders.
NO_SUMS = {
    "average_discount_minor",
    "average_order_gross_minor",
    "average_order_net_minor",
    "median_order_net_minor",
    "orders_of_day",
    "p90_order_net_minor",
}


def restate(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()
    warehouse.land(ROLLED_BACK)
    warehouse.refresh()


@pytest.fixture
def house(copy_of):
    return copy_of(restate)


def explained(house, mart, *args, **options):
    return explain_within(house.con, house.models, mart, *args, **options)


@pytest.mark.parametrize("mart", ["daily_revenue", "daily_discounts", "daily_status"])
def test_every_metric_is_taken_apart(house, mart):
    days = [THIRD] if mart == "daily_discounts" else [date(2026, 3, 2), THIRD]
    found = [e for day in days for e in explained(house, mart, day)]
    assert found
    for explanation in found:
        if explanation.column in NO_SUMS:
            assert explanation.total is None or not explanation.contributions
        elif explanation.value is not None:
            assert (explanation.column, explanation.total) == (
                explanation.column,
                explanation.value,
            )


def test_net_revenue_of_the_third_of_march(house):
    (found,) = explained(house, "daily_revenue", THIRD, "net_revenue")
    assert [(c.order_id, c.amount, c.status) for c in found.contributions] == [
        ("B", 64_440, "paid"),
        ("C", 5_000, "fulfilled"),
    ]
    assert found.total == found.value == 69_440
    assert found.left_out == {"cancelled": 1, "created": 1}
    assert {c.extraction_id for c in found.contributions} == {"ext_1"}
    rules = " ".join(found.rules)
    assert "FULFILLED, PAID" in rules
    assert "Europe/Warsaw" in rules
    assert "version 1" in rules


@pytest.mark.parametrize("mart", EXPLAINED)
def test_what_claims_to_add_up_does(house, mart):
    day = house.rows(f"select max(order_date) as day from {mart}")[0]["day"]
    found = explained(house, mart, day) if day else []
    assert [
        (e.row, e.column, e.total, e.value)
        for e in found
        if e.total is not None and e.value is not None and e.total != e.value
    ] == []


def test_what_loads_changed_is_told(house):
    (found,) = explained(house, "daily_revenue", date(2026, 3, 2), "net_revenue")
    assert found.contributions == []
    assert (found.value, found.left_out) == (0, {"cancelled": 1})
    assert [(r.before, r.after, r.examples) for r in found.restated] == [
        (Decimal(1_187), Decimal(0), ("A changed",))
    ]


@pytest.mark.parametrize("metric", ["average_order_net", "median_order_net", "p90_order_net"])
def test_what_is_no_sum_lists_the_values_of_its_orders(house, metric):
    (found,) = explained(house, "marts.daily_revenue", THIRD, metric)
    assert found.total is None
    assert [(c.order_id, c.amount, c.operand) for c in found.contributions] == [
        ("B", None, 64_440),
        ("C", None, 5_000),
    ]


def test_a_difference_of_counts_lists_those_that_are_left(house):
    sixth = date(2026, 3, 6)
    house.land(
        order("F", "2026-03-06T09:00:00Z", "PAID", 100, "cust_new"),
        order("G", "2026-03-06T10:00:00Z", "PAID", 100, "cust_2"),
        order("H", "2026-03-06T11:00:00Z", "PAID", 100, "cust_2"),
    )
    house.refresh()
    (found,) = explained(house, "daily_customers", sixth, "returning_customers")
    assert [(c.order_id, c.amount) for c in found.contributions] == [("G", 1)]
    assert found.total == found.value == 1


def test_a_status_has_its_own_orders(house):
    found = explained(house, "daily_status", THIRD, "orders")
    assert {e.row["status"]: [c.order_id for c in e.contributions] for e in found} == {
        "cancelled": ["D"],
        "created": ["E"],
        "fulfilled": ["C"],
        "paid": ["B"],
    }


@pytest.mark.parametrize(
    ("mart", "metric", "text"),
    [
        ("daily_revnue", None, "there is no such mart. These can: "),
        ("daily_summary", None, "it does not add up orders by date"),
        ("daily_products", None, "it does not add up orders by date"),
        ("daily_revenue", "discount_rate", "discount_rate is a metric of marts.daily_summary"),
        ("daily_revenue", "profit", "has no metric profit"),
    ],
)
def test_what_cannot_be_explained_is_told(house, mart, metric, text):
    with pytest.raises(QueryRejected, match=text):
        explained(house, mart, THIRD, metric)


def test_a_date_without_orders_is_told(house):
    with pytest.raises(WarehouseError, match="no row for 2026-03-09"):
        explained(house, "daily_revenue", date(2026, 3, 9))
