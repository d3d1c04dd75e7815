"""Single orders: their parts and shapes, and what may be done to them."""

import dataclasses
from datetime import timedelta
from itertools import pairwise

import pytest

from orders_connector.sandbox.ultracart import RefundOptions, Switches
from orders_connector.sandbox.ultracart.expansions import EVERYTHING

STUB = {"merchant_id", "order_id", "current_stage", "creation_dts", "language_iso_code"}
SAME_CURRENCY = {"value", "localized", "localized_formatted"}
OTHER_CURRENCY = SAME_CURRENCY | {"currency_code", "exchange_rate"}
SUMS = {
    *("shipping_handling_total", "subtotal", "tax", "total", "shipping_handling_total_discount"),
    *("subtotal_discount", "taxable_subtotal_discount", "taxable_subtotal"),
}
REFUNDED = {
    *("subtotal_discount_refunded", "subtotal_refunded", "tax_refunded"),
    *("shipping_handling_refunded", "total_refunded"),
}
LINE = {
    *("merchant_item_id", "quantity", "description", "cost", "discount", "item_reference_oid"),
    *("unit_cost_with_discount", "total_cost_with_discount", "distribution_center_code"),
    *("tax_product_type", "item_index", "cogs"),
}


def value(part, key):
    return round(part.get(key, {"value": 0})["value"] * 100)


def shown(client, order_id, expand=""):
    return client.get(f"/order/orders/{order_id}", params={"_expand": expand}).json()["order"]


def first(box, keep):
    return next(order for order in box.truth() if keep(order))


def is_plain(order):
    """Not refunded, not rejected, in base currency."""
    return not order.keys() & {"refund_dts", "reject_dts", "currency_code"}


def is_waiting(order):
    """To be shipped, and nobody has begun."""
    started = any("transmitted_to_distribution_center_dts" in item for item in order["items"])
    waits = order["current_stage"] == "Shipping Department" and not started
    return waits and "shipping_date" not in order["shipping"]


# --- parts and shapes ----------------------------------------------------------------------------


def test_an_order_without_expansion_is_a_stub(lived_in, connect):
    client = connect(lived_in)
    order = first(lived_in, lambda o: is_plain(o) and o["current_stage"] == "Completed Order")
    answer = client.get(f"/order/orders/{order['order_id']}").json()
    assert answer.keys() == {"order", "success", "metadata"}
    assert (answer["success"], answer["metadata"]) == (True, {"payload_name": "order"})
    assert answer["order"].keys() == STUB
    foreign = first(lived_in, lambda o: "currency_code" in o and "reject_dts" in o)
    more = {"currency_code", "exchange_rate", "reject_dts", "reject_reason"}
    assert (
        shown(client, foreign["order_id"]).keys() - {"refund_dts", "refund_reason"} == STUB | more
    )


@pytest.mark.parametrize(
    ("expand", "keys"),
    [
        ("summary", {"summary"}),
        ("item", {"items"}),
        ("items", set()),
        ("Summary", set()),
        ("summary,nonsense,taxes", {"summary", "taxes"}),
        ("utms,checkout", {"utms", "checkout"}),
        ("billing,shipping", {"billing", "shipping"}),
    ],
)
def test_only_known_expansions_fill_parts(lived_in, connect, expand, keys):
    order = first(lived_in, lambda o: is_plain(o) and "taxes" in o)
    assert shown(connect(lived_in), order["order_id"], expand).keys() == STUB | keys


