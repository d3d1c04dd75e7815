"""How a list is read without a gap although rows come, go and move while it is read.

Pages are asked for by offset, and rows shift between requests. So each page begins before the
place where the last one ended: with a key that lies before the last key read. As the list is
sorted, the page then shows every row behind that key that there is. A page that does not begin so
proves nothing and is asked for again from further up. The end is only the end when count and `next`
say so, too.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import deque
from datetime import datetime

from orders_connector.sources.base import Walk
from orders_connector.sources.licensespring.client import MAX_LIMIT
from orders_connector.sources.licensespring.paging import (
    Listing,
    PageAsker,
    PageFacts,
    moment_of,
)

__all__ = ["FAILED", "ListWalk", "rows_before"]

logger = logging.getLogger(__name__)

FAILED = ("moving", "ties", "unsorted")
FEW_REREADS = 25
SHORT_PAGES = 2  # a page may be short by chance; as many in a row are as long as pages get
MOST_GROWTH = 1_000
PLACES_KEPT = 64  # pages; walks side by side are no further apart
SEEK_ROWS = 3 * MAX_LIMIT  # fewer are read sooner than sought


class ListWalk:
    """One walk through a list. It can stop, and go on later.

    `evidence.ended` is `end`, `floor`, or why nothing is proven: `moving`, `ties` (more rows share
    a key than a page shows) or `unsorted` (the source does not sort as it was asked to).

    Attributes:
        evidence: What the walk did and how it ended.
        unkeyed: Rows without a key were seen; where they stand in a sort is not known.
    """

    def __init__(
        self, asker: PageAsker, listing: Listing, *, bottom: tuple[str, int | None] | None = None
    ) -> None:
        """Set up.

        Args:
            asker: Asks for pages.
            listing: What is read.
            bottom: Id and key of the row that the opposite sort order shows first. It tells a
                source that ignores the sort order, even where its rows descend by chance.
        """
        self.evidence = Walk(order=str(listing), floor=None)
        self.unkeyed = False
        self._asker = asker
        self._listing = listing
        self._bottom = bottom
        # Keys are compared as they rise along the walk, whatever the direction.
        self._sign = -1 if listing.newest_first else 1
        self._read = 0  # rows of the list that are behind us
        self._edge: int | None = None  # key of the last of them
        self._ties = 0  # rows at the end of these that share it, or have none
        self._slack = 1  # rows beyond the ties that the next page shall show again
        self._size = 1  # rows that a page holds, as far as was seen
        self._known: frozenset[str] = frozenset()  # ids on the last page
        self._back = 0  # pages that proved nothing since the walk last got further
        self._furthest: int | None = None  # key that it got to
        self._reseen = 0  # orders that were seen before the walk went back
        self._places: deque[tuple[int, list[int]]] = deque(maxlen=PLACES_KEPT)

    @property
    def sort(self) -> str:
        """The attribute that the list is sorted by."""
        return self._listing.sort

    @property
    def edge(self) -> int | None:
        """Key up to which everything is read; rows that share it may be missing."""
        return None if self._edge is None else self._sign * self._edge

    @property
    def passed(self) -> int:
        """Rows of the list that are behind the walk."""
        return self._read

    def rows_above(self, key: int) -> int:
        """Return how many rows of the list stand before those with a key that was passed.

        A few pages too few where the walk is far beyond it.
        """
        wanted, above = self._sign * key, 0
        for start, keys in self._places:
            if keys and (keys[0] < wanted or not above):
                above = start + bisect_left(keys, wanted)
        return above

    def begin_at(self, rows: int, key: int) -> None:
        """Begin where rows with this key are thought to begin, without a request; call it first.

        The page where the walk begins must show a row before the key; from a place too far down
        it steps back.

        Args:
            rows: Rows that stand before them, as far as is known.
            key: The key.
        """
        self.evidence.sought = 1  # the page where it begins
        if rows:
            self._read, self._edge = rows, self._sign * key

    def go_back(self, key: int) -> None:
        """Read again from the rows with this key on, whatever was read of them before.

        As with `begin_at`, the next page must show a row before the key.

        Args:
            key: The key.
        """
        self._read = self.rows_above(key)
        self._edge = self._sign * key if self._read else None
        self._ties, self._known = 0, frozenset()
        self._back, self._furthest = 0, None
        self._reseen = self.evidence.orders_seen
        if self.evidence.ended not in FAILED:
            self.evidence.ended = ""

    async def seek(self, key: int) -> None:
        """Find where rows with this key and later ones in the walk begin; call it first.

        Takes about log2(pages) requests for one row each. They prove nothing, but the page where
        the walk begins must show a row before the key.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        walk, wanted = self.evidence, self._sign * key
        first = await self._asker.page(self._listing, 0, limit=1, keep=False)
        self._begin(first)
        walk.sought += 1
        if self._contradicted(first):
            walk.ended = "unsorted"
        if walk.ended or first.count is None or first.count <= SEEK_ROWS:
            return
        before, calls = await rows_before(self._asker, self._listing, key, first)
        walk.sought += calls
        if before:
            self._read, self._edge = before + 1, wanted

    async def go_on(self, to: int | None, *, most_pages: int | None = None) -> None:
        """Read on until a row lies beyond a key, or the list ends.

        Args:
            to: The last key that is wanted; None reads to the end of the list.
            most_pages: Stop after so many; `ended` is empty then.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        walk, sort = self.evidence, self._listing.sort
        began = walk.pages
        walk.floor = moment_of(to) if to is not None and sort != "id" else None
        if walk.ended == "floor":
            walk.ended = ""
        while not walk.ended:
            beyond = self._edge is not None and to is not None and self._edge > self._sign * to
            if beyond and walk.pages:
                walk.ended = "floor"
            elif most_pages is not None and walk.pages - began >= most_pages:
                return
            else:
                await self._step()

    async def _step(self) -> None:
        walk = self.evidence
        overlap = self._overlap()
        if overlap >= self._size and self._back >= SHORT_PAGES:
            walk.ended = "ties"
            return
        start = max(0, self._read - overlap)
        facts = await self._asker.page(self._listing, start)
        walk.pages += 1
        walk.last_total = facts.count
        if walk.asked_at is None:
            self._begin(facts)
        keys = [None if key is None else self._sign * key for key in facts.keys]
        rising = [key for key in keys if key is not None]
        self._size = max(self._size, facts.rows)
        if rising != sorted(rising) or self._contradicted(facts, start):
            walk.ended = "unsorted"
        elif start and not self._joins(facts.ids, keys, rising):
            self._step_back()
        else:
            self._places.append((start, rising))
            await self._take(start, facts, keys)

    def _overlap(self) -> int:
        if not self._read:
            return 0
        return self._ties + (self._slack if self._ties + self._slack < self._size else 1)

    def _begin(self, facts: PageFacts) -> None:
        walk = self.evidence
        walk.asked_at, walk.first_total = facts.asked_at, facts.count
        walk.head = next((self._moment(key) for key in facts.keys if key is not None), None)

    def _contradicted(self, facts: PageFacts, start: int = 0) -> bool:
        """True when a row shows that the source sorts otherwise than it was asked to."""
        if self._bottom is None:
            return False
        order_id, key = self._bottom
        if start == 0 and facts.ids and facts.ids[0] == order_id and facts.count != 1:
            return True
        if key is None:
            return False
        return any(self._sign * k > self._sign * key for k in facts.keys if k is not None)

    def _joins(self, ids: list[str | None], keys: list[int | None], rising: list[int]) -> bool:
        """True when no row stands between what was read and this page."""
        if self._edge is None or not rising:
            # Rows without a key: only their order can tell.
            return bool(ids) and ids[0] in self._known
        if self._listing.sort == "id":
            return rising[0] <= self._edge
        return rising[0] < self._edge

    async def _take(self, start: int, facts: PageFacts, keys: list[int | None]) -> None:
        """Count the rows of a page that joins what was read, and see whether the list ends."""
        walk = self.evidence
        reached = start + facts.rows
        progressed = reached > self._read
        self._note(facts, keys)
        if facts.count is not None:
            more = reached < facts.count or (facts.goes_on is True and progressed)
        elif facts.goes_on is not None:
            more = facts.goes_on
        else:
            more = progressed or await self._something_follows()
        if not more:
            self._read = reached
            walk.ended = "end"
        elif walk.orders_seen - self._reseen > MOST_GROWTH + 2 * (walk.first_total or reached):
            walk.ended = "moving"  # rows come faster than they are read
        elif not progressed:
            self._step_back()
        else:
            self._read = reached
            self._slack = max(1, self._slack - 1)
            if self._edge is None or self._furthest is None or self._edge > self._furthest:
                self._furthest, self._back = self._edge, 0

    async def _something_follows(self) -> bool:
        """Ask behind what was read, where the source tells neither count nor `next`."""
        if not self._read:
            return False
        behind = await self._asker.page(self._listing, self._read)
        self.evidence.pages += 1
        return behind.rows > 0

    def _note(self, facts: PageFacts, keys: list[int | None]) -> None:
        walk = self.evidence
        known = frozenset(one for one in facts.ids if one is not None)
        walk.orders_seen += len(known - self._known)
        self._known = known or self._known
        self._size = max(self._size, facts.rows)
        self.unkeyed = self.unkeyed or None in keys
        self._edge = next((key for key in reversed(keys) if key is not None), self._edge)
        self._ties = 0
        for key in reversed(keys) if self._edge is not None else ():
            if key is not None and (key != self._edge or self._listing.sort == "id"):
                break
            self._ties += 1
        for key in facts.keys:
            moment = None if key is None else self._moment(key)
            if moment is not None:
                walk.oldest = min(moment, walk.oldest or moment)

    def _step_back(self) -> None:
        walk = self.evidence
        walk.rereads += 1
        self._back += 1
        if walk.rereads > FEW_REREADS + walk.pages // 2:
            walk.ended = "moving"
        # A few rows are missing more often than a page of them.
        self._slack = max(1, min(4 * self._slack, self._size // 2))
        self._read = max(0, self._read - self._size * (self._back - 1))
        logger.info("%s moved under the walk; reading from row %s", self._listing, self._read)

    def _moment(self, key: int) -> datetime | None:
        return None if self._listing.sort == "id" else moment_of(key)


async def rows_before(
    asker: PageAsker, listing: Listing, key: int, first: PageFacts
) -> tuple[int, int]:
    """Find about how many rows stand before a key in a list: never more, if it stands still.

    Args:
        asker: Asks for single rows.
        listing: The list.
        key: The sort key.
        first: The first row of the list.

    Returns:
        Rows, half a page too few at most, and the requests that it took.
    """
    sign = -1 if listing.newest_first else 1
    before, behind, calls = 0, first.count or 0, 0
    while behind - before > MAX_LIMIT // 2:
        middle = (before + behind) // 2
        there = await asker.page(listing, middle, limit=1, keep=False)
        calls += 1
        found = there.keys[0] if there.keys else None
        if found is None:  # no key: such rows are shown first or last, as the first row tells
            stands_before = bool(there.ids) and first.keys[0] is None
        else:
            stands_before = sign * found < sign * key
        before, behind = (middle, behind) if stands_before else (before, middle)
    return before, calls
