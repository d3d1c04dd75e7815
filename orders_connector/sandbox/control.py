"""Control from another process, under `/_sandbox/` on the API port; no part of the API."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders_connector.sandbox.voucherify.clock import stamp
from orders_connector.sandbox.voucherify.errors import ApiError
from orders_connector.sandbox.voucherify.faults import Fault

if TYPE_CHECKING:
    from orders_connector.sandbox.voucherify.server import VoucherifySandbox

__all__ = ["control_app"]


def control_app(box: "VoucherifySandbox") -> Starlette:
    """Build the control routes of a sandbox. They need no keys and count for no limit."""

    async def clock(request: Request) -> Response:
        asked = await _asked(request)
        if "set" in asked:
            box.clock.set(datetime.fromisoformat(asked["set"]))
        if "speed" in asked:
            box.clock.run(float(asked["speed"]))
        box.clock.advance(timedelta(seconds=asked.get("advance_seconds", 0)))
        return JSONResponse({"now": stamp(box.clock.now())})

    async def day(request: Request) -> Response:
        counts: Counter[str] = Counter()
        for _ in range((await _asked(request)).get("days", 1)):
            counts += box.moves.day()
        state = {"now": stamp(box.clock.now()), "orders": len(box.shop)}
        return JSONResponse(state | {"moves": dict(counts)})

    async def truth(_: Request) -> Response:
        lines = b"".join(body + b"\n" for body in box.shop.bodies())
        return Response(lines, media_type="application/x-ndjson")

    async def state(_: Request) -> Response:
        calls = Counter(f"{call.method} {call.path}" for call in box.calls)
        answer = {"now": stamp(box.clock.now()), "orders": len(box.shop), "calls": dict(calls)}
        return JSONResponse(answer)

    async def faults(request: Request) -> Response:
        """`{"clear": true}`, or the fields of a Fault; `nth` may be a list."""
        asked = await _asked(request)
        if asked.pop("clear", False):
            box.faults.clear()
        if asked:
            if isinstance(asked.get("nth"), list):
                asked["nth"] = tuple(asked["nth"])
            box.faults.add(Fault(**asked))
        return JSONResponse({"done": True})

    async def mutate(request: Request) -> Response:
        asked = await _asked(request)
        match asked.get("op"):
            case "create":
                return JSONResponse(box.shop.create(asked["order"]))
            case "update":
                return JSONResponse(box.shop.update(asked["id"], asked["order"]))
            case "raw":
                return JSONResponse(box.shop.put_raw(asked["order"]))
            case "rollback":
                with_order = asked.get("with_order", True)
                return JSONResponse(box.shop.rollback(asked["id"], with_order))
            case "erase":
                return JSONResponse({"orders": box.shop.erase_customer(asked["customer_id"])})
            case "import":
                imported = [box.shop.imported(order) for order in asked["orders"]]
                return JSONResponse({"orders": len(imported)})
            case "moves":
                return JSONResponse(dict(box.moves.some(asked.get("count", 1))))
            case other:
                return JSONResponse({"error": f"unknown op {other!r}"}, 400)

    routes = [
        Route("/_sandbox/clock", clock, methods=["POST"]),
        Route("/_sandbox/day", day, methods=["POST"]),
        Route("/_sandbox/truth", truth),
        Route("/_sandbox/state", state),
        Route("/_sandbox/faults", faults, methods=["POST"]),
        Route("/_sandbox/mutate", mutate, methods=["POST"]),
    ]
    handlers: Any = {ApiError: _failed, KeyError: _failed, TypeError: _failed, ValueError: _failed}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _asked(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(await request.body() or b"{}")
    return asked


async def _failed(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, ApiError) else 400
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status)
