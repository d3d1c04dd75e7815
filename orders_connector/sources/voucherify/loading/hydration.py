"""Fetches in full the orders that are known from exports alone.

First from pages of the listing, then one by one, newest business date first. Which pages is known
beforehand: the warehouse knows every order's dates, so it knows on which page an order stands. A
page is read when it brings more than one. Everything is landed in batches, so a run that stops at
any point, or whose budget ends, is continued by the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import get_args

import duckdb

from orders_connector.account_load import AccountLoad
from orders_connector.errors import (
    CallBudgetExhausted,
    NotFound,
    PageOverLimit,
    RequestRejected,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.landing.raw_log import EXPORT, GONE
from orders_connector.landing.spool import Spool
from orders_connector.results import Hydrated
from orders_connector.sources.voucherify.endpoints import MAX_LIMIT, OrderSort, TypedAnswer
from orders_connector.sources.voucherify.loading.fetching import (
    ORDERS_PER_COMMIT,
    Fetched,
    fetch_orders,
    land_fetched,
)
from orders_connector.sources.voucherify.loading.listing_places import ListingPlaces, Nulls
from orders_connector.sources.voucherify.models import OrderList
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["hydrate", "waiting_orders"]

logger = logging.getLogger(__name__)

PAGES_PER_COMMIT = 25
FRUITLESS_PAGES = 5  # so many in a row that bring nothing: the listing is not what we know
FEW = 5  # orders for which looking for their pages is not worth it

# Orders whose newest state is known from an export alone, with their business date as the models
# derive it.
AWAITING = f"""
    select r.order_id,
        any_value(coalesce(
            try_cast(json_extract_string(e.payload, a.business_date_path) as timestamptz),
            try_cast(json_extract_string(e.payload, '$.created_at') as timestamptz),
            e.version_at
        ) at time zone a.time_zone)::date as order_date
    from (
        select order_key, order_id,
            arg_max(version_id, (version_at, version_id)) filter (where channel = '{EXPORT}')
                as version_id,
            max(version_at) filter (where channel = '{EXPORT}') as header_at,
            max(version_at) filter (where channel not in ('{EXPORT}', '{GONE}')) as full_at,
            arg_max(channel, version_id) as newest
        from raw.order_payloads
        where source = $source and account = $account and quarantine_reason is null
        group by order_key, order_id
        having header_at > coalesce(full_at, '-infinity') and newest <> '{GONE}'
    ) as r
    inner join raw.order_payloads as e on e.version_id = r.version_id
    inner join ops.accounts as a on a.source = $source and a.account = $account
    group by r.order_id
