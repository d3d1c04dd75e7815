"""Reads the orders of each account: one asset per account, one run for any range of days."""

from datetime import UTC, datetime

import dagster as dg

from dagster_project.defs import outcomes
from dagster_project.defs.labels import GROUPS, OWNERS, POOL, as_markdown, extraction_key
from dagster_project.defs.partitions import version_days
from dagster_project.defs.progress import on_wait, orders_read, what_is_done
from dagster_project.resources import Warehouse
from orders_connector.config import Account, Settings
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.sources.base import Window
from orders_connector.sources.registry import source_of
from orders_connector.sync import sync_account
from orders_connector.warehouse.database import count_rows
from orders_connector.warehouse.schema import TABLES

__all__ = ["build_extractions"]

RAW_TABLE = "raw.order_payloads"
PREVIEW = 5
SHOWN = ("order", "part", "version_at", "channel", "loaded_at")


def build_extractions(settings: Settings) -> list[dg.AssetsDefinition]:
    """Make the extraction asset of every account."""
    return [_build_extraction(settings, account) for account in settings.accounts.values()]


def _build_extraction(settings: Settings, account: Account) -> dg.AssetsDefinition:
    key = extraction_key(account.name)

    @dg.asset(
        key=key,
        description=(
            f"Orders of the {account.source} account `{account.name}`, every version as it was "
            f"sent.\n\n{TABLES[RAW_TABLE][0]} A partition is the UTC day of a version "
            "(`version_at`). A run reads what changed since the last covered moment, so a missed "
            f"night needs no care. {source_of(account.source).reads}"
        ),
        partitions_def=version_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUPS["raw"],
        kinds={"python", "api", account.source},
        owners=OWNERS,
        tags={"source": account.source, "account": account.name},
        metadata=outcomes.table_facts(RAW_TABLE),
        check_specs=[outcomes.window_check_spec(key)],
        retry_policy=outcomes.RETRIES,
        pool=POOL,
    )
    def extracted_orders(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants the bare class here
        asked, began = Window(*context.partition_time_window), datetime.now(UTC)
        result = outcomes.attempted(
            lambda: sync_account(
                settings,
                account.name,
                window=asked,
                progress=orders_read(context.log),
                doing=what_is_done(context.log),
                on_wait=on_wait(context.log),
            )
        )
        outcomes.fail_unless_something_is_proven(result)
        with warehouse.get_connection(read_only=True) as con:
            proven = coverage_of(con, account.source, account.name)
            files = outcomes.files_of_exports(con, account, began)
            mine = f"source = '{account.source}' and account = '{account.name}'"
            versions = count_rows(con, RAW_TABLE, mine)
            newest = con.execute(
                "select order_id, coalesce(part_id, ''), version_at, channel, loaded_at"
                f" from {RAW_TABLE} where {mine}"
                f" order by version_at desc, version_id desc limit {PREVIEW}"
            ).fetchall()
        outcomes.log_covered_days(context, settings, account, proven, but=context.partition_keys)
        return dg.MaterializeResult(
            metadata=outcomes.facts_of(result, proven)
            | files
            | {
                "dagster/row_count": versions,
                "coverage": ", ".join(str(window) for window in proven) or "none",
                "preview": as_markdown(SHOWN, newest),
            },
            check_results=[outcomes.window_check(result, gaps_in(proven, asked))],
        )

    return extracted_orders
