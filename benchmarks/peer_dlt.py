"""The peer of the pipeline: dlt, doing extraction and loading alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source


def load(folder: str, base_url: str, *, tuned: bool) -> None:
    """Load all orders as parquet into `dlt.duckdb`, or as files below `files`.

    Args:
        folder: Where everything goes.
        base_url: The sandbox.
        tuned: Turn `redemptions`, an object keyed by redemption id, into a list and load into
            DuckDB. Otherwise the orders are taken as they come: dlt then makes columns of each
            redemption, and DuckDB needs minutes for tables this wide, so files must do.
    """
    orders: dict[str, Any] = {
        "name": "orders",
        "primary_key": "id",
        "endpoint": {
            "path": "v1/orders",
            "params": {"limit": 100, "order": "-created_at"},
            "data_selector": "orders",
            "paginator": {
                "type": "page_number",
                "base_page": 1,
                "total_path": None,
                "maximum_page": 101,
            },
        },
    }
    if tuned:
        orders["processing_steps"] = [{"map": _redemptions_as_list}]
    destination = (
        dlt.destinations.duckdb(f"{folder}/dlt.duckdb")
        if tuned
        else dlt.destinations.filesystem(Path(folder, "files").as_uri())
    )
    _run(folder, base_url, orders, destination)


def load_changes(folder: str, base_url: str, *, sort: str) -> None:
    """Load what changed since the last run into `dlt.duckdb`, merged by id.

    Args:
        folder: Where everything goes; the last run's state is here.
        base_url: The sandbox.
        sort: Sort order of the listing, `updated_at` or `-updated_at`.
    """
    orders = {
        "name": "orders",
        "primary_key": "id",
        "write_disposition": "merge",
        # Of an order that was read twice the newer state; without this any of them stays.
        "columns": {"updated_at": {"dedup_sort": "desc"}},
        "endpoint": {
            "path": "v1/orders",
            "params": {"limit": 100, "order": sort},
            "data_selector": "orders",
            "paginator": {
                "type": "page_number",
                "base_page": 1,
                "total_path": None,
                "maximum_page": 101,
            },
            "incremental": {
                "cursor_path": "updated_at",
                "initial_value": "2020-01-01T00:00:00.000Z",
                # Orders that were never updated have none.
                "on_cursor_value_missing": "include",
            },
        },
        "processing_steps": [{"map": _redemptions_as_list}],
    }
    _run(folder, base_url, orders, dlt.destinations.duckdb(f"{folder}/dlt.duckdb"))


def _run(folder: str, base_url: str, orders: dict[str, Any], destination: Any) -> None:  # noqa: ANN401
    keys = {
        "X-App-Id": os.environ["SANDBOX_APP_ID"],
        "X-App-Token": os.environ["SANDBOX_APP_TOKEN"],
    }
    source = rest_api_source(
        {"client": {"base_url": base_url, "headers": keys}, "resources": [orders]}
    )
    pipeline = dlt.pipeline(
        "orders",
        pipelines_dir=f"{folder}/pipelines",
        destination=destination,
        dataset_name="shop",
    )
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()


def _redemptions_as_list(order: dict[str, Any]) -> dict[str, Any]:
    redemptions = order.get("redemptions")
    if redemptions:
        order["redemptions"] = [{"id": key, **value} for key, value in redemptions.items()]
    return order
