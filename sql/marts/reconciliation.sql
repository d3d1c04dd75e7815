/*
description: >
  The last finished comparison of each account with its source, per business date and status, after
  repair. Amounts are compared as check sums and not shown, as they may be of several currencies.
grain: [source, account, order_date, status]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone; NULL for orders without one.
  status: Common status.
  source_orders: Orders at the source.
  warehouse_orders: Orders in the warehouse.
  orders_difference: Warehouse less source.
  amounts_agree: True when the net amounts of both sides add up to the same.
  is_equal: True when both sides agree in number and amount.
  outcome: How the comparison ended; equal, repaired or different.
  compared_at: When it ended, UTC.
  reconciliation_id: The comparison, in ops.reconciliations.
checks:
  - unique: [source, account, order_date, status]
  - not_null: [source, account, is_equal, outcome, reconciliation_id]
*/
select
    d.source,
    d.account,
    d.order_date,
    d.status,
    d.source_orders,
    d.warehouse_orders,
    coalesce(d.warehouse_orders, cast(0 as bigint)) - coalesce(d.source_orders, cast(0 as bigint)) as orders_difference,
    d.warehouse_net_minor is not distinct from d.source_net_minor as amounts_agree,
    coalesce(d.warehouse_orders, cast(0 as bigint)) = coalesce(d.source_orders, cast(0 as bigint))
        and d.warehouse_net_minor is not distinct from d.source_net_minor as is_equal,
    l.status as outcome,
    l.ended_at as compared_at,
    d.reconciliation_id
from ops.reconciliation_days as d
inner join (
    select
        r.reconciliation_id,
        r.source,
        r.account,
        r.status,
        r.ended_at,
        row_number() over (
            partition by r.source, r.account order by r.ended_at desc, r.reconciliation_id desc
        ) as newest_first
    from ops.reconciliations as r
    where r.status in ('equal', 'repaired', 'different')
) as l
    on l.reconciliation_id = d.reconciliation_id and l.source = d.source and l.account = d.account and l.newest_first = 1
