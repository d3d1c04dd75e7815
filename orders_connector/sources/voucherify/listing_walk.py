"""One walk down one sort order of the listing, over rows that move while they are read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Literal

from orders_connector.errors import NotFound, PageOverLimit, RequestRejected, UnreadableAnswer
from orders_connector.sources.base import PageSink, Walk
from orders_connector.sources.salvage import salvage
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.paging import (
    MalformedPage,
    PageFacts,
    PageReader,
    PageRequest,
    Reach,
    next_request,
)

__all__ = ["CUT_OFF", "DOCUMENTED", "ListingWalk", "SortKey"]

logger = logging.getLogger(__name__)

SortKey = Literal["updated_at", "created_at"]
MAX_REREADS = 25
MALFORMED_ATTEMPTS = 3
CUT_OFF = ("", "head")  # how a walk has ended that goes on further down
DOCUMENTED = Reach()


class ListingWalk:
    """One walk down one sort order. It can stop, and go on deeper later.

    Attributes:
        evidence: What the walk did and how it ended.
        reach: How far page numbers go, as far as is known; a page that is refused shows more.
    """

    def __init__(
        self,
        client: VoucherifyClient,
        pages: PageSink,
        sort_key: SortKey,
        on_page: Callable[[int], None],
        reach: Reach = DOCUMENTED,
    ) -> None:
        self.evidence = Walk(order=f"-{sort_key}", floor=None)
        self.reach = reach
        self._order: Literal["-updated_at", "-created_at"] = f"-{sort_key}"  # type: ignore[assignment]
        self._client = client
        self._pages = pages
        self._reader = PageReader(sort_key)
        self._on_page = on_page
        self._read = 0  # rows of the listing that are behind us
        self._back = 0  # pages stepped back since the last page that was tied to earlier ones
        self._last: PageFacts | None = None  # the last page that was tied to earlier ones
        self._top: datetime | None = None  # rows with this key or a newer one are not wanted
        self._nulls_first = False

    async def head(self) -> Walk:
        """Read the first page only."""
        await self._step()
        if not self.evidence.ended:
            self.evidence.ended = "head"
        return self.evidence

    async def seek(self, newest: datetime) -> None:
        """Find where rows older than `newest` begin, so that the walk starts there; call it first.

        Page numbers are random access, so this takes about log2(pages) calls. What they show is
        kept, but proves nothing: the listing may move between them. The walk reads the page where
        it starts once more, and a page that begins with `newest` or later has every older row on
        it or behind it.

        Args:
            newest: End of the window, exclusive, UTC.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        walk, limit = self.evidence, self.reach.limit
        self._top = newest
        first, _ = await self._fetch(PageRequest(1, limit))
        walk.sought += 1
        walk.head = first.newest
        self._nulls_first = first.starts_with_null
        pages = self.reach.pages
        if first.total is not None:
            pages = min(pages, -(-first.total // limit))
        above, below = 1, pages + 1
        while below - above > 1:
            middle = (above + below) // 2
            walk.sought += 1
            facts = await self._fetch_within_reach(PageRequest(middle, limit))
            if facts is not None and self._stands_above(facts):
                above = middle
            else:
                below = middle
        self._reader.forget()
        self._read = (above - 1) * limit + 1 if above > 1 else 0

    def begin_at(self, rows: int, newest: datetime | None, *, nulls_first: bool) -> None:
        """Begin at a place instead of the top; wrong places are found out by the walk.

        The first page must begin with a row that stands above all wanted ones, as after `seek`;
        from a place too far down the walk steps back.

        Args:
            rows: Rows that stand above the place, as far as is known.
            newest: End of the window, exclusive, UTC; None where only rows without a time are
                passed over.
            nulls_first: Rows without a time come first.
        """
        self._top, self._nulls_first = newest, nulls_first
        self._reader.forget()
        self._read, self._last = min(rows, self.reach.orders - 1), None

    @property
    def passes_nulls(self) -> bool:
        """True while the walk has met nothing but rows without the key, which come first."""
        last = self._last
        return self._nulls_first and last is not None and last.newest is None

    @property
    def nulls_first(self) -> bool:
        """Rows without the key come first, as far as the first page shows."""
        return self._nulls_first

    @property
    def passed(self) -> int:
        """Rows of the listing that are behind the walk."""
        return self._read

    @property
    def over(self) -> bool:
        """True when the walk goes no further down by itself."""
        return self.evidence.ended not in CUT_OFF

    async def down_to(self, floor: datetime | None, *, most_steps: int | None = None) -> Walk:
        """Read on until a row lies below `floor`; None reads to the end of the listing.

        The walk ends as `evidence.ended` says; only `floor`, `nulls` and `end` prove completeness.

        Args:
            floor: Lower end, UTC.
            most_steps: Stop after so many pages, with `ended` empty.
        """
        walk = self.evidence
        walk.floor = floor
        if walk.ended in {"floor", "nulls", "head"}:
            walk.ended = ""
            self._stop_at(floor, self._last)
        steps = 0
        while not walk.ended and (most_steps is None or steps < most_steps):
            facts = await self._step()
            steps += 1
            if not walk.ended:
                self._stop_at(floor, facts)
        walk.orders_seen = self._reader.orders_seen
        return walk

    def close(self) -> None:
        """Free the page reader."""
        self._reader.close()

    def _stop_at(self, floor: datetime | None, page: PageFacts | None) -> None:
        if floor is None or page is None:
            return
        if page.oldest is not None and page.oldest < floor:
            self.evidence.ended = "floor"
        elif page.first is not None and page.ends_with_null:
            self.evidence.ended = "nulls"

    async def _step(self) -> PageFacts | None:
        """Read one page; None when it is tied to nothing and the walk stepped back."""
        walk, reach = self.evidence, self.reach
        # A page that shows a row newer than all ties at the end of the last page shows the ties
        # too, in whatever order they come this time. More ties than a page holds cannot be shown
        # so: there the order of the rows must be the one we know.
        ties = self._last.tied if self._last else 0
        request = next_request(self._read, reach, overlap=ties + 1)
        among_ties = request is None
        request = request or next_request(self._read, reach)
        if request is None:
            return await self._last_page()
        if walk.pages == 0 and request.start == 0:
            facts, _ = await self._fetch(request)
        else:
            found = await self._fetch_within_reach(request)
            if found is None:
                return None
            facts = found
        if request.start > 0 and not self._is_tied(facts, among_ties=among_ties):
            self._step_back()
            return None
        if request.start == 0:
            self._nulls_first = facts.starts_with_null
        self._back = 0
        self._read = request.start + facts.count
        self._note(facts)
        short = facts.count < request.limit
        if short if facts.total is None else self._read >= facts.total:
            walk.ended = "end"
        elif short:
            # Shorter than asked for, yet the source counts more: look again from further up.
            self._step_back()
        return facts

    def _stands_above(self, facts: PageFacts) -> bool:
        """True when every row that is wanted stands on the page or behind it."""
        if facts.starts_with_null:
            return self._nulls_first
        return self._top is not None and facts.first is not None and facts.first >= self._top

    def _is_tied(self, facts: PageFacts, *, among_ties: bool) -> bool:
        """True when no row that is wanted stands between the last page and this one."""
        last = self._last
        if self._stands_above(facts):
            return True
        if last is None or not facts.anchors:
            return False
        if among_ties and facts.first == last.last:
            return facts.known_first
        if facts.first is None:
            return False
        if last.last is None:
            return last.ends_with_null and not self._nulls_first
        return facts.first > last.last

    async def _last_page(self) -> PageFacts | None:
        """Read the last page where none overlaps it, between two looks at the page before.

        These are rows 9,900 to 9,999 of a listing with 100 pages. The page before must be wholly
        known afterwards and the count must not have changed.
        """
        walk, request = self.evidence, self.reach.last_request
        if self._read != request.start:
            walk.ended = "cap"
            return None
        facts = await self._fetch_within_reach(request)
        if facts is None:
            return None
        before, _ = await self._fetch(request._replace(page=request.page - 1))
        if before.fresh or before.total != facts.total:
            self._step_back()
            return None
        self._read = request.start + facts.count
        self._note(facts)
        walk.ended = "end" if facts.total is not None and self._read >= facts.total else "cap"
        return facts

    def _step_back(self) -> None:
        walk = self.evidence
        walk.rereads += 1
        self._back += 1
        if walk.rereads > MAX_REREADS:
            walk.ended = "moving"
        self._read = max(0, self._read - self.reach.limit * self._back)
        if self._read == 0:
            self._reader.forget()
            self._last = None
        logger.info(
            "the listing moved under the walk by %s; reading from row %s", walk.order, self._read
        )

    def _note(self, facts: PageFacts) -> None:
        walk = self.evidence
        self._last = facts
        walk.last_total = facts.total
        if walk.head is None:
            walk.head = facts.newest
        if facts.oldest is not None:
            walk.oldest = min(facts.oldest, walk.oldest or facts.oldest)

    async def _fetch_within_reach(self, request: PageRequest) -> PageFacts | None:
        """Ask for a page of a listing whose first page was answered.

        Returns:
            None when page numbers end before it, which is then known: the page is refused, or it
            is empty although the source counts more rows than stand before it.
        """
        try:
            facts, _ = await self._fetch(request)
        except (PageOverLimit, RequestRejected, NotFound) as error:
            # Of a request that is wrong in itself, page 1 would have told already.
            wrong = isinstance(error, RequestRejected) and error.key != "invalid_query_params"
            if request.page == 1 or wrong:
                raise
        else:
            beyond_reach = facts.total is None or facts.total > request.start
            if request.page == 1 or facts.count or not beyond_reach:
                return facts
        self.reach = replace(self.reach, pages=request.page - 1)
        logger.warning("the listing by %s ends at page %s", self._order, self.reach.pages)
        return None

    async def _fetch(self, request: PageRequest) -> tuple[PageFacts, datetime | None]:
        """Ask for a page until it is readable, and keep it."""
        for attempt in range(1, MALFORMED_ATTEMPTS + 1):
            page = await self._client.list_orders(
                limit=request.limit, page=request.page, order=self._order
            )
            answer = page.answer
            body = answer.content
            try:
                facts = self._reader.read(body)
            except MalformedPage as error:
                if attempt < MALFORMED_ATTEMPTS:
                    logger.warning("page %s is malformed (%s); asking again", request.page, error)
                    continue
                rebuilt = salvage(body, "orders", numbers=("total",))
                if rebuilt is None:
                    raise UnreadableAnswer(
                        f"page {request.page} (limit {request.limit}) is malformed each time it is "
                        f"asked for: {error}. Nothing can be saved from it; what was read before "
                        "is kept and the next load starts from the same place. Tell the source's "
                        "support the request id",
                        account=answer.account,
                        method="GET",
                        path=f"/v1/orders?page={request.page}&limit={request.limit}",
                        request_id=answer.request_id,
                        body=body,
                    ) from error
                body, facts = rebuilt, self._reader.read(rebuilt)
            self._pages.add(body, "list")
            if self.evidence.pages == 0:
                self.evidence.asked_at, self.evidence.first_total = answer.date, facts.total
            self.evidence.pages += 1
            self._on_page(facts.count)
            return facts, answer.date
        raise AssertionError("unreachable")
