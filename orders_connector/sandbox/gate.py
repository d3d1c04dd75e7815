"""What every request passes: log, hook, faults, access, limits, the date of the sandbox."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, cast

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.faults import Dialect, Fault, Faults

__all__ = ["Call", "Gate"]


@dataclass
class Call:
    """One request that the sandbox was sent.

    Attributes:
        method: HTTP method.
        path: decoded, without the query.
        query: raw query string.
        status: of the answer; 0 while there is none, and when the connection was cut before.
    """

    method: str
    path: str
    query: str
    status: int = 0


class Gate:
    """Stands before one host's routes (pure ASGI).

    Args:
        app: the routes.
        host: `api`, `download` or `storage`, as faults name them.
        clock: dates the answers.
        faults: the rules in force.
        dialect: how this API writes what faults imitate.
        prefix: of the ids of requests.
        admit: called with the scope before the routes; raises Refusal to refuse.
        turn: entered with the scope before `admit` and left when the answer is sent, slow ones
            included; raises Refusal to refuse.
        headers: further headers of every answer, from the request's id.
        control: answers paths under `/_sandbox/`, past everything else.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        clock: Clock,
        faults: Faults,
        dialect: Dialect,
        prefix: str = "",
        admit: Callable[[Scope], None] = lambda scope: None,
        turn: Callable[[Scope], AbstractContextManager[object]] = nullcontext,
        headers: Callable[[str], dict[str, str]] = lambda request_id: {},
        control: ASGIApp | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.on_request: Callable[[Call], object] | None = None
        self._numbers = itertools.count(1)
        self._app = app
        self._host = host
        self._clock = clock
        self._faults = faults
        self._dialect = dialect
        self._prefix = prefix
        self._admit = admit
        self._turn = turn
        self._headers = headers
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        path: str = scope["path"]
        if self._control is not None and path.startswith("/_sandbox/"):
            await self._control(scope, receive, send)
            return
        call = Call(scope["method"], path, scope["query_string"].decode("latin-1"))
        self.calls.append(call)
        scope["request_id"] = request_id = f"{self._prefix}{next(self._numbers):018x}"
        if self.on_request is not None:
            self.on_request(call)
        fault = self._faults.pick(self._host, call.method, path)
        dated = self._dated(send, call, request_id)
        if fault is not None and fault.kind == "reset_before":
            await _reset(receive, send)
            return
        if fault is not None and fault.instead:
            status, headers, body = fault.answer(request_id, self._dialect)
            await Response(body, status, headers)(scope, receive, dated)
            return
        try:
            with self._turn(scope):
                if fault is None:
                    await self._serve(scope, receive, dated)
                else:
                    await self._spoil(fault, call, scope, receive, send)
        except Refusal as refusal:
            await refusal.response(request_id)(scope, receive, dated)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(scope)
        except Refusal as refusal:
            await refusal.response(scope["request_id"])(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _spoil(
        self, fault: Fault, call: Call, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Handle the request, then let the answer suffer."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_seconds)
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(dict(message))

        await self._serve(scope, receive, self._dated(keep, call, scope["request_id"]))
        start = messages[0]
        body = b"".join(message.get("body", b"") for message in messages[1:])
        if fault.kind == "reset_after":
            await _reset(receive, send)
            return
        if start["status"] == 200:
            body = fault.deform(body, self._dialect)
        headers = MutableHeaders(raw=start["headers"])
        headers["content-length"] = str(len(body))
        if fault.kind == "wrong_content_type":
            headers["content-type"] = "text/html; charset=utf-8"
        start["headers"] = headers.raw
        await send(start)
        if fault.kind == "truncated_body":
            half = body[: len(body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            _transport(send).close()
            await _gone(receive)
            return
        await send({"type": "http.response.body", "body": body})

    def _dated(self, send: Send, call: Call, request_id: str) -> Send:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                headers = MutableHeaders(raw=list(message["headers"]))
                headers["date"] = format_datetime(self._clock.now(), usegmt=True)
                for name, value in self._headers(request_id).items():
                    headers.setdefault(name, value)
                message["headers"] = headers.raw
            await send(message)

        return send_dated


def _transport(send: Send) -> asyncio.Transport:
    # ASGI has no way to cut a connection; uvicorn's `send` is a method of the object that has it.
    return cast(asyncio.Transport, cast(Any, send).__self__.transport)


async def _reset(receive: Receive, send: Send) -> None:
    _transport(send).abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the server knows that the connection is closed, so that it stays quiet."""
    while (await receive())["type"] != "http.disconnect":
        pass
