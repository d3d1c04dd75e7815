"""Asks an account what UltraCart's documentation leaves open, within a few requests, reads only.

A question that fails is answered `unknown` and the others go on; one that the orders seen cannot
decide is answered `not seen`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orders_connector.answers import Answer
from orders_connector.errors import (
    CallBudgetExhausted,
    NotFound,
    OrdersConnectorError,
    RequestRejected,
)
from orders_connector.sources.source import NOT_SEEN, UNKNOWN, ProbeAnswer
from orders_connector.sources.ultracart.client import MAX_LIMIT, UltraCartClient
from orders_connector.sources.ultracart.endpoints import DEFAULT_LIMIT
from orders_connector.sources.ultracart.reading import EARLIEST

__all__ = ["CAPABILITIES", "MOST_CALLS", "probe"]

# Page sizes 2, histories 1, limit alone 1, bounds 2, batch 1, missing order 1; repetitions on top.
MOST_CALLS = 12
CAPABILITIES = (
    "page_limit",
    "total_records",
    "more",
    "stage_histories",
    "limit_alone",
    "date_begin",
    "date_end",
    "unknown_batch_ids",
    "missing_order",
    "retry_after",
)
# Of no order: ids have the merchant's id before the dash.
NO_ORDER = "NONE-0000000000"
SECOND = timedelta(seconds=1)


async def probe(client: UltraCartClient, folder: Path) -> list[ProbeAnswer]:
    """Ask an account about each of `CAPABILITIES`.

    Args:
        client: The account.
        folder: Not used; no probe needs a file.

    Returns:
        One answer for each capability, in their order.
    """
    return await _Probing(client).answers()


class _Probing:
    def __init__(self, client: UltraCartClient) -> None:
        self._client = client
        self._calls_before = client.transport.calls
        self._found: dict[str, ProbeAnswer] = {}
        self._order: dict[str, Any] | None = None  # the newest one seen

    async def answers(self) -> list[ProbeAnswer]:
        steps: list[tuple[Callable[[], Awaitable[None]], tuple[str, ...]]] = [
            (self._page, ("page_limit", "total_records", "more")),
            (self._histories, ("stage_histories",)),
            (self._limit_alone, ("limit_alone",)),
            (self._bounds, ("date_begin", "date_end")),
            (self._batch, ("unknown_batch_ids",)),
            (self._missing, ("missing_order",)),
        ]
        # To see whether a refusal for too many calls says how long, one would have to provoke it.
        self._note("retry_after", NOT_SEEN, "no request was refused for too many calls")
        for step, capabilities in steps:
            try:
                await step()
            except (OrdersConnectorError, ValueError) as error:
                for capability in capabilities:
                    if capability not in self._found:
                        self._note(capability, UNKNOWN, str(error))
        return [self._found[capability] for capability in CAPABILITIES]

    def _note(self, capability: str, answer: str, evidence: str) -> None:
        self._found[capability] = ProbeAnswer(capability, answer, evidence)

    def _admit(self) -> None:
        used = self._client.transport.calls - self._calls_before
        if used >= MOST_CALLS:
            raise CallBudgetExhausted(
                f"the {MOST_CALLS} requests that the probes may make are used. Probe again at a "
                "quieter time.",
                account=self._client.transport.account,
                budget=MOST_CALLS,
            )

    async def _query(self, limit: int | None = DEFAULT_LIMIT, **filters: Any) -> Answer:  # noqa: ANN401
        self._admit()
        query: Any = filters | {"query_target": "origin"}
        answer = await self._client.query_orders(query, limit=limit, sort=["-creation_dts"])
        return answer.answer

    async def _page(self) -> None:
        evidence = f"the newest orders with _limit={MAX_LIMIT}"
        try:
            body = _object(await self._query(MAX_LIMIT, creation_date_begin=EARLIEST))
            asked = MAX_LIMIT
        except RequestRejected as error:
            body = _object(await self._query(DEFAULT_LIMIT, creation_date_begin=EARLIEST))
            asked, evidence = DEFAULT_LIMIT, f"{evidence} were refused ({error})"
        orders, told = _orders(body), _result_set(body)
        self._order = next((one for one in orders if _time(one) and _id(one)), None)
        total, more = told.get("total_records"), told.get("more")
        self._note("total_records", "sent" if isinstance(total, int) else "not sent", evidence)
        follows = more is True or (isinstance(total, int) and total > len(orders))
        self._note("page_limit", str(asked), f"{evidence}; {len(orders)} came")
        if more is not None:
            self._note("more", "sent", evidence)
        elif follows:
            self._note("more", "not sent", f"{evidence}; more follow")
        else:
            self._note("more", NOT_SEEN, "one page holds all orders")

    async def _histories(self) -> None:
        order = self._order
        if order is None:
            self._note("stage_histories", NOT_SEEN, "there is no order")
            return
        self._admit()
        answer = await self._client.get_order(_id(order), expand=["current_stage_histories"])
        found = _object(answer.answer).get("order")
        sent = isinstance(found, dict) and "current_stage_histories" in found
        evidence = "the newest order with _expand=current_stage_histories"
        self._note("stage_histories", "sent" if sent else "not sent", evidence)

    async def _limit_alone(self) -> None:
        self._admit()
        evidence = "a list with _limit=1 and no filter"
        try:
            await self._client.list_orders_unfiltered()
        except RequestRejected as error:
            self._note("limit_alone", "rejected", f"{evidence}: {error}")
        else:
            self._note("limit_alone", "accepted", evidence)

    async def _bounds(self) -> None:
        order = self._order
        created = _time(order) if order else None
        if order is None or created is None:
            for capability in ("date_begin", "date_end"):
                self._note(capability, NOT_SEEN, "there is no order with a time of creation")
            return
        for capability, begin, end in (
            ("date_begin", created, created + SECOND),
            ("date_end", created - SECOND, created),
        ):
            answer = await self._query(
                order_id=_id(order), creation_date_begin=begin, creation_date_end=end
            )
            there = any(_id(one) == _id(order) for one in _orders(_object(answer)))
            evidence = "an order asked for by a bound of its own second of creation"
            self._note(capability, "inclusive" if there else "exclusive", evidence)

    async def _batch(self) -> None:
        order = self._order
        if order is None:
            self._note("unknown_batch_ids", NOT_SEEN, "there is no order")
            return
        self._admit()
        evidence = f"a batch of an order and of {NO_ORDER}"
        try:
            answer = await self._client.get_orders_batch(
                [_id(order), NO_ORDER], query_target="origin"
            )
        except RequestRejected as error:
            self._note("unknown_batch_ids", "rejected", f"{evidence}: {error}")
            return
        there = [_id(one) for one in _orders(_object(answer.answer))]
        left_out = there == [_id(order)]
        self._note("unknown_batch_ids", "left_out" if left_out else UNKNOWN, evidence)

    async def _missing(self) -> None:
        self._admit()
        try:
            await self._client.get_order(NO_ORDER)
        except NotFound as error:
            answer = "no_order" if error.status == 200 and not error.details else str(error.status)
            self._note("missing_order", answer, f"GET of {NO_ORDER}: {error}")
        else:
            self._note("missing_order", UNKNOWN, f"{NO_ORDER} is there")


def _object(answer: Answer) -> dict[str, Any]:
    body = json.loads(answer.content)
    return body if isinstance(body, dict) else {}


def _orders(body: dict[str, Any]) -> list[dict[str, Any]]:
    orders = body.get("orders")
    return [one for one in orders if isinstance(one, dict)] if isinstance(orders, list) else []


def _result_set(body: dict[str, Any]) -> dict[str, Any]:
    metadata = body.get("metadata")
    told = metadata.get("result_set") if isinstance(metadata, dict) else None
    return told if isinstance(told, dict) else {}


def _id(order: dict[str, Any]) -> str:
    return str(order.get("order_id") or "")


def _time(order: dict[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(order.get("creation_dts")))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
