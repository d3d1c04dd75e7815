"""One night in a large shop: the refresh after it, beside a full rebuild and beside dbt."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.dbt_project import write_project
from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import settings_for
from benchmarks.refresh_scale import BEGIN, EVENLY, HISTORY, make_orders
from benchmarks.shops.voucherify import VOUCHERIFY
from orders_connector.landing.settings_tables import write_settings
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import MERGED_EVERY
from orders_connector.warehouse.database import open_warehouse, transaction

THREADS = 2
MEMORY_LIMIT = "3GB"
PEAK_MB = 4096
FASTER_THAN_FULL = 10
FASTER_THAN_DBT = 3
# Of the orders of a night: made that day, and changed ones of the last days and of the last months.
# The rest is older.
NEW, DAYS_OLD, MONTHS_OLD = 0.30, 0.40, 0.25
DAYS, MONTHS = timedelta(days=3), timedelta(days=90)

HISTORY_ORDERS = f"""
    select
        {EVENLY},
        0 as version,
        created_at + interval 1 hour as updated_at,
        case
            when hash(n) % 100 < 70 then 'FULFILLED'
            when hash(n) % 100 < 88 then 'PAID'
            when hash(n) % 100 < 96 then 'CANCELED'
            else 'CREATED'
        end as status
    from range($orders) as t(n)
