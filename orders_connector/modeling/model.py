"""A model: one SQL file, its header, and what parsing it tells.

The header is YAML in the file's first block comment. It says what the SELECT cannot: the grain, the
refresh key, what each column means and what must hold. Dependencies are read from the SQL.

A model may read views. It is refreshed as if the SELECT of each view stood in its place: what it
depends on are the tables behind them.

sqlglot is imported where something is parsed. Most runs parse nothing, because what parsing told is
remembered, and importing it takes as long as some refreshes.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from orders_connector.errors import ModelError
from orders_connector.modeling.header import Header, read_header
from orders_connector.modeling.remembered import Facts, recall, remember

if TYPE_CHECKING:
    from sqlglot import exp

    from orders_connector.modeling.keys import Carrier

__all__ = [
    "Model",
    "load_models",
    "model_directory",
    "parse_model",
]

LAYERS = ("staging", "core", "marts")
PUBLISHED = ("core", "marts")
RAW_TABLE = "raw.order_payloads"
# Keys that the refresh knows: of marts by day, and of an order.
BUSINESS_DATE = "order_date"
ORDER = "order_key"
VERSION = "version_id"
# What a model may read besides models. Settings tables have no slices: when they change, their
# readers are rebuilt.
RAW_COLUMNS = {VERSION, ORDER}
SETTINGS_TABLES = {
    "ops.account_lists",
    "ops.accounts",
    "ops.billing_cycles",
    "ops.currencies",
    "ops.customer_map",
    "ops.holidays",
}
# State of operations, which changes without a refresh: only a view is never behind it.
STATE_TABLES = {
    "ops.coverage",
    "ops.extractions",
    "ops.failing_rows",
    "ops.loads",
    "ops.quarantine",
    "ops.reconciliation_days",
    "ops.reconciliations",
    "ops.restated_orders",
    "ops.restatements",
}


@dataclass(frozen=True, eq=False)
class Model:
    """One SQL file: `name` is `<layer>.<file>`, the table it makes.

    Attributes:
        sql: The SELECT as written.
        views: The views it reads.
        facts: What parsing told when the file was last read; None to parse it.
    """

    name: str
    path: Path
    header: Header
    sql: str
    views: tuple[Model, ...] = ()
    facts: Facts | None = None

    @cached_property
    def select(self) -> exp.Query:
        """The SELECT, parsed."""
        return _select_of(self.sql)

    @cached_property
    def inlined(self) -> exp.Query:
        """The SELECT over tables alone: with the SELECT of each view in the view's place."""
        from orders_connector.modeling.views import inline_views

        return inline_views(self.select, {view.name: view.inlined for view in self.views})

    @property
    def layer(self) -> str:
        """Folder and schema of the model: staging, core or marts."""
        return self.name.split(".")[0]

    @property
    def refresh_key(self) -> str | None:
        """Column by which the model is rebuilt in slices; None means in full."""
        return self.header.refresh_key

    @property
    def is_view(self) -> bool:
        """True when the model is a view and holds no rows of its own."""
        return self.header.materialized == "view"

    @cached_property
    def inputs(self) -> frozenset[str]:
        """Tables and views the SELECT reads, CTEs left out, as `schema.table`."""
        return self.facts.inputs if self.facts else _tables_of(self.select)

    @cached_property
    def tables(self) -> frozenset[str]:
        """Tables its rows come from: `inputs` with the tables behind each view in its place."""
        return self.facts.tables if self.facts else _tables_of(self.inlined)

    @cached_property
    def reads(self) -> Mapping[str, frozenset[str] | None]:
        """Columns that the SELECT names of each of `tables`; None where it may be any."""
        if self.facts:
            return self.facts.reads
        from orders_connector.modeling.keys import columns_read

        return columns_read(self.inlined)

    @cached_property
    def tells_of_runs(self) -> bool:
        """True when it shows what runs did, and so differs after equal runs of the same data."""
        return bool(self.tables & STATE_TABLES - {"ops.coverage", "ops.quarantine"})

    @cached_property
    def raw_sources(self) -> frozenset[str] | None:
        """Sources whose rows of the raw log the SELECT looks at; None when it looks at all."""
        if self.facts:
            return self.facts.raw_sources
        from sqlglot import exp

        raw = [table for table in self.inlined.find_all(exp.Table) if _name_of(table) == RAW_TABLE]
        found = [_source_of(table) for table in raw]
        return frozenset(source for source in found if source) if all(found) else None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Output columns in the order of the SELECT."""
        return self.facts.columns if self.facts else tuple(self.select.named_selects)

    @cached_property
    def code_version(self) -> str:
        """Changes with the SELECT, its views or the way it is refreshed; comments do not count."""
        if self.facts:
            return self.facts.code_version
        from sqlglot import tokenize

        tokens = [f"{t.token_type}{t.text}" for t in tokenize(self.sql, read="duckdb")]
        views = [view.code_version for view in self.views]
        text = "|".join([*tokens, *views, str(self.refresh_key), self.header.materialized])
        text += f"|{self.header.counted_by}" if self.header.counted_by else ""
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tables_of(select: exp.Query) -> frozenset[str]:
    from sqlglot import exp

    return frozenset(_name_of(table) for table in select.find_all(exp.Table) if table.db)


def _name_of(table: exp.Table) -> str:
    return f"{table.db}.{table.name}"


def _source_of(table: exp.Table) -> str | None:
    """Return the text of a condition `source = '...'` that every row of `table` has to meet."""
    from sqlglot import exp

    select = table.parent_select
    where = select.args.get("where") if select else None
    if where is None:
        return None
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        column, value = condition.args.get("this"), condition.args.get("expression")
        if (
            isinstance(condition, exp.EQ)
            and isinstance(column, exp.Column)
            and isinstance(value, exp.Literal)
            and (column.table, column.name) == (table.alias_or_name, "source")
        ):
            return value.name
    return None


def model_directory() -> Path:
    """Return where the SQL models are: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "sql"
    return packaged if packaged.is_dir() else package.parent / "sql"


