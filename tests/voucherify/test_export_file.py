"""The file of an export is read in every form it may have, and what is no such file is refused."""

import gzip
import itertools
import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.errors import ExportDamaged, ExportNotUnderstood
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox
from orders_connector.sandbox.voucherify.csv_file import csv_chunks
from orders_connector.sources.voucherify.export_file import (
    AMOUNTS,
    FIELDS,
    check_money,
    inspect_export,
    sample_ids,
)
from tests.conftest import NOW

WHO = {"name": "exp_7", "account": "shop"}
NOTE = 'say "hi", then\nleave\r\n'


@pytest.fixture(scope="module")
def shop():
    with VoucherifySandbox(60, now=NOW) as box:
        order = box.shop.truth()[5]
        nested = {"note": NOTE, "list": [1, "ä"], "deep": {"none": None}, 'k"': "{", "empty": ""}
        box.shop.put_raw(order | {"metadata": nested, "total_amount": -5})
        box.shop.put_raw(order | {"id": "ord_bare", "metadata": None, "amount": None})
        yield box.shop


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "it's [1].csv"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


def csv_of(shop, switches, fields=FIELDS):
    return b"".join(csv_chunks(list(shop.visible().records.values()), list(fields), switches))


def payloads(file, exponent=2):
    with duckdb.connect() as con:
        rows = con.execute(f"from {file.payloads(exponent=exponent)} order by position").fetchall()
    assert [position for position, _ in rows] == list(range(1, file.rows + 1))
    return [json.loads(payload) for _, payload in rows]


def expected(order, switches):
    row = {field: order.get(field) for field in FIELDS}
    if switches.export_metadata == "columns":
        cells = {key: value for key, value in (row["metadata"] or {}).items() if value}
        cells |= {k: v for k, v in (row["metadata"] or {}).items() if v is False}
        row["metadata"] = {key: cell_of(value, switches) for key, value in cells.items()}
    return row


def cell_of(value, switches):
    if isinstance(value, list) and switches.export_metadata_nested == "joined":
        return ",".join(map(str, value))
    return value if isinstance(value, str | list | dict) else json.dumps(value)


FORMS = [
    Switches(
        export_header=header,
        export_money=money,
        export_metadata=metadata,
        export_metadata_nested=nested,
        export_quoting=quoting,
        export_line_end=line_end,
        export_csv_bom=bom,
    )
    for header, money, (metadata, nested), quoting, line_end, bom in itertools.product(
        ("fields", "labels"),
        ("integers", "decimal"),
        (("json", "json"), ("columns", "json"), ("columns", "joined")),
        ("minimal", "all"),
        ("lf", "crlf"),
        ("no", "yes"),
    )
]


@pytest.mark.parametrize("switches", FORMS, ids=range(len(FORMS)))
def test_every_form_of_the_file_gives_the_orders_of_the_api(shop, write, switches):
    file = inspect_export(write(csv_of(shop, switches)), FIELDS, **WHO)
    assert (file.header, file.money) == (switches.export_header, switches.export_money)
    assert (file.metadata, file.rows, file.broken) == (switches.export_metadata, 61, ())
    orders = shop.visible().records.values()
    assert payloads(file) == [expected(record.order(), switches) for record in orders]


@pytest.mark.parametrize("money", ["integers", "decimal"])
def test_the_first_orders_with_amounts_agree_with_the_api(shop, write, money):
    file = inspect_export(write(csv_of(shop, Switches(export_money=money))), FIELDS, **WHO)
    known = {key: shop.get(key) for key in sample_ids(file)}
    assert len(known) == 3
    check_money(file, known, exponent=2, **WHO)
    wrong = {key: dict.fromkeys(AMOUNTS, 7) for key in known}
    with pytest.raises(ExportNotUnderstood, match="7 minor units"):
        check_money(file, wrong, exponent=2, **WHO)


@pytest.mark.parametrize("fields", [("id",), ("total_amount", "id"), ("id", "metadata.channel")])
def test_only_the_fields_asked_for_are_there(shop, write, fields):
    file = inspect_export(write(csv_of(shop, Switches(), fields)), fields, **WHO)
    orders = [record.order() for record in shop.visible().records.values()]
    rows = payloads(file)
    assert [row["id"] for row in rows] == [order["id"] for order in orders]
    if fields[-1] == "metadata.channel":
        channels = [(order.get("metadata") or {}).get("channel") for order in orders]
        assert [row["metadata"].get("channel") for row in rows] == channels
    else:
        assert all(row.keys() == set(fields) for row in rows)


