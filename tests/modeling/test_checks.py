"""The checks of the headers pass on good data and find what is broken."""

import pytest

from orders_connector.modeling.checks import run_checks

ORDERS = [
    {
        "id": f"o{n}",
        "created_at": f"2026-03-{n:02}T10:00:00Z",
        "status": "PAID",
        "amount": 1000,
        "items": [{"product_id": "p", "quantity": 1, "amount": 1000}],
    }
    for n in range(1, 6)
]


@pytest.fixture
def loaded(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()
    return warehouse


def failing(warehouse):
    results = run_checks(warehouse.con, warehouse.models.values())
    assert len(results) > 20
    return {(r.model, r.name): r for r in results if not r.passed}


def test_good_data_passes_every_check(loaded):
    assert failing(loaded) == {}


@pytest.mark.parametrize(
    ("damage", "model", "check"),
    [
        (
            "insert into core.orders from core.orders limit 1",
            "core.orders",
            "unique_source_account_order_id",
        ),
        (
            "update core.orders set order_date = null where order_id = 'o1'",
            "core.orders",
            "not_null_order_key_source_account_order_id_version_id_order_date_status_currency",
        ),
        ("update core.orders set status = 'lost'", "core.orders", "status_accepted"),
        ("update core.orders set net_minor = 7", "core.orders", "net_is_gross_less_discounts"),
        ("delete from core.orders", "core.order_items", "belongs_to_core_orders"),
        (
            "update marts.daily_revenue set guest_orders = 9",
            "marts.daily_revenue",
            "customers_split_is_complete",
        ),
    ],
)
def test_damage_is_found_and_shown(loaded, damage, model, check):
    loaded.con.execute(damage)
    found = failing(loaded)[model, check]
    assert found.failing > 0
    assert found.sample


def test_severity_comes_from_the_header(loaded):
    loaded.con.execute("update core.orders set net_minor = 7")
    severities = {check.severity for check in failing(loaded).values()}
    assert severities == {"warn"}
