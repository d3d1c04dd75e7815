/*
description: >
  Per account how far the data can be trusted: what is proven complete, what is missing, when it was
  read and compared last, what could not be read.
grain: [source, account]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  time_zone: IANA zone of the business date.
  covered_from: Start of the first window that is proven complete, UTC; NULL when nothing is.
  covered_to: End of the last one, UTC; what the marts call the account's covered end.
  covered_date: The local day of that end; figures of this day are not whole.
  gaps: Windows between the two that are not proven.
  first_gap_from: Start of the first of them, UTC.
  last_extraction_at: Last time anything was read and kept, UTC.
  last_complete_at: Last time a reading proved its whole window, UTC.
  last_complete_extraction: Its id in ops.extractions; versions that it brought carry it (core.order_versions).
  cycle_start: UTC day on which the billing cycle of the last reading began.
  calls_of_cycle: Requests of our loads since then.
  calls_per_cycle: Requests that the account has per cycle; NULL while the setting is not set.
  quota_share: Part of these that our loads used; NULL while the setting is not set.
  models_refreshed_at: Last refresh of the models, UTC; the same for all accounts.
  last_compared_at: Last finished comparison with the source, UTC.
  last_comparison: How it ended; equal, repaired or different.
  orders: Orders in the warehouse, test orders too, deleted ones not.
  orders_deleted: Orders that the source answered are gone.
  orders_without_items: Of orders, those of which only the header is known.
  newest_version_at: Newest change of an order that is known, UTC.
  quarantined: Entries in quarantine, all reasons.
checks:
  - unique: [source, account]
  - not_null: [source, account, gaps, orders, orders_deleted, orders_without_items, quarantined]
  - formula: {name: a_gap_has_a_start, holds: "(gaps > 0) = (first_gap_from is not null)"}
*/
select
    a.source,
    a.account,
    a.time_zone,
    c.covered_from,
    c.covered_to,
    cast(c.covered_to at time zone a.time_zone as date) as covered_date,
    coalesce(c.gaps, cast(0 as bigint)) as gaps,
    c.first_gap_from,
    x.last_extraction_at,
    s.ended_at as last_complete_at,
    s.extraction_id as last_complete_extraction,
    u.cycle_start,
    u.calls_of_cycle,
    u.calls_per_cycle,
    u.quota_share,
    m.models_refreshed_at,
    r.ended_at as last_compared_at,
    r.status as last_comparison,
    coalesce(o.orders, cast(0 as bigint)) as orders,
    coalesce(o.orders_deleted, cast(0 as bigint)) as orders_deleted,
    coalesce(o.orders_without_items, cast(0 as bigint)) as orders_without_items,
    o.newest_version_at,
    coalesce(q.quarantined, cast(0 as bigint)) as quarantined
from ops.accounts as a
left join (
    select
        w.source,
        w.account,
        min(w.covered_from) as covered_from,
        max(w.covered_to) as covered_to,
        cast(count(*) filter (where w.covered_from > w.covered_before) as bigint) as gaps,
        min(w.covered_before) filter (where w.covered_from > w.covered_before) as first_gap_from
    from (
        select
            p.source,
            p.account,
            p.covered_from,
            p.covered_to,
            max(p.covered_to) over (
                partition by p.source, p.account order by p.covered_from, p.covered_to
                rows between unbounded preceding and 1 preceding
            ) as covered_before
        from ops.coverage as p
    ) as w
    group by w.source, w.account
) as c
    on c.source = a.source and c.account = a.account
left join (
    select
        e.source,
        e.account,
        max(e.ended_at) as last_extraction_at
    from ops.extractions as e
    where e.status in ('complete', 'incomplete', 'landed')
    group by e.source, e.account
) as x
    on x.source = a.source and x.account = a.account
left join (
    select
        y.source,
        y.account,
        y.extraction_id,
        y.ended_at,
        row_number() over (
            partition by y.source, y.account order by y.ended_at desc, y.extraction_id desc
        ) as newest_first
    from ops.extractions as y
    where y.status = 'complete' and y.strategy in ('listing', 'export')
) as s
    on s.source = a.source and s.account = a.account and s.newest_first = 1
left join (
    select
        d.source,
        d.account,
        d.cycle_start,
        d.calls_of_cycle,
        d.calls_per_cycle,
        d.quota_share,
        row_number() over (partition by d.source, d.account order by d.load_date desc) as newest_first
    from marts.load_costs as d
) as u
    on u.source = a.source and u.account = a.account and u.newest_first = 1
left join (
    select
        k.source,
        k.account,
        k.status,
        k.ended_at,
        row_number() over (
            partition by k.source, k.account order by k.ended_at desc, k.reconciliation_id desc
        ) as newest_first
    from ops.reconciliations as k
    where k.status in ('equal', 'repaired', 'different')
) as r
    on r.source = a.source and r.account = a.account and r.newest_first = 1
left join (
    select
        n.source,
        n.account,
        cast(count(*) filter (where not n.is_deleted) as bigint) as orders,
        cast(count(*) filter (where n.is_deleted) as bigint) as orders_deleted,
        cast(count(*) filter (where not n.is_deleted and n.units is null) as bigint) as orders_without_items,
        max(n.version_at) as newest_version_at
    from core.orders as n
    group by n.source, n.account
) as o
    on o.source = a.source and o.account = a.account
left join (
    select
        t.source,
        t.account,
        cast(count(*) as bigint) as quarantined
    from ops.quarantine as t
    group by t.source, t.account
) as q
    on q.source = a.source and q.account = a.account
cross join (
    select max(l.ended_at) as models_refreshed_at
    from ops.loads as l
) as m
