"""SQL of a reconciliation: what an export says of each order, beside what the warehouse holds.

All of it reads the raw log, as the tables that are built from it may be older. Status, amount and
business date are derived as sql/staging/voucherify_orders.sql derives them.
"""

from __future__ import annotations

from orders_connector.landing.raw_log import EXPORT, GONE

__all__ = [
    "COMPARE",
    "DAYS",
    "DROP_OLD_ROWS",
    "EXPORTED_NOW",
    "FINAL",
    "JUDGED",
    "JUDGEMENTS",
]


def _minor(key: str) -> str:
    """SQL of an amount of the payload in minor units, NULL when it is none, as staging reads it."""
    text = f"json_extract_string(p.payload, '$.{key}')"
    return (
        f"case when regexp_full_match({text}, '[0-9]{{1,18}}([.]0+)?')"
        f" then {text}::decimal(38, 10)::bigint end"
    )


# What staging shows as net_minor and status.
NET = (
    f"coalesce({_minor('total_amount')}, {_minor('amount')} - coalesce("
    f"{_minor('total_discount_amount')}, coalesce({_minor('discount_amount')}, 0)"
    f" + coalesce({_minor('items_discount_amount')}, 0)))"
)
STATUS = "nullif(json_extract_string(p.payload, '$.status'), '')"


def _common_status(status: str) -> str:
    return (
        f"case when {status} is null then 'unknown' when {status} = 'CREATED' then 'created'"
        f" when {status} = 'PAID' then 'paid' when {status} = 'FULFILLED' then 'fulfilled'"
        f" when {status} = 'CANCELED' then 'cancelled' else 'other' end"
    )


METADATA_TEXT = "json_extract_string(p.payload, a.business_date_path)"
METADATA_AT = (
    f"case when regexp_matches({METADATA_TEXT}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
    f" then try_cast({METADATA_TEXT} as timestamptz) end"
)
ORDER_DATE = f"""case
    when {METADATA_AT} is not null
        and regexp_full_match({METADATA_TEXT}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')
        then ({METADATA_AT} at time zone 'UTC')::date
    else (coalesce(
        {METADATA_AT},
        try_cast(json_extract_string(p.payload, '$.created_at') as timestamptz),
        p.version_at
    ) at time zone a.time_zone)::date
end"""


def _states(upto: str) -> str:
    """SQL of each order's newest version, ranked as in core.orders, and of whether it is gone."""
    readable = f"channel <> '{GONE}' and quarantine_reason is null"
    return f"""(
        select order_key, order_id, min(version_id) as first_id,
            arg_max(version_id, (version_at, channel <> '{EXPORT}', version_id))
                filter (where {readable}) as version_id,
            max(version_at) filter (where {readable}) as version_at,
            coalesce(max(version_id) filter (where channel = '{GONE}'), 0)
                > coalesce(max(version_id) filter (where channel <> '{GONE}'), 0) as is_gone
        from raw.order_payloads
        where source = $source and account = $account and {upto}
        group by order_key, order_id
    )"""


def _facts(upto: str) -> str:
    """SQL of what is compared of each version; payloads stay below joins, so these are small."""
    return f"""(
        select p.version_id, p.channel, {STATUS} as status, {NET} as total_minor,
            {ORDER_DATE} as order_date
        from raw.order_payloads as p
        inner join ops.accounts as a on a.source = p.source and a.account = p.account
        where p.source = $source and p.account = $account and {upto}
            and p.channel <> '{GONE}' and p.quarantine_reason is null
    )"""


# One row per order, although windows overlap: as it stood last.
EXPORTED = """(
    select r.order_key, r.order_id, r.version_at, nullif(r.status, '') as status, r.total_minor
    from raw.export_rows as r
    inner join ops.export_jobs as j on j.job_id = r.job_id
    where j.source = $source and j.account = $account
        and j.status = 'landed' and j.date_field = 'created_at'
    qualify row_number() over (
        partition by r.order_key, r.order_id
        order by r.version_at desc nulls last, j.asked_at desc, r.job_id
    ) = 1
)"""


def _differs(left: str, right: str) -> str:
    """SQL: whether an export's row and a version say other things; an absent total says nothing."""
    return (
        f"({left}.status is distinct from {right}.status"
        f" or coalesce({left}.total_minor <> {right}.total_minor, false))"
    )


# `before` is what the warehouse held for an order before the export was landed. All that it knows
# now was there before the export or is in it, so what the export lacks has to be explained.
COMPARE = f"""
    with exported as {EXPORTED},
    before as (
        select s.order_key, s.order_id, s.version_at, s.is_gone, p.status, p.total_minor
        from {_states("version_id <= $before")} as s
        left join {_facts("version_id <= $before")} as p on p.version_id = s.version_id
    ),
    known as {_states("version_id <= $compared")}
    select e.order_key, e.order_id,
        case
            when coalesce(b.is_gone, true) or b.version_at is null or e.version_at > b.version_at
                then 'hydrate'
            when e.version_at < b.version_at then 'newer_than_export'
            else 'wrong'
        end as cause,
        e.version_at, e.status, e.total_minor,
        b.version_at as had_at, b.status as had_status, b.total_minor as had_minor,
        coalesce(b.is_gone, false) as had_gone, null as answer
    from exported as e
    left join before as b on b.order_key = e.order_key and b.order_id = e.order_id
    where e.version_at is not null
        and (
            coalesce(b.is_gone, true)
            or b.version_at is distinct from e.version_at
            or {_differs("e", "b")}
        )
    union all
    select k.order_key, k.order_id, 'vanished', null, null, null, k.version_at, null, null, false,
        case when k.is_gone then 'gone' end
    from known as k
    left join before as b on b.order_key = k.order_key and b.order_id = k.order_id
    where not coalesce(b.is_gone, k.is_gone)
        and not exists (
            from exported as e where e.order_key = k.order_key and e.order_id = k.order_id
        )
"""

