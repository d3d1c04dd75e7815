"""Conditions by which a refresh finds rows without reading whole tables.

Keys are hashes and lie all over a table; versions were landed together, and so lie together.
"""

from __future__ import annotations

from orders_connector.modeling.model import VERSION

__all__ = ["in_version_range", "range_variable", "rows_in"]


def rows_in(table: str, condition: str) -> str:
    """Return a condition that finds rows of `table` by its columns first, and reads them then.

    DuckDB would read and unpack all columns of each block that may hold one of them. Not for the
    inputs of a SELECT: what it makes of such a condition amid joins may need all memory.
    """
    return f"rowid in (select rowid from {table} where {condition})"


def in_version_range(table: str) -> str:
    """Return the condition that holds for the versions of `table` that `range_variable` spans."""
    span = f"getvariable('{range_variable(table)}')"
    return f"{VERSION} between {span}[1] and {span}[2]"


def range_variable(table: str) -> str:
    """Return the name of the variable that holds the lowest and highest version_id to read."""
    return f"{table.replace('.', '_')}_versions"
