"""Every model keeps to the SQL that means the same on DuckDB and on Spark."""

import pytest
import sqlglot

from orders_connector.modeling.model import load_models
from orders_connector.modeling.portable import violations

MODELS = load_models()


def sql_of(model):
    return model.path.read_text(encoding="utf-8").split("*/", 1)[1]


@pytest.mark.parametrize("name", MODELS)
def test_each_model_is_portable(name):
    assert violations(sql_of(MODELS[name])) == []


@pytest.mark.parametrize("name", MODELS)
def test_each_model_transpiles_to_spark(name):
    (spark,) = sqlglot.transpile(
        sql_of(MODELS[name]),
        read="duckdb",
        write="spark",
        unsupported_level=sqlglot.ErrorLevel.RAISE,
    )
    assert sqlglot.parse_one(spark, read="spark").named_selects == list(MODELS[name].columns)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from t",
        "select t.* from t",
        "select a + 1 from t",
        "select avg(a) as x from t",
        "select a from t limit 5",
        "select a from t where null",
        "select null as a from t",
        "select now() as n",
        "select current_date as d",
        "select random() as r",
        "select distinct on (a) a, b from t",
        "select a from t asof join u using (a)",
        "select a from t union all by name select b from u",
        "select a from (select 1 as a)",
        "select x.a from x left join unnest(x.b) as u(c) on true",
        "select x.a from x, unnest(x.b) with ordinality as u(c, n)",
        "select [x for x in l] as y from t",
        "select a[b + 1] as y from t",
        "select len(a) as n from t",
        "select json_type(x) as y from t",
        "select json_valid(x) as y from t",
        "select json_array_length(x) as y from t",
        "select json_exists(x, '$.a') as y from t",
        "select from_json(x, '[]') as y from t",
        "select json_object('a', b) as y from t",
        "select epoch_ms(x) as y from t",
        "select strptime(x, '%Y') as y from t",
        "select isodow(x) as y from t",
        "select timezone('UTC', x) as y from t",
        "select quantile_cont(x, 0.9) as y from t",
        "select try_cast(x as integer) as y from t",
        "select cast(json_extract_string(t.x, '$.a') as bigint) as y from t",
        "select cast(sum(x) as hugeint) as y from t",
        "select cast(x as json[]) as y from t",
        "select cast(x as struct(a integer)) as y from t",
        "select cast(cast(x as timestamptz) as varchar) as y from t",
        "select date_trunc('month', x) as y from t",
        "select a from t where b = ?",
        "select a from t where b = $b",
    ],
)
def test_what_differs_elsewhere_is_refused(sql):
    assert violations(sql)
