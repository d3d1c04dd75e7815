"""A large file of an export, from CSV to marts, against DuckDB's own reader of CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.harness import Child, Row, must_equal, run_child, spending
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.shop import NOW
from benchmarks.shops.voucherify import VOUCHERIFY
from orders_connector.landing.raw_log import land_rows
from orders_connector.load import refresh_models
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox
from orders_connector.sandbox.voucherify.csv_file import csv_chunks
from orders_connector.sandbox.voucherify.listing import Record
from orders_connector.sources.voucherify.export_file import FIELDS, inspect_export
from orders_connector.sources.voucherify.extraction import CONTRACT
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import transaction

TARGET, MOST_MEMORY = 2.0, 1_500  # times the reader; MB
MEMORY_LIMIT = "1GB"
DISTINCT = 50_000  # orders that are made one by one; the others are these with fresh ids

READER = "create table orders as select * from read_csv('{path}')"


def run(*, quick: bool) -> list[Row]:
    """Land a file and build all models, and let DuckDB read it; each in a process of its own."""
    rows, distinct = (600, 200) if quick else (1_000_000, DISTINCT)
    with TemporaryDirectory() as folder:
        path = str(Path(folder, "export.csv"))
        write(path, rows, distinct)
        size = Path(path).stat().st_size / 1_000_000
        ours = run_child("benchmarks.export:land", folder=folder, path=path)
        reader = run_child("benchmarks.export:read", folder=folder, path=path)
        _must_hold_the_same(folder, rows)
    what = f"export of {rows:,} rows ({size:,.0f} MB)"
    return [
        _compared(f"{what}, CSV to marts, CPU", ours, reader, "cpu"),
        _compared(f"{what}, CSV to marts, wall", ours, reader, "wall"),
        Row(
            f"{what}, inspected and landed alone, CPU",
            f"{_landing(ours, 'cpu'):.1f} s",
            f"{reader.result['cpu']:.1f} s to read",
            f"{_landing(ours, 'cpu') / reader.result['cpu']:.1f}",
        ),
        Row(f"{what}, models alone, CPU", f"{ours.result['models']['cpu']:.1f} s"),
        Row(
            f"{what}, peak memory, CSV to marts",
            f"{ours.peak:.0f} MB",
            f"{ours.imported:.0f} MB imports",
            f"{ours.peak:.0f} MB",
            f"≤ {MOST_MEMORY:,} MB",
            ours.peak <= MOST_MEMORY,
        ),
    ]


def land(folder: str, path: str) -> dict[str, Any]:
    """Look through a file, land it in one transaction and build all models."""
    settings = settings_for(
        folder, VOUCHERIFY.account("http://127.0.0.1"), memory_limit=MEMORY_LIMIT
    )
    with spending() as inspecting:
        file = inspect_export(Path(path), FIELDS, name="benchmark", account=ACCOUNT)
    with spending() as landing, warehouse_connection(settings) as con, transaction(con):
        landed = land_rows(
            con,
            file.payloads(exponent=2),
            contract=CONTRACT,
            job_id="benchmark",
            source="voucherify",
            account=ACCOUNT,
            extraction_id="benchmark",
            loaded_at=datetime.now(UTC),
        )
    must_equal("landed", (landed.versions, landed.quarantined), (file.rows, 0))
    with spending() as building:
        refresh_models(settings, full=True)
    return {"inspection": vars(inspecting), "landing": vars(landing), "models": vars(building)}


def read(folder: str, path: str) -> dict[str, Any]:
    """Let DuckDB read the file into a table, types guessed."""
    with spending() as spent, duckdb.connect(f"{folder}/reader.duckdb") as con:
        con.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        con.execute("set TimeZone = 'UTC'")
        con.execute(READER.format(path=path))
    return vars(spent)


def write(path: str, rows: int, distinct: int) -> None:
    """Write a file just as the sandbox would, were it to have so many orders."""
    shop = VoucherifySandbox(distinct, now=NOW).shop
    made = shop.listing.window("-created_at", 0, distinct, shop.switches)
    with Path(path).open("wb") as file:
        for part, records in enumerate(_copies(made, rows)):
            for number, chunk in enumerate(csv_chunks(records, list(FIELDS), Switches())):
                again = part and not number
                file.write(chunk.partition(b"\n")[2] if again else chunk)


def _copies(made: list[Record], rows: int) -> Iterator[list[Record]]:
    for first in range(0, rows, len(made)):
        fresh = [f"ord_{first + n:018x}" for n in range(min(len(made), rows - first))]
        yield [
            record._replace(id=name, body=record.body.replace(record.id.encode(), name.encode(), 1))
            for record, name in zip(made, fresh, strict=False)
        ]


def _must_hold_the_same(folder: str, rows: int) -> None:
    """Compare core.orders with the reader's table."""
    with duckdb.connect(f"{folder}/orders.duckdb", read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"attach '{folder}/reader.duckdb' as reader (read_only)")
        ((read, same),) = con.execute(
            'select count(*), count(*) filter (where o.source_status = r."Status"'
            ' and o.net_minor is not distinct from r."Total Amount"'
            ' and o.created_at = r."Created At"::timestamptz'
            ' and o.updated_at is not distinct from r."Updated At"::timestamptz)'
            ' from reader.orders as r left join core.orders as o on o.order_id = r."ID"'
        ).fetchall()
    must_equal("rows read", read, rows)
    must_equal("orders that core.orders shows as the file does", same, rows)


def _landing(ours: Child, kind: str) -> float:
    spent: float = ours.result["inspection"][kind] + ours.result["landing"][kind]
    return spent


def _compared(what: str, ours: Child, reader: Child, kind: str) -> Row:
    # The models are built once: the reader would build the same ones from as many rows.
    models = ours.result["models"][kind]
    mine, peer = _landing(ours, kind) + models, reader.result[kind] + models
    return Row(
        what,
        f"{mine:.1f} s",
        f"{peer:.1f} s",
        f"{mine / peer:.2f}",
        f"≤ {TARGET:.0f}",
        mine / peer <= TARGET,
    )
