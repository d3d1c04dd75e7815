/*
description: >
  What orders add up to per business date, test orders excluded. core.line_remainders takes off what
  their lines say.
grain: [source, account, order_date, currency, minor_unit_exponent, gives_money]
counted_by: order_key
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is 0.
  orders_placed: Orders in any status.
  orders_without_lines: Of these, orders whose lines are not known.
  recognised_without_lines: Of these, orders whose status counts as revenue.
  cancelled_without_lines: Of orders whose lines are not known, cancelled ones.
  guests_without_lines: Of orders whose lines are not known, recognised ones without a customer.
  gross_minor: Amount of recognised orders before discounts.
  item_discount_minor: Item-level discounts of these.
  total_discount_minor: All discounts of these; known where its parts may not be.
  net_revenue_minor: Amount after discounts.
  cancelled_gross_minor: Gross amount of cancelled orders.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, gives_money, orders_placed]
*/
select
    o.source,
    o.account,
    o.order_date,
    o.currency,
    o.minor_unit_exponent,
    o.gives_money,
    count(*) as orders_placed,
    count(*) filter (where o.line_count is null) as orders_without_lines,
    count(*) filter (where o.line_count is null and o.is_recognised) as recognised_without_lines,
    count(*) filter (where o.line_count is null and o.status = 'cancelled') as cancelled_without_lines,
    count(*) filter (where o.line_count is null and o.is_recognised and o.customer_key is null) as guests_without_lines,
    cast(coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) as bigint) as gross_minor,
    cast(coalesce(sum(o.item_discount_minor) filter (where o.is_recognised), 0) as bigint) as item_discount_minor,
    cast(coalesce(sum(o.total_discount_minor) filter (where o.is_recognised), 0) as bigint) as total_discount_minor,
    cast(coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) as bigint) as net_revenue_minor,
    cast(coalesce(sum(o.gross_minor) filter (where o.status = 'cancelled'), 0) as bigint) as cancelled_gross_minor
from core.orders as o
where not o.is_test and not o.is_deleted
group by o.source, o.account, o.order_date, o.currency, o.minor_unit_exponent, o.gives_money
