/*
description: >
  What reading the source took per UTC day: requests and bytes, which part of what was read brought
  nothing new, and which part of the billing cycle's requests was used by then.
grain: [source, account, load_date]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  load_date: UTC day on which the reading ended.
  extractions: Readings that ended, whole or not.
  calls: Requests made, repeated ones too.
  bytes: Bytes of the answers.
  orders_read: Orders in the answers; one that was read twice counts twice.
  new_versions: Of these, versions of orders that were not known before and could be typed.
  quarantined: Entries put into quarantine.
  repeated_share: Part of the orders read that brought no new version; NULL when none was read.
  calls_per_1000_orders: Requests for each 1,000 orders read; NULL when none was read.
  cycle_start: UTC day on which the billing cycle of that day began (setting cycle_start_day).
  calls_of_cycle: Requests since then.
  calls_per_cycle: Requests that the account has per cycle, as set now; NULL while it is not set.
  quota_share: Part of these that our loads used; NULL while the setting is not set.
checks:
  - unique: [source, account, load_date]
  - not_null: [source, account, load_date, calls, orders_read, new_versions, cycle_start, calls_of_cycle]
metrics:
  repeated_share: {column: repeated_share, version: 1, counts: orders read, holds: "repeated_share between 0 and 1", example: {is: null, where: "true"}}
  quota_share: {column: quota_share, version: 1, counts: requests, holds: "quota_share >= 0", example: {is: null, where: "true"}}
  calls_per_1000_orders: {column: calls_per_1000_orders, version: 1, counts: orders read, holds: "calls_per_1000_orders >= 0", example: {is: null, where: "true"}}
*/
select
    c.source,
    c.account,
    c.load_date,
    c.extractions,
    c.calls,
    c.bytes,
    c.orders_read,
    c.new_versions,
    c.quarantined,
    1 - cast(c.new_versions as double) / nullif(c.orders_read, 0) as repeated_share,
    1000 * cast(c.calls as double) / nullif(c.orders_read, 0) as calls_per_1000_orders,
    c.cycle_start,
    c.calls_of_cycle,
    c.calls_per_cycle,
    cast(c.calls_of_cycle as double) / c.calls_per_cycle as quota_share
from (
    select
        d.source,
        d.account,
        d.load_date,
        d.extractions,
        d.calls,
        d.bytes,
        d.orders_read,
        d.new_versions,
        d.quarantined,
        d.cycle_start,
        d.calls_per_cycle,
        cast(sum(d.calls) over (
            partition by d.source, d.account, d.cycle_start
            order by d.load_date rows between unbounded preceding and current row
        ) as bigint) as calls_of_cycle
    from (
        select
            e.source,
            e.account,
            e.load_date,
            e.extractions,
            e.calls,
            e.bytes,
            e.orders_read,
            e.new_versions,
            e.quarantined,
            b.calls_per_cycle,
            cast(
                substring(cast(cast(date_trunc('month', case
                    when extract(day from e.load_date) >= coalesce(b.cycle_start_day, 1) then e.load_date
                    else cast(date_trunc('month', e.load_date) as date) - interval '1' day
                end) as date) as varchar), 1, 8)
                || lpad(cast(coalesce(b.cycle_start_day, 1) as varchar), 2, '0') as date
            ) as cycle_start
        from (
            select
                x.source,
                x.account,
                cast(x.ended_at at time zone 'UTC' as date) as load_date,
                cast(count(*) as bigint) as extractions,
                cast(coalesce(sum(x.calls), 0) as bigint) as calls,
                cast(coalesce(sum(x.bytes), 0) as bigint) as bytes,
                cast(coalesce(sum(x.orders_read), 0) as bigint) as orders_read,
                cast(coalesce(sum(p.new_versions), 0) as bigint) as new_versions,
                cast(coalesce(sum(x.quarantined), 0) as bigint) as quarantined
            from ops.extractions as x
            left join (
                select
                    v.extraction_id,
                    count(*) as new_versions
                from core.order_versions as v
                where not v.is_repeated
                group by v.extraction_id
            ) as p
                on p.extraction_id = x.extraction_id
            where x.ended_at is not null
            group by x.source, x.account, cast(x.ended_at at time zone 'UTC' as date)
        ) as e
        left join ops.billing_cycles as b on b.source = e.source and b.account = e.account
    ) as d
) as c