"""
# What night `$night` brings. `$before` orders are there; the others are `$orders` at first, `$new`
# more on each night. Two of five new orders are a new customer's. Of older orders some only changed
# in what no figure shows; a cancelled one gives its vouchers back.
NIGHT = f"""
    with picked as (
        select $before + i as n, 'new' as age from range($new) as t(i)
        union
        select $low_days + (4 * i + $night) * ($before - $low_days) // (4 * $days), 'days'
        from range($days) as t(i)
        union
        select $low_months + (4 * i + $night) * ($low_days - $low_months) // (4 * $months), 'months'
        from range($months) as t(i)
        union
        select (4 * i + $night) * $low_months // (4 * $years), 'years' from range($years) as t(i)
    )

    select
        n,
        $night as version,
        case
            when n < $orders then made.created_at
            else $begin::timestamp + $history::interval
                + ((n - $orders) // $new) * interval 1 day
                + ((n - $orders) % $new) / $new * interval 1 day
        end as created_at,
        $begin::timestamp + $history::interval + $night * interval 1 day as updated_at,
        case when n >= $orders and hash(n) % 5 < 2 then 'cust_new_' || n else made.customer end
            as customer,
        case
            when age = 'new' then if(hash(n) % 5 = 0, 'CREATED', 'PAID')
            when age = 'days' then
                case when dice < 70 then 'FULFILLED' when dice < 85 then 'PAID' else 'CANCELED' end
            else if(dice < 50, 'CANCELED', 'FULFILLED')
        end as status
    from (select *, hash(n + 31 * $night) % 100 as dice from picked)
    inner join (select {EVENLY} from (select n from picked)) as made using (n)
"""


@dataclass
class Dbt:
    """What dbt did with a project and a file of its own."""

    folder: Path
    nightly: list[Child] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / "orders.duckdb"

    def run(self, *, full: bool) -> Child:
        """Build all tables; by night the stale slices alone."""
        return run_child("benchmarks.peer_dbt:run_models", folder=str(self.folder), full=full)


@dataclass
class Shop:
    """Files with the same orders, one refreshed by us, the others by dbt if that is installed.

    Attributes:
        dbt: dbt with the models' own SELECTs.
        by_hand: dbt with our slices in each of them.
    """

    folder: str
    orders: int
    changes: int
    nights: int = 0
    first: list[Child] = field(default_factory=list)
    nightly: list[Child] = field(default_factory=list)
    merging: list[Child] = field(default_factory=list)
    full: list[Child] = field(default_factory=list)
    dbt_full: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.models = load_models()
        self.new = round(self.changes * NEW)
        settings = settings_for(self.folder, VOUCHERIFY.account("http://127.0.0.1"))
        self.path: Path = settings.warehouse.path
        self.dbt = Dbt(Path(self.folder, "dbt"))
        self.by_hand = Dbt(Path(self.folder, "dbt_by_hand"))
        with open_warehouse(self.path) as con, transaction(con):
            write_settings(con, settings)
            self._make(con, HISTORY_ORDERS)
        self.peers = [self.dbt, self.by_hand] if find_spec("dbt") else []
        for peer in self.peers:
            write_project(
                peer.folder,
                peer.path,
                self.models,
                by_hand=peer is self.by_hand,
                threads=THREADS,
                memory_limit=MEMORY_LIMIT,
            )

    def build(self) -> None:
        """Build everything from the raw orders, both in turn."""
        for peer in self.peers[:1]:
            shutil.copy(self.path, peer.path)
        self.first.append(self._ours(self.path, full=True))
        for peer in self.peers[:1]:
            self.dbt_full.append(peer.run(full=True))
        # All of a table is the same SELECT in both projects.
        for peer in self.peers[1:]:
            shutil.copy(self.dbt.path, peer.path)

    def night(self) -> None:
        """Bring the orders of a night, then refresh, all in turn, and rebuild a copy of ours."""
        self._bring(self.path, *(peer.path for peer in self.peers))
        copy = Path(shutil.copy(self.path, self.path.with_name("rebuilt.duckdb")))
        self.nightly.append(self._ours(self.path, full=False))
        self.full.append(self._ours(copy, full=True))
        must_equal("tables after a full rebuild", self.fingerprints(copy), self.fingerprints())
        for peer in self.peers:
            peer.nightly.append(peer.run(full=False))

    def nights_until_merged(self) -> None:
        """Let nights pass for ours alone, the last of which merges small blocks."""
        nights = []
        while self.nights + len(self.first) < MERGED_EVERY:
            self._bring(self.path)
            nights.append(self._ours(self.path, full=False))
        self.merging = nights[-1:]

    def _bring(self, *paths: Path) -> None:
        self.nights += 1
        days = round(self.changes * DAYS_OLD)
        months = round(self.changes * MONTHS_OLD)
        for path in paths:
            with open_warehouse(path) as con, transaction(con):
                self._make(
                    con,
                    NIGHT,
                    night=self.nights,
                    before=self.orders + (self.nights - 1) * self.new,
                    new=self.new,
                    low_days=self.orders - self.orders * DAYS // HISTORY,
                    low_months=self.orders - self.orders * MONTHS // HISTORY,
                    days=days,
                    months=months,
                    years=self.changes - self.new - days - months,
                )

    def must_equal_dbt(self) -> None:
        """Compare every table of the files."""
        for peer in self.peers:
            must_equal("tables of dbt", self.fingerprints(peer.path), self.fingerprints())

    def fingerprints(self, path: Path | None = None) -> dict[str, Any]:
        """Return rows and a hash of each table, ours unless another file is given."""
        with duckdb.connect(str(path or self.path), read_only=True) as con:
            con.execute("set TimeZone = 'UTC'")
            return {
                name: con.execute(
                    "select count(*), sum(hash(t))"
                    f" from (select {', '.join(model.columns)} from {name}) as t"
                ).fetchall()[0]
                for name, model in self.models.items()
                if not model.is_view
            }

    def _make(self, con: duckdb.DuckDBPyConnection, query: str, **numbers: int) -> None:
        make_orders(con, query, orders=self.orders, begin=BEGIN, history=HISTORY, **numbers)

    def _ours(self, path: Path, *, full: bool) -> Child:
        return run_child(
            "benchmarks.rebuilding:refresh_models",
            path=str(path),
            full=full,
            threads=THREADS,
            memory_limit=MEMORY_LIMIT,
        )


def run(*, quick: bool) -> list[Row]:
    """Build a shop in full, then let nights pass."""
    orders, changes, nights = (2_000, 100, 1) if quick else (1_000_000, 5_000, 3)
    return measured(orders, changes, nights)


def measured(orders: int, changes: int, nights: int) -> list[Row]:
    """Return the rows for a shop of a size."""
    with TemporaryDirectory() as folder:
        shop = Shop(folder, orders, changes)
        shop.build()
        shop.must_equal_dbt()
        for _ in range(nights):
            shop.night()
        shop.must_equal_dbt()
        shop.nights_until_merged()
    return rows(shop)


def rows(shop: Shop) -> list[Row]:
    """Return the table's rows of what a shop spent."""
    build = f"nightly: full build of {shop.orders:,} orders"
    night = f"nightly: refresh after a night of {shop.changes:,} changed orders of {shop.orders:,}"
    found = []
    for measure, what, unit in (("wall", "wall", "s"), ("cpu", "CPU", "s")):
        first, full, nightly, dbt_full, dbt, by_hand = (
            [getattr(child.spent, measure) for child in children]
            for children in (
                shop.first,
                shop.full,
                shop.nightly,
                shop.dbt_full,
                shop.dbt.nightly,
                shop.by_hand.nightly,
            )
        )
        found += [
            _faster(f"{build}, {what}; dbt: --full-refresh", unit, first, dbt_full),
            _faster(f"{night}, {what}; a full rebuild", unit, nightly, full, FASTER_THAN_FULL),
            _faster(f"{night}, {what}; dbt: run", unit, nightly, dbt, FASTER_THAN_DBT),
            _faster(f"{night}, {what}; dbt with our slices by hand", unit, nightly, by_hand),
        ]
        (merging,) = (getattr(child.spent, measure) for child in shop.merging)
        found.append(
            Row(
                f"nightly: every {MERGED_EVERY}th refresh, which merges small blocks, {what}",
                f"{merging:.1f} {unit}",
                f"{median(nightly):.1f} {unit} the others",
            )
        )
    peak = max(child.peak for child in (*shop.first, *shop.full))
    dbt_peak = max((child.peak for child in shop.dbt_full), default=None)
    return [
        *found,
        Row(
            f"{build}, peak memory",
            f"{peak:,.0f} MB",
            f"{dbt_peak:,.0f} MB" if dbt_peak else "dbt is not installed",
            f"{peak:,.0f} MB",
            f"< {PEAK_MB:,} MB",
            peak < PEAK_MB,
        ),
    ]


def _faster(
    what: str, unit: str, ours: list[float], peers: list[float], target: float | None = None
) -> Row:
    mine = median(ours)
    if not peers:
        return Row(what, f"{mine:.1f} {unit}", "dbt is not installed")
    ratio = median(peers) / mine
    row = Row(what, f"{mine:.1f} {unit}", f"{median(peers):.1f} {unit}", f"{ratio:.1f}")
    return replace(row, target=f"≥ {target}", met=ratio >= target) if target else row
