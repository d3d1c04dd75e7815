"""The example every figure is defined by: five orders, two business dates, one rollback."""

from datetime import date

import pytest

MARTS = ("marts.daily_summary", "marts.daily_status", "marts.orders", "core.order_versions")


def order(name, created_at, status, amount, customer, **fields):
    discounts = {
        key: fields[key]
        for key in ("discount_amount", "items_discount_amount", "total_discount_amount")
        if key in fields
    }
    return {
        "id": name,
        "object": "order",
        "created_at": created_at,
        "updated_at": fields.get("updated_at"),
        "status": status,
        "amount": amount,
        "total_amount": fields.get("total_amount", amount),
        "customer_id": customer,
        "items": [{"object": "order_item", "quantity": 1, "amount": amount, "price": amount}],
        "metadata": {},
        **discounts,
    }


A = {
    "discount_amount": 1243,
    "items_discount_amount": 270,
    "total_discount_amount": 1513,
    "total_amount": 1187,
}
ORDERS = [
    order("A", "2026-03-02T22:30:00Z", "PAID", 2700, "cust_1", **A),
    order(
        "B",
        "2026-03-02T23:30:00Z",
        "PAID",
        71600,
        "cust_2",
        items_discount_amount=7160,
        total_discount_amount=7160,
        total_amount=64440,
    ),
    order("C", "2026-03-03T10:00:00Z", "FULFILLED", 5000, "cust_1"),
    order("D", "2026-03-03T11:00:00Z", "CANCELED", 4000, None),
    order(
        "E",
        "2026-03-03T12:00:00Z",
        "CREATED",
        900,
        "cust_3",
        discount_amount=100,
        total_discount_amount=100,
        total_amount=800,
    ),
]
ROLLED_BACK = order(
    "A", "2026-03-02T22:30:00Z", "CANCELED", 2700, "cust_1", updated_at="2026-03-05T09:00:00Z"
)


def land_example(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()


@pytest.fixture
def example(copy_of):
    """The worked example, loaded once."""
    return copy_of(land_example)


def test_the_third_of_march(example):
    (day,) = example.rows("from marts.daily_revenue where order_date = '2026-03-03'")
    assert {
        key: day[key]
        for key in (
            "orders_placed",
            "orders_recognised",
            "orders_cancelled",
            "gross_revenue_minor",
            "discounts_minor",
            "net_revenue_minor",
            "average_order_net_minor",
            "pipeline_value_minor",
            "cancelled_value_minor",
            "new_customer_orders",
            "returning_customer_orders",
            "guest_orders",
        )
    } == {
        "orders_placed": 4,
        "orders_recognised": 2,
        "orders_cancelled": 1,
        "gross_revenue_minor": 76_600,
        "discounts_minor": 7_160,
        "net_revenue_minor": 69_440,
        "average_order_net_minor": 34_720,
        "pipeline_value_minor": 800,
        "cancelled_value_minor": 4_000,
        "new_customer_orders": 1,
        "returning_customer_orders": 1,
        "guest_orders": 0,
    }
    (given,) = example.rows("from marts.daily_discounts where order_date = '2026-03-03'")
    assert (given["orders_discounted"], given["orders_recognised"]) == (1, 2)
    assert (given["order_level_discount_minor"], given["item_level_discount_minor"]) == (0, 7_160)
    assert (given["depth_0_orders"], given["depth_5_10_orders"]) == (1, 1)
    (read,) = example.rows("from marts.daily_summary where order_date = '2026-03-03'")
    assert round(read["discount_rate"], 5) == 0.09347
    assert (read["discounted_order_share"], read["cancel_rate"]) == (0.5, 0.25)
    assert f"{read['net_revenue']:.2f}" == "694.40"
    statuses = example.rows(
        "select status, orders, orders_of_day, net_minor from marts.daily_status"
        " where order_date = '2026-03-03' order by status"
    )
    assert [tuple(row.values()) for row in statuses] == [
        ("cancelled", 1, 4, 4_000),
        ("created", 1, 4, 800),
        ("fulfilled", 1, 4, 5_000),
        ("paid", 1, 4, 64_440),
    ]


def test_discount_fields_are_not_added_up_twice(example):
    (day,) = example.rows("from marts.daily_revenue where order_date = '2026-03-02'")
    assert (day["discounts_minor"], day["net_revenue_minor"]) == (1_513, 1_187)


def test_a_rollback_restates_the_day_of_the_order_and_no_other(example):
    example.land(ROLLED_BACK)
    report = example.refresh()
    # The third is touched too: cust_1's first recognised order is now C.
    assert report.restated == [date(2026, 3, 2), date(2026, 3, 3)]
    second, third = example.rows("from marts.daily_revenue order by order_date")
    assert (second["net_revenue_minor"], second["cancelled_value_minor"]) == (0, 2_700)
    assert (third["net_revenue_minor"], third["new_customer_orders"]) == (69_440, 2)
    assert third["returning_customer_orders"] == 0


def test_a_past_evening_can_be_asked_for(warehouse):
    warehouse.land(*ORDERS)
    warehouse.land(ROLLED_BACK)
    warehouse.refresh()
    as_of = """
        select sum(net_minor) as net from core.order_versions
        where order_date = '2026-03-02' and is_recognised
            and valid_from <= '{0}' and (valid_to > '{0}' or valid_to is null)
    """
    assert warehouse.rows(as_of.format("2026-03-04T20:00:00Z")) == [{"net": 1_187}]
    assert warehouse.rows(as_of.format("2026-03-05T20:00:00Z")) == [{"net": None}]


def test_order_by_order(example):
    rows = example.rows(
        "select order_id, customer_kind, order_seq, days_since_previous_order, net_minor,"
        " round(discount_rate, 4) as rate, order_hour from marts.orders order by order_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("A", "new", 1, None, 1_187, 0.5604, 23),
        ("B", "new", 1, None, 64_440, 0.1, 0),
        ("C", "returning", 2, 1, 5_000, 0.0, 11),
        ("D", None, None, None, 4_000, 0.0, 12),
        ("E", None, None, None, 800, 0.1111, 13),
    ]
