/*
description: >
  The day in major units with its ratios: what a person reads. Ratios are NULL where there is nothing
  to divide by, amounts where the source knows no money; a discount rate is weighted (sum over sum).
  Rolling sums and growth count calendar days.
grain: [source, account, order_date, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  orders_placed: Orders of the day, test orders excluded.
  orders_recognised: Orders whose status counts as revenue.
  orders_cancelled: Cancelled orders.
  gross_revenue: Recognised amount before discounts, major units.
  discounts: Discounts on recognised orders, major units.
  net_revenue: Recognised revenue after discounts, major units.
  refunds: All that was given back so far of the day's orders, major units; NULL when the source knows no refunds.
  net_after_refunds: Net revenue less the refunds of it, major units; NULL when they are not known.
  pipeline_value: Net amount not yet paid, major units.
  cancelled_value: Gross amount of cancelled orders, major units.
  average_order_net: Net revenue per recognised order, major units.
  average_order_gross: Gross revenue per recognised order, major units.
  net_revenue_per_customer: Net revenue per distinct known customer, major units; guests' revenue included.
  discount_rate: Discounts over gross revenue.
  discounted_order_share: Discounted orders over recognised orders.
  order_level_share: Order-level discounts over all discounts.
  cancel_rate: Cancelled orders over placed orders.
  item_detail_share: Recognised orders whose items are known over all recognised orders; below 1, units and products are not complete.
  units_per_order: Units per recognised order whose items are known.
  price_per_unit: Gross revenue per unit, major units; NULL while items of the day are not all known.
  discount_per_unit: Discounts per unit, major units; NULL while items of the day are not all known.
  net_revenue_7d: Net revenue of the last 7 days, major units.
  net_revenue_28d: Net revenue of the last 28 days, major units.
  net_revenue_90d: Net revenue of the last 90 days, major units.
  is_full_7d: True when the account has history for the whole 7 days.
  is_full_28d: The same for 28 days.
  is_full_90d: The same for 90 days.
  net_revenue_week_ago: Net revenue seven days before, major units; NULL when that day had no order.
  net_revenue_year_ago: Net revenue 364 days before, the same weekday, major units.
  net_revenue_mtd: Net revenue since the first of the month, major units.
  net_revenue_qtd: Net revenue since the first of the quarter, major units.
  net_revenue_ytd: Net revenue since the first of January, major units.
metrics:
  discount_rate: {column: discount_rate, version: 1, counts: recognised orders, holds: "discount_rate >= 0", example: {is: 0.09347}}
  discounted_order_share: {column: discounted_order_share, version: 1, counts: recognised orders, holds: "discounted_order_share between 0 and 1", example: {is: 0.5}}
  order_level_share: {column: order_level_share, version: 1, counts: recognised orders, holds: "order_level_share >= 0", example: {is: 0}}
  cancel_rate: {column: cancel_rate, version: 1, counts: orders placed, holds: "cancel_rate between 0 and 1", example: {is: 0.25}}
  net_revenue_per_customer: {column: net_revenue_per_customer, version: 1, counts: recognised orders, holds: "net_revenue_per_customer is null or orders_recognised > 0", example: {is: 347.2}}
  units_per_order: {column: units_per_order, version: 1, counts: recognised orders whose lines are known, holds: "units_per_order is null or orders_recognised > 0", example: {is: 1}}
  price_per_unit: {column: price_per_unit, version: 1, counts: recognised orders, holds: "price_per_unit is null or gross_revenue is not null", example: {is: 383}}
  discount_per_unit: {column: discount_per_unit, version: 1, counts: recognised orders, holds: "discount_per_unit is null or discounts is not null", example: {is: 35.8}}
  net_revenue_7d: {column: net_revenue_7d, version: 1, counts: recognised orders, holds: "net_revenue_7d is null or net_revenue_28d is not null", example: {is: 706.27}}
*/
select
    r.source,
    r.account,
    r.order_date,
    r.currency,
    r.orders_placed,
    r.orders_recognised,
    r.orders_cancelled,
    cast(r.gross_revenue_minor * r.unit as decimal(38, 3)) as gross_revenue,
    cast(r.discounts_minor * r.unit as decimal(38, 3)) as discounts,
    cast(r.net_revenue_minor * r.unit as decimal(38, 3)) as net_revenue,
    cast(r.refunds_minor * r.unit as decimal(38, 3)) as refunds,
    cast(r.net_after_refunds_minor * r.unit as decimal(38, 3)) as net_after_refunds,
    cast(r.pipeline_value_minor * r.unit as decimal(38, 3)) as pipeline_value,
    cast(r.cancelled_value_minor * r.unit as decimal(38, 3)) as cancelled_value,
    cast(r.average_order_net_minor * r.unit as decimal(38, 3)) as average_order_net,
    cast(r.average_order_gross_minor * r.unit as decimal(38, 3)) as average_order_gross,
    cast(r.net_revenue_minor * r.unit as double) / nullif(r.customers, 0) as net_revenue_per_customer,
    cast(r.discounts_minor as double) / nullif(r.gross_revenue_minor, 0) as discount_rate,
    cast(d.orders_discounted as double) / nullif(r.orders_recognised, 0) as discounted_order_share,
    cast(d.order_level_discount_minor as double) / nullif(d.total_discount_minor, 0) as order_level_share,
    cast(r.orders_cancelled as double) / nullif(r.orders_placed, 0) as cancel_rate,
    cast(r.orders_recognised - r.orders_without_items as double) / nullif(r.orders_recognised, 0) as item_detail_share,
    cast(r.units as double) / nullif(r.orders_recognised - r.orders_without_items, 0) as units_per_order,
    case
        when r.orders_without_items = 0 then cast(r.gross_revenue_minor * r.unit as double) / nullif(r.units, 0)
    end as price_per_unit,
    case
        when r.orders_without_items = 0 then cast(r.discounts_minor * r.unit as double) / nullif(r.units, 0)
    end as discount_per_unit,
    cast(sum(r.net_revenue_minor * r.unit) over (
        partition by r.source, r.account, r.currency order by r.order_date
        range between interval '6' day preceding and current row
    ) as decimal(38, 3)) as net_revenue_7d,
    cast(sum(r.net_revenue_minor * r.unit) over (
        partition by r.source, r.account, r.currency order by r.order_date
        range between interval '27' day preceding and current row
    ) as decimal(38, 3)) as net_revenue_28d,
    cast(sum(r.net_revenue_minor * r.unit) over (
        partition by r.source, r.account, r.currency order by r.order_date
        range between interval '89' day preceding and current row
    ) as decimal(38, 3)) as net_revenue_90d,
    date_diff('day', r.first_date, r.order_date) >= 6 as is_full_7d,
    date_diff('day', r.first_date, r.order_date) >= 27 as is_full_28d,
    date_diff('day', r.first_date, r.order_date) >= 89 as is_full_90d,
    cast(w.net_revenue_minor * r.unit as decimal(38, 3)) as net_revenue_week_ago,
    cast(y.net_revenue_minor * r.unit as decimal(38, 3)) as net_revenue_year_ago,
    cast(sum(r.net_revenue_minor * r.unit) over (
        partition by r.source, r.account, r.currency, cast(date_trunc('month', r.order_date) as date)
        order by r.order_date rows between unbounded preceding and current row
    ) as decimal(38, 3)) as net_revenue_mtd,
    cast(sum(r.net_revenue_minor * r.unit) over (
        partition by r.source, r.account, r.currency, cast(date_trunc('quarter', r.order_date) as date)
        order by r.order_date rows between unbounded preceding and current row
    ) as decimal(38, 3)) as net_revenue_qtd,
    cast(sum(r.net_revenue_minor * r.unit) over (
        partition by r.source, r.account, r.currency, cast(date_trunc('year', r.order_date) as date)
        order by r.order_date rows between unbounded preceding and current row
    ) as decimal(38, 3)) as net_revenue_ytd
