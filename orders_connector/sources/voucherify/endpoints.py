"""Voucherify's endpoints for orders, exports and asynchronous actions, one method each.

Facts: ``orders.json``, ``exports.json``, ``async-actions.json`` and ``oauth.json`` of Voucherify's
OpenAPI, version v2018-08-01 (August 2026). The requests equal those of the official Python SDK
6.1.1 on the wire, which the tests prove; unlike the SDK, answers are kept byte for byte.

Every method raises ``SourceError`` by kind (``errors``) and ``CallBudgetExhausted``; only what is
special is said at the method.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from orders_connector.answers import TypedAnswer
from orders_connector.errors import NotFound, PageOverLimit, RequestRejected
from orders_connector.http import Transport
from orders_connector.sources.voucherify.auth import LOADER_SCOPE, TOKEN_PATH, token_form
from orders_connector.sources.voucherify.models import (
    AsyncAction,
    AsyncActionList,
    Export,
    ExportList,
    ImportStarted,
    OAuthToken,
    Order,
    OrderList,
)

__all__ = [
    "MAX_IMPORT",
    "MAX_LIMIT",
    "MAX_PAGE",
    "ExportSort",
    "OrderSort",
    "TypedAnswer",
    "VoucherifyEndpoints",
    "export_parameters",
]

MAX_LIMIT = 100
MAX_PAGE = 100
MAX_IMPORT = 2_000

OrderSort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]
ExportSort = Literal["created_at", "-created_at", "status", "-status"]

M = TypeVar("M", bound=BaseModel)


class VoucherifyEndpoints:
    """The endpoints of one project.

    Attributes:
        transport: What the requests go through; its counters tell what they cost.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    # Orders --------------------------------------------------------------------------------

    async def list_orders(
        self, *, limit: int = MAX_LIMIT, page: int = 1, order: OrderSort = "-updated_at"
    ) -> TypedAnswer[OrderList]:
        """``GET /v1/orders``: one page of full orders. The list knows no filters.

        Args:
            limit: Orders per page, 1 to 100.
            page: 1 to 100 as documented; a higher one is sent as it is.
            order: Sort key. Always sent, as the documented default contradicts its sample.

        Returns:
            The page; empty behind the last order.

        Raises:
            PageOverLimit: The page is beyond what the server pages to; there may be more orders.
        """
        with _page_cap(page):
            return await self._get(
                "/v1/orders", OrderList, {"limit": limit, "page": page, "order": order}
            )

    async def create_order(self, order: Mapping[str, Any]) -> TypedAnswer[Order]:
        """``POST /v1/orders``: create, or update the order with the same id or source id.

        Nothing in the answer says which of the two happened. Repeated after a lost answer only
        when the order has an ``id`` or ``source_id``.
        """
        known = bool(order.get("id") or order.get("source_id"))
        return await self._send("POST", "/v1/orders", Order, order, idempotent=known)

    async def get_order(self, order_id: str) -> TypedAnswer[Order]:
        """``GET /v1/orders/{id}``, by Voucherify's id or the shop's source id.

        Raises:
            NotFound: No such order, or it was erased together with its customer.
            ValueError: The id is empty or all dots, so that it would address something else.
        """
        return await self._get(f"/v1/orders/{_segment(order_id)}", Order)

    async def update_order(self, order_id: str, changes: Mapping[str, Any]) -> TypedAnswer[Order]:
        """``PUT /v1/orders/{id}``: change the keys that are given, leave the others.

        Raises:
            NotFound: No such order.
            ValueError: The id is empty or all dots.
        """
        return await self._send("PUT", f"/v1/orders/{_segment(order_id)}", Order, changes)

    async def import_orders(
        self, orders: Sequence[Mapping[str, Any]]
    ) -> TypedAnswer[ImportStarted]:
        """``POST /v1/orders/import``: load up to 2,000 orders in the background.

        Imported orders get the time of the import as ``created_at``. Never repeated blindly.

        Raises:
            ValueError: More than 2,000 orders.
        """
        if len(orders) > MAX_IMPORT:
            raise ValueError(
                f"{len(orders)} orders in one import; at most {MAX_IMPORT} are allowed"
            )
        return await self._send("POST", "/v1/orders/import", ImportStarted, list(orders))

    # Exports -------------------------------------------------------------------------------

    async def create_orders_export(
        self,
        *,
        fields: Sequence[str] | None = None,
        order: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> TypedAnswer[Export]:
        """``POST /v1/orders/export``: start a CSV export of orders.

        Not idempotent: each call starts another export, so it is never repeated blindly. See
        ``start_orders_export``.

        Args:
            fields: Columns in order, such as ``created_at`` or ``metadata.channel``. Default: id,
                source_id, status.
            order: ``created_at``, ``updated_at`` or ``status``, with ``-`` for descending.
            filters: ``{"junction": "and", field: {"conditions": {operator: [value]}}}``.
        """
        parameters = export_parameters(fields, order, filters)
        return await self._send("POST", "/v1/orders/export", Export, {"parameters": parameters})

    async def create_export(
        self, exported_object: str, parameters: Mapping[str, Any] | None = None
    ) -> TypedAnswer[Export]:
        """``POST /v1/exports``: start an export of any kind. Never repeated blindly."""
        body: dict[str, Any] = {"exported_object": exported_object}
        if parameters is not None:
            body["parameters"] = parameters
        return await self._send("POST", "/v1/exports", Export, body)

    async def list_exports(
        self, *, limit: int = MAX_LIMIT, page: int = 1, order: ExportSort = "-created_at"
    ) -> TypedAnswer[ExportList]:
        """``GET /v1/exports``: exports of all kinds, those of the dashboard too.

        Raises:
            PageOverLimit: The page is beyond what the server pages to.
        """
        with _page_cap(page):
            return await self._get(
                "/v1/exports", ExportList, {"limit": limit, "page": page, "order": order}
            )

    async def get_export(self, export_id: str) -> TypedAnswer[Export]:
        """``GET /v1/exports/{id}``: state of an export, and its file's address once ``DONE``.

        Raises:
            NotFound: No such export.
        """
        return await self._get(f"/v1/exports/{_segment(export_id)}", Export)

    async def delete_export(self, export_id: str) -> None:
        """``DELETE /v1/exports/{id}``.

        Raises:
            NotFound: No such export; also when the answer to a first attempt was lost.
        """
        path = f"/v1/exports/{_segment(export_id)}"
        await self.transport.request("DELETE", path, expect="none")

    # Asynchronous actions ------------------------------------------------------------------

    async def list_async_actions(
        self, *, limit: int = MAX_LIMIT, end_date: datetime | str | None = None
    ) -> TypedAnswer[AsyncActionList]:
        """``GET /v1/async-actions``: newest first; it has no page numbers.

        Args:
            limit: 1 to 100.
            end_date: Only actions scheduled before it: an aware time, or the text of a
                ``created_at`` to go on from there.
        """
        if isinstance(end_date, datetime):
            end_date = _timestamp(end_date)
        return await self._get(
            "/v1/async-actions", AsyncActionList, {"limit": limit, "end_date": end_date}
        )

    async def get_async_action(self, action_id: str) -> TypedAnswer[AsyncAction]:
        """``GET /v1/async-actions/{id}``: state and result of one action.

        Raises:
            NotFound: No such action.
        """
        return await self._get(f"/v1/async-actions/{_segment(action_id)}", AsyncAction)

    # OAuth ---------------------------------------------------------------------------------

    async def create_oauth_token(self, scope: str = LOADER_SCOPE) -> TypedAnswer[OAuthToken]:
        """``POST /v1/oauth/token``: buy a token with the key pair.

        An account with ``auth = "oauth"`` does this by itself; use this to check what a key may.

        Args:
            scope: Scopes separated by blanks.
        """
        answer = await self.transport.request(
            "POST", TOKEN_PATH, data=token_form(scope), idempotent=True
        )
        return TypedAnswer(answer, OAuthToken)

    # Behind the methods --------------------------------------------------------------------

    async def _get(
        self, path: str, model: type[M], params: Mapping[str, str | int | None] | None = None
    ) -> TypedAnswer[M]:
        return TypedAnswer(await self.transport.request("GET", path, params=params), model)

    async def _send(
        self, method: str, path: str, model: type[M], body: object, idempotent: bool | None = None
    ) -> TypedAnswer[M]:
        answer = await self.transport.request(method, path, json=body, idempotent=idempotent)
        return TypedAnswer(answer, model)


def _segment(value: str) -> str:
    """Encode an id for a path. Source ids are free text with slashes, blanks and ``#``."""
    if not value.strip("."):
        raise ValueError(f"{value!r} cannot be used as an id in an address")
    return quote(value, safe="")


@contextmanager
def _page_cap(page: int) -> Iterator[None]:
    """Tell the end of what paging reaches from a request that is wrong."""
    try:
        yield
    except (RequestRejected, NotFound) as error:
        # What a page above the documented cap answers is not documented for orders.
        unclear = isinstance(error, NotFound) or error.key == "invalid_query_params"
        if error.key != "page_over_limit" and not (unclear and page > MAX_PAGE):
            raise
        raise PageOverLimit(
            f"Page {page} is beyond what the list reaches; what lies behind it needs an export.",
            **error.context,
        ) from error


def export_parameters(
    fields: Sequence[str] | None, order: str | None, filters: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Build the ``parameters`` of an export; what is None is left to the server's default."""
    given = {"fields": list(fields) if fields else None, "order": order, "filters": filters}
    return {key: value for key, value in given.items() if value is not None}


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
