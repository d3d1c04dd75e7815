/*
description: >
  Every figure of a past business date that a load changed, before and after, with how many orders
  caused it. What stood in yesterday's report and does not today is here.
grain: [load_id, model, source, account, order_date, currency, metric]
materialized: view
columns:
  load_id: The refresh that changed it, in ops.loads.
  restated_at: When that load began, UTC.
  model: The mart, schema.table.
  source: Kind of API.
  account: Configured account.
  order_date: The business date whose figure changed.
  currency: ISO 4217 code.
  metric: Column of the mart.
  before: Before the load; NULL when it was not known.
  after: After it; NULL when it is not known any more.
  delta: After less before; NULL when one of them is.
  reason: orders, or definition when the model or a setting changed.
  orders: Orders that caused restatements of this date in this load.
  orders_added: Orders that came to the date.
  orders_removed: Orders that left it.
  orders_changed: Orders that changed and stayed.
  orders_resequenced: Orders that are another one of their customer's orders now.
checks:
  - unique: [load_id, model, source, account, order_date, currency, metric]
  - not_null: [load_id, model, order_date, metric, orders]
*/
select
    r.load_id,
    r.restated_at,
    r.model,
    r.source,
    r.account,
    r.order_date,
    r.currency,
    r.metric,
    r.before,
    r.after,
    r.after - r.before as delta,
    r.reason,
    coalesce(o.orders, cast(0 as bigint)) as orders,
    coalesce(o.orders_added, cast(0 as bigint)) as orders_added,
    coalesce(o.orders_removed, cast(0 as bigint)) as orders_removed,
    coalesce(o.orders_changed, cast(0 as bigint)) as orders_changed,
    coalesce(o.orders_resequenced, cast(0 as bigint)) as orders_resequenced
from ops.restatements as r
left join (
    select
        c.load_id,
        c.source,
        c.account,
        c.order_date,
        cast(count(distinct c.order_id) as bigint) as orders,
        cast(count(distinct c.order_id) filter (where c.change = 'added') as bigint) as orders_added,
        cast(count(distinct c.order_id) filter (where c.change = 'removed') as bigint) as orders_removed,
        cast(count(distinct c.order_id) filter (where c.change = 'changed') as bigint) as orders_changed,
        cast(count(distinct c.order_id) filter (where c.change = 'resequenced') as bigint) as orders_resequenced
    from ops.restated_orders as c
    group by c.load_id, c.source, c.account, c.order_date
) as o
    on o.load_id = r.load_id and o.source = r.source and o.account = r.account and o.order_date = r.order_date
