/*
description: >
  What the orders of a business date have beyond their lines, test orders excluded: orders whose lines
  are not known, and amounts that the lines do not explain. marts.daily_products shows it as not_on_lines.
grain: [source, account, order_date, currency]
materialized: view
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
    d.orders_without_lines as orders_placed,
    d.recognised_without_lines as orders_recognised,
    case when d.gives_money then d.cancelled_without_lines end as orders_cancelled,
    d.guests_without_lines as guest_orders,
    case when d.gives_money then d.gross_minor - coalesce(l.gross_minor, 0) end as gross_minor,
    case when d.gives_money then d.item_discount_minor - coalesce(l.item_discount_minor, 0) end as item_discount_minor,
    case
        when d.gives_money
            then d.total_discount_minor - d.item_discount_minor - coalesce(l.order_discount_minor, 0)
    end as order_discount_minor,
    case when d.gives_money then d.net_revenue_minor - coalesce(l.net_revenue_minor, 0) end as net_revenue_minor,
    case when d.gives_money then d.cancelled_gross_minor - coalesce(l.cancelled_gross_minor, 0) end as cancelled_gross_minor
from core.order_days as d
left join (
    select
        k.source,
        k.account,
        k.order_date,
        k.currency,
        cast(sum(k.gross_minor) as bigint) as gross_minor,
        cast(sum(k.item_discount_minor) as bigint) as item_discount_minor,
        cast(sum(k.order_discount_minor) as bigint) as order_discount_minor,
        cast(sum(k.net_revenue_minor) as bigint) as net_revenue_minor,
        cast(sum(k.cancelled_gross_minor) as bigint) as cancelled_gross_minor
    from core.line_days as k
    group by k.source, k.account, k.order_date, k.currency
) as l
    on l.source = d.source and l.account = d.account and l.order_date = d.order_date and l.currency = d.currency
