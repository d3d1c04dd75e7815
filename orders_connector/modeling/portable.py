"""Refuses SQL that does not mean the same on every engine the models run on.

DuckDB runs the files as they are; Apache Spark runs them transpiled by sqlglot. Each rule was found
by running a construct on both engines; docs/models.md says more of what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp

__all__ = ["violations"]

# As written in the file: fails on the other engine, or answers differently there.
REFUSED_FUNCTIONS = {
    "avg": "store sums and counts; divide in a view",
    "current_date": "the run's time comes in as data",
    "current_timestamp": "the run's time comes in as data",
    "dayofweek": "use date_diff from date_trunc('week', d)",
    "epoch_ms": "use cast(epoch(ts) as bigint)",
    "from_json": "use json_extract_string and cast",
    "from_json_strict": "use json_extract_string and cast",
    "generate_subscripts": "use unnest(range(1, array_length(a) + 1))",
    "isodow": "use date_diff from date_trunc('week', d)",
    "isoyear": "use date_trunc('week', d)",
    "json_array_length": "use array_length(cast(json_extract(doc, path) as varchar[]))",
    "json_each": "use json_keys and unnest",
    "json_exists": "use json_extract_string(...) is not null",
    "json_object": "build no JSON in models",
    "json_transform": "use json_extract_string and cast",
    "json_type": "look at the first character of the JSON text",
    "json_valid": "landing keeps invalid JSON out of the models",
    "len": "use array_length for lists, length for text",
    "now": "the run's time comes in as data",
    "quantile_cont": "take the place of its rank in list_sort(array_agg(x))",
    "quantile_disc": "take the place of its rank in list_sort(array_agg(x))",
    "random": "a model gives the same rows each time",
    "strptime": "use cast(text as timestamptz)",
    "timezone": "use `at time zone`",
    "today": "the run's time comes in as data",
}
REFUSED_NODES: dict[type[exp.Expr], str] = {
    exp.Comprehension: "use list_transform with `lambda x: ...`",
    exp.Limit: "a model is a whole table",
    exp.Parameter: "models take no parameters",
    exp.Placeholder: "models take no parameters",
    exp.Star: "name every column",
    exp.CurrentTimestamp: "the run's time comes in as data",
    exp.CurrentDate: "the run's time comes in as data",
}
INTEGERS = {
    exp.DType.TINYINT,
    exp.DType.SMALLINT,
    exp.DType.INT,
    exp.DType.BIGINT,
    exp.DType.UBIGINT,
}


def violations(sql: str) -> list[str]:
    """Return what in a SELECT (DuckDB dialect) is not portable, with what to write instead."""
    select = sqlglot.parse_one(sql, read="duckdb")
    found = [*_functions(sql)]
    for rule in (_nodes, _joins, _casts, _times, _names):
        found += rule(select)
    return found


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")


def _functions(sql: str) -> Iterator[str]:
    tokens = sqlglot.tokenize(sql, read="duckdb")
    for token, following in pairwise(tokens):
        name = token.text.lower()
        if following.text == "(" and name in REFUSED_FUNCTIONS:
            yield f"{name}(): {REFUSED_FUNCTIONS[name]}"


def _nodes(select: exp.Expr) -> Iterator[str]:
    for kind, instead in REFUSED_NODES.items():
        for node in select.find_all(kind):
            if not (isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)):
                yield f"{_sql(node)}: {instead}"
    for distinct in select.find_all(exp.Distinct):
        if distinct.args.get("on"):
            yield "distinct on: use row_number in a subquery"
    for bracket in select.find_all(exp.Bracket):
        if not all(map(_is_place, bracket.expressions)):
            yield f"{_sql(bracket)}: cast the place to integer; else it counts from 0 there"
    for null in select.find_all(exp.Null):
        if isinstance(null.parent, exp.Where | exp.Having | exp.And | exp.Or | exp.Not | exp.Alias):
            yield "bare null: give it a type, cast(null as ...)"


def _is_place(index: exp.Expr) -> bool:
    """Tell whether sqlglot can count a place from the start of the other engine's lists."""
    typed = index.this if isinstance(index, exp.Add) else index
    # A column may be the key of a map.
    return isinstance(typed, exp.Cast) or isinstance(index, exp.Literal | exp.Column)


def _joins(select: exp.Expr) -> Iterator[str]:
    for join in select.find_all(exp.Join):
        if join.method == "ASOF":
            yield "asof join: use row_number over the joined rows"
        if join.side == "LEFT" and isinstance(join.this, exp.Unnest | exp.Lateral):
            yield "left join unnest: loses rows with empty lists; unnest in a subquery"
    for unnest in select.find_all(exp.Unnest):
        if unnest.args.get("offset"):
            yield "with ordinality: use unnest(range(1, array_length(a) + 1))"
    for query in select.find_all(exp.SetOperation):
        if query.args.get("by_name"):
            yield "union by name: name the columns in the same order"


def _casts(select: exp.Expr) -> Iterator[str]:
    for cast in select.find_all(exp.Cast):
        kinds = {part.this for part in cast.to.find_all(exp.DataType)}
        if isinstance(cast, exp.TryCast) and kinds & INTEGERS:
            yield f"{_sql(cast)}: rounds here and fails there; guard a cast with regexp_matches"
        if exp.DType.INT128 in kinds:
            yield f"{_sql(cast)}: there is no HUGEINT; use bigint"
        if exp.DType.JSON in kinds or exp.DType.STRUCT in kinds:
            yield f"{_sql(cast)}: cast to varchar[] or map(varchar, varchar)"
        if kinds & INTEGERS and isinstance(cast.this, exp.JSONExtract | exp.JSONExtractScalar):
            yield f"{_sql(cast)}: cast to decimal(38, 10) first"


def _times(select: exp.Expr) -> Iterator[str]:
    for cast in select.find_all(exp.Cast):
        source = cast.this.to.this if isinstance(cast.this, exp.Cast) else None
        if cast.to.this == exp.DType.TEXT and source == exp.DType.TIMESTAMPTZ:
            yield f"{_sql(cast)}: times have another text elsewhere"
    for trunc in select.find_all(exp.DateTrunc, exp.TimestampTrunc):
        parent = trunc.parent
        if not (isinstance(parent, exp.Cast) and parent.to.this == exp.DType.DATE):
            yield f"{_sql(trunc)}: always cast(date_trunc(...) as date)"


def _names(select: exp.Expr) -> Iterator[str]:
    for subquery in select.find_all(exp.Subquery):
        if isinstance(subquery.parent, exp.From | exp.Join) and not subquery.alias:
            yield "a subquery in FROM needs an alias"
    for query in select.find_all(exp.Select):
        for projection in query.expressions:
            if not projection.alias_or_name:
                yield f"{_sql(projection)}: name every column"
