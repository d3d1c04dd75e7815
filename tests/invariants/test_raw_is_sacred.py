"""What a source sends is kept as sent; what cannot be typed waits in quarantine with its reason."""

import json

import pytest

from orders_connector.load import refresh_models
from orders_connector.warehouse.configured import warehouse_connection
from tests.invariants.every_source import NIGHTS
from tests.invariants.nights import open_nights

ORDERS = "select * from core.orders where source = ? and account = ? order by order_id"
RAW = """
    select payload::varchar from raw.order_payloads
    where source = ? and account = ? and order_id = $id
    order by version_id desc limit 1
"""
LEFT = """
    select order_id from ops.reconciliation_differences
    where source = ? and account = ? and not repaired
"""
REASONS = """
    select distinct reason from ops.quarantine where source = ? and account = ? and order_id = $id
"""


def deep(levels):
    value = "bottom"
    for _ in range(levels):
        value = {"a": [value]}
    return value


def other_type(value):
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int | float):
        return "many"
    return {str: 12, list: {"0": "list"}, dict: ["an object"]}.get(type(value), "odd")


def odd_orders(night, order):
    """Return odd forms of a good order by what is odd about them."""
    kept = {key: value for key, value in order.items() if key in night.kept}
    return {
        "unknown fields": order | {"brand_new": {"deep": [1, {"x": None}]}, "": "no name"},
        "an unknown status": order | {night.status_key: "TELEPORTED"},
        "a status that is no text": order | {night.status_key: {"code": 7}},
        "nothing but null": dict.fromkeys(order) | kept,
        "nothing at all": kept,
        "other types": {key: other_type(value) for key, value in order.items()} | kept,
        "texts without text": {
            key: "" if isinstance(value, str) else value for key, value in order.items()
        },
        "numbers that no float holds": order
        | {"metadata": {"n": 2**53 + 1, "m": -(2**70)}, "extra": 1e300},
        "odd texts": order
        | {"metadata": {"\U0001f600": "a\u2028b\\\"'\t\u0000c", "é": "ü" * 4000}},
        "depth": order | {"metadata": deep(60)},
    }


@pytest.mark.parametrize("source", NIGHTS)
def test_odd_orders_stop_nothing_and_are_kept(tmp_path, monkeypatch, source):
    kind = NIGHTS[source]
    with kind.sandbox(12) as box:
        night = kind(box)
        settings = open_nights([night], tmp_path, monkeypatch)
        assert night.sync().status == "complete"
        refresh_models(settings)
        others = night.query(ORDERS)
        good = night.whole()[0]
        names = {}
        for number, (what, order) in enumerate(odd_orders(night, good).items()):
            night.tick()
            names[night.put(number, order)] = what
        night.tick()
        assert night.sync().status == "complete"
        refresh_models(settings)
        truth, typed = night.truth(), {}
        with warehouse_connection(settings, read_only=True) as con:
            for name, what in names.items():
                mine = [source, night.account]
                raw = con.execute(RAW.replace("$id", f"'{name}'"), mine).fetchall()
                key = (name, None)
                sent = night.still(key, json.loads(raw[0][0]))
                assert sent == truth[key], what
                typed[what] = con.execute(
                    "select count(*) from core.orders where order_id = ?", [name]
                ).fetchall() == [(1,)]
                reasons = con.execute(REASONS.replace("$id", f"'{name}'"), mine).fetchall()
                # A typed order has no reason, an untyped one says why.
                assert typed[what] == (reasons == []), (what, reasons)
                assert all(reason for (reason,) in reasons)
        assert typed["unknown fields"]
        assert typed["an unknown status"]
        assert typed["odd texts"]
        shown = [row for row in night.query(ORDERS) if row[3] not in names]
        assert shown == others  # the rest is as it was
        # What cannot be read cannot be repaired; a comparison names it and nothing else.
        assert night.reconcile().status in {"equal", "repaired", "different"}
        assert {order_id for (order_id,) in night.query(LEFT)} <= names.keys()
