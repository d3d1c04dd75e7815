"""Creating, updating, importing, rolling back and erasing orders."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from orders_connector.sandbox.voucherify import Switches


def test_create_fills_in_what_is_left_out(start, connect):
    answer = connect(start()).post("/v1/orders", json={"amount": 4200})
    order = answer.json()
    assert answer.status_code == 200
    assert order["id"].startswith("ord_")
    assert (order["status"], order["amount"], order["total_amount"]) == ("CREATED", 4200, 4200)
    assert (order["source_id"], order["customer_id"], order["object"]) == (None, None, "order")
    assert "discount_amount" not in order
    assert order["created_at"] == "2026-08-01T12:00:00.000Z"


def test_items_are_priced_in_every_documented_form(start, connect):
    box = start()
    sku, price = next((key, price) for key, price in box.shop.prices.items() if key[:4] == "sku_")
    items = [
        {"product_id": "prod_5h1pp1ng"},
        {"sku_id": sku, "quantity": 2},
        {"amount": 900},
        {"price": 200, "quantity": 3, "discount_amount": 100},
        {"source_id": "x", "related_object": "sku", "sku": {"price": 50}, "product": {"price": 99}},
        {"source_id": "unknown", "related_object": "product"},
    ]
    order = connect(box).post("/v1/orders", json={"items": items}).json()
    amounts = [item.get("amount") for item in order["items"]]
    assert amounts == [490, 2 * price, 900, 600, 50, None]
    assert order["items"][3]["subtotal_amount"] == 500
    assert order["items_discount_amount"] == order["total_discount_amount"] == 100
    assert order["total_amount"] == order["amount"] - 100


def test_same_source_id_updates_the_order(start, connect):
    box = start()
    client = connect(box)
    first = client.post("/v1/orders", json={"source_id": "s", "amount": 1}).json()
    box.clock.advance(timedelta(minutes=1))
    second = client.post("/v1/orders", json={"source_id": "s", "status": "PAID"}).json()
    assert second["id"] == first["id"]
    assert second["created_at"] == first["created_at"]
    assert second["updated_at"] == "2026-08-01T12:01:00.000Z"
    assert (second["amount"], second["status"]) == (1, "PAID")
    third = client.post("/v1/orders", json={"id": first["id"], "amount": 2}).json()
    assert (third["id"], len(box.shop)) == (first["id"], 1)


def test_a_new_id_or_back_dated_order_is_taken_as_sent(start, connect):
    body = {"id": "ord_mine", "created_at": "2025-01-01T00:00:00+02:00"}
    order = connect(start()).post("/v1/orders", json=body).json()
    assert (order["id"], order["created_at"]) == ("ord_mine", "2024-12-31T22:00:00.000Z")


@pytest.mark.parametrize(
    "source_id", ["a/b/c", "with space", "hash#1", "q?x=1", "ünï", "100%", "a+b"]
)
def test_source_ids_work_in_the_path_when_encoded(start, connect, source_id):
    box = start()
    client = connect(box)
    created = client.post("/v1/orders", json={"source_id": source_id, "amount": 3}).json()
    path = f"/v1/orders/{quote(source_id, safe='')}"
    assert client.get(path).json() == created
    assert client.put(path, json={"status": "PAID"}).json()["id"] == created["id"]


def test_a_changed_source_id_is_found_under_its_new_name_only(start, connect):
    box = start()
    client = connect(box)
    order = client.post("/v1/orders", json={"source_id": "old"}).json()
    client.put(f"/v1/orders/{order['id']}", json={"source_id": "new"})
    assert client.get("/v1/orders/new").json()["id"] == order["id"]
    assert client.get("/v1/orders/old").status_code == 404


def test_a_missing_order_gives_the_documented_404(start, connect):
    client = connect(start())
    for answer in (client.get("/v1/orders/no/one"), client.put("/v1/orders/no/one", json={})):
        body = answer.json()
        assert answer.status_code == 404
        assert body.pop("request_id").startswith("v-")
        assert body == {
            "code": 404,
            "key": "not_found",
            "message": "Resource not found",
            "details": "Cannot find order with id no/one",
            "resource_id": "no/one",
            "resource_type": "order",
        }


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"status": "SHIPPED"},
        {"amount": "12"},
        {"amount": 1.5},
        {"items": {}},
        {"items": [{"quantity": 0}]},
        {"items": [{"price": "9"}]},
        {"items": [{}] * 501},
        {"created_at": "yesterday"},
    ],
)
def test_a_body_that_is_no_order_is_refused(start, connect, body):
    answer = connect(start()).post("/v1/orders", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")


def test_odd_media_and_methods_are_refused(start, connect):
    client = connect(start())
    as_json = {"Content-Type": "application/json"}
    assert client.post("/v1/orders", content=b"{", headers=as_json).status_code == 400
    assert (
        client.post("/v1/orders", content=b"{}", headers={"Content-Type": "text/csv"}).status_code
        == 415
    )
    assert client.get("/v1/orders", headers={"Accept": "text/html"}).status_code == 406
    refused = client.delete("/v1/orders")
    assert (refused.status_code, refused.json()["code"]) == (405, 405)
    assert client.get("/v1/unknown").status_code == 404


def test_a_body_over_10_mb_gets_the_other_envelope(start, connect):
    answer = connect(start()).post("/v1/orders", json={"metadata": {"x": "y" * 10_500_000}})
    assert answer.status_code == 413
    assert set(answer.json()) == {"statusCode", "error", "message"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("null", None), ("same", "2026-08-01T12:00:00.000Z"), ("absent", "absent")],
)
def test_updated_at_of_a_new_order(start, connect, value, expected):
    box = start(orders=200, switches=Switches(updated_at_on_create=value))
    order = connect(box).post("/v1/orders", json={"amount": 1}).json()
    assert order.get("updated_at", "absent") == expected
    nulls = [o for o in box.shop.truth() if o.get("updated_at", "") is None]
    assert bool(nulls) == (value == "null")


@pytest.mark.parametrize(("value", "products"), [("replace", ["b"]), ("merge", ["a", "b"])])
def test_items_of_an_update_replace_or_merge(start, value, products):
    box = start(switches=Switches(update_items=value))
    lines = [{"product_id": "a", "price": 1}, {"product_id": "b", "price": 2}]
    order = box.shop.create({"items": lines})
    changed = box.shop.update(order["id"], {"items": [{"product_id": "b", "price": 5}]})
    assert [item["product_id"] for item in changed["items"]] == products
    assert changed["amount"] == sum(item["amount"] for item in changed["items"])


@pytest.mark.parametrize(("value", "left"), [("replace", {"b": 2}), ("merge", {"a": 1, "b": 2})])
def test_metadata_of_an_update_replaces_or_merges(start, value, left):
    box = start(switches=Switches(metadata_update=value))
    order = box.shop.create({"metadata": {"a": 1}})
    assert box.shop.update(order["id"], {"metadata": {"b": 2}})["metadata"] == left


def test_absent_keys_of_an_update_stay(start):
    box = start(orders=30)
    for order in box.shop.truth():
        changed = box.shop.update(order["id"], {"status": "CANCELED"})
        assert changed == order | {"status": "CANCELED", "updated_at": changed["updated_at"]}


# --- rollback, erasure ---------------------------------------------------------------------------


def redeemed(box):
    return next(
        order
        for order in box.shop.truth()
        if order.get("items_discount_amount")
        and all("rollback_id" not in entry for entry in order["redemptions"].values())
    )


def test_rollback_strips_discounts_and_keeps_the_redemption(start, connect):
    box = start(orders=200)
    order = redeemed(box)
    redemption = next(iter(order["redemptions"]))
    answer = connect(box).post(f"/v1/redemptions/{redemption}/rollback")
    after = answer.json()["order"]
    assert answer.status_code == 200
    assert after == box.shop.get(order["id"])
    assert after["status"] == "CANCELED"
    assert after["total_amount"] == after["amount"]
    assert not [key for key in after if "discount" in key]
    assert not [key for item in after["items"] for key in item if "discount" in key]
    entry = after["redemptions"][redemption]
    assert entry["rollback_id"] == answer.json()["id"]
    assert entry["rollback_date"] == after["updated_at"] == "2026-08-01T12:00:00.000Z"
    assert after["redemptions"].keys() == order["redemptions"].keys()


@pytest.mark.parametrize(
    ("trace", "in_map", "moved"),
    [("nothing", False, False), ("map", True, False), ("map_and_updated_at", True, True)],
)
def test_rollback_without_the_order_leaves_the_trace_of_the_switch(
    start, connect, trace, in_map, moved
):
    switches = Switches(rollback_mode="without_order", rollback_without_order=trace)
    box = start(orders=200, switches=switches)
    order = redeemed(box)
    redemption = next(iter(order["redemptions"]))
    after = connect(box).post(f"/v1/redemptions/{redemption}/rollback").json()["order"]
    assert (after["status"], after["amount"]) == (order["status"], order["amount"])
    assert after["total_discount_amount"] == order["total_discount_amount"]
    assert ("rollback_id" in after["redemptions"][redemption]) == in_map
    assert (after["updated_at"] != order["updated_at"]) == moved


def test_rollback_of_free_units_takes_the_units_back(start):
    box = start()
    free = {"quantity": 2, "initial_quantity": 0, "initial_amount": 0, "discount_quantity": 2}
    free |= {"price": 50, "amount": 100, "discount_amount": 100, "subtotal_amount": 0}
    paid = {"quantity": 3, "initial_quantity": 2, "initial_amount": 20, "amount": 30, "price": 10}
    box.shop.put_raw(
        {
            "id": "o",
            "amount": 130,
            "items_discount_amount": 110,
            "total_discount_amount": 110,
            "total_amount": 20,
            "items": [paid | {"discount_amount": 10, "subtotal_amount": 20}, free],
            "redemptions": {"r_1": {}},
        }
    )
    after = box.shop.rollback("o")
    assert (after["amount"], after["total_amount"]) == (20, 20)
    assert after["items"] == [{"quantity": 2, "amount": 20, "price": 10, "subtotal_amount": 20}]


def test_a_stacked_child_can_be_rolled_back_too(start, connect):
    box = start(orders=300)
    order, entry = next(
        (order, entry)
        for order in box.shop.truth()
        for entry in order.get("redemptions", {}).values()
        if "stacked" in entry and "rollback_id" not in entry
    )
    client = connect(box)
    assert client.post(f"/v1/redemptions/{entry['stacked'][0]}/rollback").status_code == 200
    (after,) = (e for e in box.shop.get(order["id"])["redemptions"].values() if "stacked" in e)
    assert len(after["rollback_stacked"]) == len(entry["stacked"])
    assert client.post("/v1/redemptions/r_none/rollback").status_code == 404


def test_erasure_removes_orders_without_trace(start, connect):
    box = start(orders=300)
    client = connect(box)
    customer = box.shop.truth()[0]["customer_id"]
    theirs = {o["id"] for o in box.shop.truth() if o["customer_id"] == customer}
    answer = client.post(f"/v1/customers/{customer}/permanent-deletion").json()
    assert answer["object"] == "pernament_deletion"
    assert answer["data_json"]["orders"] == len(theirs)
    assert not theirs & {order["id"] for order in box.shop.truth()}
    assert client.get("/v1/orders").json()["total"] == 300 - len(theirs)
    assert client.get(f"/v1/orders/{theirs.pop()}").status_code == 404


# --- import --------------------------------------------------------------------------------------


def test_import_stamps_the_import_time_and_reports_failed_rows(start, connect):
    box = start()
    client = connect(box)
    rows = [
        {"source_id": "a", "amount": 7000, "metadata": {"ordered_at": "2024-05-01"}},
        {"source_id": "b", "status": "SHIPPED"},
        {"items": [{"price": 900, "quantity": 2}, {"amount": 100}], "status": "PAID"},
    ]
    started = client.post("/v1/orders/import", json=rows)
    assert list(started.json()) == ["async_action_id"]
    action = client.get(f"/v1/async-actions/{started.json()['async_action_id']}").json()
    assert (action["type"], action["status"], action["progress"]) == ("ORDERS.IMPORT", "DONE", 100)
    result = action["result"]
    assert (result["done_count"], result["failed_count"]) == (2, 1)
    assert [row["source_id"] for row in result["failed"]] == ["b"]
    assert {order["created_at"] for order in box.shop.truth()} == {"2026-08-01T12:00:00.000Z"}
    assert {order["amount"] for order in box.shop.truth()} == {7000, 1900}


@pytest.mark.parametrize(
    "body",
    [{}, [{}] * 2001, [5], [{"items": [{"initial_quantity": 0}]}], [{"created_at": "2024-01-01"}]],
)
def test_an_import_that_is_wrong_as_a_whole_is_refused(start, connect, body):
    box = start()
    answer = connect(box).post("/v1/orders/import", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
    assert len(box.shop) == 0


def test_import_may_ignore_created_at(start, connect):
    box = start(switches=Switches(import_created_at="ignored"))
    assert connect(box).post("/v1/orders/import", json=[{"created_at": "2024-01-01"}]).is_success
    assert box.shop.truth()[0]["created_at"] == "2026-08-01T12:00:00.000Z"


@pytest.mark.parametrize(("value", "moved"), [("yes", True), ("no", False)])
def test_import_over_an_order_moves_updated_at_or_not(start, connect, value, moved):
    box = start(switches=Switches(import_touches_updated_at=value))
    box.shop.create({"source_id": "a", "amount": 1})
    box.clock.advance(timedelta(hours=1))
    connect(box).post("/v1/orders/import", json=[{"source_id": "a", "amount": 2}])
    (order,) = box.shop.truth()
    assert order["amount"] == 2
    assert order["updated_at"] == ("2026-08-01T13:00:00.000Z" if moved else None)


def test_async_actions_come_newest_first_and_page_by_end_date(start, connect):
    box = start(switches=Switches(import_polls=2))
    client = connect(box)
    started = []
    for _ in range(3):
        started.append(client.post("/v1/orders/import", json=[]).json()["async_action_id"])
        box.clock.advance(timedelta(minutes=1))
    first = client.get("/v1/async-actions?limit=2").json()
    assert [one["id"] for one in first["async_actions"]] == started[:0:-1]
    assert first["has_more"]
    assert "total" not in first
    assert "result" not in first["async_actions"][0]
    oldest = first["async_actions"][-1]["created_at"]
    rest = client.get("/v1/async-actions", params={"end_date": oldest}).json()
    assert [one["id"] for one in rest["async_actions"]] == started[:1]
    assert not rest["has_more"]
    states = [client.get(f"/v1/async-actions/{started[0]}").json() for _ in range(2)]
    assert [one["status"] for one in states] == ["IN_PROGRESS", "DONE"]
    assert client.get("/v1/async-actions/aa_none").json()["resource_type"] == "async_action"
    assert client.get("/v1/async-actions?end_date=x").json()["key"] == "invalid_query_params"


@pytest.mark.parametrize(("value", "moved"), [("yes", True), ("no", False)])
def test_purging_a_metadata_key_moves_updated_at_or_not(start, connect, value, moved):
    box = start(switches=Switches(purge_touches_updated_at=value))
    box.shop.create({"metadata": {"secret": 1, "kept": 2}})
    box.shop.create({"metadata": {"other": "secret"}})
    action = box.actions.purge_metadata_key("secret")
    result = connect(box).get(f"/v1/async-actions/{action}").json()["result"]
    assert result["done_count"] == 1
    purged = next(order for order in box.shop.truth() if "kept" in order["metadata"])
    assert purged["metadata"] == {"kept": 2}
    assert (purged["updated_at"] is not None) == moved
