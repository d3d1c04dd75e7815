"""The SQL models as assets: everything the UI says about them is read from `sql/`.

Three kinds, by what the SQL says:

- Models keyed by business date are partitioned by it. Any range can be rebuilt by hand.
- Models that read one of those (views, mostly) hold nothing that could be rebuilt alone; they are
  shown, not run.
- All others are the products of `refreshed_models`, which brings *every* model up to date and logs
  the business dates that it touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import dagster as dg
import duckdb

from dagster_project.defs.labels import (
    OWNERS,
    POOL,
    as_markdown,
    column_schema,
    extraction_key,
    model_key,
    raw_keys,
)
from dagster_project.defs.partitions import business_dates, log_days
from dagster_project.resources import Warehouse
from orders_connector.config import Account, Settings
from orders_connector.load import rebuild_dates, refresh_models
from orders_connector.modeling.configured import configured_models
from orders_connector.modeling.lineage import Origins, column_origins, column_types
from orders_connector.modeling.metrics import contracts_of
from orders_connector.modeling.model import RAW_TABLE, Model
from orders_connector.modeling.refresh import BUSINESS_DATE, ModelRefresh
from orders_connector.modeling.restatements import Restatement, read_restatements
from orders_connector.warehouse.database import count_rows

__all__ = ["ModelAssets", "RefreshConfig"]

HOW_BUILT = {
    "refreshed": "Every load rebuilds what changed.",
    "dated": "Every load rebuilds the dates whose orders changed; materialize any by hand.",
    "shown": "Every load brings it up to date; there is nothing to rebuild by hand.",
}


class RefreshConfig(dg.Config):
    """What a refresh may be asked for."""

    full: bool = False  # rebuild every model from the raw log


@dataclass
class ModelAssets:
    """All models and what they look like in Dagster.

    Attributes:
        models: Name to model, upstream first.
        specs: Name to asset.
        dated: Names of the models that are partitioned by business date.
        shown: Names of the models that read a dated one.
    """

    settings: Settings
    models: dict[str, Model]
    specs: dict[str, dg.AssetSpec]
    dated: frozenset[str]
    shown: frozenset[str]

    @classmethod
    def load(cls, settings: Settings) -> "ModelAssets":
        """Read every model.

        Raises:
            ModelError: a model is wrong.
        """
        models = configured_models(settings)
        dated = frozenset(n for n, model in models.items() if model.refresh_key == BUSINESS_DATE)
        shown: set[str] = set()
        for name, model in models.items():
            if name not in dated and model.inputs & (dated | shown):
                shown.add(name)
        origins, types = column_origins(models), column_types(models)
        specs = {
            name: _spec(
                settings,
                model,
                origins[name],
                types[name],
                kind="dated" if name in dated else "shown" if name in shown else "refreshed",
            )
            for name, model in models.items()
        }
        return cls(settings, models, specs, dated, frozenset(shown))

    @property
    def refreshed(self) -> list[dg.AssetSpec]:
        """Assets that the refresh materializes itself."""
        return [s for name, s in self.specs.items() if name not in self.dated | self.shown]

    def assets(self) -> list[dg.AssetsDefinition | dg.AssetSpec]:
        """Return what Dagster shows and runs."""
        shown = [self.specs[name] for name in self.specs if name in self.shown]
        return [self._refresh(), self._rebuild(), *shown]

    def _refresh(self) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name="refreshed_models",
            specs=self.refreshed,
            backfill_policy=dg.BackfillPolicy.single_run(),
            pool=POOL,
        )
        def refreshed_models(
            context: dg.AssetExecutionContext, config: RefreshConfig, warehouse: Warehouse
        ) -> Iterator[dg.MaterializeResult[Any]]:
            """Rebuilds the stale slices of all models, of the marts too, in one transaction."""
            report = refresh_models(self.settings, full=config.full, progress=context.log.info)
            with warehouse.get_connection(read_only=True) as con:
                rows = {name: count_rows(con, name) for name in self.models}
                present = {name: _rows_per_date(con, name) for name in self.dated}
                restated = read_restatements(con, load_id=report.load_id)
            for result in report.models:
                if result.model in self.dated:
                    self._log_dates(context, result, present[result.model], restated)
                elif result.model in self.shown:
                    facts = _metadata(result, rows)
                    context.log_event(
                        dg.AssetMaterialization(model_key(result.model), metadata=facts)
                    )
                else:
                    yield dg.MaterializeResult(
                        asset_key=model_key(result.model), metadata=_metadata(result, rows)
                    )
            context.log.info(
                f"{len(report.dates)} business dates rebuilt, {len(report.restated)} restated"
            )

        return refreshed_models

    def _rebuild(self) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name="rebuilt_dates",
            specs=[self.specs[name] for name in self.specs if name in self.dated],
            can_subset=True,
            backfill_policy=dg.BackfillPolicy.single_run(),
            pool=POOL,
        )
        def rebuilt_dates(
            context: dg.AssetExecutionContext, warehouse: Warehouse
        ) -> Iterator[dg.MaterializeResult[Any]]:
            """Rebuilds business dates of the chosen marts by hand, in one transaction."""
            names = [".".join(key.path) for key in context.selected_asset_keys]
            days = [date.fromisoformat(key) for key in context.partition_keys]
            results = rebuild_dates(self.settings, names, days)
            with warehouse.get_connection(read_only=True) as con:
                present = {name: _rows_per_date(con, name) for name in names}
            for result in results:
                self._log_dates(context, result, present[result.model], ())
            # A yielded result would say the same of every date; the dates were logged one by one.
            yield from ()

        return rebuilt_dates

    def _log_dates(
        self,
        context: dg.AssetExecutionContext,
        result: ModelRefresh,
        rows: Mapping[date, int],
        restatements: Sequence[Restatement],
    ) -> None:
        days, restated = business_dates(self.settings), set(result.restated)
        first, last = min(rows, default=date.max), max(rows, default=date.min)
        # A day without orders is built as well, so a gap in the UI means trouble.
        built = {
            day
            for day in map(date.fromisoformat, days.get_partition_keys())
            if first <= day <= last
        }
        log_days(
            context,
            model_key(result.model),
            days,
            touched=result.dates,
            present=built,
            metadata={
                day: {
                    "dagster/partition_row_count": rows.get(day, 0),
                    "restated": day in restated,
                    **_figures_changed(restatements, result.model, day),
                }
                for day in built.union(result.dates)
            },
        )


def _spec(
    settings: Settings,
    model: Model,
    origins: Mapping[str, Origins],
    types: Mapping[str, str],
    *,
    kind: Literal["refreshed", "dated", "shown"],
) -> dg.AssetSpec:
    header = model.header
    readers = _accounts_read(settings, model)
    inputs = {table: _keys_of(table) for table in sorted(model.inputs)}
    if readers:
        inputs[RAW_TABLE] = [extraction_key(account.name) for account in readers]
    # Columns come from what the extraction describes; the others land rows of the same kind.
    also = [key for account in readers for key in raw_keys(account)[1:]]
    lineage = {
        column: [
            dg.TableColumnDep(key, upstream)
            for table, upstream in sorted(pairs)
            for key in inputs[table]
        ]
        for column, pairs in origins.items()
    }
    return dg.AssetSpec(
        model_key(model.name),
        description=f"{header.description.strip()}\n\n{HOW_BUILT[kind]}\n\n"
        f"```sql\n{_select_of(model)}\n```",
        deps=[*(key for keys in inputs.values() for key in keys), *also],
        group_name=model.layer,
        kinds={"duckdb", "sql", *(["view"] if model.is_view else [])},
        owners=OWNERS,
        code_version=model.code_version,
        partitions_def=business_dates(settings) if kind == "dated" else None,
        skippable=kind == "dated",
        metadata={
            "grain": f"one row per {', '.join(header.grain)}",
            "refresh_key": model.refresh_key or "none: always rebuilt in full",
            "file": "/".join(model.path.parts[-3:]),
            **_contract(model),
            "dagster/table_name": model.name,
            "dagster/column_schema": column_schema(header.columns, types),
            "dagster/column_lineage": dg.TableColumnLineage(lineage),
        },
    )


def _contract(model: Model) -> dict[str, dg.MarkdownMetadataValue]:
    """Return what each metric of a mart means, in which version, when it has any."""
    rows = [
        (name, c.terms.version, c.formula, c.terms.counts, c.currency_rule, c.day_rule)
        for name, c in contracts_of(model).items()
    ]
    columns = ("metric", "version", "formula", "counts", "currency", "day")
    return {"metrics": as_markdown(columns, rows)} if rows else {}


def _accounts_read(settings: Settings, model: Model) -> list[Account]:
    """Return the accounts whose raw orders a model reads."""
    if RAW_TABLE not in model.inputs:
        return []
    sources = model.raw_sources
    return [a for a in settings.accounts.values() if sources is None or a.source in sources]


def _keys_of(table: str) -> list[dg.AssetKey]:
    """Return the asset behind a table that a model reads; for settings there is none."""
    return [] if table.startswith(("raw.", "ops.")) else [model_key(table)]


def _select_of(model: Model) -> str:
    return model.path.read_text(encoding="utf-8").split("*/", 1)[1].strip()


def _figures_changed(
    restatements: Sequence[Restatement], model: str, day: date
) -> dict[str, dg.MarkdownMetadataValue]:
    """Return which figures of a date changed and by which orders, when any did."""
    rows = [
        (r.account, r.currency, r.metric, r.before, r.after, ", ".join(r.examples), r.orders)
        for r in restatements
        if (r.model, r.order_date) == (model, day)
    ]
    columns = ("account", "currency", "metric", "before", "after", "such as", "orders")
    return {"restated_figures": as_markdown(columns, rows)} if rows else {}


def _rows_per_date(con: duckdb.DuckDBPyConnection, name: str) -> dict[date, int]:
    query = f"select {BUSINESS_DATE}, count(*) from {name} group by all"
    return dict(con.execute(query).fetchall())


def _metadata(result: ModelRefresh, rows: Mapping[str, int]) -> dict[str, Any]:
    return {
        "dagster/row_count": rows[result.model],
        "mode": result.mode,
        "slices": result.slices,
        "rows_written": result.rows,
        "seconds": result.seconds,
    }
