/*
description: >
  What was sold per local hour of a business date. Orders that came with a date alone have no hour:
  they stand in a row whose hour is NULL, so that hours add up to marts.daily_revenue. In the night
  when clocks go back, one hour holds two.
grain: [source, account, order_date, order_hour, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  order_hour: Local hour, 0 to 23; NULL for orders with a date alone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders of the hour, test orders excluded.
  orders_recognised: Of these, orders whose status counts as revenue.
  gross_revenue_minor: Amount of recognised orders before discounts.
  net_revenue_minor: Recognised revenue after discounts.
checks:
  - unique: [source, account, order_date, order_hour, currency]
  - not_null: [order_date, currency, gives_money, orders_placed, orders_recognised]
  - formula: {name: an_hour_is_one_of_the_day, holds: "order_hour is null or order_hour between 0 and 23"}
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money and (gross_revenue_minor is not null) = gives_money"}
metrics:
  orders_of_hour: {column: orders_recognised, version: 1, counts: recognised orders, holds: "orders_recognised >= 0", example: {is: 1, where: "order_date = '2026-03-03' and order_hour = 0"}}
  net_revenue_of_hour: {column: net_revenue_minor, version: 1, counts: recognised orders, holds: "(net_revenue_minor is not null) = gives_money", example: {is: 64440, where: "order_date = '2026-03-03' and order_hour = 0"}}
*/
select
    o.source,
    o.account,
    o.order_date,
    o.order_hour,
    o.currency,
    cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(o.gives_money) as gives_money,
    cast(count(*) as bigint) as orders_placed,
    cast(count(*) filter (where o.is_recognised) as bigint) as orders_recognised,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) as bigint) end
        as gross_revenue_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) as bigint) end
        as net_revenue_minor
from core.orders as o
where not o.is_test and not o.is_deleted
group by o.source, o.account, o.order_date, o.order_hour, o.currency
