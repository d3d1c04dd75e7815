"""The routes of the API."""

import csv
import io
import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.licensespring.errors import not_found, refusal
from orders_connector.sandbox.licensespring.people import PRODUCTS
from orders_connector.sandbox.licensespring.query import (
    LICENSES,
    ORDERS,
    Kind,
    found,
    page_of,
    slice_of,
)
from orders_connector.sandbox.licensespring.shop import Row, Shop

__all__ = ["Api"]

MOST_LICENSES = 100
QUESTIONS = 8  # whose answers are kept: a load and its peer ask no more at a time
_RANGES = {"last30": 30, "last60": 60, "last80": 80, "last365": 365}
_COLUMNS = ("id", "store_id", "created_at", "type", "is_test", "is_trial", "license_key")
_OTHER_HOST = "https://app-7.internal.example"


class Api:
    """Answers requests from the shop's state.

    Args:
        shop: the state.
        before_list: called before each list; traffic hangs on it.
    """

    def __init__(self, shop: Shop, before_list: Callable[[], object]) -> None:
        self._shop = shop
        self._before_list = before_list
        self._lists = 0
        self._answers: dict[object, list[Row]] = {}
        self._answered: object = None
        self.app = Starlette(routes=self._routes(), exception_handlers=self._handlers())
        self.app.router.redirect_slashes = False

    def _routes(self) -> list[Route]:
        one = "/api/v1/orders/{order_id:int}/"
        table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/api/v1/orders/", self._list_orders),
            ("POST", "/api/v1/orders/create_order/", self._create_order),
            ("GET", "/api/v1/orders/generate_license/", self._generate_license),
            ("GET", "/api/v1/orders/export/", self._export_orders),
            ("GET", one, self._get_order),
            ("PATCH", one, self._update_order),
            ("DELETE", one + "safe_delete/", self._safe_delete),
            ("GET", one + "export/", self._export_order),
            ("GET", one + "managers/", self._managers),
            ("GET", "/api/v1/licenses/", self._list_licenses),
        ]
        return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]

    # --- lists ---------------------------------------------------------------------------------

    async def _list_orders(self, request: Request) -> Response:
        return self._list(request, ORDERS, self._shop.switches.max_limit)

    async def _list_licenses(self, request: Request) -> Response:
        return self._list(request, LICENSES, MOST_LICENSES)

    def _list(self, request: Request, kind: Kind, most: int) -> Response:
        self._before_list()
        shop, query = self._shop, dict(request.query_params)
        self._lists += 1
        with shop.lock:
            rows = self._found(kind, query)
        url = str(request.url.replace(query=""))
        if shop.switches.next_links == "other_host":
            url = _OTHER_HOST + request.url.path
        return JSONResponse(page_of(rows, slice_of(query, most), url, query))

    def _found(self, kind: Kind, query: dict[str, str]) -> list[Row]:
        # The pages of a walk ask the same question of a shop that mostly stands still, and several
        # walks may take turns.
        shop = self._shop
        salt = self._lists if shop.switches.tie_order == "shuffled" else 0
        state = (shop.version, shop.switches, salt)
        if self._answered != state:
            self._answered, self._answers = state, {}
        asked = {key: value for key, value in query.items() if key not in ("limit", "offset")}
        question = (kind is ORDERS, frozenset(asked.items()))
        if question not in self._answers:
            if len(self._answers) == QUESTIONS:
                self._answers.clear()
            if kind is ORDERS:
                rows = [shop.row(order_id) for order_id in shop.order_ids()]
            else:
                rows = [shop.license(license_id) for license_id in shop.license_ids()]
            self._answers[question] = found(shop, kind, rows, query, salt)
        return self._answers[question]

    # --- orders --------------------------------------------------------------------------------

    async def _create_order(self, request: Request) -> Response:
        status = 201 if self._shop.switches.create_status == "created" else 200
        return JSONResponse(self._shop.create(await self._json(request)), status)

    async def _get_order(self, request: Request) -> Response:
        return JSONResponse(self._shop.get(request.path_params["order_id"]))

    async def _update_order(self, request: Request) -> Response:
        changes = await self._json(request)
        return JSONResponse(self._shop.update(request.path_params["order_id"], changes))

    async def _safe_delete(self, request: Request) -> Response:
        self._shop.safe_delete(request.path_params["order_id"])
        return Response(status_code=204)

    async def _managers(self, request: Request) -> Response:
        order = self._shop.get(request.path_params["order_id"])
        return JSONResponse(order.get("license_users", []))

    async def _generate_license(self, request: Request) -> Response:
        if request.query_params.get("product") not in PRODUCTS:
            raise not_found()
        try:
            quantity = int(request.query_params.get("quantity", "1"))
        except ValueError:
            raise refusal(400, self._shop.switches, "quantity: a number is expected.") from None
        return JSONResponse(self._shop.new_keys(quantity))

    # --- exports -------------------------------------------------------------------------------

    async def _export_order(self, request: Request) -> Response:
        return _csv([self._shop.get(request.path_params["order_id"])])

    async def _export_orders(self, request: Request) -> Response:
        query, today = request.query_params, self._shop.clock.now().date()
        try:
            if "range" in query:
                first, last = today - timedelta(days=_RANGES[query["range"]]), today
            else:
                first, last = date.fromisoformat(query["from"]), date.fromisoformat(query["to"])
        except (KeyError, ValueError):
            raise refusal(400, self._shop.switches, "A range or two days are expected.") from None
        return _csv(
            [
                order
                for order in self._shop.truth()
                if first.isoformat() <= str(order["created_at"])[:10] <= last.isoformat()
            ]
        )

    # --- inside --------------------------------------------------------------------------------

    async def _json(self, request: Request) -> Row:
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            raise refusal(400, self._shop.switches, "The body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise refusal(400, self._shop.switches, "An object is expected.")
        return body

    def _handlers(self) -> Any:  # noqa: ANN401 - Starlette's own type of it is narrower than its use
        async def refuse(request: Request, error: Exception) -> Response:
            if isinstance(error, HTTPException):  # from the router: 404 and 405
                path = request.url.path
                if error.status_code == 404 and request.method == "GET" and path[-1] != "/":
                    return RedirectResponse(str(request.url.replace(path=path + "/")), 301)
                error = refusal(
                    error.status_code, self._shop.switches, headers=dict(error.headers or {})
                )
            assert isinstance(error, Refusal)  # noqa: S101 - registered for these two
            return error.response(request.scope["request_id"])

        return {Refusal: refuse, HTTPException: refuse}


def _csv(orders: list[Row]) -> Response:
    """Write one line per license, or one for an order without any."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for order in orders:
        keys = [
            one["license_key"] for item in order.get("order_items", []) for one in item["licenses"]
        ]
        for key in keys or [""]:
            writer.writerow([order.get(column) for column in _COLUMNS[:-1]] + [key])
    return Response(text.getvalue(), media_type="text/csv")
