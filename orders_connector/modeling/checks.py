"""Runs the promises of the model headers against the tables, and keeps the rows that break them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from orders_connector.modeling.header import Check, Severity
from orders_connector.modeling.model import Model
from orders_connector.warehouse.database import transaction

__all__ = ["CheckResult", "keep_failing_rows", "run_checks"]

SAMPLE = 5
MOST_KEPT = 1000  # rows of one check
# A count is watched on so many last days; beside each stand the same weekdays before it.
DAYS_WATCHED, WEEKS_BEFORE, FEWEST_WEEKS = 14, 8, 4
FEWEST_USUAL, TIMES = 20, 3  # below 20, a third or three times is chance


@dataclass(frozen=True)
class CheckResult:
    """Whether one promise of one model holds.

    Attributes:
        failing: Rows (or groups of rows, for `unique` and `totals`) that break it.
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
    return [result for model in models for result in _run(con, model)]


def keep_failing_rows(
    con: duckdb.DuckDBPyConnection, models: Collection[Model], known: Collection[str]
) -> list[CheckResult]:
    """Run every check of the given models and write what breaks them to `ops.failing_rows`.

    Args:
        con: Connection to the warehouse, not inside a transaction.
        models: Whose checks to run; they replace what was kept of them.
        known: Names of all models; what was kept of any other is forgotten.
    """
    checked_at = datetime.now(UTC)
    with transaction(con):
        con.execute(
            "delete from ops.failing_rows where list_contains($run, model)"
            " or not list_contains($known, model)",
            {"run": [model.name for model in models], "known": list(known)},
        )
        results = run_checks(con, models)
        checks = {(model.name, c.name): (model, c) for model in models for c in model.header.checks}
        for result in results:
            if not result.passed:
                _keep(con, *checks[result.model, result.name], checked_at)
    return results


def _run(con: duckdb.DuckDBPyConnection, model: Model) -> Iterator[CheckResult]:
    failing = _broken_formulas(con, model)
    for check in model.header.checks:
        query = _failing_rows(model, check)
        if check.name not in failing:
            ((rows,),) = con.execute(f"select count(*) from ({query})").fetchall()
            failing[check.name] = rows
        sample: list[dict[str, Any]] = []
        if failing[check.name]:
            cursor = con.execute(f"from ({query}) limit {SAMPLE}")
            names = [column[0] for column in cursor.description or []]
            sample = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        yield CheckResult(model.name, check.name, check.severity, failing[check.name], sample)


def _broken_formulas(con: duckdb.DuckDBPyConnection, model: Model) -> dict[str, int]:
    """Return how many rows break each formula: one reading for all, as most checks are formulas."""
    formulas = {check.name: check for check in model.header.checks if check.rule == "formula"}
    if not formulas:
        return {}
    counting = ", ".join(f"count(*) filter (where not ({c.holds}))" for c in formulas.values())
    (rows,) = con.execute(f"select {counting} from {model.name}").fetchall()
    return dict(zip(formulas, rows, strict=True))


def _keep(con: duckdb.DuckDBPyConnection, model: Model, check: Check, checked_at: datetime) -> None:
    con.execute(
        "insert into ops.failing_rows"
        f" select $at, $model, $name, $severity, {_reason(check)}, to_json(f)"
        f" from ({_failing_rows(model, check)}) as f limit {MOST_KEPT}",
        {
            "at": checked_at,
            "model": model.name,
            "name": check.name,
            "severity": check.severity,
        },
    )


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
            values = ", ".join(_text(value) for value in check.values)
            return f"select {grain} from {model.name} where {columns} not in ({values})"
        case "relation":
            return f"select {grain} from {model.name} as m anti join {check.to} using ({columns})"
        case "formula":
            return f"select {grain} from {model.name} where not ({check.holds})"
        case "totals":
            return _unequal_totals(model, check)
        case "volume":
            return _unusual_days(model, check)


