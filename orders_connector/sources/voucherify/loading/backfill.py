"""Covers by export what the listing does not reach, and proves it by counting.

A *snapshot* exports every order. It proves itself: the listing says how many orders there are, and
the files must hold as many different ones. A file that was cut off silently is noticed that way,
and its window is exported again in halves. A *range* exports one window of version_at, by
`updated_at` and, for orders that were never updated, by `created_at`. It is trusted where its
files are shorter than one that a snapshot proved to be whole; otherwise a snapshot is made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from math import ceil

import duckdb

from orders_connector.account_load import AccountLoad, Commit, exports_folder
from orders_connector.errors import (
    CallBudgetExhausted,
    FeatureMissing,
    JobFailed,
    PermissionDenied,
    SourceError,
)
from orders_connector.landing import export_jobs
from orders_connector.landing.coverage import gaps_in, merged
from orders_connector.landing.profiles import note_answer
from orders_connector.landing.raw_log import Landed, land_rows
from orders_connector.sources.base import ExportWindow, Job, Reading, Window
from orders_connector.sources.voucherify.endpoints import TypedAnswer
from orders_connector.sources.voucherify.exporting import ExportedPiece, Exporting, halves
from orders_connector.sources.voucherify.extraction import CONTRACT
from orders_connector.sources.voucherify.models import OrderList
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["ROWS_PER_EXPORT", "Backfill", "Snapshot", "snapshot_windows"]

logger = logging.getLogger(__name__)

ROWS_PER_EXPORT = 250_000  # how many rows one file is planned to have; nothing is documented
LANDING_MEMORY = "1GB"
CREATED, UPDATED = "created_at", "updated_at"
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass
class Snapshot:
    """Every order of the source, as exported.

    Attributes:
        asked_at: Every order is known as it stood then or later, UTC.
        source_total: Orders that the listing counted meanwhile; the smaller of two looks.
        orders: Different orders in the files.
        unreadable: Rows of the files without an identity.
        whole: The files hold as many orders as the listing counts.
    """

    asked_at: datetime
    source_total: int | None
    orders: int
    unreadable: int

    @property
    def whole(self) -> bool:
        """True when no order can be missing."""
        return self.source_total is None or self.orders + self.unreadable >= self.source_total

    @property
    def surplus(self) -> int:
        """Orders that the files hold beyond those that the listing counts: deleted since, maybe."""
        return 0 if self.source_total is None else max(0, self.orders - self.source_total)


@dataclass
class Backfill:
    """Exports of one run over one account.

    Attributes:
        exports: Files that were landed.
        rows: Their rows.
    """

    load: AccountLoad
    exports: int = 0
    rows: int = 0
    _broken: dict[ExportWindow, int] = field(default_factory=dict)

    async def everything(self, asked: Window, *, again: bool) -> Reading:
        """Make a snapshot to cover `asked`, and record what it proves.

        Args:
            asked: Window of version_at.
            again: Begin anew although an interrupted snapshot may have landed files.

        Raises:
            SourceError: the source refused or failed for good; what was landed stays.
            CallBudgetExhausted: the run may make no more calls.
        """
        reading = Reading(window=asked)
        with self._recorded(reading):
            taken = await self.snapshot(again=again)
            reading.total, reading.read_everything = taken.source_total, taken.whole
            if not taken.whole:
                reading.reason = (
                    f"the source counts {taken.source_total:,} orders and its exports hold "
                    f"{taken.orders:,}, however small their windows; orders may be hidden from "
                    "exports for a while, so run again later"
                )
                return reading
            self._prove(reading, taken.asked_at)
        return reading

    async def window(self, asked: Window) -> Reading:
        """Export a window of version_at and record what is proven; may make a snapshot for it.

        Raises:
            SourceError: the source refused or failed for good; what was landed stays.
            CallBudgetExhausted: the run may make no more calls.
        """
        with self._warehouse() as con:
            first = export_jobs.longest_proven(con, *self._who) < 0
        if first:  # no file's length is trusted yet: go on with the snapshot that was interrupted
            return await self.everything(asked, again=False)
        reading = Reading(window=asked)
        with self._recorded(reading):
            try:
                known_until = await self._both_dates(asked) if asked.end else None
            except JobFailed as error:
                # Many orders that changed within the hour may be too many for one file; those
                # created within an hour are fewer.
                logger.warning("the export of %s failed: making a snapshot: %s", asked, error)
                known_until = None
            if known_until is not None:
                self._prove(reading, known_until)
                return reading
            reading.reason = "its files are not proven to be whole, so a snapshot follows"
        return await self.everything(asked, again=True)

    async def snapshot(self, *, again: bool) -> Snapshot:
        """Export every order, and look for more until the count is reached.

        Args:
            again: Begin anew; otherwise what an interrupted snapshot landed is not exported again.

        Raises:
            SourceError: the source refused or failed for good; what was landed stays.
            CallBudgetExhausted: the run may make no more calls.
        """
        if again:
            with self._warehouse() as con:
                export_jobs.close_landed(con, *self._who, "dropped")
        first = await self.load.client.list_orders(limit=1, order="created_at")
        history = _history(first)
        before = first.model.total
        done = [_closed(w) for w, _, _ in self._landed(CREATED)]
        for window in snapshot_windows(before or 0, history):
            for gap in gaps_in(merged(done), _closed(window)):
                await self._export(_opened(gap), history)
        last = await self.load.client.list_orders(limit=1, order="created_at")
        total = min((n for n in (before, last.model.total) if n is not None), default=None)
        taken = self._counted(total)
        while not taken.whole:
            # A file that was cut off silently is as long as any file gets. If its halves hold no
            # more than it did, it was whole, and so are all others.
            pieces = {w: rows for w, _, rows in self._landed(CREATED)}
            longest = max(pieces.values(), default=0)
            suspects = [w for w, rows in pieces.items() if 0 < rows == longest]
            cuts = [half for window in suspects for half in halves(window, history)]
            if not cuts:
                break
            logger.warning("%s files end after %s rows: maybe cut off", len(suspects), longest)
            for half in cuts:
                await self._export(half, history)
            with self._warehouse() as con:
                export_jobs.mark_cut_off(con, *self._who, suspects)
            before_cuts, taken = taken.orders, self._counted(total)
            if taken.orders == before_cuts:
                break
        # An order created after the first count may hide another one that is cut off.
        taken.asked_at = min(taken.asked_at, history[1])
        return taken

    async def _both_dates(self, asked: Window) -> datetime | None:
        """Return up to when a window is known, by the source's clock; None when unproven."""
        known_until = LATEST
        with self._warehouse() as con:
            trusted = export_jobs.longest_proven(con, *self._who)
        hidden = not self.load.profile.null_updated_at_in_exports
        # What came to be just before the window may have shown too late for the load before.
        overlap = timedelta(minutes=self.load.account.overlap_minutes)
        wanted = Window(asked.start - overlap, asked.end)
        for date_field in (UPDATED, CREATED) if hidden else (UPDATED,):
            done = [_closed(w) for w, at, _ in self._landed(date_field) if w.end and w.end <= at]
            for gap in gaps_in(merged(done), wanted):
                window = ExportWindow(date_field, gap.start, gap.end)
                until = await self._export(window, (gap.start, gap.end or LATEST))
                known_until = min(known_until, until)
            # A file as long as the longest one may have been cut off at just that length.
            if any(rows >= max(trusted, 1) for _, _, rows in self._landed(date_field)):
                logger.info("no file of this length was proven whole yet: making a snapshot")
                return None
        return known_until

    def _prove(self, reading: Reading, known_until: datetime) -> None:
        asked = reading.window
        end = min(known_until, asked.end or known_until)
        if end > asked.start:
            reading.proven = Window(asked.start, end)
        covered = [reading.proven] if reading.proven else []
        reading.missing = gaps_in(covered, asked) if asked.end else []
        if reading.missing:
            reading.reason = "the exports were made before the end of the window; run again"

    @contextmanager
    def _recorded(self, reading: Reading) -> Iterator[None]:
        """Record the extraction when the body ends, or when it raises a source's error."""
        started_at = datetime.now(UTC)
        error: Exception | None = None
        try:
            yield
        except (SourceError, CallBudgetExhausted) as problem:
            error, reading.reason = problem, str(problem)
            reading.proven = None
        if reading.proven is None and not reading.missing:
            reading.missing = [reading.window]
        status = "failed" if error else "incomplete" if reading.reason else "complete"

        def work(commit: Commit) -> Landed:
            if error is None:
                export_jobs.close_landed(
                    commit.con, *self._who, "used" if reading.proven else "dropped"
                )
            if reading.read_everything:
                self.load.accepted_difference = 0
            if isinstance(error, PermissionDenied | FeatureMissing):
                note_answer(commit.con, *self._who, "exports_allowed", "no", str(error), commit.at)
            return Landed()

        self.load.commit("export", reading, work, started_at=started_at, status=lambda: status)
        if error:
            raise error

    async def _export(self, window: ExportWindow, history: tuple[datetime, datetime]) -> datetime:
        """Export and land a window; return up to when it is known, by the source's clock."""
        account = self.load.account
        known_until = LATEST
        exporting = Exporting(
            self.load.client,
            exports_folder(self.load.settings, account),
            JobNotes(self.load),
            timeout_seconds=account.export_timeout_seconds,
            exponent=account.minor_unit_exponent,
            history=history,
            progress=self.load.progress,
        )
        with exporting:
            async with aclosing(exporting.pieces(window)) as pieces:
                async for piece in pieces:
                    self._land(piece)
                    known_until = min(known_until, piece.asked_at)
        return known_until

    def _land(self, piece: ExportedPiece) -> None:
        file, account, window = piece.file, self.load.account, piece.window
        start = window.start or datetime.combine(account.history_start, time(), UTC)
        reading = Reading(Window(start, window.end))
        reading.exports.append(
            {
                "export": str(window),
                "rows": file.rows,
                "broken_lines": len(file.broken),
                "header": file.header,
                "money": file.money,
                "metadata": file.metadata,
            }
        )

        def work(commit: Commit) -> Landed:
            rows = file.payloads(exponent=account.minor_unit_exponent)
            job = piece.job.job_id
            landed = land_rows(commit.con, rows, contract=CONTRACT, job_id=job, **commit.origin)
            landed.quarantined += _quarantine_lines(commit, piece)
            export_jobs.mark_landed(commit.con, job, file.rows, commit.extraction_id)
            return landed

        self.load.progress(f"landing {file.rows:,} rows of the export of {window}")
        self.load.commit(
            "export",
            reading,
            work,
            started_at=datetime.now(UTC),
            status=lambda: "landed",
            memory_limit=LANDING_MEMORY,
        )
        self.exports += 1
        self.rows += file.rows
        self._broken[window] = len(file.broken)

    def _counted(self, total: int | None) -> Snapshot:
        with self._warehouse() as con:
            ((orders, asked_at),) = con.execute(
                # A file without rows still tells when it was asked for, and holds no order.
                "select count(distinct (r.order_key, r.order_id))"
                " filter (where r.order_id is not null), min(j.asked_at)"
                " from ops.export_jobs as j"
                " left join raw.export_rows as r on r.job_id = j.job_id"
                f" where j.source = ? and j.account = ? and j.date_field = '{CREATED}'"
                " and j.status = 'landed'",
                [*self._who],
            ).fetchall()
        broken = sum(self._broken.get(window, 0) for window, _, _ in self._landed(CREATED))
        return Snapshot(asked_at, total, orders, broken)

    def _landed(self, date_field: str) -> list[tuple[ExportWindow, datetime, int]]:
        with self._warehouse() as con:
            return export_jobs.landed_windows(con, *self._who, date_field)

    @property
    def _who(self) -> tuple[str, str]:
        return self.load.account.source, self.load.account.name

    @contextmanager
    def _warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with warehouse_connection(self.load.settings) as con:
            yield con


