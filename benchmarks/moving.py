"""A shop that changes while it is read: what is missing or stale afterwards, ours and dlt's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs

import duckdb

from benchmarks.harness import Row, run_child
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.shop import NOW
from benchmarks.shops.voucherify import VOUCHERIFY
from orders_connector.sandbox.voucherify import Call, VoucherifySandbox
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection

UPDATES = 3  # between two pages
QUIET_RUNS = 2
SORTS = {"updated_at": "oldest change first", "-updated_at": "newest change first"}

Held = dict[str, datetime]


def run(*, quick: bool) -> list[Row]:
    """Read a shop whose orders change between the pages, then again when all is quiet."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    orders = 300 if quick else 2_000
    ours = _measure(orders, _load_ours)
    peers = {sort: _measure(orders, _dlt_by(sort)) if find_spec("dlt") else [] for sort in SORTS}
    runs = ("the run meanwhile", *(f"quiet run {n}" for n in range(1, QUIET_RUNS + 1)))
    what = f"of {orders:,} orders, {UPDATES} updated per page, after"
    return [
        _row(
            f"{what} {after}; dlt: {SORTS[sort]}",
            ours[n],
            peers[sort][n : n + 1],
            last=after == runs[-1],
        )
        for sort in SORTS
        for n, after in enumerate(runs)
    ]


@dataclass
class Traffic:
    """Updates orders that were read already, before each next page is answered."""

    box: VoucherifySandbox
    read: set[str] = field(default_factory=set)
    random: Random = field(default_factory=lambda: Random(1))
    updates: int = 0

    def __call__(self, call: Call) -> None:
        if call.path != "/v1/orders":
            return
        shop = self.box.shop
        for order_id in self.random.sample(sorted(self.read), min(UPDATES, len(self.read))):
            self.box.clock.advance(timedelta(milliseconds=300))
            self.updates += 1
            shop.update(order_id, {"metadata": {"ticket": self.updates}})
        asked = {name: values[0] for name, values in parse_qs(call.query).items()}
        limit, page = int(asked.get("limit", 10)), int(asked.get("page", 1))
        with shop.lock:
            shown = shop.listing.window(
                asked.get("order", "-created_at"), (page - 1) * limit, page * limit, shop.switches
            )
        self.read |= {record.id for record in shown}


@dataclass(frozen=True)
class Left:
    """What a warehouse lacks, by the shop's truth."""

    missing: int
    stale: int

    def __str__(self) -> str:
        return f"{self.missing} missing, {self.stale} stale"


def left(held: Held, truth: Held) -> Left:
    """Count orders that are not held, and orders that are held in an older state."""
    return Left(
        missing=len(truth.keys() - held.keys()),
        stale=sum(held[order_id] < at for order_id, at in truth.items() if order_id in held),
    )


def _measure(orders: int, load: Callable[[str, str], Held]) -> list[Left]:
    """Return what is left after a run in traffic and after each quiet one."""
    measured = []
    with TemporaryDirectory() as folder, VoucherifySandbox(orders, now=NOW) as box:
        os.environ |= VOUCHERIFY.keys(box)
        for number in range(1 + QUIET_RUNS):
            box.on_request = None if number else Traffic(box)
            held = load(folder, box.base_url)
            measured.append(left(held, _truth(box)))
            box.clock.advance(timedelta(hours=1))
    return measured


def _truth(box: VoucherifySandbox) -> Held:
    return {
        order["id"]: datetime.fromisoformat(order.get("updated_at") or order["created_at"])
        for order in box.shop.truth()
    }


def _load_ours(folder: str, base_url: str) -> Held:
    settings = settings_for(folder, VOUCHERIFY.account(base_url))
    sync_account(settings, ACCOUNT)
    with warehouse_connection(settings, read_only=True) as con:
        return _held(con, "select order_id, max(version_at) from raw.order_payloads group by all")


def _dlt_by(sort: str) -> Callable[[str, str], Held]:
    def load(folder: str, base_url: str) -> Held:
        run_child(
            "benchmarks.peer_dlt:voucherify_changes", folder=folder, base_url=base_url, sort=sort
        )
        with duckdb.connect(f"{folder}/dlt.duckdb", read_only=True) as con:
            con.execute("set TimeZone = 'UTC'")
            return _held(con, "select id, coalesce(updated_at, created_at) from shop.orders")

    return load


def _held(con: duckdb.DuckDBPyConnection, query: str) -> Held:
    return dict(con.execute(query).fetchall())


def _row(what: str, ours: Left, peer: list[Left], *, last: bool) -> Row:
    shown = str(peer[0]) if peer else "dlt is not installed"
    if not last:
        return Row(what, str(ours), shown)
    return Row(what, str(ours), shown, str(ours), "0 missing, 0 stale", ours == Left(0, 0))
