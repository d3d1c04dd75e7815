"""Opening a warehouse makes its tables, and adds what later versions brought."""

import pytest

from orders_connector.warehouse.database import open_warehouse
from orders_connector.warehouse.schema import SHAPE, TABLES

COLUMNS = """
    select schema_name || '.' || table_name, column_name, data_type, comment
    from duckdb_columns() where not internal order by all
"""


def columns_of(path):
    with open_warehouse(path) as con:
        return con.execute(COLUMNS).fetchall()


def test_every_table_has_its_columns_with_their_meaning(tmp_path):
    found = {(table, column): comment for table, column, _, comment in columns_of(tmp_path / "o")}
    assert found == {
        (table, column): meaning
        for table, (_, columns) in TABLES.items()
        for column, (_, meaning) in columns.items()
    }


@pytest.mark.parametrize(
    "mark",
    [f"drop macro {SHAPE}", f"create or replace macro {SHAPE}() as 'that of an earlier version'"],
    ids=["without a mark", "with another mark"],
)
def test_an_older_warehouse_gets_what_it_lacks(tmp_path, mark):
    complete = columns_of(tmp_path / "o")
    with open_warehouse(tmp_path / "o") as con:
        con.execute(mark)
        con.execute("insert into ops.currencies values ('EUR', 2)")
        con.execute("drop table ops.customer_map")
        con.execute("alter table ops.currencies drop column minor_unit_exponent")
    assert columns_of(tmp_path / "o") == complete
    with open_warehouse(tmp_path / "o") as con:
        assert con.execute("from ops.currencies").fetchall() == [("EUR", None)]


def test_payloads_take_little_room_also_those_that_come_later(tmp_path):
    for n in range(2):
        with open_warehouse(tmp_path / "o") as con:
            con.execute(
                "insert into raw.order_payloads (version_id, payload)"
                " select n, json_object('id', n) from range(3000) as t(n)"
            )
            con.execute("checkpoint")
            kinds = con.execute(
                "select distinct compression from pragma_storage_info('raw.order_payloads')"
                " where column_name = 'payload' and segment_type <> 'VALIDITY'"
            ).fetchall()
            assert kinds == [("ZSTD",)], n
