/*
description: >
  Every observed version of every UltraCart order, header fields typed. Append-only: a new version
  adds a row and changes none. Amounts are those in the merchant's base currency; net is merchandise
  after its discount, before shipping, tax and refunds. Versions that cannot be typed say why and go
  no further. An order that came without its summary has no money here: NULL, not zero.
grain: [version_id]
refresh_key: version_id
columns:
  version_id: Observation number of the version in raw.order_payloads.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always ultracart here.
  account: Configured account.
  order_id: UltraCart order id.
  source_order_id: Order id of the channel partner that brought it, for such orders.
  version_at: When this version came to be, UTC. The source dates no changes, so its latest known date or the time it was first seen.
  content_hash: MD5 of the landed payload.
  channel: How the version came here; list, get or gone (the answer that the order is not there any more).
  extraction_id: The extraction that brought it.
  loaded_at: When it was landed, UTC.
  created_at: Creation time at the source, UTC.
  paid_at: When the payment succeeded, UTC; NULL when it never did.
  shipped_at: First shipment, UTC.
  cancelled_at: When it was rejected, UTC.
  refunded_at: Last refund, UTC.
  ordered_at: Time the order counts for, UTC; the account's business_date_path, else created_at.
  order_date: Business date, the local day of ordered_at in the account's time zone.
  order_date_source: Where the business date comes from, metadata (business_date_path) or created_at.
  source_status: Stage as the source wrote it.
  status: Common status of the stage (staging.ultracart_stages); other for a stage not known here, unknown without any.
  is_recognised: True when the stage counts as revenue (setting recognised_statuses), it was paid and it is no test order.
  is_test: True for a test order, by the source or by the account's test_order_path.
  order_kind: one_time, subscription_start or rebill; NULL when the order came without its parts.
  currency: ISO 4217 code, the account's base currency.
  minor_unit_exponent: Decimals of the currency's minor unit.
  shopper_currency: Currency the shopper saw, where it is another one.
  shopper_total: Total in the shopper's currency, major units.
  customer_key: Customer profile; without one, email:<hash of the e-mail address>; NULL when neither is there.
  gross_minor: Merchandise before discount (summary.subtotal), minor units.
  order_discount_minor: Discount on merchandise that no line carries, minor units; NULL when the lines do not say.
  item_discount_minor: Discount that the lines carry, minor units; NULL when a line does not say.
  total_discount_minor: Discount on merchandise (summary.subtotal_discount), minor units; an absent key is zero by contract.
  net_minor: Merchandise after discount, minor units.
  shipping_minor: Shipping and handling before its discount, minor units.
  shipping_discount_minor: Discount on shipping and handling, minor units; an absent key is zero by contract.
  tax_minor: Tax, minor units.
  total_minor: Grand total as reported, minor units.
  residual_minor: Total less merchandise, shipping, tax, gift charges, surcharge and bond, minor units. Not zero where the source counts in what it does not show, such as gift certificates.
  refunded_minor: All refunds so far, tax and shipping included, minor units; an absent key is zero by contract.
  refunded_net_minor: Of these, on merchandise after its discount, minor units.
  refund_state: none, partial or full, by money; NULL when it cannot be told.
  line_count: Lines that are products, kit components left out; NULL when the order came without its lines.
  units: Units of these lines, may have fractions; NULL when the order came without its lines.
  redemption_count: Coupons and gift certificates; NULL when the order came without its lines.
  detail_level: full when the order came with its lines, else header.
  quarantine_reason: Why the version cannot be typed; NULL when it can.
checks:
  - unique: [version_id]
  - not_null: [version_id, order_id, content_hash]
  - accepted_values: {status: [pending, quote, paid, fulfilled, cancelled, other, unknown]}
  - accepted_values: {order_kind: [one_time, subscription_start, rebill]}
  - accepted_values: {refund_state: [none, partial, full]}
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
    v.paid_at,
    v.shipped_at,
    v.cancelled_at,
    v.refunded_at,
    coalesce(v.metadata_at, v.created_at, v.version_at) as ordered_at,
    case
        when v.metadata_is_date then cast(v.metadata_at at time zone 'UTC' as date)
        else cast(coalesce(v.metadata_at, v.created_at, v.version_at) at time zone v.time_zone as date)
    end as order_date,
    case when v.metadata_at is not null then 'metadata' else 'created_at' end as order_date_source,
    v.source_status,
    case when v.source_status is null then 'unknown' else coalesce(g.status, 'other') end as status,
    s.value is not null and v.paid_at is not null and not v.is_test as is_recognised,
    v.is_test,
    v.order_kind,
    v.currency,
    cast(v.minor_unit_exponent as integer) as minor_unit_exponent,
    v.shopper_currency,
    v.shopper_total,
    v.customer_key,
    v.gross_minor,
    v.total_discount_minor - i.item_discount_minor as order_discount_minor,
    case when v.total_discount_minor is not null then i.item_discount_minor end as item_discount_minor,
    v.total_discount_minor,
    v.gross_minor - v.total_discount_minor as net_minor,
    v.shipping_minor,
    v.shipping_discount_minor,
    v.tax_minor,
    v.total_minor,
    v.total_minor - (
        v.gross_minor - v.total_discount_minor
        + coalesce(v.shipping_minor, cast(0 as bigint)) - coalesce(v.shipping_discount_minor, cast(0 as bigint))
        + coalesce(v.tax_minor, cast(0 as bigint)) + v.charges_minor
    ) as residual_minor,
    v.refunded_minor,
    v.refunded_net_minor,
    case
        when v.refunded_minor = 0 then 'none'
        when v.refunded_minor >= v.total_minor then 'full'
        when v.refunded_minor < v.total_minor then 'partial'
    end as refund_state,
    case when v.has_items then cast(coalesce(i.line_count, 0) as bigint) end as line_count,
    case when v.has_items then cast(coalesce(i.units, 0) as decimal(18, 4)) end as units,
    case when v.has_items then cast(coalesce(r.redemption_count, 0) as bigint) end as redemption_count,
    case when v.has_items then 'full' else 'header' end as detail_level,
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
        x.time_zone,
        x.currency,
        x.minor_unit_exponent,
        x.created_at,
        x.paid_at,
        x.shipped_at,
        x.cancelled_at,
        x.refunded_at,
        -- A bare date is a business day already; a time without a zone is read as UTC.
        regexp_matches(x.metadata_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') and x.metadata_at is not null as metadata_is_date,
        x.metadata_at,
        x.source_status,
        x.is_test,
        x.order_kind,
        x.shopper_currency,
        case when x.shopper_currency is not null then x.shopper_total end as shopper_total,
        x.customer_key,
        x.has_items,
        case when cast(x.subtotal as decimal(17, 0)) = x.subtotal then cast(x.subtotal as bigint) end as gross_minor,
        -- The API leaves out what is null, so a summary that has its subtotal and no discount or refund has none.
        case
            when x.discount is not null then case when cast(x.discount as decimal(17, 0)) = x.discount then cast(x.discount as bigint) end
            when x.subtotal is not null then cast(0 as bigint)
        end as total_discount_minor,
        case
            when x.refunded is not null then case when cast(x.refunded as decimal(17, 0)) = x.refunded then cast(x.refunded as bigint) end
            when x.subtotal is not null then cast(0 as bigint)
        end as refunded_minor,
        case
            when x.subtotal_refunded is not null
                then cast(x.subtotal_refunded - coalesce(x.discount_refunded, cast(0 as decimal(25, 8))) as bigint)
            when x.subtotal is not null and coalesce(x.refunded, cast(0 as decimal(25, 8))) = 0 then cast(0 as bigint)
        end as refunded_net_minor,
        case when cast(x.shipping as decimal(17, 0)) = x.shipping then cast(x.shipping as bigint) end as shipping_minor,
        case
            when x.shipping_discount is not null then case when cast(x.shipping_discount as decimal(17, 0)) = x.shipping_discount then cast(x.shipping_discount as bigint) end
            when x.subtotal is not null then cast(0 as bigint)
        end as shipping_discount_minor,
        case when cast(x.tax as decimal(17, 0)) = x.tax then cast(x.tax as bigint) end as tax_minor,
        case when cast(x.total as decimal(17, 0)) = x.total then cast(x.total as bigint) end as total_minor,
        cast(
            coalesce(x.gift_charge, cast(0 as decimal(25, 8)))
            + coalesce(x.gift_wrap, cast(0 as decimal(25, 8)))
            + coalesce(x.surcharge, cast(0 as decimal(25, 8)))
            + coalesce(x.bond, cast(0 as decimal(25, 8))) as bigint
        ) as charges_minor,
        case
            when x.created is not null and x.created_at is null then 'creation_dts is not a time: ' || substr(x.created, 1, 80)
            when x.paid is not null and x.paid_at is null then 'payment.payment_dts is not a time: ' || substr(x.paid, 1, 80)
            when x.shipped is not null and x.shipped_at is null then 'shipping.shipping_date is not a time: ' || substr(x.shipped, 1, 80)
            when x.cancelled is not null and x.cancelled_at is null then 'reject_dts is not a time: ' || substr(x.cancelled, 1, 80)
            when x.refund is not null and x.refunded_at is null then 'refund_dts is not a time: ' || substr(x.refund, 1, 80)
            when x.subtotal_text is not null and x.subtotal is null then 'summary.subtotal is not an amount: ' || substr(x.subtotal_text, 1, 80)
            when x.discount_text is not null and x.discount is null then 'summary.subtotal_discount is not an amount: ' || substr(x.discount_text, 1, 80)
            when x.shipping_text is not null and x.shipping is null then 'summary.shipping_handling_total is not an amount: ' || substr(x.shipping_text, 1, 80)
            when x.shipping_discount_text is not null and x.shipping_discount is null then 'summary.shipping_handling_total_discount is not an amount: ' || substr(x.shipping_discount_text, 1, 80)
            when x.tax_text is not null and x.tax is null then 'summary.tax is not an amount: ' || substr(x.tax_text, 1, 80)
            when x.total_text is not null and x.total is null then 'summary.total is not an amount: ' || substr(x.total_text, 1, 80)
            when x.refunded_text is not null and x.refunded is null then 'summary.total_refunded is not an amount: ' || substr(x.refunded_text, 1, 80)
            when x.subtotal_refunded_text is not null and x.subtotal_refunded is null then 'summary.subtotal_refunded is not an amount: ' || substr(x.subtotal_refunded_text, 1, 80)
            when x.discount_refunded_text is not null and x.discount_refunded is null then 'summary.subtotal_discount_refunded is not an amount: ' || substr(x.discount_refunded_text, 1, 80)
            when x.gift_charge_text is not null and x.gift_charge is null then 'gift.gift_charge is not an amount: ' || substr(x.gift_charge_text, 1, 80)
            when x.gift_wrap_text is not null and x.gift_wrap is null then 'gift.gift_wrap_cost is not an amount: ' || substr(x.gift_wrap_text, 1, 80)
            when x.surcharge_text is not null and x.surcharge is null then 'payment.surcharge is not an amount: ' || substr(x.surcharge_text, 1, 80)
            when x.bond_text is not null and x.bond is null then 'buysafe.buysafe_bond_cost is not an amount: ' || substr(x.bond_text, 1, 80)
            when cast(x.subtotal as decimal(17, 0)) <> x.subtotal
                then 'summary.subtotal has more decimals than ' || x.currency || ': ' || substr(x.subtotal_text, 1, 80)
            when cast(x.discount as decimal(17, 0)) <> x.discount
                then 'summary.subtotal_discount has more decimals than ' || x.currency || ': ' || substr(x.discount_text, 1, 80)
            when cast(x.shipping as decimal(17, 0)) <> x.shipping
                then 'summary.shipping_handling_total has more decimals than ' || x.currency || ': ' || substr(x.shipping_text, 1, 80)
            when cast(x.shipping_discount as decimal(17, 0)) <> x.shipping_discount
                then 'summary.shipping_handling_total_discount has more decimals than ' || x.currency || ': ' || substr(x.shipping_discount_text, 1, 80)
            when cast(x.tax as decimal(17, 0)) <> x.tax
                then 'summary.tax has more decimals than ' || x.currency || ': ' || substr(x.tax_text, 1, 80)
            when cast(x.total as decimal(17, 0)) <> x.total
                then 'summary.total has more decimals than ' || x.currency || ': ' || substr(x.total_text, 1, 80)
            when cast(x.refunded as decimal(17, 0)) <> x.refunded
                then 'summary.total_refunded has more decimals than ' || x.currency || ': ' || substr(x.refunded_text, 1, 80)
            when cast(x.subtotal_refunded as decimal(17, 0)) <> x.subtotal_refunded
                then 'summary.subtotal_refunded has more decimals than ' || x.currency || ': ' || substr(x.subtotal_refunded_text, 1, 80)
            when cast(x.discount_refunded as decimal(17, 0)) <> x.discount_refunded
                then 'summary.subtotal_discount_refunded has more decimals than ' || x.currency || ': ' || substr(x.discount_refunded_text, 1, 80)
            when cast(x.gift_charge as decimal(17, 0)) <> x.gift_charge
                then 'gift.gift_charge has more decimals than ' || x.currency || ': ' || substr(x.gift_charge_text, 1, 80)
            when cast(x.gift_wrap as decimal(17, 0)) <> x.gift_wrap
                then 'gift.gift_wrap_cost has more decimals than ' || x.currency || ': ' || substr(x.gift_wrap_text, 1, 80)
            when cast(x.surcharge as decimal(17, 0)) <> x.surcharge
                then 'payment.surcharge has more decimals than ' || x.currency || ': ' || substr(x.surcharge_text, 1, 80)
            when cast(x.bond as decimal(17, 0)) <> x.bond
                then 'buysafe.buysafe_bond_cost has more decimals than ' || x.currency || ': ' || substr(x.bond_text, 1, 80)
        end as quarantine_reason
    from (
        select
            t.version_id,
            t.order_key,
            t.source,
            t.account,
            t.order_id,
            t.source_order_id,
            t.version_at,
            t.content_hash,
            t.channel,
            t.extraction_id,
            t.loaded_at,
            t.time_zone,
            t.currency,
            t.minor_unit_exponent,
            t.created,
            t.paid,
            t.shipped,
            t.cancelled,
            t.refund,
            case when regexp_matches(t.created, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.created as timestamptz) end as created_at,
            case when regexp_matches(t.paid, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.paid as timestamptz) end as paid_at,
            case when regexp_matches(t.shipped, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.shipped as timestamptz) end as shipped_at,
            case when regexp_matches(t.cancelled, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.cancelled as timestamptz) end as cancelled_at,
            case when regexp_matches(t.refund, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.refund as timestamptz) end as refunded_at,
            t.metadata_text,
            case
                when regexp_matches(t.metadata_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}')
                    then try_cast(t.metadata_text as timestamptz)
            end as metadata_at,
            t.source_status,
            t.payment_test or t.path_test as is_test,
            case
                when t.auto_order is not null and coalesce(t.original_order_id, t.order_id) = t.order_id then 'subscription_start'
                when t.auto_order is not null then 'rebill'
                when t.summary is not null then 'one_time'
            end as order_kind,
            case when t.shopper_currency <> t.currency then t.shopper_currency end as shopper_currency,
            try_cast(t.localized_total as decimal(18, 4)) as shopper_total,
            coalesce(t.profile, 'email:' || sha256(t.email)) as customer_key,
            t.has_items,
            t.subtotal_text,
            t.discount_text,
            t.shipping_text,
            t.shipping_discount_text,
            t.tax_text,
            t.total_text,
            t.refunded_text,
            t.subtotal_refunded_text,
            t.discount_refunded_text,
            t.gift_charge_text,
            t.gift_wrap_text,
            t.surcharge_text,
            t.bond_text,
            -- In minor units; decimals are left where the amount is no whole number of them.
            try_cast(case when regexp_matches(t.subtotal_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.subtotal_text end as decimal(20, 8)) * t.minor_units as subtotal,
            try_cast(case when regexp_matches(t.discount_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.discount_text end as decimal(20, 8)) * t.minor_units as discount,
            try_cast(case when regexp_matches(t.shipping_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.shipping_text end as decimal(20, 8)) * t.minor_units as shipping,
            try_cast(case when regexp_matches(t.shipping_discount_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.shipping_discount_text end as decimal(20, 8)) * t.minor_units as shipping_discount,
            try_cast(case when regexp_matches(t.tax_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.tax_text end as decimal(20, 8)) * t.minor_units as tax,
            try_cast(case when regexp_matches(t.total_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.total_text end as decimal(20, 8)) * t.minor_units as total,
            try_cast(case when regexp_matches(t.refunded_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.refunded_text end as decimal(20, 8)) * t.minor_units as refunded,
            try_cast(case when regexp_matches(t.subtotal_refunded_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.subtotal_refunded_text end as decimal(20, 8)) * t.minor_units as subtotal_refunded,
            try_cast(case when regexp_matches(t.discount_refunded_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.discount_refunded_text end as decimal(20, 8)) * t.minor_units as discount_refunded,
            try_cast(case when regexp_matches(t.gift_charge_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.gift_charge_text end as decimal(20, 8)) * t.minor_units as gift_charge,
            try_cast(case when regexp_matches(t.gift_wrap_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.gift_wrap_text end as decimal(20, 8)) * t.minor_units as gift_wrap,
            try_cast(case when regexp_matches(t.surcharge_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.surcharge_text end as decimal(20, 8)) * t.minor_units as surcharge,
            try_cast(case when regexp_matches(t.bond_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then t.bond_text end as decimal(20, 8)) * t.minor_units as bond
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
                a.currency,
                a.minor_unit_exponent,
                case a.minor_unit_exponent
                    when 0 then cast(1 as decimal(5, 0))
                    when 1 then cast(10 as decimal(5, 0))
                    when 2 then cast(100 as decimal(5, 0))
                    when 3 then cast(1000 as decimal(5, 0))
                    when 4 then cast(10000 as decimal(5, 0))
                end as minor_units,
                json_extract_string(p.payload, '$.channel_partner.channel_partner_order_id') as source_order_id,
                json_extract_string(p.payload, '$.creation_dts') as created,
                json_extract_string(p.payload, '$.payment.payment_dts') as paid,
                json_extract_string(p.payload, '$.shipping.shipping_date') as shipped,
                json_extract_string(p.payload, '$.reject_dts') as cancelled,
                json_extract_string(p.payload, '$.refund_dts') as refund,
                json_extract_string(p.payload, a.business_date_path) as metadata_text,
                json_extract_string(p.payload, '$.current_stage') as source_status,
                coalesce(json_extract_string(p.payload, '$.payment.test_order') = 'true', false) as payment_test,
                coalesce(lower(json_extract_string(p.payload, a.test_order_path)) in ('true', '1', 'yes'), false) as path_test,
                json_extract_string(p.payload, '$.auto_order') as auto_order,
                json_extract_string(p.payload, '$.auto_order.original_order_id') as original_order_id,
                upper(coalesce(
                    json_extract_string(p.payload, '$.currency_code'),
                    json_extract_string(p.payload, '$.summary.total.currency_code')
                )) as shopper_currency,
                json_extract_string(p.payload, '$.summary.total.localized') as localized_total,
                json_extract_string(p.payload, '$.customer_profile.customer_profile_oid') as profile,
                nullif(lower(trim(json_extract_string(p.payload, '$.billing.email'))), '') as email,
                json_extract_string(p.payload, '$.items') is not null as has_items,
                json_extract_string(p.payload, '$.summary') as summary,
                coalesce(json_extract_string(p.payload, '$.summary.subtotal.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.subtotal')) as subtotal_text,
                coalesce(json_extract_string(p.payload, '$.summary.subtotal_discount.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.subtotal_discount')) as discount_text,
                coalesce(json_extract_string(p.payload, '$.summary.shipping_handling_total.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.shipping_handling_total')) as shipping_text,
                coalesce(json_extract_string(p.payload, '$.summary.shipping_handling_total_discount.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.shipping_handling_total_discount')) as shipping_discount_text,
                coalesce(json_extract_string(p.payload, '$.summary.tax.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.tax')) as tax_text,
                coalesce(json_extract_string(p.payload, '$.summary.total.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.total')) as total_text,
                coalesce(json_extract_string(p.payload, '$.summary.total_refunded.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.total_refunded')) as refunded_text,
                coalesce(json_extract_string(p.payload, '$.summary.subtotal_refunded.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.subtotal_refunded')) as subtotal_refunded_text,
                coalesce(json_extract_string(p.payload, '$.summary.subtotal_discount_refunded.value'), 'no value in ' || json_extract_string(p.payload, '$.summary.subtotal_discount_refunded')) as discount_refunded_text,
                coalesce(json_extract_string(p.payload, '$.gift.gift_charge.value'), 'no value in ' || json_extract_string(p.payload, '$.gift.gift_charge')) as gift_charge_text,
                coalesce(json_extract_string(p.payload, '$.gift.gift_wrap_cost.value'), 'no value in ' || json_extract_string(p.payload, '$.gift.gift_wrap_cost')) as gift_wrap_text,
                coalesce(json_extract_string(p.payload, '$.payment.surcharge.value'), 'no value in ' || json_extract_string(p.payload, '$.payment.surcharge')) as surcharge_text,
                coalesce(json_extract_string(p.payload, '$.buysafe.buysafe_bond_cost.value'), 'no value in ' || json_extract_string(p.payload, '$.buysafe.buysafe_bond_cost')) as bond_text
            from raw.order_payloads as p
            inner join ops.accounts as a on a.source = p.source and a.account = p.account
            where p.source = 'ultracart' and p.quarantine_reason is null
        ) as t
    ) as x
) as v
left join (
    select
        l.version_id,
        cast(count(*) filter (where l.is_product) as bigint) as line_count,
        cast(sum(l.quantity) filter (where l.is_product) as decimal(18, 4)) as units,
        case
            when count(*) = count(l.discount_minor) then cast(sum(l.discount_minor) as bigint)
        end as item_discount_minor,
        min(l.quarantine_reason) as quarantine_reason
    from staging.ultracart_order_items as l
    group by l.version_id
) as i
    on i.version_id = v.version_id
left join (
    select
        d.version_id,
        cast(count(*) as bigint) as redemption_count
    from staging.ultracart_order_incentives as d
    group by d.version_id
) as r
    on r.version_id = v.version_id
left join ops.account_lists as s
    on s.source = v.source and s.account = v.account and s.list_name = 'recognised_statuses' and s.value = v.source_status
left join staging.ultracart_stages as g on g.stage = v.source_status
