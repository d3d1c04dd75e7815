"""Control from another process, under `/_sandbox/` on the API port; no part of the API."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders_connector.sandbox.clock import Clock, stamp
from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.faults import Fault, Faults
from orders_connector.sandbox.gate import Call

__all__ = ["Controlled", "control_app"]


class _Shop(Protocol):
    def __len__(self) -> int: ...

    def bodies(self) -> list[bytes]: ...


class _Moves(Protocol):
    weights: dict[str, int]

    def day(self) -> Counter[str]: ...

    def make(self, kind: str) -> int: ...


class Controlled(Protocol):
    """What control needs of a sandbox."""

    clock: Clock
    faults: Faults

    @property
    def shop(self) -> _Shop:
        """The state: its size, and every order as encoded JSON, sorted by id."""

    @property
    def moves(self) -> _Moves:
        """Lets days pass, and single things happen."""

    @property
    def calls(self) -> list[Call]:
        """Requests to the API host."""


def control_app(box: Controlled, mutate: Callable[[dict[str, Any]], object]) -> Starlette:
    """Build the control routes of a sandbox. They need no keys and count for no limit.

    Args:
        box: the sandbox.
        mutate: does what `POST /_sandbox/mutate` asks (its `op` and further keys) and returns the
            answer; raises ValueError or KeyError for what it does not understand.
    """

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

    async def move(request: Request) -> Response:
        kind = (await _asked(request))["kind"]
        if kind not in box.moves.weights:
            raise ValueError(f"unknown kind {kind!r}; known: {', '.join(box.moves.weights)}")
        return JSONResponse({"orders": box.moves.make(kind)})

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

    async def mutation(request: Request) -> Response:
        return JSONResponse(mutate(await _asked(request)))

    routes = [
        Route("/_sandbox/clock", clock, methods=["POST"]),
        Route("/_sandbox/day", day, methods=["POST"]),
        Route("/_sandbox/move", move, methods=["POST"]),
        Route("/_sandbox/truth", truth),
        Route("/_sandbox/state", state),
        Route("/_sandbox/faults", faults, methods=["POST"]),
        Route("/_sandbox/mutate", mutation, methods=["POST"]),
    ]
    handlers: Any = {Refusal: _failed, KeyError: _failed, TypeError: _failed, ValueError: _failed}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _asked(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(await request.body() or b"{}")
    return asked


async def _failed(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refusal) else 400
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status)
