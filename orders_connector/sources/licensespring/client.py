"""The LicenseSpring client: the endpoints, and reading a list page by page."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from orders_connector.answers import TypedAnswer
from orders_connector.http import Transport
from orders_connector.sources.licensespring.account import LicenseSpringAccount
from orders_connector.sources.licensespring.auth import ApiKeyAuth
from orders_connector.sources.licensespring.endpoints import (
    MAX_LIMIT,
    Filters,
    LicenseSpringEndpoints,
)
from orders_connector.sources.licensespring.models import LicensePage, OrderPage
from orders_connector.sources.licensespring.pacing import Pace

__all__ = ["MAX_LIMIT", "LicenseSpringClient", "TypedAnswer"]

P = TypeVar("P", OrderPage, LicensePage)


class LicenseSpringClient(LicenseSpringEndpoints):
    """One vendor company. An async context manager: leaving it closes the connections."""

    @classmethod
    def for_account(cls, account: LicenseSpringAccount, **transport_overrides: Any) -> Self:  # noqa: ANN401
        """Make the client of a configured account.

        Args:
            account: The account; its key is read from the environment now.
            **transport_overrides: Arguments of ``Transport`` that go before the account's.

        Returns:
            A client that has sent nothing yet.

        Raises:
            ConfigurationError: The environment variable with the key is not set.
        """
        settings: dict[str, Any] = {
            "account": account.name,
            "allowed_hosts": account.allowed_hosts,
            "auth": ApiKeyAuth(account.api_key()),
            "timeout": account.timeout_seconds,
            "max_attempts": account.max_attempts,
            "max_wait_seconds": account.max_wait_seconds,
            "call_budget": account.max_calls_per_run,
            "reserve": account.reserve,
            "clock": time.monotonic,
            "sleep": asyncio.sleep,
        } | transport_overrides
        pace = Pace(account.requests_per_second, clock=settings["clock"], sleep=settings["sleep"])
        return cls(Transport(account.resolved_base_url, **settings), pace=pace)

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
        *,
        limit: int = MAX_LIMIT,
        offset: int = 0,
        order_by: str = "created_at",
        filters: Filters | None = None,
    ) -> AsyncIterator[TypedAnswer[OrderPage]]:
        """Read the list of orders from `offset` to its end, one page after the other.

        Rows move while they are read: sorted by ascending ``created_at`` new orders come last, in
        other sort orders rows may come twice, and after a deletion one may be passed over.

        Args:
            limit: As for ``list_orders``.
            offset: Where to begin.
            order_by: As for ``list_orders``.
            filters: As for ``list_orders``.

        Yields:
            Each page, the last one too; one page without rows when nothing matches.

        Raises:
            UnreadableAnswer: A page has no rows where more were announced.
        """
        async for page in _pages(
            lambda at: self.list_orders(limit=limit, offset=at, order_by=order_by, filters=filters),
            offset,
        ):
            yield page

    async def license_pages(
        self,
        *,
        limit: int = MAX_LIMIT,
        offset: int = 0,
        order_by: str = "updated_at",
        filters: Filters | None = None,
    ) -> AsyncIterator[TypedAnswer[LicensePage]]:
        """Read the list of licenses as ``order_pages`` reads that of orders.

        Args:
            limit: As for ``list_licenses``.
            offset: Where to begin.
            order_by: As for ``list_licenses``.
            filters: As for ``list_licenses``.

        Yields:
            Each page.

        Raises:
            UnreadableAnswer: A page has no rows where more were announced.
        """
        async for page in _pages(
            lambda at: self.list_licenses(
                limit=limit, offset=at, order_by=order_by, filters=filters
            ),
            offset,
        ):
            yield page


async def _pages(
    ask: Callable[[int], Awaitable[TypedAnswer[P]]], offset: int
) -> AsyncIterator[TypedAnswer[P]]:
    """Go on by as many rows as really came, never by as many as were asked for.

    The limit may be cut silently, and then the asked one would leave gaps. The address in `next`
    only says whether there is more: it is never followed, so no host in an answer gets the key.
    """
    while True:
        page = await ask(offset)
        rows = page.model.results
        if not isinstance(rows, list):
            raise page.answer.unreadable("a page without a list of results")
        yield page
        offset += len(rows)
        if not _goes_on(page.model, offset):
            return
        if not rows:
            raise page.answer.unreadable("a page without rows says that more follow")


def _goes_on(page: OrderPage | LicensePage, read: int) -> bool:
    if "next" in page.model_fields_set:
        return page.next is not None
    return isinstance(page.count, int) and read < page.count
