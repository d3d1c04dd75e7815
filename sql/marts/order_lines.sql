/*
description: >
  Every line of every order that is no test order, as it stands now, with what its order says: to drill
  down from any product figure. Filter on is_recognised for revenue. Orders whose lines are not known
  have none here, so sums over lines may be below those of marts.daily_revenue.
grain: [source, account, order_id, line_no]
materialized: view
published_as: view
columns:
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  source_order_id: The shop's own order id, where it has one.
  line_no: Position of the line in the order, from 1.
  order_date: Business date of the order.
  order_month: First day of that date's month.
  order_hour: Local hour that the order counts for, 0 to 23; NULL when it came with a date alone.
  ordered_at: Time the order counts for, UTC.
  status: Common status of the order.
  is_recognised: True when the order counts as revenue.
  customer_key: Identity of the customer at the source; NULL for guests.
  order_kind: one_time, subscription_start or rebill; NULL where the source does not say.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  product_key: What products are told apart by.
  product_id: Product id, as far as the line says.
  sku_id: SKU id, as far as the line says.
  product_name: Name as it stood on the line.
  is_product: False for lines that are no product of their own, such as shipping or the parts of a kit.
  is_kit_component: True for a part of a kit, whose value stands on the kit's line; leave it out of sums.
  quantity: Units; may have fractions.
  unit_price_minor: Price of one unit, minor units.
  gross_minor: Line amount before discounts, minor units.
  discount_minor: Item-level discounts, minor units.
  net_minor: Line amount after item-level discounts, minor units.
  order_discount_share_minor: Share of the order-level discounts, minor units.
  net_revenue_minor: Line amount after both, minor units.
  net_revenue: The same in major units.
  quantity_refunded: Units refunded so far; NULL when the source knows no refunds.
  refunded_minor: Refunds of the line so far, minor units; NULL when the source knows no refunds.
  order_gross_minor: Amount of the whole order before discounts, minor units; the same on each of its lines, so do not sum it here.
  order_discounts_minor: All discounts of the whole order, minor units; likewise.
  order_net_minor: Amount of the whole order after discounts, minor units; likewise.
  order_line_count: Lines of the order that are products.
  order_redemption_count: Incentives on the order; NULL while they are not known.
*/
select
    i.source,
    i.account,
    i.order_id,
    o.source_order_id,
    i.line_no,
    i.order_date,
    i.order_month,
    o.order_hour,
    o.ordered_at,
    i.status,
    i.is_recognised,
    i.customer_key,
    o.order_kind,
    i.currency,
    o.minor_unit_exponent,
    i.gives_money,
    i.product_key,
    i.product_id,
    i.sku_id,
    i.product_name,
    i.is_product,
    i.is_kit_component,
    i.quantity,
    i.unit_price_minor,
    i.gross_minor,
    i.discount_minor,
    i.net_minor,
    i.order_discount_share_minor,
    i.net_revenue_minor,
    cast(i.net_revenue_minor * case o.minor_unit_exponent
        when 0 then cast(1 as decimal(4, 3))
        when 1 then cast(0.1 as decimal(4, 3))
        when 2 then cast(0.01 as decimal(4, 3))
        when 3 then cast(0.001 as decimal(4, 3))
    end as decimal(38, 3)) as net_revenue,
    i.quantity_refunded,
    i.refunded_minor,
    o.gross_minor as order_gross_minor,
    o.total_discount_minor as order_discounts_minor,
    o.net_minor as order_net_minor,
    o.line_count as order_line_count,
    o.redemption_count as order_redemption_count
from core.order_items as i
-- The date is no part of the identity; with it, a condition on the date spares most of the orders.
inner join core.orders as o
    on o.source = i.source and o.account = i.account and o.order_id = i.order_id and o.order_date = i.order_date
where not i.is_test
