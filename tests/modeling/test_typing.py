"""What odd input becomes: typed exactly, or put aside with a reason, never dropped."""

from datetime import date

import pytest

MARTS = (
    "core.order_discounts",
    "core.orders",
    "marts.daily_revenue",
    "marts.daily_status",
)

BASE = {"id": "o", "created_at": "2026-03-01T10:00:00Z", "status": "PAID", "amount": 1000}


def load(warehouse, **fields):
    order = {key: value for key, value in (BASE | fields).items() if value != "absent"}
    warehouse.land(order)
    warehouse.refresh()
    return warehouse.rows("from core.orders"), warehouse.rows("from ops.quarantine")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount": "ten"}, "amount is not an amount in minor units: ten"),
        ({"amount": 12.5}, "amount is not an amount in minor units: 12.5"),
        ({"amount": -5}, "amount is not an amount in minor units: -5"),
        ({"amount": 10**30}, f"amount is not an amount in minor units: {10**30}"),
        ({"total_amount": True}, "total_amount is not an amount in minor units: true"),
        ({"discount_amount": []}, "discount_amount is not an amount in minor units: []"),
        ({"items": [{"quantity": "two"}]}, "items[0].quantity is not a whole number of units: two"),
        (
            {"items": [{"quantity": 1}, {"amount": 0.5}]},
            "items[1].amount is not an amount in minor units: 0.5",
        ),
        ({"items": {"a": 1}}, "items is not array but object"),
        ({"redemptions": [1]}, "redemptions is not object but array"),
        ({"metadata": "text"}, "metadata is not object but varchar"),
        ({"created_at": "yesterday"}, "created_at is not a time: yesterday"),
        ({"updated_at": "2026-13-01T00:00:00Z"}, "updated_at is not a time: 2026-13-01T00:00:00Z"),
        ({"created_at": "absent"}, "the order has neither updated_at nor created_at"),
    ],
)
def test_what_cannot_be_typed_is_put_aside_with_its_reason(warehouse, fields, reason):
    orders, quarantine = load(warehouse, **fields)
    assert orders == []
    (entry,) = quarantine
    assert (entry["order_id"], entry["reason"]) == ("o", reason)
    (raw,) = warehouse.rows("select version_id from raw.order_payloads")
    assert entry["version_id"] == raw["version_id"]


def test_a_version_that_cannot_be_typed_hides_no_earlier_one(warehouse):
    load(warehouse)
    orders, quarantine = load(warehouse, updated_at="2026-03-02T10:00:00Z", amount="ten")
    assert [order["gross_minor"] for order in orders] == [1000]
    assert len(quarantine) == 1
    orders, _ = load(warehouse, updated_at="2026-03-03T10:00:00Z", amount=3000)
    assert [order["gross_minor"] for order in orders] == [3000]


@pytest.mark.parametrize("amount", [0, 2**53 + 1, 10**18 - 1, 1000.0, "1000"])
def test_amounts_are_exact(warehouse, amount):
    ((order,), quarantine) = load(warehouse, amount=amount)
    assert order["gross_minor"] == int(amount)
    assert quarantine == []


@pytest.mark.parametrize(
    ("status", "common"),
    [("CREATED", "created"), ("CANCELED", "cancelled"), ("PROCESSING", "other"), (None, "unknown")],
)
def test_an_unknown_status_is_kept_as_given(warehouse, status, common):
    ((order,), _) = load(warehouse, status=status)
    assert (order["source_status"], order["status"]) == (status, common)
    assert order["is_recognised"] is False


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.123Z",
        "2026-03-01T10:00:00.123456789Z",
        "2026-03-01T12:00:00.5+02:00",
        "2026-03-01T10:00:00",
    ],
)
def test_times_of_any_precision_and_offset_are_read(warehouse, text):
    ((order,), quarantine) = load(warehouse, created_at=text)
    assert order["created_at"].strftime("%Y-%m-%d %H:%M") == "2026-03-01 10:00"
    assert quarantine == []


