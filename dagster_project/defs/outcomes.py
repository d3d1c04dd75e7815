"""How the outcome of reading an account becomes metadata, a check, days in the UI, or a failure."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import dagster as dg
import duckdb

from dagster_project.defs.labels import as_markdown, column_schema, extraction_key
from dagster_project.defs.partitions import log_days, version_days
from orders_connector.config import Account, Settings
from orders_connector.errors import (
    ConfigurationError,
    FatalSourceError,
    FeatureMissing,
    PermissionDenied,
    RetriableSourceError,
)
from orders_connector.sources.base import Window
from orders_connector.sync import SyncResult
from orders_connector.warehouse.schema import TABLES

__all__ = [
    "RETRIES",
    "attempted",
    "facts_of",
    "fail_unless_something_is_proven",
    "files_of_exports",
    "log_covered_days",
    "table_facts",
    "window_check",
    "window_check_spec",
]

# Single requests are repeated by the transport; this is for an outage that lasts longer.
RETRIES = dg.RetryPolicy(max_retries=2, delay=120, backoff=dg.Backoff.EXPONENTIAL)
T = TypeVar("T")


def attempted(work: Callable[[], T]) -> T:
    """Do something with an account.

    Raises:
        dagster.Failure: the account is not set up, or its quota is spent; trying again would not
            help.
    """
    try:
        return work()
    except (ConfigurationError, FatalSourceError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def fail_unless_something_is_proven(result: SyncResult) -> None:
    """Let the step fail when the source refused, or when nothing of the window can be trusted.

    A key that may not export does not take from what the listing reached: that is told as missing.

    Raises:
        dagster.Failure: with the reason; what was read is landed all the same.
    """
    refused, reading = result.error, result.reading
    unproven = reading.reason is not None and reading.proven is None
    tolerable = refused is None or isinstance(refused, PermissionDenied | FeatureMissing)
    if tolerable and not unproven:
        return
    raise dg.Failure(
        f"{refused or reading.reason}. What was read is kept; the next run starts from the same "
        "place",
        metadata=facts_of(result),
        allow_retries=refused is None or isinstance(refused, RetriableSourceError),
    ) from refused


def facts_of(result: SyncResult, proven: Sequence[Window] | None = None) -> dict[str, Any]:
    """Return what is known of a load as metadata, the evidence of completeness first, as tables.

    Args:
        result: Of the load.
        proven: All windows that are proven now, where that was looked up.
    """
    facts = {name: value for name, value in result.as_metadata().items() if value is not None}
    facts["missing"] = ", ".join(facts["missing"]) or "nothing"
    reading, landed = result.reading, result.landed
    windows = {
        "asked for": [reading.window],
        "proven now": [reading.proven] if reading.proven else [],
        "proven in all": proven or [],
        "missing": reading.missing,
    }
    answers = {
        "is it complete?": result.status,
        **({"why not?": reading.reason} if reading.reason else {}),
        "orders at the source": "not told" if reading.total is None else f"{reading.total:,}",
        "orders here": f"{result.known_orders:,}",
        "orders read": f"{landed.orders_read:,}",
        "of them new or changed": f"{landed.versions:,}",
        "requests": f"{result.calls:,}",
    }
    tables = {
        "evidence": as_markdown(("question", "answer"), list(answers.items())),
        "windows": as_markdown(
            ("UTC", "from", "to"),
            [
                (what, f"{span.start:%Y-%m-%d %H:%M}", _end(span))
                for what, spans in windows.items()
                for span in spans
            ],
        ),
    }
    return tables | _walks(result) | facts


def _end(window: Window) -> str:
    return f"{window.end:%Y-%m-%d %H:%M}" if window.end else "now"


def _walks(result: SyncResult) -> dict[str, Any]:
    if not result.reading.walks:
        return {}
    columns = ("order", "ended", "pages", "rereads", "orders_seen", "first_total", "head", "oldest")
    walks = [[getattr(walk, name) for name in columns] for walk in result.reading.walks]
    return {"walks": as_markdown(columns, walks)}


def files_of_exports(
    con: duckdb.DuckDBPyConnection, account: Account, since: datetime
) -> dict[str, Any]:
    """Return the exports that were asked for or landed since then as a table; none, no entry."""
    found = con.execute(
        "select date_field, window_from, window_to, status, rows, asked_at, reason"
        " from ops.export_jobs where source = ? and account = ? and changed_at >= ?"
        " order by asked_at, window_from nulls first",
        [account.source, account.name, since],
    ).fetchall()
    columns = ("by", "from", "to", "status", "rows", "asked_at", "reason")
    rows = [["" if cell is None else cell for cell in row] for row in found]
    return {"export_files": as_markdown(columns, rows)} if rows else {}


def window_check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Return the check that an asset which covers windows reports itself."""
    return dg.AssetCheckSpec(
        "window_is_covered",
        asset=key,
        description="Every version in the days that the run was asked for was read.",
    )


def window_check(result: SyncResult, gaps: list[Window]) -> dg.AssetCheckResult:
    """Report what is missing: an error within the days asked for, a warning before them."""
    return dg.AssetCheckResult(
        check_name="window_is_covered",
        passed=result.status == "complete" and not gaps,
        severity=dg.AssetCheckSeverity.ERROR if gaps else dg.AssetCheckSeverity.WARN,
        metadata={
            "missing_in_the_days_asked_for": [str(window) for window in gaps],
            "missing_in_all": [str(window) for window in result.reading.missing],
            "reason": result.reading.reason or "nothing is missing",
        },
    )


def log_covered_days(
    context: dg.AssetExecutionContext,
    settings: Settings,
    account: Account,
    proven: list[Window],
    *,
    but: Collection[str] = (),
) -> None:
    """Show the days that are proven as days of the extraction, whoever read them.

    Args:
        context: Of the running step.
        settings: All settings.
        account: Whose days.
        proven: Windows that are proven complete.
        but: Days that the step materializes itself.
    """
    present = {day for window in proven for day in _whole_days(window)}
    present -= {date.fromisoformat(day) for day in but}
    log_days(context, extraction_key(account.name), version_days(settings), present=present)


def table_facts(table: str) -> dict[str, Any]:
    """Describe a table that is no model."""
    columns = TABLES[table][1]
    return {
        "dagster/table_name": table,
        "dagster/column_schema": column_schema(
            {column: meaning for column, (_, meaning) in columns.items()},
            {column: kind for column, (kind, _) in columns.items()},
        ),
    }


def _whole_days(window: Window) -> list[date]:
    """Return the UTC days that lie wholly in a window."""
    if window.end is None:
        return []
    first = (window.start.astimezone(UTC) + timedelta(days=1, microseconds=-1)).date()
    return [
        first + timedelta(days=n) for n in range((window.end.astimezone(UTC).date() - first).days)
    ]
