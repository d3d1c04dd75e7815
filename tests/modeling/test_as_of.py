"""A past evening can be asked for, and answers what the marts said then."""

import pytest

from orders_connector.modeling.macros import load_macros
from tests.modeling.test_worked_example import ORDERS, ROLLED_BACK

MARTS = ("marts.daily_revenue", "core.order_versions")

COLUMNS = ", ".join(
    next(m for m in load_macros() if m.name == "marts.daily_revenue_as_of").header.columns
)
NOW = f"select {COLUMNS} from marts.daily_revenue order by all"


def as_of(warehouse, moment):
    return warehouse.rows(
        f"select {COLUMNS} from marts.daily_revenue_as_of('{moment}') order by all"
    )


def test_before_and_after_a_rollback(warehouse):
    warehouse.land(*ORDERS)
    warehouse.land(ROLLED_BACK)
    warehouse.refresh()
    net = (
        "select net_revenue_minor as net from marts.daily_revenue_as_of('{}')"
        " where order_date = '2026-03-02'"
    )
    assert warehouse.rows(net.format("2026-03-04T20:00:00Z")) == [{"net": 1_187}]
    assert warehouse.rows(net.format("2026-03-05T20:00:00Z")) == [{"net": 0}]
    # A moment has a zone: the rollback came at 10:00 in Warsaw.
    assert warehouse.rows(net.format("2026-03-05T09:59:00+01:00")) == [{"net": 1_187}]
    assert as_of(warehouse, "2026-03-02T22:00:00Z") == []


def test_the_customer_who_is_new_then(warehouse):
    warehouse.land(*ORDERS)
    warehouse.land(ROLLED_BACK)
    warehouse.refresh()
    (_, then) = as_of(warehouse, "2026-03-04T20:00:00Z")
    (_, now) = as_of(warehouse, "2026-03-06T20:00:00Z")
    assert (then["new_customer_orders"], then["returning_customer_orders"]) == (1, 1)
    assert (now["new_customer_orders"], now["returning_customer_orders"]) == (2, 0)


@pytest.mark.parametrize("status", ["CANCELED", "CREATED"])
def test_what_was_shown_is_what_is_answered_later(warehouse, status):
    """Each evening's mart is kept; after all changes each evening is asked for."""
    kept = {}
    for day, order in enumerate([*ORDERS, *reversed(ORDERS)], start=10):
        at = f"2026-02-{day}T12:00:00Z"
        changed = {"updated_at": at, "status": status if day > 14 else order["status"]}
        fresh = {"created_at": at} if day <= 14 else {"created_at": f"2026-02-{29 - day}T12:00:00Z"}
        warehouse.land(order | fresh | changed)
        if day == 18:
            warehouse.land_gone("E")
        warehouse.refresh()
        kept[f"2026-02-{day}T21:00:00Z"] = warehouse.rows(NOW)
    for moment, shown in kept.items():
        if moment < "2026-02-18":
            assert as_of(warehouse, moment) == shown, moment
    assert as_of(warehouse, "2030-01-01T00:00:00Z") == warehouse.rows(NOW)
