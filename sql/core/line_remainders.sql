/*
description: >
  What the orders of a business date have beyond their lines, test orders excluded: orders whose lines
  are not known, and amounts that the lines do not explain. marts.daily_products shows it as not_on_lines.
grain: [source, account, order_date, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders whose lines are not known, in any status.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money.
  buyers: Distinct known customers with such a recognised order.
  guest_orders: Recognised ones without a customer.
  gross_minor: Amount of recognised orders before discounts, less that of the lines; may be negative.
  item_discount_minor: Item-level discounts that no line carries.
  order_discount_minor: All other discounts that no line carries.
  net_revenue_minor: Amount after both, less that of the lines.
  cancelled_gross_minor: Gross amount of cancelled orders, less that of the lines.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, gives_money, orders_placed]
*/
select
    d.source,
    d.account,
    d.order_date,
    d.currency,
    d.minor_unit_exponent,
    d.gives_money,
    cast(d.orders_placed as bigint) as orders_placed,
    cast(d.orders_recognised as bigint) as orders_recognised,
    case when d.gives_money then cast(d.orders_cancelled as bigint) end as orders_cancelled,
    cast(d.buyers as bigint) as buyers,
    cast(d.guest_orders as bigint) as guest_orders,
    case when d.gives_money then cast(d.gross_minor - coalesce(l.gross_minor, 0) as bigint) end as gross_minor,
    case when d.gives_money then cast(d.item_discount_minor - coalesce(l.item_discount_minor, 0) as bigint) end as item_discount_minor,
    case when d.gives_money then cast(d.order_discount_minor - coalesce(l.order_discount_minor, 0) as bigint) end as order_discount_minor,
    case when d.gives_money then cast(d.net_revenue_minor - coalesce(l.net_revenue_minor, 0) as bigint) end as net_revenue_minor,
    case when d.gives_money then cast(d.cancelled_gross_minor - coalesce(l.cancelled_gross_minor, 0) as bigint) end as cancelled_gross_minor
from (
    select
        o.source,
        o.account,
        o.order_date,
        o.currency,
        cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(o.gives_money) as gives_money,
        count(*) filter (where o.line_count is null) as orders_placed,
        count(*) filter (where o.line_count is null and o.is_recognised) as orders_recognised,
        count(*) filter (where o.line_count is null and o.status = 'cancelled') as orders_cancelled,
        count(distinct o.customer_key) filter (where o.line_count is null and o.is_recognised) as buyers,
        count(*) filter (where o.line_count is null and o.is_recognised and o.customer_key is null) as guest_orders,
        coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) as gross_minor,
        coalesce(sum(o.item_discount_minor) filter (where o.is_recognised), 0) as item_discount_minor,
        -- The total is known where its parts may not be.
        coalesce(sum(o.total_discount_minor) filter (where o.is_recognised), 0)
            - coalesce(sum(o.item_discount_minor) filter (where o.is_recognised), 0) as order_discount_minor,
        coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) as net_revenue_minor,
        coalesce(sum(o.gross_minor) filter (where o.status = 'cancelled'), 0) as cancelled_gross_minor
    from core.orders as o
    where not o.is_test and not o.is_deleted
    group by o.source, o.account, o.order_date, o.currency
) as d
left join (
    select
        p.source,
        p.account,
        p.order_date,
        p.currency,
        sum(p.gross_minor) as gross_minor,
        sum(p.item_discount_minor) as item_discount_minor,
        sum(p.order_discount_minor) as order_discount_minor,
        sum(p.net_revenue_minor) as net_revenue_minor,
        sum(p.cancelled_gross_minor) as cancelled_gross_minor
    from core.product_days as p
    group by p.source, p.account, p.order_date, p.currency
) as l
    on l.source = d.source and l.account = d.account and l.order_date = d.order_date and l.currency = d.currency