@pytest.mark.parametrize("metadata", ["json", "columns"])
def test_a_file_with_only_a_header_is_an_export_of_nothing(write, metadata):
    data = b"".join(csv_chunks([], list(FIELDS), Switches(export_metadata=metadata)))
    file = inspect_export(write(data), FIELDS, **WHO)
    assert (file.rows, file.money, file.metadata, payloads(file)) == (0, "unknown", metadata, [])
    assert sample_ids(file) == []


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("ID,Status,Created At,Amount", "column 3 should be amount but is headed 'Created At'"),
        ("ID,Status", "2 columns where 3"),
        ("ID,Status,Amount,Extra", "4 columns where 3.*begins 'ID,Status,Amount,Extra'"),
        ("ID,Amount,Status", "column 2 should be status"),
        ("ID,Status,Status", "column 3 should be amount"),
        ("ID;Status;Amount", "1 columns where 3"),
        ("ord_1,PAID,7700", "column 1 should be id"),
    ],
)
def test_a_header_that_does_not_confirm_the_fields_is_refused(write, header, says):
    with pytest.raises(ExportNotUnderstood, match=says) as error:
        inspect_export(write(f"{header}\nord_2,PAID,1\n"), ("id", "status", "amount"), **WHO)
    assert "exp_7" in str(error.value)
    assert "account: shop" in str(error.value)


@pytest.mark.parametrize(
    "header", ["id,metadata.a,metadata.a,status", "id,metadata,metadata,status", "id,note,x,status"]
)
def test_metadata_columns_that_cannot_be_told_apart_are_refused(write, header):
    with pytest.raises(ExportNotUnderstood):
        inspect_export(write(header + "\n"), ("id", "metadata", "status"), **WHO)


@pytest.mark.parametrize("fields", [(), ("id", "id"), ("items",), ("metadata", "metadata.a")])
def test_fields_that_no_export_has_are_an_error_of_the_caller(write, fields):
    with pytest.raises(ValueError, match="no fields to bind"):
        inspect_export(write("id\n"), fields, **WHO)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"<!DOCTYPE html><p>Down for maintenance</p>\n", "web page"),
        (b'{"code": 404}', "JSON"),
        (gzip.compress(b"id,amount\nord_1,7\n", mtime=0), "NUL bytes|header"),
        ("id,amount\nord_1,7\n".encode("utf-16"), "NUL bytes"),
        (b"id,amount\nord_1,7\n" + bytes(4096), "NUL bytes"),
        (b"id,am", "header"),
        (b'id,"amount\nord_1,7\n', "header"),
        (b"id,amount\nord_1,7", "line end"),
        (b"id,amount\nord_1,7\nord_2\n", "cut off in line 3"),
        (b'id,amount\nord_1,7\nord_2,"7\n', "cut off in line 3"),
        (b"id,amount\n" + b"ord_1,7,7\n" * 1_001 + b"ord_1,7\n", "1,000 broken lines; line 2"),
    ],
)
def test_what_is_no_whole_csv_is_damaged(write, data, says):
    with pytest.raises(ExportDamaged, match=says):
        inspect_export(write(data), ("id", "amount"), **WHO)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"ord_2\n", "1 columns instead of 3"),
        (b"ord_2,1,2,3\n", "4 columns instead of 3"),
        (b'ord_2,"a"b,3\n', "quotes"),
        (b"ord_2,a\rb,3\n", "line ends"),
        (b"ord_2,\xff,3\n", "UTF-8"),
        (b'ord_2,"\xff\n\xfe",3\n', "UTF-8"),
    ],
)
def test_a_broken_line_is_reported_and_the_others_are_read(write, line, says):
    good = b'ord_1,"a\r\n""b""",1\n'
    path = write(b"id,status,amount\n" + good + line + b"\n" + b"ord_3,,2\r\n")
    file = inspect_export(path, ("id", "status", "amount"), **WHO)
    ((number, reason, raw),) = file.broken
    assert (number, raw) == (4, line.decode("utf-8", "replace"))
    assert says in reason
    assert payloads(file) == [
        {"id": "ord_1", "status": 'a\r\n"b"', "amount": 1},
        {"id": "ord_3", "status": None, "amount": 2},
    ]


