"""What the ends of the listing by change hold beyond its ends by creation, from a few pages.

Nobody knows how many orders stand at two ends at once. So some pages of both ends by change are
looked at, where most is unknown, and lines are laid between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, sqrt

from orders_connector.account_load import AccountLoad
from orders_connector.sources.voucherify.endpoints import OrderSort
from orders_connector.sources.voucherify.loading.hydration import FRUITLESS_PAGES, WORTH_A_PAGE
from orders_connector.sources.voucherify.models import Order
from orders_connector.sources.voucherify.paging import MAX_LIMIT, PageRequest, Reach, next_request

__all__ = ["MOST_LOOKS", "Changes", "look_at_changes", "page_of", "walk_requests"]

FIRST_LOOKS, MORE_LOOKS = 9, 48  # at each end; at both together
LAST_LOOKS = 20  # at pages where hydration may give up, which decides about all behind them
MOST_LOOKS = 2 + 2 * FIRST_LOOKS + MORE_LOOKS + LAST_LOOKS
# Looks end when the sum over an end is sure to this share of what the ends by creation leave open.
SURE = 0.004


@dataclass(frozen=True)
class Changes:
    """What both ends by change bring beyond both ends by creation.

    Attributes:
        walked: Orders that the walk over the newest end brings.
        pages: Pages of the oldest end that hydration will read.
        brought: Orders that these pages bring.
    """

    walked: int = 0
    pages: int = 0
    brought: int = 0


async def look_at_changes(load: AccountLoad, reach: Reach, total: int) -> Changes:
    """Look at pages of both ends by change, at most `MOST_LOOKS` with those by creation.

    Args:
        load: The account's load.
        reach: How far page numbers go.
        total: Orders that the source counts.

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
        return Changes()
    oldest, newest = old[-1].created_at or "", new[-1].created_at or ""
    walked = _End("-updated_at", reach, lambda row: oldest < (row.created_at or "") < newest)
    left = await walked.look(load, enough=SURE * between, most=MORE_LOOKS)
    is_walked = _shown_by(walked)
    harvested = _End("updated_at", reach, lambda row: walked.wanted(row) and not is_walked(row))
    await harvested.look(load, enough=SURE * between, most=left)
    ties, times = _Ties(), 1.0
    if _tie_key(walked.nulls) is None or _tie_key(harvested.nulls) is None:
        whole = [end.null_rows() for end in (walked, harvested) if end.shows_all_nulls()]
        share = sum(row.updated_at is None for row in old + new) / len(old + new)
        ties.count = max(whole, default=max(share * total, walked.null_rows()))
        # Pages of a walk overlap, so it reads more rows than it reaches.
        rows = sum(request.limit for request in walk_requests(reach.orders, reach))
        times = rows / reach.orders
    brought = sum(walked.brings(page, ties, times) for page in range(1, reach.pages + 1))
    return await _harvest(load, harvested, ties, round(brought))


def walk_requests(orders: int, reach: Reach) -> list[PageRequest]:
    """Return the requests of a walk over the first `orders` rows of a listing that holds still."""
    requests: list[PageRequest] = []
    read = 0
    while read < orders or not requests:
        request = next_request(read, reach)
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


class _Ties:
    """Orders without updated_at that a source may put in another order in each answer.

    Attributes:
        count: How many there are; infinite where they keep their places and never repeat.
        shown: Rows of them that were read, repeated ones included.
    """

    def __init__(self) -> None:
        self.count = inf
        self.shown = 0.0

    def fresh(self) -> float:
        """Return the chance that such a row was not read before."""
        return exp(-self.shown / self.count)


