"""Brings every model up to date: only the stale slices, all in one transaction.

A slice is all rows of a model that share one value of its refresh key. Starting from the raw
versions that no model has seen, each rebuilt slice tells its downstream models which of *their*
slices it touched, in its old state and in its new one: an order that moved from one business date
to another makes both dates stale.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

import duckdb

from orders_connector.errors import ModelError
from orders_connector.modeling.macros import create_macros
from orders_connector.modeling.model import (
    BUSINESS_DATE,
    ORDER,
    RAW_TABLE,
    SETTINGS_TABLES,
    VERSION,
    Model,
)
from orders_connector.modeling.model_state import ModelState
from orders_connector.modeling.restatements import Ledger
from orders_connector.modeling.statements import (
    build_sql,
    comment,
    counting_sql,
    rows_together,
    slice_sql,
    summed_sql,
    table_sql,
)
from orders_connector.modeling.version_range import in_version_range, range_variable, rows_in
from orders_connector.warehouse.database import count_rows, merge_small_blocks, transaction

__all__ = ["ModelRefresh", "RefreshReport", "rebuild_slices", "refresh", "refresh_within"]

QUARANTINE_COLUMN = "quarantine_reason"
# DuckDB's row group: what a reader can skip as a whole.
ROWS_OF_A_BLOCK = 122_880
# Refreshes from one whose commit merges small blocks to the next.
MERGED_EVERY = 8


@dataclass
class ModelRefresh:
    """What happened to one model.

    Attributes:
        mode: `full`, `slices`, or `unchanged`.
        slices: Stale values of the refresh key.
        rows: Rows written.
        seconds: Wall time.
        dates: Business dates that were rebuilt, for models keyed by `order_date`.
        restated: Of these, dates that had rows before and have other rows now.
    """

    model: str
    mode: Literal["full", "slices", "unchanged"]
    slices: int = 0
    rows: int = 0
    seconds: float = 0.0
    dates: list[date] = field(default_factory=list)
    restated: list[date] = field(default_factory=list)


@dataclass
class RefreshReport:
    """What one refresh did; `models` in the order they were built."""

    load_id: str
    models: list[ModelRefresh]
    input_version_id: int

    @property
    def restated(self) -> list[date]:
        """Business dates whose figures changed in any mart, oldest first."""
        return sorted({day for model in self.models for day in model.restated})

    @property
    def dates(self) -> list[date]:
        """Business dates that were rebuilt in any mart, oldest first."""
        return sorted({day for model in self.models for day in model.dates})


class _Refresh:
    """One refresh inside one transaction."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, models: dict[str, Model], full: bool
    ) -> None:
        self.con = con
        self.models = models
        self.full = full
        self.state = ModelState(con)
        self.rebuilt_in_full: set[str] = set()
        # (upstream table, reader) -> temporary table that holds the touched values of its key
        self.touched: dict[tuple[str, str], str] = {}
        # Table -> stale slices whose versions its `range_variable` spans.
        self.spanned: dict[str, str] = {}
        self.changed: set[str] = set()
        # Table -> whether it has no row, until something is written to it.
        self.known_empty: dict[str, bool] = {}
        # Tables that are counted from, and whether their slices before and after are kept.
        self.counted_from = {
            table: False
            for model in models.values()
            if model.header.counted_by
            for table in model.tables - SETTINGS_TABLES
        }
        self.ledger = Ledger(con, models.values())

    def newest_raw_version(self) -> int:
        query = f"select coalesce(max(version_id), 0) from {RAW_TABLE}"
        return int(self.con.execute(query).fetchall()[0][0])

    def note_raw_versions(self, changed: str | None) -> None:
        """Note what is new in the raw log, and what the table `changed` names beside it."""
        new = f"select {{}} from {RAW_TABLE} where version_id > {self.state.seen}"
        if changed:
            new += f" union all select {{}} from {changed}"
        for key in sorted(self._readers(RAW_TABLE)):
            rows = new.format(f"{key}, source", f"{key}, null")
            name = self._touch(RAW_TABLE, f"({rows})", key, f"{key}, source")
            for reader in self._readers(RAW_TABLE)[key]:
                self.touched[RAW_TABLE, reader.name] = name
        if self.con.execute(f"select 1 from ({new.format('1', '1')}) limit 1").fetchall():
            self.changed.add(RAW_TABLE)

    def run(self, model: Model) -> ModelRefresh:
        started = time.perf_counter()
        if self._needs_full_build(model):
            result = self._build_view(model) if model.is_view else self._build_in_full(model)
        elif model.is_view:
            result = ModelRefresh(model.name, "unchanged")
        else:
            result = self._rebuild_stale(model)
        result.seconds = round(time.perf_counter() - started, 4)
        if self.state.note(model):
            comment(self.con, model)
        return result

    def rebuild_stale(self, model: Model, stale: str, slices: int) -> ModelRefresh:
        """Rebuild the slices of `model` named in the table `stale`; note which rows changed."""
        key = str(model.refresh_key)
        where = f"{key} in (select {key} from {stale})"
        carrying = frozenset(t for t in model.tables - SETTINGS_TABLES if self._carries(t, key))
        versioned = frozenset(t for t in carrying if key == ORDER and self._carries(t, VERSION))
        empty = frozenset(table for table in carrying if self._is_empty(table))
        for table in versioned - empty:
            self._set_version_range(table, key, stale)
        if key == ORDER and VERSION in model.columns:
            self._set_version_range(model.name, key, stale)
            where += f" and {in_version_range(model.name)}"
        if key == ORDER:
            where = rows_in(model.name, where)
        selects = self.state.sql(
            model,
            (carrying, versioned, empty),
            lambda: slice_sql(model, carrying, versioned, stale, empty),
        )
        if not selects and self._is_empty(model.name):
            return ModelRefresh(model.name, "unchanged")
        columns = ", ".join(model.columns)
        before = f"(select rowid as __row, {columns} from {model.name} where {where})"
        after = f"({selects[0]})" if selects else f"(select {columns} from {model.name} limit 0)"
        if model.name in self.counted_from:
            before, after = self._kept(model, "before", before), self._kept(model, "after", after)
            self.counted_from[model.name] = True
        result = ModelRefresh(model.name, "slices", slices=slices)
        if key == BUSINESS_DATE:
            result.dates = self._dates(f"select {key} from {stale}")
            known = self._dates(f"select {key} from {model.name} where {where}")
        result.rows = self._replace(model, before, after)
        if key == BUSINESS_DATE:
            changed = self._dates(f"select {key} from rows_changed")
            result.restated = sorted({*known} & {*changed})
        if QUARANTINE_COLUMN in model.columns:
            self._note_quarantined(model, f"{key} in (select {key} from {stale})")
        return result

    def _kept(self, model: Model, side: str, rows: str) -> str:
        """Keep the rows of rebuilt slices for the models that count them, and return where."""
        name = _kept_table(model.name, side)
        self._write(model, f"create or replace temp table {name} as from {rows}")
        return name

    def _count_again(self, model: Model) -> ModelRefresh:
        """Take off what changed orders counted before, and add what they count now."""
        (table,) = model.tables - SETTINGS_TABLES
        if not self.counted_from[table]:
            return ModelRefresh(model.name, "unchanged")
        before, after = (_kept_table(table, side) for side in ("before", "after"))
        moved, there, instead = self.state.sql(
            model, (), lambda: counting_sql(model, table, before, after)
        )
        groups = self._write(model, f"create or replace temp table counts_moved as {moved}")
        rows = self._replace(model, there, instead)
        return ModelRefresh(model.name, "slices", slices=groups, rows=rows)

    def _replace(self, model: Model, before: str, after: str) -> int:
        """Make the rows `after` of the rows `before` in a model's table, and tell its readers.

        Only rows that differ are written and travel on: a customer's other orders need not be
        touched because one of them was looked at.

        Args:
            model: A table.
            before: Query or table with rows of the model, `__row` before their columns.
            after: The same with what is to stand in their place, without `__row`.

        Returns:
            Rows written.
        """
        columns = ", ".join(model.columns)
        differing = self._write(
            model,
            "create or replace temp table rows_changed as"
            f" select {columns}, list(__row) filter (__row is not null) as __old,"
            "  count(*) filter (__row is null) as __new"
            f" from (select __row, {columns} from {before} as b"
            f"  union all select null, {columns} from {after} as a)"
            " group by all having count(__row) <> __new",
        )
        if not differing:
            return 0
        self.changed.add(model.name)
        self.known_empty.pop(model.name, None)
        self.ledger.note(model, "rows_changed")
        ((gone, repeated),) = self.con.execute(
            "select count(__old) > 0, max(__new) > 1 from rows_changed"
        ).fetchall()
        if gone:
            self.con.execute(
                f"delete from {model.name} where rowid in (select unnest(__old) from rows_changed)"
            )
        rows = f"select {columns} from rows_changed where __new > 0"
        if repeated:
            more = "rows_changed, range(__new - 1) where __new > 1"
            rows += f" union all select {columns} from {more}"
        # What fills no more than one block of a table needs no order: no reader could skip it.
        together = rows_together(model) if differing > ROWS_OF_A_BLOCK else ""
        written = self.con.execute(f"insert into {model.name} from ({rows}){together}").fetchall()
        if model.name in self.spanned:
            self._widen_version_range(model.name)
        for read_key, readers in self._readers(model.name).items():
            of_columns: dict[frozenset[str], str] = {}
            for reader in readers:
                # A reader that looks at none of the columns that differ has nothing to do.
                read = reader.reads[model.name] if gone else ()
                seen = frozenset(model.columns if read is None else {*read, read_key})
                if seen not in of_columns:
                    differ = (
                        f"(select {', '.join(sorted(seen))} from rows_changed group by all"
                        " having sum(__new - coalesce(len(__old), 0)) <> 0)"
                    )
                    name = f"{model.name}_{len(of_columns)}"
                    of_columns[seen] = self._touch(
                        name, differ if gone else "rows_changed", read_key, read_key
                    )
                self.touched[model.name, reader.name] = of_columns[seen]
        return int(written[0][0])

    def _set_version_range(self, table: str, key: str, stale: str) -> None:
        """Let `range_variable` span the versions of stale slices; it may span more."""
        spanned = self.spanned.get(table)
        others = f"select 1 from {stale} where {key} not in (select {key} from {spanned}) limit 1"
        if spanned and not self.con.execute(others).fetchall():
            return
        self.con.execute(
            f"set variable {range_variable(table)} = (select [min({VERSION}), max({VERSION})]"
            f" from {table} where {key} in (select {key} from {stale}))"
        )
        self.spanned[table] = stale

    def _widen_version_range(self, table: str) -> None:
        """Let `range_variable` span what was just written as well; its readers come next."""
        span = f"getvariable('{range_variable(table)}')"
        self.con.execute(
            f"set variable {range_variable(table)} = (select [least({span}[1], min({VERSION})),"
            f" greatest({span}[2], max({VERSION}))] from rows_changed)"
        )

    def _carries(self, table: str, key: str) -> bool:
        return table == RAW_TABLE or key in self.models[table].columns

    def _is_empty(self, table: str) -> bool:
        if table not in self.known_empty:
            rows = self.con.execute(f"select 1 from {table} limit 1").fetchall()
            self.known_empty[table] = not rows
        return self.known_empty[table]

    def _needs_full_build(self, model: Model) -> bool:
        return (
            self.full
            or self.state.is_behind(model)
            or (not model.is_view and bool(model.tables & self.rebuilt_in_full))
            or (
                not (model.is_view or model.refresh_key or model.header.counted_by)
                and bool(model.tables & self.changed)
            )
        )

    def _build_in_full(self, model: Model) -> ModelRefresh:
        before = model.name in self.state.names and model.refresh_key == BUSINESS_DATE
        if before:
            self.con.execute(f"create or replace temp table rows_before as from {model.name}")
        rows = self._write(model, f"create or replace table {model.name} as {table_sql(model)}")
        self.rebuilt_in_full.add(model.name)
        self.known_empty.pop(model.name, None)
        self._refuse_null_keys(model)
        self._refuse_inexact_sums(model)
        comment(self.con, model)
        result = ModelRefresh(model.name, "full", rows=rows)
        if model.refresh_key == BUSINESS_DATE:
            result.dates = self._dates(f"select {BUSINESS_DATE} from {model.name}")
        if before:
            self.ledger.note_rebuilt(model, "rows_before")
            known = self._columns("rows_before")
            columns = ", ".join(column for column in model.columns if column in known)
            old, new = f"select {columns} from rows_before", f"select {columns} from {model.name}"
            result.restated = self._dates(
                f"select {BUSINESS_DATE} from"
                f" (({old} except all {new}) union all ({new} except all {old}))"
                f" where {BUSINESS_DATE} in (select {BUSINESS_DATE} from rows_before)"
            )
        if QUARANTINE_COLUMN in model.columns:
            self._note_quarantined(model, "true")
        return result

    def _build_view(self, model: Model) -> ModelRefresh:
        self._write(model, f"create or replace view {model.name} as {build_sql(model)}")
        comment(self.con, model)
        return ModelRefresh(model.name, "full")

    def _rebuild_stale(self, model: Model) -> ModelRefresh:
        if model.header.counted_by:
            return self._count_again(model)
        key = model.refresh_key
        if key is None:
            return ModelRefresh(model.name, "unchanged")
        stale = _stale_table(model)
        parts = [
            f"select {key} from {table}{_own_sources(model) if upstream == RAW_TABLE else ''}"
            for (upstream, reader), table in self.touched.items()
            if reader == model.name
        ]
        if not parts:
            return ModelRefresh(model.name, "unchanged")
        union = " union ".join(parts)
        slices = self._write(model, f"create or replace temp table {stale} as {union}")
        return (
            self.rebuild_stale(model, stale, slices)
            if slices
            else ModelRefresh(model.name, "unchanged")
        )

    def _readers(self, table: str) -> dict[str, list[Model]]:
        """Return the models that read a table, by their refresh key."""
        found: dict[str, list[Model]] = {}
        for model in self.models.values():
            if model.refresh_key and table in model.tables and not model.is_view:
                found.setdefault(model.refresh_key, []).append(model)
        return found

    def _touch(self, table: str, rows: str, key: str, columns: str) -> str:
        """Note the values of `key` in `rows`, changed rows of `table`, and return where."""
        name = f"touched_{table.replace('.', '_')}_{key}"
        self.con.execute(
            f"create or replace temp table {name} as"
            f" select distinct {columns} from {rows} where {key} is not null"
        )
        return name

    def _write(self, model: Model, statement: str) -> int:
        try:
            rows = self.con.execute(statement).fetchall()
        except (duckdb.IOException, duckdb.OutOfMemoryException):
            raise
        except duckdb.Error as error:
            raise ModelError(
                f"{model.name} ({model.path.name}) failed: {error}. Nothing of this refresh was "
                "kept; the tables are as they were before"
            ) from error
        return int(rows[0][0]) if rows else 0

    def _note_quarantined(self, model: Model, where: str) -> None:
        self.con.execute(
            "insert into ops.quarantine"
            " select distinct m.source, m.account, m.order_id, m.version_id, 'typing',"
            "  m.quarantine_reason, p.content_hash, null, p.extraction_id, p.page, p.position,"
            "  p.loaded_at"
            f" from (from {model.name} where {where} and quarantine_reason is not null) m"
            f" join {RAW_TABLE} p using (version_id)"
            " where not exists (from ops.quarantine q where q.version_id = m.version_id"
            "  and q.reason = m.quarantine_reason)"
        )

    def _refuse_null_keys(self, model: Model) -> None:
        if (
            model.refresh_key
            and self.con.execute(
                f"select 1 from {model.name} where {model.refresh_key} is null limit 1"
            ).fetchall()
        ):
            raise ModelError(
                f"{model.name}: some rows have no {model.refresh_key}, so no slice would ever "
                "refresh them. Filter them out or choose another refresh_key"
            )

    def _refuse_inexact_sums(self, model: Model) -> None:
        added = summed_sql(model) if model.header.counted_by else None
        if added is None:
            return
        from orders_connector.modeling.counts import is_exact

        rows, totals = added
        for column, kind, *_ in self.con.execute(f"describe {rows}").fetchall():
            if not is_exact(kind, totals[column]):
                raise ModelError(
                    f"{model.name}: counted_by cannot work: {column}, a {totals[column]}, adds up "
                    f"numbers of type {kind}, and what is rounded cannot be taken off again. Cast "
                    "the numbers to bigint or decimal first, or leave counted_by out"
                )

    def _columns(self, table: str) -> set[str]:
        return {row[0] for row in self.con.execute(f"describe {table}").fetchall()}

    def _dates(self, query: str) -> list[date]:
        rows = self.con.execute(f"select distinct * from ({query}) order by 1").fetchall()
        return [row[0] for row in rows]


