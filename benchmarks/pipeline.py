"""The whole pipeline against dlt, which does extraction and loading alone."""

from __future__ import annotations

import os
from importlib.util import find_spec
from statistics import median
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import settings_for
from benchmarks.shop import must_be_complete, served, truth_of

TARGET = 12


def run(*, quick: bool) -> list[Row]:
    """Load shops from a server in another process, ours and dlt's in turn."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # As they come, dlt's cost grows with the square of the orders: minutes for 10,000.
    as_they_come, tuned, repetitions = (100, 300, 1) if quick else (2_000, 10_000, 3)
    return [
        _compare(tuned, repetitions, tuned=True),
        _compare(as_they_come, repetitions, tuned=False),
    ]


def _compare(orders: int, repetitions: int, *, tuned: bool) -> Row:
    ours, peer = [], []
    with served(orders) as base_url:
        truth = truth_of(base_url)
        for _ in range(repetitions):
            ours.append(_ours(base_url, truth))
            if find_spec("dlt"):
                peer.append(_dlt(base_url, truth, tuned=tuned))
    how = "`redemptions` made a list" if tuned else "orders as they come"
    return _row(f"pipeline of {orders:,} orders, HTTP to marts; dlt: {how}", ours, peer)


def _ours(base_url: str, truth: dict[str, object]) -> Child:
    with TemporaryDirectory() as folder:
        child = run_child("benchmarks.jobs:load", folder=folder, base_url=base_url)
        must_be_complete(settings_for(folder, base_url), truth)
        return child


def _dlt(base_url: str, truth: dict[str, object], *, tuned: bool) -> Child:
    with TemporaryDirectory() as folder:
        child = run_child("benchmarks.peer_dlt:load", folder=folder, base_url=base_url, tuned=tuned)
        with duckdb.connect(f"{folder}/dlt.duckdb") as con:
            table = "shop.orders" if tuned else f"'{folder}/files/shop/orders/*.parquet'"
            ids = con.execute(f"select id from {table} order by id").fetchall()
    must_equal("ids that dlt loaded", [order_id for (order_id,) in ids], sorted(truth))
    return child


def _row(what: str, ours: list[Child], peers: list[Child]) -> Row:
    mine = median(child.spent.cpu for child in ours)
    if not peers:
        return Row(what, f"{mine:.2f} CPU s", "dlt is not installed")
    peer = median(child.spent.cpu for child in peers)
    ratio = peer / mine
    return Row(
        what,
        f"{mine:.2f} CPU s",
        f"{peer:.2f} CPU s",
        f"{ratio:.1f}",
        f"≥ {TARGET}",
        ratio >= TARGET,
    )