def parse_model(
    path: Path, layer: str, *, text: str | None = None, facts: Facts | None = None
) -> Model:
    """Read one model file; the model knows no other one yet.

    Args:
        path: The file.
        layer: staging, core or marts.
        text: What it holds, when it was read already.
        facts: What an earlier reading of the same file found to be right.

    Raises:
        ModelError: the header is missing or wrong, the SQL does not parse, or both disagree.
    """
    text = path.read_text(encoding="utf-8") if text is None else text
    name = f"{layer}.{path.stem}"
    if not text.startswith("/*") or "*/" not in text:
        raise ModelError(
            f"{path.name}: a model starts with a block comment that holds its header in YAML "
            "(description, grain, refresh_key, columns, checks)"
        )
    header_text, sql = text[2:].split("*/", 1)
    try:
        header = Header.model_validate(read_header(header_text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ModelError(f"{path.name}: the header cannot be read: {error}") from error
    model = Model(name, path, header, sql=sql.strip(), facts=facts)
    if facts is None:
        try:
            _refuse_disagreement(model)
        except ValueError as error:
            raise ModelError(f"{path.name}: {error}") from error
    return model


@lru_cache(maxsize=512)
def _select_of(sql: str) -> exp.Query:
    from sqlglot import ParseError, exp, parse

    try:
        statements = parse(sql, read="duckdb")
    except ParseError as error:
        raise ValueError(f"the SQL does not parse: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ValueError("a model is exactly one SELECT")
    return statements[0]


def _refuse_disagreement(model: Model) -> None:
    documented, selected = set(model.header.columns), set(model.columns)
    if documented != selected:
        raise ModelError(
            f"{model.path.name}: header and SELECT name different columns: only in the header "
            f"{sorted(documented - selected)}, only in the SELECT {sorted(selected - documented)}"
        )
    named = {*model.header.grain, *(c for check in model.header.checks for c in check.columns)}
    named |= {metric.column for metric in model.header.metrics.values()}
    named |= set(model.header.personal)
    if model.refresh_key:
        named.add(model.refresh_key)
    if unknown := named - selected:
        raise ModelError(
            f"{model.path.name}: grain, refresh_key, personal, checks and metrics may only name "
            f"columns of the model; these are not: {sorted(unknown)}"
        )


def load_models(directory: Path | None = None, *, own: Path | None = None) -> dict[str, Model]:
    """Read every model below `directory` and below `own`, upstream before downstream.

    Args:
        directory: The models of the product; None for those that came with it.
        own: Folder of the installation's own models, with the same folders below. What runs in an
            installation takes them from `configured_models`.

    Raises:
        ModelError: a file is wrong or stands where it is not looked for, a name is taken, an input
            is unknown, the models form a circle, or a refresh key cannot work.
    """
    directory = directory or model_directory()
    files = _files_below(directory)
    if not files:
        raise ModelError(f"no models below {directory}: expected staging/, core/ and marts/")
    return dict(_models((*files, *(_own_files(own, files) if own else ()))))


def _files_below(directory: Path) -> tuple[tuple[str, Path, str], ...]:
    return tuple(
        (layer, path, path.read_text(encoding="utf-8"))
        for layer in LAYERS
        for path in sorted((directory / layer).glob("*.sql"))
    )


def _own_files(
    folder: Path, product: tuple[tuple[str, Path, str], ...]
) -> tuple[tuple[str, Path, str], ...]:
    if not folder.is_dir():
        raise ModelError(
            f"there is no folder {folder} for own models. Make it, with marts/ below, or take "
            "`folder` out of [models] in the configuration"
        )
    files = _files_below(folder)
    found = {path for _, path, _ in files}
    if lost := sorted(path for path in folder.rglob("*.sql") if path not in found):
        raise ModelError(
            f"{lost[0].relative_to(folder)}: a model of your own stands in staging/, core/ or "
            f"marts/ directly below {folder}, which names its schema"
        )
    taken = {(layer, path.stem): path for layer, path, _ in product}
    for layer, path, _ in files:
        if (layer, path.stem) in taken:
            raise ModelError(
                f"{path}: {layer}.{path.stem} is a model of the product already, and other models "
                "and readers rely on it. Choose another name; the new one may read it"
            )
    return files


@lru_cache(maxsize=4)
def _models(files: tuple[tuple[str, Path, str], ...]) -> dict[str, Model]:
    """Parse the files, again only when one of them changed: parsing takes half a second."""
    with _no_garbage():
        return _parsed(files)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Spare Python the search for garbage: trees of SQL are many small objects, and all stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parsed(files: tuple[tuple[str, Path, str], ...]) -> dict[str, Model]:
    texts = tuple((layer, path.stem, text) for layer, path, text in files)
    noted = recall(texts)
    read = [
        parse_model(path, layer, text=text, facts=noted.get(f"{layer}.{path.stem}"))
        for layer, path, text in files
    ]
    found = {model.name: model for model in read}
    graph = {name: sorted(model.inputs & found.keys()) for name, model in sorted(found.items())}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ModelError(f"models read each other in a circle: {error.args[1]}") from error
    for name in order:
        views = [found[one] for one in graph[name] if found[one].is_view]
        found[name] = replace(found[name], views=tuple(views))
    if not noted:
        for model in found.values():
            _refuse_unknown_inputs(model, found)
            _refuse_unpublished_inputs(model)
            _refuse_unknown_partners(model, found)
        _refuse_wrong_keys([found[name] for name in order])
        remember(texts, {name: _facts(model) for name, model in found.items()})
    return {name: found[name] for name in order}


def _facts(model: Model) -> Facts:
    return Facts(
        columns=model.columns,
        inputs=model.inputs,
        tables=model.tables,
        reads=model.reads,
        raw_sources=model.raw_sources,
        code_version=model.code_version,
    )


def _refuse_unpublished_inputs(model: Model) -> None:
    missing = [t for t in sorted(model.tables) if t.split(".")[0] not in PUBLISHED]
    if model.header.published_as == "view" and (missing or not model.is_view):
        raise ModelError(
            f"{model.path.name}: published_as: view is for views over core and marts, which the "
            f"copy for readers has; this one {f'reads {missing}' if missing else 'is a table'}"
        )


def _refuse_unknown_inputs(model: Model, models: dict[str, Model]) -> None:
    for table in sorted(model.inputs | model.tables):
        if table in SETTINGS_TABLES or (table in STATE_TABLES and model.is_view):
            continue
        if table in STATE_TABLES:
            raise ModelError(
                f"{model.path.name}: reads {table}, which changes without a refresh. Only a view "
                "that no table is built from may read it (materialized: view)"
            )
        if table == RAW_TABLE:
            carried: set[str] = RAW_COLUMNS
        elif table in models:
            carried = set(models[table].columns)
        else:
            raise ModelError(
                f"{model.path.name}: reads {table}, which is neither a model nor one of "
                f"{sorted({RAW_TABLE, *SETTINGS_TABLES, *STATE_TABLES})}"
            )
        if model.refresh_key and table in model.tables and model.refresh_key not in carried:
            raise ModelError(
                f"{model.path.name}: refresh_key {model.refresh_key} cannot work: {table} has no "
                "such column, so the engine cannot tell which of its rows a slice needs. Choose a "
                "key that every input carries, or leave refresh_key out to rebuild in full"
            )


def _refuse_unknown_partners(model: Model, models: dict[str, Model]) -> None:
    for check in model.header.checks:
        if check.rule not in ("relation", "totals"):
            continue
        there = models.get(str(check.to))
        if there is None:
            raise ModelError(
                f"{model.path.name}: the check {check.name} names {check.to}, which is no model"
            )
        if lacking := set(check.by or check.columns) - set(there.columns):
            raise ModelError(
                f"{model.path.name}: the check {check.name} cannot work: {check.to} has no "
                f"{', '.join(sorted(lacking))}"
            )


def _why_not_counted(
    model: Model, models: Iterable[Model], carriers: dict[str, Carrier]
) -> str | None:
    from orders_connector.modeling.counts import why_not_counted

    key = model.header.counted_by
    if key is None:
        return None
    if model.refresh_key:
        return "it has a refresh_key already, and there is one way only to refresh a model"
    inputs = [other for other in models if other.name in model.tables]
    if len(inputs) != 1 or inputs[0].refresh_key != key or len(model.tables - SETTINGS_TABLES) > 1:
        return f"it has to read one table alone, which is refreshed by {key}"
    return why_not_counted(model.inlined, key, carriers)


def _refuse_wrong_keys(models: Collection[Model]) -> None:
    """Refuse a model whose slices would depend on other slices; upstream first."""
    from orders_connector.modeling.keys import Carrier, copied_columns, why_not_in_slices

    raw = (VERSION, ORDER, "source", "account", "order_id")
    carriers = {RAW_TABLE: Carrier(columns=raw, grain=(VERSION,))}
    for model in models:
        if model.is_view:
            continue
        key = model.refresh_key
        if key and (reason := why_not_in_slices(model.inlined, key, carriers)):
            raise ModelError(
                f"{model.path.name}: refresh_key {key} cannot work: {reason}. Or leave refresh_key "
                "out to rebuild in full"
            )
        if reason := _why_not_counted(model, models, carriers):
            raise ModelError(
                f"{model.path.name}: counted_by {model.header.counted_by} cannot work: {reason}. "
                "Or leave counted_by out to rebuild in full"
            )
        carriers[model.name] = Carrier(
            columns=model.columns,
            grain=model.header.grain,
            copies=copied_columns(model.inlined, carriers),
        )
