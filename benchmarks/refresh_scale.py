"""What a refresh costs when the warehouse is ten times as large and the change is the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.harness import Row, Spent, must_equal, spending
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.shops.voucherify import VOUCHERIFY
from orders_connector.landing.settings_tables import write_settings
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.warehouse.database import open_warehouse, transaction

BEGIN = datetime(2023, 8, 1)
HISTORY = timedelta(days=3 * 365)
RECENT = timedelta(days=30)
STATUSES = ("CANCELED", "FULFILLED", "PAID")

# Orders as landing would store them, one for each row that {picked} names with `n`, `version`,
# `created_at`, `updated_at`, `status` and `customer`. The rest follows from `n`; ids are random.
FILL = """
    insert into raw.order_payloads (
        version_id, order_key, source, account, order_id, version_at, content_hash, payload,
        channel, extraction_id, page, position, loaded_at
    )
    select
        newest + row_number() over (order by n),
        (md5_number_lower('voucherify/' || $account || '/' || id) >> 1)::bigint,
        'voucherify', $account, id, updated_at, md5(payload), payload,
        'list', 'version ' || version, 1, 1, updated_at
    from (
        select n, id, version, updated_at, json_object(
            'id', id,
            'source_id', null,
            'created_at', strftime(created_at, '%Y-%m-%dT%H:%M:%S.%gZ'),
            'updated_at', strftime(updated_at, '%Y-%m-%dT%H:%M:%S.%gZ'),
            'status', status,
            'amount', 700 + price + other_price,
            'discount_amount', 100,
            'total_discount_amount', 100,
            'total_amount', 600 + price + other_price,
            'items', [
                order_item('prod_5h1pp1ng', 'Shipping', 700),
                order_item('article-' || n % 500, 'Nordic Sneakers', price),
                order_item('article-' || n % 300, 'Linen Desk', other_price)
            ],
            'metadata', {{'channel': 'web', 'note': repeat('x', 200)}},
            'customer_id', customer,
            'referrer_id', null,
            'object', 'order',
            'redemptions', case when n % 3 = 0 then json_object(
                'r_' || id,
                json_merge_patch(json_object(
                    'date', strftime(created_at, '%Y-%m-%dT%H:%M:%S.%gZ'),
                    'related_object_type', 'voucher',
                    'related_object_id', 'v_' || n % 1000,
                    'related_object_parent_id', 'camp_' || n % 20
                ), case when version > 0 and status = 'CANCELED' then json_object(
                    'rollback_id', 'rr_' || id,
                    'rollback_date', strftime(updated_at, '%Y-%m-%dT%H:%M:%S.%gZ')
                ) else json_object() end)
            ) end
        )::json as payload
        from (
            select
                *,
                'ord_' || md5(n::varchar)[:18] as id,
                1000 + hash(n) % 5000 as price,
                500 + hash(n + 1) % 5000 as other_price
            from ({picked})
        )
    ), (select coalesce(max(version_id), 0) as newest from raw.order_payloads)
"""
ORDER_ITEM = """
    create or replace temp macro order_item(id, name, price) as {
        'object': 'order_item', 'source_id': id, 'related_object': 'product', 'quantity': 1,
        'amount': price, 'price': price, 'subtotal_amount': price, 'product': {'name': name}
    }
