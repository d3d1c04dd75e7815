"""The whole pipeline against dlt, which does extraction and loading alone."""

from __future__ import annotations

import os
from importlib.util import find_spec
from math import ceil
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.harness import Child, Row, Spent, must_equal, run_child
from benchmarks.jobs import settings_for
from benchmarks.shop import must_be_complete, orders_of, served

TARGET = 12
STOPPED_AT = 20  # times what ours needed; dlt takes minutes for orders as they come


def run(*, quick: bool) -> list[Row]:
    """Load a shop from a server in another process, ours and dlt's in turn."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    orders, repetitions = (300, 1) if quick else (10_000, 3)
    what = f"pipeline of {orders:,} orders, HTTP to marts; dlt:"
    with served(orders) as base_url:
        truth = list(orders_of(base_url))
        as_they_come = _compare(base_url, truth, repetitions, tuned=False)
        mapped = _compare(base_url, truth, repetitions, tuned=True)
    return [
        compared(f"{what} orders as they come", *as_they_come, target=TARGET),
        compared(f"{what} `redemptions` made a list by hand", *mapped),
    ]


def compared(what: str, ours: list[Spent], peers: list[Child], target: float | None = None) -> Row:
    """Compare CPU seconds; a peer that was stopped gives a lower bound."""
    mine = median(spent.cpu for spent in ours)
    if not peers:
        return Row(what, f"{mine:.2f} CPU s", "dlt is not installed")
    peer = median(child.spent.cpu for child in peers)
    ratio = peer / mine
    stopped = any(child.stopped for child in peers)
    return Row(
        what,
        f"{mine:.2f} CPU s",
        f"> {int(peer)} CPU s (stopped)" if stopped else f"{peer:.2f} CPU s",
        f"> {int(ratio)}" if stopped else f"{ratio:.1f}",
        f"≥ {target}" if target else "",
        ratio >= target if target else None,
    )


def _compare(
    base_url: str, truth: list[dict[str, Any]], repetitions: int, *, tuned: bool
) -> tuple[list[Spent], list[Child]]:
    ours: list[Spent] = []
    peers: list[Child] = []
    for _ in range(repetitions):
        ours.append(_ours(base_url, truth))
        # Once stopped, always stopped: to see it again would cost minutes and tell nothing.
        if find_spec("dlt") and not any(child.stopped for child in peers):
            limit = ceil(STOPPED_AT * ours[-1].cpu)
            peers.append(_dlt(base_url, truth, tuned=tuned, cpu_limit=limit))
    return ours, peers


def _ours(base_url: str, truth: list[dict[str, Any]]) -> Spent:
    with TemporaryDirectory() as folder:
        child = run_child("benchmarks.jobs:load", folder=folder, base_url=base_url)
        must_be_complete(settings_for(folder, base_url), truth)
        return child.spent


def _dlt(base_url: str, truth: list[dict[str, Any]], *, tuned: bool, cpu_limit: int) -> Child:
    with TemporaryDirectory() as folder:
        child = run_child(
            "benchmarks.peer_dlt:load",
            cpu_limit=cpu_limit,
            folder=folder,
            base_url=base_url,
            tuned=tuned,
        )
        if child.stopped:
            return child
        with duckdb.connect(f"{folder}/dlt.duckdb") as con:
            table = "shop.orders" if tuned else f"'{folder}/files/shop/orders/*.parquet'"
            ids = con.execute(f"select id from {table} order by id").fetchall()
    must_equal("ids that dlt loaded", [order_id for (order_id,) in ids], [o["id"] for o in truth])
    return child
