"""Reads the orders of one query completely, oldest first, although they move meanwhile.

A page begins where the one before it ended: not at a number of rows, but a second before its last
time of creation. The creation of an order never changes, so whatever enters, leaves or changes
behind us, no row can slip between two pages. One row that comes on both pages shows that the filter
was understood and that the answer is of the same data. Only where more orders than a page holds
were created within two seconds are rows counted.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders_connector.sources.base import PageSink, Walk
from orders_connector.sources.ultracart.filters import OrderQuery
from orders_connector.sources.ultracart.page_fetching import PageFetcher
from orders_connector.sources.ultracart.page_rows import PageRows
from orders_connector.sources.ultracart.paging import goes_on

__all__ = ["SLACK", "QueryWalk"]

logger = logging.getLogger(__name__)

MAX_REREADS = 25
# Answers have whole seconds. Bounds may be compared with fractions that answers do not show, and
# may be exclusive.
SLACK = timedelta(seconds=1)
# A row that lies further than this below the bound shows that the bound was ignored.
TOLERANCE = timedelta(days=1)


@dataclass(frozen=True)
class _Page:
    """A page that was tied to the one before: where it began, and its rows."""

    begin: datetime | None
    rows: PageRows


class QueryWalk:
    """One walk through one query. It goes on as long as nothing has ended it.

    Attributes:
        evidence: What the walk did and how it ended; `end` alone proves that it was complete.
        read_to: Every order of the query that was created before this was read, UTC; None before
            the first order.
    """

    def __init__(
        self,
        fetcher: PageFetcher,
        pages: PageSink,
        query: OrderQuery,
        *,
        name: str,
        begin: datetime | None = None,
    ) -> None:
        """Set up.

        Args:
            fetcher: Asks for pages.
            pages: Where they go.
            query: Filters, without `creation_date_begin`.
            name: Of the query, for the evidence.
            begin: Orders created before are not wanted, UTC.
        """
        self.evidence = Walk(order=f"+creation_dts ({name})", floor=begin)
        self.read_to: datetime | None = None
        self._fetcher = fetcher
        self._sink = pages
        self._query = query
        self._floor = begin
        self._begin = begin
        self._skip = 0
        self._overlap = 0  # rows of the last page that the next one shows again, if rows count
        self._looks_behind = False
        # More pages than rereads, so that stepping back never loses its way.
        self._trail: deque[_Page] = deque(maxlen=MAX_REREADS + 1)

    async def step(self, until: datetime | None = None) -> PageRows:
        """Read one page.

        Args:
            until: Orders created later are not wanted, UTC.

        Raises:
            SourceError: the source refused or failed.
            CallBudgetExhausted: the run may make no more calls.
        """
        walk = self.evidence
        query = self._query
        if self._begin is not None:
            query = OrderQuery(**query, creation_date_begin=self._begin)
        rows = await self._fetcher.query(query, self._sink, offset=self._skip)
        walk.pages += 1
        walk.asked_at = walk.asked_at or self._fetcher.now
        if walk.pages == 1:
            walk.first_total = rows.total
        keys = rows.sorted_keys
        if keys != sorted(keys):
            walk.ended = "unsorted"
        elif keys and self._begin and keys[0] < self._begin - TOLERANCE:
            walk.ended = "unfiltered"
        elif self._looks_behind:
            self._look_behind(rows)
        elif not self._is_tied(rows):
            self._step_back()
        else:
            self._go_on(rows, until)
        return rows

    def _is_tied(self, rows: PageRows) -> bool:
        """True when no row that is wanted stands between the last page and this one."""
        if not self._trail:
            return True
        last = self._trail[-1].rows
        if self._skip == 0:
            known = {one for page in self._trail for one in page.rows.ids if one is not None}
            return any(one in known for one in rows.ids)
        keys, before = rows.sorted_keys, last.sorted_keys
        if keys and before and keys[0] < before[-1]:
            return True  # so all rows of the last page's last second stand here or behind
        # Among rows of one second, only their order tells where we are.
        return rows.ids[: self._overlap] == last.ids[-self._overlap :]

    def _go_on(self, rows: PageRows, until: datetime | None) -> None:
        """Note a page that is tied, and find where the next one begins."""
        walk = self.evidence
        known = set(self._trail[-1].rows.ids) if self._trail else set()
        fresh = [one for one in rows.ids if one not in known]
        walk.orders_seen += len(fresh)
        keys, count = rows.sorted_keys, len(rows)
        if keys:
            walk.oldest = walk.oldest or keys[0]
            walk.head = self.read_to = max(keys[-1], self.read_to or keys[-1])
        told = goes_on(rows.more, rows=count, behind=self._skip + count, total=rows.total)
        if not count or told is False or (until and keys and keys[-1] > until):
            walk.ended = "end"
            return
        self._trail.append(_Page(self._begin, rows))
        if told is None and not fresh:
            self._looks_behind, self._skip = True, self._skip + count
            return
        following = keys[-1] - SLACK if keys else None
        if following and (self._begin is None or following > self._begin):
            self._begin, self._skip = following, 0
        else:
            self._overlap = _overlap(rows)
            self._skip += count - self._overlap
            if self._overlap == count:
                walk.ended = "narrow"  # pages of one order show nothing beside it

    def _look_behind(self, rows: PageRows) -> None:
        """Decide about the end where the source does not tell it and nothing new came."""
        self._looks_behind = False
        if not len(rows):
            self.evidence.ended = "end"
            return
        # There is more. What came is not tied to anything, so it is asked for once more.
        self._overlap = _overlap(self._trail[-1].rows)
        self._skip -= self._overlap
        self._count_reread()

    def _step_back(self) -> None:
        self._begin, self._skip = self._trail.pop().begin, 0
        if not self._trail:
            self._begin = self._floor
        self._count_reread()

    def _count_reread(self) -> None:
        self.evidence.rereads += 1
        if self.evidence.rereads > MAX_REREADS:
            self.evidence.ended = "moving"
        logger.info("%s moved under the walk; reading again from %s", self._query, self._begin)


def _overlap(rows: PageRows) -> int:
    """Return how many rows at the end of a page the next one has to show again.

    With a row from before the last second among them, the next page shows all of that second, in
    whatever order. Where the page holds nothing older, most of it, so that its order is telling.
    """
    last = rows.keys[-1]
    ties = next((n for n, key in enumerate(reversed(rows.keys)) if key != last), len(rows))
    if last is not None and ties + 1 < len(rows):
        return ties + 1
    return max(1, len(rows) * 3 // 4)
