"""The UltraCart client: the endpoints, and reading lists and batches of any length."""

import time
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Self

from orders_connector.answers import TypedAnswer
from orders_connector.http import Transport
from orders_connector.sources.ultracart.account import UltraCartAccount
from orders_connector.sources.ultracart.auth import OAuthAuth, SimpleKeyAuth
from orders_connector.sources.ultracart.endpoints import (
    DEFAULT_LIMIT,
    MAX_BATCH,
    MAX_LIMIT,
    OLDEST_FIRST,
    UltraCartEndpoints,
)
from orders_connector.sources.ultracart.expansions import Expansion
from orders_connector.sources.ultracart.filters import OrderQuery, OrderSort, QueryTarget
from orders_connector.sources.ultracart.models import OrderPage
from orders_connector.sources.ultracart.pacing import Pace
from orders_connector.sources.ultracart.paging import read_page

__all__ = ["MAX_BATCH", "MAX_LIMIT", "UltraCartClient"]

_HOUR, _DAY = 3_600, 86_400


class UltraCartClient(UltraCartEndpoints):
    """One UltraCart merchant. An async context manager: leaving it closes the connections."""

    @classmethod
    def for_account(cls, account: UltraCartAccount, **transport_overrides: Any) -> Self:  # noqa: ANN401
        """Make the client of a configured account.

        Args:
            account: The account; its key is read from the environment now.
            **transport_overrides: Arguments of ``Transport`` that go before the account's.

        Returns:
            A client that has sent nothing yet.

        Raises:
            ConfigurationError: The environment variables with the credentials are not set.
        """
        base_url = account.resolved_base_url
        clock = transport_overrides.get("clock", time.monotonic)
        auth = (
            OAuthAuth(account.oauth(), base_url, account=account.name, clock=clock)
            if account.auth == "oauth"
            else SimpleKeyAuth(account.simple_key())
        )
        settings: dict[str, Any] = {
            "account": account.name,
            "allowed_hosts": account.allowed_hosts,
            "auth": auth,
            "timeout": account.timeout_seconds,
            "max_attempts": account.max_attempts,
            "max_wait_seconds": account.max_wait_seconds,
            "call_budget": account.max_calls_per_run,
            "reserve": account.reserve,
        } | transport_overrides
        pace = Pace(
            {_HOUR: account.calls_per_hour, _DAY: account.calls_per_day},
            reserve=settings["reserve"],
            max_wait_seconds=settings["max_wait_seconds"],
        )
        return cls(Transport(base_url, **settings), pace=pace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.transport.aclose()

    async def order_pages(
        self,
        query: OrderQuery,
        *,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        sort: Iterable[OrderSort] = OLDEST_FIRST,
        expand: Iterable[Expansion] = (),
    ) -> AsyncIterator[TypedAnswer[OrderPage]]:
        """Read all orders that a query finds, one page after the other.

        Rows move while they are read, so give the query windows that have ended: an order that
        enters or leaves the list may make one come twice, or be passed over.

        Args:
            query: As for ``query_orders``.
            limit: As for ``query_orders``.
            offset: Where to begin.
            sort: As for ``query_orders``.
            expand: As for ``query_orders``.

        Yields:
            Each page, one without orders too.

        Raises:
            UnreadableAnswer: A page without orders says that more follow.
            ValueError: As for ``query_orders``.
        """
        sort, expand = tuple(sort), tuple(expand)
        following: int | None = offset
        while following is not None:
            page = await self.query_orders(
                query, limit=limit, offset=following, sort=sort, expand=expand
            )
            facts = read_page(page.answer, offset=following)
            yield page
            following = facts.next_offset

    async def order_batches(
        self,
        order_ids: Iterable[str],
        *,
        query_target: QueryTarget | None = None,
        expand: Iterable[Expansion] = (),
    ) -> AsyncIterator[tuple[tuple[str, ...], TypedAnswer[OrderPage]]]:
        """Read any number of orders by id, 500 at a time.

        Args:
            order_ids: Ids; one that comes twice is asked for once.
            query_target: As for ``get_orders_batch``.
            expand: As for ``get_orders_batch``.

        Yields:
            The ids that were asked for, and the answer; what is missing there was not found.

        Raises:
            ValueError: As for ``get_orders_batch``.
        """
        ids, expand = tuple(dict.fromkeys(order_ids)), tuple(expand)
        for start in range(0, len(ids), MAX_BATCH):
            asked = ids[start : start + MAX_BATCH]
            answer = await self.get_orders_batch(asked, query_target=query_target, expand=expand)
            yield asked, answer
