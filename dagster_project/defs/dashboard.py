"""The page of figures, made of each copy that is published."""

from typing import Any

import dagster as dg

from dagster_project.defs.labels import OWNERS, POOL
from dagster_project.defs.publishing import PUBLISHED
from orders_connector.config import Settings
from orders_connector.dashboard.serving import build_dashboard

__all__ = ["DASHBOARD", "build_dashboard_asset"]

DASHBOARD = dg.AssetKey("dashboard")


def build_dashboard_asset(settings: Settings) -> dg.AssetsDefinition:
    """Make the asset that draws the published copy."""

    @dg.asset(
        key=DASHBOARD,
        deps=[PUBLISHED],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="published",
        kinds={"html"},
        owners=OWNERS,
        pool=POOL,
    )
    def dashboard(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        """One HTML file with the figures of the last good load; it needs no network.

        It holds aggregates alone, so it may be handed on.
        """
        made = build_dashboard(settings)
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(str(made.path)), "bytes": made.bytes}
        )

    return dashboard
