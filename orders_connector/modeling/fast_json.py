"""Rewrites a portable SELECT into DuckDB's faster form; the result is the same rows.

Authors write what runs on every engine (rules in docs/models.md). Two portable forms are slow on
DuckDB, which parses the document anew in each JSON call:

* many `json_extract_string(doc, '$.a')` of one document become one call with a list of paths
  (measured about four times faster for ten columns);
* `json_extract(doc, '$.items[' || position || ']')` behind `unnest(range(...))` is quadratic in the
  length of the array; it becomes a second `unnest` beside the first.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

__all__ = ["for_duckdb"]


def for_duckdb(select: exp.Query) -> exp.Query:
    """Return a rewritten copy of `select`; the argument is left as it was."""
    tree = select.copy()
    for scope in list(tree.find_all(exp.Select)):
        _unnest_elements(scope)
    for scope in list(tree.find_all(exp.Select)):
        _read_each_document_once(scope)
    return tree


def _own_nodes(scope: exp.Select) -> Iterator[exp.Expression]:
    """Yield the nodes of a SELECT that belong to it and not to a query inside it."""
    clauses = [*scope.expressions]
    for key in ("where", "group", "having", "qualify", "order"):
        if clause := scope.args.get(key):
            clauses.append(clause)
    for join in scope.args.get("joins") or []:
        if condition := join.args.get("on"):
            clauses.append(condition)
    for clause in clauses:
        yield from clause.walk(prune=lambda node: isinstance(node, exp.Query))


def _sources(scope: exp.Select) -> dict[str, exp.Expression]:
    """Map alias to FROM or JOIN source."""
    origin = scope.args.get("from_")
    nodes = [origin.this] if origin else []
    nodes += [join.this for join in scope.args.get("joins") or []]
    return {node.alias_or_name: node for node in nodes}


def _read_each_document_once(scope: exp.Select) -> None:
    calls: dict[tuple[str, str], list[exp.JSONExtractScalar]] = {}
    for node in _own_nodes(scope):
        if (
            isinstance(node, exp.JSONExtractScalar)
            and isinstance(node.this, exp.Column)
            and node.this.table
            and isinstance(node.expression, exp.JSONPath)
        ):
            calls.setdefault((node.this.table, node.this.name), []).append(node)
    for (alias, column), nodes in calls.items():
        paths = list(dict.fromkeys(node.expression.sql(dialect="duckdb") for node in nodes))
        source = _sources(scope).get(alias)
        if len(paths) < 2 or source is None:
            continue
        values = f"__{column}_values"
        inner = source.copy()
        read = f"json_extract_string({alias}.{column}, [{', '.join(paths)}])"
        wrapped = exp.select("*", f"{read} as {values}", dialect="duckdb").from_(inner)
        source.replace(wrapped.subquery(alias))
        for node in nodes:
            position = paths.index(node.expression.sql(dialect="duckdb")) + 1
            node.replace(exp.maybe_parse(f"({alias}.{values}[{position}])", dialect="duckdb"))


def _unnest_elements(scope: exp.Select) -> None:
    """Give the scope's subqueries the array elements that the scope fetches by position."""
    for node in list(_own_nodes(scope)):
        if not isinstance(node, exp.JSONExtract) or isinstance(node, exp.JSONExtractScalar):
            continue
        position = _position_column(node)
        if position is None:
            continue
        source = _sources(scope).get(position.table)
        if not isinstance(source, exp.Subquery) or not isinstance(source.this, exp.Select):
            continue
        array = _unnested_array(source.this, position.name)
        if array is None or f"'{_array_path(node)}'" != array.expression.sql(dialect="duckdb"):
            continue
        element = f"__{position.name}_element"
        source.this.select(
            f"unnest(cast({array.sql(dialect='duckdb')} as json[])) as {element}",
            dialect="duckdb",
            copy=False,
        )
        node.replace(exp.column(element, table=position.table))


def _position_column(node: exp.JSONExtract) -> exp.Column | None:
    """Return `n` of a path `'$.items[' || cast(n - 1 as varchar) || ']'`, else None."""
    path = node.expression
    if not (isinstance(path, exp.DPipe) and isinstance(path.this, exp.DPipe)):
        return None
    cast = path.this.expression
    if not (isinstance(cast, exp.Cast) and isinstance(cast.this, exp.Sub)):
        return None
    column = cast.this.this
    return column if isinstance(column, exp.Column) and path.expression.name == "]" else None


def _array_path(node: exp.JSONExtract) -> str:
    """Return `$.items` of a path `'$.items[' || ...`."""
    return str(node.expression.this.this.name).removesuffix("[")


def _unnested_array(subquery: exp.Select, alias: str) -> exp.JSONExtract | None:
    """Return the array of `unnest(range(1, array_length(array) + 1)) as alias`."""
    projection = next((p for p in subquery.expressions if p.alias_or_name == alias), None)
    if projection is None or not isinstance(projection.unalias(), exp.Explode):
        return None
    length = projection.find(exp.ArraySize)
    array = length.find(exp.JSONExtract) if length else None
    return array if isinstance(array, exp.JSONExtract) else None
