"""Cards, accounts and codes are taken out of orders, and nothing else is touched."""

import json

import pytest

from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sources.ultracart.secrets import MARK, SECRET_FIELDS, redacted
from tests.ultracart.conftest import NOW


@pytest.mark.parametrize("name", SECRET_FIELDS)
@pytest.mark.parametrize("value", ['"s3cr3t"', "4111", '{"number": "s3cr3t"}', '["s3cr3t"]'])
def test_each_field_is_redacted_whatever_it_holds(name, value):
    body = f'{{"orders": [{{"payment": {{"{name}": {value}, "a": 1.50}}, "b": "\\u003c"}}]}}'
    assert redacted(body.encode()) == body.replace(value, f'"{MARK}"').encode()


@pytest.mark.parametrize("name", ["creditCard", "Activation_Codes", "\\u0063heck", "CVV2"])
def test_other_spellings_of_a_name_are_seen_through(name):
    assert b"s3cr3t" not in redacted(f'{{"{name}": "s3cr3t"}}'.encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"checkout": {"comments": "check"}, "spam_check": "x", "checks": 3}',
        '{"summary": {"health_benefit_card_amount": {"value": 1}}}',
        '{"credit_card": null, "card_number_truncated": true, "card_type": "VISA"}',
        '{"gift_certificate": {"gift_certificate_oid": 7}, "auto_order_code": "A1"}',
        '{"description": "credit_card: none", "check": false}',
    ],
    ids=["check", "amounts", "flags", "ids", "text"],
)
def test_what_is_no_secret_stays(body):
    assert redacted(body.encode()) == body.encode()


def test_activation_codes_are_taken_out_of_descriptions_too():
    item = {
        "description": 'Game "Go"\nCode: ABCD-1234\nand ABCD-1234-X',
        "activation_codes": ["ABCD-1234", "ABCD-1234-X", "Game"],
        "merchant_item_id": "ABCD-1234",
    }
    (found,) = json.loads(redacted(json.dumps({"items": [item]}).encode()))["items"]
    assert found == {
        "description": f'Game "Go"\nCode: {MARK}\nand {MARK}',
        "activation_codes": MARK,
        "merchant_item_id": "ABCD-1234",
    }
    again = json.dumps({"items": [found]}).encode()
    assert redacted(again) == again


@pytest.mark.parametrize(
    ("code", "description"),
    [
        ("ABCD-1234", "Code ABCD-1234"),
        ("größe-1", "Code größe-1, größe-1"),
        ('AB"12\\34', 'Code AB"12\\34'),
        ("AB<1234>", "Code AB<1234>\n"),
    ],
    ids=["plain", "umlaut", "escaped", "line"],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_code_is_found_however_the_description_is_written(code, description, ascii_only):
    orders = [
        {"items": [{"description": description, "activation_codes": [code]}]},
        {"items": [{"description": "Nothing to see\u00e9\n"}, {"description": None}]},
    ]
    body = json.dumps({"orders": orders}, ensure_ascii=ascii_only)
    found = json.loads(redacted(body.replace("<", "\\u003c").encode()))
    orders[0]["items"][0] = {
        "description": description.replace(code, MARK),
        "activation_codes": MARK,
    }
    assert found == {"orders": orders}


def test_orders_of_the_sandbox_lose_their_secrets_only():
    with UltraCartSandbox(150, now=NOW) as box:
        orders = box.truth()
    found = json.loads(redacted(json.dumps({"orders": orders}).encode()))["orders"]
    secrets = ("credit_card", "check", "activation_codes", "gift_certificate_code")
    seen = set()

    def clean(value):
        if isinstance(value, dict):
            seen.update(value.keys() & set(secrets))
            return {k: MARK if k in secrets else clean(v) for k, v in value.items()}
        return [clean(part) for part in value] if isinstance(value, list) else value

    assert found == clean(orders)
    assert seen == set(secrets)


def test_a_body_that_cannot_be_read_is_refused_without_quoting_it():
    with pytest.raises(ValueError, match="not readable as JSON") as caught:
        redacted(b'{"credit_card": "s3cr3t')
    assert "s3cr3t" not in repr(caught.value)
