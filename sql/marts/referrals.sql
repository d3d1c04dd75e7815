/*
description: >
  What each referrer brought, per currency, as known now. A referrer is the customer whom an order
  names as such; orders that name none are not here. Money is in minor units and NULL where the source
  knows no money.
grain: [source, account, referrer_id, currency]
refresh_key: referrer_id
columns:
  source: Kind of API.
  account: Configured account.
  referrer_id: Customer id of the referrer.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  referred_orders_placed: Orders that name the referrer, test orders excluded.
  referred_orders: Of these, orders whose status counts as revenue.
  self_referred_orders: Of the recognised, orders of the referrer's own.
  guest_orders: Of the recognised, orders without a customer.
  customers: Distinct known customers with a recognised order. Not additive over referrers.
  new_customers: Recognised orders that are their customer's first in any currency. Additive over referrers.
  first_order_date: Business date of the first recognised order.
  last_order_date: Business date of the last.
  gross_revenue_minor: Amount of recognised orders before discounts.
  discounts_minor: Discounts on them.
  net_revenue_minor: Amount after discounts.
  new_customer_net_minor: Of this, the net amount of customers' first orders.
checks:
  - unique: [source, account, referrer_id, currency]
  - not_null: [referrer_id, currency, gives_money, referred_orders_placed, referred_orders]
  - formula: {name: parts_are_no_more_than_all, holds: "referred_orders <= referred_orders_placed and guest_orders + self_referred_orders <= referred_orders and customers + guest_orders <= referred_orders and new_customers <= customers"}
  - formula: {name: money_is_known_where_the_source_gives_money, holds: "(gross_revenue_minor is not null) = gives_money and (discounts_minor is not null) = gives_money and (net_revenue_minor is not null) = gives_money and (new_customer_net_minor is not null) = gives_money"}
metrics:
  referred_orders: {column: referred_orders, version: 1, counts: recognised orders that name the referrer, holds: "referred_orders <= referred_orders_placed", example: {is: null, where: "true"}}
  referred_net_revenue: {column: net_revenue_minor, version: 1, counts: recognised orders that name the referrer, holds: "(net_revenue_minor is not null) = gives_money", example: {is: null, where: "true"}}
*/
select
    o.source,
    o.account,
    o.referrer_id,
    o.currency,
    cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(o.gives_money) as gives_money,
    cast(count(*) as bigint) as referred_orders_placed,
    cast(count(*) filter (where o.is_recognised) as bigint) as referred_orders,
    cast(count(*) filter (where o.is_recognised and o.customer_key = o.referrer_id) as bigint) as self_referred_orders,
    cast(count(*) filter (where o.is_recognised and o.customer_key is null) as bigint) as guest_orders,
    cast(count(distinct o.customer_key) filter (where o.is_recognised) as bigint) as customers,
    cast(count(*) filter (where s.is_first_order) as bigint) as new_customers,
    min(o.order_date) filter (where o.is_recognised) as first_order_date,
    max(o.order_date) filter (where o.is_recognised) as last_order_date,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) as bigint) end
        as gross_revenue_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor) filter (where o.is_recognised), 0) as bigint) end
        as discounts_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) as bigint) end
        as net_revenue_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where s.is_first_order), 0) as bigint) end
        as new_customer_net_minor
from core.orders as o
left join core.customer_orders as s
    on s.source = o.source and s.account = o.account and s.order_id = o.order_id
where o.referrer_id is not null and not o.is_test and not o.is_deleted
group by o.source, o.account, o.referrer_id, o.currency
