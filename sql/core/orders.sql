/*
description: >
  One row per order: its newest version that can be typed. All sources in one shape. A full version
  goes before an export's header of the same time.
grain: [source, account, order_id]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  source_order_id: The shop's own order id, where it has one.
  version_id: The version that this row shows.
  version_at: When the source says that version came to be, UTC.
  order_date: Business date in the account's time zone.
  order_date_source: Where the business date comes from, metadata or created_at.
  ordered_at: Time the order counts for, UTC.
  created_at: Creation time at the source, UTC.
  updated_at: Last change at the source, UTC; NULL when never changed.
  status: Common status; created, paid, fulfilled, cancelled, other or unknown.
  source_status: Status as the source wrote it.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order, which no mart counts.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  customer_key: Customer id of the source; NULL for guests.
  referrer_id: Customer id of the referrer.
  gross_minor: Amount before discounts, minor units.
  initial_amount_minor: Amount before any discount added units; NULL when the source does not say.
  effect_value_minor: Value of units that discounts added, minor units; NULL while only the header is known.
  order_discount_minor: Order-level discounts, minor units.
  item_discount_minor: Item-level discounts, minor units.
  total_discount_minor: Both together, minor units.
  net_minor: What is left to pay, minor units.
  line_count: Lines that are products; NULL while only the header is known.
  units: Units of lines that are products; NULL while only the header is known.
  redemption_count: Incentives redeemed; NULL while only the header is known.
  rollback_count: Of these, rolled back.
  campaign_count: Distinct campaigns.
  detail_level: full when the order came with its items, export when only its header is known.
  is_deleted: True when the source answered that the order is not there any more; no mart counts it.
  first_loaded_at: When the warehouse first saw the order, UTC.
  loaded_at: When the shown version was landed, UTC.
  extraction_id: The extraction that brought the shown version.
checks:
  - unique: [source, account, order_id]
  - not_null: [order_key, source, account, order_id, version_id, order_date, status, currency]
  - accepted_values: {status: [created, paid, fulfilled, cancelled, other, unknown]}
  - formula: {name: discounts_add_up, holds: "total_discount_minor = order_discount_minor + item_discount_minor", severity: warn}
  - formula: {name: net_is_gross_less_discounts, holds: "net_minor = gross_minor - total_discount_minor", severity: warn}
*/
select
    n.order_key,
    n.source,
    n.account,
    n.order_id,
    n.source_order_id,
    n.version_id,
    n.version_at,
    n.order_date,
    n.order_date_source,
    n.ordered_at,
    n.created_at,
    n.updated_at,
    n.status,
    n.source_status,
    n.is_recognised,
    n.is_test,
    n.currency,
    n.minor_unit_exponent,
    n.customer_key,
    n.referrer_id,
    n.gross_minor,
    n.initial_amount_minor,
    n.effect_value_minor,
    n.order_discount_minor,
    n.item_discount_minor,
    n.total_discount_minor,
    n.net_minor,
    n.line_count,
    n.units,
    n.redemption_count,
    n.rollback_count,
    n.campaign_count,
    case when n.channel = 'export' then 'export' else 'full' end as detail_level,
    n.is_deleted,
    n.first_loaded_at,
    n.loaded_at,
    n.extraction_id
from (
    select
        o.order_key,
        o.source,
        o.account,
        o.order_id,
        o.source_order_id,
        o.version_id,
        o.version_at,
        o.order_date,
        o.order_date_source,
        o.ordered_at,
        o.created_at,
        o.updated_at,
        o.status,
        o.source_status,
        o.is_recognised,
        o.is_test,
        o.currency,
        o.minor_unit_exponent,
        o.customer_key,
        o.referrer_id,
        o.gross_minor,
        o.initial_amount_minor,
        o.effect_value_minor,
        o.order_discount_minor,
        o.item_discount_minor,
        o.total_discount_minor,
        o.net_minor,
        o.line_count,
        o.units,
        o.redemption_count,
        o.rollback_count,
        o.campaign_count,
        o.channel,
        o.loaded_at,
        o.extraction_id,
        min(o.loaded_at) over (partition by o.source, o.account, o.order_id) as first_loaded_at,
        row_number() over (
            partition by o.source, o.account, o.order_id
            order by
                case when o.channel = 'gone' then 1 else 0 end,
                o.version_at desc,
                case when o.channel = 'export' then 1 else 0 end,
                o.version_id desc
        ) as newest_first,
        coalesce(max(case when o.channel = 'gone' then o.version_id end) over (
            partition by o.source, o.account, o.order_id
        ), 0) > coalesce(max(case when o.channel <> 'gone' then o.version_id end) over (
            partition by o.source, o.account, o.order_id
        ), 0) as is_deleted
    from staging.voucherify_orders as o
    where o.quarantine_reason is null
) as n
where n.newest_first = 1 and n.channel <> 'gone'
