"""Fetches single orders in full, and lands what came with what is gone."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orders_connector.account_load import AccountLoad, Commit, Strategy
from orders_connector.errors import (
    CallBudgetExhausted,
    NotFound,
    RequestRejected,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.landing.raw_log import Landed, land, land_gone
from orders_connector.landing.spool import Spool
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.voucherify.extraction import CONTRACT

__all__ = ["ORDERS_PER_COMMIT", "Fetched", "fetch_orders", "land_fetched"]

logger = logging.getLogger(__name__)

AT_ONCE = 8  # requests; the source's limits hold back what is too many
ORDERS_PER_COMMIT = 500


@dataclass
class Fetched:
    """What the source said of some orders.

    Attributes:
        there: Ids whose orders came.
        gone: Ids that are not there any more, with the answer as JSON.
        unreadable: Ids whose answer cannot be used, with the name of the error.
        stopped: What ended it before its time; the other ids were not asked for.
    """

    there: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    stopped: Exception | None = None


async def fetch_orders(
    load: AccountLoad, ids: list[str], spool: Spool, *, told: Callable[[Fetched], None]
) -> Fetched:
    """Ask for orders by id, some at a time, and spool those that come.

    Args:
        load: The account's load.
        ids: Order ids of the source.
        spool: Gets a page for each order.
        told: Called after every few orders.

    Returns:
        What was said; a source that fails or a budget that ends is told there, not raised.
    """
    fetched = Fetched()
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        answers = await asyncio.gather(
            *(_get(load, order_id) for order_id in some), return_exceptions=True
        )
        for order_id, answer in zip(some, answers, strict=True):
            if isinstance(answer, bytes):
                spool.add(b'{"orders":[' + answer + b"]}", "get")
                fetched.there.append(order_id)
            elif isinstance(answer, NotFound):
                fetched.gone.append((order_id, _as_json(answer)))
            elif isinstance(answer, UnreadableAnswer | RequestRejected | ValueError):
                logger.warning("order %s cannot be fetched: %s", order_id, answer)
                fetched.unreadable[order_id] = type(answer).__name__
            elif isinstance(answer, SourceError | CallBudgetExhausted):
                fetched.stopped = fetched.stopped or answer
            else:
                raise answer
        told(fetched)
        if fetched.stopped:
            break
    return fetched


def land_fetched(
    load: AccountLoad,
    strategy: Strategy,
    spool: Spool,
    gone: list[tuple[str, str]],
    evidence: dict[str, object],
) -> int:
    """Land spooled pages and the orders that are gone, in one transaction.

    Returns:
        Orders that are gone and were there before.
    """
    now = datetime.now(UTC)
    reading = Reading(Window(now, now))
    reading.exports.append(evidence)
    vanished = 0

    def work(commit: Commit) -> Landed:
        nonlocal vanished
        landed = land(commit.con, spool.batches, contract=CONTRACT, **commit.origin)
        vanished = land_gone(commit.con, gone, **commit.origin)
        return landed

    load.commit(
        strategy,
        reading,
        work,
        started_at=now,
        status=lambda: "complete",
        gone=lambda: vanished,
        memory_limit=spool.landing_memory,
    )
    return vanished


async def _get(load: AccountLoad, order_id: str) -> bytes:
    answer = await load.client.get_order(order_id)
    if answer.model.id != order_id:  # orders are found by the shop's own ids as well
        raise answer.answer.unreadable(f"the order {order_id} was asked for, another one came")
    content: bytes = answer.content
    return content


def _as_json(answer: NotFound) -> str:
    told = {"status": answer.status, "key": answer.key, "request_id": answer.request_id}
    return json.dumps(told)
