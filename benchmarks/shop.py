"""The sandbox as the source of all orders: made in memory, or served by another process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

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


def truth_of(base_url: str) -> dict[str, object]:
    """Return every order of a served shop by its id."""
    lines = httpx.get(f"{base_url}/_sandbox/truth", timeout=60).text.split("\n")
    orders = [json.loads(line) for line in lines if line]
    return {order["id"]: order for order in orders}


def facts_of(base_url: str) -> dict[str, tuple[str | None, int | None]]:
    """Return status and `total_amount` of every order of a served shop by its id."""
    lines = io.BytesIO(httpx.get(f"{base_url}/_sandbox/truth", timeout=600).content)
    orders = map(json.loads, lines)
    return {order["id"]: (order.get("status"), order.get("total_amount")) for order in orders}


def calls_of(base_url: str) -> int:
    """Return how many requests the API host of a served shop was sent."""
    state = httpx.get(f"{base_url}/_sandbox/state", timeout=60).json()
    return sum(state["calls"].values())


def must_be_complete(settings: Settings, truth: dict[str, object]) -> None:
    """Compare the newest version of every order in the warehouse with the shop.

    Raises:
        AssertionError: an order is missing, is stale or never existed.
    """
    with warehouse_connection(settings, read_only=True) as con:
        newest = con.execute(
            "select order_id, payload::varchar from raw.order_payloads qualify row_number()"
            " over (partition by order_id order by version_at desc, version_id desc) = 1"
        ).fetchall()
    found = {order_id: json.loads(payload) for order_id, payload in newest}
    must_equal("ids in the warehouse", sorted(found), sorted(truth))
    stale = [order_id for order_id, order in truth.items() if found[order_id] != order]
    must_equal("stale orders", stale, [])


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
