"""What the ends of the listing by change hold beyond its ends by creation, from a few pages.

Nobody knows how many orders stand at two ends at once. So some pages of both ends by change are
looked at, where most is unknown, and lines are laid between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import exp, inf, sqrt

from orders_connector.account_load import AccountLoad
from orders_connector.sources.voucherify.endpoints import OrderSort
from orders_connector.sources.voucherify.loading.listing_places import tie_key
from orders_connector.sources.voucherify.models import Order
from orders_connector.sources.voucherify.paging import MAX_LIMIT, PageRequest, Reach, next_request

__all__ = [
    "Changes",
    "changed_orders",
    "look_at_changes",
    "page_of",
    "walk_requests",
]

FIRST_LOOKS = 9  # at each end
# Looks end when the sum over both ends is sure to this share of the requests that are at stake.
SURE = 0.004


_Sure = tuple[float, float]  # a number and its variance


@dataclass(frozen=True)
class Changes:
    """What orders cost that stand at neither end by creation.

    Attributes:
        pages: Pages of the oldest end by change that hydration will read.
        items: Orders that it will fetch one by one.
    """

    pages: int = 0
    items: int = 0


async def changed_orders(load: AccountLoad, reach: Reach) -> int:
    """Return after how many orders a walk by change meets those without updated_at, or its end.

    Args:
        load: The account's load.
        reach: How far page numbers go.

    Raises:
        SourceError: the source refused or failed.
        CallBudgetExhausted: the run may make no more calls.
    """
    last = await page_of(load, "-updated_at", reach.pages)
    if not last or last[-1].updated_at is not None:
        return reach.orders
    first = await page_of(load, "-updated_at", 1)
    if not first or first[0].updated_at is None:
        return reach.orders
    pages = {1: first, reach.pages: last}
    above, ends = 0, reach.pages
    while ends - above > 1:
        middle = (above + ends) // 2
        if middle not in pages:
            pages[middle] = await page_of(load, "-updated_at", middle)
        if pages[middle] and pages[middle][-1].updated_at is None:
            ends = middle
        else:
            above = middle
    return (ends - 1) * MAX_LIMIT + sum(row.updated_at is not None for row in pages[ends])


async def look_at_changes(
    load: AccountLoad, reach: Reach, total: int, *, sure: int, most: int
) -> Changes:
    """Look at pages of both ends by change and at one of each end by creation.

    Args:
        load: The account's load.
        reach: How far page numbers go.
        total: Orders that the source counts.
        sure: Requests that will be made in any case.
        most: Pages to look at; some twenty are looked at in any case.

    Raises:
        SourceError: the source refused or failed.
        CallBudgetExhausted: the run may make no more calls.
    """
    between = total - 2 * reach.orders
    if between <= 0:
        return Changes()
    old = await page_of(load, "created_at", reach.pages)
    new = await page_of(load, "-created_at", reach.pages)
    if not old or not new:
        return Changes(items=between)
    oldest, newest = old[-1].created_at or "", new[-1].created_at or ""
    walked = _End("-updated_at", reach, lambda row: oldest < (row.created_at or "") < newest)
    created = walked.times = (_moment(oldest), _moment(newest))
    await walked.look_around(load)
    is_walked = _shown_by(walked)
    harvested = _End("updated_at", reach, lambda row: walked.wanted(row) and not is_walked(row))
    until = min((_moment(row.updated_at) for row in walked.rows if row.updated_at), default=inf)
    harvested.times = (created[0], min(created[1], until))
    await harvested.look_around(load)
    ends = (walked, harvested)
    for end in ends:
        end.dealt_anew = any(tie_key(one.nulls) is None for one in ends)
    for _ in range(most - 2 - sum(len(end.looks) for end in ends)):
        gaps = [(*end.unknown(*gap), end) for end in ends for gap in pairwise(sorted(end.looks))]
        if sum(unknown**2 for unknown, *_ in gaps) <= (SURE * (between + sure)) ** 2:
            break
        _, page, end = max(gaps, key=lambda gap: gap[0])
        await end.look_at(load, page)
    share = sum(row.updated_at is None for row in old + new) / len(old + new)
    return _reckon(walked, harvested, total, share * total)


def walk_requests(orders: int, reach: Reach) -> list[PageRequest]:
    """Return the requests of a walk over the first `orders` rows of a listing that holds still."""
    requests: list[PageRequest] = []
    read = 0
    while read < orders or not requests:
        # As the walk does, it shows a row newer than the last one again.
        request = next_request(read, reach, overlap=2) if read else next_request(0, reach)
        request = request or next_request(read, reach)
        if request is None:  # the last page, between two looks at the one before
            last = reach.last_request
            return [*requests, last, last._replace(page=last.page - 1)]
        requests.append(request)
        read = min(orders, request.start + request.limit)
    return requests


async def page_of(load: AccountLoad, order: OrderSort, page: int) -> list[Order]:
    """Return the orders on a full page of the listing; errors as for `look_at_changes`."""
    answer = await load.client.list_orders(limit=MAX_LIMIT, page=page, order=order)
    return [row for row in answer.model.orders or [] if row]


class _End:
    """One end of the listing by change, some pages of which were looked at.

    Attributes:
        wanted: Says whether an order counts.
        looks: The pages that were looked at.
        times: Between which most wanted orders were created, so changed as well; in seconds.
        dealt_anew: Each answer puts orders without updated_at in another order.
    """

    def __init__(self, order: OrderSort, reach: Reach, wanted: Callable[[Order], bool]) -> None:
        self.wanted = wanted
        self.looks: dict[int, list[Order]] = {}
        self.times = (inf, -inf)
        self.dealt_anew = False
        self._order, self.last = order, reach.pages
        # Of each page that was looked at: wanted orders with and without updated_at, all without.
        self._changed: dict[int, int] = {}
        self._tied: dict[int, int] = {}
        self._nulls: dict[int, int] = {}

    async def look_around(self, load: AccountLoad) -> None:
        """Look at pages in equal distances, the first and the last among them."""
        count = min(FIRST_LOOKS, self.last)
        for n in range(count):
            await self.look_at(load, 1 + round(n * (self.last - 1) / max(1, count - 1)))

    async def look_at(self, load: AccountLoad, page: int) -> None:
        """Look at one page."""
        rows = self.looks[page] = await page_of(load, self._order, page)
        wanted = [row.updated_at for row in rows if self.wanted(row)]
        self._tied[page] = wanted.count(None)
        self._changed[page] = len(wanted) - self._tied[page]
        self._nulls[page] = sum(row.updated_at is None for row in rows)

    def unknown(self, left: int, right: int) -> tuple[float, int]:
        """Return by how many orders the pages between two looks may differ from a line.

        Returns:
            Orders, and the page that tells most.
        """
        between, middle = right - left - 1, (left + right) // 2
        # Of orders that are dealt anew, a page tells little more than those before it.
        weight = 0.5 if self.dealt_anew else 1
        found = [weight * self._tied[page] + self._changed[page] for page in (left, right)]
        # Two pages without any do not say that none are between them, where some may be at all.
        some = any(self._nulls[page] or self.time(page) >= self.times[0] for page in (left, right))
        share = min(1, (sum(found) + (weight if some else 0)) / 2 / MAX_LIMIT)
        unknown = max(abs(found[0] - found[1]) / 2, sqrt(MAX_LIMIT * share * (1 - share)))
        # All wanted orders may stand between two pages that hold none, but not at any time.
        times = sorted(self.time(page) for page in (left, right))
        low, high = max(times[0], self.times[0]), min(times[1], self.times[1])
        if between > 0 and low < high:
            part = (high - low) / (times[1] - times[0])
            if MAX_LIMIT * part > 2 * max(found):
                unknown = max(unknown, MAX_LIMIT * part / 2)
                place = ((low + high) / 2 - self.time(left)) / (self.time(right) - self.time(left))
                middle = min(right - 1, max(left + 1, round(left + place * (right - left))))
        return between * unknown, middle

    def time(self, page: int) -> float:
        """Return when an order in the middle of a page changed, in seconds."""
        rows = [row.updated_at for row in self.looks[page] if row.updated_at]
        return _moment(rows[len(rows) // 2]) if rows else inf

    @property
    def rows(self) -> list[Order]:
        """Orders that were seen, as they stand."""
        return [row for page in sorted(self.looks) for row in self.looks[page]]

    @property
    def nulls(self) -> list[Order]:
        """Orders without updated_at that were seen, as they stand."""
        return [row for row in self.rows if row.updated_at is None]

    def all_nulls(self, total: int) -> float | None:
        """Return how many orders have no updated_at; None when they do not end here."""
        rows = self.rows
        if not rows or (rows[0].updated_at is None) == (rows[-1].updated_at is None):
            return None
        here = sum(self.null_rows(page) for page in range(1, self.last + 1))
        return here if rows[0].updated_at is None else total - self.last * MAX_LIMIT + here

    def null_rows(self, page: int) -> float:
        """Return how many rows without updated_at stand on a page."""
        return _between(page, self._nulls)

    def changed(self, page: int) -> float:
        """Return how many wanted orders with updated_at stand on a page."""
        return _between(page, self._changed)

    def changed_towards_last(self, pages: float) -> float:
        """Return how many wanted orders with updated_at its last pages hold, each."""
        near = [page for page in sorted(self.looks)[-3:] if page > self.last - max(1, pages)]
        return sum(self._changed[page] for page in near) / len(near)

    def tied(self, page: int) -> float:
        """Return how many wanted orders without updated_at stand on a page."""
        return _between(page, self._tied)


def _reckon(walked: _End, harvested: _End, total: int, nulls: float) -> Changes:
    """Reckon what hydration will read and what is left.

    Args:
        walked: The newest end.
        harvested: The oldest end.
        total: Orders that the source counts.
        nulls: A guess at how many of them have no updated_at.
    """
    pages = range(1, harvested.last + 1)
    ends = (walked, harvested)
    unsure = sum(end.unknown(*gap)[0] ** 2 for end in ends for gap in pairwise(sorted(end.looks)))
    changed = sum(end.changed(page) for end in ends for page in pages)
    # What is wanted stands on these pages or between both ends: two ways to know what is there.
    left = total - 2 * harvested.last * MAX_LIMIT - changed
    hidden = _hidden(walked, harvested, total, nulls)
    if any(tie_key(end.nulls) is None for end in ends):
        return _reckon_chance(walked, harvested, total, nulls, (left, unsure), hidden)
    tied = sum(end.tied(page) for end in ends for page in pages)
    rest = _weighed((left - tied, unsure), hidden)
    worth = [
        _worth(harvested.changed(page) + harvested.tied(page), looked=page in harvested.looks)
        for page in pages
    ]
    return Changes(
        round(sum(read for read, _ in worth)),
        round(max(0, rest) + sum(single for _, single in worth)),
    )


def _reckon_chance(
    walked: _End, harvested: _End, total: int, nulls: float, left: _Sure, hidden: _Sure
) -> Changes:
    """Do so where each answer puts orders without updated_at in another order.

    Args:
        walked: The newest end.
        harvested: The oldest end.
        total: Orders that the source counts.
        nulls: A guess at how many of them have no updated_at.
        left: Wanted orders, less those with updated_at that both ends show; its variance.
        hidden: Wanted orders with updated_at that neither shows; its variance.
    """
    ends, pages = (walked, harvested), range(1, harvested.last + 1)
    seen = {row.id: row for end in ends for row in end.nulls}
    wanted = sum(walked.wanted(row) for row in seen.values())
    known = [count for end in ends if (count := end.all_nulls(total)) is not None]
    count = max(known, default=max(nulls, len(seen)))
    sample = count * wanted / len(seen)
    # As for a sample without repetition; one order more, as none seen says little.
    sampled = (sample, sample**2 / (wanted + 1) * (1 - len(seen) / count) + 1)
    waiting = _weighed(sampled, (left[0] - hidden[0], left[1] + hidden[1]))
    rest = _weighed(hidden, (left[0] - sample, left[1] + sampled[1]))
    reach = Reach(harvested.last)
    for request in walk_requests(reach.orders, reach):  # which overlap, so rows are read twice
        page = min(reach.pages, (request.start + request.limit // 2) // MAX_LIMIT + 1)
        rows_here = request.limit / MAX_LIMIT * walked.null_rows(page)
        waiting *= 1 - min(1, rows_here / count)
    worth = [_worth(harvested.changed(p), looked=p in harvested.looks) for p in pages]
    read, items = (sum(column) for column in zip(*worth, strict=True))
    shown = any(end.null_rows(page) >= MAX_LIMIT for end in ends for page in (1, end.last))
    while shown and waiting * MAX_LIMIT / count > 1:  # hydration reckons the same
        waiting -= waiting * MAX_LIMIT / count
        read += 1
    return Changes(round(read), round(max(0, rest) + items + waiting))


def _hidden(walked: _End, harvested: _End, total: int, nulls: float) -> _Sure:
    """Return how many wanted orders changed between both ends, and the variance of that."""
    known = [count for end in (walked, harvested) if (count := end.all_nulls(total)) is not None]
    if not known and (nulls or walked.nulls or harvested.nulls):
        return 0, inf
    rows = total - (known[0] if known else 0)
    for end in (walked, harvested):
        rows -= sum(MAX_LIMIT - end.null_rows(page) for page in range(1, end.last + 1))
    if rows <= 0:
        return 0, 1
    between = rows / MAX_LIMIT
    found = [end.changed_towards_last(between) for end in (walked, harvested)]
    share = min(1, (sum(found) + 1) / 2 / MAX_LIMIT)
    unsure = max(abs(found[0] - found[1]) / 2, sqrt(MAX_LIMIT * share * (1 - share)))
    low, high = harvested.time(harvested.last), walked.time(walked.last)
    if max(low, walked.times[0]) < min(high, walked.times[1]):
        unsure = MAX_LIMIT  # most of what is wanted may be there
    return between * sum(found) / 2, (between * unsure) ** 2 + 1


def _weighed(*reckoned: _Sure) -> float:
    """Return the mean of some numbers, each with its variance."""
    weights = [1 / max(1, variance) for _, variance in reckoned]
    return sum(w * value for w, (value, _) in zip(weights, reckoned, strict=True)) / sum(weights)


def _worth(count: float, *, looked: bool) -> tuple[float, float]:
    """Return the chance that a page brings more than one order, and how many it leaves if not."""
    if looked:
        return (1, 0) if count > 1 else (0, count)
    return 1 - exp(-count) * (1 + count), count * exp(-count)


def _shown_by(end: _End) -> Callable[[Order], bool]:
    """Return what tells whether an order stands on the pages of the newest end."""
    rows, nulls = end.rows, end.nulls
    changed = [row.updated_at for row in rows if row.updated_at]
    key = tie_key(nulls)
    all_nulls = bool(nulls) and rows[-1].updated_at is not None

    def value(row: Order) -> str:
        return (row.id if key and key.endswith("id") else row.created_at) or ""

    def shown(row: Order) -> bool:
        if row.updated_at is not None:
            return bool(changed) and row.updated_at >= min(changed)
        if key is None or not nulls:
            return False
        if all_nulls:
            return True
        last = value(nulls[-1])
        return value(row) >= last if key.startswith("-") else value(row) <= last

    return shown


def _moment(text: str | None) -> float:
    """Return a time in seconds; infinite when it is none."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return inf


def _between(page: int, found: dict[int, int]) -> float:
    """Return what a page holds if it lies on the line between the pages that were looked at."""
    if page in found:
        return found[page]
    left = max(place for place in found if place < page)
    right = min(place for place in found if place > page)
    return found[left] + (page - left) / (right - left) * (found[right] - found[left])
