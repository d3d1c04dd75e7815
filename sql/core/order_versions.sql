/*
description: >
  Every version of every order with the time it was valid, so that a past evening can be asked for:
  valid_from <= T and (T < valid_to or valid_to is null). Times are the source's; where it
  does not say when a version came to be, the time it was first seen.
grain: [source, account, order_id, version_id]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  version_id: Observation number of the version.
  version_no: 1 for the oldest version known.
  valid_from: When the source says the version came to be, UTC.
  valid_to: When the next known version came to be, or the order was found gone, UTC; NULL for the current one.
  is_current: True for the newest version of an order that is still there.
  is_repeated: True when the order was read before with the same time and business date, such as once more after it was gone.
  order_date: Business date of this version.
  ordered_at: Time the order counted for in this version, UTC.
  status: Common status in this version; created, pending, quote, paid, fulfilled, cancelled, other or unknown.
  source_status: Status as the source wrote it.
  is_recognised: True when this version counts as revenue.
  is_test: True for a test order.
  gives_money: False when the source knows no money.
  currency: ISO 4217 code.
  customer_key: Identity of the customer at the source; NULL for guests.
  gross_minor: Amount before discounts, minor units.
  order_discount_minor: Order-level discounts, minor units.
  item_discount_minor: Item-level discounts, minor units.
  total_discount_minor: Both together, minor units.
  net_minor: Amount after discounts, minor units, as in core.orders.
  total_minor: Grand total as the source reports it, minor units; NULL when it reports none beside net.
  refunded_minor: All refunds up to this version, minor units; NULL when the source knows no refunds.
  refund_state: none, partial or full; NULL when it cannot be told.
  content_hash: MD5 of the landed payload.
  channel: How the version came here.
  extraction_id: The extraction that brought it.
  loaded_at: When it was landed, UTC.
checks:
  - unique: [source, account, order_id, version_id]
  - not_null: [order_id, version_id, valid_from, is_current, is_repeated]
  - formula: {name: no_version_ends_before_it_starts, holds: "valid_to is null or valid_to >= valid_from"}
  - formula: {name: net_is_gross_less_discounts, holds: "net_minor = gross_minor - total_discount_minor", severity: warn}
*/
select
    n.order_key,
    n.source,
    n.account,
    n.order_id,
    n.version_id,
    n.version_no,
    n.version_at as valid_from,
    case when n.next_at < n.version_at then n.version_at else n.next_at end as valid_to,
    n.next_at is null as is_current,
    n.reading_no > 1 as is_repeated,
    n.order_date,
    n.ordered_at,
    n.status,
    n.source_status,
    n.is_recognised,
    n.is_test,
    n.gives_money,
    n.currency,
    n.customer_key,
    n.gross_minor,
    n.order_discount_minor,
    n.item_discount_minor,
    n.total_discount_minor,
    n.net_minor,
    n.total_minor,
    n.refunded_minor,
    n.refund_state,
    n.content_hash,
    n.channel,
    n.extraction_id,
    n.loaded_at
from (
    select
        v.order_key,
        v.source,
        v.account,
        v.order_id,
        v.version_id,
        v.version_at,
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
        v.refund_state,
        v.content_hash,
        v.channel,
        v.extraction_id,
        v.loaded_at,
        cast(row_number() over (partition by v.source, v.account, v.order_id order by v.version_at, v.version_id) as bigint) as version_no,
        row_number() over (
            partition by v.source, v.account, v.order_id, v.version_at, v.order_date, v.is_test, v.channel = 'gone'
            order by v.version_id
        ) as reading_no,
        -- That it is gone comes after all else, whatever the clocks say.
        lead(v.version_at) over (
            partition by v.source, v.account, v.order_id
            order by case when v.channel = 'gone' then 1 else 0 end, v.version_at, v.version_id
        ) as next_at
    from (
        select
            o.order_key,
            o.source,
            o.account,
            o.order_id,
            o.version_id,
            o.version_at,
            o.order_date,
            o.ordered_at,
            o.status,
            o.source_status,
            o.is_recognised,
            o.is_test,
            o.gives_money,
            o.currency,
            o.customer_key,
            o.gross_minor,
            o.order_discount_minor,
            o.item_discount_minor,
            o.total_discount_minor,
            o.net_minor,
            o.total_minor,
            o.refunded_minor,
            o.refund_state,
            o.content_hash,
            o.channel,
            o.detail_level,
            o.extraction_id,
            o.loaded_at,
            max(case when o.detail_level = 'full' and o.channel <> 'gone' then 1 else 0 end) over (
                partition by o.source, o.account, o.order_id, o.version_at
            ) as has_full,
            coalesce(max(case when o.channel = 'gone' then o.version_id end) over (
                partition by o.source, o.account, o.order_id
            ), 0) > coalesce(max(case when o.channel <> 'gone' then o.version_id end) over (
                partition by o.source, o.account, o.order_id
            ), 0) as is_deleted
        from staging.orders as o
        where o.quarantine_reason is null
    ) as v
    -- A header says nothing that the full version of the same time does not say.
    where case when v.channel = 'gone' then v.is_deleted else v.detail_level = 'full' or v.has_full = 0 end
) as n
where n.channel <> 'gone'