@dataclass
class JobNotes:
    """Notes of exports in the warehouse; opened for each note, never held over HTTP."""

    load: AccountLoad

    def unfinished(self, window: ExportWindow) -> Job | None:
        """Return the job of this window that an earlier load left behind."""
        with warehouse_connection(self.load.settings) as con:
            return export_jobs.open_job(con, *self._who, window)

    def ask(self, window: ExportWindow) -> Job:
        """Note that an export is about to be started."""
        with warehouse_connection(self.load.settings) as con:
            return export_jobs.ask(con, *self._who, window)

    def started(self, job: Job, export_id: str, asked_at: datetime) -> None:
        """Note its id."""
        with warehouse_connection(self.load.settings) as con:
            export_jobs.mark_started(con, job.job_id, export_id, asked_at)

    def failed(self, job: Job, reason: str) -> None:
        """Note that it gave no usable file."""
        with warehouse_connection(self.load.settings) as con:
            export_jobs.mark_failed(con, job.job_id, reason)

    @property
    def _who(self) -> tuple[str, str]:
        return self.load.account.source, self.load.account.name


def snapshot_windows(orders: int, history: tuple[datetime, datetime]) -> list[ExportWindow]:
    """Divide all time into windows of about ROWS_PER_EXPORT orders, were they spread evenly."""
    files = max(1, ceil(orders / ROWS_PER_EXPORT))
    # In whole days, so that a load that was killed finds its export by the same window.
    start, end = (datetime.combine(moment.date(), time(), UTC) for moment in history)
    cuts = [start + timedelta(days=(end - start).days * n // files) for n in range(1, files)]
    cuts = sorted(set(cuts) - {start})
    bounds: list[datetime | None] = [None, *cuts, None]
    return [ExportWindow(CREATED, low, high) for low, high in pairwise(bounds)]


def _history(first: TypedAnswer[OrderList]) -> tuple[datetime, datetime]:
    """Return when the oldest order was created, and now, by the source's clock."""
    now = first.answer.date or datetime.now(UTC)
    orders = [order for order in first.model.orders or [] if order]
    oldest = _time(orders[0].created_at) if orders else None
    return min(oldest or now, now - timedelta(days=1)), now


def _closed(window: ExportWindow) -> Window:
    return Window(window.start or EARLIEST, window.end or LATEST)


def _opened(window: Window) -> ExportWindow:
    start = None if window.start == EARLIEST else window.start
    return ExportWindow(CREATED, start, None if window.end == LATEST else window.end)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _quarantine_lines(commit: Commit, piece: ExportedPiece) -> int:
    for line in piece.file.broken:
        commit.con.execute(
            "insert into ops.quarantine values"
            " (?, ?, null, null, 'export', ?, md5(?), ?, ?, 1, ?, ?)",
            [
                commit.origin["source"],
                commit.origin["account"],
                f"line {line.line} of the export of {piece.window}: {line.reason}",
                line.raw,
                line.raw,
                commit.extraction_id,
                line.line,
                commit.at,
            ],
        )
    return len(piece.file.broken)
