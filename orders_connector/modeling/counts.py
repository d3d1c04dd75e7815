"""Models that count: each row says how often something is the case, over all orders.

Such a table follows its input without being read again: what the changed orders counted before is
taken off, and what they count now is added. That is exact for counts alone: a sum of unknown
amounts is unknown, and a distinct or largest value cannot be taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlglot import exp

from orders_connector.modeling.keys import Carrier, why_not_in_slices

__all__ = ["Counts", "counts_of", "read_from", "why_not_counted"]


class Counts(NamedTuple):
    """What the columns of a counting SELECT are.

    Attributes:
        groups: Columns that name a row.
        counts: All others.
        rows: The one of them that counts every row, and so says when a group is empty.
    """

    groups: tuple[str, ...]
    counts: tuple[str, ...]
    rows: str


def counts_of(select: exp.Query) -> Counts | None:
    """Return which columns of a SELECT are counts; None when it does more than to count."""
    if not isinstance(select, exp.Select) or select.args.get("having"):
        return None
    group = select.args.get("group")
    if group is None or any(value for name, value in group.args.items() if name != "expressions"):
        return None
    grouped = {part.sql() for part in group.expressions}
    groups, counts, rows = [], [], None
    for projection in select.selects:
        what, name = projection.unalias(), projection.alias_or_name
        if what.sql() in grouped:
            groups.append(name)
            continue
        counted = what.this if isinstance(what, exp.Cast) else what
        if isinstance(counted, exp.Filter):
            counted = counted.this
        elif _is_count(counted):
            rows = name
        if not _is_count(counted):
            return None
        counts.append(name)
    if rows is None or len(groups) != len(grouped):
        return None
    return Counts(tuple(groups), tuple(counts), rows)


def _is_count(expression: exp.Expr) -> bool:
    return isinstance(expression, exp.Count) and isinstance(expression.this, exp.Star)


def why_not_counted(select: exp.Query, key: str, carriers: Mapping[str, Carrier]) -> str | None:
    """Return why orders cannot be taken off and added one by one; None when they can.

    Args:
        select: A model's SELECT over tables alone.
        key: What names an order.
        carriers: As for `why_not_in_slices`.
    """
    if counts_of(select) is None:
        return (
            "beside the columns that it is grouped by, the SELECT may have count(*), with or "
            "without a filter, and one of them without. Count in this model, and do the rest in "
            "another one that reads it"
        )
    # Counts of single orders add up to those of all when no row that is counted is of two orders.
    single = select.copy()
    assert isinstance(single, exp.Select)  # noqa: S101 - `counts_of` takes no other
    source = single.args["from_"].this.alias_or_name
    single.select(exp.column(key, table=source), copy=False)
    single.group_by(exp.column(key, table=source), copy=False)
    return why_not_in_slices(single, key, carriers)


def read_from(select: exp.Query, table: str, other: str) -> exp.Query:
    """Return a copy of a SELECT that reads the table `other` in the place of `table`."""
    tree = select.copy()
    for found in list(tree.find_all(exp.Table)):
        if f"{found.db}.{found.name}" == table:
            found.replace(exp.to_table(other).as_(found.alias_or_name))
    return tree