"""
# Creation times rise evenly over the whole history; four orders for each customer.
EVENLY = """
    n,
    $begin::timestamp + n / $orders * $history::interval as created_at,
    'cust_' || hash(n) % ($orders // 4) as customer
"""
# Version `$version` of `$picked` orders, spread evenly over the last `$last` of all.
LAST = f"""
    select *, created_at + (1 + version) * interval 1 hour as updated_at from (
        select {EVENLY}, $version as version, $status as status from (
            select $orders - $last + i * $last // $picked as n from range($picked) as t(i)
        )
    )
"""


def make_orders(con: duckdb.DuckDBPyConnection, query: str, /, **parameters: object) -> None:
    """Insert the orders that `query` names (see `FILL`) into the raw log."""
    con.execute(ORDER_ITEM)
    con.execute(FILL.format(picked=query), {"account": ACCOUNT, **parameters})


class Warehouse:
    """A warehouse of made orders that are spread evenly over three years."""

    def __init__(self, folder: str, orders: int) -> None:
        self.settings = settings_for(f"{folder}/{orders}", VOUCHERIFY.account("http://127.0.0.1"))
        self.path: Path = self.settings.warehouse.path
        self.models = load_models()
        self.orders = orders
        self.version = 0
        self.expected: dict[str, int] = {}
        with open_warehouse(self.path) as con, transaction(con):
            write_settings(con, self.settings)
            self._fill(con, last=orders, picked=orders)
        self.full_build = self._refresh(full=True)

    def change_and_refresh(self, changes: int) -> Spent:
        """Give `changes` orders of the last 30 days another status, and refresh."""
        recent = self.orders * RECENT // HISTORY
        self.version += 1
        with open_warehouse(self.path) as con, transaction(con):
            self._fill(con, last=recent, picked=changes)
        spent = self._refresh()
        with open_warehouse(self.path, read_only=True) as con:
            status = STATUSES[self.version % len(STATUSES)]
            shown = con.execute(
                "select count(*) from core.orders as o join raw.order_payloads as p"
                f" using (version_id) where p.extraction_id = 'version {self.version}'"
                f" and o.source_status = '{status}'"
            ).fetchall()
        must_equal("changed orders that core.orders shows", shown, [(changes,)])
        return spent

    def must_equal_full_build(self) -> None:
        """Rebuild everything; no table may come out different."""
        incremental = self._fingerprints()
        self._refresh(full=True)
        must_equal("tables after a full rebuild", incremental, self._fingerprints())
        must_equal("rows of core.orders", incremental["core.orders"][0], self.orders)

    def _fill(self, con: duckdb.DuckDBPyConnection, *, last: int, picked: int) -> None:
        make_orders(
            con,
            LAST,
            version=self.version,
            status=STATUSES[self.version % len(STATUSES)],
            orders=self.orders,
            begin=BEGIN,
            history=HISTORY,
            last=last,
            picked=picked,
        )

    def _refresh(self, *, full: bool = False) -> Spent:
        # Opening the file belongs to it: a refresh is a process of its own.
        with spending() as spent, open_warehouse(self.path) as con:
            refresh(con, self.models, full=full)
        return spent

    def _fingerprints(self) -> dict[str, Any]:
        with open_warehouse(self.path, read_only=True) as con:
            return {
                name: con.execute(f"select count(*), sum(hash(t)) from {name} as t").fetchall()[0]
                for name, model in self.models.items()
                if not model.tells_of_runs
            }


def run(*, quick: bool) -> list[Row]:
    """Refresh both warehouses in turn after changes of the same size."""
    small, large, changes, repetitions = (
        (1_000, 2_000, 20, 1) if quick else (100_000, 1_000_000, 500, 7)
    )
    with TemporaryDirectory() as folder:
        warehouses = [Warehouse(folder, orders) for orders in (small, large)]
        spent: list[list[Spent]] = [[], []]
        for _ in range(repetitions):
            for warehouse, times in zip(warehouses, spent, strict=True):
                times.append(warehouse.change_and_refresh(changes))
        for warehouse in warehouses:
            warehouse.must_equal_full_build()
    what = f"refresh after {changes} changed orders, {large:,} orders against {small:,}"
    few, many = spent
    return [
        _row(f"{what}, wall", [s.wall for s in many], [s.wall for s in few]),
        _row(f"{what}, CPU", [s.cpu for s in many], [s.cpu for s in few]),
        *(
            Row(
                f"full build of {warehouse.orders:,} orders",
                f"{warehouse.full_build.wall:.1f} s",
                f"{warehouse.full_build.cpu:.1f} CPU s",
            )
            for warehouse in warehouses
        ),
    ]


def _row(what: str, large: list[float], small: list[float]) -> Row:
    ratio = median(large) / median(small)
    return Row(
        what,
        f"{median(large):.2f} s",
        f"{median(small):.2f} s",
        f"{ratio:.2f}",
        "≤ 1.5",
        ratio <= 1.5,
    )
