"""Appends order versions to the raw log; the JSON is taken apart by DuckDB, not by Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from orders_connector.landing.spool import SCHEMA
from orders_connector.sources.base import PayloadContract
from orders_connector.warehouse.database import plan_without

__all__ = ["EXPORT", "GONE", "Landed", "land", "land_gone", "land_rows"]

EXPORT = "export"  # channel of versions whose header alone is known
GONE = "gone"  # channel of the answer that an order is not there any more

PAGE_STRIDE = 1_000_000  # more orders than any page has: (page, position) as one number


@dataclass
class Landed:
    """What landing did with the pages of an extraction."""

    orders_read: int = 0
    versions: int = 0
    new_orders: int = 0
    quarantined: int = 0

    def __add__(self, other: Landed) -> Landed:
        """Add what another landing did."""
        return Landed(
            self.orders_read + other.orders_read,
            self.versions + other.versions,
            self.new_orders + other.new_orders,
            self.quarantined + other.quarantined,
        )


def land(
    con: duckdb.DuckDBPyConnection,
    open_pages: Callable[[], Iterable[pa.RecordBatch]],
    *,
    contract: PayloadContract,
    source: str,
    account: str,
    extraction_id: str,
    loaded_at: datetime,
    held_by: str | None = None,
) -> Landed:
    """Append the versions that the raw log does not have, inside the caller's transaction.

    A version is known by (source, account, order_id, content hash). One that was seen before is
    stored again only when the source went back to it without a new version_at, or when the order
    was gone since; otherwise the raw log would end on the state in between.

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
        held_by: Note in raw.export_rows, under this id, which orders the pages held.
    """
    origin = {"source": source, "account": account, "extraction": extraction_id, "at": loaded_at}
    given = _Input(_split(contract), open_pages)
    return _land(con, given, contract, origin, keep=HELD if held_by else None, keep_with=held_by)


def land_rows(
    con: duckdb.DuckDBPyConnection,
    rows: str,
    *,
    contract: PayloadContract,
    job_id: str,
    source: str,
    account: str,
    extraction_id: str,
    loaded_at: datetime,
) -> Landed:
    """Append the header versions of an export, as `land` does for pages.

    They are a channel of their own (`export`): de-duplicated among themselves, and left out where
    a full version of the same version_at is known, as they would say less. Which orders the file
    held, and how they stood, is kept in raw.export_rows in any case.

    Args:
        con: Connection to the warehouse.
        rows: SQL relation with `position` and `payload`; read once.
        contract: Where the payload keeps what.
        job_id: The export, in ops.export_jobs.
        source: Kind of API.
        account: Configured account.
        extraction_id: The extraction that brought the file.
        loaded_at: Time of the load, UTC.
    """
    origin = {"source": source, "account": account, "extraction": extraction_id, "at": loaded_at}
    con.execute(f"create temp table file_rows as select position, payload from {rows}")
    split = f"""(
        select 1 as page, position, '{EXPORT}' as channel, payload, position as place
        from file_rows
    )"""
    landed = _land(con, _Input(split), contract, origin, keep=NOTE_ROWS, keep_with=job_id)
    con.execute("drop table file_rows")
    return landed


def land_gone(
    con: duckdb.DuckDBPyConnection,
    answers: Iterable[tuple[str, str]],
    *,
    source: str,
    account: str,
    extraction_id: str,
    loaded_at: datetime,
    parts: Iterable[tuple[str, str, str]] = (),
) -> int:
    """Note that orders are not there any more, in the caller's transaction.

    The answer that said so becomes the newest entry of the order in the raw log; nothing is
    removed. `core.orders` shows the order as deleted, and the marts drop it.

    Args:
        con: Connection to the warehouse.
        answers: Order ids with the source's answer (JSON).
        source: Kind of API.
        account: Configured account.
        extraction_id: The extraction that asked.
        loaded_at: Time of the answers, UTC.
        parts: Order ids with ids of their parts and the source's answer, the same way.

    Returns:
        Orders that were there before; parts do not count.
    """
    told = [(order_id, None, answer) for order_id, answer in answers] + list(parts)
    if not told:
        return 0
    columns = ("order_id", "part_id", "answer")
    texts = [pa.array(column, pa.string()) for column in zip(*told, strict=True)]
    con.register("told", pa.table(texts, names=columns))
    rows = con.execute(
        NOTE_GONE,
        {"source": source, "account": account, "extraction": extraction_id, "at": loaded_at},
    ).fetchall()
    con.unregister("told")
    return sum(1 for (part_id,) in rows if part_id is None)


@dataclass(frozen=True)
class _Input:
    """Rows of (page, position, channel, payload, place), read from the start by each statement."""

    split: str
    open_pages: Callable[[], Iterable[pa.RecordBatch]] | None = None


def _land(
    con: duckdb.DuckDBPyConnection,
    given: _Input,
    contract: PayloadContract,
    origin: dict[str, Any],
    *,
    keep: str | None = None,
    keep_with: str | None = None,
) -> Landed:
    identity = {"source": origin["source"], "account": origin["account"]}
    _run(con, given, _incoming(contract, given.split), identity)
    ((newest,),) = con.execute(
        "select coalesce(max(version_id), 0) from raw.order_payloads"
    ).fetchall()
    decide, seen = (DECIDE_UNDATED, {"at": origin["at"]}) if contract.undated else (DECIDE, {})
    con.execute(decide, identity | {"newest": newest} | seen)
    landed = Landed(versions=_run(con, given, APPEND.format(split=given.split), origin))
    counts = con.execute(COUNTS).fetchall()[0]
    landed.orders_read, landed.new_orders, unreadable = counts
    if unreadable:
        landed.quarantined = _run(con, given, QUARANTINE.format(split=given.split), origin)
    if keep:
        con.execute(keep, identity | {"job": keep_with})
    if contract.part_path:
        con.execute(MOVED, origin)
    con.execute("drop table incoming")
    con.execute("drop table kept")
    return landed


def _run(
    con: duckdb.DuckDBPyConnection, given: _Input, sql: str, parameters: dict[str, Any]
) -> int:
    """Run a statement that reads the input and return the rows it wrote.

    DuckDB cannot know how many pages will come and may build its hash table from them, payloads
    and all. Without these two optimizers it builds it from the side that is written second.
    """
    if given.open_pages:
        con.register("pages", pa.RecordBatchReader.from_batches(SCHEMA, given.open_pages()))
    plan_without(con, "join_order", "build_side_probe_side")
    rows = con.execute(sql, parameters).fetchall()
    plan_without(con)
    if given.open_pages:
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
    ids = [path for path in (contract.id_path, contract.part_path) if path]
    drifting = (*_own(contract), *_objects(contract), *_counts(contract))
    v = _places("v", *ids, *contract.version_paths, *drifting)
    t = _places("t", "$", *ids, *contract.shapes, *drifting)
    values, types = (", ".join(f"'{path}'" for path in paths) for paths in (v, t))
    has_id, *has_part = (
        f"({t[path]} in ('VARCHAR', 'UBIGINT', 'BIGINT') and {v[path]} <> '')" for path in ids
    )
    times = {path.removeprefix("$."): v[path] for path in contract.version_paths}
    moments = ", ".join(f"try_cast({text} as timestamptz)" for text in times.values())
    version_at = f"list_max([{moments}])" if contract.undated else f"coalesce({moments})"
    thing = "part of an order" if contract.part_path else "order"
    a_thing = f"a{'n' * (thing == 'order')} {thing}"
    lacks = "names no order" if contract.part_path else "has no id"
    whole = t["$"]
    reasons = [
        f"when {whole} = 'NULL' then 'null stands where {a_thing} should'",
        f"when {whole} = 'VARCHAR' then 'malformed JSON, or text where {a_thing} should stand'",
        f"when {whole} <> 'OBJECT' then 'not {a_thing} but ' || lower({whole})",
        f"when not coalesce({has_id}, false) then 'the {thing} {lacks}'",
        *(f"when not coalesce({has}, false) then 'the {thing} has no id'" for has in has_part),
        *(
            f"when {text} is not null"
            f" and not coalesce(isfinite(try_cast({text} as timestamptz)), false)"
            f" then '{name} is not a time: ' || {text}[:80]"
            for name, text in times.items()
        ),
        f"when {version_at} is null then 'the {thing} has neither {' nor '.join(times)}'",
        *(
            f"when {t[path]} not in ('{shape}', 'NULL')"
            f" then '{path.removeprefix('$.')} is not {shape.lower()} but ' || lower({t[path]})"
            for path, shape in contract.shapes.items()
        ),
    ]
    part_id = f"case when {has_part[0]} then {v[ids[1]]} end" if has_part else "null::varchar"
    return f"""
        create or replace temp table incoming as
        select place, content_hash, order_id, part_id, version_at, reason, is_export,
            {ORDER_KEY} as order_key
        from (
            select place, is_export, {version_at} as version_at,
                md5({_without_counts(contract, v, t)}) as content_hash,
                case when {" and ".join([has_id, *has_part])} then {v[ids[0]]} end as order_id,
                {part_id} as part_id,
                case {" ".join(reasons)} end as reason
            from (
                select *, {_cut("text", _counts_as_text(contract, v))} as cut
                from (
                    select *, {_without_own(contract, v, t)} as text
                    from (
                        select place, payload, channel = '{EXPORT}' as is_export,
                            json_extract_string(payload, [{values}]) as v,
                            json_type(payload, [{types}]) as t
                        from {split}
                    )
                )
            )
        )
    """


def _places(name: str, *paths: str) -> dict[str, str]:
    """Return the paths that are read together, each once, and where a list has what they hold."""
    return {path: f"{name}[{n}]" for n, path in enumerate(dict.fromkeys(paths), start=1)}


# What a version is recognised by: its text, less what drifts. The text stays as it is around that:
# to write all of it anew costs as much as the rest of landing, and so much memory for each of
# 2,048 orders that DuckDB may have none left.


def _own(contract: PayloadContract) -> list[str]:
    """Return the paths of an order's own keys that drift."""
    return [f"$.{key}" for key in contract.drifting.get("$", ())]