def test_deep_parts_need_their_own_expansion(lived_in, connect):
    client = connect(lived_in)
    paid = first(lived_in, lambda o: "transactions" in o["payment"])["order_id"]
    assert "transactions" not in shown(client, paid, "payment")["payment"]
    assert shown(client, paid, "payment.transaction")["payment"]["transactions"]
    sent = first(lived_in, lambda o: "shipping_date" in o["shipping"])["order_id"]
    assert shown(client, sent, "shipping")["shipping"]["tracking_number_details"] == []
    deep = shown(client, sent, "shipping.tracking_number_details")
    assert deep["shipping"]["tracking_number_details"]
    referred = first(lived_in, lambda o: "affiliates" in o)["order_id"]
    assert shown(client, referred, "affiliate")["affiliates"][0].keys() == {"affiliate_oid"}
    assert shown(client, referred, "affiliate.ledger")["affiliates"][0]["ledger_entries"]


@pytest.mark.parametrize(
    ("switch", "by_name", "unnamed"),
    [("by_name", True, False), ("never", False, False), ("always", True, True)],
)
def test_parts_that_no_list_of_expansions_names(start, connect, switch, by_name, unnamed):
    box = start(1, switches=Switches(unlisted_parts=switch))
    client, order_id = connect(box), box.truth()[0]["order_id"]
    named = shown(client, order_id, "current_stage_histories")
    assert ("current_stage_histories" in named) == by_name
    assert ("current_stage_histories" in shown(client, order_id)) == unnamed


def test_truth_is_what_get_returns_with_everything(lived_in, connect):
    client, truth = connect(lived_in), lived_in.truth()
    assert len(truth) == 1200
    for order in truth[::100]:
        assert shown(client, order["order_id"], EVERYTHING) == order


def walk_values(value):
    yield value
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        yield from walk_values(child)


def test_nulls_and_false_booleans_are_left_out(lived_in):
    for order in lived_in.truth():
        assert not [one for one in walk_values(order) if one is None or one is False]


def test_amounts_have_the_documented_keys_and_bare_whole_numbers(lived_in):
    for order in lived_in.truth():
        keys = OTHER_CURRENCY if "currency_code" in order else SAME_CURRENCY
        for amount in walk_values(order):
            if isinstance(amount, dict) and "localized" in amount:
                assert amount.keys() == keys
                for number in (amount["value"], amount["localized"]):
                    assert isinstance(number, float) == (number != int(number))
                    assert number == round(number, 2)
                rate = order.get("exchange_rate", 1)
                assert amount["localized"] == pytest.approx(amount["value"] * rate, abs=0.51)


def test_sums_and_lines_have_the_documented_shape(lived_in):
    for order in lived_in.truth():
        refunded = REFUNDED if "refund_dts" in order else set()
        sums = {key for key in order["summary"] if not key.startswith(("actual_", "other_"))}
        assert sums == SUMS | refunded
        assert all(item.keys() >= LINE for item in order["items"])
        assert [item["item_index"] for item in order["items"]] == list(
            range(1, len(order["items"]) + 1)
        )


def test_sums_add_up_but_for_gift_charges(lived_in):
    residuals = set()
    for order in lived_in.truth():
        s = {key: value(order["summary"], key) for key in SUMS}
        lines = order["items"]
        assert s["subtotal"] == sum(round(value(i, "cost") * i["quantity"]) for i in lines)
        assert s["subtotal_discount"] == sum(value(i, "discount") for i in lines)
        parts = s["subtotal"] - s["subtotal_discount"] + s["shipping_handling_total"] + s["tax"]
        residual = s["total"] - (parts - s["shipping_handling_total_discount"])
        assert residual == value(order.get("gift", {}), "gift_charge")
        residuals.add(residual)
    assert residuals == {0, 130}


def test_kits_carry_the_money_and_their_components_none(lived_in):
    kits = [o for o in lived_in.truth() if any(item.get("kit") for item in o["items"])]
    assert len(kits) > 50
    for order in kits:
        skus = {item["item_index"]: item["merchant_item_id"] for item in order["items"]}
        parts = [item for item in order["items"] if item.get("kit_component")]
        assert parts
        for part in parts:
            assert value(part, "total_cost_with_discount") == 0
            assert part["component_unit_value"] > 0
            assert skus[part["parent_item_index"]] == part["parent_merchant_item_id"]