from (
    select
        m.source,
        m.account,
        m.order_date,
        m.currency,
        m.orders_placed,
        m.orders_recognised,
        m.orders_cancelled,
        m.gross_revenue_minor,
        m.discounts_minor,
        m.net_revenue_minor,
        m.refunds_minor,
        m.net_after_refunds_minor,
        m.pipeline_value_minor,
        m.cancelled_value_minor,
        m.average_order_net_minor,
        m.average_order_gross_minor,
        m.units,
        m.orders_without_items,
        m.customers,
        case m.minor_unit_exponent
            when 0 then cast(1 as decimal(4, 3))
            when 1 then cast(0.1 as decimal(4, 3))
            when 2 then cast(0.01 as decimal(4, 3))
            when 3 then cast(0.001 as decimal(4, 3))
        end as unit,
        min(m.order_date) over (partition by m.source, m.account) as first_date
    from marts.daily_revenue as m
) as r
left join marts.daily_discounts as d
    on d.source = r.source and d.account = r.account and d.order_date = r.order_date and d.currency = r.currency
left join marts.daily_revenue as w
    on w.source = r.source and w.account = r.account and w.currency = r.currency
    and w.order_date = cast(r.order_date - interval '7' day as date)
left join marts.daily_revenue as y
    on y.source = r.source and y.account = r.account and y.currency = r.currency
    and y.order_date = cast(r.order_date - interval '364' day as date)
