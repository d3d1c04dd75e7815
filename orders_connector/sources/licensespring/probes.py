"""Asks an account what LicenseSpring's documentation leaves open, within a few requests.

They only read. A question that fails is answered `unknown` and the others go on; one that the
orders seen cannot decide is answered `not seen`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orders_connector.errors import OrdersConnectorError, RequestRejected
from orders_connector.sources.licensespring.client import LicenseSpringClient, TypedAnswer
from orders_connector.sources.licensespring.endpoints import Filters
from orders_connector.sources.licensespring.models import Order, OrderPage
from orders_connector.sources.licensespring.paging import key_of
from orders_connector.sources.licensespring.reading import SORTED_BY_CHANGE
from orders_connector.sources.source import NOT_SEEN, UNKNOWN, ProbeAnswer

__all__ = ["CAPABILITIES", "MOST_CALLS", "probe"]

# One long page, counts by archived state 2, filters 2, sort orders 2 each.
MOST_CALLS = 9
LONG_PAGE = 500

CAPABILITIES = (
    "orders_page_limit",
    "list_items",
    "archived_key",
    "archived_filter",
    "archived_by_default",
    "orders_created_at_filter",
    "orders_updated_at_filter",
    SORTED_BY_CHANGE,
    "orders_sorted_by_id",
)


async def probe(client: LicenseSpringClient, folder: Path) -> list[ProbeAnswer]:
    """Ask an account about `CAPABILITIES`.

    Requests that have to be repeated come on top of `MOST_CALLS`.

    Args:
        client: The account.
        folder: Not used; no file is asked for.

    Returns:
        One answer for each capability, in their order.
    """
    return await _Probing(client).answers()


class _Probing:
    def __init__(self, client: LicenseSpringClient) -> None:
        self._client = client
        self._found: dict[str, ProbeAnswer] = {}
        self._count: int | None = None
        self._now = datetime.now(UTC)

    async def answers(self) -> list[ProbeAnswer]:
        steps: list[tuple[Callable[[], Awaitable[None]], tuple[str, ...]]] = [
            (self._long_page, ("orders_page_limit", "list_items", "archived_key")),
            (self._archived, ("archived_filter", "archived_by_default")),
            (lambda: self._time_filter("created_at"), ("orders_created_at_filter",)),
            (lambda: self._time_filter("updated_at"), ("orders_updated_at_filter",)),
            (lambda: self._sort("updated_at", SORTED_BY_CHANGE), (SORTED_BY_CHANGE,)),
            (lambda: self._sort("id", "orders_sorted_by_id"), ("orders_sorted_by_id",)),
        ]
        for step, capabilities in steps:
            try:
                await step()
            except OrdersConnectorError as error:
                for capability in capabilities:
                    if capability not in self._found:
                        self._note(capability, UNKNOWN, str(error))
        return [self._found[capability] for capability in CAPABILITIES]

    def _note(self, capability: str, answer: str, evidence: str) -> None:
        self._found[capability] = ProbeAnswer(capability, answer, evidence)

    async def _list(
        self, order_by: str = "-created_at", limit: int = 1, filters: Filters | None = None
    ) -> TypedAnswer[OrderPage]:
        return await self._client.list_orders(limit=limit, order_by=order_by, filters=filters)

    async def _long_page(self) -> None:
        page = await self._list(limit=LONG_PAGE)
        self._now = page.answer.date or self._now
        self._count = _count(page)
        rows = _orders(page)
        came = f"{len(rows)} of {self._count} orders came when {LONG_PAGE} were asked for"
        cut = len(rows) < min(LONG_PAGE, self._count or 0)
        most = str(len(rows)) if cut or len(rows) >= LONG_PAGE else NOT_SEEN
        self._note("orders_page_limit", most, came)
        for capability, key in (("list_items", "order_items"), ("archived_key", "is_archived")):
            having = sum(1 for row in rows if _has(row, key))
            answer = NOT_SEEN if not rows else "present" if having else "absent"
            self._note(capability, answer, f"{having} of {len(rows)} rows have `{key}`")

    async def _archived(self) -> None:
        try:
            archived = _count(await self._list(filters={"is_archived": True}))
            active = _count(await self._list(filters={"is_archived": False}))
        except RequestRejected as error:
            self._note("archived_filter", "rejected", str(error))
            self._note("archived_by_default", NOT_SEEN, "is_archived is no filter")
            return
        told = f"{self._count} orders, {archived} archived and {active} not"
        if archived is None or active is None or self._count is None:
            answers = UNKNOWN, UNKNOWN
        elif not archived:  # a filter that is ignored would have shown the others
            answers = ("honoured" if active else NOT_SEEN), NOT_SEEN
        elif archived == active == self._count:
            answers = "ignored", "shown"
        else:
            # Orders may have come meanwhile; the nearer count is meant.
            beyond_active = abs(self._count - active)
            shown = abs(self._count - active - archived) < beyond_active
            answers = "honoured", "shown" if shown else "hidden"
        for capability, answer in zip(
            ("archived_filter", "archived_by_default"), answers, strict=True
        ):
            self._note(capability, answer, told)

    async def _time_filter(self, key: str) -> None:
        capability, name = f"orders_{key}_filter", f"{key}__gte"
        evidence = f"{name} one day ahead"
        try:
            page = await self._list(filters={name: self._now + timedelta(days=1)})
        except RequestRejected as error:
            self._note(capability, "rejected", f"{evidence}: {error}")
            return
        count = _count(page)
        if count is None or not self._count:
            self._note(capability, NOT_SEEN, f"{evidence}: there are no orders to tell by")
        else:
            self._note(capability, "ignored" if count else "honoured", f"{evidence}: {count} came")

    async def _sort(self, key: str, capability: str) -> None:
        """Ask for the first order in both directions; where they are the same, nothing sorts."""
        evidence = f"first orders by {key} and by -{key}"
        try:
            up, down = _orders(await self._list(key)), _orders(await self._list(f"-{key}"))
        except RequestRejected as error:
            self._note(capability, "rejected", f"{evidence}: {error}")
            return
        first, last = _value(up, key), _value(down, key)
        if first is None or last is None or (self._count or 0) < 2:
            self._note(capability, NOT_SEEN, f"{evidence}: there are not two orders to tell by")
        elif up[0].id == down[0].id:
            self._note(capability, "ignored", f"{evidence}: the same one came")
        else:
            self._note(capability, "honoured" if first <= last else "ignored", evidence)


def _orders(page: TypedAnswer[OrderPage]) -> list[Order]:
    """Return the rows of a page that have the form of an order."""
    rows = page.model.results
    return [row for row in rows if isinstance(row, Order)] if isinstance(rows, list) else []


def _count(page: TypedAnswer[OrderPage]) -> int | None:
    count = page.model.count
    return count if isinstance(count, int) else None


def _has(row: Order, key: str) -> bool:
    return key in row.model_fields_set or key in (row.model_extra or {})


def _value(rows: list[Order], key: str) -> int | None:
    value = getattr(rows[0], key) if rows else None
    if isinstance(value, int):
        return value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return key_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) if moment else None