@pytest.mark.parametrize(
    ("ordered_at", "day", "source"),
    [
        ("2025-12-24", date(2025, 12, 24), "metadata"),
        ("2025-12-24T23:30:00Z", date(2025, 12, 25), "metadata"),
        ("2025-12-24T23:30:00+05:00", date(2025, 12, 24), "metadata"),
        ("at Christmas", date(2026, 3, 1), "created_at"),
        (20251224, date(2026, 3, 1), "created_at"),
        (None, date(2026, 3, 1), "created_at"),
        (["2025-12-24"], date(2026, 3, 1), "created_at"),
    ],
)
def test_the_business_date_comes_from_the_metadata_when_it_can(warehouse, ordered_at, day, source):
    ((order,), quarantine) = load(warehouse, metadata={"ordered_at": ordered_at})
    assert (order["order_date"], order["order_date_source"]) == (day, source)
    assert quarantine == []


def test_daylight_saving_decides_the_business_date(warehouse):
    # Warsaw: UTC+1 until 29 March 2026 01:00 UTC, UTC+2 after.
    warehouse.land(
        BASE | {"id": "before", "created_at": "2026-03-28T22:30:00Z"},
        BASE | {"id": "after", "created_at": "2026-03-29T22:30:00Z"},
    )
    warehouse.refresh()
    days = {r["order_id"]: r["order_date"] for r in warehouse.rows("from core.orders")}
    assert days == {"before": date(2026, 3, 28), "after": date(2026, 3, 30)}


@pytest.mark.parametrize(
    ("metadata", "currency", "exponent"),
    [({}, "EUR", 2), ({"currency": "jpy"}, "JPY", 0), ({"currency": "shells"}, "SHELLS", None)],
)
def test_currencies_are_never_mixed(warehouse, metadata, currency, exponent):
    warehouse.land(BASE | {"id": "euro"})
    ((first, second), _) = load(warehouse, metadata=metadata | {"x": 1})
    assert {first["currency"], second["currency"]} == {"EUR", currency}
    days = warehouse.rows("select currency, minor_unit_exponent from marts.daily_revenue")
    assert {"currency": currency, "minor_unit_exponent": exponent} in days
    assert len(days) == len({"EUR", currency})


@pytest.mark.parametrize("metadata", [None, {}, {"a": {"b": [1, None]}}, {"a": 1e300}, {"'": '"'}])
def test_metadata_of_any_shape_is_harmless(warehouse, metadata):
    orders, quarantine = load(warehouse, metadata=metadata)
    assert len(orders) == 1
    assert quarantine == []


def test_test_orders_are_in_core_and_in_no_mart(warehouse):
    orders, _ = load(warehouse, metadata={"test": "true"})
    assert [order["is_test"] for order in orders] == [True]
    assert warehouse.rows("from marts.daily_revenue") == []
    assert warehouse.rows("from marts.daily_status") == []


def test_a_stack_counts_its_children_and_not_itself(warehouse):
    redemptions = {
        "r_p": {
            "date": "2026-03-01T10:00:00Z",
            "related_object_type": "redemption",
            "stacked": ["r_1", "r_2"],
        },
        "r_3": {
            "date": "2026-03-01T10:00:00Z",
            "related_object_type": "voucher",
            "related_object_id": "v_1",
            "related_object_parent_id": "camp_1",
            "rollback_id": "rr_1",
            "rollback_date": "2026-03-04T10:00:00Z",
        },
    }
    ((order,), _) = load(warehouse, redemptions=redemptions)
    assert (order["redemption_count"], order["rollback_count"]) == (3, 1)
    rows = warehouse.rows(
        "select redemption_id, parent_redemption_id, kind, is_stack,"
        " is_rolled_back from core.order_discounts order by redemption_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("r_1", "r_p", "unknown", False, False),
        ("r_2", "r_p", "unknown", False, False),
        ("r_3", None, "voucher", False, True),
        ("r_p", None, "redemption", True, False),
    ]


def test_free_units_are_told_apart_and_shipping_is_no_product(warehouse):
    items = [
        {
            "product_id": "p1",
            "quantity": 2,
            "initial_quantity": 1,
            "amount": 2000,
            "initial_amount": 1000,
            "discount_amount": 1000,
            "subtotal_amount": 1000,
        },
        {"source_id": "prod_5h1pp1ng", "related_object": "product", "quantity": 1, "amount": 500},
    ]
    ((order,), _) = load(warehouse, amount=2500, items=items, items_discount_amount=1000)
    assert (order["effect_value_minor"], order["line_count"], order["units"]) == (1000, 1, 2)
    assert (order["item_discount_minor"], order["net_minor"]) == (1000, 1500)
