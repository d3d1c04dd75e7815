"""Peak memory of a process that loads: landing must not grow with the number of orders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import land_pages, settings_for
from benchmarks.serving import served
from benchmarks.shop import Shop, must_be_complete
from benchmarks.shops import SHOPS
from orders_connector.landing.spool import Spool

TARGET = 1.1


def run(shop: Shop, *, quick: bool) -> list[Row]:
    """Load shops of several sizes by listing, and land pages of several amounts."""
    shops, landings = (
        ((100,), (200, 400)) if quick else ((1_000, 3_000, 9_900), (shop.many, 4 * shop.many))
    )
    what = f"{shop.source}: peak memory"
    loads = [_row(f"{what}, listing to marts, {n:,} orders", _load(shop, n)) for n in shops]
    few, many = (_land(shop, n) for n in landings)
    names = [f"{what}, landing {n:,} orders" for n in landings]
    return [*loads, _row(names[0], few), compared(names[1], few, many)]


def compared(what: str, few: Child | None, many: Child | None) -> Row:
    """Compare a large landing with a small one; None stands for one that ran out of memory."""
    row = _row(what, many)
    if few and many:
        row = replace(row, ratio=f"{_added(many) / _added(few):.2f}")
    met = few is not None and many is not None and _added(many) <= TARGET * _added(few)
    return replace(row, target=f"≤ {TARGET}", met=met)


def land_made(path: str, source: str, orders: int) -> int:
    """Land orders that are made page by page and wait on disk; returns those landed."""
    shop = SHOPS[source]
    with Spool(Path(path).parent) as spool:
        for channel, page in shop.pages(shop.rows(orders)):
            spool.add(shop.clean(page), channel)
        landed = land_pages(
            path,
            source,
            shop.contracts,
            lambda channel: spool.batches([channel]),
            spool.landing_memory,
        )
    return landed.new_orders


def _load(shop: Shop, orders: int) -> Child:
    with TemporaryDirectory() as folder, served(shop, orders) as base_url:
        account = shop.account(base_url)
        child = run_child("benchmarks.jobs:load", folder=folder, account=account)
        must_be_complete(settings_for(folder, account), shop, base_url)
        return child


def _land(shop: Shop, orders: int) -> Child | None:
    with TemporaryDirectory() as folder:
        try:
            child = run_child(
                "benchmarks.memory:land_made",
                path=f"{folder}/o.duckdb",
                source=shop.source,
                orders=orders,
            )
        except RuntimeError as error:
            if "Out of Memory" not in str(error):
                raise
            return None
    must_equal("orders landed", child.result, orders)
    return child


def _row(what: str, child: Child | None) -> Row:
    if child is None:
        return Row(what, "out of memory")
    return Row(what, f"{_added(child):.0f} MB", f"{child.imported:.0f} MB imports")


def _added(child: Child) -> float:
    return child.peak - child.imported
