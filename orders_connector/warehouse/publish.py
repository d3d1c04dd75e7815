"""Makes the copy that BI tools read and swaps it in, so that no reader ever opens the warehouse.

The copy holds every model of core and marts as a table, with its comments, and says in `meta` how
fresh it is. Raw payloads, staging and the state of operations stay behind.

Why each step is there: docs/publishing.md.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.errors import DiskFull, PublishBlocked, WarehouseError, WarehouseLocked
from orders_connector.landing.coverage import coverage_of
from orders_connector.warehouse.database import count_rows, transaction

__all__ = ["Published", "publish"]

SCHEMAS = ("core", "marts")
META = {
    "meta.publication": (
        "One row: which state of the warehouse this file shows.",
        {
            "published_at": ("timestamptz", "When this copy was made, UTC."),
            "load_id": ("varchar", "The refresh it shows, in ops.loads of the warehouse."),
            "data_through": (
                "timestamptz",
                "Every account is proven up to here, UTC; NULL when one is not at all. "
                "Gaps before: meta.coverage.",
            ),
            "storage_version": ("varchar", "File format of this copy."),
            "duckdb_version": ("varchar", "DuckDB that wrote it."),
            "metadata": ("varchar", "What the publisher added, as JSON."),
        },
    ),
    "meta.coverage": (
        "Windows of version time that are proven complete, per account. None: nothing is proven.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "covered_from": ("timestamptz", "Inclusive, UTC."),
            "covered_to": ("timestamptz", "Exclusive, UTC."),
        },
    ),
}


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        path: The file that readers open.
        bytes: Its size.
        tables: Table, as `schema.name`, to its rows.
        seconds: Wall time.
    """

    path: Path
    bytes: int
    tables: dict[str, int]
    seconds: float


def publish(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    views: Mapping[str, str] | None = None,
    storage_version: str = "v1.4.0",
    metadata: Mapping[str, Any] | None = None,
) -> Published:
    """Swap in a fresh, verified, read-only copy of core and marts.

    Readers of the old copy are not disturbed: they keep it until they connect anew.

    Args:
        con: Connection to the warehouse, not inside a transaction. The copy is one snapshot.
        path: The published file.
        views: Views that stay views in the copy, to their SELECT. All others become tables, as a
            reader asks a figure many times and it is made once.
        storage_version: DuckDB file format: as old as the oldest driver that is to read it.
        metadata: Plain values to keep in `meta.publication`, such as the id of a run.

    Raises:
        PublishBlocked: there are no models yet.
        WarehouseLocked: another process is publishing to the same place.
        DiskFull: there is no room for the copy; the old one stays.
        WarehouseError: the copy could not be written or is not what was read; the old one stays.
    """
    started = time.perf_counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_publisher(path):
        _remove_leftovers(path)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            tables = _write_draft(con, draft, views or {}, storage_version, metadata or {})
            _verify(draft, tables)
            _swap_in(draft, path)
        except (duckdb.Error, OSError) as error:
            raise _explained(error, path) from error
        finally:
            _remove_leftovers(path)
    return Published(path, path.stat().st_size, tables, round(time.perf_counter() - started, 3))


