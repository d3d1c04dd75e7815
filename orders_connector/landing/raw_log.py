"""Appends order versions to the raw log; the JSON is taken apart by DuckDB, not by Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from orders_connector.landing.spool import SCHEMA
from orders_connector.sources.base import PayloadContract

__all__ = ["Landed", "land"]

PAGE_STRIDE = 1_000_000  # more orders than any page has: (page, position) as one number


@dataclass
class Landed:
    """What landing did with the pages of an extraction."""

    orders_read: int = 0
    versions: int = 0
    new_orders: int = 0
    quarantined: int = 0


def land(
    con: duckdb.DuckDBPyConnection,
    open_pages: Callable[[], Iterable[pa.RecordBatch]],
    *,
    contract: PayloadContract,
    source: str,
    account: str,
    extraction_id: str,
    loaded_at: datetime,
) -> Landed:
    """Append the versions that the raw log does not have, inside the caller's transaction.

    A version is known by (source, account, order_id, content hash). One that was seen before is
    stored again only when the source went back to it without a new version_at; otherwise the
    raw log would end on the state in between.

    Rows without an identity go to quarantine with their text. Rows with an identity that cannot be
    read go to the raw log *and* to quarantine, and no model reads them.

    The pages are read twice: first for identities and hashes, which are small, then to stream the
    payloads that are new into the table. So memory does not grow with the size of the load.

    Args:
        con: Connection to the warehouse.
        open_pages: Gives the pages from the start each time (`page`, `channel`, `body`: JSON).
        contract: Where the source keeps what.
        source: Kind of API.
        account: Configured account.
        extraction_id: The extraction these pages belong to.
        loaded_at: Time of the load, UTC.
    """
    identity = {"source": source, "account": account}
    origin = identity | {"extraction": extraction_id, "at": loaded_at}
    split = _split(contract)
    _run(con, open_pages, _incoming(contract, split), identity)
    ((newest,),) = con.execute(
        "select coalesce(max(version_id), 0) from raw.order_payloads"
    ).fetchall()
    con.execute(DECIDE, identity | {"newest": newest})
    landed = Landed(versions=_run(con, open_pages, APPEND.format(split=split), origin))
    counts = con.execute(COUNTS).fetchall()[0]
    landed.orders_read, landed.new_orders, unreadable = counts
    if unreadable:
        landed.quarantined = _run(con, open_pages, QUARANTINE.format(split=split), origin)
    con.execute("drop table incoming")
    con.execute("drop table kept")
    return landed


def _run(
    con: duckdb.DuckDBPyConnection,
    open_pages: Callable[[], Iterable[pa.RecordBatch]],
    sql: str,
    parameters: dict[str, Any],
) -> int:
    """Run a statement that reads `pages` and return the rows it wrote.

    DuckDB cannot know how many pages will come and may build its hash table from them, payloads
    and all. Without these two optimizers it builds it from the side that is written second.
    """
    con.register("pages", pa.RecordBatchReader.from_batches(SCHEMA, open_pages()))
    con.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
    rows = con.execute(sql, parameters).fetchall()
    con.execute("reset disabled_optimizers")
    con.unregister("pages")
    return int(rows[0][0])


def _split(contract: PayloadContract) -> str:
    """SQL that splits pages into orders, each with its place in the load as one number."""
    return f"""(
        select page, position, channel, payload, page::bigint * {PAGE_STRIDE} + position as place
        from (
            select page, channel, unnest(orders) as payload,
                generate_subscripts(orders, 1) as position
            from (
                select page, channel, json_extract(body, '{contract.orders_path}[*]') as orders
                from pages
            )
        )
    )"""


def _incoming(contract: PayloadContract, split: str) -> str:
    """SQL that reads what landing needs of each order and leaves the payload behind."""
    values = ", ".join(f"'{path}'" for path in (contract.id_path, *contract.version_paths))
    types = ", ".join(f"'{path}'" for path in ("$", contract.id_path, *contract.shapes))
    # v[1] is the id, v[2] and on are the times; t[1] is the order, t[2] the id, t[3] and on shapes.
    times = {
        path.removeprefix("$."): f"v[{n}]" for n, path in enumerate(contract.version_paths, start=2)
    }
    version_at = f"coalesce({', '.join(f'try_cast({v} as timestamptz)' for v in times.values())})"
    reasons = [
        "when t[1] = 'NULL' then 'null stands where an order should'",
        "when t[1] = 'VARCHAR' then 'malformed JSON, or text where an order should stand'",
        "when t[1] <> 'OBJECT' then 'not an order but ' || lower(t[1])",
        f"when not coalesce({HAS_ID}, false) then 'the order has no id'",
        *(
            f"when {v} is not null and not coalesce(isfinite(try_cast({v} as timestamptz)), false)"
            f" then '{name} is not a time: ' || {v}[:80]"
            for name, v in times.items()
        ),
        f"when {version_at} is null then 'the order has neither {' nor '.join(times)}'",
        *(
            f"when t[{n}] not in ('{shape}', 'NULL')"
            f" then '{path.removeprefix('$.')} is not {shape.lower()} but ' || lower(t[{n}])"
            for n, (path, shape) in enumerate(contract.shapes.items(), start=3)
        ),
    ]
    return f"""
        create or replace temp table incoming as
        select place, content_hash, order_id, version_at, reason,
            (md5_number_lower($source || '/' || $account || '/' || order_id) >> 1)::bigint
                as order_key
        from (
            select place, content_hash, {version_at} as version_at,
                case when {HAS_ID} then v[1] end as order_id,
                case {" ".join(reasons)} end as reason
            from (
                select place, md5(payload) as content_hash,
                    json_extract_string(payload, [{values}]) as v,
                    json_type(payload, [{types}]) as t
                from {split}
            )
        )
    """


HAS_ID = "(t[2] in ('VARCHAR', 'UBIGINT', 'BIGINT') and v[1] <> '')"

# The last sighting of a text in a load counts: when the source goes from A to B and back to A,
# A is the newer one.
DECIDE = """
    create or replace temp table kept as
    with sighted as (
        select order_key, order_id, content_hash, any_value(version_at) as version_at,
            max(place) as place
        from incoming
        where order_id is not null
        group by order_key, order_id, content_hash
    ),
    known as (
        select r.order_key, r.order_id, r.content_hash, r.version_at,
            row_number() over (
                partition by r.order_key, r.order_id order by r.version_at desc, r.version_id desc
            ) = 1 as is_current
        from raw.order_payloads as r
        where r.order_key in (select order_key from sighted)
            and r.source = $source and r.account = $account
    ),
    latest as (select order_key, order_id, content_hash, version_at from known where is_current)
    select s.place, s.order_key, s.order_id, s.content_hash, s.version_at,
        l.order_id is null as is_new_order,
        $newest + row_number() over (order by s.place) as version_id
    from sighted as s
    left join latest as l on l.order_key = s.order_key and l.order_id = s.order_id
    where not exists (
        from known as k
        where k.order_key = s.order_key and k.order_id = s.order_id
            and k.content_hash = s.content_hash
    )
    or (l.content_hash <> s.content_hash and l.version_at = s.version_at)
