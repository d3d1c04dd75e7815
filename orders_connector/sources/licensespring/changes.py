"""How a window is read: every list from its newest change down, slice by proven slice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from orders_connector.sources.base import Reading, Window
from orders_connector.sources.licensespring.paging import Listing, PageAsker, key_of, moment_of
from orders_connector.sources.licensespring.walking import FAILED, ListWalk

__all__ = ["PLACE", "PORTION_PAGES", "ChangeReading"]

PORTION_PAGES = 25
# Watermarks: the time above which everything is proven, and for each list how many rows stand above
# it (as microseconds since 1970), so that the next run need not seek its place.
PLACES_OF, PLACE = "places_of", "place: {}"

Bottom = tuple[str, int | None]


class ChangeReading:
    """Reads what changed in a window, newest first.

    A row that changes meanwhile moves to the top of its list and belongs to a later window, so a
    walk down loses nothing. An order that moves between the lists of active and of archived ones
    is passed by one of them, as the archived ones are read before and after the others, slice by
    slice. Several walks go down side by side; above the place that all of them reached, everything
    is read.

    Attributes:
        left: What is not proven yet; None when all of it is.
        walks: All walks so far.
    """

    def __init__(
        self,
        asker: PageAsker,
        asked: Window,
        *,
        passes: Sequence[bool | None],
        bottoms: Mapping[bool | None, Bottom],
        overlap: timedelta,
        marks: Mapping[str, datetime],
        calls_left: Callable[[], int | None],
    ) -> None:
        """Set up.

        Args:
            asker: Asks for pages.
            asked: The window.
            passes: Which lists of orders are read, in this order; see `Listing.archived`.
            bottoms: For each, the row that ascending order shows first.
            overlap: How far below the window rows are read, for those that were written late.
            marks: Watermarks of the account, which may tell where the window begins in each list.
            calls_left: Returns how many requests may still be sent; None for no limit.
        """
        self.left: Window | None = asked
        self._asker = asker
        self._asked = asked
        self._passes = passes
        self._marks = marks
        self._calls_left = calls_left
        self._floor = key_of(asked.start - overlap)

        def orders(archived: bool | None) -> ListWalk:
            listing = Listing("orders", "updated_at", newest_first=True, archived=archived)
            return ListWalk(asker, listing, bottom=bottoms.get(archived))

        licenses = ListWalk(asker, Listing("licenses", "updated_at", newest_first=True))
        *before, last = map(orders, passes)
        self._orders = before or [last]
        # A list that is read again follows: it goes as far down as the others went.
        self._leading = [*self._orders, licenses]
        self._following = [last] if before else []
        self.walks = [*self._leading, *self._following]

    @property
    def failed(self) -> bool:
        """Whether a walk ended without proof; then the window has to be read in another way."""
        return any(walk.evidence.ended in FAILED for walk in self.walks)

    async def read(self) -> AsyncGenerator[Reading]:
        """Yield a reading per slice, the newest first; ends early when a walk fails.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        await self._seek(self.walks)
        end: datetime | None = None
        reached, most_pages = ABOVE_ALL, 1
        while self.left is not None and not self.failed:
            for walk in self._leading:
                if _depth(walk) >= reached and not self.failed:
                    await walk.go_on(self._floor, most_pages=self._affordable(most_pages))
            # Something is proven soon, however few requests a run may make.
            most_pages = min(PORTION_PAGES, 2 * most_pages)
            reached = max(map(_depth, self._leading))
            if self.failed or reached == ABOVE_ALL:
                continue
            await self._look_for_undated()
            for walk in self._following:
                if end is not None:
                    # What it read too far was too early: an order may have come in since.
                    walk.go_back(key_of(end) - 1)
                await walk.go_on(max(reached, self._floor))
            if self.failed:
                continue
            first = min(w.evidence.asked_at for w in self.walks if w.evidence.asked_at)
            end = end or min(first, self._asked.end or first)
            start = self._asked.start
            if reached != BELOW_ALL:
                if moment_of(reached) <= start:
                    continue  # what is left lies below the window
                start = min(moment_of(reached), end)
            self.left = None if reached == BELOW_ALL else Window(self._asked.start, start)
            yield self._reading(Window(start, end))
            end = start

    def _reading(self, part: Window) -> Reading:
        reading = Reading(self._asked)
        if part.end and part.start < part.end:
            reading.proven = part
        if reading.proven and self.left is not None:  # else the place may be that of an older gap
            below = key_of(part.start) - 1
            reading.watermarks = {PLACES_OF: part.start} | {
                PLACE.format(walk.evidence.order): moment_of(walk.rows_above(below))
                for walk in self.walks
            }
        if self.left is None:
            reading.walks = [walk.evidence for walk in self.walks]
            reading.read_everything = all(
                walk.evidence.ended == "end" and not walk.evidence.sought for walk in self._orders
            )
        return reading

    def _affordable(self, most_pages: int) -> int:
        """Return how many pages each walk may read so that all of them get as far."""
        left = self._calls_left()
        if left is None:
            return most_pages
        again = len(self._following)  # a list that is read again begins anew
        return max(1, min(most_pages, (left - again) // (len(self._leading) + again)))

    async def _look_for_undated(self) -> None:
        """Follow the times of creation, too, once a row has no time of change."""
        known = {walk.evidence.order for walk in self._following}
        listings = []
        if any(walk.unkeyed for walk in self._orders):
            listings += [
                Listing("orders", "created_at", newest_first=True, archived=archived)
                for archived in self._passes
            ]
        if self._leading[-1].unkeyed:
            listings.append(Listing("licenses", "created_at", newest_first=True))
        more = [ListWalk(self._asker, one) for one in listings if str(one) not in known]
        await self._seek(more)
        self._following += more
        self.walks += more

    async def _seek(self, walks: Sequence[ListWalk]) -> None:
        if self._asked.end is None:
            return
        key = key_of(self._asked.end) - 1
        for walk in walks:
            place = self._marks.get(PLACE.format(walk.evidence.order))
            if place is not None and self._marks.get(PLACES_OF) == self._asked.end:
                walk.begin_at(key_of(place), key)
            else:
                await walk.seek(key)


ABOVE_ALL, BELOW_ALL = 2**62, -(2**62)


def _depth(walk: ListWalk) -> int:
    """Return the least key from which on upwards a walk has read everything."""
    if walk.evidence.ended in ("floor", "end"):
        return BELOW_ALL
    return ABOVE_ALL if walk.edge is None else walk.edge + 1
