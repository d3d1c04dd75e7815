/*
description: >
  Every order as it stood at a moment: core.orders of a past evening, from core.order_versions.
  Orders that were not there yet, or were gone, have no row.
parameters:
  as_of: The moment, with its zone, such as '2026-03-31T22:00:00Z'; a text without one is read in the session's time zone.
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  version_id: The version that stood then.
  version_no: 1 for the oldest version known.
  valid_from: When the source says that version came to be, UTC.
  order_date: Business date it had then.
  ordered_at: Time it counted for then, UTC.
  status: Common status then.
  source_status: Status as the source wrote it.
  is_recognised: True when it counted as revenue.
  is_test: True for a test order.
  gives_money: False when the source knows no money.
  currency: ISO 4217 code.
  customer_key: Identity of the customer at the source; NULL for guests.
  gross_minor: Amount before discounts, minor units.
  order_discount_minor: Order-level discounts, minor units.
  item_discount_minor: Item-level discounts, minor units.
  total_discount_minor: Both together, minor units.
  net_minor: Amount after discounts, minor units.
  total_minor: Grand total as the source reported it, minor units; NULL when it reports none beside net.
  refunded_minor: All refunds up to then, minor units; NULL when the source knows no refunds.
  refund_state: none, partial or full; NULL when it cannot be told.
*/
select
    v.order_key,
    v.source,
    v.account,
    v.order_id,
    v.version_id,
    v.version_no,
    v.valid_from,
    v.order_date,
    v.ordered_at,
    v.status,
    v.source_status,
    v.is_recognised,
    v.is_test,
    v.gives_money,
    v.currency,
    v.customer_key,
    v.gross_minor,
    v.order_discount_minor,
    v.item_discount_minor,
    v.total_discount_minor,
    v.net_minor,
    v.total_minor,
    v.refunded_minor,
    v.refund_state
from core.order_versions as v
where v.valid_from <= cast(as_of as timestamptz)
    and (v.valid_to is null or v.valid_to > cast(as_of as timestamptz))
