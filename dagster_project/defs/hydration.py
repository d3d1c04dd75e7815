"""Fetches the items of orders known from exports alone: one asset per account with exports."""

import dagster as dg

from dagster_project.defs import outcomes
from dagster_project.defs.labels import GROUPS, OWNERS, POOL, exporting_accounts, hydrated_key
from dagster_project.defs.progress import on_wait, what_is_done
from orders_connector.config import Account, Settings
from orders_connector.errors import RetriableSourceError, SourceError
from orders_connector.sync import hydrate_account

__all__ = ["HydrationConfig", "build_hydrations"]


class HydrationConfig(dg.Config):
    """What a run may spend."""

    calls: int | None = None  # requests; the account's hydration_calls_per_run when absent


def build_hydrations(settings: Settings) -> list[dg.AssetsDefinition]:
    """Make the hydration asset of every account that has one."""
    return [_build_hydration(settings, account) for account in exporting_accounts(settings)]


def _build_hydration(settings: Settings, account: Account) -> dg.AssetsDefinition:
    @dg.asset(
        key=hydrated_key(account.name),
        description=(
            f"Items, discounts and redemptions of orders of `{account.name}` that are known from "
            "exports alone, newest business date first. Each load fetches some; run this to have "
            "the rest sooner."
        ),
        group_name=GROUPS["raw"],
        kinds={"python", "api", account.source},
        owners=OWNERS,
        tags={"source": account.source, "account": account.name},
        metadata=outcomes.table_facts("raw.order_payloads"),
        retry_policy=outcomes.RETRIES,
        pool=POOL,
    )
    def hydrated_orders(
        context: dg.AssetExecutionContext, config: HydrationConfig
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants the bare class here
        done = outcomes.attempted(
            lambda: hydrate_account(
                settings,
                account.name,
                calls=config.calls,
                doing=what_is_done(context.log),
                on_wait=on_wait(context.log),
            )
        )
        facts = {
            "orders": done.orders,
            "gone": done.gone,
            "awaiting": done.awaiting,
            "calls": done.calls,
        }
        if isinstance(done.error, SourceError):
            raise dg.Failure(
                f"{done.error}. What came is kept; the next run goes on",
                metadata=facts,
                allow_retries=isinstance(done.error, RetriableSourceError),
            ) from done.error
        return dg.MaterializeResult(
            metadata=facts | {"ended": str(done.error or "all that was allowed is done")}
        )

    return hydrated_orders
