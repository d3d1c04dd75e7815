"""What this project does in a measured process; imports nothing but the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.harness import spending
from orders_connector.config import Settings
from orders_connector.landing.raw_log import Landed, land
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sources.base import PayloadContract
from orders_connector.sync import sync_account
from orders_connector.warehouse.database import open_warehouse, transaction

ACCOUNT = "shop"


def settings_for(
    folder: str, account: Mapping[str, Any], memory_limit: str | None = None
) -> Settings:
    """Return the settings of one account."""
    warehouse = {
        "path": Path(folder) / "orders.duckdb",
        "published": Path(folder) / "published" / "orders.duckdb",
        "memory_limit": memory_limit,
    }
    return Settings(warehouse=warehouse, accounts={ACCOUNT: dict(account)})


def load(folder: str, account: Mapping[str, Any]) -> dict[str, float]:
    """Run the whole pipeline, from the listing to the published marts.

    Returns:
        The CPU seconds that building and publishing the models took, as `models`.
    """
    settings = settings_for(folder, account)
    loaded = sync_account(settings, ACCOUNT)
    loaded.raise_unless_complete()
    with spending() as models:
        refresh_models(settings)
        publish_warehouse(settings)
    return {"models": models.cpu}


def land_pages(
    path: str,
    source: str,
    contracts: Mapping[str, PayloadContract],
    open_pages: Callable[[str], Iterable[pa.RecordBatch]],
    memory_limit: str | None = None,
) -> Landed:
    """Land the pages of each channel in a warehouse, in one transaction."""
    landed = Landed()
    with open_warehouse(path, memory_limit=memory_limit) as con, transaction(con):
        for channel, contract in contracts.items():
            landed += land(
                con,
                partial(open_pages, channel),
                contract=contract,
                source=source,
                account=ACCOUNT,
                extraction_id="benchmark",
                loaded_at=datetime.now(UTC),
            )
    return landed
