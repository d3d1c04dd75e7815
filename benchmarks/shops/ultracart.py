"""UltraCart as the benchmarks use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from random import Random
from typing import Any

from benchmarks.shop import CHUNK, NOW, Order, Peer, Shop, encoded
from orders_connector.sandbox.ultracart import Switches, UltraCartSandbox, serve
from orders_connector.sandbox.ultracart.expansions import projected
from orders_connector.sandbox.ultracart.history import history
from orders_connector.sandbox.ultracart.life import ENDS, advance, is_paid
from orders_connector.sandbox.ultracart.orders import OrderMaker
from orders_connector.sandbox.ultracart.refunds import full_refund, is_refunded
from orders_connector.sources.ultracart.account import UltraCartAccount
from orders_connector.sources.ultracart.client import MAX_BATCH, MAX_LIMIT
from orders_connector.sources.ultracart.expansions import LANDED
from orders_connector.sources.ultracart.reading import CONTRACT
from orders_connector.sources.ultracart.secrets import redacted

# A page begins with a row or two of the one before.
FRESH = MAX_LIMIT - 2
QUIET = 6  # requests of a night without changes or rereads: a count, four queries, and one to spare
REREAD = timedelta(days=UltraCartAccount.model_fields["reread_days"].default)


def _rows(orders: int) -> Iterator[tuple[str, bytes]]:
    maker = OrderMaker(seed=7)
    for first in range(0, orders, CHUNK):
        for order in history(maker, min(CHUNK, orders - first), NOW, days=730):
            yield "list", encoded(_sent(order))


def _sent(order: Order) -> Order:
    return projected(order, ",".join(LANDED), Switches())


def _landed(order: Order) -> Order:
    clean: Order = json.loads(redacted(encoded(_sent(order))))
    return clean


def _keys(box: UltraCartSandbox) -> dict[str, str]:
    return {"ULTRACART_SIMPLE_KEY": box.simple_key}


def _settings() -> dict[str, Any]:
    return {"currency": "USD"}


def _create(box: UltraCartSandbox) -> int:
    return box.moves.make("create")


def _changeable(box: UltraCartSandbox) -> list[str]:
    """Return open orders, and paid ones that can be refunded: what leaves a trace for a load."""
    return [
        order["order_id"]
        for order in box.shop.truth()
        if order["current_stage"] not in ENDS or (is_paid(order) and not is_refunded(order))
    ]


def _change(box: UltraCartSandbox, order_id: str, random: Random) -> None:
    order = box.shop.get(order_id)
    if order["current_stage"] in ENDS:
        box.shop.refund(order_id, full_refund(order, "CustomerReturn"))
    else:
        now = box.clock.now()
        box.shop.change(order_id, lambda order: advance(order, now, random))


def _asked_again(box: UltraCartSandbox) -> tuple[int, int]:
    since = (box.clock.now() - REREAD).isoformat()
    orders = box.shop.truth()
    recent = sum(order["creation_dts"] >= since for order in orders)
    return recent, sum(order["current_stage"] not in ENDS for order in orders)


def _bound(versions: int, again: tuple[int, int]) -> int:
    recent, unsettled = again
    rereads = ceil(recent / FRESH) + ceil(unsettled / MAX_BATCH)
    return QUIET + ceil(versions / FRESH) + rereads


ULTRACART = Shop(
    source="ultracart",
    sandbox=UltraCartSandbox,
    serve=serve,
    switches=Switches.parse,
    keys=_keys,
    settings=_settings,
    contracts={"list": CONTRACT},
    page_size=MAX_LIMIT,
    rows=_rows,
    many=40_000,
    peers=(
        Peer("its defaults", "ultracart", "select order_id from shop.orders order by order_id"),
    ),
    create=_create,
    change=_change,
    changeable=_changeable,
    bound=_bound,
    asked_again=_asked_again,
    redacted=redacted,
    landed=_landed,
)
