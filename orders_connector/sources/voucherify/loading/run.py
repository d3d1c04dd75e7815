"""One load of one account: ask what is missing, read it, land it, and say what is proven."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.errors import (
    CallBudgetExhausted,
    SourceError,
)
from orders_connector.landing.coverage import coverage_of, gaps_in, load_state
from orders_connector.landing.raw_log import Landed, land
from orders_connector.landing.spool import Spool
from orders_connector.results import Hydrated, Progress, SyncResult, whole_days
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.voucherify.extraction import (
    CONTRACT,
    REACH_ENDED,
    SWEEP_BEGAN,
    SWEEP_ENDED,
    SWEPT_TO,
    ListingExtraction,
)
from orders_connector.sources.voucherify.loading.backfill import Backfill
from orders_connector.sources.voucherify.loading.hydration import hydrate, waiting_orders
from orders_connector.sources.voucherify.loading.known_places import Places
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
    nulls_first: bool = False  # orders without `updated_at` come first in its sort order
    past: bool = False  # the window was covered before, so counts say nothing new

    async def run(self, window: Window | None) -> SyncResult:
        """List what is new, or the window; export what that leaves open; fetch items."""
        load, account = self.load, self.load.account
        backfill, hydrated = Backfill(load), Hydrated()
        error: Exception | None = None
        if load.state.covered_to is None and self._swept:
            error = await self._sweep()
            with warehouse_connection(load.settings) as con:
                load.state = load_state(con, account.source, account.name)
        covered_to = load.state.covered_to
        begin = covered_to or datetime.combine(account.history_start, time(), UTC)
        self.past = bool(window and window.end and covered_to and window.end <= covered_to)
        if window and self.past:
            asked = window
            reading = Reading(window=asked)
            if not self._gaps(asked):
                reading, error = await self._list(asked)
        else:
            asked = Window(min(window.start, begin), window.end) if window else Window(begin)
            new = asked if self.reread else Window(begin, asked.end)
            if error is None:
                reading, error = await self._list(new)
            else:
                reading = Reading(asked, missing=[asked], reason=str(error))
            reading.window = asked
            if error is None and reading.reason is None:
                error = await self._go_on(reading)
            elif (
                error and not reading.missing
            ):  # what this run was to read is proven, not what was left
                history = datetime.combine(account.history_start, time(), UTC)
                reading.missing = self._gaps(Window(history))
        if error is None:
            error = await self._fill(backfill, asked, reading)
        if error is None and self.hydration_calls != 0:
            walked = {walk.order for walk in reading.walks if walk.ended in {"cap", "end"}}
            # It stops by itself when calls are used up, and keeps what it read until then.
            limits = (self.hydration_calls, load.calls_left)
            most = min((limit for limit in limits if limit is not None), default=None)
            hydrated = await hydrate(load, most_calls=most, days=self.days, walked=walked)
        else:
            hydrated.awaiting = self.awaiting()
        return self.result(reading, error, backfill, hydrated)

    async def _go_on(self, listed: Reading) -> Exception | None:
        """Read on where earlier runs had to stop, as far as the listing reaches.

        New windows that were not read to their start come first, then a walk to the end of the
        listing that is under way.
        """
        history = Window(datetime.combine(self.load.account.history_start, time(), UTC))
        if not self._behind():
            return None
        error: Exception | None = None
        for gap in self._left():
            error = error or await self._list_gap(gap)
        if error is None and self._swept:
            error = await self._sweep()
        self._restate(listed, history, error)
        return error

    def _behind(self) -> bool:
        """True when earlier runs left something that the listing shows."""
        return self._swept or bool(self._left())

    def _left(self) -> list[Window]:
        """Return the windows that the listing shows and no walk to its end will, newest first."""
        begin = datetime.combine(self.load.account.history_start, time(), UTC)
        if self.load.state.covered_to is None:
            return []
        if self._swept:
            begin = self.load.state.watermarks[SWEEP_BEGAN]
        gaps = reversed(self._gaps(Window(begin)))
        return [gap for gap in gaps if gap.end is not None and self._reachable(gap)]

    async def _list_gap(self, gap: Window) -> Exception | None:
        """Read a window above which everything is known."""
        with self._listing() as (spool, listing):
            place = Places(self.load).above
            reading, error = await _guarded(
                listing, gap, listing.go_on(gap, place, nulls_first=self.nulls_first)
            )
            self._commit(spool, reading, error, may_go_deeper=False, counted=False)
        return error

    async def _sweep(self) -> Exception | None:
        """Go on with the walk to the end of the listing that earlier runs began."""
        load, account = self.load, self.load.account
        began, swept_to = load.state.watermarks[SWEEP_BEGAN], load.state.watermarks[SWEPT_TO]
        asked = Window(datetime.combine(account.history_start, time(), UTC), began)
        with self._listing() as (spool, listing):
            error: Exception | None = None
            try:
                reading = await listing.sweep(asked, Places(load).above, swept_to)
            except (SourceError, CallBudgetExhausted) as problem:
                reading, error = listing.swept(asked), problem
                reading.reason = str(problem)
            if SWEPT_TO in reading.watermarks:
                reading.watermarks[SWEPT_TO] = min(swept_to, reading.watermarks[SWEPT_TO])
            self._commit(spool, reading, error, may_go_deeper=False, counted=False)
        return error

    def _reachable(self, gap: Window) -> bool:
        """True when the listing shows where a gap begins, seen from above, by both dates."""
        ended = self.load.state.watermarks.get(REACH_ENDED)
        if ended and gap.end and gap.end <= ended:
            return False
        reach, places = Reach(pages=self.load.profile.last_page), Places(self.load)
        above = (
            places.above("updated_at", gap.end, self.nulls_first),
            places.above("created_at", gap.end, False),
        )
        return max(above) + reach.limit <= reach.orders

    def _restate(self, listed: Reading, history: Window, error: Exception | None) -> None:
        """Say what is proven and missing after reading on; the counts must add up in the end."""
        load, account = self.load, self.load.account
        with warehouse_connection(load.settings) as con:
            covered = coverage_of(con, account.source, account.name)
        listed.missing, listed.reason = self._gaps(history), None
        if covered:
            start = max(listed.window.start, covered[-1].start)
            listed.proven = Window(start, covered[-1].end)
        if error:
            listed.reason = str(error)
        elif not listed.missing and listed.total is not None:
            more = listed.total - load.known_orders - load.unnamed_orders()
            if more > load.accepted_difference:
                _disclaim(listed, more - load.accepted_difference)
            load.accepted_difference = min(more, load.accepted_difference)

    @property
    def _swept(self) -> bool:
        """True while a walk to the end of the listing is under way that earlier runs began."""
        marks = self.load.state.watermarks
        began = marks.get(SWEEP_BEGAN)
        return began is not None and began != marks.get(SWEEP_ENDED)

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
                # A snapshot proves itself by its count, also one that an earlier run began.
                filled = await backfill.everything(span, again=not first and not gaps)
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
        load = self.load
        reach = Reach(pages=load.profile.last_page)
        covered_to = load.state.covered_to
        with self._listing() as (spool, listing):
            if self.past:
                awaited = listing.read_past(asked)
            else:
                awaited = listing.read(
                    asked, watermarks=load.state.watermarks, first_load=covered_to is None
                )
            reading, error = await _guarded(listing, asked, awaited)
            self.nulls_first = listing.nulls_first
            deeper = reading.total is not None and reading.total <= reach.orders
            try:
                # What earlier runs had to leave is counted when it is read.
                counted = not self._behind()
                self._commit(spool, reading, error, may_go_deeper=deeper, counted=counted)
            except _CountsDoNotAddUp:
                reading, error = await _guarded(listing, asked, listing.go_deeper())
                self._commit(spool, reading, error, may_go_deeper=False)
            return reading, error

    @contextmanager
    def _listing(self) -> Iterator[tuple[Spool, ListingExtraction]]:
        load = self.load
        with (
            Spool(load.settings.warehouse.path.parent) as spool,
            ListingExtraction(
                load.client,
                spool,
                overlap=timedelta(minutes=load.account.overlap_minutes),
                progress=self.progress,
                reach=Reach(pages=load.profile.last_page),
                place=Places(load).above,
                side_by_side=load.call_budget is not None,
            ) as listing,
        ):
            yield spool, listing

    def _commit(
        self,
        spool: Spool,
        reading: Reading,
        error: Exception | None,
        *,
        may_go_deeper: bool,
        counted: bool = True,
    ) -> None:
        """Land rows, watermarks and coverage in one transaction.

        Args:
            spool: The pages.
            reading: What is proven.
            error: What ended the reading.
            may_go_deeper: More can be read to explain the count.
            counted: What the source counts has to be explained; not by a part of a reading.

        Raises:
            _CountsDoNotAddUp: nothing was landed; a deeper reading may explain the difference.
        """
        load = self.load
        accepted = load.accepted_difference

        def work(commit: Commit) -> Landed:
            landed = land(commit.con, spool.batches, contract=CONTRACT, **commit.origin)
            if reading.read_everything and self._swept:
                reading.watermarks[SWEEP_ENDED] = load.state.watermarks[SWEEP_BEGAN]
            if counted and error is None and reading.total is not None and not self.past:
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
        load.state.watermarks.update(reading.watermarks)

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
    """Return what is proven; a reading that an error cut off proves what it had passed."""
    try:
        return await reading, None
    except (SourceError, CallBudgetExhausted) as error:
        cut_off = listing.reading(asked)
        cut_off.reason = str(error)
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
