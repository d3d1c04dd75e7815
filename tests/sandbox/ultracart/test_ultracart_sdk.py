"""The official SDK judges the sandbox: it has to work against it unchanged."""

from datetime import timedelta

import pytest
import ultracart
from ultracart.api.order_api import OrderApi
from ultracart.model.currency import Currency
from ultracart.model.order import Order
from ultracart.model.order_billing import OrderBilling
from ultracart.model.order_format import OrderFormat
from ultracart.model.order_item import OrderItem
from ultracart.model.order_query import OrderQuery
from ultracart.model.order_query_batch import OrderQueryBatch
from ultracart.model.order_summary import OrderSummary

from orders_connector.sandbox.ultracart.expansions import EVERYTHING

# The SDK reads headers in a way that its own HTTP library will give up.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def sdk():
    """Give the SDK's order API for a sandbox, as its own factory does but for the host."""
    made = []

    def make(box, **configuration):
        keys = configuration or {"api_key": {"x-ultracart-simple-key": box.simple_key}}
        configured = ultracart.Configuration(host=f"{box.base_url}/rest/v2", **keys)
        client = ultracart.ApiClient(configured, "X-UltraCart-Api-Version", "2017-03-01")
        made.append(client)
        return OrderApi(client)

    yield make
    for client in made:
        client.rest_client.pool_manager.clear()


def money(amount):
    return Currency(value=float(amount))


def test_sdk_gets_every_order_with_everything_expanded(lived_in, sdk):
    orders = sdk(lived_in)
    truth = lived_in.truth()
    for order in truth[::40]:
        answer = orders.get_order(order["order_id"], expand=EVERYTHING)
        assert answer.success
        assert answer.order.summary.total.value == order["summary"]["total"]["value"]
        assert len(answer.order.items) == len(order["items"])
        assert len(answer.order.current_stage_histories) == len(order["current_stage_histories"])


def test_sdk_walks_the_list_to_its_end(lived_in, sdk):
    orders, seen, offset, more = sdk(lived_in), [], 0, True
    while more:
        page = orders.get_orders(
            creation_date_begin="2020-01-01T00:00:00-05:00",
            limit=200,
            offset=offset,
            sort="-creation_dts",
            expand="summary,item,payment.transaction",
        )
        seen += [order.order_id for order in page.orders]
        offset, more = page.metadata.result_set.next_offset, page.metadata.result_set.get("more")
    assert sorted(seen) == [order["order_id"] for order in lived_in.truth()]
    assert page.metadata.result_set.total_records == 1200


def test_sdk_queries_by_refund_date(lived_in, sdk):
    query = OrderQuery(
        refund_date_begin="2026-06-01T00:00:00-04:00",
        refund_date_end="2026-08-01T00:00:00-04:00",
        query_target="origin",
    )
    answer = sdk(lived_in).get_orders_by_query(query, limit=200, expand="summary")
    wanted = [o["order_id"] for o in lived_in.truth() if o.get("refund_dts", "") > "2026-06-01"]
    assert [order.order_id for order in answer.orders] == wanted
    assert all(order.summary.total_refunded.value > 0 for order in answer.orders)


def test_sdk_reads_a_batch(lived_in, sdk):
    ids = [order["order_id"] for order in lived_in.truth()[:300]]
    answer = sdk(lived_in).get_orders_batch(OrderQueryBatch(order_ids=ids), expand="billing")
    assert [order.order_id for order in answer.orders] == ids


def test_sdk_updates_an_order(start, sdk, paid_order):
    box = start(20)
    order_id = paid_order(box)["order_id"]
    changes = Order(billing=OrderBilling(city="Salem"))
    answer = sdk(box).update_order(order_id, changes, expand="billing")
    assert answer.order.billing.city == "Salem"
    assert answer.order.billing.country_code
    assert box.shop.get(order_id)["billing"]["city"] == "Salem"


def test_sdk_cancels_an_order(start, sdk):
    box = start(200)
    order = next(o for o in box.truth() if o["current_stage"] == "Accounts Receivable")
    assert sdk(box).cancel_order(order["order_id"], skip_refund_and_hold=True).success
    assert box.shop.get(order["order_id"])["current_stage"] == "Rejected"


def test_sdk_deletes_an_order(start, sdk):
    box = start(3)
    orders, order_id = sdk(box), box.truth()[0]["order_id"]
    orders.delete_order(order_id)
    assert len(box.shop) == 2
    with pytest.raises(ultracart.ApiException) as refused:
        orders.delete_order(order_id)
    assert refused.value.status == 400
    assert refused.value.headers["UC-REST-ERROR"]


def test_sdk_refunds_with_every_flag(start, sdk, paid_order):
    box = start(40)
    order = paid_order(box, lambda o: o["items"][0]["quantity"] == 1)
    line = order["items"][0]
    amount = line["total_cost_with_discount"]["value"]
    asked = Order(
        items=[OrderItem(item_index=1, quantity_refunded=1.0, total_refunded=money(amount))],
        summary=OrderSummary(subtotal_refunded=money(line["cost"]["value"])),
        refund_reason="Damaged",
    )
    answer = sdk(box).refund_order(
        order["order_id"],
        asked,
        reject_after_refund=True,
        skip_customer_notification=True,
        auto_order_cancel=True,
        manual_refund=True,
        reverse_affiliate_transactions=False,
        issue_store_credit=False,
        auto_order_cancel_reason="moved",
        expand="summary,item,payment",
    )
    assert answer.order.current_stage == "Rejected"
    assert answer.order.refund_reason == "Damaged"
    assert answer.order.items[0].quantity_refunded == 1
    assert answer.order.summary.total_refunded.value == line["cost"]["value"]
    assert box.shop.mails == []


@pytest.mark.parametrize("kind", ["text", "div", "table", "email"])
def test_sdk_formats_an_order(start, sdk, kind):
    box = start(1)
    order_id = box.truth()[0]["order_id"]
    answer = sdk(box).format(order_id, OrderFormat(format=kind))
    assert order_id in answer.formatted_result
    assert answer.css_links == []


def test_sdk_resends_mails(start, sdk):
    box = start(100)
    orders = sdk(box)
    shipped = next(o for o in box.truth() if "shipping_date" in o["shipping"])["order_id"]
    waiting = next(o for o in box.truth() if "shipping_date" not in o["shipping"])["order_id"]
    assert orders.resend_receipt(shipped).success
    assert orders.resend_shipment_confirmation(shipped).success
    assert orders.resend_shipment_confirmation(waiting).warning.warning_message
    assert box.shop.mails == [("receipt", shipped), ("shipment", shipped)]


def test_sdk_trades_a_refresh_token_for_access(start, sdk, connect):
    box = start(1)
    form = {
        "client_id": box.client_id,
        "grant_type": "refresh_token",
        "refresh_token": box.refresh_token,
    }
    token = connect(box).post("/oauth/token", data=form).json()
    orders = sdk(box, access_token=token["access_token"])
    order_id = box.truth()[0]["order_id"]
    assert orders.get_order(order_id).order.order_id == order_id
    box.clock.advance(timedelta(seconds=token["expires_in"]))
    with pytest.raises(ultracart.exceptions.UnauthorizedException):
        orders.get_order(order_id)
