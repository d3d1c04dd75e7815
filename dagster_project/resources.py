"""The warehouse as Dagster sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import duckdb
from dagster_duckdb import DuckDBResource

from orders_connector.config import Settings
from orders_connector.warehouse.database import open_warehouse

__all__ = ["Warehouse"]


class Warehouse(DuckDBResource):
    """The DuckDB file that every table lives in, opened the way the library opens it.

    The base class leaves the file locked when the body raises, and waits for a lock without saying
    so; this one closes in any case and gives up with a message after `lock_timeout_seconds`.
    """

    lock_timeout_seconds: float = 60.0
    memory_limit: str | None = None
    threads: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the resource for the configured warehouse."""
        warehouse = settings.warehouse
        return cls(
            database=str(warehouse.path),
            lock_timeout_seconds=warehouse.lock_timeout_seconds,
            memory_limit=warehouse.memory_limit,
            threads=warehouse.threads,
        )

    @contextmanager
    def get_connection(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse for one unit of work (errors as `open_warehouse`)."""
        with open_warehouse(
            self.database,
            read_only=read_only,
            lock_timeout_seconds=self.lock_timeout_seconds,
            memory_limit=self.memory_limit,
            threads=self.threads,
        ) as con:
            yield con
