/*
description: >
  What was sold of each product per business date: by order day, as known now. Lines that are no
  product (shipping, gift wrap) are one row, and what stands on no line is another, so that every sum
  over a day and currency is that of marts.daily_revenue. Parts of a kit count with the kit's line.
grain: [source, account, order_date, currency, kind, product_key]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  kind: product; other_line for lines that are no product; not_on_lines for what the lines do not explain, because they are not known, have no price or do not add up to the order.
  product_key: What products are told apart by, as in core.order_items; (no product) and (lines not known) for the other kinds.
  product_name: Name as it stood on the lines; the last in the alphabet when there were several.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders with the product in any status, test orders excluded; of not_on_lines, orders whose lines are not known. An order with three products is in three rows.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money, and so no sale to cancel.
  buyers: Distinct known customers with such a recognised order; NULL for what is no product. Not additive, neither over days nor over products.
  guest_orders: Recognised orders without a customer.
  lines_without_price: Recognised lines whose amount the source does not say; it is part of not_on_lines. NULL where the source knows no money.
  units: Units on recognised orders, may have fractions; NULL when no line says, and for what is no product.
  units_cancelled: Units on cancelled orders; NULL likewise and where the source knows no money.
  gross_minor: Amount of recognised lines before discounts; of not_on_lines, what the orders have beyond their lines, and so it may be negative.
  item_discount_minor: Item-level discounts.
  order_discount_minor: Share of the order-level discounts, by net amount of the lines; of not_on_lines, every discount that no line carries.
  net_revenue_minor: Amount after both; adds up to net_revenue_minor of marts.daily_revenue.
  cancelled_gross_minor: Gross amount of lines of cancelled orders.
  units_refunded: Units refunded so far on recognised orders; NULL when the source knows no refunds.
  refunded_minor: Refunds so far on these lines; NULL when the source knows no refunds.
  min_unit_price_minor: Lowest price of one unit on recognised lines.
  max_unit_price_minor: Highest price of one unit on recognised lines.
checks:
  - unique: [source, account, order_date, currency, kind, product_key]
  - not_null: [order_date, currency, kind, product_key, gives_money, orders_placed]
  - accepted_values: {kind: [product, other_line, not_on_lines]}
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money and (gross_minor is not null) = gives_money and (orders_cancelled is not null) = gives_money"}
  - formula: {name: gross_less_discounts_is_net, holds: "gross_minor - item_discount_minor - order_discount_minor = net_revenue_minor", severity: warn}
  - formula: {name: recognised_orders_are_placed, holds: "orders_recognised <= orders_placed and coalesce(orders_cancelled, 0) <= orders_placed"}
  - formula: {name: no_more_buyers_than_orders, holds: "buyers + guest_orders <= orders_recognised"}
  - totals: {name: net_revenue_is_that_of_the_day, by: [source, account, order_date, currency], sum: net_revenue_minor, to: marts.daily_revenue}
  - totals: {name: gross_revenue_is_that_of_the_day, by: [source, account, order_date, currency], sum: gross_minor, to: marts.daily_revenue, their_sum: gross_revenue_minor}
  - totals: {name: discounts_are_those_of_the_day, by: [source, account, order_date, currency], sum: item_discount_minor + order_discount_minor, to: marts.daily_revenue, their_sum: discounts_minor}
  - totals: {name: cancelled_value_is_that_of_the_day, by: [source, account, order_date, currency], sum: cancelled_gross_minor, to: marts.daily_revenue, their_sum: cancelled_value_minor}
metrics:
  product_units: {column: units, version: 1, counts: recognised lines of the product, holds: "units is null or kind = 'product'", example: {is: 2, where: "order_date = '2026-03-03' and kind = 'product'"}}
  product_gross_revenue: {column: gross_minor, version: 1, counts: recognised lines of the product, holds: "(gross_minor is not null) = gives_money", example: {is: 76600, where: "order_date = '2026-03-03' and kind = 'product'"}}
  product_order_discount: {column: order_discount_minor, version: 1, counts: recognised lines of the product, holds: "(order_discount_minor is not null) = gives_money", example: {is: 0, where: "order_date = '2026-03-03' and kind = 'product'"}}
  product_net_revenue: {column: net_revenue_minor, version: 1, counts: recognised lines of the product, holds: "(net_revenue_minor is not null) = gives_money", example: {is: 76600, where: "order_date = '2026-03-03' and kind = 'product'"}, differs: "After its share of order discounts; a source that does not split these shows more."}
  product_buyers: {column: buyers, version: 2, counts: recognised orders of known customers with the product, holds: "buyers + guest_orders <= orders_recognised", example: {is: 2, where: "order_date = '2026-03-03' and kind = 'product'"}, differs: "Not additive over days or products."}
  product_orders_placed: {column: orders_placed, version: 1, counts: placed orders with the product, holds: "orders_recognised <= orders_placed", example: {is: 4, where: "order_date = '2026-03-03' and kind = 'product'"}}
*/
select
    l.source,
    l.account,
    l.order_date,
    l.currency,
    'product' as kind,
    l.product_key,
    l.product_name,
    l.minor_unit_exponent,
    l.gives_money,
    l.orders_placed,
    l.orders_recognised,
    l.orders_cancelled,
    l.buyers,
    l.guest_orders,
    l.lines_without_price,
    l.units,
    l.units_cancelled,
    l.gross_minor,
    l.item_discount_minor,
    l.order_discount_minor,
    l.net_revenue_minor,
    l.cancelled_gross_minor,
    l.units_refunded,
    l.refunded_minor,
    l.min_unit_price_minor,
    l.max_unit_price_minor