def _unequal_totals(model: Model, check: Check) -> str:
    """Return the groups whose sums differ, or that only one of both models has."""

    def totals(table: str, total: str, where: str | None) -> str:
        return (
            f"select {', '.join(check.by)}, sum({total}) as total, true as there"
            f" from {table} where {where or 'true'} group by all"
        )

    here = totals(model.name, str(check.sum), check.where)
    there = totals(str(check.to), check.their_sum or str(check.sum), check.their_where)
    same = " and ".join(f"h.{column} is not distinct from t.{column}" for column in check.by)
    groups = ", ".join(f"coalesce(h.{column}, t.{column}) as {column}" for column in check.by)
    return (
        f"select {groups}, h.total as here, t.total as there,"
        " case when h.there is null then 'here' when t.there is null then 'there' end as missing"
        f" from ({here}) as h full join ({there}) as t on {same}"
        " where h.there is null or t.there is null or h.total is distinct from t.total"
    )


def _unusual_days(model: Model, check: Check) -> str:
    """Return the last complete days whose count is far from that of the same weekdays before.

    The last complete day is the one before the local day up to which the account is proven; without
    any proof, the one before the newest day of the table. A day without rows counts as 0.
    """
    by, day = ", ".join(check.by), check.date
    same = " and ".join(f"a.{column} is not distinct from d.{column}" for column in check.by)
    return f"""
        with days as (
            select {by}, cast({day} as date) as __day, sum({check.count}) as __count
            from {model.name} where {day} is not null group by all
        ),
        proven as (
            select c.source, c.account,
                cast(max(c.covered_to) at time zone any_value(a.time_zone) as date) as __today
            from ops.coverage as c inner join ops.accounts as a using (source, account) group by all
        ),
        spans as (
            select {by}, min(__day) as __first, coalesce(any_value(__today), max(__day)) as __today
            from days left join proven using (source, account) group by {by}
        ),
        watched as (
            select {by}, __first, __today - cast(unnest(range(1, {DAYS_WATCHED + 1})) as integer) as __day
            from spans
        ),
        before as (
            select *, __day - 7 * cast(unnest(range(1, {WEEKS_BEFORE + 1})) as integer) as __past from watched
        ),
        usual as (
            select a.* exclude (__first, __past), median(coalesce(d.__count, 0)) as __usual
            from before as a left join days as d on {same} and d.__day = a.__past
            where a.__past >= a.__first
            group by all having count(*) >= {FEWEST_WEEKS}
        )
        select {", ".join(f"a.{column}" for column in check.by)}, a.__day as {day},
            coalesce(d.__count, 0) as {check.count}, a.__usual as usual
        from usual as a left join days as d on {same} and d.__day = a.__day
        where a.__usual >= {FEWEST_USUAL} and (
            {TIMES} * coalesce(d.__count, 0) < a.__usual or coalesce(d.__count, 0) > {TIMES} * a.__usual
        )
    """  # noqa: E501 - SQL


def _reason(check: Check) -> str:
    """Return an SQL expression over a failing row that says what is wrong with it."""
    columns = ", ".join(check.columns)
    match check.rule:
        case "unique":
            return f"rows || {_text(f' rows share the same ({columns})')}"
        case "not_null":
            missing = ", ".join(f"case when {c} is null then {_text(c)} end" for c in check.columns)
            return f"concat_ws(', ', {missing}) || ' is missing'"
        case "accepted_values":
            accepted = _text(f", which is not one of {', '.join(check.values)}")
            return f"{_text(f'{columns} is ')} || {columns} || {accepted}"
        case "relation":
            return _text(f"no row of {check.to} has the same ({columns})")
        case "formula":
            return _text(f"this does not hold: {check.holds}")
        case "totals":
            return (
                f"case missing when 'here' then {_text(f'only {check.to} has this group')}"
                f" when 'there' then {_text(f'{check.to} lacks this group')}"
                " else coalesce(cast(here as varchar), 'NULL') || ' here, '"
                f" || coalesce(cast(there as varchar), 'NULL') || {_text(f' in {check.to}')} end"
            )
        case "volume":
            return (
                f"{check.count} || ' on ' || {check.date} || ', while ' || usual"
                " || ' is the median of the same weekday of the weeks before'"
            )


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
