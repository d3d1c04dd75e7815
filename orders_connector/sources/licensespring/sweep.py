"""How everything is read: each list from its first row on, over as many runs as it takes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orders_connector.errors import CallBudgetExhausted, SourceError
from orders_connector.sources.base import Reading, Walk, Window
from orders_connector.sources.licensespring.changes import PLACE, PORTION_PAGES
from orders_connector.sources.licensespring.paging import (
    EPOCH,
    Listing,
    PageAsker,
    key_of,
    moment_of,
)
from orders_connector.sources.licensespring.walking import FAILED, ListWalk

__all__ = ["Sweep"]

BEGAN, ENDED = "sweep_began", "sweep_ended"
LICENSES_BY_ID, LICENSES_BY_CHANGE = "sweep_licenses_by_id", "sweep_licenses"
LICENSES_FROM = "sweep_licenses_from"
NOT_YET, DONE = EPOCH, datetime(9999, 1, 1, tzinfo=UTC)
WHY = {
    "moving": "{list} did not hold still: {rereads} pages were read again without finding the "
    "place; run again at a quieter time",
    "ties": "{list}: more rows share a value than a page shows, and they cannot be told apart",
    "unsorted": "{list}: the source does not sort as it was asked to, so rows may have been passed",
}


@dataclass(frozen=True)
class _Pass:
    """One list to read.

    Attributes:
        mark: Name of the watermark that says how far it was read.
        listing: The list.
        start: First key that is wanted; None for all rows.
        bounded: Rows from after the beginning of the sweep are not wanted.
    """

    mark: str
    listing: Listing
    start: int | None = None
    bounded: bool = False


class Sweep:
    """Reads all orders, and licenses as well, in an order in which new rows come last.

    Orders go by `created_at`, which does not move; where that does not do, because more of them
    share a second than a page shows, by `id`. Every order is known at the end as it stood when the
    sweep began, or later. An order that is put into the archive meanwhile, or taken out of it, is
    passed by one of the lists, as the archived ones are read before and after the others.

    Attributes:
        walks: All walks so far.
    """

    def __init__(
        self,
        asker: PageAsker,
        asked: Window,
        *,
        passes: Sequence[bool | None],
        licenses_from: datetime | None = None,
        marks: Mapping[str, datetime] | None = None,
    ) -> None:
        """Set up.

        Args:
            asker: Asks for pages.
            asked: The window that is wanted; what is read goes beyond it.
            passes: Which lists of orders are read, in this order; see `Listing.archived`.
            licenses_from: Read licenses by the time of their last change from here on; None reads
                all of them, by id.
            marks: Watermarks of the account, where a sweep may go on that was interrupted; None
                for one that begins and keeps none.
        """
        self.walks: list[Walk] = []
        self._asker = asker
        self._asked = asked
        self._keeps_marks = marks is not None
        self._passes = [
            _Pass(_mark(number, archived), Listing("orders", "created_at", archived=archived))
            for number, archived in enumerate(passes, start=1)
        ]
        self._began, self._marks = _interrupted(marks or {}, asked)
        if licenses_from is None:
            licenses = _Pass(LICENSES_BY_ID, Listing("licenses", "id"))
        else:
            by_change = Listing("licenses", "updated_at")
            licenses = _Pass(LICENSES_BY_CHANGE, by_change, key_of(licenses_from), bounded=True)
            # A sweep for a later window read the later ones alone.
            if self._marks.get(LICENSES_FROM, DONE) > licenses_from:
                self._marks.pop(licenses.mark, None)
                self._marks[LICENSES_FROM] = licenses_from
        self._passes.append(licenses)
        self._failure: str | None = None

    async def read(self) -> AsyncGenerator[Reading]:
        """Yield a reading per portion; only the last one proves anything.

        Raises:
            SourceError: a call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        for one in self._passes:
            if self._marks.get(one.mark) == DONE:
                continue
            async with aclosing(self._read(one)) as portions:
                async for reading in portions:
                    yield reading
            if self._failure:
                yield Reading(
                    self._asked,
                    missing=[self._asked],
                    reason=self._failure,
                    walks=self.walks,
                )
                return
            self._marks[one.mark] = DONE
        assert self._began is not None  # noqa: S101 - a pass that ended has asked
        reading = Reading(self._asked, walks=self.walks, read_everything=True)
        end = min(self._began, self._asked.end or self._began)
        if self._asked.start < end:
            reading.proven = Window(self._asked.start, end)
        if self._keeps_marks:
            reading.watermarks = {BEGAN: self._began, ENDED: self._began}
        yield reading

    async def _read(self, one: _Pass) -> AsyncGenerator[Reading]:
        """Read one list, by id where its own order does not do."""
        walk = self._walk(one.listing)
        position = self._marks.get(one.mark, NOT_YET)
        place = self._marks.get(PLACE.format(one.mark))
        if position != NOT_YET and place is not None:
            walk.begin_at(key_of(place), key_of(position))
        elif one.start is not None:
            await walk.seek(one.start)
        while True:
            bounded = one.bounded and walk.sort != "id"
            try:
                await walk.go_on(
                    key_of(self._began) if bounded and self._began else None,
                    most_pages=PORTION_PAGES,
                )
            except (SourceError, CallBudgetExhausted):
                # However little a run may read, the next one goes on from there.
                yield self._portion(one, walk)
                raise
            if walk.evidence.ended in FAILED and walk.sort != "id":
                walk = self._walk(replace(one.listing, sort="id"))
                continue
            yield self._portion(one, walk)
            if walk.evidence.ended in FAILED:
                ended = walk.evidence
                self._failure = WHY[ended.ended].format(list=ended.order, rereads=ended.rereads)
            if walk.evidence.ended:
                return

    def _walk(self, listing: Listing) -> ListWalk:
        walk = ListWalk(self._asker, listing)
        self.walks.append(walk.evidence)
        return walk

    def _portion(self, one: _Pass, walk: ListWalk) -> Reading:
        """Note how far the sweep went; nothing is proven yet."""
        reading = Reading(self._asked)
        self._began = self._began or walk.evidence.asked_at
        if self._keeps_marks and self._began:
            if walk.sort == one.listing.sort and 0 < (walk.edge or 0) < key_of(DONE):
                edge = walk.edge or 0
                self._marks[one.mark] = moment_of(edge)  # or what stands for the id
                self._marks[PLACE.format(one.mark)] = moment_of(walk.rows_above(edge))
            marks = {known.mark for known in self._passes} | {LICENSES_BY_ID, LICENSES_BY_CHANGE}
            far = {mark: self._marks.get(mark, NOT_YET) for mark in marks}
            if LICENSES_FROM in self._marks:
                far[LICENSES_FROM] = self._marks[LICENSES_FROM]
            places = {PLACE.format(mark): self._marks.get(PLACE.format(mark)) for mark in marks}
            told = {mark: place for mark, place in places.items() if place is not None}
            reading.watermarks = {BEGAN: self._began} | far | told
        return reading


def _mark(number: int, archived: bool | None) -> str:
    return f"sweep_{number}_" + {True: "archived", False: "active", None: "orders"}[archived]


def _interrupted(
    marks: Mapping[str, datetime], asked: Window
) -> tuple[datetime | None, dict[str, datetime]]:
    """Return when the sweep began that goes on, and how far it went; None and {} for a new one."""
    began = marks.get(BEGAN)
    if began is None or began == marks.get(ENDED) or began <= asked.start:
        return None, {}
    return began, dict(marks)