@contextmanager
def _only_publisher(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel drops with the process, so a killed publish leaves none."""
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WarehouseLocked(
                f"another process is publishing {path}; it will be fresh when that one is done"
            ) from error
        yield


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp*"):
        leftover.unlink(missing_ok=True)


def _write_draft(
    con: duckdb.DuckDBPyConnection,
    draft: Path,
    views: Mapping[str, str],
    storage_version: str,
    metadata: Mapping[str, Any],
) -> dict[str, int]:
    con.execute(
        f"attach {_quoted(str(draft))} as draft (storage_version {_quoted(storage_version)})"
    )
    try:
        with transaction(con):
            tables = _copy_models(con, views)
            _copy_macros(con)
            tables |= _write_meta(con, storage_version, metadata)
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to tell
            con.execute("detach draft")
        raise
    con.execute("detach draft")  # writes all of the file; nothing stays in a .wal
    return tables


def _copy_models(con: duckdb.DuckDBPyConnection, views: Mapping[str, str]) -> dict[str, int]:
    """Copy tables and views of core and marts; return the rows of each."""
    relations = con.execute(
        "select schema_name, table_name, comment from duckdb_tables()"
        " where database_name = current_database() and schema_name in $schemas"
        " union all"
        " select schema_name, view_name, comment from duckdb_views()"
        " where database_name = current_database() and schema_name in $schemas"
        " order by all",
        {"schemas": SCHEMAS},
    ).fetchall()
    if not relations:
        raise PublishBlocked("there are no models to publish yet: run `orders-connector refresh`")
    tables = {}
    for schema in SCHEMAS:
        con.execute(f"create schema draft.{schema}")
    for schema, table, comment in relations:
        name = f'{schema}."{table}"'
        if select := views.get(f"{schema}.{table}"):
            con.execute(f"create view draft.{name} as {select}")
            _comment(con, f"view draft.{name}", comment)
            tables[f"{schema}.{table}"] = count_rows(con, name)
            continue
        ((rows,),) = con.execute(f"create table draft.{name} as from {name}").fetchall()
        _comment(con, f"table draft.{name}", comment)
        tables[f"{schema}.{table}"] = rows
    columns = con.execute(
        "select schema_name, table_name, column_name, comment from duckdb_columns()"
        " where database_name = current_database() and schema_name in $schemas",
        {"schemas": SCHEMAS},
    ).fetchall()
    for schema, table, column, comment in columns:
        _comment(con, f'column draft.{schema}."{table}"."{column}"', comment)
    return tables


def _copy_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Copy table macros, which answer for past evenings; the order is that of their making."""
    macros = con.execute(
        "select schema_name, function_name, parameters, macro_definition from duckdb_functions()"
        " where database_name = current_database() and schema_name in $schemas"
        " and function_type = 'table_macro' order by function_oid",
        {"schemas": SCHEMAS},
    ).fetchall()
    for schema, name, parameters, select in macros:
        con.execute(
            f"create macro draft.{schema}.{name}({', '.join(parameters)}) as table {select}"
        )


def _write_meta(
    con: duckdb.DuckDBPyConnection, storage_version: str, metadata: Mapping[str, Any]
) -> dict[str, int]:
    con.execute("create schema draft.meta")
    for table, (comment, columns) in META.items():
        typed = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        con.execute(f"create table draft.{table} ({typed})")
        _comment(con, f"table draft.{table}", comment)
        for name, (_, meaning) in columns.items():
            _comment(con, f"column draft.{table}.{name}", meaning)
    accounts = con.execute("select source, account from ops.accounts order by all").fetchall()
    ends: list[datetime | None] = []
    rows = 0
    for source, account in accounts:
        windows = coverage_of(con, source, account)
        ends.append(windows[-1].end if windows else None)
        for window in windows:
            con.execute(
                "insert into draft.meta.coverage values (?, ?, ?, ?)",
                [source, account, window.start, window.end],
            )
        rows += len(windows)
    proven = [end for end in ends if end is not None]
    data_through = min(proven) if proven and len(proven) == len(ends) else None
    load = con.execute("select load_id from ops.loads order by ended_at desc limit 1").fetchall()
    con.execute(
        "insert into draft.meta.publication values (?, ?, ?, ?, ?, ?)",
        [
            datetime.now(UTC),
            load[0][0] if load else None,
            data_through,
            storage_version,
            duckdb.__version__,
            json.dumps(dict(metadata), default=str),
        ],
    )
    return {"meta.coverage": rows, "meta.publication": 1}


def _verify(draft: Path, tables: Mapping[str, int]) -> None:
    """Open the draft as a reader would and count again."""
    with duckdb.connect(str(draft), read_only=True) as reader:
        for table, rows in tables.items():
            schema, name = table.split(".", 1)
            ((found,),) = reader.execute(f'select count(*) from {schema}."{name}"').fetchall()
            if found != rows:
                raise WarehouseError(
                    f"the copy of {table} has {found:,} rows instead of {rows:,}, so it was not "
                    "published; readers keep the old file"
                )


def _swap_in(draft: Path, path: Path) -> None:
    draft.chmod(0o444)
    _fsync(draft)
    # A tool that opened the old copy for writing may have left its log. Beside the new copy, older
    # DuckDB versions would replay it without a word.
    wal = path.with_name(f"{path.name}.wal")
    wal.unlink(missing_ok=True)
    draft.replace(path)
    wal.unlink(missing_ok=True)
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: Exception, path: Path) -> WarehouseError:
    text = str(error)
    no_room = isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
    )
    if no_room or "No space left" in text or "could not write" in text.lower():
        return DiskFull(
            f"no room to publish {path}: {text}. Readers keep the old file and the warehouse is "
            "complete: free space, then run `orders-connector publish`"
        )
    return WarehouseError(f"{path} was not published, readers keep the old file: {text}")


def _comment(con: duckdb.DuckDBPyConnection, what: str, text: str | None) -> None:
    if text:
        con.execute(f"comment on {what} is {_quoted(text)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
