/*
description: >
  The lines of every order as it stands now. Orders of which only the header is known
  have none yet (detail_level of core.orders).
grain: [source, account, order_id, line_no]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  line_no: Position of the line in the order, from 1.
  order_date: Business date of the order.
  status: Common status of the order.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order.
  currency: ISO 4217 code.
  product_id: Product id, as far as the line says.
  sku_id: SKU id, as far as the line says.
  product_name: Name as it stood on the line.
  is_product: False for lines that are no product of their own, such as shipping or the parts of a kit.
  is_kit_component: True for a part of a kit, whose value stands on the kit's line.
  quantity: Units; may have fractions.
  initial_quantity: Units before any discount added some; NULL when the source does not say.
  quantity_refunded: Units refunded so far; NULL when the source knows no refunds.
  unit_price_minor: Price of one unit, minor units.
  gross_minor: Line amount before discounts, minor units.
  initial_amount_minor: Line amount before any discount added units; NULL when the source does not say.
  discount_minor: Item-level discounts, minor units.
  net_minor: Line amount after item-level discounts, minor units; order-level discounts are not spread here.
  refunded_minor: Refunds of the line so far, minor units; NULL when the source knows no refunds.
checks:
  - unique: [source, account, order_id, line_no]
  - not_null: [order_id, line_no, order_date, currency]
  - relation: {columns: [source, account, order_id], to: core.orders}
  - formula: {name: line_net_is_gross_less_discount, holds: "net_minor = gross_minor - discount_minor", severity: warn}
*/
select
    i.order_key,
    i.source,
    i.account,
    i.order_id,
    i.line_no,
    o.order_date,
    o.status,
    o.is_recognised,
    o.is_test,
    o.currency,
    i.product_id,
    i.sku_id,
    i.product_name,
    i.is_product,
    i.is_kit_component,
    i.quantity,
    i.initial_quantity,
    i.quantity_refunded,
    i.unit_price_minor,
    i.gross_minor,
    i.initial_amount_minor,
    i.discount_minor,
    i.net_minor,
    i.refunded_minor
from core.orders as o
inner join staging.order_items as i on i.order_key = o.order_key and i.version_id = o.version_id
where not o.is_deleted
