/*
description: >
  marts.daily_revenue as it would have stood at a moment, so that a month-end can be reproduced after
  rollbacks have taken the discounts from the orders. Figures mean what they mean there.
parameters:
  as_of: The moment, with its zone, such as '2026-03-31T22:00:00Z'; a text without one is read in the session's time zone.
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders of the day, test orders excluded.
  orders_recognised: Of these, orders whose status counted as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money.
  gross_revenue_minor: Amount of recognised orders before discounts.
  discounts_minor: Discounts on recognised orders.
  net_revenue_minor: Recognised revenue after discounts.
  pipeline_value_minor: Net amount of orders that were created or pending.
  cancelled_value_minor: Gross amount of cancelled orders.
  customers: Distinct known customers with a recognised order.
  new_customer_orders: Recognised orders that were their customer's first.
  returning_customer_orders: Recognised orders that were not.
  guest_orders: Recognised orders without a customer.
*/
select
    o.source,
    o.account,
    o.order_date,
    o.currency,
    bool_or(o.gives_money) as gives_money,
    cast(count(*) as bigint) as orders_placed,
    cast(count(*) filter (where o.is_recognised) as bigint) as orders_recognised,
    case when bool_or(o.gives_money) then cast(count(*) filter (where o.status = 'cancelled') as bigint) end
        as orders_cancelled,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) as bigint) end
        as gross_revenue_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor) filter (where o.is_recognised), 0) as bigint) end
        as discounts_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) as bigint) end
        as net_revenue_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.status in ('created', 'pending')), 0) as bigint) end
        as pipeline_value_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor) filter (where o.status = 'cancelled'), 0) as bigint) end
        as cancelled_value_minor,
    cast(count(distinct o.customer_key) filter (where o.is_recognised) as bigint) as customers,
    cast(count(*) filter (where o.is_recognised and o.customer_key is not null and o.order_seq = 1) as bigint) as new_customer_orders,
    cast(count(*) filter (where o.is_recognised and o.customer_key is not null and o.order_seq > 1) as bigint) as returning_customer_orders,
    cast(count(*) filter (where o.is_recognised and o.customer_key is null) as bigint) as guest_orders
from (
    select
        v.source,
        v.account,
        v.order_date,
        v.currency,
        v.gives_money,
        v.status,
        v.is_recognised,
        v.customer_key,
        v.gross_minor,
        v.total_discount_minor,
        v.net_minor,
        row_number() over (
            partition by v.source, v.account, v.customer_key, v.is_recognised order by v.ordered_at, v.order_id
        ) as order_seq
    from core.orders_as_of(as_of) as v
    where not v.is_test
) as o
group by o.source, o.account, o.order_date, o.currency
