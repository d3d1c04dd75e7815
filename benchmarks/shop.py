"""The sandbox as the source of all orders: made in memory, or served by another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from tempfile import TemporaryFile
from typing import Any

import httpx

from benchmarks.harness import must_equal
from orders_connector.config import Settings
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox, serve
from orders_connector.sandbox.voucherify.history import history
from orders_connector.sandbox.voucherify.orders import OrderMaker
from orders_connector.warehouse.configured import warehouse_connection

NOW = datetime(2026, 8, 1, tzinfo=UTC)
CHUNK = 10_000


def order_bodies(count: int) -> Iterator[bytes]:
    """Make orders as the sandbox would send them, never holding more than a few."""
    for first in range(0, count, CHUNK):
        maker = OrderMaker(seed=first)
        for order in history(maker, min(CHUNK, count - first), NOW, days=730):
            yield json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()


def page_bodies(count: int, size: int = 100) -> Iterator[bytes]:
    """Make answers of the listing that hold `count` orders."""
    page: list[bytes] = []
    for order in order_bodies(count):
        page.append(order)
        if len(page) == size:
            yield _page(page)
            page = []
    if page:
        yield _page(page)


def _page(orders: list[bytes]) -> bytes:
    return b'{"object":"list","data_ref":"orders","orders":[' + b",".join(orders) + b"]}"


@contextmanager
def served(orders: int, *switches: str) -> Iterator[str]:
    """Serve a shop from another process; yields its address. Its keys go to the environment.

    Args:
        orders: How many it has.
        switches: How it answers open questions, each as `name=value`.
    """
    command = [sys.executable, "-m", "benchmarks.shop", str(orders), *switches]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            shop = json.loads(server.stdout.readline())
            set_keys(shop["app_id"], shop["app_token"], shop["download_url"])
            yield shop["base_url"]
        finally:
            server.terminate()


def set_keys(app_id: str, app_token: str, download_url: str) -> None:
    """Put keys and the download host where `jobs.settings_for` and child processes find them."""
    os.environ |= {
        "SANDBOX_APP_ID": app_id,
        "SANDBOX_APP_TOKEN": app_token,
        "SANDBOX_DOWNLOAD_HOST": download_url.removeprefix("http://"),
    }


def orders_of(base_url: str) -> Iterator[dict[str, Any]]:
    """Yield every order of a served shop, sorted by id; they wait on disk, not in memory."""
    with TemporaryFile() as file:
        with httpx.stream("GET", f"{base_url}/_sandbox/truth", timeout=600) as answer:
            file.writelines(answer.iter_bytes())
        file.seek(0)
        yield from map(json.loads, file)


def calls_of(base_url: str) -> int:
    """Return how many requests the API host of a served shop was sent."""
    state = httpx.get(f"{base_url}/_sandbox/state", timeout=60).json()
    return sum(state["calls"].values())


def must_be_complete(settings: Settings, truth: Iterable[dict[str, Any]]) -> None:
    """Compare the newest version of every order in the warehouse with the shop, key by key.

    Args:
        settings: Where the warehouse is.
        truth: Every order of the shop, sorted by id.

    Raises:
        AssertionError: an order is missing, is stale or never existed.
    """
    with warehouse_connection(settings, read_only=True) as con:
        con.execute(
            "select payload::varchar from raw.order_payloads qualify row_number()"
            " over (partition by order_id order by version_at desc, version_id desc) = 1"
            " order by order_id"
        )
        kept = (json.loads(row[0]) for row in iter(con.fetchone, None))
        for found, expected in zip_longest(kept, truth):
            must_equal("the next order by id", found, expected)


def _announce(box: VoucherifySandbox) -> None:
    shop = {
        "base_url": box.base_url,
        "download_url": box.download_url,
        "app_id": box.app_id,
        "app_token": box.app_token,
    }
    print(json.dumps(shop), flush=True)


if __name__ == "__main__":
    serve(
        _announce,
        orders=int(sys.argv[1]),
        switches=Switches.parse(sys.argv[2:]),
        now=NOW,
        clock_speed=0,
    )
