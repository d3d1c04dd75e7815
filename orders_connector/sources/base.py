"""What a source must offer: windows in, order payloads and proof of coverage out.

A source knows nothing of the warehouse. It reads pages into a spool and says what it can prove;
landing takes the spool apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

__all__ = ["ExportWindow", "Job", "PageSink", "PayloadContract", "Reading", "Walk", "Window"]


@dataclass(frozen=True)
class Window:
    """Half-open UTC interval `[start, end)` of version_at. `end` None means up to the head."""

    start: datetime
    end: datetime | None = None

    def __str__(self) -> str:
        end = self.end.isoformat() if self.end else "now"
        return f"[{self.start.isoformat()}, {end})"


@dataclass(frozen=True)
class ExportWindow:
    """What one export is asked for: `[start, end)` of one of the order's dates, UTC.

    Attributes:
        date_field: `created_at` or `updated_at`.
        start: None for no lower bound.
        end: None for no upper bound.
    """

    date_field: str
    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        start = self.start.isoformat() if self.start else "..."
        end = self.end.isoformat() if self.end else "..."
        return f"{self.date_field} [{start}, {end})"


@dataclass(frozen=True)
class Job:
    """An export that was asked for, maybe by a load that was killed since.

    Attributes:
        export_id: Id of the source; None when its answer was never seen.
        asked_at: When it was asked for, UTC.
    """

    job_id: str
    export_id: str | None
    asked_at: datetime


class PageSink(Protocol):
    """Where a source puts the pages that it reads."""

    def add(self, body: bytes, channel: str) -> int:
        """Keep one page of valid JSON and return its number; `channel` says how it came."""


@dataclass(frozen=True)
class PayloadContract:
    """How a source lays out its JSON, as far as landing needs it.

    Attributes:
        orders_path: Where a page keeps its array of orders.
        id_path: Where an order keeps its identity.
        version_paths: Where an order keeps version_at, best first.
        shapes: JSON type (`ARRAY`, `OBJECT`) that each path has when it is there and not null.
    """

    orders_path: str
    id_path: str
    version_paths: tuple[str, ...]
    shapes: Mapping[str, Literal["ARRAY", "OBJECT"]]


@dataclass
class Walk:
    """Evidence of one walk through a listing.

    Attributes:
        order: Sort order of the listing, as sent.
        floor: The walk may stop below this key, UTC; None means it goes to the end.
        ended: Why it stopped: `floor`, `nulls` (no later row has the key), `end` of the listing,
            `head` (only the first page was wanted), `cap` (page numbers end), or `moving` (the
            listing did not hold still).
        pages: Pages read and kept.
        sought: Pages read to find where the window begins; 0 for a walk from the top.
        rereads: Pages read again because nothing tied them to what had been read.
        orders_seen: Distinct orders on them.
        first_total: Orders the source counted when the walk began.
        last_total: Orders it counted on the last page.
        head: Newest key on the first page, UTC.
        oldest: Oldest key read, UTC.
        asked_at: The source's own clock at the first page, UTC; None when it sends none.
    """

    order: str
    floor: datetime | None
    ended: str = ""
    pages: int = 0
    sought: int = 0
    rereads: int = 0
    orders_seen: int = 0
    first_total: int | None = None
    last_total: int | None = None
    head: datetime | None = None
    oldest: datetime | None = None
    asked_at: datetime | None = None

    @property
    def proven(self) -> bool:
        """True when nothing at or above the floor was skipped."""
        return self.ended in {"floor", "nulls", "end", "head"}


@dataclass
class Reading:
    """What a source read for a window and what it can prove.

    Attributes:
        proven: The window that is covered, None when nothing is.
        missing: Parts of the window asked for that are not covered.
        reason: Why something is missing; None when nothing is.
        watermarks: Sort key to newest value on the first page; None values are left out.
        total: Orders the source says it has, at the time of the reading.
        read_everything: True when the listing was read to its end.
        walks: Evidence of the listing.
        exports: Evidence of files.
    """

    window: Window
    proven: Window | None = None
    missing: list[Window] = field(default_factory=list)
    reason: str | None = None
    watermarks: dict[str, datetime] = field(default_factory=dict)
    total: int | None = None
    read_everything: bool = False
    walks: list[Walk] = field(default_factory=list)
    exports: list[dict[str, Any]] = field(default_factory=list)

    def evidence(self) -> list[dict[str, Any]]:
        """Return walks and files as plain data."""
        return [asdict(walk) for walk in self.walks] + self.exports
