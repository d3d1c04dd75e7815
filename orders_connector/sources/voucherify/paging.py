"""Page arithmetic and page reading for the listing of orders: no network, no warehouse.

`GET /v1/orders` pages by number (`limit` 1..100, `page` 1..100, Voucherify OpenAPI, orders.json),
so a sort order reaches 10,000 orders and rows shift between requests. Pages are therefore asked for
so that each overlaps the one before it: a row that stands on both, unchanged, proves that nothing
between them was skipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import duckdb

__all__ = [
    "MAX_LIMIT",
    "REACH",
    "MalformedPage",
    "PageFacts",
    "PageReader",
    "PageRequest",
    "Reach",
    "next_request",
]

MAX_LIMIT = 100


class PageRequest(NamedTuple):
    """Query of one page; it shows the rows `[start, start + limit)` of the listing."""

    page: int
    limit: int

    @property
    def start(self) -> int:
        """Rows of the listing before the page."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True)
class Reach:
    """How far page numbers go in one sort order.

    Attributes:
        pages: Highest page number that is answered, from 1; documented as 100.
        limit: Most orders on a page.
    """

    pages: int = 100
    limit: int = MAX_LIMIT

    @property
    def orders(self) -> int:
        """Orders that a sort order shows at most."""
        return self.pages * self.limit

    @property
    def last_request(self) -> PageRequest:
        """The page that shows the last row within reach."""
        return PageRequest(self.pages, self.limit)


REACH = Reach().orders


def next_request(read: int, reach: Reach, *, overlap: int = 1) -> PageRequest | None:
    """Return the page that goes furthest beyond the first `read` rows and still overlaps them.

    Args:
        read: Rows of the listing that are behind us.
        reach: How far page numbers go.
        overlap: Rows behind us that the page must show at least.

    Returns:
        None where no page both overlaps and adds rows: with 100 pages of 100 from row 9,900 on.
    """
    if read == 0:
        return reach.last_request._replace(page=1)
    if read < overlap:
        return None
    smallest = (reach.limit + 1) // 2
    candidates = [
        PageRequest((read - overlap) // limit + 1, limit)
        for limit in range(reach.limit, smallest - 1, -1)
        if (read - overlap) // limit < reach.pages
    ]
    best = max(candidates, key=lambda request: request.start + request.limit, default=None)
    return best if best and best.start + best.limit > read else None


class MalformedPage(ValueError):
    """A page is not JSON, or holds no list of orders."""


@dataclass(frozen=True)
class PageFacts:
    """What a walk must know of a page.

    Rows that are no orders, or whose key is no time, have a place in the listing but say nothing
    about the sort: `first`, `last` and the nulls are those of the other rows.

    Attributes:
        count: Rows on the page.
        total: Orders the source counts, None when it does not say.
        newest: Newest value of the sort key, UTC.
        oldest: Oldest value of the sort key, UTC.
        first: Sort key of the first row, None when it has none, UTC.
        last: Sort key of the last row, None when it has none, UTC.
        starts_with_null: The first row has no sort key.
        ends_with_null: The last row has no sort key.
        tied: Rows at the end that share the sort key of the last row.
        anchors: Rows that this walk read before, unchanged.
        fresh: Rows that this walk did not read before.
        known_first: No row that this walk read before stands below one that it did not.
    """

    count: int = 0
    total: int | None = None
    newest: datetime | None = None
    oldest: datetime | None = None
    first: datetime | None = None
    last: datetime | None = None
    starts_with_null: bool = False
    ends_with_null: bool = False
    tied: int = 0
    anchors: int = 0
    fresh: int = 0
    known_first: bool = True


# Columns in the order of the fields of PageFacts.
_FACTS = """
    with edges as (
        select
            first(key order by position) as first_key,
            last(key order by position) as last_key,
            count(*) as sorted_rows
        from here
        where sorted
    )
    select
        count(*),
        $total::bigint,
        max(h.key),
        min(h.key),
        any_value(e.first_key),
        any_value(e.last_key),
        coalesce(any_value(e.sorted_rows), 0) > 0 and any_value(e.first_key) is null,
        coalesce(any_value(e.sorted_rows), 0) > 0 and any_value(e.last_key) is null,
        count(*) - coalesce(
            max(h.position) filter (where h.sorted and h.key is distinct from e.last_key), 0),
        count(*) filter (where s.id is not null and h.key is not distinct from s.key),
        count(*) filter (where s.id is null),
        coalesce(
            max(h.position) filter (where s.id is not null)
            < min(h.position) filter (where s.id is null and h.id is not null), true)
    from here as h
    cross join edges as e
    left join seen as s on s.id = h.id
"""


class PageReader:
    """Reads the facts of each page of one walk, without a Python object per order.

    DuckDB's JSON reader takes the page apart; only numbers and two times come back.
    """

    def __init__(self, sort_key: str) -> None:
        self._con = duckdb.connect()
        self._con.execute("set TimeZone = 'UTC'")
        self._con.execute("set threads = 1")
        self._con.execute("create table seen (id varchar, key timestamptz)")
        shape = json.dumps({"orders": [{"id": "VARCHAR", sort_key: "VARCHAR"}], "total": "VARCHAR"})
        self._take_apart = (
            f"create or replace table page as select from_json($body, '{shape}') as it"
        )
        self._rows = (
            "create or replace table here as"
            f" select position, row.id as id, try_cast(row.{sort_key} as timestamptz) as key,"
            f" row.id is not null and (row.{sort_key} is null or key is not null) as sorted"
            " from (select unnest(it.orders) as row, generate_subscripts(it.orders, 1) as position"
            "  from page)"
        )

    def read(self, body: bytes) -> PageFacts:
        """Return the facts of a page and remember its rows.

        Raises:
            MalformedPage: the body is not JSON in UTF-8 or has no `orders` array.
        """
        con = self._con
        try:
            con.execute(self._take_apart, {"body": body.decode("utf-8")})
        except (UnicodeDecodeError, duckdb.Error) as error:
            raise MalformedPage(str(error).split("Input:")[0].strip()) from error
        ((no_list, total),) = con.execute(
            "select it.orders is null, try_cast(it.total as bigint) from page"
        ).fetchall()
        if no_list:
            raise MalformedPage("there is no list `orders` in the answer")
        con.execute(self._rows)
        facts = PageFacts(*con.execute(_FACTS, {"total": total}).fetchall()[0])
        con.execute("delete from seen where id in (select id from here)")
        con.execute(
            "insert into seen select distinct on (id) id, key from here where id is not null"
        )
        return facts

    def forget(self) -> None:
        """Forget all rows: the walk starts again from the top."""
        self._con.execute("truncate seen")

    @property
    def orders_seen(self) -> int:
        """Distinct orders on all pages read."""
        return int(self._con.execute("select count(*) from seen").fetchall()[0][0])

    def close(self) -> None:
        """Free the reader."""
        self._con.close()
