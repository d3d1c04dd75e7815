"""The routes of the API host."""

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders_connector.sandbox.clock import stamp
from orders_connector.sandbox.voucherify.access import Access
from orders_connector.sandbox.voucherify.errors import ApiError, bad_payload, too_large
from orders_connector.sandbox.voucherify.exports import Exports
from orders_connector.sandbox.voucherify.imports import AsyncActions
from orders_connector.sandbox.voucherify.listing import Record
from orders_connector.sandbox.voucherify.query import (
    ORDER_SORTS,
    bounds,
    limit_of,
    page_of,
    sort_of,
    within,
)
from orders_connector.sandbox.voucherify.shop import Shop

__all__ = ["Api"]

MOST_BYTES = 10_485_760
_EXPORT_SORTS = ("created_at", "-created_at", "status", "-status")


class Api:
    """Answers requests from the shop's state.

    Args:
        shop: the state.
        exports: its exports.
        actions: its async actions.
        access: its tokens.
        before_list: called before each list of orders; traffic hangs on it.
    """

    def __init__(
        self,
        shop: Shop,
        exports: Exports,
        actions: AsyncActions,
        access: Access,
        before_list: Callable[[], object],
    ) -> None:
        self._shop = shop
        self._exports = exports
        self._actions = actions
        self._access = access
        self._before_list = before_list
        self._lists = 0
        self.app = Starlette(routes=self._routes(), exception_handlers=_HANDLERS)
        self.app.router.redirect_slashes = False

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/v1/orders", self._list_orders),
            ("POST", "/v1/orders", self._create_order),
            ("POST", "/v1/orders/import", self._import_orders),
            ("POST", "/v1/orders/export", self._export_orders),
            # A source id may hold slashes, which arrive decoded: hence `path`.
            ("GET", "/v1/orders/{order_id:path}", self._get_order),
            ("PUT", "/v1/orders/{order_id:path}", self._update_order),
            ("POST", "/v1/exports", self._create_export),
            ("GET", "/v1/exports", self._list_exports),
            ("GET", "/v1/exports/{export_id}", self._get_export),
            ("DELETE", "/v1/exports/{export_id}", self._delete_export),
            ("GET", "/v1/async-actions", self._list_actions),
            ("GET", "/v1/async-actions/{action_id}", self._get_action),
            ("POST", "/v1/redemptions/{redemption_id}/rollback", self._rollback),
            ("POST", "/v1/customers/{customer_id:path}/permanent-deletion", self._erase),
            ("POST", "/v1/oauth/token", self._token),
            ("POST", "/v1/oauth/introspect", self._introspect),
            ("POST", "/v1/oauth/token/revoke", self._revoke),
        ]
        return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]

    # --- orders --------------------------------------------------------------------------------

    async def _list_orders(self, request: Request) -> Response:
        self._before_list()
        shop, query = self._shop, request.query_params
        switches = shop.switches
        default = "-created_at" if switches.default_sort == "newest_first" else "created_at"
        sort = sort_of(query, ORDER_SORTS, default)
        limit, page = limit_of(query), page_of(query, switches, switches.listing_pages)
        limits = bounds(query, switches)
        start = 0 if page is None else (page - 1) * limit
        self._lists += 1
        with shop.lock:
            listing = shop.visible()
            total = len(listing.records)
            if limits:
                window = listing.window(sort, 0, total, switches, self._lists)
                found = [record for record in window if within(record, limits)]
                total, records = len(found), found[start : start + limit]
            else:
                records = listing.window(sort, start, start + limit, switches, self._lists)
        bodies = b",".join(self._body(record) for record in (records if page else ()))
        return Response(
            b'{"object":"list","data_ref":"orders","orders":[%b],"total":%d}' % (bodies, total),
            media_type="application/json",
        )

    async def _create_order(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse(self._shop.upsert(body))

    async def _get_order(self, request: Request) -> Response:
        record = self._shop.record(request.path_params["order_id"])
        return Response(self._body(record), media_type="application/json")

    async def _update_order(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse(self._shop.update(request.path_params["order_id"], body))

    async def _import_orders(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse(self._actions.import_orders(body, request.scope["request_id"]))

    def _body(self, record: Record) -> bytes:
        if self._shop.switches.response_key_order == "fixed":
            return record.body
        self._lists += 1
        shuffled = _shuffled(record.order(), random.Random(self._lists))
        return json.dumps(shuffled, ensure_ascii=False).encode()

    # --- exports and async actions -------------------------------------------------------------

    async def _export_orders(self, request: Request) -> Response:
        body = await _json(request)
        if not isinstance(body, dict):
            raise bad_payload("Property . should be object")
        return JSONResponse(self._exports.start(body | {"exported_object": "order"}))

    async def _create_export(self, request: Request) -> Response:
        return JSONResponse(self._exports.start(await _json(request)))

    async def _list_exports(self, request: Request) -> Response:
        query = request.query_params
        sort = sort_of(query, _EXPORT_SORTS, "-created_at")
        limit, page = limit_of(query), page_of(query, self._shop.switches)
        first = (page - 1) * limit if page else 0
        return JSONResponse(self._exports.page(sort, first, limit if page else 0))

    async def _get_export(self, request: Request) -> Response:
        return JSONResponse(self._exports.get(request.path_params["export_id"]))

    async def _delete_export(self, request: Request) -> Response:
        self._exports.delete(request.path_params["export_id"])
        return Response(status_code=204)

    async def _list_actions(self, request: Request) -> Response:
        query = request.query_params
        return JSONResponse(self._actions.page(limit_of(query), query.get("end_date")))

    async def _get_action(self, request: Request) -> Response:
        return JSONResponse(self._actions.get(request.path_params["action_id"]))

    # --- redemptions, customers, oauth ---------------------------------------------------------

    async def _rollback(self, request: Request) -> Response:
        shop, redemption_id = self._shop, request.path_params["redemption_id"]
        with shop.lock:
            order = shop.with_redemption(redemption_id)
            order = shop.rollback(order["id"], shop.switches.rollback_mode == "with_order")
            entry = order["redemptions"].get(redemption_id, {})
            answer = {
                "id": entry.get("rollback_id") or shop.new_id("rr_"),
                "object": "redemption_rollback",
                "date": stamp(shop.clock.now()),
                "customer_id": order.get("customer_id"),
                "redemption": redemption_id,
                "result": "SUCCESS",
                "status": "SUCCEEDED",
                "order": order,
            }
        return JSONResponse(answer)

    async def _erase(self, request: Request) -> Response:
        shop, customer_id = self._shop, request.path_params["customer_id"]
        count = shop.erase_customer(customer_id)
        counts = {"events": 0, "customer_events": 0, "daily_events": 0, "segments": 0}
        answer = {
            "id": shop.new_id("del_"),
            "created_at": stamp(shop.clock.now()),
            "related_object_id": customer_id,
            "related_object": "customer",
            "status": "DONE",
            "data_json": counts | {"orders": count, "order_events": count, "customer": 1},
            "object": "pernament_deletion",  # the API's own spelling
        }
        return JSONResponse(answer)

    async def _token(self, request: Request) -> Response:
        return JSONResponse(self._access.token(await request.body()))

    async def _introspect(self, request: Request) -> Response:
        return JSONResponse(self._access.introspect(await request.body()))

    async def _revoke(self, request: Request) -> Response:
        self._access.revoke(await request.body())
        return Response(status_code=204)


async def _json(request: Request) -> Any:  # noqa: ANN401 - whatever JSON the caller sent
    """Read a JSON body; raises ApiError 400, 413 or 415."""
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:
        raise too_large(MOST_BYTES)
    if "json" not in request.headers.get("content-type", "application/json"):
        raise ApiError(415)
    body = await request.body()
    try:
        return json.loads(body or b"{}")
    except ValueError:
        raise bad_payload("Body is not valid JSON") from None


def _shuffled(value: object, rng: random.Random) -> object:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: _shuffled(value[key], rng) for key in keys}
    if isinstance(value, list):
        return [_shuffled(one, rng) for one in value]
    return value


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # from the router: 404 and 405
        error = ApiError(error.status_code, headers=dict(error.headers or {}))
    assert isinstance(error, ApiError)  # noqa: S101 - the handler is registered for these two
    return error.response(request.scope["request_id"])


_HANDLERS: Any = {ApiError: _refuse, HTTPException: _refuse}
