"""What a page says, however little it says, and what is no page at all."""

import json
from datetime import UTC, datetime

import pytest

from orders_connector.sources.ultracart.page_rows import MalformedPage, PageRows, RowReader


@pytest.fixture(scope="module")
def reader():
    return RowReader()


def body(orders, **result_set):
    metadata = {"payload_name": "orders", "result_set": result_set}
    return json.dumps({"orders": orders, "success": True, "metadata": metadata}).encode()


def test_ids_times_and_stages_come_in_their_order(reader):
    orders = [
        {"order_id": "B", "creation_dts": "2026-07-01T08:00:00-04:00", "current_stage": "Hold"},
        {"order_id": "A", "creation_dts": "2026-01-01T08:00:00-05:00", "items": [{"x": 1}]},
    ]
    assert reader.read(body(orders, more=True, total_records=7)) == PageRows(
        ("B", "A"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=UTC)),
        ("Hold", None),
        True,
        7,
    )


def test_rows_that_are_no_orders_keep_their_place(reader):
    odd = [None, "x", 3, {"order_id": 7, "creation_dts": "soon"}, {"creation_dts": "infinity"}, []]
    rows = reader.read(body([*odd, {"order_id": "A"}]))
    assert rows.ids == (None, None, None, "7", None, None, "A")
    assert rows.sorted_keys == []


@pytest.mark.parametrize(
    ("told", "more", "total"),
    [
        ({}, None, None),
        ({"more": False}, False, None),
        ({"more": None, "total_records": None}, None, None),
        ({"more": 1, "total_records": "many"}, None, None),
    ],
    ids=["nothing", "false", "nulls", "odd"],
)
def test_what_is_not_told_stays_unknown(reader, told, more, total):
    rows = reader.read(body([], **told))
    assert (rows.more, rows.total, len(rows)) == (more, total, 0)


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "metadata": {}},
        {"metadata": {"payload_name": "orders"}},
        {"orders": None, "success": True},
        {"orders": []},
    ],
    ids=["success", "payload name", "null", "list alone"],
)
def test_orders_may_be_left_out_where_there_are_none(reader, answer):
    assert len(reader.read(json.dumps(answer).encode())) == 0


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html></html>",
        b'{"orders": 5}',
        b"{}",
        b'{"orders": [',
        b"\xff\xfe{}",
        b"[1]",
        b'{"metadata": {"payload_name": "items"}}',
        b'{"orders": {"A": {}}, "success": true}',
    ],
    ids=["empty", "html", "number", "nothing", "cut", "bytes", "list", "other", "object"],
)
def test_what_is_no_answer_about_orders_is_malformed(reader, broken):
    with pytest.raises(MalformedPage):
        reader.read(broken)


def test_the_order_of_a_get_becomes_a_page_with_its_numbers_as_they_are(reader):
    answer = '{"success":true,"order":{"order_id":"A","n":12345678901234567890,"t":"\\u00e9 é"}}'
    page = reader.order_of(answer.encode())
    assert json.loads(page)["orders"] == [json.loads(answer)["order"]]
    assert reader.read(page).ids == ("A",)
    for broken in (b'{"success":true}', b'{"order":'):
        with pytest.raises(MalformedPage):
            reader.order_of(broken)
