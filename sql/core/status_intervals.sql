/*
description: >
  Every stay of an order in a common status, with what is known of its length. A source that keeps
  times gives them exactly; else a change lies between two versions, and so does the length. Stays
  that began and ended between two versions were never seen and are not here.
grain: [source, account, order_id, visit_no]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  visit_no: 1 for the first status known.
  order_date: Business date of the order.
  is_test: True for a test order.
  status: Common status of the stay.
  next_status: Common status after it; NULL while the order is still there.
  is_open: True for the status that the order has now.
  entered_after: Earliest time the stay can have begun, UTC; creation for the first status known.
  entered_at: Latest time it can have begun, UTC; NULL when the source's time cannot be read.
  left_after: Earliest time it can have ended, UTC; NULL while open.
  left_at: Latest time it can have ended, UTC; NULL while open, or when the source's time cannot be read.
  is_exact: True when the begin is exact and the end too, as far as it has ended.
  lower_seconds: The stay lasted at least so long, whole seconds; NULL while open or when a time cannot be read.
  upper_seconds: It lasted at most so long, whole seconds; NULL likewise.
checks:
  - unique: [source, account, order_id, visit_no]
  - not_null: [order_id, visit_no, order_date, status, is_open, is_exact]
  - accepted_values: {status: [created, pending, quote, paid, fulfilled, cancelled, other, unknown]}
  - relation: {columns: [source, account, order_id], to: core.orders}
  - formula: {name: bounds_are_in_order, holds: "lower_seconds is null or upper_seconds is null or lower_seconds between 0 and upper_seconds"}
  - formula: {name: an_open_stay_has_no_end, holds: "is_open = (next_status is null) and (not is_open or coalesce(left_after, left_at) is null)"}
  - formula: {name: an_exact_stay_has_one_length, holds: "not is_exact or is_open or lower_seconds = upper_seconds"}
*/
select
    s.order_key,
    s.source,
    s.account,
    s.order_id,
    s.visit_no,
    s.order_date,
    s.is_test,
    s.status,
    s.next_status,
    s.next_status is null as is_open,
    s.entered_after,
    s.entered_at,
    s.left_after,
    s.left_at,
    s.entered_exactly and coalesce(s.left_exactly, true) as is_exact,
    cast(floor(epoch(s.left_after)) as bigint) - cast(floor(epoch(s.entered_at)) as bigint) as lower_seconds,
    cast(floor(epoch(s.left_at)) as bigint) - cast(floor(epoch(s.entered_after)) as bigint) as upper_seconds
from (
    select
        k.order_key,
        k.source,
        k.account,
        k.order_id,
        k.order_date,
        k.is_test,
        k.status,
        k.entered_after,
        k.entered_at,
        k.entered_exactly,
        cast(row_number() over (
            partition by k.source, k.account, k.order_id order by k.place
        ) as bigint) as visit_no,
        lead(k.status) over (partition by k.source, k.account, k.order_id order by k.place) as next_status,
        lead(k.entered_after) over (partition by k.source, k.account, k.order_id order by k.place) as left_after,
        lead(k.entered_at) over (partition by k.source, k.account, k.order_id order by k.place) as left_at,
        lead(k.entered_exactly) over (partition by k.source, k.account, k.order_id order by k.place) as left_exactly
    from (
        select
            e.order_key,
            e.source,
            e.account,
            e.order_id,
            e.order_date,
            e.is_test,
            e.place,
            e.status,
            e.entered_after,
            e.entered_at,
            e.entered_exactly,
            lag(e.status) over (partition by e.source, e.account, e.order_id order by e.place) as status_before
        from (
            -- What the order was before its first change; the only status of one that never changed.
            select
                o.order_key,
                o.source,
                o.account,
                o.order_id,
                o.order_date,
                o.is_test,
                cast(0 as bigint) as place,
                case when f.order_id is null then o.status else f.from_status end as status,
                case
                    when f.is_exact then case when o.created_at > f.changed_at then f.changed_at else o.created_at end
                    when o.created_at > v.valid_from then v.valid_from
                    else o.created_at
                end as entered_after,
                case
                    when f.is_exact then case when o.created_at > f.changed_at then f.changed_at else o.created_at end
                    else v.valid_from
                end as entered_at,
                coalesce(f.is_exact and f.changed_at is not null or o.created_at = v.valid_from, false) as entered_exactly
            from core.orders as o
            inner join core.order_versions as v
                on v.order_key = o.order_key and v.source = o.source and v.account = o.account
                and v.order_id = o.order_id and v.version_no = 1
            left join core.order_status_changes as f
                on f.order_key = o.order_key and f.source = o.source and f.account = o.account
                and f.order_id = o.order_id and f.change_no = 1
            where not o.is_deleted
            union all
            select
                c.order_key,
                c.source,
                c.account,
                c.order_id,
                c.order_date,
                c.is_test,
                c.change_no as place,
                c.to_status as status,
                case when c.is_exact then c.changed_at else c.changed_after end as entered_after,
                c.changed_at as entered_at,
                c.is_exact and c.changed_at is not null as entered_exactly
            from core.order_status_changes as c
            union all
            -- The shown version goes on where a history stops short of it.
            select
                o.order_key,
                o.source,
                o.account,
                o.order_id,
                o.order_date,
                o.is_test,
                l.change_no + 1 as place,
                o.status,
                l.changed_at as entered_after,
                case when o.version_at < l.changed_at then l.changed_at else o.version_at end as entered_at,
                false as entered_exactly
            from core.orders as o
            inner join (
                select
                    h.order_key,
                    h.source,
                    h.account,
                    h.order_id,
                    h.change_no,
                    h.changed_at,
                    row_number() over (
                        partition by h.source, h.account, h.order_id order by h.change_no desc
                    ) as newest_first
                from core.order_status_changes as h
            ) as l
                on l.order_key = o.order_key and l.source = o.source and l.account = o.account
                and l.order_id = o.order_id and l.newest_first = 1
            where not o.is_deleted
        ) as e
        where e.status is not null
    ) as k
    where k.status is distinct from k.status_before
) as s
