"""The models: nothing that Voucherify may send is refused or changed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.sources.voucherify.models import (
    ApiError,
    AsyncAction,
    AsyncActionList,
    Export,
    ExportList,
    ImportStarted,
    OAuthToken,
    Order,
    OrderItem,
    OrderList,
    RedemptionEntry,
)

MODELS = [
    ApiError,
    AsyncAction,
    AsyncActionList,
    Export,
    ExportList,
    ImportStarted,
    OAuthToken,
    Order,
    OrderItem,
    OrderList,
    RedemptionEntry,
]

ORDER = {
    "id": "ord_1a",
    "source_id": None,
    "created_at": "2026-08-01T09:00:00.123456Z",
    "updated_at": None,
    "status": "PAID",
    "amount": 2_700,
    "discount_amount": 1_243,
    "total_discount_amount": 1_243,
    "total_amount": 1_457,
    "items": [
        {
            "object": "order_item",
            "source_id": "roses",
            "related_object": "product",
            "quantity": 1,
            "amount": 2_700,
            "price": 2_700,
            "subtotal_amount": 2_700,
            "product": {"name": "Roses", "price": 2_700.0},
        }
    ],
    "metadata": {"payment": ["card"], "deep": {"a": None}},
    "customer": {"id": "cust_1", "object": "customer"},
    "customer_id": "cust_1",
    "referrer_id": None,
    "object": "order",
    "redemptions": {
        "r_1": {"date": "2026-08-01T09:00:00Z", "stacked": ["r_2"], "rollback_id": "rr_1"}
    },
}


def there_and_back(model, value):
    parsed = model.model_validate_json(json.dumps(value))
    again = parsed.model_dump(exclude_unset=True)
    assert json.dumps(again, sort_keys=True) == json.dumps(value, sort_keys=True)
    assert json.loads(parsed.model_dump_json(exclude_unset=True)) == value
    return parsed


def test_an_order_is_read_with_its_parts():
    order = there_and_back(Order, ORDER)
    assert order.total_amount == 1_457
    assert order.items[0].price == 2_700
    assert order.redemptions["r_1"].rollback_id == "rr_1"
    assert order.created_at == "2026-08-01T09:00:00.123456Z", "the text, with all its digits"


def test_a_page_is_read_with_its_orders():
    page = there_and_back(OrderList, {"object": "list", "orders": [ORDER], "total": 441})
    assert (page.total, page.orders[0].id) == (441, "ord_1a")


def test_absent_differs_from_null():
    absent, null = there_and_back(Order, {"id": "a"}), there_and_back(Order, {"updated_at": None})
    assert absent.updated_at is null.updated_at is None
    assert "updated_at" not in absent.model_fields_set
    assert "updated_at" in null.model_fields_set


def test_unknown_keys_and_statuses_are_kept():
    order = there_and_back(Order, {"status": "PROCESSING", "loyalty": {"points": 3}})
    assert order.status == "PROCESSING"
    assert order.loyalty == {"points": 3}


@pytest.mark.parametrize("value", [2_700, 2_700.0, 0.1, "27.00", -1, 2**70, None, True, [1], {}])
def test_money_of_any_kind_is_kept_as_it_was_sent(value):
    order = there_and_back(Order, {"amount": value, "items": [{"price": value}]})
    assert order.amount == value
    assert type(order.amount) is type(order.items[0].price) is type(value)


def test_one_order_that_is_none_does_not_spoil_its_page():
    page = there_and_back(OrderList, {"orders": [ORDER, None, "x", {"items": [3, {"id": 7}]}]})
    assert page.orders[0].id == "ord_1a"
    assert page.orders[1:3] == [None, "x"]
    assert page.orders[3].items[1].id == 7


@pytest.mark.parametrize("failed", [[{"source_id": None, "reason": "x"}], {"reason": "x"}, None])
def test_failed_rows_may_be_an_array_or_an_object(failed):
    result = {"message": "m", "done_count": 1, "failed_count": 1, "failed": failed}
    action = there_and_back(AsyncAction, {"id": "aa_1", "status": "DONE", "result": result})
    assert action.result.failed == failed
    assert action.result.failed_count == 1


@pytest.mark.parametrize("code", [429, "429"])
def test_an_error_code_may_be_a_number_or_a_text(code):
    assert there_and_back(ApiError, {"code": code, "key": "k"}).code == code


def test_the_address_of_an_export_and_a_token_are_not_shown():
    export = Export.model_validate({"id": "exp_1", "result": {"url": "https://d/?token=s3cr3t"}})
    assert export.result.url.endswith("s3cr3t")
    assert "s3cr3t" not in f"{export!r} {export}"
    assert "s3cr3t" not in repr(OAuthToken(access_token="s3cr3t"))


def test_models_cannot_be_changed():
    order = Order.model_validate(ORDER)
    with pytest.raises(ValueError, match="frozen"):
        order.status = "CANCELED"


TEXT = st.text("ab01.", max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_a_known_key_holds_comes_back_unchanged(model, data):
    keys = st.sampled_from(sorted(model.model_fields))
    value = data.draw(st.dictionaries(keys, JSON, max_size=6))
    again = model.model_validate(value).model_dump(exclude_unset=True)
    # As JSON, because 1 == 1.0 == True in Python.
    assert json.dumps(again, sort_keys=True) == json.dumps(value, sort_keys=True)
