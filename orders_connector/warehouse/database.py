"""Opens the DuckDB file: one connection per unit of work, always closed, never held over HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orders_connector.errors import DiskFull, WarehouseError, WarehouseLocked
from orders_connector.warehouse.schema import create_schema

__all__ = [
    "begin_session",
    "count_rows",
    "merge_small_blocks",
    "open_warehouse",
    "plan_without",
    "transaction",
]

logger = logging.getLogger(__name__)


@contextmanager
def open_warehouse(
    path: Path | str,
    *,
    read_only: bool = False,
    lock_timeout_seconds: float = 60.0,
    memory_limit: str | None = None,
    threads: int | None = None,
    on_wait: Callable[[float], None] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to the warehouse file, creating file and tables when it writes.

    Args:
        path: The DuckDB file.
        read_only: Open for reading; the file must exist.
        lock_timeout_seconds: How long to wait while another process holds the file.
        memory_limit: DuckDB's own limit, e.g. `2GB`; DuckDB spills to disk beyond it.
        threads: DuckDB's threads; its default is one per core.
        on_wait: Called with the seconds waited so far while the file is locked.

    Raises:
        WarehouseLocked: another process kept the file for longer than the timeout.
        DiskFull: there is no room to write.
        WarehouseError: the file is missing, damaged or from a newer DuckDB.
    """
    path = Path(path)
    if read_only and not path.exists():
        raise WarehouseError(f"there is no warehouse at {path} yet: run `orders-connector sync`")
    path.parent.mkdir(parents=True, exist_ok=True)
    con = _connect(path, read_only, lock_timeout_seconds, on_wait)
    try:
        begin_session(con)
        if memory_limit:
            con.execute(f"set memory_limit = '{memory_limit}'")
        if threads:
            con.execute(f"set threads = {int(threads)}")
        if not read_only:
            merge_small_blocks(con, False)
            create_schema(con)
        yield con
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise _explained(error, path) from error
    finally:
        con.close()


def begin_session(con: duckdb.DuckDBPyConnection) -> None:
    """Let a connection show times in UTC and answer right, whatever it opened."""
    con.execute("set TimeZone = 'UTC'")
    plan_without(con)


def plan_without(con: duckdb.DuckDBPyConnection, *rules: str) -> None:
    """Let DuckDB plan without these rules of its optimizer, and without the one that is unsound.

    With `projection_pullup`, DuckDB 2.0.0 takes a sum for 0 where it knows that one side of a LEFT
    JOIN is empty: an ORDER BY then cuts `coalesce(sum(x), 0)` to a byte, and a HAVING loses it. A
    test tells when that is over (`tests/warehouse/test_database.py`).
    """
    con.execute(f"set disabled_optimizers = '{','.join(('projection_pullup', *rules))}'")


def merge_small_blocks(con: duckdb.DuckDBPyConnection, wanted: bool) -> None:
    """Let what is committed from now on merge the small blocks of all tables, or leave them.

    Each commit appends blocks of its own. To merge them again and again, as DuckDB does by default,
    costs a refresh of few orders more than to write them, so only some refreshes ask for it.
    """
    con.execute(f"set max_vacuum_tasks = {100 if wanted else 0}")


def _connect(
    path: Path,
    read_only: bool,
    lock_timeout_seconds: float,
    on_wait: Callable[[float], None] | None,
) -> duckdb.DuckDBPyConnection:
    started = time.monotonic()
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise _explained(error, path) from error
            waited = time.monotonic() - started
            if waited >= lock_timeout_seconds:
                raise WarehouseLocked(
                    f"{path} is held by another process ({error}). Loads wait for each other; "
                    f"this one gave up after {waited:.0f} s. Close what holds the file (BI tools "
                    "read the published copy, not this one), then run again: nothing was lost"
                ) from error
            logger.info("waiting for %s, held by another process", path)
            if on_wait:
                on_wait(waited)
            time.sleep(0.25)


def _explained(error: duckdb.Error, path: Path) -> WarehouseError:
    text = str(error)
    if "No space left" in text or "could not write" in text.lower() or "max_temp" in text:
        return DiskFull(
            f"no room to write {path}: {text}. Nothing of this step was kept and nothing was lost: "
            "free space and run again"
        )
    return WarehouseError(f"{path} cannot be used: {text}")


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit when the body ends, roll back when it raises."""
    con.begin()
    try:
        yield
        con.commit()
    except BaseException:
        # A failed commit has ended the transaction already.
        try:
            con.rollback()
        except duckdb.TransactionException:
            logger.debug("nothing to roll back")
        raise


def count_rows(con: duckdb.DuckDBPyConnection, relation: str, where: str = "true") -> int:
    """Return how many rows of `relation` satisfy `where`."""
    return int(con.execute(f"select count(*) from {relation} where {where}").fetchall()[0][0])