def _objects(contract: PayloadContract) -> dict[str, list[str]]:
    """Return the paths of objects in an order, with those of what drifts in each."""
    return {
        path: [f"{path}.{key}" for key in keys]
        for path, keys in contract.drifting.items()
        if path != "$"
    }


def _counts(contract: PayloadContract) -> list[str]:
    """Return the paths of all that drifts in objects."""
    return [path for paths in _objects(contract).values() for path in paths]


def _without_own(contract: PayloadContract, v: Mapping[str, str], t: Mapping[str, str]) -> str:
    """SQL of an order's text less its own keys that drift, as if they were not there.

    Where an order holds the same twice under the same name, it is left out twice.
    """
    text = "payload::varchar"
    for path in _own(contract):
        name, told = f'"{_key(path)}":', f"coalesce({v[path]}, 'null')"
        less = f"replace({text}, ',{name}' || {told}, '')"
        less = f"replace({less}, '{{{name}' || {told} || ',', '{{')"
        text = f"case when {t[path]} in ('ARRAY', 'OBJECT', 'NULL') then {less} else {text} end"
    return text


def _counts_as_text(contract: PayloadContract, v: Mapping[str, str]) -> list[str]:
    """SQL of how each count that drifts is written where it is a number and not the first key."""
    return [f"coalesce(',\"{_key(path)}\":' || {v[path]}, '')" for path in _counts(contract)]


