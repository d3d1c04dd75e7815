"""Exports a range of days by hand: one asset per account whose source makes exports."""

from datetime import UTC, datetime

import dagster as dg

from dagster_project.defs import outcomes
from dagster_project.defs.labels import GROUPS, OWNERS, POOL, exported_key, exporting_accounts
from dagster_project.defs.partitions import version_days
from dagster_project.defs.progress import on_wait, what_is_done
from dagster_project.resources import Warehouse
from orders_connector.config import Account, Settings
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.sources.base import Window
from orders_connector.sync import export_window

__all__ = ["build_exports"]


def build_exports(settings: Settings) -> list[dg.AssetsDefinition]:
    """Make the export asset of every account that has one."""
    return [_build_export(settings, account) for account in exporting_accounts(settings)]


def _build_export(settings: Settings, account: Account) -> dg.AssetsDefinition:
    key = exported_key(account.name)

    @dg.asset(
        key=key,
        description=(
            f"Header facts (status, amounts, dates) of orders of `{account.name}` that changed or "
            "were created on the chosen UTC days, exported anew, also when the days are covered. "
            "Any range is one run. Only by hand: the nightly load exports by itself what the "
            "listing does not reach. Items come with the next load or with "
            f"`raw/{account.name}_hydrated_orders`."
        ),
        partitions_def=version_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUPS["raw"],
        kinds={"python", "api", account.source},
        owners=OWNERS,
        tags={"source": account.source, "account": account.name},
        metadata=outcomes.table_facts("raw.export_rows"),
        check_specs=[outcomes.window_check_spec(key)],
        retry_policy=outcomes.RETRIES,
        pool=POOL,
    )
    def exported_orders(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants the bare class here
        asked, began = Window(*context.partition_time_window), datetime.now(UTC)
        result = outcomes.attempted(
            lambda: export_window(
                settings,
                account.name,
                asked,
                doing=what_is_done(context.log),
                on_wait=on_wait(context.log),
            )
        )
        outcomes.fail_unless_something_is_proven(result)
        with warehouse.get_connection(read_only=True) as con:
            proven = coverage_of(con, account.source, account.name)
            files = outcomes.files_of_exports(con, account, began)
        outcomes.log_covered_days(context, settings, account, proven)
        return dg.MaterializeResult(
            metadata=outcomes.facts_of(result, proven)
            | files
            | {"coverage": ", ".join(str(window) for window in proven) or "none"},
            check_results=[outcomes.window_check(result, gaps_in(proven, asked))],
        )

    return exported_orders
