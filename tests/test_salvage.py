"""A malformed page gives up what can be read of it, and no secret."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_connector.sources.salvage import salvage
from orders_connector.sources.secrets import MARK, SecretNames


def test_salvage_keeps_readable_orders_and_turns_broken_ones_into_text():
    broken = b'{"orders": [{"id": "a"}, {"id": "b", "x": ,, "y": "}"}, {"id": "c"}], "total": 3}'
    page = json.loads(salvage(broken, "orders", numbers=["total"]))
    assert page["orders"] == [{"id": "a"}, '{"id": "b", "x": ,, "y": "}"}', {"id": "c"}]
    assert page["total"] == 3


def test_numbers_that_stand_before_the_list_are_kept_too():
    broken = b'{"count": 41, "next": null, "results": [{"id": 1 2}]}'
    page = json.loads(salvage(broken, "results", numbers=["count", "more"]))
    assert page == {"results": ['{"id": 1 2}'], "count": 41}


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"orders": [{"id": "a"}, {"id": "b"', b'{"orders": [{"id": "a"}, ']
)
def test_salvage_gives_up_when_the_end_is_gone(body):
    assert salvage(body, "orders") is None


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(alphabet='{}[]",\\ab', max_size=8)), max_size=5
    )
)
def test_salvage_loses_nothing_of_a_good_page(orders):
    body = json.dumps({"orders": orders, "total": 9}).encode()
    found = json.loads(salvage(body, "orders", numbers=["total"]))
    assert found == {"orders": orders, "total": 9}


@pytest.mark.parametrize("name", ["license_key", "licenseKey", "lic\\u0065nse_key", "check"])
def test_the_text_of_a_broken_order_ends_before_a_secret(name):
    names = SecretNames(["license_key"], whole=["check"])
    broken = f'{{"orders": [{{"id": "a", "x": ,, "{name}": "s3cr3t"}}]}}'.encode()
    (text,) = json.loads(salvage(broken, "orders", kept=names.harmless_beginning))["orders"]
    assert "s3cr3t" not in text
    assert text.startswith('{"id": "a", "x": ,,')
    assert text.endswith(MARK)
    assert names.harmless_beginning("checkout, licensed") == "checkout, licensed"
