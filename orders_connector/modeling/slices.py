"""Restricts the inputs of a SELECT to the slices that are rebuilt.

The table nodes of the parsed SELECT are replaced by subqueries, so the author need not know of it,
and cost follows what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp

from orders_connector.modeling.keys import VERSION

__all__ = ["in_version_range", "range_variables", "restrict_inputs", "rows_in"]


def restrict_inputs(
    select: exp.Query,
    *,
    tables: Collection[str],
    versioned: Collection[str],
    key: str,
    stale: str,
) -> exp.Query:
    """Return a copy of `select` that sees only rows of `tables` whose `key` stands in `stale`.

    Args:
        select: The model's SELECT.
        tables: Inputs that carry the key, as `schema.table`.
        versioned: Those of them to restrict to a range of version_id as well. Keys are hashes and
            lie all over a table; versions were landed together, so their range lets DuckDB skip
            the blocks of the table that hold none. The range is read from the variables that
            `range_variables` names.
        key: The refresh key.
        stale: Table with one column named like the key: the slices to rebuild.
    """
    tree = select.copy()
    read_first: dict[str, exp.Select] = {}
    for table in list(tree.find_all(exp.Table)):
        name = f"{table.db}.{table.name}"
        if name not in tables:
            continue
        condition = f"{key} in (select {key} from {stale})"
        if name in versioned:
            condition += f" and {in_version_range(name)}"
        restricted = exp.select("*").from_(name).where(condition, dialect="duckdb")
        if versioned:
            rows = f"slice_of_{name.replace('.', '_')}"
            read_first[rows] = restricted
            table.replace(exp.to_table(rows).as_(table.alias_or_name))
        else:
            table.replace(restricted.subquery(table.alias_or_name))
    return _with(tree, read_first)


def _with(tree: exp.Query, read_first: Mapping[str, exp.Select]) -> exp.Query:
    """Put SELECTs before a query that DuckDB runs on their own.

    They find few rows. Left among joins, a range of versions hides that: DuckDB then joins the
    whole range first.
    """
    found = tree.ctes
    tree.set("with_", None)
    for name, select in read_first.items():
        tree = tree.with_(name, as_=select, materialized=True, copy=False)
    for cte in found:
        tree = tree.with_(cte.alias, as_=cte.this, copy=False)
    return tree


def rows_in(table: str, condition: str) -> str:
    """Return a condition that finds rows of `table` by its columns first, and reads them then.

    DuckDB would read and unpack all columns of each block that may hold one of them. Not for the
    inputs of a SELECT: what it makes of such a condition amid joins may need all memory.
    """
    return f"rowid in (select rowid from {table} where {condition})"


def in_version_range(table: str) -> str:
    """Return the condition that holds for the versions of `table` that `range_variables` span."""
    low, high = range_variables(table)
    return f"{VERSION} between getvariable('{low}') and getvariable('{high}')"


def range_variables(table: str) -> tuple[str, str]:
    """Return the names of the variables that hold the lowest and highest version_id to read."""
    name = table.replace(".", "_")
    return f"{name}_low", f"{name}_high"
