"""Opens the warehouse that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from orders_connector.config import Settings
from orders_connector.warehouse.database import open_warehouse

__all__ = ["warehouse_connection"]


@contextmanager
def warehouse_connection(
    settings: Settings, *, read_only: bool = False, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the configured warehouse (errors as `open_warehouse`).

    `memory_limit` holds where the configuration sets none.
    """
    warehouse = settings.warehouse
    with open_warehouse(
        warehouse.path,
        read_only=read_only,
        lock_timeout_seconds=warehouse.lock_timeout_seconds,
        memory_limit=warehouse.memory_limit or memory_limit,
        threads=warehouse.threads,
    ) as con:
        yield con
