/*
description: >
  Every observed version of every order, all sources in one shape: what core reads. A source is one
  branch. What a source does not say is NULL, never zero.
grain: [version_id]
materialized: view
personal: [customer_key, referrer_id]
columns:
  version_id: Observation number of the version in raw.order_payloads.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  source_order_id: The shop's own order id, where it has one.
  version_at: When the source says this version came to be, UTC; when it was first seen where the source does not say.
  content_hash: MD5 of the landed payload.
  channel: How the version came here; list, get, export (header only) or gone (the answer that the order is not there any more).
  extraction_id: The extraction that brought it.
  loaded_at: When it was landed, UTC.
  created_at: Creation time at the source, UTC.
  updated_at: Last change at the source, UTC; NULL when never changed or not said.
  paid_at: When it was paid, UTC; NULL when it was not or the source does not say.
  shipped_at: First shipment, UTC; NULL when there is none or the source does not say.
  cancelled_at: When it was cancelled, UTC; NULL when it was not or the source does not say.
  refunded_at: Last refund, UTC; NULL when there is none or the source does not say.
  ordered_at: Time the order counts for, UTC.
  order_date: Business date, the local day of ordered_at in the account's time zone.
  order_date_source: Where the business date comes from, metadata (the account's business_date_path) or created_at.
  source_status: Status as the source wrote it.
  status: Common status; created, pending, quote, paid, fulfilled, cancelled, other or unknown.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order.
  is_trial: True for a trial; NULL where the source knows no trials.
  order_kind: one_time, subscription_start or rebill; NULL where the source does not say.
  gives_money: False when the source knows no money, so that sums are NULL and not zero.
  currency: ISO 4217 code of all amounts.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  shopper_currency: Currency the shopper saw, where it is another one.
  shopper_total: Total in the shopper's currency, major units; NULL when that is the order's.
  customer_key: Identity of the customer at the source; NULL for guests.
  referrer_id: Customer id of the referrer.
  gross_minor: Amount before discounts, minor units; merchandise alone where shipping stands apart.
  initial_amount_minor: Amount before any discount added units; NULL when the source does not say.
  effect_value_minor: Value of units that discounts added, minor units; NULL when the source does not say.
  order_discount_minor: Order-level discounts, minor units.
  item_discount_minor: Item-level discounts, minor units.
  total_discount_minor: Both together, minor units.
  net_minor: Amount after discounts, minor units; what is left to pay (Voucherify), merchandise before shipping, tax and refunds (UltraCart).
  shipping_minor: Shipping and handling before its discount, minor units; NULL when the source does not say.
  shipping_discount_minor: Discount on shipping and handling, minor units; NULL when the source does not say.
  tax_minor: Tax, minor units; NULL when the source does not say.
  total_minor: Grand total as the source reports it, minor units; NULL when it reports none beside net.
  residual_minor: Total less the parts that are known, minor units; NULL when it cannot be told.
  refunded_minor: All refunds so far, minor units; NULL when the source knows no refunds.
  refunded_net_minor: Of these, refunds of what net counts, minor units; NULL when the source does not say.
  refund_state: none, partial or full; NULL when it cannot be told.
  line_count: Lines that are products; NULL while the lines are not known.
  units: Units of lines that are products, may have fractions; NULL while the lines are not known.
  redemption_count: Incentives redeemed; NULL while they are not known.
  rollback_count: Of these, rolled back.
  campaign_count: Distinct campaigns.
  detail_level: full when the order came with its lines; export (from a file) or header when not.
  quarantine_reason: Why the version cannot be typed; NULL when it can.
*/
select
    v.version_id,
    v.order_key,
    v.source,
    v.account,
    v.order_id,
    v.source_order_id,
    v.version_at,
    v.content_hash,
    v.channel,
    v.extraction_id,
    v.loaded_at,
    v.created_at,
    v.updated_at,
    cast(null as timestamptz) as paid_at,
    cast(null as timestamptz) as shipped_at,
    cast(null as timestamptz) as cancelled_at,
    cast(null as timestamptz) as refunded_at,
    v.ordered_at,
    v.order_date,
    v.order_date_source,
    v.source_status,
    v.status,
    v.is_recognised,
    v.is_test,
    cast(null as boolean) as is_trial,
    cast(null as varchar) as order_kind,
    true as gives_money,
    v.currency,
    v.minor_unit_exponent,
    cast(null as varchar) as shopper_currency,
    cast(null as decimal(18, 4)) as shopper_total,
    v.customer_key,
    v.referrer_id,
    v.gross_minor,
    v.initial_amount_minor,
    v.effect_value_minor,
    v.order_discount_minor,
    v.item_discount_minor,
    v.total_discount_minor,
    v.net_minor,
    cast(null as bigint) as shipping_minor,
    cast(null as bigint) as shipping_discount_minor,
    cast(null as bigint) as tax_minor,
    cast(null as bigint) as total_minor,
    cast(null as bigint) as residual_minor,
    cast(null as bigint) as refunded_minor,
    cast(null as bigint) as refunded_net_minor,
    cast(null as varchar) as refund_state,
    v.line_count,
    cast(v.units as decimal(18, 4)) as units,
    v.redemption_count,
    v.rollback_count,
    v.campaign_count,
    case when v.channel = 'export' then 'export' else 'full' end as detail_level,
    v.quarantine_reason
