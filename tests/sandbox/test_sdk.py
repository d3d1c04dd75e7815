"""The official SDK judges the sandbox: it has to work against it unchanged."""

import csv
import io
from urllib.parse import parse_qs, urlsplit

import pytest
import voucherify
from voucherify.models import (
    ExportsCreateRequestBody,
    OrdersCreateRequestBody,
    OrdersExportCreateRequestBody,
    OrdersImportCreateRequestBodyItem,
    OrdersUpdateRequestBody,
    ParameterOrderListOrders,
)


@pytest.fixture
def sdk():
    made = []

    def make(box, host=None):
        configuration = voucherify.Configuration(
            host=host or box.base_url,
            api_key={"X-App-Id": box.app_id, "X-App-Token": box.app_token},
        )
        made.append(voucherify.ApiClient(configuration))
        return made[-1]

    yield make
    for client in made:
        client.rest_client.pool_manager.clear()


def test_sdk_creates_gets_and_updates_an_order(start, sdk):
    orders = voucherify.OrdersApi(sdk(start()))
    body = OrdersCreateRequestBody.from_dict(
        {
            "source_id": "cart/17",
            "customer": {"source_id": "ann"},
            "items": [{"product_id": "p", "quantity": 2, "price": 500}],
        }
    )
    created = orders.create_order(body)
    assert (created.amount, created.status, created.updated_at) == (1000, "CREATED", None)
    found = orders.get_order("cart/17")
    assert found.id == created.id
    paid = orders.update_order(created.id, OrdersUpdateRequestBody.from_dict({"status": "PAID"}))
    assert paid.status == "PAID"
    assert paid.updated_at is not None


def test_sdk_lists_every_generated_order(lived_in, sdk):
    orders = voucherify.OrdersApi(sdk(lived_in))
    seen = set()
    for page in range(1, 16):
        answer = orders.list_orders(
            limit=100, page=page, order=ParameterOrderListOrders.MINUS_UPDATED_AT
        )
        seen |= {order.id for order in answer.orders}
    assert answer.total == 1500
    assert seen == {order["id"] for order in lived_in.shop.truth()}


def test_sdk_reports_a_missing_order(start, sdk):
    with pytest.raises(voucherify.exceptions.NotFoundException, match="not_found"):
        voucherify.OrdersApi(sdk(start())).get_order("nobody")


def test_sdk_imports_and_reads_the_async_action(start, sdk):
    box = start()
    client = sdk(box)
    rows = [{"source_id": "a", "amount": 700, "status": "PAID"}, {"source_id": "b", "amount": 5}]
    started = voucherify.OrdersApi(client).import_orders(
        [OrdersImportCreateRequestBodyItem.from_dict(row) for row in rows]
    )
    actions = voucherify.AsyncActionsApi(client)
    action = actions.get_async_action(started.async_action_id)
    assert (action.status, action.result["done_count"]) == ("DONE", 2)
    listed = actions.list_async_actions(limit=5)
    assert [one.id for one in listed.async_actions] == [action.id]
    assert not listed.has_more


def test_sdk_exports_and_downloads(lived_in, sdk):
    client = sdk(lived_in)
    body = {"parameters": {"fields": ["id", "amount", "metadata"], "order": "created_at"}}
    started = voucherify.OrdersApi(client).create_order_export(
        OrdersExportCreateRequestBody.from_dict(body)
    )
    assert started.status == "SCHEDULED"
    exports = voucherify.ExportsApi(client)
    assert exports.get_export(started.id).status == "IN_PROGRESS"
    done = exports.get_export(started.id)
    assert done.status == "DONE"
    token = parse_qs(urlsplit(done.result.url).query)["token"][0]
    # The SDK downloads from the host it is configured for, so it needs the download host.
    downloads = voucherify.ExportsApi(sdk(lived_in, lived_in.download_url))
    text = downloads.download_export(started.id, token=token)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 1500
    assert exports.list_exports(limit=10).total >= 1
    exports.delete_export(started.id)
    with pytest.raises(voucherify.exceptions.NotFoundException):
        exports.get_export(started.id)


def test_sdk_starts_an_export_the_generic_way(start, sdk):
    exports = voucherify.ExportsApi(sdk(start()))
    body = ExportsCreateRequestBody.from_dict(
        {"exported_object": "order", "parameters": {"fields": ["id"]}}
    )
    created = exports.create_export(body)
    assert (created.status, created.exported_object) == ("SCHEDULED", "order")


def test_sdk_rolls_back_a_redemption(start, sdk):
    box = start(orders=50)
    order = next(
        order
        for order in box.shop.truth()
        if any("rollback_id" not in e for e in order.get("redemptions", {}).values())
    )
    redemption = next(iter(order["redemptions"]))
    answer = voucherify.RedemptionsApi(sdk(box)).rollback_redemption(redemption)
    assert answer.redemption == redemption
    assert box.shop.get(order["id"])["status"] == "CANCELED"


def test_sdk_erases_a_customer(start, sdk):
    box = start()
    box.shop.create({"customer": {"id": "cust_1"}, "amount": 5})
    answer = voucherify.CustomersApi(sdk(box)).customer_permanently_deletion("cust_1")
    assert answer.data_json.orders == 1
    assert box.shop.truth() == []


def test_sdk_sees_a_refused_key(start, sdk):
    box = start()
    client = sdk(box)
    client.configuration.api_key["X-App-Token"] = "wrong"
    with pytest.raises(voucherify.exceptions.UnauthorizedException):
        voucherify.OrdersApi(client).list_orders()