def refresh(
    con: duckdb.DuckDBPyConnection,
    models: dict[str, Model],
    *,
    full: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RefreshReport:
    """Rebuild what is stale in every model, in one transaction.

    Args:
        con: Connection to the warehouse, not inside a transaction.
        models: All models, upstream first (`load_models`).
        full: Rebuild every model from the raw log.
        progress: Called with the name of each model before it is built.

    Raises:
        ModelError: a SELECT failed; all tables are left as they were.
    """
    with transaction(con):
        return refresh_within(con, models, full=full, progress=progress)


def refresh_within(
    con: duckdb.DuckDBPyConnection,
    models: dict[str, Model],
    *,
    full: bool = False,
    progress: Callable[[str], None] | None = None,
    changed: str | None = None,
) -> RefreshReport:
    """Rebuild what is stale in every model, in the caller's transaction.

    Args:
        con: Connection to the warehouse, inside a transaction.
        models: All models, upstream first (`load_models`).
        full: Rebuild every model from the raw log.
        progress: Called with the name of each model before it is built.
        changed: Table with version_id and order_key of raw versions that the caller removed or
            rewrote; new ones are noticed without it.

    Raises:
        ModelError: a SELECT failed; the caller has to roll back.
    """
    started = datetime.now(UTC)
    run = _Refresh(con, models, full)
    _drop_forgotten(con, run, models)
    newest = run.newest_raw_version()
    run.note_raw_versions(changed)
    results = []
    for model in models.values():
        if progress:
            progress(model.name)
        results.append(run.run(model))
    create_macros(con, models)
    run.state.write(models, newest)
    report = RefreshReport(_new_load_id(), results, newest)
    if any(result.mode != "unchanged" for result in results):
        _record_load(run, report, started)
    return report


def rebuild_slices(
    con: duckdb.DuckDBPyConnection,
    models: dict[str, Model],
    names: Sequence[str],
    days: Sequence[date],
) -> list[ModelRefresh]:
    """Rebuild the given business dates of the named models by hand, in one transaction.

    Raises:
        ModelError: a model is unknown or is not keyed by business date.
    """
    started = datetime.now(UTC)
    with transaction(con):
        run = _Refresh(con, models, full=False)
        results = []
        for name, model in models.items():
            if name not in names:
                continue
            if model.refresh_key != BUSINESS_DATE or name not in run.state.names:
                raise ModelError(f"{name} cannot be rebuilt by date: run a refresh first")
            stale = _stale_table(model)
            con.execute(
                f"create or replace temp table {stale} as"
                f" select unnest($days::date[]) as {BUSINESS_DATE}",
                {"days": list(days)},
            )
            results.append(run.rebuild_stale(model, stale, len(days)))
        _record_load(run, RefreshReport(_new_load_id(), results, run.state.seen), started)
    return results


def _drop_forgotten(
    con: duckdb.DuckDBPyConnection, run: _Refresh, models: dict[str, Model]
) -> None:
    """Drop tables of models whose file is gone, so that no one reads figures nobody refreshes.

    A table of a model that is a view by now is such a table, and so is the view of a table.
    """
    there = con.execute(
        "select table_schema || '.' || table_name, if(table_type = 'VIEW', 'view', 'table')"
        " from information_schema.tables"
    ).fetchall()
    for name, kind in there:
        model = models.get(name)
        if name in run.state.names and (model is None or model.header.materialized != kind):
            con.execute(f"drop {kind} {name}")
            run.state.forget(name)


def _new_load_id() -> str:
    return f"load_{uuid.uuid4().hex[:16]}"


def _record_load(run: _Refresh, report: RefreshReport, started: datetime) -> None:
    results = json.dumps([asdict(result) for result in report.models], default=str)
    run.ledger.write(report.load_id, started)
    run.con.execute(
        "insert into ops.loads values (?, ?, ?, ?, ?)",
        [report.load_id, started, datetime.now(UTC), report.input_version_id, results],
    )
    merge_small_blocks(run.con, count_rows(run.con, "ops.loads") % MERGED_EVERY == 0)


def _own_sources(model: Model) -> str:
    """Return the condition on touched raw versions that spares a model the other sources' ones."""
    if model.raw_sources is None:
        return ""
    sources = ", ".join(f"'{source}'" for source in sorted(model.raw_sources))
    return f" where source is null or source in ({sources})"


def _kept_table(table: str, side: str) -> str:
    return f"{side}_{table.replace('.', '_')}"


def _stale_table(model: Model) -> str:
    return f"stale_{model.name.replace('.', '_')}"
