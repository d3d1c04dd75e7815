"""The models: nothing that UltraCart may send is refused or changed, and amounts are exact."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from orders_connector.sources.ultracart import models
from orders_connector.sources.ultracart.models import Order, OrderAnswer, OrderPage, json_number

MODELS = [getattr(models, name) for name in models.__all__]
MODELS = [model for model in MODELS if isinstance(model, type) and issubclass(model, BaseModel)]


def amount(value, **more):
    return {"value": value, "localized": value, "localized_formatted": f"${value:.2f}", **more}


ORDER = {
    "merchant_id": "ACME",
    "order_id": "ACME-0001",
    "current_stage": "Completed Order",
    "creation_dts": "2026-03-07T23:40:12-05:00",
    "currency_code": "EUR",
    "exchange_rate": 0.92,
    "payment": {
        "payment_method": "Credit Card",
        "credit_card": {"card_number": "XXXXXXXXXXXX4242"},
        "transactions": [{"transaction_id": 7, "details": [{"name": "n", "value": "v"}]}],
    },
    "summary": {
        "subtotal": amount(100),
        "total": amount(103.8, currency_code="EUR", exchange_rate=0.92),
    },
    "items": [
        {
            "item_index": 1,
            "merchant_item_id": "TEA-100",
            "quantity": 2,
            "cost": amount(30.0),
            "kit": True,
            "activation_codes": ["s3cr3t-code"],
        }
    ],
    "billing": {"email": "a@example.com", "cc_emails_hashes": ["x"]},
    "coupons": [{"coupon_code": "TEN-7Q2X9", "base_coupon_code": "TEN"}],
    "gift_certificate": {"gift_certificate_code": "s3cr3t-gift"},
    "tracking": {"new": None},
}


def there_and_back(model, value):
    parsed = model.model_validate_json(json.dumps(value))
    again = parsed.model_dump(exclude_unset=True)
    # As JSON, because in Python 0.1 is not Decimal("0.1").
    assert json.loads(json.dumps(again, default=json_number)) == value
    assert json.loads(parsed.model_dump_json(exclude_unset=True)) == value
    return parsed


def test_an_order_is_read_with_its_parts():
    order = there_and_back(OrderAnswer, {"order": ORDER, "success": True, "metadata": {}}).order
    assert order.summary.total.value == Decimal("103.8")
    assert order.items[0].cost.value == 30
    assert order.payment.test_order is None
    assert order.payment.transactions[0].transaction_id == 7
    assert order.creation_dts == "2026-03-07T23:40:12-05:00", "the text, with its offset"
    assert order.tracking == {"new": None}


def test_a_page_says_what_it_says():
    result_set = {"count": 1, "offset": 0, "limit": 2, "next_offset": 0, "total_records": 1}
    metadata = {"payload_name": "orders", "result_set": result_set}
    page = there_and_back(OrderPage, {"orders": [ORDER], "metadata": metadata})
    assert (page.success, page.metadata.result_set.more) == (None, None)
    assert page.metadata.result_set.total_records == 1


@pytest.mark.parametrize("text", ["0", "20", "0.1", "103.80", "-5.25", "9007199254740.99", "1e2"])
def test_amounts_are_exact(text):
    order = Order.model_validate_json(f'{{"summary": {{"total": {{"value": {text}}}}}}}')
    assert order.summary.total.value == Decimal(text)
    assert isinstance(order.summary.total.value, Decimal)
    assert json.loads(order.model_dump_json(exclude_unset=True)) == {
        "summary": {"total": {"value": json.loads(text)}}
    }


@pytest.mark.parametrize("value", ["27.00", True, [1], {}, None])
def test_an_amount_that_is_no_number_is_kept_as_it_was_sent(value):
    order = there_and_back(Order, {"summary": {"total": {"value": value}}})
    assert type(order.summary.total.value) is type(value)


def test_a_decimal_becomes_the_number_that_says_the_same_or_none():
    assert json.dumps([json_number(Decimal(n)) for n in ("28.89", "5.00", "1E+2")]) == (
        "[28.89, 5, 100]"
    )
    with pytest.raises(ValueError, match="too many digits"):
        json_number(Decimal("0.12345678901234567891"))


def test_one_order_that_is_none_does_not_spoil_its_page():
    page = there_and_back(OrderPage, {"orders": [ORDER, None, "x", {"items": [3, {"kit": 7}]}]})
    assert page.orders[0].order_id == "ACME-0001"
    assert page.orders[1:3] == [None, "x"]
    assert page.orders[3].items[1].kit == 7


def test_cards_and_codes_are_not_shown():
    order = Order.model_validate(ORDER)
    assert order.items[0].activation_codes == ["s3cr3t-code"]
    assert not [secret for secret in ("s3cr3t", "4242") if secret in f"{order!r} {order}"]


TEXT = st.text("ab01.", max_size=3)
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_a_known_key_holds_comes_back_unchanged(model, data):
    keys = st.sampled_from(sorted(model.model_fields))
    value = data.draw(st.dictionaries(keys, JSON, max_size=6))
    there_and_back(model, json.loads(json.dumps(value)))
