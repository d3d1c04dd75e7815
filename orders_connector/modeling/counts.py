"""Models that count: each row says how often something is the case, or how much, over all orders.

Such a table follows its input without being read again: what the changed orders counted before is
taken off, and what they count now is added. That is exact for counts, and for sums of whole or
decimal numbers that are 0 where nothing is known: a sum of unknown amounts alone is unknown, and a
distinct or largest value cannot be taken off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sqlglot import exp

from orders_connector.modeling.keys import Carrier, why_not_in_slices

__all__ = ["Counts", "counts_of", "is_exact", "read_from", "summed", "why_not_counted"]


class Counts(NamedTuple):
    """What the columns of a counting SELECT are.

    Attributes:
        groups: Columns that name a row.
        counts: All others, with the type of each.
        rows: The one of them that counts every row, and so says when a group is empty.
        sums: What is added up by each of them that is a sum.
    """

    groups: tuple[str, ...]
    counts: dict[str, str]
    rows: str
    sums: dict[str, exp.Expr]


def counts_of(select: exp.Query) -> Counts | None:
    """Return which columns of a SELECT are counts; None when it does more than to count."""
    if not isinstance(select, exp.Select) or select.args.get("having"):
        return None
    group = select.args.get("group")
    if group is None or any(value for name, value in group.args.items() if name != "expressions"):
        return None
    grouped = {part.sql() for part in group.expressions}
    groups, counts, sums, rows = [], {}, {}, None
    for projection in select.selects:
        what, name = projection.unalias(), projection.alias_or_name
        if what.sql() in grouped:
            groups.append(name)
            continue
        kind = what.to.sql(dialect="duckdb") if isinstance(what, exp.Cast) else "BIGINT"
        counted = what.this if isinstance(what, exp.Cast) else what
        if _is_count(counted):
            if isinstance(counted.this, exp.Star):
                rows = name
        elif (summed := _summed(counted)) and isinstance(what, exp.Cast):
            sums[name] = summed
        else:
            return None
        counts[name] = kind
    if rows is None or len(groups) != len(grouped):
        return None
    return Counts(tuple(groups), counts, rows, sums)


def _is_count(expression: exp.Expr) -> bool:
    counted = expression.this if isinstance(expression, exp.Filter) else expression
    return isinstance(counted, exp.Count) and not isinstance(counted.this, exp.Distinct)


def _summed(expression: exp.Expr) -> exp.Expr | None:
    """Return what a sum adds up that is 0 where nothing is known; None for all else."""
    match expression:
        case (
            exp.Coalesce(this=exp.Filter(this=exp.Sum() as found))
            | exp.Coalesce(this=exp.Sum() as found)
        ):
            zero = [part.sql() for part in expression.expressions] == ["0"]
            return found.this if zero and not isinstance(found.this, exp.Distinct) else None
        case _:
            return None


def why_not_counted(select: exp.Query, key: str, carriers: Mapping[str, Carrier]) -> str | None:
    """Return why orders cannot be taken off and added one by one; None when they can.

    Args:
        select: A model's SELECT over tables alone.
        key: What names an order.
        carriers: As for `why_not_in_slices`.
    """
    if counts_of(select) is None:
        return (
            "beside the columns that it is grouped by, the SELECT may have count(...) and "
            "cast(coalesce(sum(...), 0) as ...), with or without a filter, and one count(*) "
            "without. Count in this model, and do the rest in another one that reads it"
        )
    # Counts of single orders add up to those of all when no row that is counted is of two orders.
    single = select.copy()
    assert isinstance(single, exp.Select)  # noqa: S101 - `counts_of` takes no other
    source = single.args["from_"].this.alias_or_name
    single.select(exp.column(key, table=source), copy=False)
    single.group_by(exp.column(key, table=source), copy=False)
    return why_not_in_slices(single, key, carriers)


def summed(select: exp.Query) -> exp.Query | None:
    """Return what the sums of a counting SELECT add up, row by row; None when it has none."""
    counts = counts_of(select)
    if counts is None or not counts.sums:
        return None
    rows = select.copy()
    assert isinstance(rows, exp.Select)  # noqa: S101 - `counts_of` takes no other
    rows.set("group", None)
    return rows.select(
        *(exp.alias_(added, name) for name, added in counts.sums.items()), append=False, copy=False
    )


def is_exact(kind: str, total: str) -> bool:
    """Say whether a total of type `total` is exact for numbers of type `kind` (DuckDB's names)."""
    if kind in ("DOUBLE", "FLOAT"):
        return False
    scales = [re.findall(r"^DECIMAL\(\d+, ?(\d+)\)$", name) for name in (kind, total)]
    numbers, totals = (int(scale[0]) if scale else 0 for scale in scales)
    return numbers <= totals


def read_from(select: exp.Query, table: str, other: str) -> exp.Query:
    """Return a copy of a SELECT that reads the table `other` in the place of `table`."""
    tree = select.copy()
    for found in list(tree.find_all(exp.Table)):
        if f"{found.db}.{found.name}" == table:
            found.replace(exp.to_table(other).as_(found.alias_or_name))
    return tree
