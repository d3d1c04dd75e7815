"""The SQL models as assets: everything the UI says about them is read from `sql/`.

Three kinds, by what the SQL says:

- Models keyed by business date are partitioned by it. Any range can be rebuilt by hand.
- Models that read one of those (views, mostly) hold nothing that could be rebuilt alone; they are
  shown, not run.
- All others are the products of `refreshed_models`, which brings *every* model up to date and logs
  the business dates that it touched.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import dagster as dg
import duckdb

from dagster_project.defs.figures import facts_of_dates, newest_rows
from dagster_project.defs.labels import (
    GROUPS,
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
from orders_connector.modeling.metrics import Contract, contracts_of
from orders_connector.modeling.model import BUSINESS_DATE, RAW_TABLE, Model
from orders_connector.modeling.refresh import ModelRefresh
from orders_connector.modeling.restatements import Restatement, read_restatements
from orders_connector.publishing.personal import personal_columns
from orders_connector.warehouse.database import count_rows

__all__ = ["ModelAssets", "RefreshConfig"]

ORIGINS_SHOWN = 3
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
                hidden = personal_columns(self.models)
                facts = {
                    name: self._facts(con, model, hidden) for name, model in self.models.items()
                }
                by_date = self._facts_of_dates(con, hidden, report.models)
                restated = read_restatements(con, load_id=report.load_id)
            for result in report.models:
                if result.model in self.dated:
                    self._log_dates(context, result, by_date[result.model], restated)
                    continue
                key, metadata = model_key(result.model), facts[result.model] | _work(result)
                if result.model in self.shown:
                    context.log_event(dg.AssetMaterialization(key, metadata=metadata))
                else:
                    yield dg.MaterializeResult(asset_key=key, metadata=metadata)
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
                by_date = self._facts_of_dates(con, personal_columns(self.models), results)
            for result in results:
                self._log_dates(context, result, by_date[result.model], ())
            # A yielded result would say the same of every date; the dates were logged one by one.
            yield from ()

        return rebuilt_dates

    def _facts(
        self, con: duckdb.DuckDBPyConnection, model: Model, hidden: Mapping[str, Collection[str]]
    ) -> dict[str, Any]:
        """Return the rows of a model and, of a mart, its newest ones."""
        if model.name in self.dated:
            return {}
        facts = {"dagster/row_count": count_rows(con, model.name)}
        if model.layer != "marts":
            return facts
        return facts | newest_rows(con, model, hidden.get(model.name, ()))

    def _facts_of_dates(
        self,
        con: duckdb.DuckDBPyConnection,
        hidden: Mapping[str, Collection[str]],
        results: Iterable[ModelRefresh],
    ) -> dict[str, dict[date, dict[str, Any]]]:
        return {
            result.model: facts_of_dates(
                con, self.models[result.model], hidden.get(result.model, ()), result.dates
            )
            for result in results
            if result.model in self.dated
        }

    def _log_dates(
        self,
        context: dg.AssetExecutionContext,
        result: ModelRefresh,
        facts: Mapping[date, Mapping[str, Any]],
        restatements: Sequence[Restatement],
    ) -> None:
        days, restated = business_dates(self.settings), set(result.restated)
        first, last = min(facts, default=date.max), max(facts, default=date.min)
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
                    **facts.get(day, {"dagster/partition_row_count": 0}),
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
        description=_described(model, HOW_BUILT[kind]),
        deps=[*(key for keys in inputs.values() for key in keys), *also],
        group_name=GROUPS[model.layer],
        kinds={"duckdb", "sql", *(["view"] if model.is_view else [])},
        owners=OWNERS,
        code_version=model.code_version,
        partitions_def=business_dates(settings) if kind == "dated" else None,
        skippable=kind == "dated",
        metadata={
            "grain": f"one row per {', '.join(header.grain)}",
            "refresh_key": model.refresh_key or "none: always rebuilt in full",
            "file": "/".join(model.path.parts[-3:]),
            "dagster/table_name": model.name,
            "dagster/column_schema": column_schema(
                _meanings(model, origins), types, never_null=_never_null(model)
            ),
            "dagster/column_lineage": dg.TableColumnLineage(lineage),
        },
    )


def _described(model: Model, how_built: str) -> str:
    """Say what a row is, how it is kept up to date, what each metric means, and the SQL."""
    parts = [
        model.header.description,
        f"**One row per** {', '.join(model.header.grain)}. {how_built}",
        *_metrics(list(contracts_of(model).values())),
        f"```sql\n{_select_of(model)}\n```",
    ]
    return "\n\n".join(parts)


def _metrics(contracts: Sequence[Contract]) -> Iterator[str]:
    """Tell the contracts, a list for each rule of currency and day: mostly there is one."""
    rules = dict.fromkeys((c.currency_rule, c.day_rule) for c in contracts)
    for currency, day in rules:
        yield f"**Metrics**: {currency}; {day}."
        yield "\n".join(
            f"- **{c.metric}** (version {c.terms.version}, {c.terms.counts}): {c.formula}"
            for c in contracts
            if (c.currency_rule, c.day_rule) == (currency, day)
        )


def _meanings(model: Model, origins: Mapping[str, Origins]) -> dict[str, str]:
    """Return what each column means and comes from: the open-source UI draws no column lineage."""
    meanings = {}
    for column, meaning in model.header.columns.items():
        found = [".".join(pair) for pair in sorted(origins[column])]
        more = f" and {len(found) - ORIGINS_SHOWN} more" if len(found) > ORIGINS_SHOWN else ""
        shown = f" ← {', '.join(found[:ORIGINS_SHOWN])}{more}" if found else ""
        meanings[column] = f"{meaning}{shown}"
    return meanings


def _never_null(model: Model) -> set[str]:
    checks = [check for check in model.header.checks if check.rule == "not_null"]
    return {column for check in checks for column in check.columns}


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
    rows: list[tuple[Any, ...]] = []
    told: set[tuple[Any, ...]] = set()
    for r in restatements:
        if (r.model, r.order_date) != (model, day):
            continue
        cause = (r.account, r.currency, r.orders, ", ".join(r.examples))
        shown = ("", "") if cause in told else cause[2:]
        told.add(cause)
        rows.append((r.account, r.currency, r.metric, _plain(r.before), _plain(r.after), *shown))
    rows.sort(key=lambda row: row[:2])
    columns = ("account", "currency", "metric", "before", "after", "orders", "such as")
    return {"restated_figures": as_markdown(columns, rows)} if rows else {}


def _plain(figure: Decimal | None) -> str:
    """Write a figure without the zeros behind its point."""
    return "" if figure is None else f"{figure.normalize():f}"


def _work(result: ModelRefresh) -> dict[str, Any]:
    return {
        "mode": result.mode,
        "slices": result.slices,
        "rows_written": result.rows,
        "seconds": result.seconds,
    }
