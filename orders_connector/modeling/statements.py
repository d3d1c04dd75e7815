"""The SQL that builds a model: all of it, its stale slices, what its counts come from.

What needs sqlglot is imported where SQL is written anew, as in `model.py`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import duckdb

from orders_connector.modeling.model import BUSINESS_DATE, VERSION, Model

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = [
    "build_sql",
    "comment",
    "counting_sql",
    "rows_together",
    "slice_sql",
    "summed_sql",
    "table_sql",
]


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


def slice_sql(
    model: Model,
    tables: frozenset[str],
    versioned: frozenset[str],
    stale: str,
    empty: frozenset[str],
) -> list[str]:
    """Return the SELECT over the slices that the table `stale` names; see `restrict_inputs`.

    Nothing when it has no row while the tables `empty` have none.
    """
    from orders_connector.modeling.slices import has_no_rows, restrict_inputs

    if has_no_rows(model.inlined, empty):
        return []
    select = restrict_inputs(
        _fast(model),
        tables=tables,
        versioned=versioned,
        key=str(model.refresh_key),
        stale=stale,
        empty=empty,
    )
    return [select.sql(dialect="duckdb")]


def counting_sql(model: Model, table: str, before: str, after: str) -> list[str]:
    """Return how a counting model follows its input.

    Args:
        model: A model that is `counted_by` an order.
        table: What it reads.
        before: Table with the rows of changed orders as they were there.
        after: The same as they are now.

    Returns:
        Three queries: by how much counts differ, for a table named `counts_moved`; the rows of the
        model that it names, with `__row`; and what is to stand in their place.
    """
    from orders_connector.modeling.counts import counts_of, read_from

    found = counts_of(model.inlined)
    assert found is not None  # noqa: S101 - refused when models are read
    was, is_now = (read_from(_fast(model), table, rows).sql("duckdb") for rows in (before, after))
    totals = {name: f"sum({name})::{kind} as {name}" for name, kind in found.counts.items()}
    moved = [f"sum(__sign * {name})::{kind} as {name}" for name, kind in found.counts.items()]
    same = " and ".join(f"m.{group} is not distinct from t.{group}" for group in found.groups)
    columns = ", ".join(model.columns)
    there = (
        f"(select rowid as __row, {columns} from {model.name} as t"
        f" where exists (from counts_moved as m where {same}))"
    )
    return [
        f"select {', '.join([*found.groups, *moved])}"
        f" from (select *, 1 as __sign from ({is_now}) union all select *, -1 from ({was}))"
        f" group by all having {' or '.join(f'sum(__sign * {name}) <> 0' for name in totals)}",
        there,
        f"(select {', '.join(totals.get(name, name) for name in model.columns)}"
        f" from (select {columns} from {there} union all select {columns} from counts_moved)"
        f" group by all having sum({found.rows}) <> 0)",
    ]


def summed_sql(model: Model) -> tuple[str, dict[str, str]] | None:
    """Return the SELECT of what a counting model adds up, and the types of the sums, if any."""
    from orders_connector.modeling.counts import counts_of, summed

    rows, found = summed(_fast(model)), counts_of(model.inlined)
    return (rows.sql(dialect="duckdb"), found.counts) if rows and found else None


def comment(con: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Describe a model's table or view and its columns in the database."""
    from orders_connector.modeling.metrics import contracts_of

    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

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
    from orders_connector.modeling.fast_json import for_duckdb

    return for_duckdb(model.inlined) if _reads_json(model) else model.inlined
