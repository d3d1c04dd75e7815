"""The one entry point: everything Dagster shows, made from orders.toml and sql/."""

from datetime import timedelta

import dagster as dg

from dagster_project.defs.automation import build_automation
from dagster_project.defs.checks import build_checks
from dagster_project.defs.dashboard import DASHBOARD, build_dashboard_asset
from dagster_project.defs.exports import build_exports
from dagster_project.defs.extraction import build_extractions
from dagster_project.defs.hydration import build_hydrations
from dagster_project.defs.labels import extraction_key, reconciled_key
from dagster_project.defs.models import ModelAssets
from dagster_project.defs.publishing import PUBLISHED, build_published
from dagster_project.defs.readers import build_readers
from dagster_project.defs.reconciliation import build_reconciliations
from dagster_project.resources import Warehouse
from orders_connector.config import Settings
from orders_connector.status import FRESH_FOR

__all__ = ["build_definitions", "defs"]

FRESHNESS = dg.FreshnessPolicy.time_window(
    warn_window=FRESH_FOR, fail_window=FRESH_FOR + timedelta(days=1)
)
EVERY_NIGHT = (extraction_key, reconciled_key)


def build_definitions(settings: Settings) -> dg.Definitions:
    """Make all definitions of one installation.

    Raises:
        ModelError: a SQL model is wrong.
        ConfigurationError: a reader names a table that is not published.
    """
    models = ModelAssets.load(settings)
    assets = [
        *build_extractions(settings),
        *build_exports(settings),
        *build_hydrations(settings),
        *build_reconciliations(settings),
        *models.assets(),
        build_published(models),
        build_dashboard_asset(settings),
        *build_readers(models),
    ]
    # A mart's date is only rebuilt when an order of it changed, so its age says nothing.
    every_night = {PUBLISHED, DASHBOARD, *(spec.key for spec in models.refreshed)}
    every_night |= {key(name) for name in settings.accounts for key in EVERY_NIGHT}
    fresh = dg.map_asset_specs(
        lambda spec: (
            dg.apply_freshness_policy(spec, FRESHNESS) if spec.key in every_night else spec
        ),
        assets,
    )
    definitions = dg.Definitions(
        assets=fresh,
        asset_checks=build_checks(settings, models),
        resources={"warehouse": Warehouse.of(settings)},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(definitions, build_automation(settings, models))


@dg.definitions
def defs() -> dg.Definitions:
    """Load orders.toml, or the file that ORDERS_CONFIG names."""
    return build_definitions(Settings.load())
