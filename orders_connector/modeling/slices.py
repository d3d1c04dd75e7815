"""Restricts the inputs of a SELECT to the slices that are rebuilt.

The table nodes of the parsed SELECT are replaced by subqueries, so the author need not know of it,
and cost follows what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp

from orders_connector.modeling.version_range import in_version_range

__all__ = ["has_no_rows", "restrict_inputs"]


def restrict_inputs(
    select: exp.Query,
    *,
    tables: Collection[str],
    versioned: Collection[str],
    key: str,
    stale: str,
    empty: Collection[str] = (),
) -> exp.Query:
    """Return a copy of `select` that sees only rows of `tables` whose `key` stands in `stale`.

    Args:
        select: The model's SELECT.
        tables: Inputs that carry the key, as `schema.table`.
        versioned: Those of them to restrict to a range of version_id as well. Keys are hashes and
            lie all over a table; versions were landed together, so their range lets DuckDB skip
            the blocks of the table that hold none. The range is read from the variable that
            `range_variable` names.
        key: The refresh key.
        stale: Table with one column named like the key: the slices to rebuild.
        empty: Tables without a row, such as those of a source that is not loaded. What a UNION ALL
            would take from them is left out: planning it costs more than a slice.
    """
    tree = _without(select.copy(), empty)
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


def _without(tree: exp.Query, empty: Collection[str]) -> exp.Query:
    for union in reversed(list(tree.find_all(exp.Union))):
        left, right = union.left, union.right
        same = left.named_selects == right.named_selects
        if union.args.get("distinct") or union.args.get("with_") or not same:
            continue
        for side, other in ((right, left), (left, right)):
            if has_no_rows(side, empty):
                tree = other if union is tree else tree
                union.replace(other)
                break
    return tree


def has_no_rows(query: exp.Expr, empty: Collection[str]) -> bool:
    """Tell whether a query surely has no rows while these tables have none."""
    match query:
        case exp.Table():
            return f"{query.db}.{query.name}" in empty
        case exp.Subquery():
            return has_no_rows(query.this, empty)
        case exp.Union():
            return has_no_rows(query.left, empty) and has_no_rows(query.right, empty)
        case exp.Select() if query.args.get("group") or not _is_total(query):
            joins = query.args.get("joins") or []
            inner = [join.this for join in joins if not join.side and join.kind != "ANTI"]
            read = [query.args["from_"].this, *inner] if query.args.get("from_") else []
            return any(has_no_rows(source, empty) for source in read)
        case _:
            return False


def _is_total(select: exp.Select) -> bool:
    """Tell whether a SELECT without GROUP BY is one row over all, which it has of no rows too."""
    found = (part for projection in select.selects for part in projection.find_all(exp.AggFunc))
    return any(not part.find_ancestor(exp.Window, exp.Subquery) for part in found)


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
