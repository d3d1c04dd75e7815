/*
description: >
  Every license on its order as it stands now. A license that moved stands on its new order; one that
  was deleted is not here. The list of licenses decides which are on an order; what came in an order
  counts while the list has told nothing of that order's licenses. The newest state shows,
  wherever it came from.
grain: [source, account, order_id, license_id]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always licensespring here.
  account: Configured account.
  order_id: LicenseSpring order id.
  license_id: LicenseSpring license id, all digits of it.
  version_id: The observation that this row shows, in raw.order_payloads.
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
  starts_at: From when it is valid, UTC.
  expires_at: Until when it is valid, UTC; NULL for no end.
  activated_at: When it was activated, UTC.
  disabled_at: When it was disabled, UTC.
  subscription_id: What a billing system knows it by; prices are kept there.
  max_activations: How many devices may use it.
  times_activated: How often it was activated.
checks:
  - unique: [source, account, order_id, license_id]
  - not_null: [order_id, license_id, version_id]
*/
select
    n.order_key,
    n.source,
    n.account,
    n.order_id,
    n.license_id,
    n.version_id,
    n.version_at,
    n.order_item_id,
    n.product_id,
    n.sku_id,
    n.product_name,
    n.license_type,
    n.source_status,
    n.is_active,
    n.is_enabled,
    n.is_trial,
    n.created_at,
    n.updated_at,
    n.starts_at,
    n.expires_at,
    n.activated_at,
    n.disabled_at,
    n.subscription_id,
    n.max_activations,
    n.times_activated
from (
    select
        l.order_key,
        l.source,
        l.account,
        l.order_id,
        l.license_id,
        l.version_id,
        l.origin,
        l.version_at,
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
        l.max_activations,
        l.times_activated,
        row_number() over (
            partition by l.source, l.account, l.order_id, l.license_id
            order by
                case when l.origin = 'gone' then 1 else 0 end,
                l.version_at desc,
                l.version_id desc,
                l.item_no,
                l.license_no
        ) as newest_first,
        t.order_id is null or coalesce(max(case when l.origin = 'license' then l.version_id end) over (
            partition by l.source, l.account, l.order_id, l.license_id
        ), 0) > coalesce(max(case when l.origin = 'gone' then l.version_id end) over (
            partition by l.source, l.account, l.order_id, l.license_id
        ), 0) as is_on_order
    from staging.licensespring_license_versions as l
    left join (
        select
            v.source,
            v.account,
            v.order_id,
            v.version_id,
            row_number() over (
                partition by v.source, v.account, v.order_id order by v.version_at desc, v.version_id desc
            ) as newest_first
        from staging.licensespring_order_versions as v
        where v.has_items and v.channel <> 'gone'
    ) as s
        on s.source = l.source and s.account = l.account and s.order_id = l.order_id and s.newest_first = 1
    left join (
        select distinct
            o.source,
            o.account,
            o.order_id
        from staging.licensespring_license_versions as o
        where o.origin <> 'order'
    ) as t
        on t.source = l.source and t.account = l.account and t.order_id = l.order_id
    where l.license_id is not null and (t.order_id is not null or l.version_id = s.version_id)
) as n
where n.newest_first = 1 and n.origin <> 'gone' and n.is_on_order
