/*
description: >
  Each product over its whole history, one row per currency: by recognised orders as known now. Rates,
  rank and Pareto class are in marts.product_ranking.
grain: [source, account, product_key, currency]
refresh_key: product_key
columns:
  source: Kind of API.
  account: Configured account.
  product_key: What products are told apart by, as in core.order_items.
  product_name: Name on the lines of the last day that has one.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  first_sold_on: Business date of the first recognised order; NULL when there is none.
  last_sold_on: Business date of the last.
  days_sold: Business dates with a recognised order.
  orders_placed: Orders with the product in any status, test orders excluded.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money.
  buyers: Distinct known customers with a recognised order. Not additive over products.
  repeat_buyers: Of these, customers with more than one such order.
  guest_orders: Recognised orders without a customer.
  lines_without_price: Recognised lines whose amount the source does not say; they add nothing to the sums.
  units: Units on recognised orders, may have fractions; NULL when no line says.
  units_cancelled: Units on cancelled orders; NULL likewise and where the source knows no money.
  gross_minor: Amount of recognised lines before discounts.
  item_discount_minor: Item-level discounts.
  order_discount_minor: Share of the order-level discounts.
  net_revenue_minor: Amount after both.
  cancelled_gross_minor: Gross amount of lines of cancelled orders.
  units_refunded: Units refunded so far; NULL when the source knows no refunds.
  refunded_minor: Refunds so far; NULL when the source knows no refunds.
  min_unit_price_minor: Lowest price of one unit on recognised lines.
  max_unit_price_minor: Highest price of one unit on recognised lines.
checks:
  - unique: [source, account, product_key, currency]
  - not_null: [product_key, currency, gives_money, orders_placed, buyers]
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money"}
  - formula: {name: gross_less_discounts_is_net, holds: "gross_minor - item_discount_minor - order_discount_minor = net_revenue_minor", severity: warn}
  - formula: {name: no_more_buyers_than_orders, holds: "repeat_buyers <= buyers and buyers + repeat_buyers + guest_orders <= orders_recognised"}
  - totals: {name: revenue_is_that_of_all_days, by: [source, account, product_key, currency], sum: net_revenue_minor, to: marts.daily_products, their_where: "kind = 'product'"}
metrics:
  product_net_revenue_so_far: {column: net_revenue_minor, version: 1, counts: all recognised lines of the product, holds: "(net_revenue_minor is not null) = gives_money", example: {is: 78057, where: "product_key = '(unknown)'"}}
  product_units_so_far: {column: units, version: 1, counts: all recognised lines of the product, holds: "units is null or orders_placed > 0", example: {is: 3, where: "product_key = '(unknown)'"}}
  product_buyers_so_far: {column: buyers, version: 1, counts: known customers with a recognised order of the product, holds: "buyers + guest_orders <= orders_recognised", example: {is: 2, where: "product_key = '(unknown)'"}}
  product_repeat_buyers: {column: repeat_buyers, version: 1, counts: known customers with more than one recognised order of the product, holds: "repeat_buyers <= buyers", example: {is: 1, where: "product_key = '(unknown)'"}}
*/
select
    p.source,
    p.account,
    p.product_key,
    p.product_name,
    p.currency,
    p.minor_unit_exponent,
    p.gives_money,
    p.first_sold_on,
    p.last_sold_on,
    p.days_sold,
    p.orders_placed,
    p.orders_recognised,
    p.orders_cancelled,
    coalesce(b.buyers, cast(0 as bigint)) as buyers,
    coalesce(b.repeat_buyers, cast(0 as bigint)) as repeat_buyers,
    p.guest_orders,
    p.lines_without_price,
    p.units,
    p.units_cancelled,
    p.gross_minor,
    p.item_discount_minor,
    p.order_discount_minor,
    p.net_revenue_minor,
    p.cancelled_gross_minor,
    p.units_refunded,
    p.refunded_minor,
    p.min_unit_price_minor,
    p.max_unit_price_minor
from (
    select
        d.source,
        d.account,
        d.product_key,
        arg_max(d.product_name, d.order_date) filter (where d.product_name is not null) as product_name,
        d.currency,
        cast(max(d.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(d.gives_money) as gives_money,
        min(d.order_date) filter (where d.orders_recognised > 0) as first_sold_on,
        max(d.order_date) filter (where d.orders_recognised > 0) as last_sold_on,
        cast(count(*) filter (where d.orders_recognised > 0) as bigint) as days_sold,
        cast(sum(d.orders_placed) as bigint) as orders_placed,
        cast(sum(d.orders_recognised) as bigint) as orders_recognised,
        cast(sum(d.orders_cancelled) as bigint) as orders_cancelled,
        cast(sum(d.guest_orders) as bigint) as guest_orders,
        cast(sum(d.lines_without_price) as bigint) as lines_without_price,
        cast(sum(d.units) as decimal(28, 4)) as units,
        cast(sum(d.units_cancelled) as decimal(28, 4)) as units_cancelled,
        cast(sum(d.gross_minor) as bigint) as gross_minor,
        cast(sum(d.item_discount_minor) as bigint) as item_discount_minor,
        cast(sum(d.order_discount_minor) as bigint) as order_discount_minor,
        cast(sum(d.net_revenue_minor) as bigint) as net_revenue_minor,
        cast(sum(d.cancelled_gross_minor) as bigint) as cancelled_gross_minor,
        cast(sum(d.units_refunded) as decimal(28, 4)) as units_refunded,
        cast(sum(d.refunded_minor) as bigint) as refunded_minor,
        min(d.min_unit_price_minor) as min_unit_price_minor,
        max(d.max_unit_price_minor) as max_unit_price_minor
    from core.product_days as d
    group by d.source, d.account, d.product_key, d.currency
) as p
left join (
    select
        c.source,
        c.account,
        c.product_key,
        c.currency,
        cast(count(*) as bigint) as buyers,
        cast(count(*) filter (where c.orders > 1) as bigint) as repeat_buyers
    from core.customer_products as c
    group by c.source, c.account, c.product_key, c.currency
) as b
    on b.source = p.source and b.account = p.account and b.product_key = p.product_key and b.currency = p.currency
