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


def run(*, quick: bool) -> list[Row]:
    """Load a shop from a server in another process, ours and dlt's in turn."""
    orders, repetitions = (300, 1) if quick else (10_000, 3)
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with_dlt = find_spec("dlt") is not None
    ours, tuned = [], []
    with served(orders) as base_url:
        truth = truth_of(base_url)
        for _ in range(repetitions):
            ours.append(_ours(base_url, truth))
            if with_dlt:
                tuned.append(_dlt(base_url, truth, tuned=True))
        as_it_comes = [_dlt(base_url, truth, tuned=False)] if with_dlt else []
    what = f"pipeline of {orders:,} orders, HTTP to marts"
    return [
        _row(f"{what}; dlt takes orders as they come, to files", ours, as_it_comes, 12),
        _row(f"{what}; dlt told to make `redemptions` a list, to DuckDB", ours, tuned, None),
    ]


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


def _row(what: str, ours: list[Child], peers: list[Child], target: float | None) -> Row:
    mine = median(child.spent.cpu for child in ours)
    if not peers:
        return Row(what, f"{mine:.2f} CPU s", "dlt is not installed")
    peer = median(child.spent.cpu for child in peers)
    return Row(
        what,
        f"{mine:.2f} CPU s",
        f"{peer:.2f} CPU s",
        f"{peer / mine:.1f}",
        f"≥ {target}" if target else "",
        peer / mine >= target if target else None,
    )
