"""Runs the promises of the model headers against the tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from orders_connector.modeling.model import Check, Model, Severity

__all__ = ["CheckResult", "run_checks"]

SAMPLE = 5


@dataclass(frozen=True)
class CheckResult:
    """Whether one promise of one model holds.

    Attributes:
        failing: Rows (or groups of rows, for `unique`) that break it.
        sample: A few of them, as column to value.
    """

    model: str
    name: str
    severity: Severity
    failing: int
    sample: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """True when no row breaks the promise."""
        return self.failing == 0


def run_checks(con: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> list[CheckResult]:
    """Run every check of the given models; nothing is written."""
    return [_run(con, model, check) for model in models for check in model.header.checks]


def _run(con: duckdb.DuckDBPyConnection, model: Model, check: Check) -> CheckResult:
    query = _failing_rows(model, check)
    ((failing,),) = con.execute(f"select count(*) from ({query})").fetchall()
    sample: list[dict[str, Any]] = []
    if failing:
        cursor = con.execute(f"{query} limit {SAMPLE}")
        names = [column[0] for column in cursor.description or []]
        sample = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return CheckResult(model.name, check.name, check.severity, failing, sample)


def _failing_rows(model: Model, check: Check) -> str:
    """Return a SELECT of the rows that break the promise, with the grain to find them by."""
    grain = ", ".join(dict.fromkeys((*model.header.grain, *check.columns)))
    columns = ", ".join(check.columns)
    match check.rule:
        case "unique":
            return (
                f"select {columns}, count(*) as rows from {model.name}"
                f" group by {columns} having count(*) > 1"
            )
        case "not_null":
            missing = " or ".join(f"{column} is null" for column in check.columns)
            return f"select {grain} from {model.name} where {missing}"
        case "accepted_values":
            values = ", ".join(f"'{value}'" for value in check.values)
            return f"select {grain} from {model.name} where {columns} not in ({values})"
        case "relation":
            return f"select {grain} from {model.name} as m anti join {check.to} using ({columns})"
        case "formula":
            return f"select {grain} from {model.name} where not ({check.holds})"
