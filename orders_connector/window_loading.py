"""Loads sources that are read by windows alone: no exports, nothing known from headers only.

What a window covers is proven by the reader. What changes without a date is read again on every
run; what is left after that, a comparison of everything finds (`full_comparison`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.errors import CallBudgetExhausted, FeatureMissing, SourceError
from orders_connector.full_comparison import FullComparison
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.landing.raw_log import GONE, Landed, land_gone
from orders_connector.portions import Portions
from orders_connector.results import (
    Hydrated,
    Plan,
    Progress,
    Reconciliation,
    SyncResult,
    whole_days,
)
from orders_connector.sources.base import Known, OrderReader, Reading, Window
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import count_rows

__all__ = ["WindowLoading"]

logger = logging.getLogger(__name__)

UNSETTLED = f"""
    select r.order_id
    from (
        select order_key, order_id, max(version_at) as version_at,
            arg_max(version_id, (version_at, version_id)) filter (where channel <> '{GONE}')
                as version_id
        from raw.order_payloads
        where source = $source and account = $account and part_id is null
            and quarantine_reason is null
        group by order_key, order_id
        having arg_max(channel, version_id) <> '{GONE}'
    ) as r
    inner join raw.order_payloads as p on p.version_id = r.version_id
    where coalesce(json_extract_string(p.payload, $path), '')
        not in (select unnest($settled::varchar[]))
    order by r.version_at desc, r.order_id
