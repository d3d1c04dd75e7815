"""The ledger: every past figure that a load changed, and the orders behind it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orders_connector.modeling.restatements import read_restatements
from tests.modeling.test_worked_example import ORDERS, ROLLED_BACK

MARTS = ("marts.daily_summary", "marts.daily_status")


def land_example(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()


@pytest.fixture
def warehouse(copy_of):
    """The worked example, loaded once."""
    return copy_of(land_example)


def restated(warehouse, model="marts.daily_revenue", **options):
    return {
        (str(r.order_date), r.metric): (r.before, r.after)
        for r in read_restatements(warehouse.con, **options)
        if r.model == model
    }


def test_a_first_load_restates_nothing(warehouse):
    warehouse.refresh()
    assert read_restatements(warehouse.con) == []


def test_a_rollback_is_in_the_ledger_with_its_order(warehouse):
    warehouse.land(ROLLED_BACK)
    report = warehouse.refresh()
    found = read_restatements(warehouse.con, load_id=report.load_id)
    (net,) = [
        r for r in found if r.metric == "net_revenue_minor" and r.order_date == date(2026, 3, 2)
    ]
    assert (net.before, net.after, net.difference) == (1_187, 0, -1_187)
    assert (net.reason, net.orders, net.examples) == ("orders", 1, ("A changed",))
    # C became its customer's first order: the third of March has another split, same revenue.
    (new,) = [r for r in found if r.metric == "new_customer_orders" and r.order_date.day == 3]
    assert (new.before, new.after, new.examples) == (1, 2, ("C resequenced",))
    assert ("2026-03-03", "net_revenue_minor") not in restated(warehouse)


def test_an_order_that_moves_to_another_day_restates_both(warehouse):
    moving = ORDERS[2]
    warehouse.land(
        moving | {"updated_at": "2026-03-06T10:00:00Z", "metadata": {"ordered_at": "2026-03-02"}}
    )
    warehouse.refresh()
    figures = restated(warehouse)
    assert figures["2026-03-02", "net_revenue_minor"] == (1_187, 6_187)
    assert figures["2026-03-03", "net_revenue_minor"] == (69_440, 64_440)
    causes = warehouse.rows(
        "select order_date, change from ops.restated_orders where order_id = 'C'"
    )
    assert [tuple(row.values()) for row in causes] == [
        (date(2026, 3, 2), "added"),
        (date(2026, 3, 3), "removed"),
    ]


def test_a_new_day_is_no_restatement(warehouse):
    warehouse.land(ORDERS[1] | {"id": "F", "created_at": "2026-03-09T10:00:00Z"})
    warehouse.refresh()
    assert read_restatements(warehouse.con) == []


def test_another_setting_restates_without_orders(warehouse):
    warehouse.con.execute("delete from ops.account_lists where value = 'FULFILLED'")
    warehouse.refresh()
    (net,) = [r for r in read_restatements(warehouse.con) if r.metric == "net_revenue_minor"]
    assert (net.before, net.after, net.reason, net.orders) == (69_440, 64_440, "rebuild", 0)


def test_it_can_be_asked_by_time_and_account(warehouse):
    warehouse.land(ROLLED_BACK)
    warehouse.refresh()
    today = datetime.now(UTC).date()
    assert restated(warehouse, since=today, account="shop")
    assert not restated(warehouse, since=today + timedelta(days=1))
    assert not restated(warehouse, account="another")


def test_the_ledger_adds_up_to_the_figures(warehouse):
    """First figures plus all differences are the figures of now."""
    net = "select order_date, net_revenue_minor from marts.daily_revenue order by all"
    first = {row["order_date"]: row["net_revenue_minor"] for row in warehouse.rows(net)}
    for number, status in enumerate(["CANCELED", "PAID", "CANCELED", "FULFILLED"], start=1):
        for order in ORDERS[number - 1 : number + 1]:
            warehouse.land(order | {"status": status, "updated_at": f"2026-04-0{number}T10:00:00Z"})
        warehouse.refresh()
    for r in read_restatements(warehouse.con):
        if r.metric == "net_revenue_minor" and r.model == "marts.daily_revenue":
            first[r.order_date] += r.difference
    assert first == {row["order_date"]: row["net_revenue_minor"] for row in warehouse.rows(net)}
