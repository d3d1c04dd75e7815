"""Writes the warehouse file anew, so that it holds no bytes of rows that were deleted.

DuckDB keeps deleted rows in free blocks and at the ends of used ones until something overwrites
them. The new file holds what the tables hold, and nothing else.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import duckdb

from orders_connector.config import Settings
from orders_connector.errors import DiskFull, WarehouseError, WarehouseLocked
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["rewrite_warehouse"]

ATTEMPTS = 5
# Everything that a copy would lose without a word.
CATALOG = """
    select 'table', schema_name, table_name, null, null, comment, null
    from duckdb_tables() where database_name = $database and not internal
    union all
    select 'view', schema_name, view_name, null, null, comment, sql
    from duckdb_views() where database_name = $database and not internal
    union all
    select 'column', schema_name, table_name, column_name, data_type, comment, null
    from duckdb_columns() where database_name = $database and not internal
    order by all
"""


def rewrite_warehouse(settings: Settings) -> None:
    """Swap in a verified copy of the warehouse file, made of its live rows alone.

    Whoever dies on the way leaves the old file and a draft beside it, which the next call removes.

    Raises:
        WarehouseLocked: another process holds the warehouse.
        DiskFull: there is no room for the copy; the old file stays.
        WarehouseError: the copy is not what was read; the old file stays.
    """
    # The draft has to lie in the file system of the file itself, also behind a link.
    path = settings.warehouse.path.resolve()
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    for _ in range(ATTEMPTS):
        _fold_in_log(settings, path)
        with warehouse_connection(settings, read_only=True) as con:
            # As long as this reads, nobody writes, and closing it writes nothing either. Another
            # process may have written before and died: its log belongs to the old file.
            if _log_of(settings).exists():
                continue
            try:
                _write(con, draft)
                draft.chmod(path.stat().st_mode & 0o777)
                _fsync(draft)
                draft.replace(path)
                # Still holding the old file: who waits for it looks at the new one afterwards.
                _fsync(path.parent)
            except (duckdb.Error, OSError) as error:
                raise _explained(error, path) from error
            finally:
                _remove_leftovers(path)
            return
    raise WarehouseLocked(
        f"{path} was written to between all {ATTEMPTS} attempts to rewrite it: run again when "
        "nothing else uses it"
    )


def _fold_in_log(settings: Settings, path: Path) -> None:
    with warehouse_connection(settings) as con:
        # Nobody else has the file open now, so what lies beside it was left by the dead.
        _remove_leftovers(path)
        spilled = settings.warehouse.path.with_name(f"{settings.warehouse.path.name}.tmp")
        shutil.rmtree(spilled, ignore_errors=True)
        con.execute("checkpoint")


def _log_of(settings: Settings) -> Path:
    return settings.warehouse.path.with_name(f"{settings.warehouse.path.name}.wal")


def _remove_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp*"):
        leftover.unlink(missing_ok=True)


def _write(con: duckdb.DuckDBPyConnection, draft: Path) -> None:
    """Copy the current database into the draft and compare the two."""
    ((source, tags),) = con.execute(
        "select database_name, tags from duckdb_databases()"
        " where database_name = current_database()"
    ).fetchall()
    version = re.match(r"v\d+\.\d+\.\d+", tags["storage_version"])
    options = f"read_write, storage_version '{version.group()}'" if version else "read_write"
    quoted = str(draft).replace("'", "''")
    con.execute(f"attach '{quoted}' as draft ({options})")
    con.execute(f'copy from database "{source}" to draft')
    con.execute("detach draft")  # writes all of the file; nothing stays in a log
    con.execute(f"attach '{quoted}' as draft (read_only)")
    here, there = (
        con.execute(CATALOG, {"database": database}).fetchall() for database in (source, "draft")
    )
    if here != there:
        raise WarehouseError(
            f"the copy of {source} lacks tables, views or comments, so it was thrown away; the "
            "warehouse is as it was"
        )
    for kind, schema, table, *_ in here:
        if kind == "table":
            ((rows, copied),) = con.execute(
                f'select (select count(*) from "{source}"."{schema}"."{table}"),'
                f' (select count(*) from draft."{schema}"."{table}")'
            ).fetchall()
            if rows != copied:
                raise WarehouseError(
                    f"the copy of {schema}.{table} has {copied:,} rows instead of {rows:,}, so it "
                    "was thrown away; the warehouse is as it was"
                )
    con.execute("detach draft")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: duckdb.Error | OSError, path: Path) -> WarehouseError:
    text = str(error)
    no_room = isinstance(error, OSError) and error.errno in {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
    }
    if no_room or "No space left" in text or "could not write" in text.lower():
        return DiskFull(
            f"no room to rewrite {path}: {text}. The warehouse is as it was: free as much as it "
            "has and run again"
        )
    return WarehouseError(f"{path} was not rewritten and is as it was: {text}")
