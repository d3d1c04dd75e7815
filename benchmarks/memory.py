"""Peak memory of a process that loads: landing must not grow with the number of orders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import land_pages, settings_for
from benchmarks.shop import must_be_complete, orders_of, page_bodies, served
from orders_connector.landing.spool import Spool

TARGET = 1.1


def run(*, quick: bool) -> list[Row]:
    """Load shops of several sizes by listing, and land pages of several amounts."""
    shops, landings = (
        ((100, 300), (200, 400)) if quick else ((1_000, 3_000, 9_900), (100_000, 400_000))
    )
    loads = [_row(f"peak memory, listing to marts, {n:,} orders", _load(n)) for n in shops]
    few, many = (_land(n) for n in landings)
    growth = _added(many) / _added(few)
    return [
        *loads,
        _row(f"peak memory, landing {landings[0]:,} orders", few),
        replace(
            _row(f"peak memory, landing {landings[1]:,} orders", many),
            ratio=f"{growth:.2f}",
            target=f"≤ {TARGET}",
            met=growth <= TARGET,
        ),
    ]


def land_made(path: str, orders: int) -> int:
    """Land orders that are made page by page and wait on disk; returns the versions landed."""
    with Spool(Path(path).parent) as spool:
        for page in page_bodies(orders):
            spool.add(page, "list")
        return land_pages(path, spool.batches, spool.landing_memory).versions


def _load(orders: int) -> Child:
    with TemporaryDirectory() as folder, served(orders) as base_url:
        child = run_child("benchmarks.jobs:load", folder=folder, base_url=base_url)
        must_be_complete(settings_for(folder, base_url), orders_of(base_url))
        return child


def _land(orders: int) -> Child:
    with TemporaryDirectory() as folder:
        child = run_child("benchmarks.memory:land_made", path=f"{folder}/o.duckdb", orders=orders)
    must_equal("versions landed", child.result, orders)
    return child


def _row(what: str, child: Child) -> Row:
    return Row(what, f"{_added(child):.0f} MB", f"{child.imported:.0f} MB imports")


def _added(child: Child) -> float:
    return child.peak - child.imported