def _cut(text: str, pieces: list[str]) -> str:
    for piece in pieces:
        text = f"replace({text}, {piece}, '')"
    return text


def _without_counts(contract: PayloadContract, v: Mapping[str, str], t: Mapping[str, str]) -> str:
    """SQL of `text` less what drifts in the objects that it holds.

    `cut` is just that where each count is a number, is nowhere the first key, and one of each was
    cut out. Else the objects are written anew, which takes longer than the rest of the hash. Where
    an order holds the same object twice under the same name, it is left out twice.
    """
    if not _counts(contract):
        return "text"
    anew = "text"
    for path, counts in _objects(contract).items():
        name, patch = f'"{_key(path)}":', json.dumps(dict.fromkeys(map(_key, counts)))
        kept = f"json_merge_patch({v[path]}, '{patch}')"
        less = f"replace({anew}, '{name}' || {v[path]}, '{name}' || {kept})"
        anew = f"case when {t[path]} = 'OBJECT' then {less} else {anew} end"
    lengths = (f"strlen({piece})" for piece in _counts_as_text(contract, v))
    just_these = [f"strlen(text) - strlen(cut) = {' + '.join(lengths)}"]
    for path in _counts(contract):
        just_these.append(f"coalesce({t[path]}, 'BIGINT') in ('UBIGINT', 'BIGINT')")
        just_these.append(f"not contains(text, '{{\"{_key(path)}\":')")
    return f"case when {' and '.join(just_these)} then cut else {anew} end"


