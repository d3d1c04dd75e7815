"""UltraCart's endpoints for orders, one method each.

Facts: UltraCart's REST API v2, Order API (version header 2017-03-01). The requests equal those of
the official Python SDK 4.1.208 on the wire, which the tests prove; unlike the SDK, answers are
kept byte for byte.

UltraCart answers two calls at the same time with 429, per key and per address. So all calls of a
client take turns, with their repetitions and waits: give one key to one client.

Every method raises ``SourceError`` by kind (``errors``), also for an error inside an answer of
status 200, and ``CallBudgetExhausted``; only what is special is said at the method.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypedDict, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from orders_connector.answers import Answer, TypedAnswer
from orders_connector.errors import (
    CredentialsRejected,
    NotFound,
    PermissionDenied,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    SourceContext,
    SourceError,
)
from orders_connector.http import Transport
from orders_connector.sources.ultracart.auth import API_VERSION, TOKEN_PATH, VERSION_HEADER
from orders_connector.sources.ultracart.envelope import refusal_in
from orders_connector.sources.ultracart.expansions import Expansion, expand_parameter
from orders_connector.sources.ultracart.filters import (
    OrderFilters,
    OrderQuery,
    OrderSort,
    QueryTarget,
    query_body,
    query_parameters,
    sort_parameter,
)
from orders_connector.sources.ultracart.models import (
    Done,
    FormattedOrder,
    OrderAnswer,
    OrderPage,
    json_number,
)
from orders_connector.sources.ultracart.pacing import Pace

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_BATCH",
    "MAX_LIMIT",
    "OLDEST_FIRST",
    "FormatOptions",
    "UltraCartEndpoints",
]

MAX_LIMIT = 200
# What UltraCart advises: larger pages may be refused, or cut, at any time.
DEFAULT_LIMIT = 100
MAX_BATCH = 500
OLDEST_FIRST: tuple[OrderSort, ...] = ("+creation_dts",)

_ORDERS = "/rest/v2/order/orders"
_JSON = "application/json"
# So declared for these writes, where names and messages go both ways.
_JSON_UTF8 = "application/json; charset=utf-8"
_NO_ORDER = "There is no such order; it may have been deleted."

M = TypeVar("M", bound=BaseModel)


class FormatOptions(TypedDict, total=False):
    """How ``format_order`` renders an order."""

    format: Literal["text", "div", "table", "email"]
    context: str
    translate: bool
    show_in_merchant_currency: bool
    show_contact_info: bool
    show_internal_information: bool
    show_merchant_notes: bool
    show_payment_info: bool
    show_non_sensitive_payment_info: bool
    hide_bill_to_address: bool
    hide_price_information: bool
    email_as_link: bool
    dont_link_email_to_search: bool
    link_file_attachments: bool
    use_phone_number_web_component: bool
    filter_distribution_center_oid: int
    filter_to_items_in_container_oid: int


class UltraCartEndpoints:
    """The endpoints of one merchant.

    Attributes:
        transport: What the requests go through; its counters tell what they cost.
    """

    def __init__(self, transport: Transport, *, pace: Pace | None = None) -> None:
        """Set up.

        Args:
            transport: What the requests go through.
            pace: Holds requests back within the limits of the source; None for no such thing.
        """
        self.transport = transport
        self._pace = pace
        self._turn = asyncio.Lock()

    # Reading -------------------------------------------------------------------------------

    async def get_order(
        self, order_id: str, *, expand: Iterable[Expansion] = ()
    ) -> TypedAnswer[OrderAnswer]:
        """``GET /order/orders/{order_id}``.

        Args:
            order_id: Such as ``DEMO-0009105091``.
            expand: Parts of the order beyond ids, stage and dates.

        Raises:
            NotFound: No such order. UltraCart says so by refusing the request, for which only the
                id can be the reason here; prove a deletion by a batch that leaves the order out.
            ValueError: An unknown expansion, or an id that would address something else.
        """
        params = {"_expand": expand_parameter(expand)}
        path = f"{_ORDERS}/{_segment(order_id)}"
        answer = await self._call("GET", path, params=params, only_an_id=True)
        typed = TypedAnswer(answer, OrderAnswer)
        if typed.model.order is None:
            raise NotFound(_NO_ORDER, **_context(answer))
        return typed

    async def list_orders(
        self,
        filters: OrderFilters,
        *,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        sort: Iterable[OrderSort] = OLDEST_FIRST,
        expand: Iterable[Expansion] = (),
    ) -> TypedAnswer[OrderPage]:
        """``GET /order/orders``: one page of the orders that pass all filters.

        Args:
            filters: At least one. Dates of refunds can be asked for by ``query_orders`` only.
            limit: Orders per page, 1 to 200.
            offset: Orders to pass over, from 0.
            sort: Keys with their sign, the first one first.
            expand: Parts of each order beyond ids, stage and dates.

        Returns:
            The page; empty behind the last order.

        Raises:
            ValueError: No filter, an unknown filter, sort key or expansion, or a limit or offset
                out of range. Nothing was sent.
        """
        params = {**query_parameters(filters), **_paging(limit, offset, sort, expand)}
        return TypedAnswer(await self._call("GET", _ORDERS, params=params), OrderPage)

    async def list_orders_unfiltered(self) -> TypedAnswer[OrderPage]:
        """``GET /order/orders`` with ``_limit=1`` alone, to see whether that is refused.

        Raises:
            RequestRejected: A filter is needed, as documented.
        """
        return TypedAnswer(await self._call("GET", _ORDERS, params={"_limit": 1}), OrderPage)

    async def query_orders(
        self,
        query: OrderQuery,
        *,
        limit: int | None = DEFAULT_LIMIT,
        offset: int = 0,
        sort: Iterable[OrderSort] = OLDEST_FIRST,
        expand: Iterable[Expansion] = (),
    ) -> TypedAnswer[OrderPage]:
        """``POST /order/orders/query``: as ``list_orders``, with more filters.

        Args:
            query: At least one filter, and where to look.
            limit: As for ``list_orders``; None leaves it to the server.
            offset: As for ``list_orders``.
            sort: As for ``list_orders``.
            expand: As for ``list_orders``.

        Raises:
            ValueError: As for ``list_orders``.
        """
        answer = await self._call(
            "POST",
            f"{_ORDERS}/query",
            params=_paging(limit, offset, sort, expand),
            body=query_body(query),
            idempotent=True,
        )
        return TypedAnswer(answer, OrderPage)

    async def get_orders_batch(
        self,
        order_ids: Sequence[str],
        *,
        query_target: QueryTarget | None = None,
        expand: Iterable[Expansion] = (),
    ) -> TypedAnswer[OrderPage]:
        """``POST /order/orders/batch``: up to 500 orders by id, in one call.

        Orders that do not exist are left out, as far as is known: compare the ids.

        Args:
            order_ids: 1 to 500 ids.
            query_target: ``origin`` or ``cache``; the cache may lack parts of old orders.
            expand: As for ``list_orders``.

        Raises:
            ValueError: No id or more than 500, or an unknown expansion. Nothing was sent.
        """
        if isinstance(order_ids, str) or not 1 <= len(order_ids) <= MAX_BATCH:
            raise ValueError(f"a batch takes a list of 1 to {MAX_BATCH} ids")
        body: dict[str, Any] = {"order_ids": list(order_ids)}
        if query_target is not None:
            body["query_target"] = query_target
        params = {"_expand": expand_parameter(expand)}
        answer = await self._call(
            "POST", f"{_ORDERS}/batch", params=params, body=body, idempotent=True
        )
        return TypedAnswer(answer, OrderPage)

    async def format_order(
        self, order_id: str, options: FormatOptions
    ) -> TypedAnswer[FormattedOrder]:
        """``POST /order/orders/{order_id}/format``: the order as text or HTML.

        Raises:
            ValueError: The id would address something else.
        """
        path = f"{_ORDERS}/{_segment(order_id)}/format"
        answer = await self._call("POST", path, body=options, idempotent=True)
        return TypedAnswer(answer, FormattedOrder)

    # Writing -------------------------------------------------------------------------------

    async def update_order(
        self, order_id: str, order: Mapping[str, Any], *, expand: Iterable[Expansion] = ()
    ) -> TypedAnswer[OrderAnswer]:
        """``PUT /order/orders/{order_id}``: store the order as given; charges and mails nobody.

        Args:
            order_id: Id of the order.
            order: The order; amounts may be ``Decimal``.
            expand: Parts of the order that the answer holds.

        Raises:
            ValueError: An unknown expansion, an id that would address something else, or an
                amount that a JSON number cannot carry exactly.
        """
        answer = await self._call(
            "PUT",
            f"{_ORDERS}/{_segment(order_id)}",
            params={"_expand": expand_parameter(expand)},
            body=order,
            content_type=_JSON_UTF8,
        )
        return TypedAnswer(answer, OrderAnswer)

    async def refund_order(
        self,
        order_id: str,
        order: Mapping[str, Any],
        *,
        reject_after_refund: bool = False,
        skip_customer_notification: bool = False,
        auto_order_cancel: bool = False,
        auto_order_cancel_reason: str | None = None,
        manual_refund: bool = False,
        reverse_affiliate_transactions: bool = True,
        issue_store_credit: bool = False,
        expand: Iterable[Expansion] = (),
    ) -> TypedAnswer[OrderAnswer]:
        """``PUT /order/orders/{order_id}/refund``: pay back. Never repeated blindly.

        Args:
            order_id: Id of the order.
            order: The order, with every ``*_refunded`` set to the total to date that is wanted;
                UltraCart pays back the difference. Amounts may be ``Decimal``.
            reject_after_refund: Reject the order as well.
            skip_customer_notification: Send the customer no mail.
            auto_order_cancel: Cancel the subscription behind the order.
            auto_order_cancel_reason: Why.
            manual_refund: The money went back by another way; only write it down.
            reverse_affiliate_transactions: Take commissions back.
            issue_store_credit: Give store credit instead of money.
            expand: Parts of the order that the answer holds.

        Raises:
            ValueError: As for ``update_order``.
        """
        params = {
            "reject_after_refund": _flag(reject_after_refund),
            "skip_customer_notification": _flag(skip_customer_notification),
            "auto_order_cancel": _flag(auto_order_cancel),
            "manual_refund": _flag(manual_refund),
            "reverse_affiliate_transactions": _flag(reverse_affiliate_transactions),
            "issue_store_credit": _flag(issue_store_credit),
            "auto_order_cancel_reason": auto_order_cancel_reason,
            "_expand": expand_parameter(expand),
        }
        answer = await self._call(
            "PUT",
            f"{_ORDERS}/{_segment(order_id)}/refund",
            params=params,
            body=order,
            content_type=_JSON_UTF8,
            idempotent=False,
        )
        return TypedAnswer(answer, OrderAnswer)

    async def cancel_order(
        self,
        order_id: str,
        *,
        lock_self_ship_orders: bool | None = None,
        skip_refund_and_hold: bool | None = None,
    ) -> TypedAnswer[Done]:
        """``POST /order/orders/{order_id}/cancel``: reject the order. Never repeated blindly.

        Args:
            order_id: Id of the order.
            lock_self_ship_orders: Keep the merchant's own shipping from going on with it.
            skip_refund_and_hold: Pay nothing back.

        Raises:
            RequestRejected: It is completed, already rejected, or on its way to be shipped.
            ValueError: The id would address something else.
        """
        params = {
            "lock_self_ship_orders": _flag(lock_self_ship_orders),
            "skip_refund_and_hold": _flag(skip_refund_and_hold),
        }
        return await self._do("cancel", order_id, params)

    async def delete_order(self, order_id: str) -> None:
        """``DELETE /order/orders/{order_id}``: gone without a trace; reject it to keep one.

        Raises:
            NotFound: No such order; also when the answer to a first attempt was lost.
            ValueError: The id would address something else.
        """
        path = f"{_ORDERS}/{_segment(order_id)}"
        await self._call("DELETE", path, expect="none", only_an_id=True)

    async def resend_receipt(self, order_id: str) -> TypedAnswer[Done]:
        """``POST /order/orders/{order_id}/resend_receipt``: mail it. Never repeated blindly.

        Raises:
            ValueError: The id would address something else.
        """
        return await self._do("resend_receipt", order_id)

    async def resend_shipment_confirmation(self, order_id: str) -> TypedAnswer[Done]:
        """``POST /order/orders/{order_id}/resend_shipment_confirmation``. Never repeated blindly.

        For an order that was not shipped, the answer holds a warning and no ``success``.

        Raises:
            ValueError: The id would address something else.
        """
        return await self._do("resend_shipment_confirmation", order_id)

    # Behind the methods --------------------------------------------------------------------

    async def _do(
        self, action: str, order_id: str, params: Mapping[str, str | None] | None = None
    ) -> TypedAnswer[Done]:
        path = f"{_ORDERS}/{_segment(order_id)}/{action}"
        answer = await self._call("POST", path, params=params, idempotent=False)
        return TypedAnswer(answer, Done)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = _JSON,
        idempotent: bool | None = None,
        expect: Literal["json", "none"] = "json",
        only_an_id: bool = False,
    ) -> Answer:
        headers = {VERSION_HEADER: API_VERSION, "accept": _JSON}
        if method in ("POST", "PUT"):
            headers["content-type"] = content_type
        payload = None if body is None else _with_json_numbers(body)
        repeatable = method != "POST" if idempotent is None else idempotent
        async with self._turn:
            await self._wait_for_room(method, path)
            sent = self.transport.calls
            try:
                return await self.transport.request(
                    method,
                    path,
                    params=params,
                    json=payload,
                    headers=headers,
                    idempotent=idempotent,
                    expect=expect,
                    refusal=partial(refusal_in, idempotent=repeatable),
                )
            except SourceError as error:
                explained = _explained(error, only_an_id=only_an_id)
                if explained is error:
                    raise
                raise explained from error
            finally:
                if self._pace:
                    self._pace.note(self.transport.calls - sent, self.transport.clock())

    async def _wait_for_room(self, method: str, path: str) -> None:
        if self._pace is None:
            return
        seconds, limit = self._pace.wait(self.transport.clock())
        if seconds > self._pace.max_wait_seconds:
            raise RateLimited(
                f"UltraCart allows {limit}; the next call may go in {seconds:.0f} s, and a run "
                f"waits {self._pace.max_wait_seconds:.0f} s at most. Run again then, lower "
                "`reserve`, or raise max_wait_seconds or the limit if UltraCart raised it.",
                kind="local",
                retry_after=seconds,
                account=self.transport.account,
                method=method,
                path=path,
            )
        if seconds:
            await self.transport.wait(seconds, f"UltraCart allows {limit}")


def _explained(error: SourceError, *, only_an_id: bool) -> SourceError:
    """Say what an error of the transport means at UltraCart."""
    if isinstance(error, QuotaExhausted) and isinstance(error.__cause__, RateLimited):
        # It has no quota that ends; it also refuses calls that overlap, and names no limit then.
        return RateLimited(
            "UltraCart keeps refusing calls. It does so when another program uses the key, or "
            "calls from the same address, at the same time. Run again later.",
            kind="unnamed",
            **error.context,
        )
    if error.path == TOKEN_PATH:
        return error
    match error:
        case CredentialsRejected():
            return CredentialsRejected(
                "UltraCart rejected the key or the token. Check that the environment variables of "
                "the account hold one of this merchant.",
                **error.context,
            )
        case PermissionDenied():
            return PermissionDenied(
                "UltraCart refused this to the key. Check its permissions; an OAuth application "
                "needs the scope order_read, and order_write for changes.",
                **error.context,
            )
        case RequestRejected(status=410):
            return CredentialsRejected(
                "UltraCart disabled the application of this key. Ask its support why.",
                **error.context,
            )
        case RequestRejected(status=200 | 400) if only_an_id:
            return NotFound(_NO_ORDER, **error.context)
    return error


def _context(answer: Answer) -> SourceContext:
    return SourceContext(
        account=answer.account,
        method=answer.method,
        path=answer.path,
        status=answer.status,
        request_id=answer.request_id,
    )


def _paging(
    limit: int | None, offset: int, sort: Iterable[OrderSort], expand: Iterable[Expansion]
) -> dict[str, str | int | None]:
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit {limit} is not within 1 to {MAX_LIMIT}")
    if offset < 0:
        raise ValueError(f"offset {offset} is below 0")
    return {
        "_limit": limit,
        "_offset": offset,
        "_sort": sort_parameter(sort),
        "_expand": expand_parameter(expand),
    }


def _segment(order_id: str) -> str:
    """Encode an id for a path."""
    if not order_id.strip("."):
        raise ValueError(f"{order_id!r} cannot be used as an id in an address")
    return quote(order_id, safe="")


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _with_json_numbers(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Copy a body with its decimals as JSON numbers.

    Raises:
        ValueError: A decimal with more digits than a JSON number carries.
    """
    match value:
        case Decimal():
            return json_number(value)
        case Mapping():
            return {key: _with_json_numbers(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_with_json_numbers(inner) for inner in value]
    return value
