"""The copy that readers open."""

from typing import Any

import dagster as dg
import duckdb

from dagster_project.defs.figures import plotted_totals
from dagster_project.defs.labels import GROUPS, OWNERS, POOL, as_markdown, reader_key
from dagster_project.defs.models import ModelAssets
from orders_connector.dashboard.serving import dashboard_path
from orders_connector.load import publish_warehouse
from orders_connector.publishing.readers import doors_of

__all__ = ["PUBLISHED", "build_published"]

PUBLISHED = dg.AssetKey("published")
LAYERS = ("core", "marts")


def build_published(assets: ModelAssets) -> dg.AssetsDefinition:
    """Make the asset that swaps in the copy, after all models and their checks."""
    settings = assets.settings

    @dg.asset(
        key=PUBLISHED,
        deps=[assets.specs[name] for name, m in assets.models.items() if m.layer in LAYERS],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUPS["published"],
        kinds={"duckdb", "parquet"},
        owners=OWNERS,
        pool=POOL,
    )
    def published(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        """What BI tools open: all tables of core and marts, as of the last good load.

        A DuckDB file, the marts as Parquet, and a file of views over these.
        A failed check leaves the file as it was. Readers keep their copy until they connect anew.
        """
        done = publish_warehouse(settings, run_id=context.run.run_id)
        with duckdb.connect(str(done.path), read_only=True) as con:
            figures = plotted_totals(con, assets.models)
        for door in doors_of(settings):
            context.log_event(
                dg.AssetMaterialization(
                    reader_key(door.name), metadata={"path": dg.MetadataValue.path(str(door.path))}
                )
            )
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(done.path)),
                "live": dg.MetadataValue.path(str(done.live)),
                "exports": dg.MetadataValue.path(str(done.exports / "current")),
                "version": done.version,
                "bytes": done.bytes,
                "dagster/row_count": sum(done.tables.values()),
                "tables": as_markdown(("table", "rows"), list(done.tables.items())),
                "seconds": done.seconds,
                "dashboard": dg.MetadataValue.url(dashboard_path(settings).as_uri()),
                **figures,
            }
        )

    return published
