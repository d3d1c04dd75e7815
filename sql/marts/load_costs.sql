/*
description: >
  What reading the source took per UTC day: requests, bytes, and how much of what was read brought
  nothing new. The allowance of a billing cycle and its use are in `orders-connector status`.
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
  calls_of_month: Requests since the first of the UTC month.
checks:
  - unique: [source, account, load_date]
  - not_null: [source, account, load_date, calls, orders_read, new_versions]
metrics:
  repeated_share: {column: repeated_share, version: 1, counts: orders read, holds: "repeated_share between 0 and 1", example: {is: null, where: "true"}}
  calls_per_1000_orders: {column: calls_per_1000_orders, version: 1, counts: orders read, holds: "calls_per_1000_orders >= 0", example: {is: null, where: "true"}}
*/
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
    1 - cast(e.new_versions as double) / nullif(e.orders_read, 0) as repeated_share,
    1000 * cast(e.calls as double) / nullif(e.orders_read, 0) as calls_per_1000_orders,
    cast(sum(e.calls) over (
        partition by e.source, e.account, cast(date_trunc('month', e.load_date) as date)
        order by e.load_date rows between unbounded preceding and current row
    ) as bigint) as calls_of_month
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
