"""The peer of the pipeline: dlt, doing extraction and loading alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

Resource = dict[str, Any]


def voucherify_as_sent(folder: str, base_url: str) -> None:
    """Load all orders as parquet files below `files`, as they come.

    dlt makes columns of each redemption, and DuckDB needs minutes for tables this wide.
    """
    files = dlt.destinations.filesystem(Path(folder, "files").as_uri())
    _run(folder, base_url, _voucherify_keys(), [_voucherify_orders("-created_at")], files)


def voucherify_by_hand(folder: str, base_url: str) -> None:
    """Load all orders, `redemptions`, an object keyed by redemption id, turned into a list."""
    orders = _voucherify_orders("-created_at")
    orders["processing_steps"] = [{"map": _redemptions_as_list}]
    _run(folder, base_url, _voucherify_keys(), [orders])


def voucherify_changes(folder: str, base_url: str, *, sort: str) -> None:
    """Load what changed since the last run, merged by id.

    Args:
        folder: Where everything goes; the last run's state is here.
        base_url: The sandbox.
        sort: Sort order of the listing, `updated_at` or `-updated_at`.
    """
    orders = _voucherify_orders(sort)
    orders |= {
        "write_disposition": "merge",
        # Of an order that was read twice the newer state; without this any of them stays.
        "columns": {"updated_at": {"dedup_sort": "desc"}},
        "processing_steps": [{"map": _redemptions_as_list}],
    }
    orders["endpoint"]["incremental"] = {
        "cursor_path": "updated_at",
        "initial_value": "2020-01-01T00:00:00.000Z",
        # Orders that were never updated have none.
        "on_cursor_value_missing": "include",
    }
    _run(folder, base_url, _voucherify_keys(), [orders])


def ultracart(folder: str, base_url: str) -> None:
    """Load all orders with the parts that we ask for, oldest first."""
    keys = {
        "x-ultracart-simple-key": os.environ["ULTRACART_SIMPLE_KEY"],
        "X-UltraCart-Api-Version": "2017-03-01",
    }
    parts = (
        *("affiliate", "auto_order", "billing", "buysafe", "channel_partner", "checkout", "coupon"),
        *("current_stage_histories", "gift", "gift_certificate", "item", "marketing", "payment"),
        *("shipping", "summary", "tags", "taxes", "utms"),
    )
    orders = {
        "name": "orders",
        "primary_key": "order_id",
        "endpoint": {
            "path": "rest/v2/order/orders",
            "params": {
                "creation_date_begin": "1900-01-01T00:00:00Z",
                "_sort": "+creation_dts",
                "_expand": ",".join(parts),
            },
            "data_selector": "orders",
            "paginator": {
                "type": "offset",
                "limit": 200,
                "limit_param": "_limit",
                "offset_param": "_offset",
                "total_path": "metadata.result_set.total_records",
            },
        },
    }
    _run(folder, base_url, keys, [orders])


def licensespring(folder: str, base_url: str) -> None:
    """Load all orders, archived ones too, and all licenses."""
    keys = {"Authorization": f"Api-Key {os.environ['LICENSESPRING_API_KEY']}"}
    by_offset = {
        "type": "offset",
        "limit": 100,
        "limit_param": "limit",
        "offset_param": "offset",
        "total_path": "count",
    }

    def resource(name: str, table: str, path: str, **params: str) -> Resource:
        return {
            "name": name,
            "table_name": table,
            "primary_key": "id",
            "endpoint": {
                "path": path,
                "params": params,
                "data_selector": "results",
                "paginator": by_offset,
            },
        }

    orders, licenses = "api/v1/orders/", "api/v1/licenses/"
    resources = [
        resource("active", "orders", orders, order_by="created_at", is_archived="false"),
        resource("archived", "orders", orders, order_by="created_at", is_archived="true"),
        resource("licenses", "licenses", licenses, order_by="id"),
    ]
    _run(folder, base_url, keys, resources)


def _voucherify_orders(sort: str) -> Resource:
    return {
        "name": "orders",
        "primary_key": "id",
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
        },
    }


def _voucherify_keys() -> dict[str, str]:
    return {
        "X-App-Id": os.environ["SANDBOX_APP_ID"],
        "X-App-Token": os.environ["SANDBOX_APP_TOKEN"],
    }


def _redemptions_as_list(order: dict[str, Any]) -> dict[str, Any]:
    redemptions = order.get("redemptions")
    if redemptions:
        order["redemptions"] = [{"id": key, **value} for key, value in redemptions.items()]
    return order


def _run(
    folder: str,
    base_url: str,
    keys: dict[str, str],
    resources: list[Resource],
    destination: Any = None,  # noqa: ANN401
) -> None:
    source: Any = rest_api_source(
        {"client": {"base_url": base_url, "headers": keys}, "resources": resources}
    )
    pipeline = dlt.pipeline(
        "orders",
        pipelines_dir=f"{folder}/pipelines",
        destination=destination or dlt.destinations.duckdb(f"{folder}/dlt.duckdb"),
        dataset_name="shop",
    )
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
