/*
description: >
  Every observed version of every LicenseSpring order, its own fields typed. Append-only: a new
  version adds a row and changes none. Licenses stand in staging.licensespring_license_versions.
grain: [version_id]
refresh_key: version_id
columns:
  version_id: Observation number of the version in raw.order_payloads.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always licensespring here.
  account: Configured account.
  order_id: LicenseSpring order id, all digits of it.
  source_order_id: The vendor's own order id (store_id); it may be edited.
  version_at: When the source says this version came to be, UTC; when it was seen, where an order changed without a later time.
  content_hash: MD5 of the landed payload.
  channel: How the version came here; list, get or gone (the answer that the order is not there any more).
  extraction_id: The extraction that brought it.
  loaded_at: When it was landed, UTC.
  created_at: Creation time at the source, UTC; a vendor may have set it back.
  updated_at: Last change of the order's own attributes, UTC; blind to its licenses.
  ordered_at: Time the order counts for, UTC; the account's business_date_path, else created_at.
  order_date: Business date, the local day of ordered_at in the account's time zone.
  order_date_source: Where the business date comes from, metadata or created_at.
  source_status: Stands for the status that this source does not have; test, trial or issued, in this order.
  is_recognised: True when source_status counts (setting recognised_statuses) and it is no test order.
  is_test: True when the order's is_test or the account's test_order_path says so.
  is_trial: True when the order's is_trial says so or its type is api_trial.
  customer_key: Customer id; without one, email:<hash of the e-mail address>; NULL for guests.
  has_items: True when the order came with its order_items.
  quarantine_reason: Why the version cannot be typed; NULL when it can.
checks:
  - unique: [version_id]
  - not_null: [version_id, order_key, source, account, order_id, version_at, order_date]
  - accepted_values: {source_status: [test, trial, issued]}
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
    s.value is not null and not v.is_test as is_recognised,
    v.is_test,
    v.is_trial,
    case
        when v.customer_id is not null then v.customer_id
        when v.email is not null then 'email:' || sha256(v.email)
    end as customer_key,
    v.has_items,
    case
        when not coalesce(v.test_ok, true) then 'is_test is neither true nor false: ' || substr(v.test_text, 1, 80)
        when not coalesce(v.trial_ok, true) then 'is_trial is neither true nor false: ' || substr(v.trial_text, 1, 80)
        when not coalesce(v.customer_ok, true) then 'customer has no id that can be read: ' || substr(v.customer_id, 1, 80)
    end as quarantine_reason
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
        x.created_at,
        x.updated_at,
        -- A bare date is a business day already; a time without a zone is read as UTC.
        regexp_matches(x.metadata_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') and x.metadata_at is not null as metadata_is_date,
        x.metadata_at,
        x.is_test,
        x.is_trial,
        case when x.is_test then 'test' when x.is_trial then 'trial' else 'issued' end as source_status,
        x.customer_id,
        x.email,
        x.has_items,
        x.test_text,
        x.trial_text,
        x.test_text in ('true', 'false', '1', '0') as test_ok,
        x.trial_text in ('true', 'false', '1', '0') as trial_ok,
        regexp_matches(x.customer_id, '^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$') and x.customer_id not in ('true', 'false')
            as customer_ok
    from (
        select
            p.version_id,
            p.order_key,
            p.source,
            p.account,
            p.order_id,
            json_extract_string(p.payload, '$.store_id') as source_order_id,
            p.version_at,
            p.content_hash,
            p.channel,
            p.extraction_id,
            p.loaded_at,
            a.time_zone,
            try_cast(json_extract_string(p.payload, '$.created_at') as timestamptz) as created_at,
            try_cast(json_extract_string(p.payload, '$.updated_at') as timestamptz) as updated_at,
            json_extract_string(p.payload, a.business_date_path) as metadata_text,
            case
                when regexp_matches(json_extract_string(p.payload, a.business_date_path), '^[0-9]{4}-[0-9]{2}-[0-9]{2}')
                    then try_cast(json_extract_string(p.payload, a.business_date_path) as timestamptz)
            end as metadata_at,
            lower(json_extract_string(p.payload, '$.is_test')) as test_text,
            lower(json_extract_string(p.payload, '$.is_trial')) as trial_text,
            coalesce(lower(json_extract_string(p.payload, '$.is_test')) in ('true', '1'), false)
                or coalesce(lower(json_extract_string(p.payload, a.test_order_path)) in ('true', '1', 'yes'), false)
                as is_test,
            coalesce(lower(json_extract_string(p.payload, '$.is_trial')) in ('true', '1'), false)
                or coalesce(json_extract_string(p.payload, '$.type') = 'api_trial', false)
                as is_trial,
            -- An object, or the bare id. An object without an id is a guest with an address.
            nullif(case
                when substr(json_extract_string(p.payload, '$.customer'), 1, 1) = '{'
                    then json_extract_string(p.payload, '$.customer.id')
                else json_extract_string(p.payload, '$.customer')
            end, '') as customer_id,
            nullif(lower(trim(coalesce(
                nullif(trim(json_extract_string(p.payload, '$.customer_email')), ''),
                json_extract_string(p.payload, '$.customer.email')
            ))), '') as email,
            -- The text of an array, not a string that looks like one.
            coalesce(substr(cast(json_extract(p.payload, '$.order_items') as varchar), 1, 1) = '[', false) as has_items
        from raw.order_payloads as p
        inner join ops.accounts as a on a.source = p.source and a.account = p.account
        where p.source = 'licensespring' and p.part_id is null and p.quarantine_reason is null
    ) as x
) as v
left join ops.account_lists as s
    on s.source = v.source and s.account = v.account and s.list_name = 'recognised_statuses' and s.value = v.source_status
