"""How Voucherify's orders are read completely by listing, although the listing moves and ends.

Two walks, newest first: by `updated_at` for what changed, by `created_at` for orders that were
never updated (their `updated_at` is null, and where nulls stand in a sort is not documented).
Descending, because a row that is updated meanwhile moves to the top, where the next load finds it;
ascending walks lose its neighbours. A window in the past is sought first, by page number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from orders_connector.sources.base import PageSink, PayloadContract, Reading, Walk, Window
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.listing_walk import (
    CUT_OFF,
    DOCUMENTED,
    ListingWalk,
    SortKey,
)
from orders_connector.sources.voucherify.paging import Reach

__all__ = [
    "CONTRACT",
    "REACH_ENDED",
    "SWEEP_BEGAN",
    "SWEEP_ENDED",
    "SWEPT_TO",
    "ListingExtraction",
    "Place",
]

Progress = Callable[[int, int | None], None]
# How many known orders a sort order shows above those that are older than a time (None: above all
# that have a time); also those without a time, where these come first.
Place = Callable[[SortKey, datetime | None, bool], int]

# Voucherify OpenAPI, orders.json: list answer and order object.
CONTRACT = PayloadContract(
    orders_path="$.orders",
    id_path="$.id",
    version_paths=("$.updated_at", "$.created_at"),
    shapes={"$.items": "ARRAY", "$.redemptions": "OBJECT", "$.metadata": "OBJECT"},
)
INSTANT = timedelta(microseconds=1)
LATEST = datetime.max.replace(tzinfo=UTC)
# Watermarks of a walk by `created_at` to the end of the listing that takes several runs: when it
# began, the beginning of the one that came to its end, and the time down to which it got.
SWEEP_BEGAN, SWEEP_ENDED, SWEPT_TO = "sweep_began", "sweep_ended", "swept_to"
# Watermark of the time below which page numbers ended: what is older sinks, it never rises again.
REACH_ENDED = "reach_ended"


class ListingExtraction:
    """One attempt to cover a window by listing; a context manager."""

    def __init__(
        self,
        client: VoucherifyClient,
        pages: PageSink,
        *,
        overlap: timedelta,
        progress: Progress | None = None,
        reach: Reach = DOCUMENTED,
        place: Place | None = None,
        side_by_side: bool = False,
    ) -> None:
        """Set up.

        Args:
            client: The account's client.
            pages: Where pages go.
            overlap: How far below a window rows are read, for those that showed late.
            progress: Told how many orders were read, and of how many.
            reach: How far page numbers go.
            place: Says where known orders stand, so that nothing needs to be sought.
            side_by_side: Both walks go down together, as a budget may end them.
        """
        self._orders = 0
        self._total: int | None = None
        self._progress = progress
        self._asked = Window(datetime.min.replace(tzinfo=UTC))
        self._overlap = overlap
        self._reach = reach
        self._place = place
        self._side_by_side = side_by_side
        self._updated = ListingWalk(client, pages, "updated_at", self._on_page, reach)
        self._created = ListingWalk(client, pages, "created_at", self._on_page, reach)

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
        whole = first_load and (head.first_total or 0) <= self._reach.orders
        if not whole:
            await self._down(
                self._floor("updated_at", asked, watermarks),
                self._floor("created_at", asked, watermarks),
            )
            return self.reading(asked)
        await self._created.down_to(None)
        if self._created.evidence.ended != "end":
            await self._updated.down_to(asked.start - self._overlap)
        return self.reading(asked)

    async def _down(self, updated: datetime, created: datetime) -> None:
        """Walk down by both dates: what both have passed is proven, also if a budget ends here."""
        floors = ((self._updated, updated), (self._created, created))
        while going := [(walk, floor) for walk, floor in floors if not walk.over]:
            if self._updated.passes_nulls and self._place:
                known = self._place("updated_at", None, True)
                if known >= self._updated.passed + self._reach.limit:
                    self._updated.begin_at(known, None, nulls_first=True)
            walk, floor = going[0]
            if self._side_by_side:
                walk, floor = max(going, key=lambda one: one[0].evidence.oldest or LATEST)
            await walk.down_to(floor, most_steps=1)

    async def read_past(self, asked: Window) -> Reading:
        """Seek a window that ended in the past and read it; the head of the listing stays unread.

        Cheaper than `read` where the window lies more than a few pages down. A back-dated order is
        found when it lies in the window, but the counts cannot tell whether others exist.

        Args:
            asked: Window of version_at to cover, with an end, on a fresh extraction.

        Returns:
            What is proven of the window. No watermarks: it says nothing about the head.

        Raises:
            ValueError: the window has no end.
            SourceError: a call failed for good. What was read until then is kept.
            CallBudgetExhausted: the run may make no more calls.
        """
        if asked.end is None:
            raise ValueError("a window in the past has an end")
        self._asked = asked
        for walk in (self._updated, self._created):
            await walk.seek(asked.end)
            self._total = walk.evidence.first_total
            await walk.down_to(asked.start - self._overlap)
        return self.reading(asked)

    async def go_on(self, asked: Window, place: Place, *, nulls_first: bool) -> Reading:
        """Read a window that ended in the past and above which everything is known.

        Its place is that of the known orders, so nothing is sought. The walks go down side by
        side: a run that ends early has proven the newest part.

        Args:
            asked: Window of version_at to cover, with an end, on a fresh extraction.
            place: Says where known orders stand.
            nulls_first: Orders without `updated_at` come first.

        Raises:
            ValueError: the window has no end.
            SourceError: a call failed for good. What was read until then is kept.
            CallBudgetExhausted: the run may make no more calls.
        """
        if asked.end is None:
            raise ValueError("a window in the past has an end")
        self._asked = asked
        above = place("updated_at", asked.end, nulls_first)
        self._updated.begin_at(above, asked.end, nulls_first=nulls_first)
        above = place("created_at", asked.end, False)
        self._created.begin_at(above, asked.end, nulls_first=False)
        for walk in (self._updated, self._created):
            walk.evidence.sought = 1  # the page that it begins with
        floor = asked.start - self._overlap
        await self._down(floor, floor)
        return self.reading(asked)

    async def sweep(self, asked: Window, place: Place, swept_to: datetime) -> Reading:
        """Go on with a walk by `created_at` to the end that an earlier run began.

        Args:
            asked: From the start of the history to when the walk began.
            place: Says where known orders stand.
            swept_to: The time down to which it got.

        Raises:
            SourceError: a call failed for good. What was read until then is kept.
            CallBudgetExhausted: the run may make no more calls.
        """
        self._asked = asked
        top = swept_to + INSTANT  # other orders may share the time
        self._created.begin_at(place("created_at", top, False), top, nulls_first=False)
        self._created.evidence.sought = 1
        await self._created.down_to(None)
        return self.swept(asked)

    def swept(self, asked: Window) -> Reading:
        """Say what a `sweep` proves, and how far it got."""
        walk = self._created.evidence
        reading = Reading(window=asked, total=_total(walk), walks=[walk])
        if walk.ended == "end" and asked.end is not None:
            reading.proven, reading.read_everything = asked, True
        else:
            reading.missing = [asked]
            reading.reason = _why(walk, walk, self._orders_in_reach())
        if not self._created.over and walk.oldest:
            reading.watermarks = {SWEPT_TO: walk.oldest}
        elif self._created.over and asked.end is not None:
            reading.watermarks = {SWEEP_ENDED: asked.end}
        return reading

    @property
    def nulls_first(self) -> bool:
        """Orders without `updated_at` come first, as far as the first page shows."""
        return self._updated.nulls_first

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
        sought = bool(updated.sought or created.sought)
        reading = Reading(
            window=asked,
            total=_total(created),
            walks=[updated, created],
            read_everything=created.ended == "end" and not sought,
        )
        start = self._proven_from(asked, updated, created)
        # The source's own clock says until when the listing was read; without it, its newest row.
        heads = [head for head in (updated.head, created.head) if head is not None]
        end = updated.asked_at or max(heads, default=None)
        if sought and end is not None and asked.end is not None:
            end = min(end, asked.end)
        elif start is not None and end is not None and start > asked.start:
            start = min(start, end)
        out_of_reach = sought and start is not None and end is not None and end <= start
        if start is None or (out_of_reach and start > asked.start):
            start = None
            reading.missing = [asked]
        elif start > asked.start:
            reading.missing = [Window(asked.start, start)]
        if start is not None and end is not None:
            # Nothing is claimed when no time has passed since the last load.
            reading.proven = Window(start, end) if start < end else None
            if not sought:
                reading.watermarks = {
                    key: walk.head
                    for key, walk in (("updated_at", updated), ("created_at", created))
                    if walk.head is not None
                }
        if reading.missing:
            reading.reason = _why(updated, created, self._orders_in_reach())
        ended = reading.proven.start if reading.proven else asked.end
        if "cap" in (updated.ended, created.ended) and ended is not None:
            reading.watermarks[REACH_ENDED] = ended
        if not created.ended and created.floor is None and created.oldest and end and not sought:
            reading.watermarks |= {SWEEP_BEGAN: end, SWEPT_TO: created.oldest}
        return reading

    def _orders_in_reach(self) -> int:
        return min(self._updated.reach.orders, self._created.reach.orders)

    def _proven_from(self, asked: Window, updated: Walk, created: Walk) -> datetime | None:
        everything = created.ended == "end" and not created.sought
        if everything or (updated.proven and created.proven):
            return asked.start
        starts = [asked.start]
        for walk in (updated, created):
            if walk.ended in ("cap", *CUT_OFF) and walk.oldest is not None:
                # Other orders may share the oldest value that was read.
                starts.append(walk.oldest + INSTANT)
                if walk.oldest <= asked.start and not walk.sought:
                    # The overlap was not read to its end: what the source showed too late for the
                    # load before may be there, and an export begins with an overlap of its own.
                    starts.append(walk.oldest + self._overlap)
            elif walk.ended in CUT_OFF or not walk.proven:
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


def _why(updated: Walk, created: Walk, reach: int) -> str:
    if "moving" in (updated.ended, created.ended):
        return (
            f"the listing did not hold still: {updated.rereads + created.rereads} pages were read "
            "again without finding the place; run again at a quieter time"
        )
    return (
        f"the listing ends at {reach:,} orders per sort order and the window begins before "
        "that; older orders need an export"
    )