def test_every_stage_is_passed_and_histories_are_chains(lived_in):
    passed = set()
    for order in lived_in.truth():
        entries = order["current_stage_histories"]
        assert "before_stage" not in entries[0]
        assert entries[0]["transition_dts"] == order["creation_dts"]
        for one, two in pairwise(entries):
            assert one["after_stage"] == two["before_stage"] != two["after_stage"]
        assert entries[-1]["after_stage"] == order["current_stage"]
        passed |= {entry["after_stage"] for entry in entries}
    assert len(passed) == 13


def test_dates_carry_the_eastern_offset_of_their_season(lived_in):
    offsets = {(o["creation_dts"][5:7], o["creation_dts"][19:]) for o in lived_in.truth()}
    assert {offset for month, offset in offsets if month == "01"} == {"-05:00"}
    assert {offset for month, offset in offsets if month == "07"} == {"-04:00"}
    assert {offset for month, offset in offsets if month == "03"} == {"-05:00", "-04:00"}


def test_the_past_is_mixed_and_repeatable(start, lived_in, now):
    truth = lived_in.truth()
    assert sum(order["payment"].get("test_order", False) for order in truth) in range(5, 40)
    assert {o["currency_code"] for o in truth if "currency_code" in o} == {
        *("EUR", "GBP", "CAD", "JPY")
    }
    assert any("auto_order" in order for order in truth)
    assert any("payment_dts" not in order["payment"] for order in truth)
    assert any(order["payment"]["payment_status"] == "Refunded" for order in truth)
    one, two = (start(100, seed=3).shop.bodies() for _ in range(2))
    assert one == two != start(100, seed=4).shop.bodies()
    named = start(1, merchant_id="OTHER").truth()[0]
    assert (named["merchant_id"], named["order_id"]) == ("OTHER", "OTHER-0001000001")


def test_discounts_and_totals_may_be_read_another_way(start):
    box = start(400)
    before = {order["order_id"]: order for order in box.truth()}
    box.switches = Switches(item_discount="unit", total_and_gift_certificate="after")
    seen = set()
    for order in box.truth():
        for item, old in zip(order["items"], before[order["order_id"]]["items"], strict=True):
            assert round(value(item, "discount") * item["quantity"]) == value(old, "discount")
            seen.add(item["discount"] == old["discount"])
        certificate = value(order.get("gift_certificate", {}), "gift_certificate_amount")
        old_total = value(before[order["order_id"]]["summary"], "total")
        assert value(order["summary"], "total") == old_total - certificate
    assert seen == {True, False}


# --- reading and changing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch", "status"), [("bad_request", 400), ("not_found", 404), ("no_order", 200)]
)
def test_a_missing_order(start, connect, switch, status):
    client = connect(start(switches=Switches(missing_order=switch)))
    answer = client.get("/order/orders/ACME-1")
    assert answer.status_code == status
    assert "order" not in answer.json()


def test_an_update_merges_objects_and_leaves_ids_dates_and_stage(start, connect):
    box = start(3)
    client, old = connect(box), box.truth()[0]
    changes = {
        "order_id": "other",
        "current_stage": "Hold",
        "creation_dts": "2020-01-01T00:00:00-05:00",
        "checkout": {"custom_field2": "gold"},
        "tags": [{"tag_value": "new"}],
        "billing": None,
    }
    assert client.put(f"/order/orders/{old['order_id']}", json=changes).status_code == 200
    new = box.truth()[0]
    assert new.pop("checkout") == old.pop("checkout") | {"custom_field2": "gold"}
    assert new.pop("tags") == [{"tag_value": "new"}]
    assert new == {key: value for key, value in old.items() if key != "tags"}


