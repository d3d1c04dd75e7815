"""The routes of the API host."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders_connector.sandbox.clock import EPOCH
from orders_connector.sandbox.ultracart.access import Access
from orders_connector.sandbox.ultracart.errors import ApiError, bad_request
from orders_connector.sandbox.ultracart.expansions import projected, thinned
from orders_connector.sandbox.ultracart.life import is_shipped
from orders_connector.sandbox.ultracart.query import (
    GET_FILTERS,
    POST_FILTERS,
    Page,
    Search,
    page_of,
    search_of,
)
from orders_connector.sandbox.ultracart.refunds import RefundOptions
from orders_connector.sandbox.ultracart.rendering import formatted
from orders_connector.sandbox.ultracart.shop import Mail, Order, Record, Shop, encoded

__all__ = ["ROOT", "Api"]

ROOT = "/rest/v2"
MOST_IDS = 500
_PAGING = ("_limit", "_offset", "_sort", "_expand")
_YEAR = timedelta(days=365)


class Api:
    """Answers requests from the shop's state.

    Args:
        shop: the state.
        access: its tokens.
        before_list: called before each list of orders; traffic hangs on it.
        latency: real seconds that every answer takes, so that requests can overlap.
    """

    def __init__(
        self, shop: Shop, access: Access, before_list: Callable[[], object], latency: float
    ) -> None:
        self._shop = shop
        self._access = access
        self._before_list = before_list
        self._latency = latency
        self._lists = 0
        self._last: tuple[object, list[Record]] = (None, [])
        handlers: Any = {ApiError: self._refuse, HTTPException: self._refuse}
        self.app = Starlette(routes=self._routes(), exception_handlers=handlers)
        self.app.router.redirect_slashes = False

    def _routes(self) -> list[Route]:
        one = "/order/orders/{order_id}"
        table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/order/orders", self._list),
            ("POST", "/order/orders/query", self._query),
            ("POST", "/order/orders/batch", self._batch),
            ("GET", one, self._get),
            ("PUT", one, self._update),
            ("DELETE", one, self._delete),
            ("POST", f"{one}/cancel", self._cancel),
            ("PUT", f"{one}/refund", self._refund),
            ("POST", f"{one}/format", self._format),
            ("POST", f"{one}/resend_receipt", self._resend_receipt),
            ("POST", f"{one}/resend_shipment_confirmation", self._resend_shipment),
            ("POST", "/oauth/token", self._token),
            ("POST", "/oauth/revoke", self._revoke),
        ]
        return [
            Route(ROOT + path, self._late(endpoint), methods=[method])
            for method, path, endpoint in table
        ]

    def _late(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def late(request: Request) -> Response:
            if self._latency:
                await asyncio.sleep(self._latency)
            return await endpoint(request)

        return late

    # --- many orders ---------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        given = {key: value for key, value in request.query_params.items() if key not in _PAGING}
        return self._found(request, given, GET_FILTERS)

    async def _query(self, request: Request) -> Response:
        given = await _json(request)
        if not isinstance(given, dict):
            raise bad_request("The body has to be a query.")
        return self._found(request, given, POST_FILTERS)

    def _found(self, request: Request, given: dict[str, Any], known: set[str]) -> Response:
        self._before_list()
        shop, query = self._shop, request.query_params
        paged = any(key in query for key in _PAGING)
        search = search_of(given, known, shop.switches, paged=paged)
        page = page_of(query, shop.switches)
        with shop.lock:
            found = self._search(search, page)
        rest = len(found) - page.offset
        size = page.limit
        if shop.switches.short_pages == "yes" and rest > size:
            size = max(1, size * 2 // 3)
        records = found[page.offset : page.offset + size]
        more = page.offset + len(records) < len(found)
        counted = {
            "count": len(records),
            "offset": page.offset,
            "limit": page.limit,
            "next_offset": page.offset + len(records) if more else page.offset,
        }
        if shop.switches.total_records == "sent":
            counted["total_records"] = len(found)
        expand = query.get("_expand", "")
        bodies = [self._body(record, expand, search.target) for record in records]
        return self._orders(bodies, counted, more=more)

    def _search(self, search: Search, page: Page) -> list[Record]:
        """Search, or take the last result again: the pages of one walk share it."""
        view, switches = self._shop.view(search.target), self._shop.switches
        self._lists += 1
        shuffled = "shuffled" in (switches.tie_order, switches.default_sort)
        key = (search.key, page.sort, view.version, self._lists if shuffled else 0)
        if self._last[0] != key:
            self._last = key, search.find(view, page, self._lists)
        return self._last[1]

    async def _batch(self, request: Request) -> Response:
        asked, shop = await _json(request), self._shop
        ids = asked.get("order_ids") if isinstance(asked, dict) else None
        if not isinstance(ids, list) or not ids or len(ids) > MOST_IDS:
            raise bad_request(f"order_ids holds 1 to {MOST_IDS} ids.")
        target = asked.get("query_target") or shop.switches.default_target
        if target not in ("origin", "cache"):
            raise bad_request("query_target is origin or cache.")
        wanted = list(dict.fromkeys(str(order_id) for order_id in ids))
        if shop.switches.batch_order == "by_id":
            wanted.sort()
        with shop.lock:
            records = shop.view(target).records
            found = [records[order_id] for order_id in wanted if order_id in records]
        if len(found) < len(wanted) and shop.switches.unknown_batch_ids == "rejected":
            raise bad_request("Some of the orders do not exist.")
        expand = request.query_params.get("_expand", "")
        bodies = [self._body(record, expand, target) for record in found]
        counted = {"count": len(found), "offset": 0, "limit": 100, "next_offset": 0}
        if shop.switches.total_records == "sent":
            counted["total_records"] = len(found)
        return self._orders(bodies, counted, more=False)

    def _orders(self, bodies: list[bytes], counted: dict[str, Any], *, more: bool) -> Response:
        switches = self._shop.switches
        if switches.more == "false" or (more and switches.more == "absent_when_false"):
            counted["more"] = more
        metadata = {"result_set": counted} if switches.result_set == "sent" else {}
        rest = encoded({"success": True, "metadata": metadata | {"payload_name": "orders"}})
        if not bodies and switches.no_orders == "absent":
            return Response(rest, media_type="application/json")
        return Response(
            b'{"orders":[%b],%b' % (b",".join(bodies), rest[1:]), media_type="application/json"
        )

    def _body(self, record: Record, expand: str, target: str = "origin") -> bytes:
        order, shop = record.order(), self._shop
        if target == "cache" and shop.switches.cache_old_orders == "partial":
            year_ago = (shop.clock.now() - _YEAR - EPOCH) // timedelta(microseconds=1)
            if record.created < year_ago:
                order = thinned(order)
        return encoded(projected(order, expand, shop.switches))

    # --- one order -----------------------------------------------------------------------------

    async def _get(self, request: Request) -> Response:
        order_id: str = request.path_params["order_id"]
        missing = self._shop.switches.missing_order
        if order_id not in self._shop:
            if missing == "no_order":
                return JSONResponse({"success": True, "metadata": {"payload_name": "order"}})
            if missing == "not_found":
                raise ApiError(404, f"The order {order_id} does not exist.")
        return self._one(request)

    async def _update(self, request: Request) -> Response:
        self._shop.update(request.path_params["order_id"], await _json(request))
        return self._one(request)

    async def _delete(self, request: Request) -> Response:
        self._shop.delete(request.path_params["order_id"])
        return Response(status_code=204)

    async def _cancel(self, request: Request) -> Response:
        skip = _flag(request, "skip_refund_and_hold", default=False)
        _flag(request, "lock_self_ship_orders", default=False)
        self._shop.cancel(request.path_params["order_id"], skip_refund_and_hold=skip)
        return _done()

    async def _refund(self, request: Request) -> Response:
        asked = await _json(request)
        options = RefundOptions(
            reject_after_refund=_flag(request, "reject_after_refund", default=False),
            skip_customer_notification=_flag(request, "skip_customer_notification", default=False),
            auto_order_cancel=_flag(request, "auto_order_cancel", default=False),
            manual_refund=_flag(request, "manual_refund", default=False),
            reverse_affiliate_transactions=_flag(
                request, "reverse_affiliate_transactions", default=True
            ),
            issue_store_credit=_flag(request, "issue_store_credit", default=False),
            auto_order_cancel_reason=request.query_params.get("auto_order_cancel_reason"),
        )
        try:
            self._shop.refund(request.path_params["order_id"], asked, options)
        except (AttributeError, KeyError, TypeError):
            raise bad_request("The body has to be an order.") from None
        return self._one(request)

    async def _format(self, request: Request) -> Response:
        order = self._shop.get(request.path_params["order_id"])
        return JSONResponse(formatted(order, await _json(request)))

    async def _resend_receipt(self, request: Request) -> Response:
        order = self._shop.get(request.path_params["order_id"])
        self._shop.mails.append(Mail("receipt", order["order_id"]))
        return _done()

    async def _resend_shipment(self, request: Request) -> Response:
        order = self._shop.get(request.path_params["order_id"])
        if not is_shipped(order):  # neither an error nor a success
            warning = {"warning_message": "Nothing of the order was shipped yet."}
            return JSONResponse({"warning": warning, "metadata": {}})
        self._shop.mails.append(Mail("shipment", order["order_id"]))
        return _done()

    def _one(self, request: Request) -> Response:
        record = self._shop.record(request.path_params["order_id"])
        body = self._body(record, request.query_params.get("_expand", ""))
        end = b',"success":true,"metadata":{"payload_name":"order"}}'
        return Response(b'{"order":%b%b' % (body, end), media_type="application/json")

    # --- tokens and failures -------------------------------------------------------------------

    async def _token(self, request: Request) -> Response:
        return JSONResponse(self._access.token(await request.body()))

    async def _revoke(self, request: Request) -> Response:
        return JSONResponse(self._access.revoke(await request.body()))

    async def _refuse(self, request: Request, error: Exception) -> Response:
        switches = self._shop.switches
        if isinstance(error, HTTPException):  # from the router: 404 and 405
            error = ApiError(error.status_code, headers=dict(error.headers or {}))
        assert isinstance(error, ApiError)  # noqa: S101 - the handler is registered for these two
        body: Order = error.body if isinstance(error.body, dict) else {}
        if switches.failure_success == "false":
            body = body | {"success": False}
        if error.status == 400 and switches.failure_status == "http_200":
            return JSONResponse(body)
        return JSONResponse(body, error.status, error.headers)


def _done() -> Response:
    return JSONResponse({"success": True, "metadata": {}})


def _flag(request: Request, name: str, *, default: bool) -> bool:
    """Read a flag of the query, in any case; raises ApiError 400."""
    text = request.query_params.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise bad_request(f"{name} is true or false.")
    return text == "true"


async def _json(request: Request) -> Any:  # noqa: ANN401 - whatever JSON the caller sent
    """Read a JSON body; raises ApiError 400."""
    try:
        return json.loads(await request.body())
    except ValueError:
        raise bad_request("The body is no JSON.") from None
