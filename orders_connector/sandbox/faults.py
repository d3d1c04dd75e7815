"""Trouble on order: what goes wrong, at which requests, how often."""

import json
import random
import threading
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Dialect", "Fault", "Faults"]

Kind = Literal[
    "status",
    "html",
    "reset_before",
    "reset_after",
    "truncated_body",
    "cut_json",
    "malformed_json",
    "wrong_content_type",
    "slow",
    "broken_order",
]
Broken = Literal["syntax", "string", "null", "number", "no_id", "id_number", "amount_text", "dates"]

_HTML = b"<!doctype html><html><body><h1>Something went wrong</h1></body></html>"


@dataclass(frozen=True)
class Dialect:
    """How an API writes what faults imitate or spoil.

    Attributes:
        error: headers and body of a JSON error, from its status and the request's id.
        list_key: key of a page's list of orders.
        one_key: key of the order in the answer to a get; None when it is the answer itself.
        id_key: key of an order's id.
        syntax_key: key of an order behind which a syntax error is put.
        amount_text: keys of an order with a text in place of an amount.
        dates: keys of an order with dates that are none.
    """

    error: Callable[[int, str], tuple[dict[str, str], bytes]]
    list_key: str
    one_key: str | None
    id_key: str
    syntax_key: str
    amount_text: dict[str, Any]
    dates: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """One rule: what goes wrong, and at which requests.

    Attributes:
        kind: `status` answers `status` without doing anything; `html` answers a web page with
            `status`; `reset_before` cuts the connection before the request is handled and
            `reset_after` when it was handled and the answer is lost; `truncated_body` promises
            the whole body and sends half; `cut_json` sends half a body of honest length;
            `malformed_json` puts a syntax error into the whole body; `wrong_content_type` calls
            the body `text/html`; `slow` waits `delay_seconds` of real time and then answers
            rightly; `broken_order` spoils one order of a page or the order of a get.
        path: text that the path has to contain.
        method: GET, POST, ...; any when None.
        host: `api`, `download` or `storage`; any when None.
        nth: just these matching requests, counted from 1.
        every: every k-th matching request.
        probability: the chance at each matching request, from a stream with `seed`.
        times: how often it may strike at all.
        status: for `status` and `html`.
        retry_after: seconds in `Retry-After`, for `status`.
        delay_seconds: for `slow`.
        order_index: which order of a page `broken_order` spoils.
        broken: how: a syntax error inside its JSON, a string, null or number in its place, no id,
            a number as id, a text as amount, or dates that are none.
    """

    kind: Kind
    path: str = ""
    method: str | None = None
    host: Literal["api", "download", "storage"] | None = None
    nth: int | tuple[int, ...] | None = None
    every: int | None = None
    probability: float = 1.0
    seed: int = 0
    times: int | None = None
    status: int = 500
    retry_after: int | None = None
    delay_seconds: float = 0.0
    order_index: int = 0
    broken: Broken = "syntax"

    def __post_init__(self) -> None:
        for value, known in ((self.kind, Kind), (self.broken, Broken)):
            if value not in typing.get_args(known):
                raise ValueError(f"fault: {value!r} is not one of {typing.get_args(known)}")

    @property
    def instead(self) -> bool:
        """Whether the request is not handled at all."""
        return self.kind in ("status", "html", "reset_before")

    def answer(self, request_id: str, dialect: Dialect) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body that stand in for the real answer."""
        if self.kind == "html":
            return self.status, {"content-type": "text/html; charset=utf-8"}, _HTML
        own, body = dialect.error(self.status, request_id)
        headers = {"content-type": "application/json"} | own
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return self.status, headers, body

    def deform(self, body: bytes, dialect: Dialect) -> bytes:
        """Return the spoilt form of the real answer's body."""
        if self.kind == "cut_json":
            return body[: len(body) // 2]
        if self.kind == "malformed_json":
            return body.replace(b":", b"=", 1) if b":" in body else b"{"
        if self.kind == "broken_order":
            return self._break_order(body, dialect)
        return body

    def _break_order(self, body: bytes, dialect: Dialect) -> bytes:
        answer = json.loads(body)
        mark = "\x00here\x00"
        orders = answer.get(dialect.list_key)
        if orders:
            place = self.order_index % len(orders)
            spoilt = self._spoilt(orders[place], dialect)
            orders[place] = mark
        elif orders is not None:
            return body
        elif dialect.one_key is None:
            return self._spoilt(answer, dialect)
        elif dialect.one_key in answer:
            spoilt = self._spoilt(answer[dialect.one_key], dialect)
            answer[dialect.one_key] = mark
        else:
            return body
        return json.dumps(answer).encode().replace(json.dumps(mark).encode(), spoilt)

    def _spoilt(self, order: dict[str, Any], dialect: Dialect) -> bytes:
        if self.broken == "syntax":
            key = json.dumps(dialect.syntax_key).encode()
            return json.dumps(order).encode().replace(key + b":", key, 1)
        replaced: dict[str, Any] = {"string": "oops", "null": None, "number": 42}
        if self.broken in replaced:
            return json.dumps(replaced[self.broken]).encode()
        changed: dict[str, dict[str, Any]] = {
            "no_id": {},
            "id_number": {dialect.id_key: 12345},
            "amount_text": dialect.amount_text,
            "dates": dialect.dates,
        }
        if self.broken == "no_id":
            order = {key: value for key, value in order.items() if key != dialect.id_key}
        return json.dumps(order | changed[self.broken]).encode()


class Faults:
    """The rules in force; the first one that matches a request strikes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, *faults: Fault) -> None:
        """Put rules in force, after those already there."""
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        """Lift all rules."""
        with self._lock:
            self._rules.clear()

    def pick(self, host: str, method: str, path: str) -> Fault | None:
        """Return the fault that strikes this request; every rule counts it."""
        with self._lock:
            matching = [rule for rule in self._rules if rule.matches(host, method, path)]
            return next((rule.fault for rule in matching if rule.strikes()), None)


class _Rule:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0
        self._struck = 0
        self._rng = random.Random(f"fault-{fault.seed}")

    def matches(self, host: str, method: str, path: str) -> bool:
        fault = self.fault
        if fault.path not in path or fault.host not in (None, host):
            return False
        if fault.method not in (None, method):
            return False
        self._seen += 1
        return True

    def strikes(self) -> bool:
        fault = self.fault
        nth = (fault.nth,) if isinstance(fault.nth, int) else fault.nth
        strikes = (
            (nth is None or self._seen in nth)
            and (fault.every is None or self._seen % fault.every == 0)
            and (fault.times is None or self._struck < fault.times)
            and self._rng.random() < fault.probability
        )
        self._struck += strikes
        return strikes