from staging.voucherify_orders as v
union all
select
    u.version_id,
    u.order_key,
    u.source,
    u.account,
    u.order_id,
    u.source_order_id,
    u.version_at,
    u.content_hash,
    u.channel,
    u.extraction_id,
    u.loaded_at,
    u.created_at,
    cast(null as timestamptz) as updated_at,
    u.paid_at,
    u.shipped_at,
    u.cancelled_at,
    u.refunded_at,
    u.ordered_at,
    u.order_date,
    u.order_date_source,
    u.source_status,
    u.status,
    u.is_recognised,
    u.is_test,
    cast(null as boolean) as is_trial,
    u.order_kind,
    true as gives_money,
    u.currency,
    u.minor_unit_exponent,
    u.shopper_currency,
    u.shopper_total,
    u.customer_key,
    cast(null as varchar) as referrer_id,
    u.gross_minor,
    cast(null as bigint) as initial_amount_minor,
    cast(null as bigint) as effect_value_minor,
    u.order_discount_minor,
    u.item_discount_minor,
    u.total_discount_minor,
    u.net_minor,
    u.shipping_minor,
    u.shipping_discount_minor,
    u.tax_minor,
    u.total_minor,
    u.residual_minor,
    u.refunded_minor,
    u.refunded_net_minor,
    u.refund_state,
    u.line_count,
    u.units,
    u.redemption_count,
    cast(null as bigint) as rollback_count,
    cast(null as bigint) as campaign_count,
    u.detail_level,
    u.quarantine_reason
from staging.ultracart_orders as u
union all
select
    l.version_id,
    l.order_key,
    l.source,
    l.account,
    l.order_id,
    l.source_order_id,
    l.version_at,
    l.content_hash,
    l.channel,
    l.extraction_id,
    l.loaded_at,
    l.created_at,
    l.updated_at,
    cast(null as timestamptz) as paid_at,
    cast(null as timestamptz) as shipped_at,
    cast(null as timestamptz) as cancelled_at,
    cast(null as timestamptz) as refunded_at,
    l.ordered_at,
    l.order_date,
    l.order_date_source,
    l.source_status,
    l.status,
    l.is_recognised,
    l.is_test,
    l.is_trial,
    cast(null as varchar) as order_kind,
    false as gives_money,
    l.currency,
    cast(null as integer) as minor_unit_exponent,
    cast(null as varchar) as shopper_currency,
    cast(null as decimal(18, 4)) as shopper_total,
    l.customer_key,
    cast(null as varchar) as referrer_id,
    cast(null as bigint) as gross_minor,
    cast(null as bigint) as initial_amount_minor,
    cast(null as bigint) as effect_value_minor,
    cast(null as bigint) as order_discount_minor,
    cast(null as bigint) as item_discount_minor,
    cast(null as bigint) as total_discount_minor,
    cast(null as bigint) as net_minor,
    cast(null as bigint) as shipping_minor,
    cast(null as bigint) as shipping_discount_minor,
    cast(null as bigint) as tax_minor,
    cast(null as bigint) as total_minor,
    cast(null as bigint) as residual_minor,
    cast(null as bigint) as refunded_minor,
    cast(null as bigint) as refunded_net_minor,
    cast(null as varchar) as refund_state,
    l.line_count,
    cast(l.units as decimal(18, 4)) as units,
    cast(null as bigint) as redemption_count,
    cast(null as bigint) as rollback_count,
    cast(null as bigint) as campaign_count,
    l.detail_level,
    l.quarantine_reason
from staging.licensespring_orders as l