EXPORTED_NOW = f"create or replace temp table exported as from {EXPORTED}"

FINAL = f"""
    create or replace temp table final as
    select s.order_key, s.order_id, s.first_id, s.version_at, s.is_gone,
        p.channel, p.status, p.total_minor, p.order_date
    from {_states("true")} as s
    left join {_facts("true")} as p on p.version_id = s.version_id
"""

# The newest answer in full of each order that the warehouse cannot read.
QUARANTINED = f"""(
    select order_key, order_id, arg_max(version_at, version_id) as version_at,
        arg_max_null(quarantine_reason, version_id) as reason
    from raw.order_payloads
    where source = $source and account = $account and part_id is null
        and channel not in ('{EXPORT}', '{GONE}')
    group by order_key, order_id
    having arg_max_null(quarantine_reason, version_id) is not null
)"""

JUDGEMENTS = f"""
    create or replace temp table judgements as
    select d.order_id, d.cause, f.order_date, d.version_at,
        q.version_at as quarantined_at, q.reason,
        case d.cause
            when 'vanished' then coalesce(d.answer in ('there', 'gone'), false)
            when 'hydrate' then coalesce(f.is_gone or f.version_at >= d.version_at, false)
            when 'wrong' then coalesce(
                f.is_gone or f.version_at > d.version_at or not {_differs("d", "f")}, false
            )
        end as repaired,
        case d.cause
            when 'vanished' then 'not in the export; ' || case
                when d.answer = 'gone' then 'asked for and not there any more: marked as deleted'
                when d.answer = 'there' then 'asked for and there: hidden from the export'
                when d.answer is null then 'not asked for yet'
                else 'asked for in vain: ' || d.answer
            end
            when 'newer_than_export' then 'the warehouse knows a newer state than the export'
            when 'hydrate' then case
                when d.had_gone then 'was marked as deleted and is there again'
                when d.had_at is null then 'unknown before'
                else 'the warehouse had the version of ' || d.had_at::varchar
            end || '; the source has that of ' || d.version_at::varchar || case
                when d.version_at < $covered_to then ', which no load found'
                else ', newer than the last load'
            end || case
                when f.is_gone then '; not there any more'
                when f.channel = '{EXPORT}' then '; its items are awaited'
                else ''
            end
            else 'the warehouse had ' || coalesce(d.had_status, 'no status') || ' and '
                || coalesce(d.had_minor::varchar, 'no amount') || ', the source has '
                || coalesce(d.status, 'no status') || ' and '
                || coalesce(d.total_minor::varchar, 'no amount') || ' minor units' || case
                when f.is_gone then '; not there any more'
                when d.answer is null then '; not asked for yet'
                when d.answer <> 'there' then '; asked for in vain: ' || d.answer
                when f.version_at = d.version_at and {_differs("d", "f")}
                    then '; asked for, and the answer is not what the export says'
                else '; read again'
            end
        end as detail
    from found as d
    left join final as f on f.order_key = d.order_key and f.order_id = d.order_id
    left join {QUARANTINED} as q on q.order_key = d.order_key and q.order_id = d.order_id
"""

# That the warehouse shows another state of an order is explained when the one that the export tells
# of came in full and cannot be read.
JUDGED = """
    create or replace temp table judged as
    select j.order_id, j.order_date, j.repaired,
        case when j.is_explained then 'quarantined' else j.cause end as cause,
        j.detail || case when j.is_explained then '; quarantined: ' || j.reason else '' end
            as detail
    from (
        select *, not repaired and cause in ('hydrate', 'wrong')
            and coalesce(quarantined_at >= version_at, false) as is_explained
        from judgements
    ) as j
"""

# A sum is unknown when one of its amounts is. Orders that came to be known after the comparison
# would make a difference that is none.
DAYS = f"""
    create or replace temp table days as
    select *, source_orders <> warehouse_orders
        or coalesce(source_net_minor <> warehouse_net_minor, false) as differs
    from (
        select order_date, status,
            count(*) filter (where at_source) as source_orders,
            count(*) filter (where not at_source) as warehouse_orders,
            case when count(*) filter (where at_source and total_minor is null) = 0
                then coalesce(sum(total_minor) filter (where at_source), 0)::bigint
            end as source_net_minor,
            case when count(*) filter (where not at_source and total_minor is null) = 0
                then coalesce(sum(total_minor) filter (where not at_source), 0)::bigint
            end as warehouse_net_minor
        from (
            select true as at_source, f.order_date, {_common_status("e.status")} as status,
                e.total_minor
            from exported as e
            left join final as f on f.order_key = e.order_key and f.order_id = e.order_id
            union all
            select false, order_date, {_common_status("status")}, total_minor
            from final
            where not is_gone and first_id <= $compared
        )
        group by order_date, status
    )
"""

DROP_OLD_ROWS = """
    delete from raw.export_rows
    where source = $source and account = $account and job_id not in (
        select job_id from ops.export_jobs
        where source = $source and account = $account
            and status = 'landed' and date_field = 'created_at'
    )
"""
