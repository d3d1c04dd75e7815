"""Landing pages from memory, against DuckDB's own reader of NDJSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.harness import Row, Spent, must_equal, spending
from benchmarks.jobs import land_pages
from benchmarks.shop import Shop
from orders_connector.landing.spool import batches_from_pages

READER = """
    create table {channel} as
    select json->>'{id}' as id, (json->>'{version}')::timestamptz as version_at, json
    from read_ndjson_objects('{path}')
"""
TARGET = 0.5

Pages = Mapping[str, list[bytes]]  # by channel


def run(shop: Shop, *, quick: bool) -> list[Row]:
    """Land the same rows both ways, in turn, each time into a fresh file."""
    orders, repetitions = (500, 1) if quick else (shop.many, 3)
    ours, reader, redacting = [], [], []
    with TemporaryDirectory() as folder:
        pages, lines, rows = _made(shop, orders, Path(folder))
        size = sum(path.stat().st_size for path in lines.values()) / orders / 1000
        for n in range(repetitions):
            ours_file, reader_file = f"{folder}/ours{n}.duckdb", f"{folder}/reader{n}.duckdb"
            reader.append(_read(shop, reader_file, lines))
            redacted, spent = _land(shop, ours_file, pages, rows)
            ours.append(spent)
            redacting.append(redacted)
            _must_hold_the_same(shop, ours_file, reader_file)
            Path(ours_file).unlink()
            Path(reader_file).unlink()
    what = f"{shop.source}: landing {orders:,} orders of {size:.1f} KB"
    compared = [
        _row(f"{what}, per CPU second", orders, [s.cpu for s in ours], [s.cpu for s in reader]),
        _row(f"{what}, per second", orders, [s.wall for s in ours], [s.wall for s in reader]),
    ]
    if shop.redacted is None:
        return compared
    alone = [s.cpu - r.cpu for s, r in zip(ours, redacting, strict=True)]
    without = _row(
        f"{what}, secrets taken out before, per CPU second", orders, alone, [s.cpu for s in reader]
    )
    return [*compared, replace(without, target="", met=None)]


def _made(shop: Shop, orders: int, folder: Path) -> tuple[Pages, dict[str, Path], int]:
    """Return pages as the source sends them, files with the same rows without secrets, and rows."""
    rows = list(shop.rows(orders))
    pages: dict[str, list[bytes]] = {channel: [] for channel in shop.contracts}
    for channel, page in shop.pages(rows):
        pages[channel].append(page)
    lines = {channel: folder / f"{channel}.ndjson" for channel in shop.contracts}
    for channel, path in lines.items():
        with path.open("wb") as file:
            file.writelines(shop.clean(row) + b"\n" for there, row in rows if there == channel)
    return pages, lines, len(rows)


def _land(shop: Shop, path: str, pages: Pages, rows: int) -> tuple[Spent, Spent]:
    """Return what it took to take secrets out, and what it took in all."""
    with spending() as spent:
        with spending() as redacting:
            clean = {channel: [*map(shop.clean, bodies)] for channel, bodies in pages.items()}
        landed = land_pages(
            path,
            shop.source,
            shop.contracts,
            lambda channel: batches_from_pages(iter(clean[channel]), channel),
        )
    must_equal("versions landed", (landed.versions, landed.quarantined), (rows, 0))
    return redacting, spent


def _read(shop: Shop, path: str, lines: Mapping[str, Path]) -> Spent:
    with spending() as spent, duckdb.connect(path) as con:
        for channel, contract in shop.contracts.items():
            id_path, version_path = (
                contract.part_path or contract.id_path,
                contract.version_paths[0],
            )
            con.execute(
                READER.format(
                    channel=channel, id=id_path, version=version_path, path=lines[channel]
                )
            )
    return spent


def _must_hold_the_same(shop: Shop, ours: str, reader: str) -> None:
    with duckdb.connect(ours, read_only=True) as con:
        con.execute(f"attach '{reader}' as reader (read_only)")
        for channel in shop.contracts:
            different = con.execute(
                "select count(*) from"
                f" (select *, coalesce(part_id, order_id) as id from raw.order_payloads"
                f" where channel = '{channel}') as o full join reader.{channel} as r"
                " on o.id = r.id and o.payload = r.json where o.id is null or r.id is null"
            ).fetchall()
            must_equal(f"rows of {channel} that differ from the reader's", different, [(0,)])


def _row(what: str, orders: int, ours: list[float], reader: list[float]) -> Row:
    mine, peer = orders / median(ours), orders / median(reader)
    return Row(
        what,
        f"{mine:,.0f} orders",
        f"{peer:,.0f} orders",
        f"{mine / peer:.2f}",
        f"≥ {TARGET}",
        mine / peer >= TARGET,
    )
