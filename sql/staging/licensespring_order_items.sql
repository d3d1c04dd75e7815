/*
description: >
  The licenses on every LicenseSpring order as it stands now, as lines of the order's newest version.
  Appended and deleted licenses make no new version of the order, so earlier versions have no lines.
grain: [version_id, line_no]
refresh_key: order_key
columns:
  version_id: Newest order version that can be typed.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always licensespring here.
  account: Configured account.
  order_id: LicenseSpring order id.
  line_no: Place of the license by its id, from 1.
  license_id: LicenseSpring license id.
  product_id: LicenseSpring product id.
  sku_id: Short code of the product.
  product_name: Name of the product.
  quantity: Always 1.
checks:
  - unique: [version_id, line_no]
  - not_null: [version_id, order_id, line_no, license_id]
*/
select
    o.version_id,
    l.order_key,
    l.source,
    l.account,
    l.order_id,
    cast(row_number() over (
        partition by l.source, l.account, l.order_id
        order by
            case when regexp_matches(l.license_id, '^[0-9]{1,28}$') then cast(l.license_id as decimal(38, 0)) end,
            l.license_id
    ) as integer) as line_no,
    l.license_id,
    l.product_id,
    l.sku_id,
    l.product_name,
    cast(1 as bigint) as quantity
from staging.licensespring_licenses as l
inner join (
    select
        v.source,
        v.account,
        v.order_id,
        v.version_id,
        row_number() over (
            partition by v.source, v.account, v.order_id order by v.version_at desc, v.version_id desc
        ) as newest_first
    from staging.licensespring_orders as v
    where v.channel <> 'gone' and v.quarantine_reason is null
) as o
    on o.source = l.source and o.account = l.account and o.order_id = l.order_id and o.newest_first = 1
