/*
description: >
  Every observed version of every LicenseSpring order, with the number of licenses that are on it
  now. An order at this source is a container of licenses; it has no money and no status.
grain: [version_id]
refresh_key: order_key
columns:
  version_id: Observation number of the version in raw.order_payloads.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always licensespring here.
  account: Configured account.
  order_id: LicenseSpring order id.
  source_order_id: The vendor's own order id (store_id); it may be edited.
  version_at: When the source says this version came to be, UTC; when it was seen, where an order changed without a later time.
  content_hash: MD5 of the landed payload.
  channel: How the version came here; list, get or gone (the answer that the order is not there any more).
  extraction_id: The extraction that brought it.
  loaded_at: When it was landed, UTC.
  created_at: Creation time at the source, UTC; a vendor may have set it back.
  updated_at: Last change of the order's own attributes, UTC; blind to its licenses.
  ordered_at: Time the order counts for, UTC.
  order_date: Business date, the local day of ordered_at in the account's time zone.
  order_date_source: Where the business date comes from, metadata or created_at.
  source_status: Stands for the status that this source does not have; test, trial or issued.
  status: Common status, always fulfilled; the licenses exist once the order does.
  is_recognised: True when source_status counts (setting recognised_statuses) and it is no test order.
  is_test: True for a test order.
  is_trial: True for a trial.
  currency: Always XXX, the ISO 4217 code for no currency.
  customer_key: Customer id; without one, email:<hash of the e-mail address>; NULL for guests.
  line_count: Licenses on the order now, the same for every version; NULL while none was ever read.
  units: The same; a license is one unit.
  detail_level: full when the licenses are known, else header.
  quarantine_reason: Why the version cannot be typed; NULL when it can.
checks:
  - unique: [version_id]
  - not_null: [version_id, order_key, source, account, order_id, version_at, order_date, currency]
  - accepted_values: {source_status: [test, trial, issued]}
  - formula: {name: a_line_is_a_license, holds: "line_count is not distinct from units and (units is null) = (detail_level = 'header')"}
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
    v.ordered_at,
    v.order_date,
    v.order_date_source,
    v.source_status,
    'fulfilled' as status,
    v.is_recognised,
    v.is_test,
    v.is_trial,
    'XXX' as currency,
    v.customer_key,
    case when v.licenses_known then coalesce(v.licenses, cast(0 as bigint)) end as line_count,
    case when v.licenses_known then coalesce(v.licenses, cast(0 as bigint)) end as units,
    case when v.licenses_known then 'full' else 'header' end as detail_level,
    v.quarantine_reason
from (
    select
        o.version_id,
        o.order_key,
        o.source,
        o.account,
        o.order_id,
        o.source_order_id,
        o.version_at,
        o.content_hash,
        o.channel,
        o.extraction_id,
        o.loaded_at,
        o.created_at,
        o.updated_at,
        o.ordered_at,
        o.order_date,
        o.order_date_source,
        o.source_status,
        o.is_recognised,
        o.is_test,
        o.is_trial,
        o.customer_key,
        c.licenses,
        k.order_id is not null or max(case when o.has_items then 1 else 0 end) over (
            partition by o.source, o.account, o.order_id
        ) = 1 as licenses_known,
        o.quarantine_reason
    from staging.licensespring_order_versions as o
    left join (
        select
            l.source,
            l.account,
            l.order_id,
            cast(count(*) as bigint) as licenses
        from staging.licensespring_licenses as l
        group by l.source, l.account, l.order_id
    ) as c
        on c.source = o.source and c.account = o.account and c.order_id = o.order_id
    left join (
        select distinct
            r.source,
            r.account,
            r.order_id
        from staging.licensespring_license_versions as r
    ) as k
        on k.source = o.source and k.account = o.account and k.order_id = o.order_id
) as v
