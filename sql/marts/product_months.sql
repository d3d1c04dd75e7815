/*
description: >
  Products per month with their rank in it and how it moved: the top sellers of a period. Products
  without a recognised order in a month are not in it. The month that runs has what was sold so far.
grain: [source, account, order_month, currency, product_key]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_month: First local day of the month.
  currency: ISO 4217 code.
  product_key: What products are told apart by, as in core.order_items.
  product_name: Name as it stood on the lines; the last in the alphabet when there were several.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  orders_recognised: Recognised orders with the product.
  units: Units on recognised orders; NULL when no line says.
  net_revenue_minor: Amount after all discounts; NULL when the source knows no money.
  month_rank: 1 for the product with the highest net revenue of the account in this currency and month; by units where the source knows no money. Ties by product_key.
  previous_rank: Its rank in the month before; NULL when it sold nothing then.
  rank_change: Places gained since the month before, negative when lost; NULL when it sold nothing then.
checks:
  - unique: [source, account, order_month, currency, product_key]
  - not_null: [order_month, currency, product_key, month_rank]
  - totals: {name: revenue_is_that_of_all_days, by: [source, account, product_key, currency], sum: net_revenue_minor, to: marts.daily_products, their_where: "kind = 'product' and orders_recognised > 0"}
metrics:
  product_month_rank: {column: month_rank, version: 1, counts: products sold in the month, holds: "month_rank >= 1", example: {is: 1, where: "product_key = '(unknown)'"}}
  product_rank_change: {column: rank_change, version: 1, counts: products sold in the month and in the one before, holds: "rank_change = previous_rank - month_rank", example: {is: null, where: "product_key = '(unknown)'"}}
*/
with ranked as (
    select
        m.source,
        m.account,
        m.order_month,
        m.currency,
        m.product_key,
        m.product_name,
        m.minor_unit_exponent,
        m.orders_recognised,
        m.units,
        m.net_revenue_minor,
        row_number() over (
            partition by m.source, m.account, m.order_month, m.currency
            order by coalesce(m.net_revenue_minor, 0) desc, coalesce(m.units, 0) desc, m.product_key
        ) as month_rank
    from (
        select
            d.source,
            d.account,
            cast(date_trunc('month', d.order_date) as date) as order_month,
            d.currency,
            d.product_key,
            max(d.product_name) as product_name,
            max(d.minor_unit_exponent) as minor_unit_exponent,
            cast(sum(d.orders_recognised) as bigint) as orders_recognised,
            sum(d.units) as units,
            cast(sum(d.net_revenue_minor) as bigint) as net_revenue_minor
        from marts.daily_products as d
        where d.kind = 'product' and d.orders_recognised > 0
        group by d.source, d.account, cast(date_trunc('month', d.order_date) as date), d.currency, d.product_key
    ) as m
)
select
    n.source,
    n.account,
    n.order_month,
    n.currency,
    n.product_key,
    n.product_name,
    n.minor_unit_exponent,
    n.orders_recognised,
    n.units,
    n.net_revenue_minor,
    cast(n.month_rank as bigint) as month_rank,
    cast(b.month_rank as bigint) as previous_rank,
    cast(b.month_rank - n.month_rank as bigint) as rank_change
from ranked as n
left join ranked as b
    on b.source = n.source and b.account = n.account and b.currency = n.currency
    and b.product_key = n.product_key and b.order_month = cast(n.order_month - interval '1' month as date)
