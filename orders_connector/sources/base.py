"""What a source must offer: windows in, order payloads and proof of coverage out.

A source knows nothing of the warehouse. It reads pages into a spool and says what it can prove;
landing takes the spool apart.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

__all__ = [
    "Answered",
    "ExportWindow",
    "Job",
    "Known",
    "OrderReader",
    "PageSink",
    "PayloadContract",
    "Reading",
    "Step",
    "Walk",
    "Window",
]


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
        id_path: Where an order keeps its identity; where a part of an order keeps the order's.
        version_paths: Where an order keeps version_at, best first.
        shapes: JSON type (`ARRAY`, `OBJECT`) that each path has when it is there and not null.
        part_path: Where a part that is sent on its own (a license) keeps its identity; None when
            the rows are orders.
        undated: Orders change without a later time. Then version_at is the latest of
            `version_paths`, and a version that is no later than the one before it is dated by
            when it was seen.
        drifting: Keys below an object that change although the order does not, such as a customer's
            number of orders: path of the object to the keys. The content hash leaves them out.
        status_path: Where an order keeps its status; None when its settled state is not told.
        settled: Statuses in which an order changes no more without a date that windows look at.
    """

    orders_path: str
    id_path: str
    version_paths: tuple[str, ...]
    shapes: Mapping[str, Literal["ARRAY", "OBJECT"]]
    part_path: str | None = None
    undated: bool = False
    drifting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    status_path: str | None = None
    settled: tuple[str, ...] = ()


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
        gone: Ids of orders that the source says are not there any more, with its answer as JSON.
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
    gone: list[tuple[str, str]] = field(default_factory=list)

    def evidence(self) -> list[dict[str, Any]]:
        """Return walks and files as plain data."""
        return [asdict(walk) for walk in self.walks] + self.exports


@dataclass(frozen=True)
class Step:
    """One part of a plan.

    Attributes:
        how: A word for the kind of requests, such as listing, seek, export, pages (of the listing,
            for items), items (one by one) or windows.
        calls: Requests it is expected to make.
        what: What it brings, in words.
    """

    how: str
    calls: int
    what: str


@dataclass(frozen=True)
class Known:
    """What earlier loads of an account left behind, as far as a reader asks for it.

    Attributes:
        covered: Proven windows, merged, oldest first.
        watermarks: What the reader itself noted with its last proven readings, UTC.
        profile: Answers of the account's probes, by capability.
        unsettled: Returns the ids of orders whose newest version is not settled, newest first.
    """

    covered: Sequence[Window]
    watermarks: Mapping[str, datetime]
    profile: Mapping[str, str]
    unsettled: Callable[[], list[str]]


@dataclass
class Answered:
    """What the source said when it was asked for single orders.

    Attributes:
        gone: Ids of orders that are not there any more, with the answer as JSON.
        unreadable: Ids whose answer cannot be used, with the reason.
        stopped: What ended it before its time; other ids were not asked for.
    """

    gone: list[tuple[str, str]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    stopped: Exception | None = None


class OrderReader(Protocol):
    """How the orders of a source without exports are read: by windows, by id, or all of them.

    A reader makes requests, puts pages into a sink and says what they prove. Each `Reading` that
    it yields is a point at which all pages so far may be landed and their proof recorded, so a run
    that stops is continued from there. Errors of the source are raised; what was read stays in the
    sink.
    """

    @property
    def contracts(self) -> Mapping[str, PayloadContract]:
        """How the pages of each channel are laid out."""

    def read(self, asked: Window, known: Known, pages: PageSink) -> AsyncGenerator[Reading]:
        """Cover a window. The readings' `proven` windows together are what is covered."""

    def reread(self, known: Known, pages: PageSink) -> AsyncGenerator[Reading]:
        """Read again what may have changed without a date that `read` looks at."""

    def read_all(self, pages: PageSink) -> AsyncGenerator[Reading]:
        """Read every order there is.

        Only the last reading says `read_everything`; the end of its `proven` is the moment, by the
        source's clock, from which on each order is known as it stood then or later.
        """

    async def ask(self, ids: Sequence[str], pages: PageSink) -> Answered:
        """Ask for orders by id; those that are there go into the sink."""

    async def count(self) -> int | None:
        """Ask how many orders the source has; None when it does not say."""

    async def count_before(self, begin: datetime) -> int | None:
        """Ask how many of them no window from `begin` on shows; None when it cannot be told."""

    async def estimate(self, windows: Sequence[Window], known: Known, total: int) -> list[Step]:
        """Say what `read` will cost, after a few questions.

        Args:
            windows: What is not covered yet.
            known: As for `read`.
            total: What `count` said, or else the orders that the warehouse knows.
        """
