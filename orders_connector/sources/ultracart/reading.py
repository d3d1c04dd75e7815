"""How UltraCart's orders are read completely, although they have no time of change.

An order has its times of creation, payment, first shipment, last refund and rejection. What
happened in a window is found by four queries: orders created in it, and older ones that were paid,
shipped or refunded in it. Everything else changes without a trace: stages, rejections, edits, costs
that are filled in later. So orders that are not settled are read again by id on every run, and so
are all that were created within the account's last `reread_days`. What is left after that, and
deleted orders, only a comparison of everything finds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from orders_connector.errors import CallBudgetExhausted, SourceError
from orders_connector.sources.base import (
    Answered,
    Known,
    PageSink,
    PayloadContract,
    Reading,
    Step,
    Walk,
    Window,
)
from orders_connector.sources.ultracart.account import UltraCartAccount
from orders_connector.sources.ultracart.asking import AskedFor, ask_batches, confirm_missing
from orders_connector.sources.ultracart.client import MAX_LIMIT, UltraCartClient
from orders_connector.sources.ultracart.filters import OrderQuery
from orders_connector.sources.ultracart.page_fetching import PageFetcher
from orders_connector.sources.ultracart.walking import SLACK, QueryWalk

__all__ = ["CONTRACT", "EARLIEST", "UltraCartReader"]

# UltraCart's Order object, SDK 4.1.208.
CONTRACT = PayloadContract(
    orders_path="$.orders",
    id_path="$.order_id",
    version_paths=(
        "$.creation_dts",
        "$.payment.payment_dts",
        "$.shipping.shipping_date",
        "$.refund_dts",
        "$.reject_dts",
    ),
    shapes={
        "$.items": "ARRAY",
        "$.coupons": "ARRAY",
        "$.current_stage_histories": "ARRAY",
        "$.summary": "OBJECT",
        "$.payment": "OBJECT",
        "$.billing": "OBJECT",
        "$.shipping": "OBJECT",
    },
    undated=True,
    status_path="$.current_stage",
    settled=("Completed Order", "Rejected"),
)
# Before any order; a list needs at least one filter.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
EVENTS = ("payment", "shipment", "refund")
PORTION_PAGES = 25
PORTION_ORDERS = 5_000
MOST_CONFIRMED = 100  # orders that a run asks for one by one; the next run goes on
FEW = 10  # orders that may all have been deleted
MOST_QUESTIONS = 8

_WHY = {
    "moving": "orders moved under the walk too often; run again at a quieter time",
    "unsorted": "the source does not list the oldest order first as it was asked to",
    "unfiltered": "the source does not keep to the time of creation that was asked for",
    "narrow": "the source gives pages of one order only, which cannot be tied together",
}


class UltraCartReader:
    """Reads the orders of one merchant for one run."""

    def __init__(self, client: UltraCartClient, account: UltraCartAccount) -> None:
        self._account = account
        self._overlap = timedelta(minutes=account.overlap_minutes)
        self._fetcher = PageFetcher(client)
        self._contracts = dict.fromkeys(("list", "batch", "get"), CONTRACT)
        self._open: set[str] = set()  # orders that this run has read and that are not settled
        self._read_from: datetime | None = None  # all orders created since then were read

    @property
    def contracts(self) -> Mapping[str, PayloadContract]:
        """How the pages of each channel are laid out."""
        return self._contracts

    async def read(self, asked: Window, known: Known, pages: PageSink) -> AsyncGenerator[Reading]:
        """Cover a window.

        First the orders created before the window that were paid, shipped or refunded in it, then
        those created in it, oldest first: so whatever stands between its start and the last order
        read is covered, and a run that stops is continued there. Rejections of older orders have
        no date to ask for: an order that we know is either open, and `reread` sees it, or it is
        settled, and then only a refund rejects it, which has one.

        Calls: one for each kind of event, one for each 200 orders that each of the four queries
        finds, and one more for each where the source does not tell where its list ends.

        Raises:
            SourceError: the source refused or failed. What was read until then is in the sink.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._fit(known)
        begin = asked.start - self._overlap - SLACK
        late = [self._late(event, asked, begin, pages) for event in EVENTS]
        until: Any = {} if asked.end is None else {"creation_date_end": asked.end + SLACK}
        created = self._walk("creation_date", until, pages, begin)
        asked_at = datetime.now(UTC)
        stopped: Exception | None = None

        def end() -> datetime:
            at = late[0].evidence.asked_at or asked_at
            return min(asked.end or at, at)

        def covered() -> Window | None:
            if any(walk.evidence.ended != "end" for walk in late):
                return None
            whole = created.evidence.ended == "end"
            to = end() if whole else min(created.read_to or asked.start, end())
            return Window(asked.start, to) if asked.start < to else None

        try:
            for walk in late:
                async for _ in self._portions(walk, None):
                    yield Reading(asked)
            async for _ in self._portions(created, end() + SLACK):
                yield Reading(asked, proven=covered())
        except (SourceError, CallBudgetExhausted) as problem:
            stopped = problem  # what was read before counts
        walks = [walk.evidence for walk in (*late, created) if walk.evidence.pages]
        reading = Reading(asked, proven=covered(), walks=walks)
        if stopped is None:
            reading.reason = _why(walks)
        if stopped or reading.reason:
            start = reading.proven.end if reading.proven else None
            reading.missing = [Window(start or asked.start, asked.end)]
        elif asked.end is None:
            self._read_from = min(begin, self._read_from or begin)
        yield reading
        if stopped:
            raise stopped

    async def reread(self, known: Known, pages: PageSink) -> AsyncGenerator[Reading]:
        """Read again what may have changed without a date: recent orders, and all open ones.

        An order that does not come any more is asked for by itself, and the source's answer that
        it is not there marks it as gone; of settled orders that were deleted this sees nothing.

        Calls: one for each 200 orders of the last `reread_days` that `read` of this run has not
        just read, one for each 500 open orders beside them, and one for each that is missing.

        Raises:
            SourceError: the source refused or failed. What was read until then is in the sink.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._fit(known)
        now = self._fetcher.now or datetime.now(UTC)
        begin = now - timedelta(days=self._account.reread_days)
        end = self._read_from
        reading = Reading(Window(now, now))
        if end is None or begin < end:
            bounds: Any = {} if end is None else {"creation_date_end": end + SLACK}
            walk = self._walk("recent creation_date", bounds, pages, begin)
            async for _ in self._portions(walk, end or now):
                yield Reading(reading.window)
            reading.walks.append(walk.evidence)
            reading.reason = _why(reading.walks)
        yield reading  # landed, so that what has settled is not asked for again
        ids = [one for one in known.unsettled() if one not in self._open]
        told = AskedFor()
        for start in range(0, len(ids), PORTION_ORDERS):
            await ask_batches(self._fetcher, ids[start : start + PORTION_ORDERS], pages, told)
            yield Reading(reading.window)
        if told.missing or told.refused:
            reading, stopped = await self._missing(told, pages)
            yield reading
            if stopped:
                raise stopped

    async def read_all(self, pages: PageSink) -> AsyncGenerator[Reading]:
        """Read every order there is, by its time of creation.

        Calls: one for each 200 orders.

        Raises:
            SourceError: the source refused or failed. What was read until then is in the sink.
            CallBudgetExhausted: the run may make no more calls.
        """
        walk = self._walk("creation_date", OrderQuery(), pages, EARLIEST)
        window, began = Window(EARLIEST), datetime.now(UTC)
        until: datetime | None = None
        while not walk.evidence.ended:
            await self._step(walk, until + SLACK if until else None)
            until = until or walk.evidence.asked_at or began
            if not walk.evidence.ended and walk.evidence.pages % PORTION_PAGES == 0:
                yield Reading(window)
        last = Reading(window, walks=[walk.evidence], reason=_why([walk.evidence]))
        if last.reason is None and until:
            last.read_everything, last.proven = True, Window(EARLIEST, until)
        yield last

    async def ask(self, ids: Sequence[str], pages: PageSink) -> Answered:
        """Ask for orders by id; those that are there go into the sink.

        Calls: one for each 500, one more for those that did not come, and one for each of them.
        """
        told, answered = AskedFor(), Answered()
        await ask_batches(self._fetcher, ids, pages, told)
        missing = await self._still_missing(told, pages)
        await confirm_missing(self._fetcher, missing + told.refused, pages, answered)
        return answered

    async def count(self) -> int | None:
        """Ask how many orders the source has; None when it does not say. One call."""
        return await self._count(EARLIEST, None)

    async def count_before(self, begin: datetime) -> int | None:
        """Count the orders created before what windows from `begin` on read. One call."""
        return await self._count(EARLIEST, begin - self._overlap - SLACK)

    async def estimate(self, windows: Sequence[Window], known: Known, total: int) -> list[Step]:
        """Say what `read` will cost, after at most `MOST_QUESTIONS` calls.

        Args:
            windows: What is not covered yet.
            known: As for `read`.
            total: What `count` said, or else the orders that the warehouse knows.
        """
        self._fit(known)
        per_page = self._fetcher.limit or MAX_LIMIT
        steps: list[Step] = []
        for window in windows:
            asked = len(steps) < MOST_QUESTIONS
            orders = await self._count(window.start, window.end) if asked else None
            orders = total if orders is None else orders
            calls = len(EVENTS) + orders // per_page + 1
            steps.append(Step("windows", calls, f"up to {orders:,} orders created in {window}"))
        return steps

    # Behind the methods --------------------------------------------------------------------

    def _fit(self, known: Known) -> None:
        """Ask for pages of the size that the probes found."""
        told = known.profile.get("page_limit", "")
        if told.isdecimal() and self._fetcher.limit:
            self._fetcher.limit = max(1, min(int(told), self._fetcher.limit))

    def _late(self, event: str, asked: Window, begin: datetime, pages: PageSink) -> QueryWalk:
        """Walk over the orders created before a window to which something happened in it."""
        bounds: Any = {f"{event}_date_begin": begin, "creation_date_end": asked.start + SLACK}
        if asked.end is not None:
            bounds[f"{event}_date_end"] = asked.end + self._overlap + SLACK
        return self._walk(f"{event}_date", bounds, pages)

    def _walk(
        self, name: str, query: OrderQuery, pages: PageSink, begin: datetime | None = None
    ) -> QueryWalk:
        return QueryWalk(self._fetcher, pages, query, name=name, begin=begin)

    async def _portions(self, walk: QueryWalk, until: datetime | None) -> AsyncGenerator[None]:
        """Walk to the end, with a stop after every few pages."""
        while not walk.evidence.ended:
            await self._step(walk, until)
            if not walk.evidence.ended and walk.evidence.pages % PORTION_PAGES == 0:
                yield

    async def _step(self, walk: QueryWalk, until: datetime | None) -> None:
        rows = await walk.step(until)
        for order_id, stage in zip(rows.ids, rows.stages, strict=True):
            if order_id is None:
                continue
            if stage in CONTRACT.settled:
                self._open.discard(order_id)
            else:
                self._open.add(order_id)

    async def _missing(self, told: AskedFor, pages: PageSink) -> tuple[Reading, Exception | None]:
        """Find out about orders that did not come in a batch."""
        now = self._fetcher.now or datetime.now(UTC)
        reading = Reading(Window(now, now))
        asked = len(told.came) + len(told.missing)
        if not told.came and asked > FEW:
            reading.reason = (
                f"the source has none of the {asked:,} open orders that this warehouse knows, so "
                "nothing was marked as deleted: are these the keys of another merchant?"
            )
            return reading, None
        missing = await self._still_missing(told, pages)
        answered = Answered()
        there = await confirm_missing(self._fetcher, missing[:MOST_CONFIRMED], pages, answered)
        reading.gone = answered.gone
        unknown = len(missing) - len(answered.gone) - there + len(told.refused)
        if unknown and not answered.stopped:
            reading.reason = (
                f"{unknown:,} open orders did not come and could not be asked for one by one; "
                "run again"
            )
        return reading, answered.stopped

    async def _still_missing(self, told: AskedFor, pages: PageSink) -> list[str]:
        """Ask once more for what did not come: a batch may leave out what is being written."""
        if not told.missing:
            return []
        again = AskedFor()
        await ask_batches(self._fetcher, told.missing, pages, again)
        return again.missing + again.refused

    async def _count(self, begin: datetime, end: datetime | None) -> int | None:
        bounds: Any = {"creation_date_begin": begin}
        if end is not None:
            bounds["creation_date_end"] = end
        return (await self._fetcher.query(bounds, None, limit=1, expand=())).total


def _why(walks: Sequence[Walk]) -> str | None:
    """Return why walks prove nothing; None when they all came to their end."""
    return next((_WHY[walk.ended] for walk in walks if walk.ended != "end"), None)
