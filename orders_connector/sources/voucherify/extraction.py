"""How Voucherify's orders are read completely by listing, although the listing moves and ends.

Two walks, newest first: by `updated_at` for what changed, by `created_at` for orders that were
never updated (their `updated_at` is null, and where nulls stand in a sort is not documented).
Descending, because a row that is updated meanwhile moves to the top, where the next load finds it;
ascending walks lose its neighbours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from orders_connector.errors import UnreadableAnswer
from orders_connector.sources.base import PageSink, PayloadContract, Reading, Walk, Window
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.paging import (
    LAST_REQUEST,
    MAX_LIMIT,
    REACH,
    MalformedPage,
    PageFacts,
    PageReader,
    PageRequest,
    next_request,
    salvage,
)

__all__ = ["CONTRACT", "ListingExtraction"]

logger = logging.getLogger(__name__)

SortKey = Literal["updated_at", "created_at"]
Progress = Callable[[int, int | None], None]

# Voucherify OpenAPI, orders.json: list answer and order object.
CONTRACT = PayloadContract(
    orders_path="$.orders",
    id_path="$.id",
    version_paths=("$.updated_at", "$.created_at"),
    shapes={"$.items": "ARRAY", "$.redemptions": "OBJECT", "$.metadata": "OBJECT"},
)
MAX_REREADS = 25
MALFORMED_ATTEMPTS = 3
INSTANT = timedelta(microseconds=1)


class ListingWalk:
    """One walk down one sort order. It can stop, and go on deeper later."""

    def __init__(
        self,
        client: VoucherifyClient,
        pages: PageSink,
        sort_key: SortKey,
        on_page: Callable[[int], None],
    ) -> None:
        self.evidence = Walk(order=f"-{sort_key}", floor=None)
        self._order: Literal["-updated_at", "-created_at"] = f"-{sort_key}"  # type: ignore[assignment]
        self._client = client
        self._pages = pages
        self._reader = PageReader(sort_key)
        self._on_page = on_page
        self._read = 0  # rows of the listing that are behind us
        self._back = 0  # pages stepped back since the last page that was tied to earlier ones

    async def head(self) -> Walk:
        """Read the first page only."""
        await self._step()
        if not self.evidence.ended:
            self.evidence.ended = "head"
        return self.evidence

    async def down_to(self, floor: datetime | None) -> Walk:
        """Read on until a row lies below `floor`; None reads to the end of the listing.

        The walk ends as `evidence.ended` says; only `floor`, `nulls` and `end` prove completeness.
        """
        walk = self.evidence
        walk.floor = floor
        if walk.ended in {"floor", "nulls", "head"}:
            walk.ended = ""
        if walk.oldest is not None and floor is not None and walk.oldest < floor:
            walk.ended = "floor"
        while not walk.ended:
            facts = await self._step()
            if walk.ended:
                break
            if floor is not None and facts.oldest is not None and facts.oldest < floor:
                walk.ended = "floor"
            elif floor is not None and facts.ends_with_null and walk.head is not None:
                walk.ended = "nulls"
        walk.orders_seen = self._reader.orders_seen
        return walk

    def close(self) -> None:
        """Free the page reader."""
        self._reader.close()

    async def _step(self) -> PageFacts:
        walk = self.evidence
        request = next_request(self._read)
        if request is None:
            return await self._last_page()
        facts, asked_at = await self._fetch(request)
        if walk.pages == 1:
            walk.first_total, walk.asked_at = facts.total, asked_at
        if request.start > 0 and facts.count and not facts.anchors:
            self._step_back()
            return facts
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

    async def _last_page(self) -> PageFacts:
        """Read rows 9,900 to 9,999, which no page overlaps, between two looks at the page before.

        The page before must be wholly known afterwards and the count must not have changed.
        """
        walk = self.evidence
        if self._read >= REACH:
            walk.ended = "cap"
            return PageFacts(0, None, None, None, False, 0, 0)
        facts, _ = await self._fetch(LAST_REQUEST)
        before, _ = await self._fetch(PageRequest(LAST_REQUEST.page - 1, MAX_LIMIT))
        if before.fresh or before.total != facts.total:
            self._step_back()
            return facts
        self._read = LAST_REQUEST.start + facts.count
        self._note(facts)
        walk.ended = "end" if facts.total is not None and self._read >= facts.total else "cap"
        return facts

    def _step_back(self) -> None:
        walk = self.evidence
        walk.rereads += 1
        self._back += 1
        if walk.rereads > MAX_REREADS:
            walk.ended = "moving"
        self._read = max(0, self._read - MAX_LIMIT * self._back)
        if self._read == 0:
            self._reader.forget()
        logger.info(
            "the listing moved under the walk by %s; reading from row %s", walk.order, self._read
        )

    def _note(self, facts: PageFacts) -> None:
        walk = self.evidence
        walk.last_total = facts.total
        if walk.head is None:
            walk.head = facts.newest
        if facts.oldest is not None:
            walk.oldest = min(facts.oldest, walk.oldest or facts.oldest)

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
                rebuilt = salvage(body)
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
            self.evidence.pages += 1
            self._on_page(facts.count)
            return facts, answer.date
        raise AssertionError("unreachable")


class ListingExtraction:
    """One attempt to cover a window by listing; a context manager."""

    def __init__(
        self,
        client: VoucherifyClient,
        pages: PageSink,
        *,
        overlap: timedelta,
        progress: Progress | None = None,
    ) -> None:
        self._orders = 0
        self._total: int | None = None
        self._progress = progress
        self._asked = Window(datetime.min.replace(tzinfo=UTC))
        self._overlap = overlap
        self._updated = ListingWalk(client, pages, "updated_at", self._on_page)
        self._created = ListingWalk(client, pages, "created_at", self._on_page)

    def _on_page(self, orders: int) -> None:
        self._orders += orders
        if self._progress:
            self._progress(self._orders, self._total)

    async def read(
        self, asked: Window, *, watermarks: Mapping[str, datetime], first_load: bool
    ) -> Reading:
        """Walk down to the start of `asked`, less the overlap, or to the end on a first load.

        Args:
            asked: Window of version_at to cover.
            watermarks: Per sort key, the newest value of the last complete load, UTC.
            first_load: Nothing is covered yet. A shop within reach is then read whole by
                `created_at`, after a look at the head of `updated_at`: what changes later is newer
                than that head, and the next load's.

        Raises:
            SourceError: a call failed for good. What was read until then is kept.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._asked = asked
        head = await self._updated.head()
        self._total = head.first_total
        whole = first_load and (head.first_total or 0) <= REACH
        if not whole:
            await self._updated.down_to(self._floor("updated_at", asked, watermarks))
        await self._created.down_to(None if whole else self._floor("created_at", asked, watermarks))
        if whole and self._created.evidence.ended != "end":
            await self._updated.down_to(asked.start - self._overlap)
        return self.reading(asked)

    async def go_deeper(self) -> Reading:
        """Walk by `created_at` to the end: the source counts orders that no window explains."""
        await self._created.down_to(None)
        return self.reading(self._asked)

    def __enter__(self) -> ListingExtraction:
        return self

    def __exit__(self, *_: object) -> None:
        self._updated.close()
        self._created.close()

    def _floor(
        self, sort_key: SortKey, asked: Window, watermarks: Mapping[str, datetime]
    ) -> datetime:
        return min(asked.start, watermarks.get(sort_key, asked.start)) - self._overlap

    def reading(self, asked: Window) -> Reading:
        """Say what the walks so far prove of `asked`."""
        updated, created = self._updated.evidence, self._created.evidence
        reading = Reading(
            window=asked,
            total=_total(created),
            walks=[updated, created],
            read_everything=created.ended == "end",
        )
        start = self._proven_from(asked, updated, created)
        # The source's own clock says until when the listing was read; without it, its newest row.
        heads = [head for head in (updated.head, created.head) if head is not None]
        end = updated.asked_at or max(heads, default=None)
        if start is None:
            reading.missing = [asked]
        elif start > asked.start:
            reading.missing = [Window(asked.start, start)]
        if start is not None and end is not None:
            # Nothing is claimed when no time has passed since the last load.
            reading.proven = Window(start, end) if start < end else None
            reading.watermarks = {
                key: walk.head
                for key, walk in (("updated_at", updated), ("created_at", created))
                if walk.head is not None
            }
        if reading.missing:
            reading.reason = _why(updated, created)
        return reading

    @staticmethod
    def _proven_from(asked: Window, updated: Walk, created: Walk) -> datetime | None:
        if created.ended == "end" or (updated.proven and created.proven):
            return asked.start
        starts = [asked.start]
        for walk in (updated, created):
            if walk.ended == "cap" and walk.oldest is not None:
                # Other orders may share the oldest value that was read.
                starts.append(walk.oldest + INSTANT)
            elif not walk.proven:
                return None
        return max(starts)


def _total(created: Walk) -> int | None:
    """Return the count that the orders read must reach.

    Orders created while we read stand above the first page and are the next load's, so the count
    of the first page holds; orders erased before we came to them count no more at the end.
    """
    if created.ended != "end" or created.first_total is None or created.last_total is None:
        return created.first_total
    return min(created.first_total, created.last_total)


def _why(updated: Walk, created: Walk) -> str:
    if "moving" in (updated.ended, created.ended):
        return (
            f"the listing did not hold still: {updated.rereads + created.rereads} pages were read "
            "again without finding the place; run again at a quieter time"
        )
    return (
        f"the listing ends at {REACH:,} orders per sort order and the window begins before "
        "that; older orders need an export"
    )
