"""Restricts the inputs of a SELECT to the slices that are rebuilt.

The table nodes of the parsed SELECT are replaced by subqueries, so neither the author nor the engine
needs to know anything of it, and cost follows what changed.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

__all__ = ["restrict_inputs"]


def restrict_inputs(
    select: exp.Query, *, tables: Collection[str], key: str, stale: str
) -> exp.Query:
    """Return a copy of `select` that sees only rows of `tables` whose `key` stands in `stale`.

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
        restricted = (
            exp.select("*")
            .from_(exp.table_(table.name, db=table.db))
            .where(f"{key} in (select {key} from {stale})", dialect="duckdb")
        )
        table.replace(restricted.subquery(table.alias_or_name))
    return tree