from core.product_days as l
union all
select
    n.source,
    n.account,
    n.order_date,
    n.currency,
    n.kind,
    '(no product)' as product_key,
    cast(null as varchar) as product_name,
    n.minor_unit_exponent,
    n.gives_money,
    n.orders_placed,
    n.orders_recognised,
    case when n.gives_money then n.orders_cancelled end as orders_cancelled,
    cast(null as bigint) as buyers,
    n.guest_orders,
    case when n.gives_money then n.lines_without_price end as lines_without_price,
    cast(null as decimal(28, 4)) as units,
    cast(null as decimal(28, 4)) as units_cancelled,
    case when n.gives_money then n.gross_minor end as gross_minor,
    case when n.gives_money then n.item_discount_minor end as item_discount_minor,
    case when n.gives_money then n.order_discount_minor end as order_discount_minor,
    case when n.gives_money then n.net_revenue_minor end as net_revenue_minor,
    case when n.gives_money then n.cancelled_gross_minor end as cancelled_gross_minor,
    cast(null as decimal(28, 4)) as units_refunded,
    case when n.orders_with_refunds_known > 0 then n.refunded_minor end as refunded_minor,
    cast(null as bigint) as min_unit_price_minor,
    cast(null as bigint) as max_unit_price_minor
from core.line_days as n
where n.kind = 'other_line'
union all
select
    r.source,
    r.account,
    r.order_date,
    r.currency,
    'not_on_lines' as kind,
    '(lines not known)' as product_key,
    cast(null as varchar) as product_name,
    r.minor_unit_exponent,
    r.gives_money,
    r.orders_placed,
    r.orders_recognised,
    r.orders_cancelled,
    cast(null as bigint) as buyers,
    r.guest_orders,
    case when r.gives_money then cast(0 as bigint) end as lines_without_price,
    cast(null as decimal(28, 4)) as units,
    cast(null as decimal(28, 4)) as units_cancelled,
    r.gross_minor,
    r.item_discount_minor,
    r.order_discount_minor,
    r.net_revenue_minor,
    r.cancelled_gross_minor,
    cast(null as decimal(28, 4)) as units_refunded,
    cast(null as bigint) as refunded_minor,
    cast(null as bigint) as min_unit_price_minor,
    cast(null as bigint) as max_unit_price_minor
from core.line_remainders as r
