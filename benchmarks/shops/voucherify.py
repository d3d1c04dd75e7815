"""Voucherify as the benchmarks use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import ceil
from random import Random
from typing import Any

from benchmarks.shop import CHUNK, NOW, Peer, Shop, encoded
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox, serve
from orders_connector.sandbox.voucherify.history import history
from orders_connector.sandbox.voucherify.orders import OrderMaker
from orders_connector.sources.voucherify.extraction import CONTRACT

PAGE = 100


def _rows(orders: int) -> Iterator[tuple[str, bytes]]:
    for first in range(0, orders, CHUNK):
        maker = OrderMaker(seed=first)
        for order in history(maker, min(CHUNK, orders - first), NOW, days=730):
            yield "list", encoded(order)


def _keys(box: VoucherifySandbox) -> dict[str, str]:
    return {
        "SANDBOX_APP_ID": box.app_id,
        "SANDBOX_APP_TOKEN": box.app_token,
        "SANDBOX_DOWNLOAD_HOST": box.download_url.removeprefix("http://"),
    }


def _settings() -> dict[str, Any]:
    return {
        "app_id_env": "SANDBOX_APP_ID",
        "app_token_env": "SANDBOX_APP_TOKEN",
        "download_hosts": list(filter(None, [os.environ.get("SANDBOX_DOWNLOAD_HOST")])),
        "currency": "EUR",
        "business_date_path": "$.metadata.ordered_at",
        "currency_path": "$.metadata.currency",
    }


def _create(box: VoucherifySandbox) -> int:
    return box.moves.make("create")


def _changeable(box: VoucherifySandbox) -> list[str]:
    return [order["id"] for order in box.shop.truth()]


def _change(box: VoucherifySandbox, order_id: str, random: Random) -> None:
    box.shop.update(order_id, {"metadata": {"ticket": random.random()}})


def _bound(versions: int, _: tuple[int, int]) -> int:
    return 2 * ceil(versions / PAGE) + 4


VOUCHERIFY = Shop(
    source="voucherify",
    sandbox=VoucherifySandbox,
    serve=serve,
    switches=Switches.parse,
    keys=_keys,
    settings=_settings,
    contracts={"list": CONTRACT},
    page_size=PAGE,
    rows=_rows,
    many=100_000,
    peers=(
        Peer(
            "orders as they come",
            "voucherify_as_sent",
            "select id from '{folder}/files/shop/orders/*.parquet' order by id",
            target=12,
        ),
        Peer(
            "`redemptions` made a list by hand",
            "voucherify_by_hand",
            "select id from shop.orders order by id",
        ),
    ),
    create=_create,
    change=_change,
    changeable=_changeable,
    bound=_bound,
)
