/*
description: >
  Hours in which far more orders came to be than the account usually has: most often an import, whose
  orders carry the time of the import and not that of the sale. Give `business_date_path` if the import
  kept the true time; until then the business dates of such an hour are not to be trusted. Orders that
  are dated by such a path are not looked at. A sale that begins on the hour can look the same.
grain: [source, account, first_created_at]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  first_created_at: Creation of the first order of the hour, UTC.
  last_created_at: Creation of the last, UTC.
  order_date: Business date of the first of them.
  orders: Orders of the hour, test orders too; at least 100, and at least 20 times the usual.
  usual_orders: Middle number of orders of the account's hours that have any; the lower one of two.
checks:
  - unique: [source, account, first_created_at]
  - not_null: [first_created_at, last_created_at, order_date, orders, usual_orders]
*/
select
    r.source,
    r.account,
    r.first_created_at,
    r.last_created_at,
    r.order_date,
    r.orders,
    r.usual_orders
from (
    select
        n.source,
        n.account,
        n.first_created_at,
        n.last_created_at,
        n.order_date,
        n.orders,
        min(case when 2 * n.hour_rank >= n.hours then n.orders end) over (partition by n.source, n.account) as usual_orders
    from (
        select
            h.source,
            h.account,
            h.first_created_at,
            h.last_created_at,
            h.order_date,
            h.orders,
            row_number() over (partition by h.source, h.account order by h.orders, h.first_created_at) as hour_rank,
            count(*) over (partition by h.source, h.account) as hours
        from (
            select
                o.source,
                o.account,
                min(o.created_at) as first_created_at,
                max(o.created_at) as last_created_at,
                min(o.order_date) as order_date,
                cast(count(*) as bigint) as orders
            from core.orders as o
            where not o.is_deleted and o.order_date_source = 'created_at'
            group by o.source, o.account, cast(epoch(o.created_at) as bigint) // 3600
        ) as h
    ) as n
) as r
where r.orders >= 100 and r.orders >= 20 * r.usual_orders
