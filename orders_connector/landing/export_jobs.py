"""Which exports were asked for, so that a load that was killed finds them instead of new ones."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import duckdb

from orders_connector.sources.base import ExportWindow, Job

__all__ = [
    "ask",
    "close_landed",
    "landed_windows",
    "longest_proven",
    "mark_cut_off",
    "mark_failed",
    "mark_landed",
    "mark_started",
    "open_job",
]

# An older export is not looked for: its file may be gone. Counted by our own clock (`changed_at`),
# as the source's (`asked_at`) may differ.
KEPT = timedelta(days=2)


def ask(con: duckdb.DuckDBPyConnection, source: str, account: str, window: ExportWindow) -> Job:
    """Note that an export is about to be started."""
    job_id = f"job_{uuid.uuid4().hex[:16]}"
    now = datetime.now(UTC)
    con.execute(
        "insert into ops.export_jobs"
        " values (?, ?, ?, ?, ?, ?, null, 'asked', null, ?, ?, null, null)",
        [job_id, source, account, window.date_field, window.start, window.end, now, now],
    )
    return Job(job_id, None, now)


def open_job(
    con: duckdb.DuckDBPyConnection, source: str, account: str, window: ExportWindow
) -> Job | None:
    """Return the newest job of this very window that is neither landed nor failed."""
    rows = con.execute(
        "select job_id, export_id, asked_at from ops.export_jobs"
        " where source = ? and account = ? and date_field = ?"
        " and window_from is not distinct from ? and window_to is not distinct from ?"
        " and status in ('asked', 'started') and changed_at > ?"
        " order by changed_at desc limit 1",
        [source, account, window.date_field, window.start, window.end, datetime.now(UTC) - KEPT],
    ).fetchall()
    return Job(*rows[0]) if rows else None


def mark_started(
    con: duckdb.DuckDBPyConnection, job_id: str, export_id: str, asked_at: datetime
) -> None:
    """Note the source's id of an export, and its clock's time of the start."""
    con.execute(
        "update ops.export_jobs set status = 'started', export_id = ?, asked_at = ?, changed_at = ?"
        " where job_id = ?",
        [export_id, asked_at, datetime.now(UTC), job_id],
    )


def mark_cut_off(
    con: duckdb.DuckDBPyConnection, source: str, account: str, windows: Sequence[ExportWindow]
) -> None:
    """Note that landed files may lack rows: smaller windows take their place."""
    for window in windows:
        con.execute(
            "update ops.export_jobs set status = 'failed', reason = 'maybe cut off', changed_at = ?"
            " where source = ? and account = ? and date_field = ? and status = 'landed'"
            " and window_from is not distinct from ? and window_to is not distinct from ?",
            [datetime.now(UTC), source, account, window.date_field, window.start, window.end],
        )


def mark_failed(con: duckdb.DuckDBPyConnection, job_id: str, reason: str) -> None:
    """Note that an export gave no usable file."""
    con.execute(
        "update ops.export_jobs set status = 'failed', reason = ?, changed_at = ? where job_id = ?",
        [reason, datetime.now(UTC), job_id],
    )


def landed_windows(
    con: duckdb.DuckDBPyConnection, source: str, account: str, date_field: str
) -> list[tuple[ExportWindow, datetime, int]]:
    """Return windows that are landed and in no proof yet: window, asked_at, rows."""
    rows = con.execute(
        "select window_from, window_to, asked_at, rows from ops.export_jobs"
        " where source = ? and account = ? and date_field = ? and status = 'landed'"
        " and changed_at > ? order by asked_at",
        [source, account, date_field, datetime.now(UTC) - KEPT],
    ).fetchall()
    return [(ExportWindow(date_field, start, end), at, n) for start, end, at, n in rows]


def longest_proven(con: duckdb.DuckDBPyConnection, source: str, account: str) -> int:
    """Return the rows of the longest file that a snapshot proved to be whole; -1 for none."""
    rows = con.execute(
        "select coalesce(max(rows), -1) from ops.export_jobs where source = ? and account = ?"
        " and status = 'used' and date_field = 'created_at'",
        [source, account],
    ).fetchall()
    return int(rows[0][0])


def close_landed(
    con: duckdb.DuckDBPyConnection, source: str, account: str, status: Literal["used", "dropped"]
) -> None:
    """Note in the caller's transaction that landed exports served their proof, or serve none."""
    con.execute(
        "update ops.export_jobs set status = ?, changed_at = ?"
        " where source = ? and account = ? and status = 'landed'",
        [status, datetime.now(UTC), source, account],
    )


def mark_landed(con: duckdb.DuckDBPyConnection, job_id: str, rows: int, extraction_id: str) -> None:
    """Note that the rows of an export are landed, in the caller's transaction."""
    con.execute(
        "update ops.export_jobs set status = 'landed', rows = ?, extraction_id = ?, changed_at = ?"
        " where job_id = ?",
        [rows, extraction_id, datetime.now(UTC), job_id],
    )
