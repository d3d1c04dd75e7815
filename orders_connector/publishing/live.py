"""Writes the second door: a file that holds views alone, over the Parquet that `current` points at.

A server that pools connections never closes all of them, and so never sees another file in the
place of `orders.duckdb`. What a view reads it opens with each query.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orders_connector.publishing.parquet import WHOLE, WIDE, relations_of
from orders_connector.publishing.versions import Versions, swap_in

__all__ = ["live_path", "show_live"]

SHAPE = "shape_of_views"


def live_path(published: Path) -> Path:
    """Return where the second door is: beside the published file."""
    return published.with_name(f"{published.stem}_live{published.suffix}")


def show_live(versions: Versions, version: str) -> None:
    """Make the views for the columns of a version that readers see already, where they differ."""
    live = live_path(versions.published)
    copy = versions.folder / version / versions.published.name
    draft = versions.folder / f".{live.name}.{os.getpid()}.tmp"
    with duckdb.connect(str(copy), read_only=True) as reader:
        relations = _relations(reader)
    views = _Views(versions.link.absolute(), versions.manifest(version)["storage_version"])
    shape = hashlib.sha256(repr((views, relations)).encode()).hexdigest()
    if _shape_of(live) == shape:
        return
    draft.mkdir()
    file = draft / live.name
    with duckdb.connect() as con:
        views.write(con, file, relations, shape)
    file.chmod(0o444)
    swap_in(file, live)
    shutil.rmtree(draft)


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    comment: str | None


@dataclass(frozen=True)
class _Relation:
    schema: str
    name: str
    comment: str | None
    columns: tuple[_Column, ...]


def _relations(reader: duckdb.DuckDBPyConnection) -> list[_Relation]:
    """Return what the copy has as Parquet, with its comments."""
    comments = {
        (schema, name): comment
        for schema, name, comment in reader.execute(
            "select schema_name, table_name, comment from duckdb_tables()"
            " union all select schema_name, view_name, comment from duckdb_views()"
        ).fetchall()
    }
    columns: dict[tuple[str, str], list[_Column]] = {}
    for schema, name, *column in reader.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()"
        " where not internal order by schema_name, table_name, column_index"
    ).fetchall():
        columns.setdefault((schema, name), []).append(_Column(*column))
    return [
        _Relation(*relation, comments[relation], tuple(columns[relation]))
        for relation in relations_of(reader)
    ]


@dataclass(frozen=True)
class _Views:
    """The views of one place. Paths are absolute: relative ones start where a server was started.

    Columns are named, so that one that is new does not break a connection held open.
    """

    current: Path
    storage_version: str

    def write(
        self, con: duckdb.DuckDBPyConnection, file: Path, relations: list[_Relation], shape: str
    ) -> None:
        storage = _quoted(self.storage_version)
        con.execute(f"attach {_quoted(file)} as live (storage_version {storage})")
        con.execute("use live")
        con.execute("begin")
        con.execute(f"create macro {SHAPE}() as {_quoted(shape)}")
        for schema in dict.fromkeys(relation.schema for relation in relations):
            con.execute(f"create schema {schema}")
        for relation in relations:
            parquet = self.current / WHOLE / f"{relation.schema}.{relation.name}.parquet"
            selected = ", ".join(
                f"{_name(column.name)}::{column.kind} as {_name(column.name)}"
                if column.kind in WIDE
                else _name(column.name)
                for column in relation.columns
            )
            view = f"{relation.schema}.{_name(relation.name)}"
            con.execute(
                f"create view {view} as select {selected}"
                f" from read_parquet({_quoted(parquet)}, hive_partitioning = false)"
            )
            _comment(con, f"view {view}", relation.comment)
            for column in relation.columns:
                _comment(con, f"column {view}.{_name(column.name)}", column.comment)
        con.execute("commit")
        con.execute("use memory")
        con.execute("detach live")


def _shape_of(live: Path) -> str | None:
    """Return what the views were made for; None when there are none that can be read."""
    try:
        with duckdb.connect(str(live), read_only=True) as reader:
            ((shape,),) = reader.execute(f"select {SHAPE}()").fetchall()
    except duckdb.Error:
        return None
    return str(shape)


def _comment(con: duckdb.DuckDBPyConnection, what: str, text: str | None) -> None:
    if text:
        con.execute(f"comment on {what} is {_quoted(text)}")


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