def test_a_deleted_order_vanishes_from_everywhere(start, connect, order_ids):
    box = start(3)
    client, gone = connect(box), box.truth()[1]["order_id"]
    answer = client.delete(f"/order/orders/{gone}")
    assert (answer.status_code, answer.content) == (204, b"")
    for find in ({"order_id": gone}, {"creation_date_begin": "2020-01-01T00:00:00Z"}):
        assert gone not in order_ids(client.get("/order/orders", params=find))
    again = client.delete(f"/order/orders/{gone}")
    assert again.status_code == 400
    assert again.json().keys() == {"error", "metadata"}


def test_cancel_rejects_and_refunds_what_was_paid(start, connect):
    box = start(1200)
    client = connect(box)
    for skip in (False, True):
        order = first(box, lambda o: is_plain(o) and is_waiting(o))
        path = f"/order/orders/{order['order_id']}/cancel"
        answer = client.post(path, params={"skip_refund_and_hold": skip})
        assert answer.json() == {"success": True, "metadata": {}}
        after = box.shop.get(order["order_id"])
        assert after["current_stage"] == "Rejected"
        assert value(after["summary"], "total_refunded") == (
            0 if skip else value(after["summary"], "total")
        )
        assert client.post(path).status_code == 400  # rejected already


@pytest.mark.parametrize("stage", ["Completed Order", "Rejected"])
def test_a_finished_order_cannot_be_cancelled(lived_in, connect, stage):
    order = first(lived_in, lambda o: o["current_stage"] == stage)
    answer = connect(lived_in).post(f"/order/orders/{order['order_id']}/cancel")
    assert answer.status_code == 400


def test_an_order_that_was_handed_over_cannot_be_cancelled(start, connect, paid_order):
    box = start(100)
    order = paid_order(box, lambda o: o["current_stage"] == "Shipping Department")
    order["items"][0]["transmitted_to_distribution_center_dts"] = order["creation_dts"]
    box.shop.put_raw(order)
    path = f"/order/orders/{order['order_id']}/cancel"
    assert connect(box).post(path).status_code == 400


# --- refunds -------------------------------------------------------------------------------------


@pytest.fixture
def teapots(start, paid_order):
    """A shop with one paid order of 2 x 30 and 1 x 40, 10 % off, 7.50 shipping, 7 % tax."""
    box = start(60)
    order = paid_order(box, lambda o: "auto_order" not in o and "currency_code" not in o)

    def money(amount):
        return {"value": amount, "localized": amount, "localized_formatted": f"${amount:.2f}"}

    def line(index, quantity, cost, unit):
        total = unit * quantity
        return {
            "merchant_item_id": f"T{index}",
            "item_index": index,
            "quantity": quantity,
            "cost": money(cost),
            "discount": money(cost * quantity - total),
            "unit_cost_with_discount": money(unit),
            "total_cost_with_discount": money(total),
        }

    sums = {"subtotal": 100, "subtotal_discount": 10, "shipping_handling_total": 7.5, "tax": 6.3}
    sums |= {"shipping_handling_total_discount": 0, "total": 103.8}
    order |= {
        "order_id": "ACME-0001000001",
        "items": [line(1, 2, 30, 27), line(2, 1, 40, 36)],
        "summary": {key: money(amount) for key, amount in sums.items()},
        "auto_order": {"auto_order_oid": 7, "status": "active", "enabled": True},
        "affiliates": [{"affiliate_oid": 1, "ledger_entries": [{"transaction_state": "Posted"}]}],
    }
    order.pop("gift_certificate", None)
    box.shop.put_raw(order)
    return box


ONE_POT = {
    "items": [{"item_index": 1, "quantity_refunded": 1, "total_refunded": {"value": 27}}],
    "summary": {
        "subtotal_refunded": {"value": 30},
        "subtotal_discount_refunded": {"value": 3},
        "tax_refunded": {"value": 1.89},
    },
    "refund_reason": "CustomerReturn",
}
ALL_OF_IT = {
    "summary": {
        "subtotal_refunded": {"value": 100},
        "subtotal_discount_refunded": {"value": 10},
        "tax_refunded": {"value": 6.3},
        "shipping_handling_refunded": {"value": 7.5},
    },
}
PATH = "/order/orders/ACME-0001000001"


