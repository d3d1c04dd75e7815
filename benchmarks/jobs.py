"""What this project does in a measured process; imports nothing but the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from orders_connector.config import Settings
from orders_connector.landing.raw_log import Landed, land
from orders_connector.load import refresh_models
from orders_connector.sources.voucherify.extraction import CONTRACT
from orders_connector.sync import sync_account
from orders_connector.warehouse.database import open_warehouse, transaction

ACCOUNT = "shop"


def settings_for(folder: str, base_url: str, memory_limit: str | None = None) -> Settings:
    """Return the settings of one account that reads a sandbox."""
    return Settings(
        warehouse={"path": Path(folder) / "orders.duckdb", "memory_limit": memory_limit},
        accounts={
            ACCOUNT: {
                "source": "voucherify",
                "base_url": base_url,
                "app_id_env": "SANDBOX_APP_ID",
                "app_token_env": "SANDBOX_APP_TOKEN",
                "download_hosts": list(filter(None, [os.environ.get("SANDBOX_DOWNLOAD_HOST")])),
                "currency": "EUR",
                "time_zone": "Europe/Warsaw",
                "history_start": "2020-01-01",
                "business_date_path": "$.metadata.ordered_at",
                "currency_path": "$.metadata.currency",
            }
        },
    )


def load(folder: str, base_url: str) -> int:
    """Run the whole pipeline, from the listing to the marts; returns the requests made."""
    settings = settings_for(folder, base_url)
    loaded = sync_account(settings, ACCOUNT)
    loaded.raise_unless_complete()
    refresh_models(settings)
    return loaded.calls


def land_pages(
    path: str, open_pages: Callable[[], Iterable[pa.RecordBatch]], memory_limit: str | None = None
) -> Landed:
    """Land pages in a warehouse, in one transaction."""
    with open_warehouse(path, memory_limit=memory_limit) as con, transaction(con):
        return land(
            con,
            open_pages,
            contract=CONTRACT,
            source="voucherify",
            account=ACCOUNT,
            extraction_id="benchmark",
            loaded_at=datetime.now(UTC),
        )
