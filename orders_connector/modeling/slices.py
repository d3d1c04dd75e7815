"""Restricts the inputs of a SELECT to the slices that are rebuilt.

The table nodes of the parsed SELECT are replaced by subqueries, so the author need not know of it,
and cost follows what changed.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

__all__ = ["restrict_inputs", "stale_rows"]


def restrict_inputs(
    select: exp.Query, *, tables: Collection[str], key: str, stale: str
) -> exp.Query:
    """Return a copy of `select` that sees only rows of `tables` whose `key` stands in `stale`.

    The rows are found by the key column alone and then fetched by row id: DuckDB otherwise decodes
    every column of each block that might hold a match (measured on 1,000,000 orders: 8 ms instead
    of 50 ms per table).

    Args:
        select: The model's SELECT.
        tables: Inputs that carry the key, as `schema.table`.
        key: The refresh key.
        stale: Table with one column named like the key: the slices to rebuild.
    """
    tree = select.copy()
    for table in list(tree.find_all(exp.Table)):
        if not table.db or f"{table.db}.{table.name}" not in tables:
            continue
        name = f"{table.db}.{table.name}"
        restricted = exp.select("*").from_(name).where(stale_rows(name, key, stale))
        table.replace(restricted.subquery(table.alias_or_name))
    return tree


def stale_rows(table: str, key: str, stale: str) -> str:
    """Return the condition that holds for the rows of `table` whose `key` stands in `stale`."""
    return f"rowid in (select rowid from {table} where {key} in (select {key} from {stale}))"