"""

APPEND = """
    insert into raw.order_payloads
    select k.version_id, k.order_key, $source, $account, k.order_id, k.version_at, k.content_hash,
        p.payload, p.channel, $extraction, p.page, p.position, $at, i.reason
    from {split} as p
    inner join kept as k on k.place = p.place
    inner join incoming as i on i.place = p.place
"""

QUARANTINE = """
    insert into ops.quarantine
    select $source, $account, i.order_id, r.version_id, 'landing', i.reason, i.content_hash,
        case when i.order_id is null then p.payload end, $extraction, p.page, p.position, $at
    from {split} as p
    inner join (from incoming where reason is not null) as i on i.place = p.place
    left join raw.order_payloads as r
        on r.extraction_id = $extraction and r.order_key = i.order_key
        and r.content_hash = i.content_hash and r.order_id = i.order_id
    where not exists (
        from ops.quarantine as q
        where q.source = $source and q.account = $account and q.reason = i.reason
            and q.content_hash is not distinct from i.content_hash
    )
    qualify row_number() over (partition by i.content_hash, i.reason order by i.place) = 1
"""

COUNTS = """
    select
        (select count(*) from incoming),
        (select count(distinct (order_key, order_id)) from kept where is_new_order),
        (select count(*) from incoming where reason is not null)
"""
