/*
description: >
  Every observed state of every LicenseSpring license, typed: from the list of licenses, and from
  orders that came with theirs. Append-only. A field that cannot be typed is NULL and says why; the
  license counts all the same.
grain: [version_id, item_no, license_no]
refresh_key: version_id
columns:
  version_id: Observation number in raw.order_payloads; of the license, or of the order it stands in.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always licensespring here.
  account: Configured account.
  order_id: LicenseSpring order id.
  item_no: Place of the item in the order, from 1; 0 when the license came on its own.
  license_no: Place of the license in the item, from 1; 0 when the license came on its own.
  license_id: LicenseSpring license id, all digits of it.
  origin: license (came on its own), order (stood in its order) or gone (the answer that it is not on this order any more).
  version_at: When the source says this state came to be, UTC.
  order_item_id: The item of the order that the license belongs to.
  product_id: LicenseSpring product id.
  sku_id: Short code of the product.
  product_name: Name of the product.
  license_type: perpetual, time-limited, subscription, consumption, or anything new.
  source_status: Status as the source wrote it, such as Active or Inactive.
  is_active: True when it was activated.
  is_enabled: False when the vendor disabled it.
  is_trial: True for a trial license.
  created_at: When it was issued, UTC.
  updated_at: Last change of the license, UTC.
  starts_at: From when it is valid (start_date), UTC.
  expires_at: Until when it is valid (validity_period), UTC; NULL for no end.
  activated_at: When it was activated (time_activated), UTC.
  disabled_at: When it was disabled (time_disabled), UTC.
  subscription_id: What a billing system knows it by; prices are kept there.
  max_activations: How many devices may use it.
  times_activated: How often it was activated.
  quarantine_reason: Which field cannot be typed; NULL when all can.
checks:
  - unique: [version_id, item_no, license_no]
  - not_null: [version_id, order_id, version_at, origin]
*/
with documents as (
    select
        p.version_id,
        p.order_key,
        p.source,
        p.account,
        p.order_id,
        p.version_at,
        cast(0 as bigint) as item_no,
        cast(0 as bigint) as license_no,
        case when p.channel = 'gone' then 'gone' else 'license' end as origin,
        p.part_id as known_id,
        cast(null as varchar) as known_item_id,
        cast(null as varchar) as known_product_id,
        p.payload as license
    from raw.order_payloads as p
    where p.source = 'licensespring' and p.part_id is not null and p.quarantine_reason is null
    union all
    select
        u.version_id,
        u.order_key,
        u.source,
        u.account,
        u.order_id,
        u.version_at,
        u.item_no,
        u.license_no,
        'order' as origin,
        cast(null as varchar) as known_id,
        json_extract_string(u.item, '$.id') as known_item_id,
        json_extract_string(u.item, '$.product_id') as known_product_id,
        json_extract(u.item, '$.licenses[' || cast(u.license_no - 1 as varchar) || ']') as license
    from (
        select
            j.version_id,
            j.order_key,
            j.source,
            j.account,
            j.order_id,
            j.version_at,
            j.item_no,
            j.item,
            unnest(range(1, array_length(cast(json_extract(j.item, '$.licenses') as varchar[])) + 1)) as license_no
        from (
            select
                i.version_id,
                i.order_key,
                i.source,
                i.account,
                i.order_id,
                i.version_at,
                i.item_no,
                json_extract(i.payload, '$.order_items[' || cast(i.item_no - 1 as varchar) || ']') as item
            from (
                select
                    p.version_id,
                    p.order_key,
                    p.source,
                    p.account,
                    p.order_id,
                    p.version_at,
                    p.payload,
                    unnest(range(1, array_length(cast(json_extract(p.payload, '$.order_items') as varchar[])) + 1)) as item_no
                from raw.order_payloads as p
                where p.source = 'licensespring' and p.part_id is null and p.quarantine_reason is null
                    and p.channel <> 'gone'
                    -- The text of an array, not a string that looks like one.
                    and substr(cast(json_extract(p.payload, '$.order_items') as varchar), 1, 1) = '['
            ) as i
        ) as j
        where substr(cast(json_extract(j.item, '$.licenses') as varchar), 1, 1) = '['
    ) as u
),

texts as (
    select
        d.version_id,
        d.order_key,
        d.source,
        d.account,
        d.order_id,
        d.item_no,
        d.license_no,
        d.origin,
        d.version_at,
        coalesce(d.known_id, json_extract_string(d.license, '$.id')) as license_id,
        coalesce(json_extract_string(d.license, '$.order_item'), d.known_item_id) as order_item_id,
        case
            when substr(json_extract_string(d.license, '$.product'), 1, 1) = '{'
                then coalesce(json_extract_string(d.license, '$.product.id'), d.known_product_id)
            else coalesce(json_extract_string(d.license, '$.product'), d.known_product_id)
        end as product_id,
        json_extract_string(d.license, '$.product.short_code') as sku_id,
        coalesce(json_extract_string(d.license, '$.product.product_name'), json_extract_string(d.license, '$.product.name'))
            as product_name,
        json_extract_string(d.license, '$.license_type') as license_type,
        json_extract_string(d.license, '$.status') as source_status,
        json_extract_string(d.license, '$.subscription_id') as subscription_id,
        lower(json_extract_string(d.license, '$.active')) as active,
        lower(json_extract_string(d.license, '$.enabled')) as enabled,
        lower(json_extract_string(d.license, '$.is_trial')) as trial,
        nullif(json_extract_string(d.license, '$.created_at'), '') as created,
        nullif(json_extract_string(d.license, '$.updated_at'), '') as updated,
        nullif(json_extract_string(d.license, '$.start_date'), '') as starts,
        nullif(json_extract_string(d.license, '$.validity_period'), '') as expires,
        nullif(json_extract_string(d.license, '$.time_activated'), '') as activated,
        nullif(json_extract_string(d.license, '$.time_disabled'), '') as disabled,
        json_extract_string(d.license, '$.max_activations') as max_activations,
        json_extract_string(d.license, '$.times_activated') as times_activated
    from documents as d
),

