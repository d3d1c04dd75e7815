/*
description: >
  Order by order: what analysts filter and group. Orders as they stand now, test and deleted ones left
  out, each with its place in its customer's sequence. Filter on is_recognised for revenue.
grain: [source, account, order_id]
materialized: view
published_as: view
columns:
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  source_order_id: The shop's own order id, where it has one.
  order_date: Business date in the account's time zone.
  order_month: First day of the business date's month.
  order_hour: Local hour, 0 to 23; NULL when the order came with a date alone.
  ordered_at: Time the order counts for, UTC.
  paid_at: When it was paid, UTC; NULL when it was not or the source does not say.
  status: Common status; created, pending, quote, paid, fulfilled, cancelled, other or unknown.
  source_status: Status as the source wrote it.
  is_recognised: True when the order counts as revenue.
  order_kind: one_time, subscription_start or rebill; NULL where the source does not say.
  is_trial: True for a trial; NULL where the source knows no trials.
  gives_money: False when the source knows no money.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  customer_key: Identity of the customer at the source; NULL for guests.
  customer_kind: new, returning or guest; NULL when the order is not recognised.
  order_seq: 1 for the customer's first recognised order; NULL for guests and orders that are not recognised.
  days_since_previous_order: Days since the customer's recognised order before; NULL for the first.
  referrer_id: Customer id of the referrer.
  gross_minor: Amount before discounts, minor units.
  order_discount_minor: Order-level discounts, minor units.
  item_discount_minor: Item-level discounts, minor units.
  total_discount_minor: Both together, minor units.
  net_minor: Amount after discounts, minor units.
  discount_rate: Discounts over gross; NULL where there is nothing to divide by.
  is_discounted: True when any discount stands on it; NULL when the source does not say.
  shipping_minor: Shipping and handling, minor units; NULL when the source does not say.
  tax_minor: Tax, minor units; NULL when the source does not say.
  total_minor: Grand total as the source reports it, minor units; NULL when it reports none beside net.
  refunded_minor: All refunds so far, minor units; NULL when the source knows no refunds.
  line_count: Lines that are products; NULL while the lines are not known.
  units: Units of lines that are products; NULL while the lines are not known.
  redemption_count: Incentives redeemed; NULL while they are not known.
  rollback_count: Of these, rolled back.
  campaign_count: Distinct campaigns.
  detail_level: full when the order came with its lines; export or header when not.
checks:
  - unique: [source, account, order_id]
  - accepted_values: {customer_kind: [new, returning, guest]}
*/
select
    o.source,
    o.account,
    o.order_id,
    o.source_order_id,
    o.order_date,
    o.order_month,
    o.order_hour,
    o.ordered_at,
    o.paid_at,
    o.status,
    o.source_status,
    o.is_recognised,
    o.order_kind,
    o.is_trial,
    o.gives_money,
    o.currency,
    o.minor_unit_exponent,
    o.customer_key,
    case
        when not o.is_recognised then cast(null as varchar)
        when o.customer_key is null then 'guest'
        when s.is_first_order then 'new'
        else 'returning'
    end as customer_kind,
    s.order_seq,
    s.days_since_previous_order,
    o.referrer_id,
    o.gross_minor,
    o.order_discount_minor,
    o.item_discount_minor,
    o.total_discount_minor,
    o.net_minor,
    cast(o.total_discount_minor as double) / nullif(o.gross_minor, 0) as discount_rate,
    o.total_discount_minor > 0 as is_discounted,
    o.shipping_minor,
    o.tax_minor,
    o.total_minor,
    o.refunded_minor,
    o.line_count,
    o.units,
    o.redemption_count,
    o.rollback_count,
    o.campaign_count,
    o.detail_level
from core.orders as o
left join core.customer_orders as s
    on s.source = o.source and s.account = o.account and s.order_id = o.order_id
where not o.is_test and not o.is_deleted
