"""Asks for pages of orders until they are readable, and puts them into the sink without secrets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from orders_connector.answers import Answer
from orders_connector.errors import RequestRejected
from orders_connector.sources.base import PageSink
from orders_connector.sources.salvage import salvage
from orders_connector.sources.ultracart.client import MAX_LIMIT, UltraCartClient
from orders_connector.sources.ultracart.endpoints import DEFAULT_LIMIT, OLDEST_FIRST
from orders_connector.sources.ultracart.expansions import LANDED, Expansion
from orders_connector.sources.ultracart.filters import OrderQuery
from orders_connector.sources.ultracart.page_rows import MalformedPage, PageRows, RowReader
from orders_connector.sources.ultracart.secrets import SECRETS, redacted

__all__ = ["PageFetcher"]

logger = logging.getLogger(__name__)

MALFORMED_ATTEMPTS = 3


class PageFetcher:
    """Reads pages of one account; the client sends one request at a time.

    Attributes:
        limit: Orders per page that are asked for; None leaves it to the server.
        now: The source's own clock at the last answer, UTC; None before, and if it sends none.
    """

    def __init__(self, client: UltraCartClient, limit: int = MAX_LIMIT) -> None:
        self.limit: int | None = limit
        self.now: datetime | None = None
        self._client = client
        self._rows = RowReader()

    async def query(
        self,
        query: OrderQuery,
        pages: PageSink | None,
        *,
        offset: int = 0,
        limit: int | None = None,
        expand: Iterable[Expansion] = LANDED,
    ) -> PageRows:
        """Ask for a page of a query, oldest order first.

        A page size that the server refuses is lowered for good, so a limit that it cuts one day
        costs one request.

        Args:
            query: What to look for; always in the database, never in the cache.
            pages: Where the page goes; None keeps it nowhere.
            offset: Orders to pass over.
            limit: Another page size than usual.
            expand: Parts of each order.

        Raises:
            UnreadableAnswer: the page is malformed each time it is asked for.
            SourceError: the source refused or failed.
            CallBudgetExhausted: the run may make no more calls.
        """
        query = OrderQuery(**query, query_target="origin")

        async def ask() -> Answer:
            while True:
                try:
                    page = await self._client.query_orders(
                        query,
                        limit=limit or self.limit,
                        offset=offset,
                        sort=OLDEST_FIRST,
                        expand=expand,
                    )
                except RequestRejected:
                    if limit or not self._lower_limit():
                        raise
                else:
                    return page.answer

        return await self._read(ask, pages, "list", behind=offset)

    async def batch(self, order_ids: list[str], pages: PageSink) -> PageRows:
        """Ask for up to 500 orders by id; what the source does not have does not come.

        Raises:
            RequestRejected: it may be that the source refuses ids that it does not have.
            SourceError: the source refused or failed otherwise.
            CallBudgetExhausted: the run may make no more calls.
        """

        async def ask() -> Answer:
            page = await self._client.get_orders_batch(
                order_ids, query_target="origin", expand=LANDED
            )
            return page.answer

        return await self._read(ask, pages, "batch")

    async def one(self, order_id: str, pages: PageSink) -> PageRows:
        """Ask for one order.

        Raises:
            NotFound: the source does not have it.
            UnreadableAnswer: the answer cannot be read, or is another order.
            SourceError: the source refused or failed.
            CallBudgetExhausted: the run may make no more calls.
        """
        answer = (await self._client.get_order(order_id, expand=LANDED)).answer
        try:
            page = self._rows.order_of(answer.content)
            rows = self._rows.read(page)
            body = redacted(page)
        except ValueError as error:
            raise answer.unreadable(str(error)) from error
        if rows.ids != (order_id,):
            raise answer.unreadable(f"the order {order_id} was asked for, another one came")
        pages.add(body, "get")
        return rows

    def _lower_limit(self) -> bool:
        """Take the next smaller page size; False when there is none."""
        if self.limit is None:
            return False
        lower = DEFAULT_LIMIT if self.limit > DEFAULT_LIMIT else None
        logger.warning("pages of %s orders were refused; asking for %s", self.limit, lower)
        self.limit = lower
        return True

    async def _read(
        self,
        ask: Callable[[], Awaitable[Answer]],
        pages: PageSink | None,
        channel: str,
        *,
        behind: int | None = None,
    ) -> PageRows:
        """Ask until the answer can be read; `behind`: orders before the page of a list."""
        for attempt in range(1, MALFORMED_ATTEMPTS + 1):
            answer = await ask()
            self.now = answer.date or self.now
            body = answer.content
            try:
                rows = self._rows.read(body)
                if behind is not None and _hides_rows(rows, behind):
                    raise MalformedPage("it has no orders and says that more follow")
                body = redacted(body)
            except ValueError as error:
                if attempt < MALFORMED_ATTEMPTS:
                    logger.warning("a page is malformed (%s); asking again", error)
                    continue
                rebuilt = salvage(body, "orders", kept=SECRETS.harmless_beginning)
                if rebuilt is None or not len(self._rows.read(rebuilt)):
                    raise answer.unreadable(
                        f"a page of orders is malformed each time it is asked for: {error}. What "
                        "was read before is kept, and the next load starts from there"
                    ) from error
                body, rows = redacted(rebuilt), self._rows.read(rebuilt)
            if pages is not None and len(rows):
                pages.add(body, channel)
            return rows
        raise AssertionError("unreachable")


def _hides_rows(rows: PageRows, behind: int) -> bool:
    """True for a page without orders that contradicts itself: its end would be a false one."""
    return not len(rows) and (rows.more is True or (rows.total or 0) > behind)
