/*
description: >
  How the status of every order came to be what it is. Exact where the source keeps the times; else a
  change is known from two versions, and lies between their times.
grain: [source, account, order_id, change_no]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  change_no: 1 for the first change, by time.
  order_date: Business date of the order.
  is_test: True for a test order.
  from_status: Common status before; NULL for the first that the source tells of.
  to_status: Common status after.
  from_source_status: Status before as the source wrote it.
  to_source_status: Status after as the source wrote it.
  changed_after: Time of the version before, UTC; NULL when the change is exact.
  changed_at: Time of the change, UTC; the latest it can be when it is not exact, NULL when the source's cannot be read.
  is_exact: True when the source says the time.
checks:
  - unique: [source, account, order_id, change_no]
  - not_null: [order_id, change_no, order_date, to_status, is_exact]
  - accepted_values: {to_status: [created, pending, quote, paid, fulfilled, cancelled, other, unknown]}
  - relation: {columns: [source, account, order_id], to: core.orders}
*/
select
    o.order_key,
    o.source,
    o.account,
    o.order_id,
    cast(row_number() over (
        partition by o.source, o.account, o.order_id order by c.changed_at, c.change_no
    ) as bigint) as change_no,
    o.order_date,
    o.is_test,
    c.from_status,
    c.to_status,
    c.from_source_status,
    c.to_source_status,
    cast(null as timestamptz) as changed_after,
    c.changed_at,
    true as is_exact
from core.orders as o
inner join staging.order_status_changes as c on c.order_key = o.order_key and c.version_id = o.version_id
where not o.is_deleted
union all
select
    o.order_key,
    o.source,
    o.account,
    o.order_id,
    cast(row_number() over (
        partition by o.source, o.account, o.order_id order by v.version_at, v.version_id
    ) as bigint) as change_no,
    o.order_date,
    o.is_test,
    v.status_before as from_status,
    v.status as to_status,
    v.source_status_before as from_source_status,
    v.source_status as to_source_status,
    v.version_before_at as changed_after,
    v.version_at as changed_at,
    false as is_exact
from core.orders as o
inner join (
    select
        n.order_key,
        n.source,
        n.account,
        n.order_id,
        n.version_id,
        n.version_at,
        n.status,
        n.source_status,
        lag(n.version_at) over (
            partition by n.source, n.account, n.order_id order by n.version_at, n.version_id
        ) as version_before_at,
        lag(n.status) over (
            partition by n.source, n.account, n.order_id order by n.version_at, n.version_id
        ) as status_before,
        lag(n.source_status) over (
            partition by n.source, n.account, n.order_id order by n.version_at, n.version_id
        ) as source_status_before
    from staging.orders as n
    where n.quarantine_reason is null and n.channel <> 'gone'
) as v
    on v.order_key = o.order_key and v.source = o.source and v.account = o.account and v.order_id = o.order_id
left join (
    select distinct c.version_id
    from staging.order_status_changes as c
) as e
    on e.version_id = o.version_id
where not o.is_deleted and e.version_id is null
    and v.version_before_at is not null and v.source_status is distinct from v.source_status_before
