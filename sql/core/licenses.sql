/*
description: >
  Every license that stands on an order now, with what the order says of itself. Only for sources
  that issue licenses.
grain: [source, account, order_id, license_id]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  license_id: License id of the source.
  order_date: Business date of the order.
  customer_key: Identity of the customer at the source; NULL for guests.
  is_recognised: True when the order counts as issued.
  is_test: True for a license of a test order, which no mart counts.
  is_trial: True for a trial license; what the order says when the license does not.
  product_id: Product id of the source.
  sku_id: Short code of the product.
  product_name: Name of the product.
  license_type: perpetual, time-limited, subscription, consumption, or anything new.
  source_status: Status as the source wrote it, such as Active or Inactive.
  is_active: True when it was activated; NULL when the source does not say.
  is_enabled: False when the vendor disabled it; NULL when the source does not say.
  issued_at: When it was issued, UTC.
  updated_at: Last change of the license, UTC.
  starts_at: From when it is valid, UTC.
  expires_at: Until when it is valid, UTC; NULL for no end.
  activated_at: When it was activated, UTC.
  disabled_at: When it was disabled, UTC.
  subscription_id: What a billing system knows it by; prices are kept there.
  max_activations: How many devices may use it.
  times_activated: How often it was activated.
checks:
  - unique: [source, account, order_id, license_id]
  - not_null: [order_id, license_id, order_date, is_trial]
  - relation: {columns: [source, account, order_id], to: core.orders}
*/
select
    l.order_key,
    l.source,
    l.account,
    l.order_id,
    l.license_id,
    o.order_date,
    o.customer_key,
    o.is_recognised,
    o.is_test,
    coalesce(l.is_trial, o.is_trial) as is_trial,
    l.product_id,
    l.sku_id,
    l.product_name,
    l.license_type,
    l.source_status,
    l.is_active,
    l.is_enabled,
    l.created_at as issued_at,
    l.updated_at,
    l.starts_at,
    l.expires_at,
    l.activated_at,
    l.disabled_at,
    l.subscription_id,
    l.max_activations,
    l.times_activated
from core.orders as o
inner join staging.licensespring_licenses as l
    on l.source = o.source and l.account = o.account and l.order_id = o.order_id
where not o.is_deleted
