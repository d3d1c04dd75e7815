"""Which windows are proven, and which are not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from orders_connector.landing.raw_log import Landed
from orders_connector.sources.base import Reading, Window

__all__ = [
    "ExtractionRecord",
    "LoadState",
    "coverage_of",
    "gaps_in",
    "load_state",
    "merged",
    "record_extraction",
]


@dataclass(frozen=True)
class LoadState:
    """What earlier loads of an account left behind.

    Attributes:
        covered_to: End of the newest proven window, UTC; None before the first load.
        watermarks: Sort key to newest value seen on a first page.
        known_orders: Orders the warehouse knows of.
        accepted_difference: How many more orders the source counted than we knew, when we last
            knew why: orders outside all proven windows, less vanished ones. Never grows.
    """

    covered_to: datetime | None
    watermarks: dict[str, datetime]
    known_orders: int
    accepted_difference: int


@dataclass
class ExtractionRecord:
    """One row of ops.extractions."""

    extraction_id: str
    source: str
    account: str
    strategy: str
    status: str
    started_at: datetime
    ended_at: datetime
    calls: int
    bytes_received: int
    known_orders: int
    accepted_difference: int
    reading: Reading
    landed: Landed


def load_state(con: duckdb.DuckDBPyConnection, source: str, account: str) -> LoadState:
    """Return what the next load of an account starts from."""
    who = [source, account]
    covered = coverage_of(con, source, account)
    watermarks = con.execute(
        "select sort_key, watermark from ops.watermarks where source = ? and account = ?", who
    ).fetchall()
    last = con.execute(
        "select known_orders, accepted_difference from ops.extractions"
        " where source = ? and account = ? order by ended_at desc limit 1",
        who,
    ).fetchall()
    return LoadState(
        covered_to=covered[-1].end if covered else None,
        watermarks=dict(watermarks),
        known_orders=last[0][0] if last else 0,
        accepted_difference=last[0][1] if last else 0,
    )


def coverage_of(con: duckdb.DuckDBPyConnection, source: str, account: str) -> list[Window]:
    """Return the proven windows of an account, merged, oldest first."""
    rows = con.execute(
        "select covered_from, covered_to from ops.coverage where source = ? and account = ?",
        [source, account],
    ).fetchall()
    return merged([Window(start, end) for start, end in rows])


def merged(windows: list[Window]) -> list[Window]:
    """Join windows that overlap or touch, oldest first."""
    result: list[Window] = []
    for window in sorted(windows, key=lambda w: w.start):
        if result and window.start <= _end(result[-1]):
            result[-1] = Window(result[-1].start, max(_end(result[-1]), _end(window)))
        else:
            result.append(window)
    return result


def gaps_in(covered: list[Window], asked: Window) -> list[Window]:
    """Return the parts of `asked` that no window of `covered` (merged) contains."""
    gaps = []
    start, end = asked.start, _end(asked)
    for window in covered:
        if window.start > start:
            gaps.append(Window(start, min(window.start, end)))
        start = max(start, _end(window))
        if start >= end:
            break
    if start < end:
        gaps.append(Window(start, asked.end))
    return [gap for gap in gaps if gap.start < _end(gap)]


def _end(window: Window) -> datetime:
    return window.end or datetime.max.replace(tzinfo=UTC)


def record_extraction(con: duckdb.DuckDBPyConnection, record: ExtractionRecord) -> None:
    """Write the extraction, its coverage and its watermarks, in the caller's transaction."""
    reading, landed = record.reading, record.landed
    missing = [[w.start, w.end] for w in reading.missing]
    row = [
        record.extraction_id,
        record.source,
        record.account,
        record.strategy,
        reading.window.start,
        reading.window.end,
        record.status,
        reading.reason,
        json.dumps(missing, default=str),
        record.started_at,
        record.ended_at,
        record.calls,
        record.bytes_received,
        landed.orders_read,
        landed.versions,
        landed.quarantined,
        reading.total,
        record.known_orders,
        record.accepted_difference,
        json.dumps(reading.evidence(), default=str),
    ]
    con.execute(f"insert into ops.extractions values ({', '.join('?' * len(row))})", row)
    if reading.proven is not None and reading.proven.end is not None:
        con.execute(
            "insert into ops.coverage values (?, ?, ?, ?, ?)",
            [
                record.source,
                record.account,
                reading.proven.start,
                reading.proven.end,
                record.extraction_id,
            ],
        )
    for sort_key, watermark in reading.watermarks.items():
        con.execute(
            "delete from ops.watermarks where source = ? and account = ? and sort_key = ?",
            [record.source, record.account, sort_key],
        )
        con.execute(
            "insert into ops.watermarks values (?, ?, ?, ?, ?)",
            [record.source, record.account, sort_key, watermark, record.extraction_id],
        )
