/*
description: >
  What each known customer bought: one row per customer, product and currency, over recognised orders
  as they stand now. Guests are not here. Small enough to count the distinct buyers of a product from.
grain: [source, account, customer_key, product_key, currency]
refresh_key: customer_key
columns:
  source: Kind of API.
  account: Configured account.
  customer_key: Customer id of the source.
  product_key: What products are told apart by, as in core.order_items.
  currency: ISO 4217 code.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders: Recognised orders with the product.
  first_order_date: Business date of the first of them.
  last_order_date: Business date of the last.
  units: Units of the product, may have fractions; NULL when no line says.
  net_revenue_minor: What the customer paid for it, after its share of order discounts, minor units; lines without a price add nothing.
checks:
  - unique: [source, account, customer_key, product_key, currency]
  - not_null: [customer_key, product_key, orders]
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money"}
*/
select
    i.source,
    i.account,
    i.customer_key,
    i.product_key,
    i.currency,
    bool_or(i.gives_money) as gives_money,
    cast(count(distinct i.order_id) as bigint) as orders,
    min(i.order_date) as first_order_date,
    max(i.order_date) as last_order_date,
    cast(sum(i.quantity) as decimal(28, 4)) as units,
    case when bool_or(i.gives_money) then cast(coalesce(sum(i.net_revenue_minor), 0) as bigint) end as net_revenue_minor
from core.order_items as i
where i.is_product and i.is_recognised and not i.is_test and i.customer_key is not null
group by i.source, i.account, i.customer_key, i.product_key, i.currency
