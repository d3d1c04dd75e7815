"""Origins and types of columns; sqlglot's own, slower lineage is the judge."""

import pytest
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.schema import MappingSchema

from orders_connector.errors import ModelError
from orders_connector.modeling.lineage import column_origins, column_types
from orders_connector.modeling.model import load_models, parse_model
from orders_connector.warehouse.schema import TABLES


@pytest.fixture(scope="module")
def models():
    return load_models()


def schema_of(models):
    tables = {table: dict.fromkeys(columns, "unknown") for table, (_, columns) in TABLES.items()}
    tables |= {name: dict.fromkeys(model.columns, "unknown") for name, model in models.items()}
    nested = {}
    for name, columns in tables.items():
        schema, table = name.split(".")
        nested.setdefault(schema, {})[table] = columns
    return MappingSchema(nested, dialect="duckdb")


def test_origins_are_those_that_sqlglot_finds(models):
    schema, origins = schema_of(models), column_origins(models)
    for name, model in models.items():
        roots = lineage(None, model.select, schema, dialect="duckdb")
        expected = {
            column: {
                (f"{node.expression.db}.{node.expression.name}", node.name.split(".")[-1])
                for node in root.walk()
                if isinstance(node.expression, exp.Table)
            }
            for column, root in roots.items()
        }
        assert {column: set(found) for column, found in origins[name].items()} == expected


@pytest.fixture
def make(models, tmp_path):
    """Parse a SELECT with the columns `a` and `b` as a mart."""

    def parse(sql):
        path = tmp_path / "made.sql"
        header = "description: x\ngrain: [a]\ncolumns: {a: x, b: x}"
        path.write_text(f"/*\n{header}\n*/\n{sql}")
        return models | {"marts.made": parse_model(path, "marts")}

    return parse


@pytest.mark.parametrize(
    ("sql", "a", "b"),
    [
        ("select order_id as a, 1 as b from core.orders", {"order_id"}, set()),
        (
            "with o as (select units as n, status as s from core.orders)"
            " select n as a, upper(s) || n as b from o",
            {"units"},
            {"units", "status"},
        ),
        (
            "select units as a, status as b from core.orders"
            " union all select line_count, order_id from core.orders",
            {"units", "line_count"},
            {"status", "order_id"},
        ),
        (
            "select o.order_id as a, (select max(i.units) from core.orders as i"
            " where i.customer_key = o.customer_key) as b from core.orders as o",
            {"order_id"},
            {"units", "customer_key"},
        ),
        (
            "select o.order_id as a, o.units as b from core.orders as o"
            " join core.customer_orders as c on c.order_id = o.order_id where o.is_test",
            {"order_id"},
            {"units"},
        ),
        (
            "select order_id as a, sum(units) over (partition by status) as b from core.orders",
            {"order_id"},
            {"units", "status"},
        ),
        (
            "select o.order_id as a, t.n as b from core.orders as o, unnest([o.units]) as t(n)",
            {"order_id"},
            {"units"},
        ),
        (
            "select order_id as a, list_transform([units], lambda x: x + 1) as b from core.orders",
            {"order_id"},
            {"units"},
        ),
    ],
)
def test_origins_through(make, sql, a, b):
    origins = column_origins(make(sql))["marts.made"]
    assert origins["a"] == {("core.orders", column) for column in a}
    assert origins["b"] == {("core.orders", column) for column in b}


def test_types_are_what_the_engine_says(models):
    types = column_types(models)
    assert types.keys() == models.keys()
    assert types["marts.daily_revenue"]["order_date"] == "DATE"
    assert types["marts.daily_revenue"]["net_revenue_minor"] == "BIGINT"
    assert types["marts.daily_summary"]["discount_rate"] == "DOUBLE"
    assert list(types["core.orders"]) == list(models["core.orders"].columns)


def test_a_select_that_cannot_be_planned_names_its_file(make):
    models = make("select order_id as a, no_such_function(units) as b from core.orders")
    with pytest.raises(ModelError, match=r"made\.sql cannot be planned.*no_such_function"):
        column_types(models)
