"""On which pages of the listing orders stand that wait, by the dates that the warehouse knows.

An export tells every order's dates, so its place by `created_at` is known without a request, and
its place by `updated_at` too, among orders that have one. Where the others stand, and in which
order, is the source's choice; a page tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb

from orders_connector.account_load import AccountLoad
from orders_connector.landing.raw_log import GONE
from orders_connector.sources.voucherify.endpoints import MAX_LIMIT, OrderSort
from orders_connector.sources.voucherify.models import Order
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["ListingPlaces", "Nulls", "tie_key"]

FEW_TIES = 5  # that stand sorted by chance

# Places by each sort key, the oldest at 1; orders without updated_at have places of their own.
PLACES = f"""
    with newest as (
        select order_id, arg_max(version_id, (version_at, version_id)) as version_id
        from raw.order_payloads
        where source = $source and account = $account and quarantine_reason is null
        group by order_key, order_id
        having arg_max(channel, version_id) <> '{GONE}'
    ),
    dated as (
        select n.order_id,
            try_cast(json_extract_string(p.payload, '$.created_at') as timestamptz) as created,
            try_cast(json_extract_string(p.payload, '$.updated_at') as timestamptz) as updated
        from newest as n
        inner join raw.order_payloads as p on p.version_id = n.version_id
    )
    select order_id, updated is null as tied,
        count(*) over () as orders,
        count(*) filter (where updated is null) over () as nulls,
        row_number() over (order by created, order_id) as by_created,
        row_number() over (partition by updated is null order by updated, order_id) as by_updated,
        row_number() over (partition by updated is null order by created, order_id) as by_creation
    from dated
"""


@dataclass(frozen=True)
class Nulls:
    """Where orders without updated_at stand in a listing by it.

    Attributes:
        first: Before all others.
        key: What they stand by there, `id` or `created_at`, a minus before it when the largest is
            first; None when their places look random.
    """

    first: bool = False
    key: str | None = "id"

    def seen(self, rows: list[Order]) -> Nulls:
        """Return what a page tells, which is nothing new when few of its rows are such orders."""
        nulls = [row for row in rows if row.updated_at is None]
        return replace(self, key=tie_key(nulls)) if len(nulls) >= FEW_TIES else self


def tie_key(nulls: list[Order]) -> str | None:
    """Return what orders without updated_at stand by, as in `Nulls.key`."""
    for key, values in (
        ("id", [row.id or "" for row in nulls]),
        ("created_at", [row.created_at or "" for row in nulls]),
    ):
        if values == sorted(values):
            return key
        if values == sorted(values, reverse=True):
            return f"-{key}"
    return None


class ListingPlaces:
    """Places of orders that wait, beside the table `waiting` of the queue that they wait in.

    Args:
        load: The account's load.
        con: Database with the table `waiting`, from which those that came are deleted.
        last_page: Highest page of the listing.
    """

    def __init__(self, load: AccountLoad, con: duckdb.DuckDBPyConnection, last_page: int) -> None:
        account = load.account
        with warehouse_connection(load.settings) as warehouse:
            places = warehouse.sql(
                PLACES, params={"source": account.source, "account": account.name}
            ).to_arrow_table()
        con.register("found", places)
        con.execute(
            "create or replace table places as"
            " select * from found where order_id in (select order_id from waiting)"
        )
        ((orders, nulls),) = con.execute(
            "select coalesce(any_value(orders), 0), coalesce(any_value(nulls), 0) from found"
        ).fetchall()
        con.unregister("found")
        self.nulls: int = nulls
        self._orders: int = orders
        self._con, self._last_page = con, last_page

    def end_at(self, page: int) -> None:
        """Note that page numbers end here, earlier than thought."""
        self._last_page = min(self._last_page, page)

    def on_pages(self, order: OrderSort, nulls: Nulls) -> dict[int, float]:
        """Return how many orders that wait each page should show, for pages that show any.

        Where the places of orders without updated_at look random, each of their rows shows one
        that waits by chance.
        """
        down = order.startswith("-")
        if order.endswith("created_at"):
            return self._count("true", "by_created", self._orders, down=down)
        changed = self._orders - self.nulls
        found = self._count(
            "not tied", "by_updated", changed, down=down, before=self.nulls if nulls.first else 0
        )
        before = 0 if nulls.first else changed
        if nulls.key is not None:
            place = "by_updated" if nulls.key.endswith("id") else "by_creation"
            down = nulls.key.startswith("-")
            tied = self._count("tied", place, self.nulls, down=down, before=before)
        else:
            share = self._tied_that_wait() / max(1, self.nulls)
            tied = {}
            for page in range(before // MAX_LIMIT + 1, self._last_page + 1):
                start = max(before, (page - 1) * MAX_LIMIT)
                rows = min(before + self.nulls, page * MAX_LIMIT) - start
                if rows <= 0:
                    break
                tied[page] = rows * share
        return {page: found.get(page, 0) + tied.get(page, 0) for page in sorted({*found, *tied})}

    def _count(
        self, which: str, place: str, of: int, *, down: bool, before: int = 0
    ) -> dict[int, float]:
        place = f"{before} + " + (f"{of} + 1 - {place}" if down else place)
        rows = self._con.execute(
            f"select ({place} - 1) // {MAX_LIMIT} + 1 as page, count(*)::double"
            f" from places semi join waiting using (order_id) where {which}"
            " group by page having page <= ? order by page",
            [self._last_page],
        ).fetchall()
        return {int(page): float(count) for page, count in rows}

    def _tied_that_wait(self) -> int:
        rows = self._con.execute(
            "select count(*) from places semi join waiting using (order_id) where tied"
        ).fetchall()
        return int(rows[0][0])
