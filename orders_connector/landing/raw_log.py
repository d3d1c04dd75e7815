"""Appends order versions to the raw log; the JSON is taken apart by DuckDB, not by Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

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
    without_identity: int = 0
    bytes: int = 0


def land(
    con: duckdb.DuckDBPyConnection,
    batches: Iterable[pa.RecordBatch],
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

    Args:
        con: Connection to the warehouse.
        batches: Pages of valid JSON (`page`, `channel`, `body`).
        contract: Where the source keeps what.
        source: Kind of API.
        account: Configured account.
        extraction_id: The extraction these pages belong to.
        loaded_at: Time of the load, UTC.
    """
    landed = Landed()
    identity = {"source": source, "account": account}
    for batch in batches:
        landed.bytes += batch.nbytes
        con.register("pages", pa.Table.from_batches([batch]))
        con.execute(_incoming(contract), identity)
        con.unregister("pages")
        ((newest,),) = con.execute(
            "select coalesce(max(version_id), 0) from raw.order_payloads"
        ).fetchall()
        con.execute(DECIDE, identity | {"newest": newest})
        origin = identity | {"extraction": extraction_id, "at": loaded_at}
        ((versions,),) = con.execute(APPEND, origin).fetchall()
        ((read, new, nameless, unreadable),) = con.execute(COUNTS).fetchall()
        if unreadable:
            ((quarantined,),) = con.execute(QUARANTINE, origin).fetchall()
            landed.quarantined += quarantined
        landed.orders_read += read
        landed.versions += versions
        landed.new_orders += new
        landed.without_identity += nameless
    con.execute("drop table if exists incoming")
    con.execute("drop table if exists kept")
    return landed


def _incoming(contract: PayloadContract) -> str:
    """SQL that splits pages into orders and reads what landing needs, parsing each order twice."""
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
        select page, position, channel, payload, content_hash, order_id, version_at, reason,
            page::bigint * {PAGE_STRIDE} + position as place,
            (md5_number_lower($source || '/' || $account || '/' || order_id) >> 1)::bigint
                as order_key
        from (
            select page, position, channel, payload, md5(payload) as content_hash,
                case when {HAS_ID} then v[1] end as order_id,
                {version_at} as version_at,
                case {" ".join(reasons)} end as reason
            from (
                select page, channel, payload, position,
                    json_extract_string(payload, [{values}]) as v,
                    json_type(payload, [{types}]) as t
                from (
                    select page, channel, unnest(orders) as payload,
                        generate_subscripts(orders, 1) as position
                    from (
                        select page, channel,
                            json_extract(body, '{contract.orders_path}[*]') as orders
                        from pages
                    )
                )
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
    select s.place, s.order_key, s.order_id, l.order_id is null as is_new_order,
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
    select k.version_id, i.order_key, $source, $account,
        i.order_id, i.version_at, i.content_hash, i.payload, i.channel, $extraction, i.page,
        i.position, $at, i.reason
    from incoming as i
    inner join kept as k on k.place = i.place
"""

QUARANTINE = """
    insert into ops.quarantine
    select $source, $account, i.order_id, r.version_id, 'landing', i.reason, i.content_hash,
        case when i.order_id is null then i.payload end, $extraction, i.page,
        i.position, $at
    from incoming as i
    left join raw.order_payloads as r
        on r.extraction_id = $extraction and r.order_key = i.order_key
        and r.content_hash = i.content_hash and r.order_id = i.order_id
    where i.reason is not null
        and not exists (
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
        (select count(distinct content_hash) from incoming where order_id is null),
        (select count(*) from incoming where reason is not null)
"""
