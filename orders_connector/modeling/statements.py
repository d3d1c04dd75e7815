"""The SQL that builds a model: all of it, its stale slices, what its counts come from."""

from __future__ import annotations

from functools import cache

import duckdb
from sqlglot import exp

from orders_connector.modeling.counts import read_from
from orders_connector.modeling.fast_json import for_duckdb
from orders_connector.modeling.keys import VERSION
from orders_connector.modeling.metrics import contracts_of
from orders_connector.modeling.model import BUSINESS_DATE, Model
from orders_connector.modeling.slices import restrict_inputs

__all__ = ["build_sql", "comment", "counting_sql", "rows_together", "slice_sql", "table_sql"]


@cache
def build_sql(model: Model) -> str:
    """Return the SELECT of a model in the form that DuckDB runs fastest."""
    # Writing SQL from its parts costs more than a small build, so it is done where it pays.
    return _fast(model).sql(dialect="duckdb") if _reads_json(model) else model.sql


def table_sql(model: Model) -> str:
    """Return the query that fills a model's whole table."""
    together = rows_together(model)
    return f"from ({build_sql(model)}){together}" if together else build_sql(model)


def rows_together(model: Model) -> str:
    """Return the ORDER BY with which rows of a model are written."""
    # Rows that are read together lie together, so that readers and slices skip the other blocks.
    together = [column for column in (BUSINESS_DATE, VERSION) if column in model.columns]
    return f" order by {', '.join(together)}" if together else ""


def slice_sql(model: Model, tables: frozenset[str], versioned: frozenset[str], stale: str) -> str:
    """Return the SELECT over the slices that the table `stale` names; see `restrict_inputs`."""
    key = str(model.refresh_key)
    select = restrict_inputs(_fast(model), tables=tables, versioned=versioned, key=key, stale=stale)
    return select.sql(dialect="duckdb")


def counting_sql(model: Model, table: str, other: str) -> str:
    """Return the SELECT of a counting model over `other`, which has the columns of `table`."""
    return read_from(_fast(model), table, other).sql(dialect="duckdb")


def comment(con: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Describe a model's table or view and its columns in the database."""

    def quoted(text: str) -> str:
        return "'" + " ".join(text.split()).replace("'", "''") + "'"

    kind = "view" if model.is_view else "table"
    con.execute(f"comment on {kind} {model.name} is {quoted(model.header.description)}")
    metrics = {contract.terms.column: contract for contract in contracts_of(model).values()}
    for column, meaning in model.header.columns.items():
        text = f"{meaning} {metrics[column]}" if column in metrics else meaning
        con.execute(f"comment on column {model.name}.{column} is {quoted(text)}")


def _reads_json(model: Model) -> bool:
    return "json_extract" in model.sql or any(_reads_json(view) for view in model.views)


@cache
def _fast(model: Model) -> exp.Query:
    return for_duckdb(model.inlined) if _reads_json(model) else model.inlined
