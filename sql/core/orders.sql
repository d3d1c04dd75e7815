/*
description: >
  One row per order: its newest version that can be typed. All sources in one shape. A full version
  goes before a bare header of the same time.
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
  order_month: First day of the business date's month.
  order_hour: Local hour that the order counts for, 0 to 23; NULL when it came with a date alone.
  order_date_source: Where the business date comes from, metadata or created_at.
  ordered_at: Time the order counts for, UTC.
  created_at: Creation time at the source, UTC.
  updated_at: Last change at the source, UTC; NULL when never changed or not said.
  paid_at: When it was paid, UTC; NULL when it was not or the source does not say.
  shipped_at: First shipment, UTC; NULL when there is none or the source does not say.
  cancelled_at: When it was cancelled, UTC; NULL when it was not or the source does not say.
  refunded_at: Last refund, UTC; NULL when there is none or the source does not say.
  status: Common status; created, pending, quote, paid, fulfilled, cancelled, other or unknown.
  source_status: Status as the source wrote it.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order, which no mart counts.
  is_trial: True for a trial; NULL where the source knows no trials.
  order_kind: one_time, subscription_start or rebill; NULL where the source does not say.
  gives_money: False when the source knows no money, so that sums are NULL and not zero.
  currency: ISO 4217 code.
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
  is_deleted: True when the source answered that the order is not there any more; no mart counts it.
  first_loaded_at: When the warehouse first saw the order, UTC.
  loaded_at: When the shown version was landed, UTC.
  extraction_id: The extraction that brought the shown version.
checks:
  - unique: [source, account, order_id]
  - not_null: [order_key, source, account, order_id, version_id, order_date, status, currency]
  - accepted_values: {status: [created, pending, quote, paid, fulfilled, cancelled, other, unknown]}
  - formula: {name: discounts_add_up, holds: "total_discount_minor = order_discount_minor + item_discount_minor", severity: warn}
  - formula: {name: net_is_gross_less_discounts, holds: "net_minor = gross_minor - total_discount_minor", severity: warn}
  - formula: {name: total_is_the_sum_of_its_parts, holds: "residual_minor = 0", severity: warn}
  - formula: {name: no_more_is_refunded_than_was_paid, holds: "refunded_minor <= total_minor", severity: warn}
  - formula: {name: no_money_from_a_source_without_money, holds: "gives_money or coalesce(gross_minor, net_minor, total_minor) is null"}
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
    cast(date_trunc('month', n.order_date) as date) as order_month,
    -- A date alone stands for its midnight, UTC.
    case
        when n.order_date_source = 'created_at' or cast(epoch(n.ordered_at) as bigint) % 86400 <> 0
            then cast(extract(hour from n.ordered_at at time zone a.time_zone) as integer)
    end as order_hour,
    n.order_date_source,
    n.ordered_at,
    n.created_at,
    n.updated_at,
    n.paid_at,
    n.shipped_at,
    n.cancelled_at,
    n.refunded_at,
    n.status,
    n.source_status,
    n.is_recognised,
    n.is_test,
    n.is_trial,
    n.order_kind,
    n.gives_money,
    n.currency,
    n.minor_unit_exponent,
    n.shopper_currency,
    n.shopper_total,
    n.customer_key,
    n.referrer_id,
    n.gross_minor,
    n.initial_amount_minor,
    n.effect_value_minor,
    n.order_discount_minor,
    n.item_discount_minor,
    n.total_discount_minor,
    n.net_minor,
    n.shipping_minor,
    n.shipping_discount_minor,
    n.tax_minor,
    n.total_minor,
    n.residual_minor,
    n.refunded_minor,
    n.refunded_net_minor,
    n.refund_state,
    n.line_count,
    n.units,
    n.redemption_count,
    n.rollback_count,
    n.campaign_count,
    n.detail_level,
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
        o.paid_at,
        o.shipped_at,
        o.cancelled_at,
        o.refunded_at,
        o.status,
        o.source_status,
        o.is_recognised,
        o.is_test,
        o.is_trial,
        o.order_kind,
        o.gives_money,
        o.currency,
        o.minor_unit_exponent,
        o.shopper_currency,
        o.shopper_total,
        o.customer_key,
        o.referrer_id,
        o.gross_minor,
        o.initial_amount_minor,
        o.effect_value_minor,
        o.order_discount_minor,
        o.item_discount_minor,
        o.total_discount_minor,
        o.net_minor,
        o.shipping_minor,
        o.shipping_discount_minor,
        o.tax_minor,
        o.total_minor,
        o.residual_minor,
        o.refunded_minor,
        o.refunded_net_minor,
        o.refund_state,
        o.line_count,
        o.units,
        o.redemption_count,
        o.rollback_count,
        o.campaign_count,
        o.detail_level,
        o.channel,
        o.loaded_at,
        o.extraction_id,
        min(o.loaded_at) over (partition by o.source, o.account, o.order_id) as first_loaded_at,
        row_number() over (
            partition by o.source, o.account, o.order_id
            order by
                case when o.channel = 'gone' then 1 else 0 end,
                o.version_at desc,
                case when o.detail_level = 'full' then 0 else 1 end,
                o.version_id desc
        ) as newest_first,
        coalesce(max(case when o.channel = 'gone' then o.version_id end) over (
            partition by o.source, o.account, o.order_id
        ), 0) > coalesce(max(case when o.channel <> 'gone' then o.version_id end) over (
            partition by o.source, o.account, o.order_id
        ), 0) as is_deleted
    from staging.orders as o
    where o.quarantine_reason is null
) as n
left join ops.accounts as a on a.source = n.source and a.account = n.account
where n.newest_first = 1 and n.channel <> 'gone'