def test_refunds_are_totals_to_date(teapots, connect):
    client, box = connect(teapots), teapots
    stage = box.shop.get("ACME-0001000001")["current_stage"]
    params = {"_expand": "summary,item,payment.transaction"}
    part = client.put(f"{PATH}/refund", params=params, json=ONE_POT).json()["order"]
    assert value(part["summary"], "total_refunded") == 2889
    assert part["items"][0]["quantity_refunded"] == 1
    assert value(part["items"][0], "total_refunded") == 2700
    assert part["payment"]["payment_status"] == "Processed"
    assert part["refund_dts"] == "2026-08-01T08:00:00-04:00"
    assert part["refund_reason"] == "CustomerReturn"
    box.clock.advance(timedelta(days=1))
    whole = client.put(f"{PATH}/refund", params=params, json=ALL_OF_IT).json()["order"]
    assert value(whole["summary"], "total_refunded") == 10380
    assert whole["payment"]["payment_status"] == "Refunded"
    assert whole["refund_dts"] == "2026-08-02T08:00:00-04:00"  # the first one is forgotten
    assert whole["current_stage"] == stage
    paid_back = [one["details"][0]["value"] for one in whole["payment"]["transactions"][:2]]
    assert paid_back == ["74.91", "28.89"]
    assert [mail.kind for mail in box.shop.mails] == ["refund", "refund"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        {"summary": {"subtotal_refunded": {"value": 101}}},
        {"summary": {"subtotal_refunded": {"value": 10}, "total_refunded": {"value": 9}}},
        {"summary": {"subtotal_refunded": 10}},
        {"items": [{"item_index": 9, "quantity_refunded": 1}]},
        {"items": [{"item_index": 1, "quantity_refunded": 3}]},
        {"items": [{"item_index": 1, "total_refunded": {"value": 60}}]},
    ],
)
def test_a_refund_of_nothing_or_too_much_changes_nothing(teapots, connect, asked):
    before = teapots.shop.get("ACME-0001000001")
    assert connect(teapots).put(f"{PATH}/refund", json=asked).status_code == 400
    assert teapots.shop.get("ACME-0001000001") == before


def test_refunded_amounts_cannot_sink(teapots, connect):
    client = connect(teapots)
    assert client.put(f"{PATH}/refund", json=ALL_OF_IT).status_code == 200
    assert client.put(f"{PATH}/refund", json=ONE_POT).status_code == 400
    assert client.put(f"{PATH}/refund", json=ALL_OF_IT).status_code == 400


def test_what_was_not_paid_cannot_be_refunded(lived_in, connect):
    order = first(lived_in, lambda o: "payment_dts" not in o["payment"])
    path = f"/order/orders/{order['order_id']}/refund"
    assert connect(lived_in).put(path, json=ALL_OF_IT).status_code == 400


def test_lines_alone_give_the_sums(teapots, connect):
    asked = {"items": [{"item_index": 2, "quantity_refunded": 1}]}
    client = connect(teapots)
    answer = client.put(f"{PATH}/refund", params={"_expand": "summary"}, json=asked).json()["order"]
    summary = answer["summary"]
    assert value(summary, "subtotal_refunded") == 4000
    assert value(summary, "subtotal_discount_refunded") == 400
    assert value(summary, "total_refunded") == 3600