def _key(path: str) -> str:
    return path.rpartition(".")[2]


ORDER_KEY = "(md5_number_lower($source || '/' || $account || '/' || order_id) >> 1)::bigint"
# Of what is known by order and part; the part is NULL for the order itself.
SAME = (
    "{0}.order_key = {1}.order_key and {0}.order_id = {1}.order_id"
    " and {0}.part_id is not distinct from {1}.part_id"
)

SIGHTED = f"""
    with sighted as (
        select order_key, order_id, part_id, content_hash, is_export,
            any_value(version_at) as version_at, max(place) as place
        from incoming
        where order_id is not null
        group by order_key, order_id, part_id, content_hash, is_export
    ),
    known as (
        select r.order_key, r.order_id, r.part_id, r.content_hash, r.version_at, r.version_id,
            r.channel = '{EXPORT}' as is_export, r.channel = '{GONE}' as is_gone
        from raw.order_payloads as r
        where r.order_key in (select order_key from sighted)
            and r.source = $source and r.account = $account
    ),
    states as (
        select order_key, order_id, part_id,
            coalesce(max(version_id) filter (where is_gone), 0)
                > coalesce(max(version_id) filter (where not is_gone), 0) as is_gone
        from known
        group by order_key, order_id, part_id
    ),
    latest as (
        select order_key, order_id, part_id, is_export, content_hash, version_at
        from known
        where not is_gone
        qualify row_number() over (
            partition by order_key, order_id, part_id, is_export
            order by version_at desc, version_id desc
        ) = 1
    )
"""

# The last sighting of a text in a load counts: when the source goes from A to B and back to A,
# A is the newer one. Headers from an export and full orders are compared with their like only.
DECIDE = f"""
    create or replace temp table kept as {SIGHTED}
    select s.place, s.order_key, s.order_id, s.part_id, s.content_hash, s.version_at,
        coalesce(t.is_gone, true) as is_new,
        $newest + row_number() over (order by s.place) as version_id
    from sighted as s
    left join states as t on {SAME.format("t", "s")}
    left join latest as l on {SAME.format("l", "s")} and l.is_export = s.is_export
    left join latest as f
        on s.is_export and not f.is_export
        and {SAME.format("f", "s")} and f.version_at = s.version_at
    where coalesce(t.is_gone, true)
        or (
            f.order_id is null
            and (
                not exists (
                    from known as k
                    where {SAME.format("k", "s")} and k.content_hash = s.content_hash
                        and k.is_export = s.is_export and not k.is_gone
                )
                or (l.content_hash <> s.content_hash and l.version_at = s.version_at)
            )
        )
"""

