"""What a union would take from tables without a row is left out, and nothing else is."""

import duckdb
import pytest
import sqlglot

from orders_connector.modeling.slices import restrict_inputs

LEFT_OUT = {
    "a branch": "select a.k, a.v from m.full as a union all select b.k, b.v from m.none as b",
    "the first one": "select b.k, b.v from m.none as b union all select a.k, a.v from m.full as a",
    "the middle one": "select a.k, a.v from m.full as a union all select b.k, b.v from m.none as b"
    " union all select c.k, c.v + 1 as v from m.full as c",
    "a subquery": "select a.k, a.v from m.full as a"
    " union all select q.k, q.v from (select b.k, b.v from m.none as b where b.v > 0) as q",
    "an inner join": "select a.k, a.v from m.full as a"
    " union all select b.k, b.v from m.full as b inner join m.none as c on c.k = b.k",
    "groups": "select a.k, a.v from m.full as a"
    " union all select b.k, count(*) as v from m.none as b group by b.k",
    "a window": "select a.k, a.v from m.full as a"
    " union all select b.k, count(*) over (partition by b.k) as v from m.none as b",
    "a union in a subquery": "select q.k, sum(q.v) as v from (select a.k, a.v from m.full as a"
    " union all select b.k, b.v from m.none as b) as q group by q.k",
}
KEPT = {
    "a total": "select a.k, a.v from m.full as a"
    " union all select 7 as k, count(*) as v from m.none as b",
    "a left join": "select a.k, a.v from m.full as a"
    " union all select b.k, b.v from m.full as b left join m.none as c on c.k = b.k",
    "an anti join": "select a.k, a.v from m.full as a"
    " union all select b.k, b.v from m.full as b anti join m.none as c on c.k = b.k",
    "rows told apart": "select a.k, a.v from m.full as a union select b.k, b.v from m.none as b",
    "other names": "select b.k as x, b.v as y from m.none as b"
    " union all select a.k, a.v from m.full as a",
    "no union": "select b.k, b.v from m.none as b",
}


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        con.execute("create schema m")
        con.execute("create table m.full as select 1 as k, 2 as v union all select 1, 2")
        con.execute(
            "create table m.none (k integer, v integer); create table stale as select 1 as k"
        )
        yield con


def restricted(sql, empty):
    select = sqlglot.parse_one(sql, read="duckdb")
    found = restrict_inputs(
        select, tables={"m.full", "m.none"}, versioned=(), key="k", stale="stale", empty=empty
    )
    return found.sql(dialect="duckdb")


@pytest.mark.parametrize("name", [*LEFT_OUT, *KEPT])
def test_rows_and_names_stay_the_same(con, name):
    sql = (LEFT_OUT | KEPT)[name]
    whole, without = (con.sql(restricted(sql, empty)) for empty in ((), {"m.none"}))
    assert without.columns == whole.columns
    assert sorted(without.fetchall()) == sorted(whole.fetchall())
    assert ("m.none" in restricted(sql, {"m.none"})) == (name in KEPT)