typed as (
    select
        t.version_id,
        t.order_key,
        t.source,
        t.account,
        t.order_id,
        t.item_no,
        t.license_no,
        t.origin,
        t.version_at,
        t.license_id,
        t.order_item_id,
        t.product_id,
        t.sku_id,
        t.product_name,
        t.license_type,
        t.source_status,
        t.subscription_id,
        t.active,
        t.enabled,
        t.trial,
        t.created,
        t.updated,
        t.starts,
        t.expires,
        t.activated,
        t.disabled,
        t.max_activations,
        t.times_activated,
        case when regexp_matches(t.created, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.created as timestamptz) end as created_at,
        case when regexp_matches(t.updated, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.updated as timestamptz) end as updated_at,
        case when regexp_matches(t.starts, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.starts as timestamptz) end as starts_at,
        case when regexp_matches(t.expires, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.expires as timestamptz) end as expires_at,
        case when regexp_matches(t.activated, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.activated as timestamptz) end as activated_at,
        case when regexp_matches(t.disabled, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t.disabled as timestamptz) end as disabled_at,
        case when t.active in ('true', '1') then true when t.active in ('false', '0') then false end as is_active,
        case when t.enabled in ('true', '1') then true when t.enabled in ('false', '0') then false end as is_enabled,
        case when t.trial in ('true', '1') then true when t.trial in ('false', '0') then false end as is_trial,
        -- 18 digits always fit a BIGINT; a decimal point may only be followed by zeros.
        regexp_matches(t.max_activations, '^[0-9]{1,18}([.]0+)?$') as max_ok,
        regexp_matches(t.times_activated, '^[0-9]{1,18}([.]0+)?$') as times_ok
    from texts as t
)

select
    l.version_id,
    l.order_key,
    l.source,
    l.account,
    l.order_id,
    cast(l.item_no as integer) as item_no,
    cast(l.license_no as integer) as license_no,
    l.license_id,
    l.origin,
    -- The time of an order says nothing about its licenses.
    case when l.origin = 'order' then coalesce(l.updated_at, l.created_at, l.version_at) else l.version_at end as version_at,
    l.order_item_id,
    l.product_id,
    l.sku_id,
    l.product_name,
    l.license_type,
    l.source_status,
    l.is_active,
    l.is_enabled,
    l.is_trial,
    l.created_at,
    l.updated_at,
    l.starts_at,
    l.expires_at,
    l.activated_at,
    l.disabled_at,
    l.subscription_id,
    case when l.max_ok then cast(cast(l.max_activations as decimal(38, 10)) as bigint) end as max_activations,
    case when l.times_ok then cast(cast(l.times_activated as decimal(38, 10)) as bigint) end as times_activated,
    case
        when l.license_id is null then 'order_items[' || cast(l.item_no - 1 as varchar) || '].licenses[' || cast(l.license_no - 1 as varchar) || '] has no id'
        when l.active is not null and l.is_active is null then 'active is neither true nor false: ' || substr(l.active, 1, 80)
        when l.enabled is not null and l.is_enabled is null then 'enabled is neither true nor false: ' || substr(l.enabled, 1, 80)
        when l.trial is not null and l.is_trial is null then 'is_trial is neither true nor false: ' || substr(l.trial, 1, 80)
        when l.created is not null and l.created_at is null then 'created_at is not a time: ' || substr(l.created, 1, 80)
        when l.updated is not null and l.updated_at is null then 'updated_at is not a time: ' || substr(l.updated, 1, 80)
        when l.starts is not null and l.starts_at is null then 'start_date is not a time: ' || substr(l.starts, 1, 80)
        when l.expires is not null and l.expires_at is null then 'validity_period is not a time: ' || substr(l.expires, 1, 80)
        when l.activated is not null and l.activated_at is null then 'time_activated is not a time: ' || substr(l.activated, 1, 80)
        when l.disabled is not null and l.disabled_at is null then 'time_disabled is not a time: ' || substr(l.disabled, 1, 80)
        when not coalesce(l.max_ok, true) then 'max_activations is not a whole number: ' || substr(l.max_activations, 1, 80)
        when not coalesce(l.times_ok, true) then 'times_activated is not a whole number: ' || substr(l.times_activated, 1, 80)
    end as quarantine_reason
from typed as l
