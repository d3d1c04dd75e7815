"""How LicenseSpring's orders and licenses are read: windows from the top, or everything."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, time, timedelta
from math import ceil
from typing import Literal

from orders_connector.accounts import Account
from orders_connector.errors import (
    CallBudgetExhausted,
    NotFound,
    RequestRejected,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.sources.base import (
    Answered,
    Known,
    PageSink,
    PayloadContract,
    Reading,
    Step,
    Window,
)
from orders_connector.sources.licensespring.changes import Bottom, ChangeReading
from orders_connector.sources.licensespring.client import MAX_LIMIT, LicenseSpringClient
from orders_connector.sources.licensespring.paging import Listing, PageAsker, PageFacts, key_of
from orders_connector.sources.licensespring.sweep import Sweep
from orders_connector.sources.licensespring.walking import rows_before

__all__ = ["LICENSES", "ORDERS", "SORTED_BY_CHANGE", "LicenseSpringReader"]

logger = logging.getLogger(__name__)

COUNTS = ("total_orders", "total_licenses")  # of a customer; they move with each of his orders

# LicenseSpring documentation, order and license pages. Licenses come on their own, with times of
# their own, so what an order says of them makes no version of the order.
ORDERS = PayloadContract(
    orders_path="$.results",
    id_path="$.id",
    version_paths=("$.updated_at", "$.created_at"),
    shapes={"$.order_items": "ARRAY"},
    drifting={"$": ("order_items",), "$.customer": COUNTS},
)
LICENSES = PayloadContract(
    orders_path="$.results",
    id_path="$.order",
    part_path="$.id",
    version_paths=("$.updated_at", "$.created_at"),
    shapes={},
    drifting={"$.customer": COUNTS},
)

# Capability of the account's profile.
SORTED_BY_CHANGE = "orders_sorted_by_updated_at"

AROUND = (True, False, True)
FRESH_ROWS = MAX_LIMIT - 2  # of a page; the others were on the page before


class LicenseSpringReader:
    """Reads one vendor's orders, active and archived ones, and licenses.

    Orders and licenses are two lists with times of their own: a changed license does not touch its
    order. A quiet night takes 6 requests: two for the counts, one for licenses, three for orders,
    as archived orders are asked for before and after the others. A page brings about 98 new rows.

    What this cannot see without reading everything: that an order or a license was deleted, that an
    order went into the archive or came out of it, and what has no time of change and none of
    creation.
    """

    def __init__(self, client: LicenseSpringClient, account: Account) -> None:
        self._asker = PageAsker(client)
        self._transport, self._most_calls = client.transport, account.max_calls_per_run
        self._overlap = timedelta(minutes=account.overlap_minutes)
        self._history = datetime.combine(account.history_start, time(), UTC)
        # The first row of each list of orders, by its last change or else by its creation.
        self._firsts: dict[bool | None, PageFacts] = {}
        self._by_change = True
        self._marks: Mapping[str, datetime] | None = None  # once a window was asked for

    @property
    def contracts(self) -> Mapping[str, PayloadContract]:
        """How the pages of each channel are laid out."""
        return {"list": ORDERS, "get": ORDERS, "licenses": LICENSES}

    async def read(self, asked: Window, known: Known, pages: PageSink) -> AsyncGenerator[Reading]:
        """Cover a window of orders and of licenses.

        Downwards by the time of the last change, in slices that are proven one by one. Where the
        source does not sort orders so, all orders are read, over several runs if need be, and
        licenses from the window's start on.

        Args:
            asked: Window of version_at.
            known: What earlier loads found.
            pages: Where pages go.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._asker.sink, self._marks = pages, known.watermarks
        await self._look()
        left: Window | None = asked
        walks = []
        if self._sorts_by_change(known):
            changes = ChangeReading(
                self._asker,
                asked,
                passes=self._passes,
                bottoms=self._bottoms,
                overlap=self._overlap,
                marks=known.watermarks,
                calls_left=self._calls_left,
            )
            async with aclosing(changes.read()) as readings:
                async for reading in readings:
                    yield reading
            left, walks = changes.left, changes.walks
        if left is None:
            return
        logger.warning("orders cannot be read by their last change; reading all of them")
        sweep = Sweep(
            self._asker,
            left,
            passes=self._passes,
            licenses_from=left.start - self._overlap,
            marks=known.watermarks,
        )
        sweep.walks += [walk.evidence for walk in walks]
        async with aclosing(sweep.read()) as readings:
            async for reading in readings:
                yield reading

    def _calls_left(self) -> int | None:
        """Return how many requests the account's own limit leaves; the cycle's may leave fewer."""
        if self._most_calls is None:
            return None
        sent: int = self._transport.calls
        return max(0, self._most_calls - sent)

    async def reread(self, known: Known, pages: PageSink) -> AsyncGenerator[Reading]:
        """Read nothing: whatever changes here has a time, or is found by `read_all` alone."""
        return
        yield  # makes this a generator

    async def read_all(self, pages: PageSink) -> AsyncGenerator[Reading]:
        """Read every order by creation and every license by id.

        Takes a request per 98 orders and licenses, and twice that for archived orders. After
        `read` it may go over several runs.

        Args:
            pages: Where pages go.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._asker.sink = pages
        await self._look()
        sweep = Sweep(self._asker, Window(self._history), passes=self._passes, marks=self._marks)
        async with aclosing(sweep.read()) as readings:
            async for reading in readings:
                yield reading

    async def ask(self, ids: Sequence[str], pages: PageSink) -> Answered:
        """Ask for orders by id, one request each; their licenses come with them.

        Args:
            ids: Order ids.
            pages: Where pages go.

        Returns:
            What was said; what stopped it is told there, not raised.
        """
        self._asker.sink = pages
        answered = Answered()
        for order_id in ids:
            if not order_id.isdecimal():
                answered.unreadable[order_id] = "its id is no whole number"
                continue
            try:
                page, licenses = await self._asker.order(int(order_id))
            except NotFound as error:
                answered.gone.append((order_id, _as_json(error)))
            except (UnreadableAnswer, RequestRejected) as error:
                answered.unreadable[order_id] = str(error)
            except (SourceError, CallBudgetExhausted) as error:
                answered.stopped = error
                break
            else:
                pages.add(page, "get")
                if licenses:
                    rows = ",".join(licenses).encode()
                    pages.add(b'{"results":[' + rows + b"]}", "licenses")
        return answered

    async def count(self) -> int | None:
        """Ask how many orders there are, archived ones too; a request per list.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._firsts.clear()
        await self._look()
        counts = [self._firsts[archived].count for archived in set(self._passes)]
        told = [count for count in counts if count is not None]
        return sum(told) if len(told) == len(counts) else None

    async def count_before(self, begin: datetime) -> int | None:
        """Count the orders that no window from `begin` on shows, after `count`.

        Takes no request where each list begins later, else about log2(pages) for each.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        if not self._by_change:
            return None
        key, before = key_of(begin - self._overlap), 0
        for archived in set(self._passes):
            first = self._firsts[archived]
            if not first.keys or first.keys[0] is None or first.keys[0] >= key:
                continue
            listing = Listing("orders", "updated_at", archived=archived)
            rows, _ = await rows_before(self._asker, listing, key, first)
            while True:
                page = await self._asker.page(listing, rows, keep=False)
                older = sum(one is not None and one < key for one in page.keys)
                rows += older
                if not older or older < page.rows:
                    break
            before += rows
        return before

    async def estimate(self, windows: Sequence[Window], known: Known, total: int) -> list[Step]:
        """Say how many pages `read` will take.

        Looks for the ends of what is missing in the lists of active orders and of licenses, by
        about log2(pages) requests each.

        Args:
            windows: What is not covered yet.
            known: As for `read`.
            total: Orders of the source.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        await self._look()
        ends = [window.end for window in windows if window.end]
        span = Window(
            min(window.start for window in windows) - self._overlap,
            max(ends) if len(ends) == len(windows) else None,
        )
        archived = (self._firsts[True].count or 0) if self._passes == AROUND else 0
        if self._sorts_by_change(known):
            listing = Listing(
                "orders", "updated_at", newest_first=True, archived=min(self._passes, key=bool)
            )
            rows = await self._rows_in(listing, span)
            share = min(1.0, rows / max(1, total - archived))
            orders = _step(
                rows + ceil(2 * archived * share), "orders created or changed then", self._passes
            )
        else:
            orders = _step(
                total + archived, "all orders: the list cannot be sorted by change", self._passes
            )
        rows = await self._rows_in(Listing("licenses", "updated_at", newest_first=True), span)
        return [orders, _step(rows, "licenses issued or changed then", (None,))]

    async def _look(self) -> None:
        """Ask for the row that each list of orders shows first, and how many it has.

        A source that does not know the filter for archived orders, or does not sort by the last
        change, shows it here.
        """
        if self._firsts:
            return
        problem: RequestRejected | None = None
        sorts: tuple[Literal["updated_at", "created_at"], ...] = ("updated_at", "created_at")
        # Archived ones last: an order that is put away meanwhile is counted twice rather than
        # never, and a count that is too high is asked for again.
        for states in ((False, True), (None,)):
            for sort in sorts:
                try:
                    self._firsts = {
                        archived: await self._asker.page(
                            Listing("orders", sort, archived=archived), 0, limit=1, keep=False
                        )
                        for archived in states
                    }
                except RequestRejected as error:
                    problem = error
                else:
                    self._by_change = sort == "updated_at"
                    return
        assert problem is not None  # noqa: S101 - the loop ends in no other way
        raise problem

    @property
    def _passes(self) -> tuple[bool | None, ...]:
        """Which lists of orders are read, in this order; see `Listing.archived`."""
        if None in self._firsts:
            return (None,)
        archived, active = self._firsts[True], self._firsts[False]
        # No order stands in both lists: then the filter is ignored and one list has them all.
        one = bool(active.count) and archived.count == active.count
        return (False,) if one and archived.ids == active.ids else AROUND

    @property
    def _bottoms(self) -> dict[bool | None, Bottom]:
        return {
            archived: (first.ids[0], first.keys[0])
            for archived, first in self._firsts.items()
            if first.ids and first.ids[0] is not None
        }

    def _sorts_by_change(self, known: Known) -> bool:
        told = known.profile.get(SORTED_BY_CHANGE)
        return self._by_change and told not in ("ignored", "rejected")

    async def _rows_in(self, listing: Listing, window: Window) -> int:
        first = await self._asker.page(listing, 0, limit=1, keep=False)
        newer = 0
        if window.end:
            newer, _ = await rows_before(self._asker, listing, key_of(window.end) - 1, first)
        older, _ = await rows_before(self._asker, listing, key_of(window.start) - 1, first)
        # What is found is half a page too low at most.
        return min(first.count or 0, older - newer + MAX_LIMIT // 2)


def _step(rows: int, what: str, passes: Sequence[object]) -> Step:
    return Step("listing", max(len(passes), ceil(rows / FRESH_ROWS)), what)


def _as_json(answer: NotFound) -> str:
    told = {"status": answer.status, "key": answer.key, "request_id": answer.request_id}
    return json.dumps(told)