"""


def waiting_orders(
    con: duckdb.DuckDBPyConnection, source: str, account: str, days: tuple[date, date] | None
) -> int:
    """Return how many orders are known from exports alone.

    Args:
        con: Connection to the warehouse.
        source: Kind of API.
        account: Configured account.
        days: Only orders of these business dates, the first inclusive, the last exclusive.
    """
    first, last = days or (None, None)
    rows = con.execute(
        f"select count(*) from ({AWAITING})"
        " where $first is null or order_date >= $first and order_date < $last",
        {"source": source, "account": account, "first": first, "last": last},
    ).fetchall()
    return int(rows[0][0])


async def hydrate(
    load: AccountLoad,
    *,
    most_calls: int | None,
    days: tuple[date, date] | None = None,
    walked: Collection[str] = (),
) -> Hydrated:
    """Fetch waiting orders until none waits or the calls are used up.

    Args:
        load: The account's load.
        most_calls: Requests to spend; None for as many as the budget allows.
        days: Only orders of these business dates, the first inclusive, the last exclusive.
        walked: Sort orders of the listing whose pages were all read just now.

    Returns:
        What was done; a source that fails or a budget that ends is told there, not raised.
    """
    with _Queue(load, days) as queue:
        run = _Hydration(load, queue, most_calls)
        if queue.waiting():
            try:
                if queue.waiting() > FEW:
                    await run.harvest(walked)
                await run.fetch()
            except (SourceError, CallBudgetExhausted) as error:
                logger.warning("fetching items stopped: %s", error)
                run.done.error = error
        run.done.awaiting = queue.waiting() + run.unreadable
        return run.done


class _Queue:
    """Orders that wait, in a database of its own: the warehouse is not held over HTTP."""

    def __init__(self, load: AccountLoad, days: tuple[date, date] | None) -> None:
        account = load.account
        with warehouse_connection(load.settings) as con:
            waiting = con.sql(
                f"select order_id, order_date from ({AWAITING})",
                params={"source": account.source, "account": account.name},
            ).to_arrow_table()
            self.given_up = _given_up(con, account.source, account.name)
        self._con = duckdb.connect()
        self._con.execute("set threads = 1")
        self._con.register("found", waiting)
        self._con.execute(
            "create table waiting as"
            " select order_id, row_number() over (order by order_date desc, order_id) as place"
            " from found where $first is null or order_date >= $first and order_date < $last",
            {"first": days[0] if days else None, "last": days[1] if days else None},
        )
        self._con.unregister("found")

    def __enter__(self) -> _Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()

    def waiting(self) -> int:
        """Return how many orders wait."""
        return int(self._con.execute("select count(*) from waiting").fetchall()[0][0])

    def places(self, load: AccountLoad) -> ListingPlaces:
        """Return where those that wait stand in the listing."""
        return ListingPlaces(load, self._con, load.profile.last_page)

    def next(self, count: int) -> list[str]:
        """Return the ids of the newest orders that wait."""
        rows = self._con.execute(
            "select order_id from waiting order by place limit ?", [count]
        ).fetchall()
        return [row[0] for row in rows]

    def take(self, ids: list[str]) -> int:
        """Note that orders came and return how many of them had waited."""
        rows = self._con.execute(
            "delete from waiting where order_id in (select unnest($ids::varchar[]))", {"ids": ids}
        ).fetchall()
        return int(rows[0][0])

    def take_page(self, body: bytes) -> int:
        """Note that the orders of a page came and return how many of them had waited."""
        rows = self._con.execute(
            "delete from waiting where order_id in"
            " (select unnest(json_extract_string($body::json, '$.orders[*].id')))",
            {"body": body.decode("utf-8")},
        ).fetchall()
        return int(rows[0][0])


class _End:
    """One end of the listing, and what is known of the pages that are left of it.

    Attributes:
        page: The last page that `next` returned, 0 before the first.
        is_cut_off: Page numbers ended earlier than thought.
    """

    def __init__(self, places: ListingPlaces, order: OrderSort, *, walked: bool) -> None:
        self.order, self.page, self._walked = order, 0, walked
        self.places, self.is_cut_off = places, False
        self._nulls = Nulls(key="-id" if order.startswith("-") else "id")
        self._unsure = order.endswith("updated_at") and places.nulls > 0

    def worth_a_look(self) -> bool:
        """Say whether pages may bring more than they cost, wherever nulls stand."""
        looks = 1 if self._unsure else 0
        if self._walked and not self._unsure:
            return False
        # After a walk only orders wait that each answer puts elsewhere.
        anew = (Nulls(first=True, key=None),)
        for nulls in anew if self._walked else (self._nulls, replace(self._nulls, first=True)):
            found = self.places.on_pages(self.order, nulls)
            if sum(count - 1 for count in found.values() if count > 1) > looks:
                return True
        return False

    def next(self) -> float | None:
        """Go to the next page that is worth a call; return how many orders it should bring."""
        found = self.places.on_pages(self.order, self._nulls)
        if self._unsure and not self.page:  # the first page tells where nulls stand
            self.page = 1
            return min(1, found.get(1, 0))
        worth = [page for page, count in found.items() if count > 1]
        ahead = [page for page in worth if page > self.page]
        if self._nulls.key is None:  # the pages behind hold others by now
            ahead += worth
        if not ahead:
            return None
        self.page = ahead[0]
        return found[self.page]

    def note(self, answer: TypedAnswer[OrderList]) -> None:
        """Learn from the page that was read where orders without updated_at stand."""
        if not self._unsure:
            return
        try:
            rows = [row for row in answer.model.orders or [] if row]
        except UnreadableAnswer:
            return
        if self.page == 1:
            self._nulls = replace(self._nulls, first=bool(rows) and rows[0].updated_at is None)
        self._nulls = self._nulls.seen(rows)


class _Hydration:
    def __init__(self, load: AccountLoad, queue: _Queue, most_calls: int | None) -> None:
        self._load = load
        self._queue = queue
        self._most_calls = most_calls
        self._calls_before = load.client.transport.calls
        self._first = queue.waiting()
        self._wasted = 0
        self.unreadable = 0
        self.done = Hydrated()

    async def harvest(self, walked: Collection[str]) -> None:
        """Read the pages of the listing that bring more than one order that waits.

        Args:
            walked: Sort orders whose pages were all read just now.
        """
        places = self._queue.places(self._load)
        for order in get_args(OrderSort):
            if order not in self._queue.given_up:
                await self._along(_End(places, order, walked=order in walked))
            if not self._left() or not self._queue.waiting() or self._wastes():
                return

    async def _along(self, end: _End) -> None:
        """Read the pages of one end that are worth it, as long as they bring what they should."""
        fruitless, over = 0, not end.worth_a_look()
        while not over:
            expected, brought = 0.0, 0
            with self._spool() as spool:
                for _ in range(PAGES_PER_COMMIT):
                    worth = end.next() if self._left() else None
                    if worth is None:
                        over = True
                        break
                    gained = await self._page(spool, end)
                    expected, brought = expected + worth, brought + gained
                    fruitless = 0 if gained or worth <= 1 else fruitless + 1
                    self._wasted += 0 if gained else 1
                    if fruitless == FRUITLESS_PAGES or self._wastes():
                        break
                gave_up = fruitless == FRUITLESS_PAGES or end.is_cut_off
                over = over or gave_up or self._wastes()
                told = {"expected": round(expected), "brought": brought, "gave_up": gave_up}
                if spool.pages or gave_up:
                    self._commit(spool, [], {"harvest": end.order, "page": end.page, **told})
            if fruitless == FRUITLESS_PAGES:
                logger.warning(
                    "%s pages by %s in a row, the last of them page %s, brought none of the orders"
                    " that should stand there by their dates; they are fetched one by one",
                    FRUITLESS_PAGES,
                    end.order,
                    end.page,
                )

    async def _page(self, spool: Spool, end: _End) -> int:
        """Read one page and return how many waiting orders it held."""
        try:
            answer = await self._load.client.list_orders(
                limit=MAX_LIMIT, page=end.page, order=end.order
            )
            gained = self._queue.take_page(answer.content)
        except (PageOverLimit, RequestRejected, NotFound) as error:
            logger.warning(
                "the listing by %s ends before page %s, so orders that stand further down are"
                " fetched one by one: %s",
                end.order,
                end.page,
                error,
            )
            end.places.end_at(end.page - 1)
            end.is_cut_off = True
            return 0
        except (UnreadableAnswer, duckdb.Error, UnicodeDecodeError) as error:
            logger.info("page %s by %s brings nothing: %s", end.page, end.order, error)
            return 0  # its orders are fetched one by one
        spool.add(answer.content, "list")
        end.note(answer)
        self.done.orders += gained
        self._tell()
        return gained

    async def fetch(self) -> None:
        """Fetch orders one by one, newest business date first."""
        while (count := min(ORDERS_PER_COMMIT, self._left())) > 0:
            ids = self._queue.next(count)
            if not ids:
                return
            with self._spool() as spool:
                fetched = await fetch_orders(self._load, ids, spool, told=self._note)
                evidence: dict[str, object] = {
                    "fetched": len(fetched.there),
                    "gone": len(fetched.gone),
                }
                self._commit(spool, fetched.gone, evidence)
            if fetched.stopped:
                raise fetched.stopped

    def _note(self, fetched: Fetched) -> None:
        self.done.orders += self._queue.take(fetched.there)
        self._queue.take([order_id for order_id, _ in fetched.gone])
        self.unreadable += self._queue.take(list(fetched.unreadable))
        self._tell()

    def _commit(
        self, spool: Spool, gone: list[tuple[str, str]], evidence: dict[str, object]
    ) -> None:
        if spool.pages or gone or "harvest" in evidence:
            self.done.gone += land_fetched(self._load, "hydration", spool, gone, evidence)
        self.done.calls = self._load.client.transport.calls - self._calls_before

    @contextmanager
    def _spool(self) -> Iterator[Spool]:
        with Spool(self._load.settings.warehouse.path.parent) as spool:
            yield spool

    def _wastes(self) -> bool:
        """Say whether pages that brought nothing have cost as much as is left for single orders.

        A run with few calls would else spend all of them so, and so would the next.
        """
        return self._most_calls is not None and self._wasted >= max(1, self._left())

    def _left(self) -> int:
        if self._most_calls is None:
            return ORDERS_PER_COMMIT
        spent: int = self._load.client.transport.calls - self._calls_before
        return max(0, self._most_calls - spent)

    def _tell(self) -> None:
        here = self._first - self._queue.waiting()
        self._load.progress(f"fetching items of orders: {here:,} of {self._first:,}")


def _given_up(con: duckdb.DuckDBPyConnection, source: str, account: str) -> set[str]:
    """Return the ends of the listing that were not as the newest export shows them."""
    rows = con.execute(
        "select e.evidence ->> '$[0].harvest'"
        " from ops.extractions as e"
        " where e.source = $source and e.account = $account and e.strategy = 'hydration'"
        " and (e.evidence ->> '$[0].gave_up')::boolean"
        " and e.ended_at > (select coalesce(max(changed_at), '-infinity') from ops.export_jobs"
        "  where source = $source and account = $account and status in ('landed', 'used'))",
        {"source": source, "account": account},
    ).fetchall()
    return {order for (order,) in rows}
