"""Asks for orders by id: many at once, and one by one where it matters whether they are there."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from orders_connector.errors import (
    CallBudgetExhausted,
    NotFound,
    RequestRejected,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.sources.base import Answered, PageSink
from orders_connector.sources.ultracart.client import MAX_BATCH
from orders_connector.sources.ultracart.page_fetching import PageFetcher

__all__ = ["AskedFor", "ask_batches", "confirm_missing"]

logger = logging.getLogger(__name__)

# A source that refuses a batch for one missing id is asked for halves; this many times in a run.
MOST_SPLITS = 200


@dataclass
class AskedFor:
    """What came of orders that were asked for by id.

    Attributes:
        came: Ids of orders that came.
        missing: Ids of orders that did not come in a batch that was answered.
        refused: Ids that were in a batch which the source refused, and not asked for alone.
        splits: Batches that were refused.
    """

    came: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    splits: int = 0


async def ask_batches(
    fetcher: PageFetcher, ids: Sequence[str], pages: PageSink, told: AskedFor
) -> None:
    """Ask for orders, 500 in one call.

    Args:
        fetcher: Asks.
        ids: Orders to ask for.
        pages: Where they go.
        told: Filled with what came.

    Raises:
        SourceError: the source refused or failed.
        CallBudgetExhausted: the run may make no more calls.
    """
    for start in range(0, len(ids), MAX_BATCH):
        waiting = [list(ids[start : start + MAX_BATCH])]
        while waiting:
            some = waiting.pop()
            try:
                rows = await fetcher.batch(some, pages)
            except RequestRejected as error:
                told.splits += 1
                if len(some) == 1:
                    told.missing += some
                elif told.splits > MOST_SPLITS:
                    logger.warning("%s orders cannot be asked for: %s", len(some), error)
                    told.refused += some
                else:
                    half = len(some) // 2
                    waiting += [some[half:], some[:half]]
            else:
                there = {one for one in rows.ids if one is not None}
                told.came |= there
                told.missing += [one for one in some if one not in there]


async def confirm_missing(
    fetcher: PageFetcher, ids: Sequence[str], pages: PageSink, told: Answered
) -> int:
    """Ask for each of the orders that did not come in a batch, by itself.

    Args:
        fetcher: Asks.
        ids: Orders to ask for; one call each.
        pages: Where those go that are there after all.
        told: Filled with what the source says.

    Returns:
        Orders that are there after all.
    """
    there = 0
    for order_id in ids:
        try:
            await fetcher.one(order_id, pages)
            there += 1
        except NotFound as error:
            answer = {"status": error.status, "key": error.key, "request_id": error.request_id}
            told.gone.append((order_id, json.dumps(answer)))
        except (UnreadableAnswer, RequestRejected, ValueError) as error:
            logger.warning("order %s cannot be asked for: %s", order_id, error)
            told.unreadable[order_id] = type(error).__name__
        except (SourceError, CallBudgetExhausted) as error:
            told.stopped = error
            break
    return there