"""


@dataclass(frozen=True)
class WindowLoading:
    """What `sync`, `backfill` and the other verbs do for a source that is read by windows.

    Attributes:
        reader: Makes the reader of an account's open load.
    """

    reader: Callable[[AccountLoad], OrderReader]

    async def sync(
        self,
        load: AccountLoad,
        window: Window | None,
        *,
        hydration_calls: int | None,
        progress: Progress | None,
    ) -> SyncResult:
        """Read what is new, or a window; and again what may have changed without a date."""
        return await _Run(load, self.reader(load), progress, reread=True).run(window)

    async def backfill(
        self,
        load: AccountLoad,
        window: Window,
        *,
        hydration_calls: int | None,
        progress: Progress | None,
    ) -> SyncResult:
        """Cover a window; one that is covered already is read again."""
        return await _Run(load, self.reader(load), progress, reread=False).run(window)

    async def export(self, load: AccountLoad, window: Window) -> SyncResult:
        """Refuse: this source makes no exports.

        Raises:
            FeatureMissing: always.
        """
        raise FeatureMissing(
            f"{load.account.source} makes no exports that can be landed. `backfill` reads {window} "
            "as well",
            account=load.account.name,
        )

    async def hydrate(self, load: AccountLoad, calls: int) -> Hydrated:
        """Do nothing: orders always come in full."""
        return Hydrated()

    async def plan(self, load: AccountLoad, window: Window) -> Plan:
        """Say what `backfill` will cost, after a few questions."""
        reader = self.reader(load)
        known = _known(load, reader)
        total = await reader.count()
        plan = Plan(load.account.name, window, load.known_orders if total is None else total)
        windows = gaps_in(list(known.covered), window) or [window]
        plan.steps = await reader.estimate(windows, known, plan.source_total)
        load.limit(plan)
        return plan

    async def reconcile(self, load: AccountLoad, *, repair_calls: int | None) -> Reconciliation:
        """Read everything, land what differs, and ask for what did not come."""
        return await FullComparison(load, self.reader(load), repair_calls).run()


def _known(load: AccountLoad, reader: OrderReader) -> Known:
    account = load.account

    def unsettled() -> list[str]:
        told = next((c for c in reader.contracts.values() if c.status_path), None)
        if told is None:
            return []
        who = {"source": account.source, "account": account.name}
        settled = {"path": told.status_path, "settled": list(told.settled)}
        with warehouse_connection(load.settings) as con:
            return [row[0] for row in con.execute(UNSETTLED, who | settled).fetchall()]

    with warehouse_connection(load.settings) as con:
        covered = coverage_of(con, account.source, account.name)
    return Known(covered, load.state.watermarks, load.profile, unsettled)


@dataclass
class _Run:
    """One run over one account, in one event loop."""

    load: AccountLoad
    reader: OrderReader
    progress: Progress | None
    reread: bool  # what may have changed without a date is read again
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    readings: list[Reading] = field(default_factory=list)
    from_start: bool = False  # a first load, or the rest of one
    total: int | None = None
    reason: str | None = None
    error: Exception | None = None
    oldest: datetime | None = None  # where the oldest gap begins that this run makes up for

    async def run(self, window: Window | None) -> SyncResult:
        load = self.load
        history = datetime.combine(load.account.history_start, time(), UTC)
        covered_to = load.state.covered_to
        known = _known(load, self.reader)
        past = bool(window and window.end and covered_to and window.end <= covered_to)
        if window and past:
            asked = window
            gaps = gaps_in(list(known.covered), window) or [window]
        else:
            begin = covered_to or history
            asked = Window(min(window.start, begin) if window else begin)
            # What earlier loads left open is made up for.
            gaps = gaps_in(list(known.covered), Window(min(asked.start, history)))
        self.oldest = min(asked.start, gaps[0].start)
        self.from_start = not past and (gaps[0].start <= history or not self._was_counted())
        try:
            with Portions(load, self.reader.contracts) as pages:
                if not past:
                    self.total = await self.reader.count()
                for gap in reversed(gaps):  # what is new goes before old history
                    await self._take(self.reader.read(gap, known, pages), pages)
                if not past and self.reread:
                    await self._take(self.reader.reread(known, pages), pages)
                if not past:
                    await self._explain_count(pages)
        except (SourceError, CallBudgetExhausted) as problem:
            self.error, self.reason = problem, str(problem)
        return self._concluded(asked)

    async def _take(self, readings: AsyncGenerator[Reading], pages: Portions) -> None:
        """Land portion by portion; also what was read before an error, without a claim."""
        try:
            async with aclosing(readings):
                async for reading in readings:
                    self._land(reading, pages)
        except (SourceError, CallBudgetExhausted):
            now = datetime.now(UTC)
            self._land(Reading(Window(now, now)), pages)
            raise

    def _land(self, reading: Reading, pages: Portions) -> None:
        vanished = 0

        def work(commit: Commit) -> Landed:
            nonlocal vanished
            landed = pages.land(commit)
            vanished = land_gone(commit.con, reading.gone, **commit.origin)
            return landed

        self.load.commit(
            "listing",
            reading,
            work,
            started_at=self.started_at,
            status=lambda: "landed",  # the proof is the last row of the run
            gone=lambda: vanished,
            memory_limit=pages.landing_memory,
        )
        pages.drop()
        self.readings.append(reading)
        if self.progress:
            self.progress(self.load.landed.orders_read, self.total)

    async def _explain_count(self, pages: Portions) -> None:
        """Read everything when the source counts more orders than the windows can explain."""
        load = self.load
        more = self._not_known()
        if more is None:
            return
        everything = self._read_everything
        if self.from_start and not everything:
            explained = await self._from_before(more)
        else:
            explained = 0 if everything else load.state.accepted_difference
        if more > explained:
            more = await self._counted_again()
        if more > explained and not everything:
            logger.warning("%s orders more than the windows explain: reading all", more)
            await self._take(self.reader.read_all(pages), pages)
            more, explained = await self._counted_again(), 0
        if more > explained:
            orders = "one more order" if more == 1 else f"{more:,} more orders"
            read = ", although everything was read" if self._read_everything else ""
            self.reason = f"the source counts {orders} than it shows{read}; run again"
        load.accepted_difference = max(0, min(more, explained))

    def _was_counted(self) -> bool:
        """Whether a load came as far as to explain the count."""
        account = self.load.account
        with warehouse_connection(self.load.settings) as con:
            return (
                count_rows(
                    con,
                    "ops.extractions",
                    f"source = '{account.source}' and account = '{account.name}'"
                    " and strategy = 'listing' and status in ('complete', 'incomplete')",
                )
                > 0
            )

    async def _from_before(self, more: int) -> int:
        """Return how many orders may be from before the history that is wanted."""
        if more <= 0:
            return 0
        history = datetime.combine(self.load.account.history_start, time(), UTC)
        before = await self.reader.count_before(history)
        return more if before is None else min(more, before)

    async def _counted_again(self) -> int:
        """Leave out orders that were deleted while we read: they count no more."""
        count = await self.reader.count()
        if self.total is not None and count is not None:
            self.total = min(self.total, count)
        return self._not_known() or 0

    @property
    def _read_everything(self) -> bool:
        return any(reading.read_everything for reading in self.readings)

    def _not_known(self) -> int | None:
        """Return how many orders the source counted, before we read, beyond those we know."""
        if self.total is None:
            return None
        return self.total - self.load.known_orders - self.load.unnamed_orders()

    def _why(self) -> str | None:
        """Return why the run is not complete; what a part says explains a count too high."""
        told = next((part.reason for part in self.readings if part.reason), None)
        if self.error is not None or told is None:
            return self.reason
        return f"{told}; {self.reason}" if self.reason else told

    def _concluded(self, asked: Window) -> SyncResult:
        """Record the run as a whole, and say what it did."""
        load, account = self.load, self.load.account
        with warehouse_connection(load.settings) as con:
            covered = coverage_of(con, account.source, account.name)
        reading = Reading(asked, total=self.total, reason=self._why())
        reading.read_everything = self._read_everything
        for part in self.readings:
            reading.walks += part.walks
            reading.exports += part.exports
        until = asked.end or (covered[-1].end if covered else None)
        start = self.oldest or asked.start
        if until is None or start < until:
            reading.missing = gaps_in(covered, Window(start, until))
        open_ends = [w for part in self.readings for w in part.missing if w.end is None]
        unread = self.error is not None and until is not None and until <= asked.start
        if until and asked.end is None and (open_ends or unread):
            reading.missing.append(Window(until))
        last = next((w for w in covered if until and w.end and w.start < until <= w.end), None)
        if last:
            reading.proven = Window(max(asked.start, last.start), until)
        if reading.missing and not reading.reason:
            reading.reason = "the window is not covered as a whole; run again"
        status = "failed" if self.error else "incomplete" if reading.reason else "complete"
        load.commit(
            "listing",
            reading,
            lambda _: Landed(),
            started_at=self.started_at,
            status=lambda: status,
        )
        return SyncResult(
            extraction_id=load.last_extraction_id,
            account=account.name,
            source=account.source,
            status=status,
            reading=reading,
            landed=load.landed,
            calls=load.client.transport.calls,
            bytes_received=load.client.transport.bytes_received,
            seconds=(datetime.now(UTC) - self.started_at).total_seconds(),
            known_orders=load.known_orders,
            days=whole_days(reading.proven),
            error=self.error,
        )
