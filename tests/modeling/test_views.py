"""A model that reads views is refreshed as if it read the tables behind them."""

import pytest

from orders_connector.errors import ModelError
from orders_connector.modeling.lineage import column_origins
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.warehouse.database import open_warehouse

STAGED = """/*
description: Rows of one source.
grain: [version_id]
refresh_key: version_id
columns: {{version_id: x, order_key: x, order_id: x, source: x}}
*/
select p.version_id, p.order_key, p.order_id, p.source
from raw.order_payloads as p where {where}
"""
UNION = """/*
description: Rows of both sources.
grain: [version_id]
materialized: view
columns: {version_id: x, order_key: x, order_id: x, source: x}
*/
select a.version_id, a.order_key, a.order_id, a.source from staging.a_orders as a
union all
select b.version_id, b.order_key, b.order_id, b.source from staging.b_orders as b
"""
NESTED = """/*
description: The same again.
grain: [version_id]
materialized: view
columns: {version_id: x, order_key: x, name: x}
*/
with named as (
    select o.version_id, o.order_key, o.source || o.order_id as name from staging.orders as o
)
select named.version_id, named.order_key, named.name from named
"""
CORE = """/*
description: Versions of each order.
grain: [order_key]
refresh_key: order_key
columns: {order_key: x, names: x, versions: x}
*/
select n.order_key, max(n.name) as names, cast(count(*) as bigint) as versions
from staging.named_orders as n
where n.version_id in (select orders.version_id from staging.orders)
group by n.order_key
"""


@pytest.fixture
def folder(tmp_path):
    for path, text in {
        "staging/a_orders": STAGED.format(where="p.source = 'a'"),
        "staging/b_orders": STAGED.format(where="p.version_id > 0 and p.source = 'b'"),
        "staging/orders": UNION,
        "staging/named_orders": NESTED,
        "core/per_order": CORE,
    }.items():
        file = tmp_path / f"{path}.sql"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        yield con


def land(con, *versions):
    for version, key, source in versions:
        con.execute(
            "insert into raw.order_payloads (version_id, order_key, source, order_id)"
            " values (?, ?, ?, ?)",
            [version, key, source, f"o{key}"],
        )


def modes(report):
    return {result.model: (result.mode, result.slices) for result in report.models}


def test_tables_are_those_behind_the_views_and_inputs_those_that_are_written(folder):
    models = load_models(folder)
    model = models["core.per_order"]
    assert model.inputs == {"staging.named_orders", "staging.orders"}
    assert model.tables == {"staging.a_orders", "staging.b_orders"}
    assert models["staging.orders"].tables == models["staging.orders"].inputs
    origins = column_origins(models)["core.per_order"]
    assert origins["names"] == {("staging.named_orders", "name")}


def test_only_slices_of_the_tables_behind_a_view_are_read(folder, con):
    models = load_models(folder)
    land(con, (1, 10, "a"), (2, 20, "b"), (3, 30, "a"))
    assert {mode for mode, _ in modes(refresh(con, models)).values()} == {"full"}
    # A slice that nobody may look at: were it read, the table would be corrected.
    con.execute("update core.per_order set versions = 99 where order_key = 30")
    land(con, (4, 10, "b"), (5, 20, "b"))
    assert modes(refresh(con, models)) == {
        "staging.a_orders": ("unchanged", 0),
        "staging.b_orders": ("slices", 2),
        "staging.orders": ("unchanged", 0),
        "staging.named_orders": ("unchanged", 0),
        "core.per_order": ("slices", 2),
    }
    found = con.execute("from core.per_order order by all").fetchall()
    assert found == [(10, "bo10", 2), (20, "bo20", 2), (30, "ao30", 99)]
    refresh(con, models, full=True)
    found = con.execute("from core.per_order order by all").fetchall()
    assert found == [(10, "bo10", 2), (20, "bo20", 2), (30, "ao30", 1)]


def test_a_change_of_the_view_rebuilds_what_reads_it(folder, con):
    land(con, (1, 10, "a"))
    refresh(con, load_models(folder))
    view = folder / "staging/named_orders.sql"
    view.write_text(NESTED.replace("o.source || o.order_id", "o.order_id || o.source"))
    changed = modes(refresh(con, load_models(folder)))
    assert {name for name, (mode, _) in changed.items() if mode == "full"} == {
        "staging.named_orders",
        "core.per_order",
    }
    assert con.execute("select names from core.per_order").fetchall() == [("o10a",)]


def test_a_view_can_be_read_as_it_stands(folder, con):
    land(con, (1, 10, "a"), (2, 20, "b"))
    refresh(con, load_models(folder))
    found = con.execute("select name from staging.named_orders order by all").fetchall()
    assert found == [("ao10",), ("bo20",)]


@pytest.mark.parametrize(
    ("where", "sources"),
    [
        ("p.source = 'a'", {"a"}),
        ("p.version_id > 0 and p.source = 'a' and p.order_id <> ''", {"a"}),
        ("p.source = 'a' or p.version_id > 0", None),
        ("p.order_id = 'a'", None),
        ("not p.source = 'a'", None),
        ("p.source in ('a', 'b')", None),
    ],
)
def test_the_sources_of_raw_rows_are_read_from_the_condition(folder, where, sources):
    (folder / "staging/a_orders.sql").write_text(STAGED.format(where=where))
    assert load_models(folder)["staging.a_orders"].raw_sources == sources


def test_rows_of_any_source_are_read_when_one_place_does_not_limit_them(folder, con):
    known = "p.version_id in (select r.version_id from raw.order_payloads as r)"
    free = STAGED.format(where=f"p.source = 'a' or {known}")
    (folder / "staging/a_orders.sql").write_text(free)
    models = load_models(folder)
    assert models["staging.a_orders"].raw_sources is None
    land(con, (1, 10, "a"))
    refresh(con, models)
    land(con, (2, 20, "b"))
    assert modes(refresh(con, models))["staging.a_orders"] == ("slices", 1)


def test_a_key_that_a_table_behind_a_view_lacks_is_refused(folder):
    view = UNION.replace("b.order_key", "1 as order_key")
    (folder / "staging/orders.sql").write_text(view)
    keyless = STAGED.format(where="p.source = 'b'").replace(" order_key: x,", "")
    (folder / "staging/b_orders.sql").write_text(keyless.replace(" p.order_key,", ""))
    with pytest.raises(ModelError, match=r"per_order\.sql: .*staging\.b_orders has no such column"):
        load_models(folder)


def test_a_setting_rebuilds_only_the_models_that_read_it(folder, con):
    reader = STAGED.format(where="p.source in (select m.source from ops.customer_map as m)")
    (folder / "staging/b_orders.sql").write_text(reader)
    other = STAGED.format(where="p.source in (select a.source from ops.accounts as a)")
    (folder / "staging/a_orders.sql").write_text(other)
    models = load_models(folder)
    refresh(con, models)
    con.execute("insert into ops.customer_map values ('a', 'x', 'c', 'p')")
    changed = modes(refresh(con, models))
    assert changed["staging.b_orders"][0] == "full"
    assert changed["staging.a_orders"][0] == "unchanged"
