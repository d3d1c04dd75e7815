"""Keeps what comparisons with the source found: tables of the ops schema, in SQL alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb

from orders_connector.results import Reconciliation
from orders_connector.warehouse.database import count_rows

__all__ = ["MOST_DIFFERENCES", "store_days", "store_differences", "store_header"]

MOST_DAYS, MOST_DIFFERENCES = 5_000, 10_000  # rows that are stored


def store_header(
    con: duckdb.DuckDBPyConnection,
    who: dict[str, Any],
    result: Reconciliation,
    *,
    started_at: datetime,
    calls: int,
) -> None:
    """Write the row of a comparison that ends now, in the caller's transaction.

    Args:
        con: Connection to the warehouse.
        who: `id` of the comparison, `source` and `account`.
        result: What was found.
        started_at: First request, UTC.
        calls: Requests made.
    """
    row = [who["id"], who["source"], who["account"], result.status, result.reason]
    row += [started_at, datetime.now(UTC), calls]
    row += [result.source_total, result.export_rows, result.warehouse_orders]
    con.execute(f"insert into ops.reconciliations values ({', '.join('?' * len(row))})", row)


def store_differences(con: duckdb.DuckDBPyConnection, who: dict[str, Any]) -> None:
    """Keep the newest rows of the temporary table `judged` (order_id, order_date, cause, ...)."""
    con.execute(
        "insert into ops.reconciliation_differences"
        " select $id, $source, $account, order_id, order_date, cause, detail, repaired"
        " from judged order by order_date desc nulls last, order_id"
        f" limit {MOST_DIFFERENCES}",
        who,
    )


def store_days(con: duckdb.DuckDBPyConnection, who: dict[str, Any]) -> None:
    """Keep the rows of the temporary table `days`; of very many, those that differ."""
    some = "differs" if count_rows(con, "days") > MOST_DAYS else "true"
    con.execute(
        "insert into ops.reconciliation_days"
        " select $id, $source, $account, order_date, status, source_orders, warehouse_orders,"
        f" source_net_minor, warehouse_net_minor from days where {some}",
        who,
    )
