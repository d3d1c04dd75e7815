"""Takes a page of orders apart as far as a walk must know it: ids, dates, stages, its end.

DuckDB's JSON reader does the work, so that a page of megabytes does not become Python objects.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import duckdb

__all__ = ["MalformedPage", "PageRows", "RowReader"]


class MalformedPage(ValueError):
    """A page is not JSON, or not an answer that holds a list of orders."""


@dataclass(frozen=True)
class PageRows:
    """The rows of a page, in their order, and what it says of the list.

    Attributes:
        ids: Order ids; None for a row that has none.
        keys: Times of creation, UTC; None for a row whose time cannot be read.
        stages: `current_stage`, as sent.
        more: Whether more orders follow; None when the page does not say.
        total: Orders in the list; None when the source does not say.
    """

    ids: tuple[str | None, ...] = ()
    keys: tuple[datetime | None, ...] = ()
    stages: tuple[str | None, ...] = ()
    more: bool | None = None
    total: int | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sorted_keys(self) -> list[datetime]:
        """The times that can be read; rows without one say nothing about the sort."""
        return [key for key in self.keys if key is not None]


_SHAPE = json.dumps(
    {
        "orders": [{"order_id": "VARCHAR", "creation_dts": "VARCHAR", "current_stage": "VARCHAR"}],
        "success": "VARCHAR",
        "metadata": {
            "payload_name": "VARCHAR",
            "result_set": {"more": "VARCHAR", "total_records": "VARCHAR"},
        },
    }
)
_TAKE_APART = f"""
    create or replace table page as
    select json_type($body, '$.orders') as kind, from_json($body, '{_SHAPE}') as it
"""
_FACTS = """
    select kind, it.success, it.metadata.payload_name, it.metadata.result_set.more,
        try_cast(it.metadata.result_set.total_records as bigint)
    from page
"""
_ROWS = """
    select nullif(id, ''), case when isfinite(created) then created end, stage
    from (
        select row.order_id as id, try_cast(row.creation_dts as timestamptz) as created,
            row.current_stage as stage, position
        from (
            select unnest(it.orders) as row, generate_subscripts(it.orders, 1) as position
            from page
        )
    )
    order by position
"""


class RowReader:
    """Reads pages, one after the other."""

    def __init__(self) -> None:
        self._con = duckdb.connect()
        self._con.execute("set TimeZone = 'UTC'")
        self._con.execute("set threads = 1")

    def read(self, body: bytes) -> PageRows:
        """Return the rows of a page.

        Nulls and empty lists may be left out, so an answer without `orders` has none, if it is one
        about orders at all.

        Raises:
            MalformedPage: the body is not JSON in UTF-8, or no such answer.
        """
        con = self._con
        try:
            con.execute(_TAKE_APART, {"body": body.decode("utf-8")})
        except (UnicodeDecodeError, duckdb.Error) as error:
            raise MalformedPage(str(error).split("Input:")[0].strip()) from error
        ((kind, success, payload, more, total),) = con.execute(_FACTS).fetchall()
        if kind not in (None, "NULL", "ARRAY"):
            raise MalformedPage(f"`orders` is no list but {kind.lower()}")
        if kind != "ARRAY" and success != "true" and payload != "orders":
            raise MalformedPage("there is no list `orders` in the answer")
        rows = con.execute(_ROWS).fetchall() if kind == "ARRAY" else []
        ids, keys, stages = zip(*rows, strict=True) if rows else ((), (), ())
        return PageRows(ids, keys, stages, {"true": True, "false": False}.get(more), total)

    def order_of(self, body: bytes) -> bytes:
        """Return the order in the answer to a get as a page of one order, its text as it came.

        Raises:
            MalformedPage: the body is not JSON in UTF-8 or holds no order.
        """
        try:
            ((order,),) = self._con.execute(
                "select json_extract($body, '$.order')", {"body": body.decode("utf-8")}
            ).fetchall()
        except (UnicodeDecodeError, duckdb.Error) as error:
            raise MalformedPage(str(error).split("Input:")[0].strip()) from error
        if order is None:
            raise MalformedPage("there is no `order` in the answer")
        return b'{"orders":[' + str(order).encode() + b"]}"
