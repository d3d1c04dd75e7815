"""Tells whether a SELECT can be refreshed in slices of a key, and if not, why.

A slice is rebuilt from the input rows of that slice alone. So no row may depend on rows of two
slices: what is joined, grouped or counted over has to lie in one. This is read from the SQL.

The argument goes from the tables up. Rows are *sliced* when each belongs to one slice, and is there
whenever the input rows of that slice are. Some columns then *name* the slice: the key itself, or
columns that determine it, such as the identity of the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from orders_connector.modeling.model import ORDER, VERSION

__all__ = ["Carrier", "columns_read", "copied_columns", "why_not_in_slices"]

IDENTITY = ("source", "account", "order_id")
# Aggregates that return one of the values they see, so what is the same in a group stays.
PICKS = (exp.Max, exp.Min, exp.AnyValue)
NEITHER_CROSSES = "a slice is rebuilt from its own rows alone"

Copies = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Carrier:
    """A table that rows come from.

    Attributes:
        columns: Its columns.
        grain: Columns that name one row.
        copies: Column to the `(table, column)` pairs that it is an unchanged copy of.
    """

    columns: tuple[str, ...]
    grain: tuple[str, ...]
    copies: Mapping[str, Copies] = field(default_factory=dict)


class _Role(NamedTuple):
    """What a column says of the slice of its row.

    Attributes:
        name: `key`, `version_id`, or a part of an order's identity.
        home: Tables in which a version or an order has that one value of the key.
        of: Which occurrence of a table it was read from: the parts of an identity belong together.
    """

    name: str
    home: frozenset[str] = frozenset()
    of: object = None


Roles = frozenset[_Role]
NOTHING: Roles = frozenset()


@dataclass(frozen=True)
class _Rows:
    """Rows of a table or a SELECT. `sliced` is false for rows that no slice has, of settings."""

    sliced: bool
    roles: Mapping[str, Roles]


class _Refused(Exception):
    pass


def why_not_in_slices(select: exp.Query, key: str, carriers: Mapping[str, Carrier]) -> str | None:
    """Return why slices of `key` would go wrong, and what would be right; None when they do not.

    Args:
        select: A model's SELECT over tables alone.
        key: The refresh key.
        carriers: Tables whose rows belong to slices, as `schema.table`. All others have none; when
            they change, all is rebuilt.
    """
    if any(clause.args.get("recursive") for clause in select.find_all(exp.With)):
        return "recursion (WITH RECURSIVE) cannot be cut into slices"
    try:
        rows = _Follower(key, carriers).rows(cast("Scope", build_scope(select)))
    except _Refused as refused:
        return str(refused)
    if not any(role.name == "key" for role in rows.roles.get(key, NOTHING)):
        return (
            f"the column {key} is not an unchanged copy of an input's {key} in every branch and "
            "for every row. Select it as it is, from an input whose rows are never missing (not "
            "the optional side of an outer join)"
        )
    return None


def copied_columns(select: exp.Query, carriers: Mapping[str, Carrier]) -> dict[str, Copies]:
    """Say for each output column which columns of `carriers` it is an unchanged copy of.

    A column that is computed in any branch of a union is not there.
    """
    return _Copier(carriers).copies(cast("Scope", build_scope(select)))


def columns_read(select: exp.Query) -> dict[str, frozenset[str] | None]:
    """Say which columns a SELECT names of each table; None where it may be any of them."""
    found: dict[str, set[str]] = {}
    unsure: set[str] = set()
    for scope in cast("Scope", build_scope(select)).traverse():
        tables = {
            name: _table_name(source)
            for name, source in scope.sources.items()
            if isinstance(source, exp.Table)
        }
        for name in tables.values():
            found.setdefault(name, set())
        joins = scope.expression.args.get("joins") or []
        if any(projection.is_star for projection in _selected(scope.expression)) or any(
            join.args.get("using") or join.method for join in joins
        ):
            unsure |= set(tables.values())
        for column in scope.columns:
            if not column.table:
                unsure |= set(tables.values())
            elif column.table in tables:
                found[tables[column.table]].add(column.name)
    return {name: None if name in unsure else frozenset(columns) for name, columns in found.items()}


class _Reader:
    """Finds the source that a column of a SELECT is read from."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self.carriers = carriers

    def source_of(self, scope: Scope, column: exp.Column) -> str | None:
        if column.table:
            return column.table if column.table in scope.sources else None
        for name in _names_read(scope):
            if column.name in self._offered(scope.sources[name]):
                return name
        return None

    def _offered(self, source: object) -> Iterable[str]:
        if isinstance(source, Scope):
            return _selected_names(source.expression)
        carrier = self.carriers.get(_table_name(source))
        return carrier.columns if carrier else ()


