"""What each column of a model is made of: the columns it is computed from, and its type.

Both are read without any data. Origins come from the parsed SELECT; types from DuckDB, which plans
the models over empty tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import cast

import duckdb
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from orders_connector.errors import ModelError
from orders_connector.modeling.model import Model
from orders_connector.warehouse.schema import TABLES, create_schema

__all__ = ["column_origins", "column_types"]

Origins = frozenset[tuple[str, str]]


def column_origins(
    models: Mapping[str, Model], reduced: Callable[[exp.Query], exp.Query] = lambda select: select
) -> dict[str, dict[str, Origins]]:
    """Say for each column of each model which `(table, column)` pairs its value is computed from.

    Columns that only choose rows (joins, filters, groups) are not origins: `count(*)` has none.

    Args:
        models: Upstream first.
        reduced: Makes of each SELECT the one to follow, with the same columns.
    """
    known = {table: set(columns) for table, (_, columns) in TABLES.items()}
    known |= {name: set(model.columns) for name, model in models.items()}
    return {
        name: _Tracer(reduced(model.select), model.columns, known).origins()
        for name, model in models.items()
    }


class _Tracer:
    """Follows the columns of one SELECT through its subqueries and CTEs down to tables."""

    def __init__(
        self, select: exp.Query, columns: tuple[str, ...], known: Mapping[str, set[str]]
    ) -> None:
        self.scope = cast("Scope", build_scope(select))  # None for what is no query
        self.columns = columns
        self.known = known
        self.traced: dict[tuple[int, int], Origins] = {}

    def origins(self) -> dict[str, Origins]:
        return {
            column: self._of_output(self.scope, place) for place, column in enumerate(self.columns)
        }

    @cached_property
    def scope_of(self) -> dict[int, Scope]:
        """Scope that each column expression is resolved in: the innermost that offers it."""
        found: dict[int, Scope] = {}
        for scope in self.scope.traverse():  # innermost first
            for column in scope.columns:
                if self._source_name(scope, column) is not None:
                    found.setdefault(id(column), scope)
        return found

    def _of_output(self, scope: Scope, place: int) -> Origins:
        key = (id(scope), place)
        if key not in self.traced:
            self.traced[key] = frozenset()  # a recursive CTE ends here
            if scope.set_operation_scopes:
                parts = [self._of_output(part, place) for part in scope.set_operation_scopes]
            else:
                parts = [self._of_column(c) for c in _output(scope, place).find_all(exp.Column)]
            self.traced[key] = frozenset[tuple[str, str]]().union(*parts)
        return self.traced[key]

    def _of_column(self, column: exp.Column) -> Origins:
        scope = self.scope_of.get(id(column))
        if scope is None:  # a field of a struct, or a lambda's parameter
            return frozenset()
        source = scope.sources[str(self._source_name(scope, column))]
        if isinstance(source, Scope):
            return self._of_output(source, _names(source).index(column.name))
        return frozenset({(f"{source.db}.{source.name}", column.name)})

    def _source_name(self, scope: Scope, column: exp.Column) -> str | None:
        if column.table:
            return column.table if column.table in scope.sources else None
        return next((name for name in scope.sources if self._offers(scope, name, column)), None)

    def _offers(self, scope: Scope, name: str, column: exp.Column) -> bool:
        source = scope.sources[name]
        if isinstance(source, Scope):
            return column.name in _names(source)
        return column.name in self.known.get(f"{source.db}.{source.name}", ())


def _output(scope: Scope, place: int) -> exp.Expr:
    # A table function has no list of outputs: all it is called with counts.
    query = scope.expression
    return query.selects[place] if isinstance(query, exp.Query) else query


def _names(scope: Scope) -> list[str]:
    query = scope.expression
    return list(query.named_selects if isinstance(query, exp.Query) else query.alias_column_names)


def column_types(models: Mapping[str, Model]) -> dict[str, dict[str, str]]:
    """Say for each column of each model the type that DuckDB gives it.

    Args:
        models: Upstream first.

    Raises:
        ModelError: DuckDB cannot plan a SELECT.
    """
    types = {}
    with duckdb.connect(":memory:") as con:
        create_schema(con)
        for name, model in models.items():
            try:
                planned = con.execute(f"describe {model.select.sql(dialect='duckdb')}").fetchall()
            except duckdb.Error as error:
                raise ModelError(f"{model.path.name} cannot be planned: {error}") from error
            types[name] = {column: kind for column, kind, *_ in planned}
            # An empty table, so that the next model is not planned through all before it.
            columns = ", ".join(f"{column} {kind}" for column, kind in types[name].items())
            con.execute(f"create table {name} ({columns})")
    return types
