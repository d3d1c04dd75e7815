"""Reads the orders of each account: one asset per account, one run for any range of days."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, date, timedelta
from typing import Any

import dagster as dg

from dagster_project.defs.labels import OWNERS, POOL, as_markdown, column_schema, extraction_key
from dagster_project.defs.partitions import log_days, version_days
from dagster_project.resources import Warehouse
from orders_connector.config import Account, Settings
from orders_connector.errors import ConfigurationError, RetriableSourceError
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.sources.base import Window
from orders_connector.sync import SyncResult, sync_account
from orders_connector.warehouse.database import count_rows
from orders_connector.warehouse.schema import TABLES

__all__ = ["build_extractions"]

RAW_TABLE = "raw.order_payloads"
# Single requests are repeated by the transport; this is for an outage that lasts longer.
RETRIES = dg.RetryPolicy(max_retries=2, delay=120, backoff=dg.Backoff.EXPONENTIAL)
SECONDS_BETWEEN_PROGRESS = 30.0
PREVIEW = 5


def build_extractions(settings: Settings) -> list[dg.AssetsDefinition]:
    """Make the extraction asset of every account."""
    return [_build_extraction(settings, account) for account in settings.accounts.values()]


def _build_extraction(settings: Settings, account: Account) -> dg.AssetsDefinition:
    key = extraction_key(account.name)
    days = version_days(settings)
    comment, columns = TABLES[RAW_TABLE]

    @dg.asset(
        key=key,
        description=(
            f"Orders of the {account.source} account `{account.name}`, every version as it was "
            f"sent.\n\n{comment} A partition is the UTC day of a version (`version_at`). A run "
            "reads what changed since the last covered moment, so a missed night needs no care."
        ),
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        kinds={"python", "duckdb", account.source},
        owners=OWNERS,
        tags={"source": account.source, "account": account.name},
        metadata={
            "dagster/table_name": RAW_TABLE,
            "dagster/column_schema": column_schema(
                {column: meaning for column, (_, meaning) in columns.items()},
                {column: kind for column, (kind, _) in columns.items()},
            ),
        },
        check_specs=[
            dg.AssetCheckSpec(
                "window_is_covered",
                asset=key,
                description="Every version in the days that the run was asked for was read.",
            )
        ],
        retry_policy=RETRIES,
        pool=POOL,
    )
    def extracted_orders(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants the bare class here
        start, end = context.partition_time_window
        asked = Window(start, end)
        result = _extract(settings, account, asked, context.log)
        _fail_unless_something_is_proven(result)
        with warehouse.get_connection(read_only=True) as con:
            proven = coverage_of(con, account.source, account.name)
            mine = f"source = '{account.source}' and account = '{account.name}'"
            versions = count_rows(con, RAW_TABLE, mine)
            newest = con.execute(
                "select order_id, version_at, payload ->> '$.status', payload ->> '$.amount'"
                f" from {RAW_TABLE} where {mine} order by version_at desc, order_id limit {PREVIEW}"
            ).fetchall()
        log_days(
            context,
            key,
            days,
            present={day for window in proven for day in _whole_days(window)}
            - {date.fromisoformat(day) for day in context.partition_keys},
        )
        return dg.MaterializeResult(
            metadata=_metadata(result)
            | {
                "dagster/row_count": versions,
                "coverage": ", ".join(str(window) for window in proven) or "none",
                "preview": as_markdown(("order", "version_at", "status", "amount"), newest),
            },
            check_results=[_window_check(result, gaps_in(proven, asked))],
        )

    return extracted_orders


def _extract(
    settings: Settings, account: Account, asked: Window, log: logging.Logger
) -> SyncResult:
    """Read and land.

    Raises:
        dagster.Failure: the account is not set up; trying again would not help.
    """
    try:
        return sync_account(
            settings,
            account.name,
            window=asked,
            progress=_progress(log),
            on_wait=lambda seconds, reason: log.info(f"waiting {seconds:.0f} s: {reason}"),
        )
    except ConfigurationError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _progress(log: logging.Logger) -> Callable[[int, int | None], None]:
    last = time.monotonic()

    def show(orders: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_PROGRESS:
            last = time.monotonic()
            log.info(f"{orders:,} orders read; the source has {total or 'an unknown number':,}")

    return show


def _fail_unless_something_is_proven(result: SyncResult) -> None:
    """Let the step fail when the source refused, or when nothing of the window can be trusted.

    Raises:
        dagster.Failure: with the reason; what was read is landed all the same.
    """
    refused, reading = result.error, result.reading
    unproven = reading.reason is not None and reading.proven is None
    if refused is None and not unproven:
        return
    raise dg.Failure(
        f"{refused or reading.reason}. What was read is kept; the next run starts from the same "
        "place",
        metadata=_metadata(result),
        allow_retries=refused is None or isinstance(refused, RetriableSourceError),
    ) from refused


def _window_check(result: SyncResult, gaps: list[Window]) -> dg.AssetCheckResult:
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


def _metadata(result: SyncResult) -> dict[str, Any]:
    facts = {name: value for name, value in result.as_metadata().items() if value is not None}
    facts["missing"] = ", ".join(facts["missing"]) or "nothing"
    columns = ("order", "ended", "pages", "rereads", "orders_seen", "first_total", "head", "oldest")
    walks = [[getattr(walk, name) for name in columns] for walk in result.reading.walks]
    return facts | {"walks": as_markdown(columns, walks)}


def _whole_days(window: Window) -> list[date]:
    """Return the UTC days that lie wholly in a window."""
    if window.end is None:
        return []
    first = (window.start.astimezone(UTC) + timedelta(days=1, microseconds=-1)).date()
    return [
        first + timedelta(days=n) for n in range((window.end.astimezone(UTC).date() - first).days)
    ]
