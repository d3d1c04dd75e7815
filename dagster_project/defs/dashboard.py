"""The page of figures, made of each copy that is published."""

from typing import Any

import dagster as dg

from dagster_project.defs.labels import GROUPS, OWNERS, POOL, model_key
from dagster_project.defs.publishing import PUBLISHED
from orders_connector.config import Settings
from orders_connector.dashboard.serving import build_dashboard

__all__ = ["DASHBOARD", "READS", "build_dashboard_asset"]

DASHBOARD = dg.AssetKey("dashboard")
READS = (
    "core.orders",
    "marts.customer_cohort_grid",
    "marts.daily_customers",
    "marts.daily_discounts",
    "marts.daily_licenses",
    "marts.daily_products",
    "marts.daily_promotions",
    "marts.daily_revenue",
    "marts.data_freshness",
    "marts.restatements",
    "marts.status_durations",
    "marts.status_funnel",
)


def build_dashboard_asset(settings: Settings) -> dg.AssetsDefinition:
    """Make the asset that draws the published copy."""

    @dg.asset(
        key=DASHBOARD,
        deps=[PUBLISHED, *map(model_key, READS)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUPS["readers"],
        kinds={"html"},
        owners=OWNERS,
        pool=POOL,
    )
    def dashboard(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        """One HTML file with the figures of the last good load; it needs no network.

        Open the file, or serve it: `orders-connector dashboard --serve` prints its address. It
        holds aggregates alone, so it may be handed on.
        """
        made = build_dashboard(settings)
        return dg.MaterializeResult(
            metadata={
                "page": dg.MetadataValue.url(made.path.as_uri()),
                "path": dg.MetadataValue.path(str(made.path)),
                "bytes": made.bytes,
            }
        )

    return dashboard
