"""The generated past: repeatable, consistent, and like a real shop's."""

import json
import time
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orders_connector.sandbox.voucherify import Clock, Switches, VoucherifySandbox


@pytest.fixture(scope="module")
def orders(lived_in):
    return lived_in.shop.truth()


def times(orders):
    return [datetime.fromisoformat(order["created_at"]) for order in orders]


def test_same_seed_and_now_give_the_same_bytes(now):
    one, two = (VoucherifySandbox(300, seed=5, now=now).shop.bodies() for _ in range(2))
    other = VoucherifySandbox(300, seed=6, now=now).shop.bodies()
    assert one == two
    assert one != other


def test_there_are_as_many_orders_as_asked_for_and_none_from_the_future(orders, now):
    assert len({order["id"] for order in orders}) == 1500
    for order in orders:
        assert datetime.fromisoformat(order["created_at"]) <= now
        updated = order.get("updated_at")
        assert updated is None or order["created_at"][:23] <= updated
        assert updated is None or datetime.fromisoformat(updated) <= now


def test_sums_satisfy_the_documented_formulas(orders):
    for order in orders:
        on_items = sum(item.get("discount_amount", 0) for item in order.get("items", []))
        total = order.get("discount_amount", 0) + on_items
        assert order.get("items_discount_amount", 0) == on_items
        assert order.get("total_discount_amount", 0) == total
        if "amount" in order:
            assert order["total_amount"] == order["amount"] - total >= 0
        for item in order.get("items", []):
            assert item["subtotal_amount"] == item["amount"] - item.get("discount_amount", 0) >= 0


def test_zero_discounts_are_absent_keys(orders):
    for order in orders:
        for part in [order, *order.get("items", [])]:
            assert 0 not in [value for key, value in part.items() if "discount_amount" in key]


def test_odd_orders_and_missing_keys_occur(orders):
    assert any("items" not in order for order in orders)
    assert any("metadata" not in order for order in orders)
    assert any("updated_at" not in order for order in orders)
    assert any(order.get("items") == [] for order in orders)
    assert any(order.get("amount") == 0 for order in orders)
    assert any("initial_amount" in item for o in orders for item in o.get("items", []))
    sums = [(o["amount"], sum(i["amount"] for i in o["items"])) for o in orders if o.get("items")]
    assert any(amount != items for amount, items in sums)
    lengths = Counter(len(order["created_at"]) for order in orders)
    assert {20, 24, 27, 28} <= lengths.keys()  # no fraction, milliseconds, microseconds, offset
    assert lengths[24] > 1400


def test_statuses_people_and_ids_are_mixed(orders):
    statuses = Counter(order["status"] for order in orders)
    assert statuses.keys() == {"CREATED", "PAID", "FULFILLED", "CANCELED"}
    customers = Counter(order["customer_id"] for order in orders)
    guests = customers.pop(None)
    assert 50 < guests < 200
    assert customers.most_common(1)[0][1] > 10
    assert sum(count == 1 for count in customers.values()) > 300
    assert any(order["referrer_id"] for order in orders)
    assert {len(order["id"]) for order in orders} == {22, 28}
    assert any("/" in (order["source_id"] or "") for order in orders)


def test_rolled_back_orders_are_canceled_without_discounts(orders):
    rolled_back = [
        order
        for order in orders
        if any("rollback_id" in entry for entry in order.get("redemptions", {}).values())
    ]
    assert len(rolled_back) > 10
    for order in rolled_back:
        assert order["status"] == "CANCELED"
        assert "total_discount_amount" not in order


def test_redeemed_orders_have_stacked_and_plain_entries(orders):
    entries = [entry for o in orders for entry in o.get("redemptions", {}).values()]
    kinds = Counter(entry["related_object_type"] for entry in entries)
    assert kinds.keys() == {"voucher", "promotion_tier", "redemption"}
    assert all(("stacked" in e) == (e["related_object_type"] == "redemption") for e in entries)


def test_imports_carry_the_true_date_in_the_metadata(orders):
    imported = [order for order in orders if "ordered_at" in order.get("metadata", {})]
    assert len(imported) > 30
    assert len({order["created_at"][:16] for order in imported}) == 2
    assert all(order["metadata"]["ordered_at"] < order["created_at"] for order in imported)


def test_updates_reach_90_days_back(orders):
    ages = [
        (datetime.fromisoformat(o["updated_at"]) - datetime.fromisoformat(o["created_at"])).days
        for o in orders
        if o.get("updated_at")
    ]
    assert max(ages) in range(60, 91)


def test_weekends_and_later_years_are_busier(now):
    orders = VoucherifySandbox(8000, now=now).shop.truth()
    placed = times(orders)
    weekdays = Counter(time.weekday() for time in placed)
    assert weekdays[5] > 1.15 * weekdays[1]
    middle = sorted(placed)[len(placed) // 2]
    assert (now - middle).days < 365
    midnight = sum(time.hour in (23, 0) and time.minute in (59, 0) for time in placed)
    assert midnight > 20


def test_an_order_has_about_three_items_and_under_two_kilobytes(lived_in, orders):
    items = sum(len(order.get("items", [])) for order in orders)
    assert 2.5 < items / len(orders) < 4
    assert 1300 < sum(map(len, lived_in.shop.bodies())) / len(orders) < 2200


def test_metadata_comes_in_many_shapes(orders):
    values = [value for o in orders for value in o.get("metadata", {}).values()]
    assert {type(value) for value in values} >= {str, int, float, bool, list, dict}
    payment = {
        type(o["metadata"]["payment_mean"])
        for o in orders
        if "payment_mean" in o.get("metadata", {})
    }
    assert payment == {str, list}


def test_two_thousand_orders_start_quickly(now):
    before = time.process_time()
    with VoucherifySandbox(2000, now=now):
        assert time.process_time() - before < 1  # about 0.15 s; the machine may be slow


def test_truth_is_what_get_returns(lived_in, orders, connect):
    client = connect(lived_in)
    assert [order["id"] for order in orders] == sorted(order["id"] for order in orders)
    for order in orders[::300]:
        assert (
            client.get(f"/v1/orders/{order['id']}").content
            == json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()
        )


def test_clock_stands_still_unless_told_to_run(now):
    clock = Clock(now)
    time.sleep(0.002)
    assert clock.now() == now
    clock.run(speed=3600)
    time.sleep(0.01)
    assert (clock.now() - now).total_seconds() >= 36
    clock.run(0)
    assert clock.now() == clock.now()
    clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    assert clock.now().year == 2027


def test_switches_refuse_unknown_values():
    assert Switches.parse(["export_header=fields", "export_polls=5"]) == Switches(
        export_header="fields", export_polls=5
    )
    for wrong in ("export_header=nice", "nonsense=1", "export_polls=-1", "export_polls=x"):
        with pytest.raises(ValueError, match=r"switch|invalid literal"):
            Switches.parse([wrong])


def test_the_guide_names_every_switch_with_its_default():
    guide = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    for field in fields(Switches):
        row = next(line for line in guide.splitlines() if line.startswith(f"| `{field.name}` "))
        assert f"**`{field.default}`**" in row
