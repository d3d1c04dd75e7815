/*
description: >
  Every observed version of every Voucherify order, header fields typed. Append-only: a new version
  adds a row and changes none. Versions that cannot be typed say why and go no further.
grain: [version_id]
refresh_key: version_id
columns:
  version_id: Observation number of the version in raw.order_payloads.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always voucherify here.
  account: Configured account.
  order_id: Voucherify order id.
  source_order_id: The shop's own order id (source_id), often absent.
  version_at: When the source says this version came to be, UTC; updated_at, else created_at.
  content_hash: MD5 of the landed payload.
  channel: How the version came here; list, get, export (header only) or gone (the answer that the order is not there any more).
  extraction_id: The extraction that brought it.
  loaded_at: When it was landed, UTC.
  created_at: Creation time at the source, UTC. The import time for imported orders.
  updated_at: Last change at the source, UTC; NULL when never changed.
  ordered_at: Time the order counts for, UTC; the business date's path in the metadata, else created_at.
  order_date: Business date, the local day of ordered_at in the account's time zone.
  order_date_source: Where the business date comes from, metadata or created_at.
  source_status: Status as the source wrote it.
  status: Common status; created, paid, fulfilled, cancelled, other or unknown.
  is_recognised: True when the status counts as revenue (setting recognised_statuses) and it is no test order.
  is_test: True when the account's test_order_path says so.
  currency: ISO 4217 code from the account's currency_path, else the account's currency.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  customer_key: Voucherify customer id; NULL for guests.
  referrer_id: Voucherify customer id of the referrer.
  gross_minor: Amount before discounts, minor units; includes free units that a discount added.
  initial_amount_minor: Amount before any discount added units; NULL when the source does not say.
  order_discount_minor: Order-level discounts, minor units; an absent key is zero by contract.
  item_discount_minor: Item-level discounts, minor units.
  total_discount_minor: Order-level and item-level discounts together, minor units.
  net_minor: What is left to pay, minor units.
  line_count: Lines that are products; NULL when only the header is known.
  units: Units of lines that are products; NULL when only the header is known.
  effect_value_minor: Value of units that discounts added, minor units, where the source says so; NULL when only the header is known.
  redemption_count: Incentives redeemed, NULL when only the header is known; children of a stack count once, their parent does not count.
  rollback_count: Of these, rolled back.
  campaign_count: Distinct campaigns among the redemptions.
  quarantine_reason: Why the version cannot be typed; NULL when it can.
checks:
  - unique: [version_id]
  - not_null: [version_id, order_id, content_hash]
  - accepted_values: {status: [created, paid, fulfilled, cancelled, other, unknown]}
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
    coalesce(v.metadata_at, v.created_at, v.version_at) as ordered_at,
    case
        when v.metadata_is_date then cast(v.metadata_at at time zone 'UTC' as date)
        else cast(coalesce(v.metadata_at, v.created_at, v.version_at) at time zone v.time_zone as date)
    end as order_date,
    case when v.metadata_at is not null then 'metadata' else 'created_at' end as order_date_source,
    v.source_status,
    case
        when v.source_status is null then 'unknown'
        when v.source_status = 'CREATED' then 'created'
        when v.source_status = 'PAID' then 'paid'
        when v.source_status = 'FULFILLED' then 'fulfilled'
        when v.source_status = 'CANCELED' then 'cancelled'
        else 'other'
    end as status,
    s.value is not null and not v.is_test as is_recognised,
    v.is_test,
    v.currency,
    cast(coalesce(case when v.currency = v.account_currency then v.account_exponent end, c.minor_unit_exponent) as integer)
        as minor_unit_exponent,
    v.customer_key,
    v.referrer_id,
    v.gross_minor,
    v.initial_amount_minor,
    v.order_discount_minor,
    coalesce(v.items_discount_minor, i.item_discount_minor, cast(0 as bigint)) as item_discount_minor,
    coalesce(
        v.total_discount_minor,
        v.order_discount_minor + coalesce(v.items_discount_minor, i.item_discount_minor, cast(0 as bigint))
    ) as total_discount_minor,
    coalesce(
        v.total_amount_minor,
        v.gross_minor - coalesce(
            v.total_discount_minor,
            v.order_discount_minor + coalesce(v.items_discount_minor, i.item_discount_minor, cast(0 as bigint))
        )
    ) as net_minor,
    case when v.channel <> 'export' then cast(coalesce(i.line_count, 0) as bigint) end as line_count,
    case when v.channel <> 'export' then cast(coalesce(i.units, 0) as bigint) end as units,
    case
        when v.channel <> 'export'
            then coalesce(i.effect_value_minor, v.gross_minor - v.initial_amount_minor, cast(0 as bigint))
    end as effect_value_minor,
    case when v.channel <> 'export' then cast(coalesce(r.redemption_count, 0) as bigint) end as redemption_count,
    case when v.channel <> 'export' then cast(coalesce(r.rollback_count, 0) as bigint) end as rollback_count,
    case when v.channel <> 'export' then cast(coalesce(r.campaign_count, 0) as bigint) end as campaign_count,
    coalesce(v.quarantine_reason, i.quarantine_reason) as quarantine_reason
from (
    select
        x.version_id,
        x.order_key,
        x.source,
        x.account,
        x.order_id,
        x.source_order_id,
        x.version_at,
        x.content_hash,
        x.channel,
        x.extraction_id,
        x.loaded_at,
        x.created_at,
        x.updated_at,
        -- A bare date is a business day already; a time without a zone is read as UTC.
        regexp_matches(x.metadata_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') and x.metadata_at is not null as metadata_is_date,
        x.metadata_at,
        x.source_status,
        x.is_test,
        x.currency,
        x.account_currency,
        x.account_exponent,
        x.time_zone,
        x.customer_key,
        x.referrer_id,
        case when x.amount_ok then cast(cast(x.amount as decimal(38, 10)) as bigint) end as gross_minor,
        case when x.initial_ok then cast(cast(x.initial_amount as decimal(38, 10)) as bigint) end as initial_amount_minor,
        case
            when x.order_discount is null then cast(0 as bigint)
            when x.order_discount_ok then cast(cast(x.order_discount as decimal(38, 10)) as bigint)
        end as order_discount_minor,
        case when x.items_discount_ok then cast(cast(x.items_discount as decimal(38, 10)) as bigint) end as items_discount_minor,
        case when x.total_discount_ok then cast(cast(x.total_discount as decimal(38, 10)) as bigint) end as total_discount_minor,
        case when x.total_ok then cast(cast(x.total_amount as decimal(38, 10)) as bigint) end as total_amount_minor,
        case
            when not coalesce(x.amount_ok, true) then 'amount is not an amount in minor units: ' || substr(x.amount, 1, 80)
            when not coalesce(x.initial_ok, true) then 'initial_amount is not an amount in minor units: ' || substr(x.initial_amount, 1, 80)
            when not coalesce(x.order_discount_ok, true) then 'discount_amount is not an amount in minor units: ' || substr(x.order_discount, 1, 80)
            when not coalesce(x.items_discount_ok, true) then 'items_discount_amount is not an amount in minor units: ' || substr(x.items_discount, 1, 80)
            when not coalesce(x.total_discount_ok, true) then 'total_discount_amount is not an amount in minor units: ' || substr(x.total_discount, 1, 80)
            when not coalesce(x.total_ok, true) then 'total_amount is not an amount in minor units: ' || substr(x.total_amount, 1, 80)
        end as quarantine_reason
    from (
        select
            p.version_id,
            p.order_key,
            p.source,
            p.account,
            p.order_id,
            p.version_at,
            p.content_hash,
            p.channel,
            p.extraction_id,
            p.loaded_at,
            a.time_zone,
            a.currency as account_currency,
            a.minor_unit_exponent as account_exponent,
            json_extract_string(p.payload, '$.source_id') as source_order_id,
            try_cast(json_extract_string(p.payload, '$.created_at') as timestamptz) as created_at,
            try_cast(json_extract_string(p.payload, '$.updated_at') as timestamptz) as updated_at,
            json_extract_string(p.payload, a.business_date_path) as metadata_text,
            case
                when regexp_matches(json_extract_string(p.payload, a.business_date_path), '^[0-9]{4}-[0-9]{2}-[0-9]{2}')
                    then try_cast(json_extract_string(p.payload, a.business_date_path) as timestamptz)
            end as metadata_at,
            json_extract_string(p.payload, '$.status') as source_status,
            coalesce(lower(json_extract_string(p.payload, a.test_order_path)) in ('true', '1', 'yes'), false) as is_test,
            coalesce(upper(json_extract_string(p.payload, a.currency_path)), a.currency) as currency,
            coalesce(json_extract_string(p.payload, '$.customer_id'), json_extract_string(p.payload, '$.customer.id')) as customer_key,
            coalesce(json_extract_string(p.payload, '$.referrer_id'), json_extract_string(p.payload, '$.referrer.id')) as referrer_id,
            json_extract_string(p.payload, '$.amount') as amount,
            json_extract_string(p.payload, '$.initial_amount') as initial_amount,
            json_extract_string(p.payload, '$.discount_amount') as order_discount,
            json_extract_string(p.payload, '$.items_discount_amount') as items_discount,
            json_extract_string(p.payload, '$.total_discount_amount') as total_discount,
            json_extract_string(p.payload, '$.total_amount') as total_amount,
            -- 18 digits always fit a BIGINT; a decimal point may only be followed by zeros.
            regexp_matches(json_extract_string(p.payload, '$.amount'), '^[0-9]{1,18}([.]0+)?$') as amount_ok,
            regexp_matches(json_extract_string(p.payload, '$.initial_amount'), '^[0-9]{1,18}([.]0+)?$') as initial_ok,
            regexp_matches(json_extract_string(p.payload, '$.discount_amount'), '^[0-9]{1,18}([.]0+)?$') as order_discount_ok,
            regexp_matches(json_extract_string(p.payload, '$.items_discount_amount'), '^[0-9]{1,18}([.]0+)?$') as items_discount_ok,
            regexp_matches(json_extract_string(p.payload, '$.total_discount_amount'), '^[0-9]{1,18}([.]0+)?$') as total_discount_ok,
            regexp_matches(json_extract_string(p.payload, '$.total_amount'), '^[0-9]{1,18}([.]0+)?$') as total_ok
        from raw.order_payloads as p
        inner join ops.accounts as a on a.source = p.source and a.account = p.account
        where p.source = 'voucherify' and p.quarantine_reason is null
    ) as x
) as v
left join (
    select
        l.version_id,
        cast(count(*) filter (where l.is_product) as bigint) as line_count,
        cast(sum(l.quantity) filter (where l.is_product) as bigint) as units,
        cast(sum(l.discount_minor) as bigint) as item_discount_minor,
        cast(sum(l.gross_minor - l.initial_amount_minor) as bigint) as effect_value_minor,
        min(l.quarantine_reason) as quarantine_reason
    from staging.voucherify_order_items as l
    group by l.version_id
) as i
    on i.version_id = v.version_id
left join (
    select
        d.version_id,
        cast(count(*) filter (where not d.is_stack) as bigint) as redemption_count,
        cast(count(*) filter (where not d.is_stack and d.rolled_back_at is not null) as bigint) as rollback_count,
        cast(count(distinct d.campaign_id) as bigint) as campaign_count
    from staging.voucherify_order_redemptions as d
    group by d.version_id
) as r
    on r.version_id = v.version_id
left join ops.account_lists as s
    on s.source = v.source and s.account = v.account and s.list_name = 'recognised_statuses' and s.value = v.source_status
left join ops.currencies as c on c.currency = v.currency
