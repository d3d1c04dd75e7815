"""Landing pages from memory, against DuckDB's own reader of NDJSON."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.harness import Row, Spent, must_equal, spending
from benchmarks.jobs import land_pages
from benchmarks.shop import order_bodies, page_bodies
from orders_connector.landing.spool import batches_from_pages

READER = """
    create table orders as
    select json->>'$.id' as id, (json->>'$.updated_at')::timestamptz as updated_at, json
    from read_ndjson_objects('{path}')
"""


def run(*, quick: bool) -> list[Row]:
    """Land the same orders both ways, in turn, each time into a fresh file."""
    orders, repetitions = (500, 1) if quick else (100_000, 3)
    pages = list(page_bodies(orders))
    ours, reader = [], []
    with TemporaryDirectory() as folder:
        lines = Path(folder, "orders.ndjson")
        with lines.open("wb") as file:
            file.writelines(order + b"\n" for order in order_bodies(orders))
        size = lines.stat().st_size / orders / 1000
        for n in range(repetitions):
            ours_file, reader_file = f"{folder}/ours{n}.duckdb", f"{folder}/reader{n}.duckdb"
            reader.append(_read(reader_file, lines))
            ours.append(_land(ours_file, pages, orders))
            _must_hold_the_same(ours_file, reader_file)
            Path(ours_file).unlink()
            Path(reader_file).unlink()
    what = f"landing {orders:,} orders of {size:.1f} KB"
    return [
        _row(f"{what}, per CPU second", orders, [s.cpu for s in ours], [s.cpu for s in reader]),
        _row(f"{what}, per second", orders, [s.wall for s in ours], [s.wall for s in reader]),
    ]


def _land(path: str, pages: list[bytes], orders: int) -> Spent:
    with spending() as spent:
        landed = land_pages(path, lambda: batches_from_pages(iter(pages)))
    must_equal("versions landed", (landed.versions, landed.quarantined), (orders, 0))
    return spent


def _read(path: str, lines: Path) -> Spent:
    with spending() as spent, duckdb.connect(path) as con:
        con.execute(READER.format(path=lines))
    return spent


def _must_hold_the_same(ours: str, reader: str) -> None:
    with duckdb.connect(ours, read_only=True) as con:
        con.execute(f"attach '{reader}' as reader (read_only)")
        different = con.execute(
            "select count(*) from raw.order_payloads as o full join reader.orders as r"
            " on o.order_id = r.id and o.payload = r.json where o.order_id is null or r.id is null"
        ).fetchall()
    must_equal("orders that differ from the reader's", different, [(0,)])


def _row(what: str, orders: int, ours: list[float], reader: list[float]) -> Row:
    mine, peer = orders / median(ours), orders / median(reader)
    return Row(
        what,
        f"{mine:,.0f} orders",
        f"{peer:,.0f} orders",
        f"{mine / peer:.2f}",
        "≥ 0.5",
        mine / peer >= 0.5,
    )