class _End:
    """One end of the listing by change, some pages of which were looked at."""

    def __init__(self, order: OrderSort, reach: Reach, wanted: Callable[[Order], bool]) -> None:
        self.wanted = wanted
        self.looks: dict[int, list[Order]] = {}
        self._order, self._reach = order, reach
        # Of each page that was looked at: wanted orders with and without updated_at, all without.
        self._changed: dict[int, int] = {}
        self._tied: dict[int, int] = {}
        self._nulls: dict[int, int] = {}

    async def look(self, load: AccountLoad, *, enough: float, most: int) -> int:
        """Look at some pages, then at others until the sum is sure; return how many are left.

        Args:
            load: The account's load.
            enough: Orders by which the sum over all pages may be wrong.
            most: Pages to look at after the first ones.
        """
        last = self._reach.pages
        count = min(FIRST_LOOKS, last)
        for n in range(count):
            await self.look_at(load, 1 + round(n * (last - 1) / max(1, count - 1)))
        while most:
            gaps = [(self._unknown(*gap), *gap) for gap in pairwise(sorted(self.looks))]
            if sum(unknown**2 for unknown, *_ in gaps) <= enough**2:
                break
            _, left, right = max(gaps)
            await self.look_at(load, (left + right) // 2)
            most -= 1
        return most

    async def look_at(self, load: AccountLoad, page: int) -> None:
        """Look at one page."""
        rows = self.looks[page] = await page_of(load, self._order, page)
        wanted = [row.updated_at for row in rows if self.wanted(row)]
        self._tied[page] = wanted.count(None)
        self._changed[page] = len(wanted) - self._tied[page]
        self._nulls[page] = sum(row.updated_at is None for row in rows)

    def _unknown(self, left: int, right: int) -> float:
        """Return by how many orders the pages between two looks may differ from a line."""
        found = [self._tied[page] + self._changed[page] for page in (left, right)]
        share = min(1, sum(found) / 2 / MAX_LIMIT)
        by_chance = sqrt(MAX_LIMIT * share * (1 - share))
        return (right - left - 1) * max(abs(found[0] - found[1]) / 2, by_chance)

    @property
    def rows(self) -> list[Order]:
        """Orders that were seen, as they stand."""
        return [row for page in sorted(self.looks) for row in self.looks[page]]

    @property
    def nulls(self) -> list[Order]:
        """Orders without updated_at that were seen, as they stand."""
        return [row for row in self.rows if row.updated_at is None]

    def null_rows(self) -> float:
        """Return how many rows without updated_at stand on its pages."""
        return sum(_between(page, self._nulls) for page in range(1, self._reach.pages + 1))

    def shows_all_nulls(self) -> bool:
        """Say whether they stand before all others and end within its pages."""
        rows = self.rows
        return bool(rows) and rows[0].updated_at is None and rows[-1].updated_at is not None

    def holds(self, page: int) -> float:
        """Return how many wanted orders stand on a page."""
        return _between(page, self._changed) + _between(page, self._tied)

    def brings(self, page: int, ties: _Ties, times: float = 1) -> float:
        """Return how many wanted orders a page brings whose rows are read that many times, now."""
        tied = times * _between(page, self._tied) * ties.fresh()
        ties.shown += times * _between(page, self._nulls)
        return _between(page, self._changed) + tied


async def _harvest(load: AccountLoad, end: _End, ties: _Ties, walked: int) -> Changes:
    """Reckon as hydration will read the pages of an end, from both sides."""
    last, looks = max(end.looks), LAST_LOOKS
    pages, brought, met = 0, 0.0, 0
    for side in (range(1, last + 1), range(last, 0, -1)):
        fruitless = 0
        rest = [page for page in side if page > met]
        for page in rest:
            if looks and page not in end.looks and end.holds(page) < 2 * WORTH_A_PAGE:
                await end.look_at(load, page)
                looks -= 1
            gained = end.brings(page, ties)
            pages, brought, met = pages + 1, brought + gained, max(met, page)
            fruitless = 0 if gained >= WORTH_A_PAGE else fruitless + 1
            if fruitless == FRUITLESS_PAGES:
                break
    return Changes(walked, pages, round(brought))


def _shown_by(end: _End) -> Callable[[Order], bool]:
    """Return what tells whether an order stands on the pages of the newest end."""
    rows, nulls = end.rows, end.nulls
    changed = [row.updated_at for row in rows if row.updated_at]
    key = _tie_key(nulls)
    all_nulls = bool(nulls) and rows[-1].updated_at is not None

    def shown(row: Order) -> bool:
        if row.updated_at is not None:
            return bool(changed) and row.updated_at >= min(changed)
        if key is None or not nulls:
            return False
        return all_nulls or min(map(key, nulls)) <= key(row) <= max(map(key, nulls))

    return shown


def _tie_key(nulls: list[Order]) -> Callable[[Order], str] | None:
    """Return what orders without updated_at stand by; None when their places look random."""
    for key in (_by_id, _by_creation):
        values = [key(row) for row in nulls]
        if values in (sorted(values), sorted(values, reverse=True)):
            return key
    return None


def _by_id(row: Order) -> str:
    return row.id or ""


def _by_creation(row: Order) -> str:
    return row.created_at or ""


def _between(page: int, found: dict[int, int]) -> float:
    """Return what a page holds if it lies on the line between the pages that were looked at."""
    if page in found:
        return found[page]
    left = max(place for place in found if place < page)
    right = min(place for place in found if place > page)
    return found[left] + (page - left) / (right - left) * (found[right] - found[left])