# Where no time tells which text is newer, the order of the sightings does: a text is a version when
# it differs from the one seen before it.
DECIDE_UNDATED = f"""
    create or replace temp table kept as {SIGHTED},
    ordered as (
        select s.*, l.version_at as known_at, coalesce(t.is_gone, true) as is_new,
            coalesce(
                lag(s.content_hash) over (
                    partition by s.order_key, s.order_id, s.part_id order by s.place
                ),
                case when not t.is_gone then l.content_hash end
            ) as hash_before
        from sighted as s
        left join states as t on {SAME.format("t", "s")}
        left join latest as l on {SAME.format("l", "s")}
    )
    select place, order_key, order_id, part_id, content_hash,
        max(case
            when known_at is null or version_at > known_at then version_at
            else greatest(known_at, $at)
        end) over (partition by order_key, order_id, part_id order by place) as version_at,
        is_new, $newest + row_number() over (order by place) as version_id
    from ordered
    where content_hash is distinct from hash_before
"""


NOTE_ROWS = """
    insert into raw.export_rows
    select $job, $source, $account, i.order_key, i.order_id, i.version_at,
        json_extract_string(r.payload, '$.status'),
        try_cast(json_extract_string(r.payload, '$.total_amount') as bigint), null
    from incoming as i
    inner join file_rows as r on r.position = i.place
    where i.order_id is not null
"""

HELD = """
    insert into raw.export_rows
    select distinct $job, $source, $account, order_key, order_id, version_at, null::varchar,
        null::bigint, part_id
    from incoming
    where order_id is not null
"""

NOTE_GONE = f"""
    insert into raw.order_payloads
    with asked as (
        select order_id, part_id, any_value(answer) as answer from told group by order_id, part_id
    ),
    keyed as (select order_id, part_id, answer, {ORDER_KEY} as order_key from asked),
    states as (
        select r.order_key, r.order_id, r.part_id,
            arg_max(r.channel, r.version_id) = '{GONE}' as is_gone
        from raw.order_payloads as r
        where r.order_key in (select order_key from keyed)
            and r.source = $source and r.account = $account
        group by r.order_key, r.order_id, r.part_id
    )
    select
        (select max(version_id) from raw.order_payloads)
            + row_number() over (order by k.order_id, k.part_id),
        k.order_key, $source, $account, k.order_id, $at, md5(k.answer), k.answer, '{GONE}',
        $extraction, null, null, $at, null, k.part_id
    from keyed as k
    inner join states as t on {SAME.format("t", "k")}
    where not t.is_gone
    returning part_id
"""

# A part stands on one order: where it was before, it is gone.
MOVED = f"""
    insert into raw.order_payloads
    with before as (
        select r.order_key, r.order_id, r.part_id, any_value(k.order_id) as now_at
        from raw.order_payloads as r
        inner join kept as k on k.part_id = r.part_id and k.order_id <> r.order_id
        where r.source = $source and r.account = $account
            and not exists (
                from kept as h
                where h.part_id = r.part_id and h.order_id = r.order_id
            )
        group by r.order_key, r.order_id, r.part_id
        having arg_max(r.channel, r.version_id) <> '{GONE}'
    ),
    told as (select *, '{{"moved_to":"' || now_at || '"}}' as answer from before)
    select
        (select max(version_id) from raw.order_payloads)
            + row_number() over (order by order_id, part_id),
        order_key, $source, $account, order_id, $at, md5(answer), answer, '{GONE}',
        $extraction, null, null, $at, null, part_id
    from told
"""

APPEND = """
    insert into raw.order_payloads
    select k.version_id, k.order_key, $source, $account, k.order_id, k.version_at, k.content_hash,
        p.payload, p.channel, $extraction, p.page, p.position, $at, i.reason, k.part_id
    from {split} as p
    inner join kept as k on k.place = p.place
    left join (from incoming where reason is not null) as i on i.place = p.place
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
        and r.part_id is not distinct from i.part_id
    where not exists (
        from ops.quarantine as q
        where q.source = $source and q.account = $account and q.reason = i.reason
            and q.content_hash is not distinct from i.content_hash
    )
    qualify row_number() over (partition by i.content_hash, i.reason order by i.place) = 1
"""

COUNTS = """
    select
        (select count(*) from incoming where part_id is null),
        (select count(distinct (order_key, order_id)) from kept where is_new and part_id is null),
        (select count(*) from incoming where reason is not null)
"""