class _Copier(_Reader):
    """Follows unchanged columns down to the tables."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        super().__init__(carriers)
        self.known: dict[int, dict[str, Copies]] = {}

    def copies(self, scope: Scope) -> dict[str, Copies]:
        if id(scope) not in self.known:
            self.known[id(scope)] = {}  # a recursive CTE ends here
            self.known[id(scope)] = self._copies(scope)
        return self.known[id(scope)]

    def _copies(self, scope: Scope) -> dict[str, Copies]:
        query = scope.expression
        if not isinstance(query, exp.Query):
            return {}
        if scope.set_operation_scopes:
            left, right = (list(self.by_place(part)) for part in scope.set_operation_scopes)
            both = [a | b if a and b else frozenset() for a, b in zip(left, right, strict=False)]
            return {n: c for n, c in zip(_selected_names(query), both, strict=False) if c}
        return {
            projection.alias_or_name: found
            for projection in _selected(query)
            if (found := self._of(scope, projection.unalias()))
        }

    def by_place(self, scope: Scope) -> Iterator[Copies]:
        found = self.copies(scope)
        for name in _selected_names(scope.expression):
            yield found.get(name, frozenset())

    def _of(self, scope: Scope, expression: exp.Expr) -> Copies:
        if not isinstance(expression, exp.Column):
            return frozenset()
        name = self.source_of(scope, expression)
        if name is None or name in _optional(scope.expression):
            return frozenset()
        source = scope.sources[name]
        if isinstance(source, Scope):
            return self.copies(source).get(expression.name, frozenset())
        return frozenset({(_table_name(source), expression.name)})


class _Follower(_Reader):
    """Follows slices of one key through one SELECT."""

    def __init__(self, key: str, carriers: Mapping[str, Carrier]) -> None:
        super().__init__(carriers)
        self.key = key
        self.known: dict[int, _Rows] = {}

    # --- where rows come from

    def rows(self, scope: Scope) -> _Rows:
        """Return what is known of the rows of a scope, or refuse it."""
        if id(scope) in self.known:
            return self.known[id(scope)]
        query = scope.expression
        if scope.set_operation_scopes:
            found = self._set_operation(scope)
        elif isinstance(query, exp.Select):
            found = self._select(scope)
        else:
            found = self._function(scope)
        self.known[id(scope)] = found
        return found

    def _source(self, source: object) -> _Rows:
        if isinstance(source, Scope):
            return self.rows(source)
        name = _table_name(source)
        carrier = self.carriers.get(name)
        if carrier is None:
            return _Rows(False, {})
        roles: dict[str, Roles] = dict.fromkeys(carrier.columns, NOTHING)
        for column, home in self._determining(name, carrier).items():
            roles[column] = frozenset({_Role(column, home, id(source))})
        roles[self.key] = roles.get(self.key, NOTHING) | {_Role("key")}
        return _Rows(True, roles)

    def _determining(self, name: str, carrier: Carrier) -> dict[str, frozenset[str]]:
        """Columns of a table that determine its key, each with the tables where it does so."""
        there = set(carrier.columns)
        whole = [*IDENTITY, VERSION] if there.issuperset(IDENTITY) else [VERSION]
        if self.key == VERSION:
            return {}
        if self.key == ORDER:
            return {column: frozenset() for column in whole if column in there}
        # An order has one key where a row is an order, a version where a row is a version.
        for grain, columns in ((IDENTITY, whole), ((VERSION,), [VERSION])):
            home = self._home(name, self.key, frozenset(grain), set())
            if home:
                return {column: home for column in columns if column in there}
        return {}

    def _home(
        self, table: str, column: str, grain: frozenset[str], seen: set[str]
    ) -> frozenset[str]:
        """Return the tables that `column` comes from in which `grain` names one row."""
        carrier = self.carriers.get(table)
        if carrier is None or table in seen:
            return frozenset()
        copies = carrier.copies.get(column, frozenset())
        found = [self._home(t, c, grain, seen | {table}) for t, c in copies if c == column]
        if copies and len(found) == len(copies) and all(found):
            return frozenset[str]().union(*found)
        return frozenset({table}) if set(carrier.grain) <= grain else frozenset()

    def _function(self, scope: Scope) -> _Rows:
        """Rows of a table function or VALUES: made of the row beside it, or of nothing."""
        self._refuse_tables(scope.expression, "a table function or lateral join")
        return _Rows(False, {})

    def _refuse_tables(self, expression: exp.Expr, what: str) -> None:
        for table in expression.find_all(exp.Table):
            name = _table_name(table)
            if name in self.carriers or (table.name and not table.db):  # a WITH clause
                raise _Refused(
                    f"{what} reads {name.strip('.')}, and its result would be made of one slice "
                    f"alone when one is rebuilt. Join a subquery that is grouped by {self.key}"
                )

    # --- UNION, EXCEPT, INTERSECT

    def _set_operation(self, scope: Scope) -> _Rows:
        query = scope.expression
        left, right = (self.rows(part) for part in scope.set_operation_scopes)
        if not (left.sliced or right.sliced):
            return _Rows(False, {})
        kind = query.key.upper()
        if not (left.sliced and right.sliced):
            raise _Refused(
                f"one branch of the {kind} reads no input that has slices, so each slice would get "
                "its rows again. Join it to an input instead"
            )
        if query.args.get("by_name"):
            raise _Refused(f"{kind} BY NAME cannot be followed. Write both lists in one order")
        self._refuse_limit(query)
        names = [_selected_names(p.expression) for p in scope.set_operation_scopes]
        roles: dict[str, Roles] = {}
        for output, a, b in zip(_selected_names(query), *names, strict=False):
            roles[output] = frozenset(
                _Role(x.name, x.home, (x.of, y.of))
                for x in left.roles.get(a, NOTHING)
                for y in right.roles.get(b, NOTHING)
                if (x.name, x.home) == (y.name, y.home)
            )
        keeps_all = isinstance(query, exp.Union) and not query.args.get("distinct")
        if not keeps_all and not _names_a_slice(roles.values()):
            raise _Refused(
                f"{kind} compares rows of different slices, as they do not name theirs. Select "
                f"{self._wanted()} in both branches, or use UNION ALL"
            )
        return _Rows(True, roles)

    # --- SELECT

    def _select(self, scope: Scope) -> _Rows:
        query = scope.expression
        sources = {name: self._source(scope.sources[name]) for name in _names_read(scope)}
        select = _Select(self, scope, sources)
        for name in sources:
            node = scope.selected_sources[name][0]
            if node.args.get("pivots") or node.args.get("sample"):
                raise _Refused(f"{name} is pivoted or sampled, which looks across slices")
        select.join_all()
        for inner in scope.subquery_scopes:
            self._subquery(select, inner)
        if not select.sliced:
            return _Rows(False, {})
        self._refuse_limit(query)
        if any(isinstance(p, exp.Star) or _is_star(p) for p in _selected(query)):
            raise _Refused("`select *` cannot be followed. Name the columns")
        grouped = select.grouped_by()
        self._refuse_groups(select, grouped)
        self._refuse_windows(select)
        self._refuse_distinct(select)
        return _Rows(
            True,
            {
                projection.alias_or_name: select.roles(
                    projection.unalias(), picked=grouped is not None
                )
                for projection in _selected(query)
            },
        )

    def _refuse_limit(self, query: exp.Expr) -> None:
        for word in ("limit", "offset", "fetch", "sample"):
            if query.args.get(word):
                raise _Refused(
                    f"{word.upper()} chooses among the rows of all slices. Rank within "
                    f"{self._wanted()} and filter by the rank"
                )

    def _refuse_groups(self, select: _Select, grouped: list[exp.Expr] | None) -> None:
        if grouped is None:
            found = next(select.aggregates(), None)
            if found is not None:
                raise _Refused(
                    f"{_quoted(found)} has no GROUP BY, so it counts rows of all slices; "
                    f"{NEITHER_CROSSES}. Group by {self._wanted()}"
                )
        elif not select.name_a_slice(grouped):
            listed = ", ".join(_short(one) for one in grouped) or "nothing"
            raise _Refused(
                f"GROUP BY {listed} puts rows of different slices into one group; "
                f"{NEITHER_CROSSES}. Add {self._wanted()} to the GROUP BY"
            )

    def _refuse_windows(self, select: _Select) -> None:
        for window, partition in select.windows():
            if not select.name_a_slice(partition):
                raise _Refused(
                    f"the window of {_quoted(window)} reaches over rows of different slices; "
                    f"{NEITHER_CROSSES}. Add {self._wanted()} to its PARTITION BY"
                )

    def _refuse_distinct(self, select: _Select) -> None:
        distinct = select.scope.expression.args.get("distinct")
        if distinct is None:
            return
        on = distinct.args.get("on")
        named = (
            (on.expressions if isinstance(on, exp.Tuple) else [on])
            if on is not None
            else [p.unalias() for p in _selected(select.scope.expression)]
        )
        if not select.name_a_slice(named):
            raise _Refused(
                "DISTINCT puts rows of different slices together, as they do not name theirs. Add "
                f"{self._wanted()}"
            )

    # --- subqueries in expressions

    def _subquery(self, select: _Select, inner: Scope) -> None:
        node = inner.expression
        parent = node.parent
        while isinstance(parent, (exp.Subquery, exp.Paren)):
            node, parent = parent, parent.parent
        if isinstance(parent, exp.Exists):
            self._exists(select, inner)
        elif self._reads_slices(inner, set()):
            if not isinstance(parent, exp.In) or isinstance(parent.parent, exp.Not):
                raise _Refused(
                    f"the subquery {_quoted(inner.expression)} is a value made of other rows, and "
                    "would be made of one slice alone when one is rebuilt. Join a subquery that is "
                    f"grouped by {self._wanted()}, or write EXISTS for NOT IN"
                )
            asked = parent.this.unnest()
            sides = asked.expressions if isinstance(asked, exp.Tuple) else [asked]
            offered = [
                self.rows(inner).roles.get(name, NOTHING)
                for name in _selected_names(inner.expression)
            ]
            pairs = [
                (select.roles(side, loose=True), there)
                for side, there in zip(sides, offered, strict=False)
            ]
            self._refuse_apart(select.sliced and _meet(pairs), _short(parent))

    def _reads_slices(self, scope: Scope, seen: set[int]) -> bool:
        seen.add(id(scope))
        sources = [source for part in scope.traverse() for source in part.sources.values()]
        return any(
            id(source) not in seen and self._reads_slices(source, seen)
            if isinstance(source, Scope)
            else _table_name(source) in self.carriers
            for source in sources
        )

    def _exists(self, select: _Select, inner: Scope) -> None:
        query = inner.expression
        if not isinstance(query, exp.Select):
            self._refuse_tables(query, "EXISTS over a union")
            return
        sources = {name: self._source(inner.sources[name]) for name in _names_read(inner)}
        within = _Select(self, inner, sources)
        within.join_all()
        for deeper in inner.subquery_scopes:
            self._subquery(within, deeper)
        if not within.sliced:
            return
        self._refuse_limit(query)
        if query.args.get("group") or next(within.aggregates(), None) is not None:
            raise _Refused("EXISTS over groups cannot be followed. Join the grouped subquery")
        pairs = []
        for one, other in _equalities(query.args.get("where")):
            for inside, outside in ((one, other), (other, one)):
                if within.owns(inside) and not within.owns(outside):
                    pairs.append(
                        (select.roles(outside, loose=True), within.roles(inside, loose=True))
                    )
        self._refuse_apart(select.sliced and _meet(pairs), "the condition of EXISTS")

    def _refuse_apart(self, together: bool, what: str) -> None:
        if not together:
            raise _Refused(
                f"{what} does not tie both sides to one slice, so one side would be cut off when a "
                f"slice is rebuilt. Make {self._wanted()} equal on both sides"
            )

    def _wanted(self) -> str:
        if self.key == VERSION:
            return VERSION
        if self.key == ORDER:
            return f"{self.key} (or {', '.join(IDENTITY)}, or {VERSION})"
        return f"{self.key}, or what determines it in both tables,"


class _Select:
    """One SELECT: how its sources are joined and what its expressions say of slices."""

    def __init__(self, follower: _Follower, scope: Scope, sources: Mapping[str, _Rows]) -> None:
        self.follower = follower
        self.scope = scope
        self.sources = sources
        self.optional = _optional(scope.expression)

    @property
    def sliced(self) -> bool:
        return any(rows.sliced for rows in self.sources.values())

    def owns(self, expression: exp.Expr) -> bool:
        """Say whether an expression is a column of this SELECT and not of one around it."""
        return (
            isinstance(expression, exp.Column)
            and self.follower.source_of(self.scope, expression) in self.sources
        )

    def roles(self, expression: exp.Expr, *, loose: bool = False, picked: bool = False) -> Roles:
        """Return what an expression says of the slice; with `loose`, where it is not NULL."""
        expression = expression.unnest()
        if isinstance(expression, exp.Column):
            name = self.follower.source_of(self.scope, expression)
            rows = self.sources.get(name) if name else None
            if rows is None or name is None or (name in self.optional and not loose):
                return NOTHING
            return frozenset(
                role if role.name == "key" else _Role(role.name, role.home, (name, role.of))
                for role in rows.roles.get(expression.name, NOTHING)
            )
        if isinstance(expression, exp.Coalesce):
            return self._first_of([expression.this, *expression.expressions], loose)
        if picked and isinstance(expression, PICKS):
            return frozenset(
                role
                for role in self.roles(expression.this, loose=loose)
                if role.name in ("key", VERSION)
            )
        return NOTHING

    def _first_of(self, parts: list[exp.Expr], loose: bool) -> Roles:
        """Return `key` when every part is the key and one of them is always there."""
        if not all(_Role("key") in self.roles(part, loose=True) for part in parts):
            return NOTHING
        read = {
            self.follower.source_of(self.scope, c) for p in parts for c in p.find_all(exp.Column)
        }
        always = any(_Role("key") in self.roles(part) for part in parts)
        every = read >= {name for name, rows in self.sources.items() if rows.sliced}
        return frozenset({_Role("key")}) if loose or always or every else NOTHING

    def name_a_slice(self, expressions: Iterable[exp.Expr]) -> bool:
        return _names_a_slice([self.roles(one) for one in expressions])

    def join_all(self) -> None:
        """Refuse a join that takes rows of different slices together."""
        query = self.scope.expression
        joins = query.args.get("joins") or []
        from_ = query.args.get("from_")
        seen = [from_.this.alias_or_name] if from_ is not None else []
        filters = (
            []
            if any(join.side in ("RIGHT", "FULL") for join in joins)
            else list(_equalities(query.args.get("where")))
        )
        followed = {*seen, *(join.this.alias_or_name for join in joins)}
        if nested := sorted(n for n, r in self.sources.items() if r.sliced and n not in followed):
            raise _Refused(f"the nested join of {nested[0]} cannot be followed. Write it in a row")
        for join in joins:
            name = join.this.alias_or_name
            rows = self.sources.get(name)
            if rows is None:
                self.follower._refuse_tables(join.this, "a lateral join")
                continue
            before = any(self.sources[s].sliced for s in seen if s in self.sources)
            self._join(join, name, rows, before, seen, [] if join.side else filters)
            seen.append(name)

    def _join(
        self,
        join: exp.Join,
        name: str,
        rows: _Rows,
        before: bool,
        seen: list[str],
        filters: list[tuple[exp.Expr, exp.Expr]],
    ) -> None:
        if not rows.sliced:
            if before and join.side in ("RIGHT", "FULL"):
                raise _Refused(
                    f"the {join.side} JOIN keeps rows of {name}, which has no slices, so each "
                    "slice would get them again. Start from an input and LEFT JOIN it"
                )
            return
        if not before:
            if seen and (join.side in ("LEFT", "FULL") or join.kind in ("SEMI", "ANTI")):
                raise _Refused(
                    f"the join with {name} keeps rows that have no slice, so each slice would get "
                    f"them again. Start from {name}"
                )
            return
        if join.method == "NATURAL" or join.kind == "POSITIONAL" or join.method == "POSITIONAL":
            raise _Refused(f"the join with {name} cannot be followed. Write ON")
        pairs = [
            (self._roles_before(one, seen), self._roles_before(other, [name]))
            for a, b in [*_equalities(join.args.get("on")), *filters]
            for one, other in ((a, b), (b, a))
        ]
        for column in join.args.get("using") or []:
            for other in seen:
                there, here = (exp.column(column.name, table=table) for table in (other, name))
                pairs.append((self.roles(there, loose=True), self.roles(here, loose=True)))
        self.follower._refuse_apart(_meet(pairs), f"the join with {name}")

    def _roles_before(self, expression: exp.Expr, names: list[str]) -> Roles:
        read = {self.follower.source_of(self.scope, c) for c in expression.find_all(exp.Column)}
        return self.roles(expression, loose=True) if read <= set(names) else NOTHING

    def aggregates(self) -> Iterator[exp.Expr]:
        """Yield aggregates that are not the function of a window."""
        for found in self.scope.find_all(exp.AggFunc):
            inner: exp.Expr = found
            outer = found.parent
            while isinstance(
                outer, (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
            ):
                inner, outer = outer, outer.parent
            if not (isinstance(outer, exp.Window) and outer.this is inner):
                yield found

    def windows(self) -> Iterator[tuple[exp.Expr, list[exp.Expr]]]:
        """Yield windows with what they are partitioned by."""
        named = {w.this.name: w for w in self.scope.expression.args.get("windows") or []}
        for window in self.scope.find_all(exp.Window):
            if any(window is one for one in named.values()):
                continue
            partition = list(window.args.get("partition_by") or [])
            alias = window.args.get("alias")
            if not partition and alias is not None and alias.name in named:
                partition = list(named[alias.name].args.get("partition_by") or [])
            yield window, partition

    def grouped_by(self) -> list[exp.Expr] | None:
        """Return what rows are grouped by; None for a SELECT without groups."""
        query = self.scope.expression
        group = query.args.get("group")
        if group is None:
            return None
        if any(group.args.get(word) for word in ("rollup", "cube", "grouping_sets")):
            raise _Refused("ROLLUP, CUBE and GROUPING SETS make groups across slices")
        selected = {p.alias_or_name: p.unalias() for p in _selected(query)}
        if group.args.get("all"):
            aggregated = {id(a) for a in self.aggregates()}
            return [
                one
                for one in selected.values()
                if not any(id(node) in aggregated for node in one.walk())
            ]
        return [self._named(one, selected) for one in group.expressions]

    def _named(self, expression: exp.Expr, selected: Mapping[str, exp.Expr]) -> exp.Expr:
        if isinstance(expression, exp.Literal) and expression.is_int:
            return list(selected.values())[int(expression.name) - 1]
        if isinstance(expression, exp.Column) and not self.owns(expression):
            return selected.get(expression.name, expression)
        return expression


def _names_a_slice(columns: Iterable[Roles]) -> bool:
    """Say whether rows that are equal in these columns lie in one slice."""
    roles = frozenset[_Role]().union(*columns)
    if any(role.name in ("key", VERSION) for role in roles):
        return True
    return any(all(_Role(part, role.home, role.of) in roles for part in IDENTITY) for role in roles)


def _meet(pairs: Iterable[tuple[Roles, Roles]]) -> bool:
    """Say whether rows that are equal in these pairs of columns lie in one slice."""
    return _names_a_slice(
        [
            frozenset(
                _Role(x.name, x.home, (x.of, y.of))
                for x in one
                for y in other
                if (x.name, x.home) == (y.name, y.home)
            )
            for one, other in pairs
        ]
    )


def _equalities(condition: exp.Expr | None) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """Yield both sides of each equality that has to hold."""
    if isinstance(condition, exp.Where):
        condition = condition.this
    if condition is None:
        return
    condition = condition.unnest()
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        if isinstance(part, exp.And):
            yield from _equalities(part)
        elif isinstance(part, (exp.EQ, exp.NullSafeEQ)):
            yield part.this.unnest(), part.expression.unnest()


def _optional(query: exp.Expr) -> frozenset[str]:
    """Return the sources that outer joins fill with NULL where they have no row."""
    from_ = query.args.get("from_")
    seen = {from_.this.alias_or_name} if from_ is not None else set()
    optional: set[str] = set()
    for join in query.args.get("joins") or []:
        name = join.this.alias_or_name
        if join.side in ("RIGHT", "FULL"):
            optional |= seen
        if join.side in ("LEFT", "FULL"):
            optional.add(name)
        seen.add(name)
    return frozenset(optional)


def _names_read(scope: Scope) -> list[str]:
    return [name for name in scope.selected_sources if name in scope.sources]


def _selected(query: exp.Expr) -> list[exp.Expr]:
    return list(query.selects) if isinstance(query, exp.Query) else []


def _selected_names(query: exp.Expr) -> list[str]:
    return list(query.named_selects) if isinstance(query, exp.Query) else []


def _table_name(table: object) -> str:
    return f"{table.db}.{table.name}" if isinstance(table, exp.Table) else ""


def _is_star(projection: exp.Expr) -> bool:
    return isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)


def _short(expression: exp.Expr) -> str:
    text = expression.sql(dialect="duckdb", comments=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _quoted(expression: exp.Expr) -> str:
    return f"`{_short(expression)}`"
