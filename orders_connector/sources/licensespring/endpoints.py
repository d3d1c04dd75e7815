"""LicenseSpring's Management API for orders and licenses, one method per endpoint.

Facts: the Management API pages on orders and licenses, and the published Postman collection
(2023 to 2026). Every path ends with a slash; without it the framework behind the API redirects,
which loses the body of a write.

Every method raises ``SourceError`` by kind (``errors``) and ``CallBudgetExhausted``; only what is
special is said at the method.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from orders_connector.answers import Answer, TypedAnswer
from orders_connector.http import Transport
from orders_connector.sources.licensespring.models import LicensePage, Order, OrderPage
from orders_connector.sources.licensespring.pacing import Pace

__all__ = ["MAX_LIMIT", "ExportRange", "Filter", "Filters", "LicenseSpringEndpoints", "filter_text"]

# Documented for licenses, where more is cut to it without a word; assumed for orders.
MAX_LIMIT = 100

ExportRange = Literal["last30", "last60", "last80", "last365"]
Filter = str | bool | int | datetime | date | Sequence[str | int]
Filters = Mapping[str, Filter]

M = TypeVar("M", bound=BaseModel)


class LicenseSpringEndpoints:
    """The endpoints of one vendor company.

    Attributes:
        transport: What the requests go through; its counters tell what they cost.
    """

    def __init__(self, transport: Transport, *, pace: Pace | None = None) -> None:
        """Set up.

        Args:
            transport: What the requests go through.
            pace: Holds requests back to a steady rate; None for no such thing.
        """
        self.transport = transport
        self._pace = pace

    # Orders --------------------------------------------------------------------------------

    async def list_orders(
        self,
        *,
        limit: int = MAX_LIMIT,
        offset: int = 0,
        order_by: str = "-created_at",
        filters: Filters | None = None,
    ) -> TypedAnswer[OrderPage]:
        """``GET /orders/``: one page of orders.

        No filter on times is documented for orders; one that the server does not know may be
        ignored, so compare ``count`` with and without it before trusting it.

        Args:
            limit: Rows per page. The server may give fewer than asked, silently.
            offset: Rows to pass over, from 0.
            order_by: ``created_at`` or another attribute, with ``-`` for descending. Always sent,
                as the default is not documented.
            filters: Such as ``{"customer__email__icontains": "@example.com"}``.

        Raises:
            ValueError: A filter is a time without a zone.
        """
        return await self._get("orders/", OrderPage, _query(limit, offset, order_by, filters))

    async def get_order(self, order_id: int) -> TypedAnswer[Order]:
        """``GET /orders/{id}/``: one order with its items and licenses. Its body holds secrets.

        Args:
            order_id: LicenseSpring's own id; the vendor's is a filter of the list (`store_id`).

        Raises:
            NotFound: No such order, or the key's owner may not see it.
        """
        return await self._get(f"orders/{order_id}/", Order)

    async def create_order(self, order: Mapping[str, Any]) -> TypedAnswer[Order]:
        """``POST /orders/create_order/``: issue licenses, in a new order or in one that exists.

        Never repeated blindly: a second one would be refused although the first one worked, or
        with ``append`` issue the licenses twice. After a lost answer look for ``store_id``.

        Args:
            order: The body; its `id` is what reads back as `store_id`, and its `metadata` is a
                text that holds JSON.
        """
        return await self._send("POST", "orders/create_order/", Order, order, idempotent=False)

    async def update_order(self, order_id: int, changes: Mapping[str, Any]) -> TypedAnswer[Order]:
        """``PATCH /orders/{id}/``: change the keys that are given, leave the others.

        Repeated after a lost answer: the same values a second time do no harm.

        Args:
            order_id: LicenseSpring's own id.
            changes: Any of `store_id`, `type`, `is_test`, `is_trial`, `download_id`, `language`,
                `campaign_params`, `customer` (an id), `customer_account`, `metadata` (an object).

        Returns:
            The order without its items; `customer` may be null or a number.

        Raises:
            NotFound: No such order.
        """
        return await self._send("PATCH", f"orders/{order_id}/", Order, changes, idempotent=True)

    async def delete_order(self, order_id: int) -> None:
        """``DELETE /orders/{id}/safe_delete/``, which is in use but not documented.

        Raises:
            NotFound: No such order; also when the answer to a first attempt was lost.
            RequestRejected: Licenses are attached to it.
        """
        await self._request("DELETE", f"orders/{order_id}/safe_delete/", expect="none")

    async def generate_license_keys(self, product: str, quantity: int) -> Answer:
        """``GET /orders/generate_license/``: keys for a later ``create_order``.

        The body is all secrets, and its form is not documented.

        Args:
            product: Short code of the product.
            quantity: How many keys.
        """
        params = {"product": product, "quantity": quantity}
        return await self._request("GET", "orders/generate_license/", params=params)

    async def list_order_managers(self, order_id: int) -> Answer:
        """``GET /orders/{id}/managers/``, in a form that is not documented.

        Raises:
            NotFound: No such order.
        """
        return await self._request("GET", f"orders/{order_id}/managers/")

    # Exports -------------------------------------------------------------------------------

    async def export_order(self, order_id: int) -> Answer:
        """``GET /orders/{id}/export/``: one order as CSV, columns not documented.

        It may hold license keys, and ``secrets`` reads JSON only: do not land it.

        Raises:
            NotFound: No such order.
        """
        return await self._csv(f"orders/{order_id}/export/", {})

    async def export_orders(
        self,
        *,
        period: ExportRange | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> Answer:
        """``GET /orders/export/``: orders by day of creation as CSV; see ``export_order``.

        Args:
            period: One of the fixed periods; or else `start` and `end`.
            start: First day.
            end: Last day.

        Raises:
            ValueError: Neither a period nor both days, or all of them.
        """
        if (period is None) != (start is not None and end is not None) or (
            period is not None and (start is not None or end is not None)
        ):
            raise ValueError("give either a period or both a first and a last day")
        if start is None or end is None:
            return await self._csv("orders/export/", {"range": period})
        return await self._csv(
            "orders/export/", {"from": start.strftime("%Y-%m-%d"), "to": end.strftime("%Y-%m-%d")}
        )

    # Licenses ------------------------------------------------------------------------------

    async def list_licenses(
        self,
        *,
        limit: int = MAX_LIMIT,
        offset: int = 0,
        order_by: str = "updated_at",
        filters: Filters | None = None,
    ) -> TypedAnswer[LicensePage]:
        """``GET /licenses/``: one page of licenses. Its body holds secrets.

        Args:
            limit: Rows per page; above 100 it is cut to 100, silently.
            offset: Rows to pass over, from 0.
            order_by: `id`, `created_at`, `updated_at` and many more, with ``-`` for descending.
            filters: Such as ``{"updated_at__gte": some_time}``, `order__store_id`,
                `product_short_code`, `enabled`, `active`, `id__in`.

        Raises:
            ValueError: A filter is a time without a zone.
        """
        return await self._get("licenses/", LicensePage, _query(limit, offset, order_by, filters))

    # Behind the methods --------------------------------------------------------------------

    async def _get(
        self, path: str, model: type[M], params: Mapping[str, str | int | None] | None = None
    ) -> TypedAnswer[M]:
        return TypedAnswer(await self._request("GET", path, params=params), model)

    async def _send(
        self, method: str, path: str, model: type[M], body: object, *, idempotent: bool
    ) -> TypedAnswer[M]:
        answer = await self._request(method, path, json=body, idempotent=idempotent)
        return TypedAnswer(answer, model)

    async def _csv(self, path: str, params: Mapping[str, str | int | None]) -> Answer:
        # The framework answers 406 when it does not offer the one type that is accepted.
        return await self._request(
            "GET", path, params=params, expect="text", headers={"accept": "*/*"}
        )

    async def _request(self, method: str, path: str, **options: Any) -> Answer:  # noqa: ANN401
        if self._pace:
            await self._pace.turn()
        return await self.transport.request(method, f"/api/v1/{path}", **options)


def _query(
    limit: int, offset: int, order_by: str, filters: Filters | None
) -> dict[str, str | int | None]:
    given = {name: filter_text(value) for name, value in (filters or {}).items()}
    return {"limit": limit, "offset": offset, "order_by": order_by, **given}


def filter_text(value: Filter) -> str:
    """Write the value of a filter the way the query language reads it.

    Returns:
        Times as UTC with their microseconds, lists joined by commas (for ``__in``), true and false
        in lower case.

    Raises:
        ValueError: A time without a zone, or a comma inside a list.

    Example:
        >>> filter_text([3, 5])
        '3,5'
    """
    match value:
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"{value} has no time zone")
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
    parts = [str(part) for part in value]
    if any("," in part for part in parts):
        raise ValueError(f"a comma inside one of {parts} would make it two")
    return ",".join(parts)
