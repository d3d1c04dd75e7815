"""One load of one account: ask what is missing, read it, land it, and say what is proven."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.errors import (
    CallBudgetExhausted,
    SourceError,
)
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.landing.raw_log import Landed, land
from orders_connector.landing.spool import Spool
from orders_connector.results import Hydrated, Progress, SyncResult, whole_days
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.voucherify.extraction import CONTRACT, ListingExtraction
from orders_connector.sources.voucherify.loading.backfill import Backfill
from orders_connector.sources.voucherify.loading.hydration import hydrate, waiting_orders
from orders_connector.sources.voucherify.paging import Reach
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["AccountRun"]

T = TypeVar("T")


class _CountsDoNotAddUp(Exception):
    """The source counts more orders than all windows explain."""


@dataclass
class AccountRun:
    """One run over one account, in one event loop.

    Attributes:
        hydration_calls: Requests to spend on items; None for what the budget allows, 0 for none.
        days: Only items of these business dates, the last exclusive.
    """

    load: AccountLoad
    progress: Progress | None
    hydration_calls: int | None
    days: tuple[date, date] | None = None
    reread: bool = True  # what is covered already is listed again where the window asks for it
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    extraction_id: str = ""
    unexplained: bool = False
    past: bool = False  # the window was covered before, so counts say nothing new

    async def run(self, window: Window | None) -> SyncResult:
        """List what is new, or the window; export what that leaves open; fetch items."""
        load, account = self.load, self.load.account
        backfill, hydrated = Backfill(load), Hydrated()
        covered_to = load.state.covered_to
        begin = covered_to or datetime.combine(account.history_start, time(), UTC)
        self.past = bool(window and window.end and covered_to and window.end <= covered_to)
        error: Exception | None = None
        if window and self.past:
            asked = window
            reading = Reading(window=asked)
            if not self._gaps(asked):
                reading, error = await self._list(asked)
        else:
            asked = Window(min(window.start, begin), window.end) if window else Window(begin)
            new = asked if self.reread else Window(begin, asked.end)
            reading, error = await self._list(new)
            reading.window = asked
        if error is None:
            error = await self._fill(backfill, asked, reading)
        if error is None and self.hydration_calls != 0:
            walked = {walk.order for walk in reading.walks if walk.ended in {"cap", "end"}}
            hydrated = await hydrate(
                load, most_calls=self.hydration_calls, days=self.days, walked=walked
            )
        else:
            hydrated.awaiting = self.awaiting()
        return self.result(reading, error, backfill, hydrated)

    async def _fill(self, backfill: Backfill, asked: Window, listed: Reading) -> Exception | None:
        """Export what is still missing, also of earlier loads; say in `listed` what remains."""
        account = self.load.account
        begin = datetime.combine(account.history_start, time(), UTC)
        since_begin = Window(min(asked.start, begin), asked.end)
        gaps = self._gaps(since_begin)
        if not gaps and listed.missing:
            gaps = listed.missing
        if not gaps and not self.unexplained:
            return None
        if not self.load.profile.exports_allowed:
            if listed.reason:
                listed.reason += (
                    "; the source refuses exports for this key (`doctor --probe` asks again)"
                )
            return None
        first = self.load.state.covered_to is None
        error: Exception | None = None
        reasons = []
        try:
            if first or self.unexplained:
                span = Window(gaps[0].start, gaps[-1].end) if gaps else asked
                filled = await backfill.everything(span, again=not first)
                reasons.append(filled.reason)
                listed.total = filled.total if filled.total is not None else listed.total
            else:
                for gap in gaps:
                    filled = await backfill.window(gap)
                    reasons.append(filled.reason)
        except (SourceError, CallBudgetExhausted) as problem:
            reasons.append(str(problem))
            error = problem
        left = self._gaps(asked)
        reason = next((reason for reason in reasons if reason), None)
        with warehouse_connection(self.load.settings) as con:
            covered = coverage_of(con, account.source, account.name)
        if covered and covered[-1].start < (listed.proven or covered[-1]).start:
            listed.proven = Window(max(asked.start, covered[-1].start), covered[-1].end)
        elif covered and listed.proven is None and not left:
            listed.proven = Window(asked.start, asked.end or covered[-1].end)
        listed.missing = self._gaps(since_begin) if reason else left  # also of earlier loads
        listed.reason = reason if reason else (listed.reason if left else None)
        return error if left or self.unexplained else None

    def awaiting(self) -> int:
        """Return how many orders are known from exports alone."""
        account = self.load.account
        with warehouse_connection(self.load.settings) as con:
            return waiting_orders(con, account.source, account.name, self.days)

    def _gaps(self, asked: Window) -> list[Window]:
        """Return what is not covered of a window; without an end, up to what is covered."""
        account = self.load.account
        with warehouse_connection(self.load.settings) as con:
            covered = coverage_of(con, account.source, account.name)
        if asked.end is None:
            if not covered:
                return [asked]
            asked = Window(asked.start, covered[-1].end)
        return gaps_in(covered, asked) if asked.end is None or asked.start < asked.end else []

    async def _list(self, asked: Window) -> tuple[Reading, Exception | None]:
        load, account = self.load, self.load.account
        overlap = timedelta(minutes=account.overlap_minutes)
        reach = Reach(pages=load.profile.last_page)
        covered_to = load.state.covered_to
        with (
            Spool(load.settings.warehouse.path.parent) as spool,
            ListingExtraction(
                load.client, spool, overlap=overlap, progress=self.progress, reach=reach
            ) as listing,
        ):
            if self.past:
                awaited = listing.read_past(asked)
            else:
                awaited = listing.read(
                    asked, watermarks=load.state.watermarks, first_load=covered_to is None
                )
            reading, error = await _guarded(listing, asked, awaited)
            deeper = reading.total is not None and reading.total <= reach.orders
            try:
                self._commit(spool, reading, error, may_go_deeper=deeper)
            except _CountsDoNotAddUp:
                reading, error = await _guarded(listing, asked, listing.go_deeper())
                self._commit(spool, reading, error, may_go_deeper=False)
            return reading, error

    def _commit(
        self, spool: Spool, reading: Reading, error: Exception | None, *, may_go_deeper: bool
    ) -> None:
        """Land rows, watermarks and coverage in one transaction.

        Raises:
            _CountsDoNotAddUp: nothing was landed; a deeper reading may explain the difference.
        """
        load = self.load
        accepted = load.accepted_difference

        def work(commit: Commit) -> Landed:
            landed = land(commit.con, spool.batches, contract=CONTRACT, **commit.origin)
            if error is None and reading.total is not None and not self.past:
                known = load.known_orders + landed.new_orders
                difference = reading.total - known - commit.unnamed
                explained = self._explained_difference(reading, difference)
                if difference > explained:
                    if may_go_deeper and not reading.read_everything:
                        raise _CountsDoNotAddUp
                    _disclaim(reading, difference - explained)
                    self.unexplained = True
                load.accepted_difference = min(difference, explained)
            return landed

        def status() -> str:
            return "failed" if error else "incomplete" if reading.reason else "complete"

        try:
            self.extraction_id = load.commit(
                "listing",
                reading,
                work,
                started_at=self.started_at,
                status=status,
                memory_limit=spool.landing_memory,
            )
        except _CountsDoNotAddUp:
            load.accepted_difference = accepted
            raise

    def _explained_difference(self, reading: Reading, difference: int) -> int:
        """Return how many orders the source may count beyond those we know.

        Zero when everything was read. On a first load the rest lies before the window or in the
        missing part that the reading names. Later, no more than then.
        """
        if reading.read_everything:
            return 0
        if self.load.state.covered_to is None:
            return difference
        return self.load.state.accepted_difference

    def result(
        self,
        reading: Reading,
        error: Exception | None,
        backfill: Backfill,
        hydrated: Hydrated,
    ) -> SyncResult:
        """Put together what was done."""
        load = self.load
        failed = error is not None and (reading.reason is not None or bool(reading.missing))
        return SyncResult(
            extraction_id=load.last_extraction_id,
            account=load.account.name,
            source=load.account.source,
            status="failed" if failed else "incomplete" if reading.reason else "complete",
            reading=reading,
            landed=load.landed,
            calls=load.client.transport.calls,
            bytes_received=load.client.transport.bytes_received,
            seconds=(datetime.now(UTC) - self.started_at).total_seconds(),
            known_orders=load.known_orders,
            exports=backfill.exports,
            hydrated=hydrated,
            days=whole_days(reading.proven),
            error=error if failed else None,
        )


async def _guarded(
    listing: ListingExtraction, asked: Window, reading: Awaitable[Reading]
) -> tuple[Reading, Exception | None]:
    """Return what is proven; a reading that an error cut off proves nothing."""
    try:
        return await reading, None
    except (SourceError, CallBudgetExhausted) as error:
        cut_off = listing.reading(asked)
        cut_off.proven, cut_off.watermarks = None, {}
        cut_off.missing, cut_off.reason = [asked], str(error)
        return cut_off, error


def _disclaim(reading: Reading, orders: int) -> None:
    """Take back the claim of completeness: some orders are not explained by any window."""
    if reading.read_everything:
        reading.proven, reading.watermarks = None, {}
        reading.missing = [reading.window]
        why = "although the listing was read to its end; it moved meanwhile, so run again"
    else:
        why = "and the listing does not reach them; they are back-dated or were hidden from it"
    counted = "one more order" if orders == 1 else f"{orders:,} more orders"
    reading.reason = f"the source counts {counted} than all windows explain, {why}"
