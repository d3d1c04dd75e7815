/*
description: >
  Products in major units with their rates, rank and Pareto class: what a person reads. Shares are of
  the revenue that stands on product lines, so shipping and unknown lines are not in them. Ratios are
  NULL where there is nothing to divide by.
grain: [source, account, product_key, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  product_key: What products are told apart by, as in core.order_items.
  product_name: Name on the lines of the last day that has one.
  currency: ISO 4217 code.
  revenue_rank: 1 for the product with the highest net revenue of the account in this currency; by units where the source knows no money. Ties by product_key.
  net_revenue: Amount after all discounts, major units.
  units: Units on recognised orders.
  orders_recognised: Recognised orders with the product.
  buyers: Distinct known customers.
  revenue_share: Net revenue over that of all products.
  cumulative_share: The same for this product and all that rank above it.
  pareto_class: A for the products that make the first 80 % of net revenue, B up to 95 %, C for the rest; NULL without money.
  average_unit_price: Gross amount per unit, major units.
  discount_rate: Both kinds of discounts over gross amount.
  cancel_rate: Cancelled orders over placed orders with the product.
  repeat_buyer_share: Buyers with more than one order of it over all buyers.
  attach_rate: Orders with the product over all recognised orders of the account in this currency whose lines are known.
  units_per_order: Units over orders with the product.
  refunded_unit_share: Refunded units over units; NULL when the source knows no refunds.
metrics:
  product_revenue_rank: {column: revenue_rank, version: 1, counts: products of the account and currency, holds: "revenue_rank >= 1", example: {is: 1, where: "product_key = '(unknown)'"}}
  product_attach_rate: {column: attach_rate, version: 1, counts: recognised orders whose lines are known, holds: "attach_rate >= 0", example: {is: 1, where: "product_key = '(unknown)'"}}
  product_repeat_buyer_share: {column: repeat_buyer_share, version: 1, counts: known customers with a recognised order of the product, holds: "repeat_buyer_share between 0 and 1", example: {is: 0.5, where: "product_key = '(unknown)'"}}
  product_cancel_rate: {column: cancel_rate, version: 1, counts: placed orders with the product, holds: "cancel_rate between 0 and 1", example: {is: 0.2, where: "product_key = '(unknown)'"}}
*/
select
    r.source,
    r.account,
    r.product_key,
    r.product_name,
    r.currency,
    cast(r.revenue_rank as bigint) as revenue_rank,
    cast(r.net_revenue_minor * r.unit as decimal(38, 3)) as net_revenue,
    r.units,
    r.orders_recognised,
    r.buyers,
    cast(r.net_revenue_minor as double) / nullif(r.all_net_minor, 0) as revenue_share,
    cast(r.running_net_minor as double) / nullif(r.all_net_minor, 0) as cumulative_share,
    case
        when r.net_revenue_minor is null or r.all_net_minor <= 0 then cast(null as varchar)
        when 5 * (r.running_net_minor - r.net_revenue_minor) < 4 * r.all_net_minor then 'A'
        when 20 * (r.running_net_minor - r.net_revenue_minor) < 19 * r.all_net_minor then 'B'
        else 'C'
    end as pareto_class,
    cast(r.gross_minor * r.unit as double) / nullif(cast(r.units as double), 0) as average_unit_price,
    cast(r.item_discount_minor + r.order_discount_minor as double) / nullif(r.gross_minor, 0) as discount_rate,
    cast(r.orders_cancelled as double) / nullif(r.orders_placed, 0) as cancel_rate,
    cast(r.repeat_buyers as double) / nullif(r.buyers, 0) as repeat_buyer_share,
    cast(r.orders_recognised as double) / nullif(d.orders_with_lines, 0) as attach_rate,
    cast(r.units as double) / nullif(r.orders_recognised, 0) as units_per_order,
    cast(r.units_refunded as double) / nullif(cast(r.units as double), 0) as refunded_unit_share
from (
    select
        p.source,
        p.account,
        p.product_key,
        p.product_name,
        p.currency,
        p.orders_placed,
        p.orders_recognised,
        p.orders_cancelled,
        p.buyers,
        p.repeat_buyers,
        p.units,
        p.units_refunded,
        p.gross_minor,
        p.item_discount_minor,
        p.order_discount_minor,
        p.net_revenue_minor,
        case p.minor_unit_exponent
            when 0 then cast(1 as decimal(4, 3))
            when 1 then cast(0.1 as decimal(4, 3))
            when 2 then cast(0.01 as decimal(4, 3))
            when 3 then cast(0.001 as decimal(4, 3))
        end as unit,
        row_number() over (
            partition by p.source, p.account, p.currency
            order by coalesce(p.net_revenue_minor, 0) desc, coalesce(p.units, 0) desc, p.product_key
        ) as revenue_rank,
        sum(p.net_revenue_minor) over (
            partition by p.source, p.account, p.currency
            order by coalesce(p.net_revenue_minor, 0) desc, coalesce(p.units, 0) desc, p.product_key
            rows between unbounded preceding and current row
        ) as running_net_minor,
        sum(p.net_revenue_minor) over (partition by p.source, p.account, p.currency) as all_net_minor
    from marts.products as p
) as r
left join (
    select
        v.source,
        v.account,
        v.currency,
        sum(v.orders_recognised - v.orders_without_items) as orders_with_lines
    from marts.daily_revenue as v
    group by v.source, v.account, v.currency
) as d
    on d.source = r.source and d.account = r.account and d.currency = r.currency
