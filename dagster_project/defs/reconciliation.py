"""Compares each account with its source when it is due; says what differs and stops nothing."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from dagster_project.defs import outcomes
from dagster_project.defs.labels import (
    GROUPS,
    NIGHTLY,
    OWNERS,
    POOL,
    as_markdown,
    extraction_key,
    reconciled_key,
)
from dagster_project.defs.progress import on_wait, what_is_done
from dagster_project.resources import Warehouse
from orders_connector.comparison_due import LastComparison, days_between, last_comparison
from orders_connector.config import Account, Settings
from orders_connector.errors import SourceError, WarehouseLocked
from orders_connector.landing.coverage import coverage_of
from orders_connector.landing.profiles import read_profile
from orders_connector.reconciliation import Reconciliation, reconcile_account
from orders_connector.sources.registry import source_of

__all__ = ["ReconciliationConfig", "build_reconciliations"]

DIFFERENCES_SHOWN, DAYS_SHOWN = 20, 31
GOOD = {"equal", "repaired"}


class ReconciliationConfig(dg.Config):
    """What a run may spend on repair."""

    repair_calls: int | None = None  # requests; hydration_calls_per_run of the account when absent


def build_reconciliations(settings: Settings) -> list[dg.AssetsDefinition]:
    """Make the reconciliation asset of every account."""
    return [_build_reconciliation(settings, account) for account in settings.accounts.values()]


def _build_reconciliation(settings: Settings, account: Account) -> dg.AssetsDefinition:
    key = reconciled_key(account.name)
    source = source_of(account.source)

    @dg.asset(
        key=key,
        deps=[extraction_key(account.name)],
        description=(
            f"The count of the source, {'an export' if source.makes_exports else 'a reading'} of "
            f"all orders of `{account.name}` and the warehouse, compared by order. Orders that are "
            "gone from the source are marked deleted, orders that differ are put right. "
            f"{_how_often(days_between(account))}"
        ),
        group_name=GROUPS["raw"],
        kinds={"python", "api", account.source},
        owners=OWNERS,
        tags={"source": account.source, "account": account.name},
        metadata=outcomes.table_facts("ops.reconciliations"),
        check_specs=[
            dg.AssetCheckSpec(
                "reconciled",
                asset=key,
                description="Source and warehouse hold the same orders in the same state.",
            )
        ],
        pool=POOL,
    )
    def reconciled_orders(
        context: dg.AssetExecutionContext, config: ReconciliationConfig, warehouse: Warehouse
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants the bare class here
        with warehouse.get_connection() as con:
            profile = source.profile(read_profile(con, account.source, account.name))
            last = last_comparison(con, account)
            found = _tables(con, last.reconciliation_id) if last else {}
        if why := source.not_comparable(profile):
            return _not_compared("skipped", f"skipped: {why}")
        # By hand it is compared at once.
        if last and context.run.job_name == NIGHTLY:
            zone, now = ZoneInfo(settings.schedule.time_zone), datetime.now(UTC)
            if not last.is_due(now, zone):
                today = now.astimezone(zone).date()
                return _not_due(last, last.on(zone), today, last.next_on(zone), found)
        try:
            done = reconcile_account(
                settings,
                account.name,
                repair_calls=config.repair_calls,
                doing=what_is_done(context.log),
                on_wait=on_wait(context.log),
            )
        except (SourceError, WarehouseLocked) as error:
            return _not_compared("failed", str(error))
        with warehouse.get_connection(read_only=True) as con:
            tables = _tables(con, done.reconciliation_id)
            proven = coverage_of(con, account.source, account.name)
        outcomes.log_covered_days(context, settings, account, proven)
        return dg.MaterializeResult(metadata=_facts(done), check_results=[_check(done, tables)])

    return reconciled_orders


def _how_often(days: int) -> str:
    return "Every night." if days == 1 else f"The nightly load does it every {days} days."


def _not_due(
    last: LastComparison, day: date, today: date, due: date, found: Mapping[str, Any]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Say when the last comparison was, and repeat what it found."""
    ago = f"{_counted((today - day).days)} ago" if day < today else "today"
    what = "the call budget ended a comparison" if last.status == "failed" else "compared"
    facts = {
        "status": "not due",
        "reason": f"{what} {ago} ({last.status}), next in {_counted((due - today).days)}",
        "compared_on": day.isoformat(),
        "next_on": due.isoformat(),
    }
    check = dg.AssetCheckResult(
        check_name="reconciled",
        passed=last.status in GOOD,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**facts, **found},
    )
    return dg.MaterializeResult(metadata=facts, check_results=[check])


def _counted(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _not_compared(status: str, reason: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    check = dg.AssetCheckResult(
        check_name="reconciled",
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"status": status, "reason": reason},
    )
    return dg.MaterializeResult(
        metadata={"status": status, "reason": reason}, check_results=[check]
    )


def _facts(done: Reconciliation) -> dict[str, Any]:
    return {name: value for name, value in done.as_metadata().items() if value is not None}


def _check(done: Reconciliation, tables: dict[str, Any]) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {
        "status": done.status,
        "reason": done.reason or "nothing is left to do",
        "orders": as_markdown(
            ("source counts", "source showed", "warehouse holds"),
            [[done.source_total, done.export_rows, done.warehouse_orders]],
        ),
    }
    return dg.AssetCheckResult(
        check_name="reconciled",
        passed=done.status in GOOD,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata | tables,
    )


def _tables(con: duckdb.DuckDBPyConnection, reconciliation_id: str) -> dict[str, Any]:
    """Return what differs, as tables, amounts in minor units; those without rows are left out."""
    queries = {
        "differences": (
            ("cause", "orders", "repaired"),
            "select cause, count(*), count(*) filter (where repaired)"
            " from ops.reconciliation_differences where reconciliation_id = $id"
            " group by cause order by cause",
        ),
        "differing_orders": (
            ("order", "business date", "cause", "detail", "repaired"),
            "select order_id, order_date, cause, detail, repaired"
            " from ops.reconciliation_differences where reconciliation_id = $id"
            f" order by repaired, order_id limit {DIFFERENCES_SHOWN}",
        ),
        "differing_days": (
            ("business date", "status", "source", "warehouse", "source net", "warehouse net"),
            "select order_date, status, source_orders, warehouse_orders, source_net_minor,"
            " warehouse_net_minor from ops.reconciliation_days where reconciliation_id = $id"
            " and (source_orders <> warehouse_orders"
            "  or coalesce(source_net_minor <> warehouse_net_minor, false))"
            f" order by order_date desc nulls last, status limit {DAYS_SHOWN}",
        ),
    }
    found = {}
    for name, (columns, query) in queries.items():
        rows = con.execute(query, {"id": reconciliation_id}).fetchall()
        if rows:
            shown = [["" if cell is None else cell for cell in row] for row in rows]
            found[name] = as_markdown(columns, shown)
    return found
