"""The raw log keeps what was sent, once, and puts aside what has no identity."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orders_connector.landing.raw_log import land, land_gone, land_rows
from orders_connector.landing.spool import batches_from_pages
from orders_connector.sources.voucherify.extraction import CONTRACT
from orders_connector.warehouse.database import open_warehouse, transaction


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path / "orders.duckdb") as connection:
        yield connection


WHO = {
    "source": "voucherify",
    "account": "shop",
    "extraction_id": "ext",
    "loaded_at": datetime(2026, 3, 1, tzinfo=UTC),
}


def put_rows(con, *orders, job="job"):
    payloads = [json.dumps(order) for order in orders]
    con.execute("create or replace temp table file (position bigint, payload json)")
    con.executemany("insert into file values (?, ?)", list(enumerate(payloads, start=1)))
    with transaction(con):
        return land_rows(con, "file", contract=CONTRACT, job_id=job, **WHO)


def put_gone(con, *names):
    with transaction(con):
        return land_gone(con, [(name, '{"status": 404}') for name in names], **WHO)


def put(con, *pages, account="shop", extraction="ext", contract=CONTRACT):
    texts = [
        page if isinstance(page, bytes) else json.dumps({"orders": page}).encode() for page in pages
    ]
    with transaction(con):
        return land(
            con,
            lambda: batches_from_pages(iter(texts)),
            contract=contract,
            source="voucherify",
            account=account,
            extraction_id=extraction,
            loaded_at=datetime(2026, 3, 1, tzinfo=UTC),
        )


def order(name, minute=0, **fields):
    return {"id": name, "updated_at": f"2026-03-01T10:{minute:02}:00Z", **fields}


def raw(con, columns="order_id, version_id, payload::varchar"):
    return con.execute(f"select {columns} from raw.order_payloads order by version_id").fetchall()


def test_numbers_and_texts_are_kept_as_sent(con):
    sent = (
        b'{"orders": [{"id": "a", "created_at": "2026-03-01T10:00:00Z", "big": 9007199254740993,'
        b' "bigger": 123456789012345678901234567890, "text": "\\u00e4 \\ud83d\\ude00 \\"x\\"",'
        b' "unknown": {"deep": [1, null, true]}, "twice": 1, "twice": 2}]}'
    )
    put(con, sent)
    ((payload,),) = raw(con, "payload::varchar")
    assert '"big":9007199254740993,' in payload
    assert '"bigger":123456789012345678901234567890,' in payload
    assert '"twice":1,"twice":2' in payload
    assert json.loads(payload)["text"] == 'ä 😀 "x"'


def test_the_same_version_is_stored_once(con):
    first = put(con, [order("a"), order("b")], [order("b"), order("c")])
    assert (first.orders_read, first.versions, first.new_orders) == (4, 3, 3)
    again = put(con, [order("c"), order("a")])
    assert (again.versions, again.new_orders) == (0, 0)
    assert [row[0] for row in raw(con)] == ["a", "b", "c"]


def test_versions_are_numbered_in_the_order_they_were_seen(con):
    put(con, [order("a", 1)], [order("a", 2)], [order("a", 1)])
    assert [json.loads(p)["updated_at"][14:16] for *_, p in raw(con)] == ["02", "01"]


def test_accounts_do_not_share_orders(con):
    put(con, [order("a")])
    assert put(con, [order("a")], account="second").new_orders == 1


def test_an_earlier_text_without_a_new_time_is_stored_again(con):
    for note in ("one", "two", "one"):
        put(con, [order("a", note=note)])
    assert [json.loads(p)["note"] for *_, p in raw(con)] == ["one", "two", "one"]
    assert put(con, [order("a", note="one")]).versions == 0


def test_an_older_version_that_is_seen_again_is_not(con):
    put(con, [order("a", 1)])
    put(con, [order("a", 2)])
    assert put(con, [order("a", 1)]).versions == 0


def test_what_has_no_identity_is_put_aside_with_its_text_once(con):
    page = b'{"orders": [null, 7, "text", [1], {}, {"id": ""}, {"id": null}, {"id": {}}]}'
    landed = put(con, page)
    assert (landed.versions, landed.quarantined) == (0, 8)
    put(con, page)
    rows = con.execute("select reason, content from ops.quarantine order by position").fetchall()
    assert rows == [
        ("null stands where an order should", "null"),
        ("not an order but ubigint", "7"),
        ("malformed JSON, or text where an order should stand", '"text"'),
        ("not an order but array", "[1]"),
        ("the order has no id", "{}"),
        ("the order has no id", '{"id":""}'),
        ("the order has no id", '{"id":null}'),
        ("the order has no id", '{"id":{}}'),
    ]


def test_a_number_is_an_identity_too(con):
    put(con, [order(1629789747117569)])
    assert raw(con, "order_id") == [("1629789747117569",)]


def test_an_unreadable_version_is_in_the_raw_log_and_in_quarantine(con):
    put(con, [{"id": "a", "created_at": "soon"}])
    assert raw(con, "order_id, version_at, quarantine_reason") == [
        ("a", None, "created_at is not a time: soon")
    ]
    assert con.execute("select version_id, stage from ops.quarantine").fetchall() == [
        (1, "landing")
    ]


def test_an_error_lands_nothing(con):
    with pytest.raises(Exception, match="JSON"):
        put(con, [order("a")], b'{"orders": [{"id": ]}')
    assert raw(con) == []


def test_a_row_of_an_export_is_left_out_where_a_full_version_is_as_new(con):
    put(con, [order("a", 1, items=[]), order("b", 1, items=[])])
    landed = put_rows(con, order("a", 1), order("b", 2), order("c", 1))
    assert (landed.orders_read, landed.versions, landed.new_orders) == (3, 2, 1)
    assert raw(con, "order_id, channel") == [
        ("a", "list"),
        ("b", "list"),
        ("b", "export"),
        ("c", "export"),
    ]
    # What the file held is known all the same, for comparisons.
    rows = con.execute("select job_id, order_id from raw.export_rows order by all").fetchall()
    assert rows == [("job", "a"), ("job", "b"), ("job", "c")]


def test_the_items_of_an_exported_order_come_after_its_header(con):
    put_rows(con, order("a", 1))
    assert put_rows(con, order("a", 1), job="again").versions == 0
    landed = put(con, [order("a", 1, items=[])])
    assert (landed.versions, landed.new_orders) == (1, 0)
    assert put(con, [order("a", 1, items=[])]).versions == 0
    assert put_rows(con, order("a", 1), job="later").versions == 0
    assert raw(con, "channel") == [("export",), ("list",)]


def test_headers_are_compared_with_headers_alone(con):
    for note in ("one", "two", "one"):
        put_rows(con, order("a", 1, note=note), job=note)
    assert [json.loads(p)["note"] for *_, p in raw(con)] == ["one", "two", "one"]


def test_a_row_without_an_identity_is_put_aside(con):
    landed = put_rows(con, order("a", 1), {"id": None, "created_at": "2026-03-01T10:00:00Z"})
    assert (landed.versions, landed.quarantined) == (1, 1)
    assert con.execute("select count(*) from raw.export_rows").fetchall() == [(1,)]


def test_an_order_is_gone_once_and_may_come_back(con):
    put(con, [order("a", 1)], [order("b", 1)])
    assert put_gone(con, "a", "a", "stranger") == 1
    assert put_gone(con, "a") == 0
    back = put(con, [order("a", 1), order("b", 1)])
    assert (back.versions, back.new_orders) == (1, 1)
    assert put(con, [order("a", 1)]).versions == 0
    assert put_gone(con, "a") == 1
    assert put_rows(con, order("a", 1)).new_orders == 1
    entries = con.execute(
        "select channel from raw.order_payloads where order_id = 'a' order by version_id"
    ).fetchall()
    assert [channel for (channel,) in entries] == ["list", "gone", "list", "gone", "export"]


def test_orders_of_another_account_are_not_gone(con):
    put(con, [order("a", 1)], account="second")
    assert put_gone(con, "a") == 0


DRIFTING = replace(
    CONTRACT, shapes={}, drifting={"$": ("lines",), "$.customer": ("orders", "licenses")}
)
BUYER = {"id": 1, "orders": 5, "licenses": 57, "own": {"orders": 5, "licenses": 5}}
OTHER = BUYER | {"id": 9}
WHOLE = {"lines": [{"n": 1}], "customer": BUYER, "own": {"lines": [], "customer": OTHER}}


@pytest.mark.parametrize(
    "change",
    [
        {"lines": [{"n": 1}, {"n": 2}]},
        {"lines": None},
        {"customer": BUYER | {"orders": 6}},
        {"customer": BUYER | {"orders": 57, "licenses": None}},
        {"customer": {k: v for k, v in BUYER.items() if k != "orders"}},
    ],
    ids=["lines", "null", "count", "counts", "no count"],
)
def test_what_drifts_makes_no_version(con, change):
    put(con, [order("a", **WHOLE)], contract=DRIFTING)
    assert put(con, [order("a", **WHOLE | change)], contract=DRIFTING).versions == 0


@pytest.mark.parametrize("place", ["first", "last"])
def test_what_drifts_may_also_be_missing(con, place):
    lines, plain = {"lines": [{"n": 1}]}, order("a", customer=BUYER)
    put(con, [lines | plain if place == "first" else plain | lines], contract=DRIFTING)
    assert put(con, [plain], contract=DRIFTING).versions == 0


@pytest.mark.parametrize(
    "change",
    [
        {"note": "new"},
        {"lines": "[]"},
        {"customer": None},
        {"customer": "{"},
        {"customer": BUYER | {"id": 2}},
        {"customer": BUYER | {"own": {"orders": 6, "licenses": 5}}},
        {"own": {"lines": [{"n": 1}], "customer": OTHER}},
        {"own": {"lines": [], "customer": OTHER | {"orders": 6}}},
    ],
    ids=["note", "text", "no one", "text alike", "id", "deeper", "lines", "customer"],
)
def test_what_has_the_name_of_what_drifts_is_not_left_out_elsewhere(con, change):
    put(con, [order("a", **WHOLE)], contract=DRIFTING)
    assert put(con, [order("a", **WHOLE | change)], contract=DRIFTING).versions == 1


# Counts whose names stand nowhere else are cut out of the text; others are left out more slowly.
ALONE = {"id": 1, "orders": 5, "licenses": 57, "city": "Gda\u0144sk"}
FIRST = {"orders": 5, "id": 1, "licenses": 57}


@pytest.mark.parametrize("customer", [ALONE, FIRST], ids=["between", "first"])
@pytest.mark.parametrize("elsewhere", [{}, {"own": {"id": 2, "orders": 5}}], ids=["", "elsewhere"])
@pytest.mark.parametrize(
    "counts",
    [{"orders": 6}, {"orders": 57, "licenses": 5}, {"orders": -1}]
    + [{"orders": count} for count in (1.5, "6", None, True, [5])],
    ids=["more", "both", "negative", "fraction", "text", "null", "flag", "list"],
)
def test_counts_are_left_out_the_same_however_they_are_written(con, customer, elsewhere, counts):
    put(con, [order("a", customer=customer, **elsewhere)], contract=DRIFTING)
    other = order("a", customer=customer | counts, **elsewhere)
    assert put(con, [other], contract=DRIFTING).versions == 0


@pytest.mark.parametrize("customer", [ALONE, FIRST], ids=["between", "first"])
@pytest.mark.parametrize("count", [5, 57], ids=["same", "begins_alike"])
def test_equal_counts_of_something_else_are_not_left_out(con, customer, count):
    put(con, [order("a", customer=customer, own={"id": 2, "orders": count})], contract=DRIFTING)
    other = order("a", customer=customer, own={"id": 2, "orders": count + 1})
    assert put(con, [other], contract=DRIFTING).versions == 1
    other = order("a", customer=customer | {"city": "\u0141\u00f3d\u017a"}, own={"id": 2})
    assert put(con, [other], contract=DRIFTING).versions == 1


def test_leaving_out_what_drifts_takes_little_memory(con):
    con.execute("set memory_limit = '200MB'")
    con.execute("set threads = 2")
    text = {f"field_{n}": n for n in range(150)}
    page = [order(f"{n}", **WHOLE, **text) for n in range(2_000)]
    assert put(con, page, contract=DRIFTING).versions == 2_000
