/*
description: >
  The lines of every order version, all sources in one shape. What a source does not say is NULL,
  never zero.
grain: [version_id, line_no]
materialized: view
columns:
  version_id: Order version the line belongs to.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  line_no: Position of the line in the order, from 1.
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
  net_minor: Line amount after item-level discounts, minor units.
  refunded_minor: Refunds of the line so far, minor units; NULL when the source knows no refunds.
*/
select
    v.version_id,
    v.order_key,
    v.source,
    v.account,
    v.order_id,
    v.line_no,
    v.product_id,
    v.sku_id,
    v.product_name,
    v.is_product,
    false as is_kit_component,
    cast(v.quantity as decimal(18, 4)) as quantity,
    cast(v.initial_quantity as decimal(18, 4)) as initial_quantity,
    cast(null as decimal(18, 4)) as quantity_refunded,
    v.unit_price_minor,
    v.gross_minor,
    v.initial_amount_minor,
    v.discount_minor,
    v.net_minor,
    cast(null as bigint) as refunded_minor
from staging.voucherify_order_items as v
union all
select
    u.version_id,
    u.order_key,
    u.source,
    u.account,
    u.order_id,
    u.line_no,
    u.product_id,
    cast(null as varchar) as sku_id,
    u.product_name,
    u.is_product,
    u.is_kit_component,
    u.quantity,
    cast(null as decimal(18, 4)) as initial_quantity,
    u.quantity_refunded,
    u.unit_price_minor,
    u.gross_minor,
    cast(null as bigint) as initial_amount_minor,
    u.discount_minor,
    u.net_minor,
    u.refunded_minor
from staging.ultracart_order_items as u
union all
select
    l.version_id,
    l.order_key,
    l.source,
    l.account,
    l.order_id,
    l.line_no,
    l.product_id,
    l.sku_id,
    l.product_name,
    true as is_product,
    false as is_kit_component,
    cast(l.quantity as decimal(18, 4)) as quantity,
    cast(null as decimal(18, 4)) as initial_quantity,
    cast(null as decimal(18, 4)) as quantity_refunded,
    cast(null as bigint) as unit_price_minor,
    cast(null as bigint) as gross_minor,
    cast(null as bigint) as initial_amount_minor,
    cast(null as bigint) as discount_minor,
    cast(null as bigint) as net_minor,
    cast(null as bigint) as refunded_minor
from staging.licensespring_order_items as l
