"""The dbt projects that are run beside the nightly refresh: our models, as users of dbt have them.

Every table is `incremental`. What a run rebuilds carries its start as `built_at`. A model rebuilds
the values of its refresh key that such rows have, in any table upstream: a row that is gone from
the nearest one, as of a customer whose only order was cancelled, still shows further up. A hook
deletes their rows, and what the SELECT gives is appended. `delete+insert` with `unique_key` deletes
less: a slice that has no rows any more would stay. Models keyed by version read on from the highest
version that they have.

One project has the same SELECTs with the condition of dbt's `is_incremental()` around them. In the
other one each SELECT reads its inputs restricted to what is rebuilt: what our engine makes of a
model by itself, and a user of dbt would write into every one by hand.

The SELECTs have the form that our engine gives DuckDB (faster JSON, views inlined), so that what is
compared is what gets rebuilt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sqlglot import exp

from orders_connector.modeling.fast_json import for_duckdb
from orders_connector.modeling.model import BUSINESS_DATE, RAW_TABLE, SETTINGS_TABLES, Model
from orders_connector.modeling.slices import restrict_inputs

BUILT_AT = "built_at"
VERSION = "version_id"
NOW = "timestamp '{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') }}'"
PROJECT = {
    "name": "orders",
    "version": "1.0",
    "profile": "orders",
    "model-paths": ["models"],
    "macro-paths": ["macros"],
    "flags": {"send_anonymous_usage_stats": False},
}
SCHEMA_NAME = "{% macro generate_schema_name(name, node) %}{{ name | trim }}{% endmacro %}"


def write_project(
    folder: Path,
    warehouse: Path,
    models: Mapping[str, Model],
    *,
    by_hand: bool,
    threads: int,
    memory_limit: str,
) -> None:
    """Write a dbt project that builds `models` in the DuckDB file `warehouse`.

    Args:
        folder: Where to; made if missing.
        warehouse: File with the raw log.
        models: All models, upstream first.
        by_hand: Restrict the inputs of each SELECT to what is rebuilt, not its result.
        threads: Of dbt, and of DuckDB.
        memory_limit: DuckDB's.
    """
    (folder / "macros").mkdir(parents=True)
    (folder / "models").mkdir()
    target = {
        "type": "duckdb",
        "path": str(warehouse),
        "schema": "main",
        "threads": threads,
        "settings": {
            "threads": threads,
            "memory_limit": memory_limit,
            "TimeZone": "UTC",
            "disabled_optimizers": "projection_pullup",
        },
    }
    inputs = {table for model in models.values() for table in model.inputs - models.keys()}
    schemas: dict[str, list[dict[str, str]]] = {}
    for schema, _, name in (table.partition(".") for table in sorted(inputs)):
        schemas.setdefault(schema, []).append({"name": name})
    sources = {"sources": [{"name": name, "tables": t} for name, t in schemas.items()]}
    # JSON is YAML, too.
    (folder / "dbt_project.yml").write_text(json.dumps(PROJECT))
    (folder / "profiles.yml").write_text(
        json.dumps({"orders": {"target": "bench", "outputs": {"bench": target}}})
    )
    (folder / "models" / "sources.yml").write_text(json.dumps(sources))
    (folder / "macros" / "generate_schema_name.sql").write_text(SCHEMA_NAME)
    for model in models.values():
        text = _view(model, models) if model.is_view else _table(model, models, by_hand)
        (folder / "models" / f"{_file(model.name)}.sql").write_text(text)


def _view(model: Model, models: Mapping[str, Model]) -> str:
    config = _config(model, materialized="'view'")
    return f"{config}\n{_sql(model.select, models)}\n"


def _table(model: Model, models: Mapping[str, Model], by_hand: bool) -> str:
    # dbt has no way to count on, so what we count on is counted again by day or month.
    periods = (column for column in (BUSINESS_DATE, "order_month") if column in model.columns)
    key = next(periods) if model.header.counted_by else str(model.refresh_key)
    select = for_duckdb(model.inlined)
    carrying = {
        table
        for table in model.tables - SETTINGS_TABLES
        if table == RAW_TABLE or key in models[table].columns
    }
    upstream = _upstream(model, models)
    stale = f"stale_{_file(model.name)}"
    restricted = restrict_inputs(select, tables=carrying, versioned=(), key=key, stale=stale)
    if key == VERSION:
        seen = f"(select coalesce(max({VERSION}), 0) from {{{{ this }}}})"
        sql = _sql(restricted, models).replace(
            f"{VERSION} IN (SELECT {VERSION} FROM {stale})", f"{VERSION} > {seen}"
        )
        hooks = ""
    else:
        sql = _sql(restricted, models) if by_hand else _around(_sql(select, models), key, stale)
        rebuilt = " union ".join(
            f"select {key} from {_reference(table, models)} where {BUILT_AT} = {NOW}"
            for table in sorted(upstream)
            if key in models[table].columns
        )
        hooks = ", ".join(
            f'"{{% if is_incremental() %}}{statement}{{% endif %}}"'
            for statement in (
                f"create or replace temp table {stale} as {rebuilt}",
                f"delete from {{{{ this }}}} where {key} in (select {key} from {stale})",
            )
        )
    if stale in sql and not hooks:
        raise AssertionError(f"{model.name} is restricted in a way that dbt does not know: {sql}")
    config = _config(
        model,
        materialized="'incremental'",
        incremental_strategy="'append'",
        pre_hook=f"[{hooks}]",
    )
    # dbt does not see what stands in a hook or in the other branch.
    needed = "\n".join(f"-- depends_on: {_reference(table, models)}" for table in sorted(upstream))
    return (
        f"{config}\n{needed}\nselect q.*, {NOW} as {BUILT_AT} from (\n"
        f"{{% if is_incremental() %}}\n{sql}\n"
        f"{{% else %}}\n{_sql(select, models)}\n{{% endif %}}\n) as q\n"
    )


def _around(sql: str, key: str, stale: str) -> str:
    return f"select * from (\n{sql}\n) as whole where {key} in (select {key} from {stale})"


def _upstream(model: Model, models: Mapping[str, Model]) -> set[str]:
    direct = model.tables & models.keys()
    return direct.union(*(_upstream(models[table], models) for table in direct))


def _config(model: Model, **options: str) -> str:
    schema, _, name = model.name.partition(".")
    options = {"schema": f"'{schema}'", "alias": f"'{name}'", **options}
    return "{{ config(" + ", ".join(f"{name}={text}" for name, text in options.items()) + ") }}"


def _sql(select: exp.Query, models: Mapping[str, Model]) -> str:
    """Return the SELECT with ref() and source() for its tables."""
    tree = select.copy()
    references = {}
    for table in list(tree.find_all(exp.Table)):
        if not table.db:
            continue
        name = f"{table.db}.{table.name}"
        references[f"__{_file(name)}__"] = _reference(name, models)
        named = exp.to_table(f"__{_file(name)}__")
        table.replace(exp.alias_(named, table.alias_or_name, table=True))
    sql = tree.sql(dialect="duckdb", comments=False)
    for placeholder, reference in references.items():
        sql = sql.replace(placeholder, reference)
    return sql


def _reference(table: str, models: Mapping[str, Model]) -> str:
    if table in models:
        return f"{{{{ ref('{_file(table)}') }}}}"
    schema, _, name = table.partition(".")
    return f"{{{{ source('{schema}', '{name}') }}}}"


def _file(model: str) -> str:
    return model.replace(".", "__")