@pytest.mark.parametrize(
    ("flag", "changed"),
    [
        ({"reject_after_refund": "true"}, "stage"),
        ({"skip_customer_notification": "True"}, "mails"),
        ({"auto_order_cancel": "true", "auto_order_cancel_reason": "moved"}, "auto_order"),
        ({"manual_refund": "true"}, "transactions"),
        ({"issue_store_credit": "true"}, "transactions"),
        ({"reverse_affiliate_transactions": "false"}, "affiliates"),
    ],
)
def test_each_flag_changes_one_thing(teapots, connect, flag, changed):
    old = teapots.shop.get("ACME-0001000001")
    assert connect(teapots).put(f"{PATH}/refund", params=flag, json=ALL_OF_IT).status_code == 200
    new = teapots.shop.get("ACME-0001000001")
    done = {
        "stage": new["current_stage"] == "Rejected",
        "mails": teapots.shop.mails == [],
        "auto_order": new["auto_order"].get("cancel_reason") == "moved",
        "transactions": new["payment"]["transactions"] == old["payment"]["transactions"],
        "affiliates": new["affiliates"][0]["ledger_entries"][0]["transaction_state"] == "Posted",
    }
    assert done == {key: key == changed for key in done}
    assert new["auto_order"]["status"] == ("canceled" if changed == "auto_order" else "active")


def test_a_flag_is_true_or_false(teapots, connect):
    answer = connect(teapots).put(f"{PATH}/refund", params={"manual_refund": "1"}, json=ONE_POT)
    assert answer.status_code == 400


def test_the_flags_have_their_documented_defaults():
    true = [f.name for f in dataclasses.fields(RefundOptions) if getattr(RefundOptions(), f.name)]
    assert true == ["reverse_affiliate_transactions"]


def test_a_partial_refund_may_count_as_refunded(teapots, connect):
    teapots.switches = Switches(partial_refund_status="Refunded")
    params = {"_expand": "payment"}
    answer = connect(teapots).put(f"{PATH}/refund", params=params, json=ONE_POT).json()
    assert answer["order"]["payment"]["payment_status"] == "Refunded"


# --- life ----------------------------------------------------------------------------------------


def test_days_pass_with_orders_that_are_paid_shipped_and_refunded(start, now):
    box = start(2500)
    before = {order["order_id"]: order for order in box.truth()}
    made = sum((box.moves.day() for _ in range(5)), start=box.moves.some(0))
    assert box.clock.now() == now + timedelta(days=5)
    after = {order["order_id"]: order for order in box.truth()}
    assert made["create"] == len(after.keys() - before.keys())
    assert made["delete"] == len(before.keys() - after.keys())
    assert made["refund"] > 0
    today = now.isoformat()[:10]
    assert any(order["payment"].get("payment_dts", "") > today for order in after.values())
    assert any(order["shipping"].get("shipping_date", "") > today for order in after.values())


@pytest.mark.parametrize("kind", ["hold", "edit", "costs"])
def test_some_moves_leave_no_date_behind(start, kind):
    box = start(600)
    dates = ("creation_dts", "refund_dts", "reject_dts")

    def visible(order):
        parts = (order["payment"].get("payment_dts"), order["shipping"].get("shipping_date"))
        return [*(order.get(key) for key in dates), *parts]

    before = box.truth()
    assert sum(box.moves.make(kind) for _ in range(10)) > 0
    after = box.truth()
    assert before != after
    assert [visible(order) for order in before] == [visible(order) for order in after]


def test_moves_are_repeatable(start):
    one, two = (start(200) for _ in range(2))
    assert one.moves.some(80) == two.moves.some(80)
    assert one.shop.bodies() == two.shop.bodies()


def test_odd_orders_are_listed_as_they_are(start, connect):
    box = start()
    odd = {"order_id": "ACME-1", "creation_dts": 17, "payment": None, "shipping": "by hand"}
    box.shop.put_raw(odd)
    params = {"city": "Salem", "_expand": "payment"}
    client = connect(box)
    assert client.get("/order/orders", params=params).json()["orders"] == []
    del params["city"]
    found = client.get("/order/orders", params=params | {"order_id": "ACME-1"}).json()["orders"]
    assert found == [{key: odd[key] for key in odd if key != "shipping"}]