@settings(max_examples=150)
@given(switches=st.sampled_from(FORMS), data=st.data())
def test_a_file_cut_anywhere_is_noticed_or_a_prefix(shop, tmp_path, switches, data):
    """Cut at a line end a file is whole in itself: only counts can tell that rows are missing."""
    records = list(shop.visible().records.values())[3:9]
    whole = b"".join(csv_chunks(records, list(FIELDS), switches))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    path = tmp_path / "orders.csv"
    path.write_bytes(cut)
    try:
        file = inspect_export(path, FIELDS, **WHO)
    except (ExportDamaged, ExportNotUnderstood):
        assert not (cut.endswith(b"\n") and cut.count(b'"') % 2 == 0)
        return
    assert cut.endswith((b"\n", b"}", b'}"'))
    whole_orders = [expected(record.order(), switches) for record in records]
    assert payloads(file) == whole_orders[: file.rows]


@pytest.mark.parametrize(
    ("cells", "exponent", "amounts"),
    [
        (["7700", "-5", "0", "007", "7e2", "n/a"], 2, [7700, -5, 0, "007", "7e2", "n/a"]),
        (["77.00", "-0.05", "77.5", "77", "1.005"], 2, [7700, -5, 7750, 7700, "1.005"]),
        (["77.000", "0.00", "x.yy", "1,234.00"], 2, [7700, 0, "x.yy", "1,234.00"]),
        (["7700", "12"], 0, [7700, 12]),
        (["7700.00", "12.50"], 0, [7700, "12.50"]),
        (["7.700", "-0.001", "7.70", "7.7001"], 3, [7700, -1, 7700, "7.7001"]),
        (["90071992547409.93"], 2, [9007199254740993]),
    ],
)
def test_amounts_become_minor_units_or_stay_the_text_they_are(write, cells, exponent, amounts):
    rows = "".join(f'ord_{n},"{cell}"\n' for n, cell in enumerate(cells))
    file = inspect_export(write("id,amount\n" + rows), ("id", "amount"), **WHO)
    assert [row["amount"] for row in payloads(file, exponent)] == amounts


def test_a_file_whose_amounts_are_no_numbers_is_refused(write):
    with pytest.raises(ExportNotUnderstood, match="no amount in the columns amount is a number"):
        inspect_export(write("id,amount\no1,EUR 7\n"), ("id", "amount"), **WHO)


@pytest.mark.parametrize(
    ("written", "exponent", "units"), [("77", 2, 7700), ("77.00", 0, 7700), ("77.00", 3, 7700)]
)
def test_a_form_of_money_that_contradicts_the_api_is_refused(write, written, exponent, units):
    file = inspect_export(write(f"id,amount\no1,{written}\no2,0\n"), ("id", "amount"), **WHO)
    assert sample_ids(file) == ["o1"]
    known = {"o1": {"amount": units}, "o2": {"amount": 0}}
    with pytest.raises(ExportNotUnderstood, match=f"written as {written}.*API says 7700"):
        check_money(file, known, exponent=exponent, **WHO)


def test_one_order_that_agrees_is_enough_because_others_may_have_changed(write):
    file = inspect_export(write("id,amount\no1,5\no2,7\n"), ("id", "amount"), **WHO)
    check_money(file, {"o1": {"amount": 900}, "o2": {"amount": 7}}, exponent=2, **WHO)
    check_money(file, {}, exponent=2, **WHO)
    check_money(file, {"o9": {"amount": 900}}, exponent=2, **WHO)


@pytest.mark.parametrize(
    ("cell", "metadata"),
    [('{""a"":[1]}', {"a": [1]}), ("{oops", "{oops"), ("", None), ("null", None)],
)
def test_metadata_is_an_object_or_the_text_it_is(write, cell, metadata):
    file = inspect_export(write(f'id,metadata\no1,"{cell}"\n'), ("id", "metadata"), **WHO)
    assert payloads(file) == [{"id": "o1", "metadata": metadata}]


def test_a_long_cell_with_lines_like_rows_stays_one_cell(write):
    note = "\no9,x" * 20_000
    rows = "".join(f'o{n},"{note}"\n' for n in range(90))  # more than one piece for DuckDB
    file = inspect_export(write("id,status\n" + rows), ("id", "status"), **WHO)
    assert (file.rows, file.broken) == (90, ())
    assert payloads(file) == [{"id": f"o{n}", "status": note} for n in range(90)]
