/*
description: >
  Which licenses the orders of a business date hold now, one row per product. Test orders excluded.
grain: [source, account, order_date, product_id]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  product_id: Product id of the source; NULL for licenses that name none.
  sku_id: Short code of the product.
  product_name: Name of the product; the last in the alphabet when it has several.
  orders: Orders with a license of the product.
  licenses: Licenses of the product.
  trial_licenses: Of these, trial licenses.
  perpetual: Licenses without an end.
  time_limited: Licenses for a time.
  subscription: Licenses that a subscription renews.
  consumption: Licenses that are used up.
  other_type: Licenses of any other type, or of none.
  licenses_active: Licenses that were activated.
  licenses_disabled: Licenses that the vendor disabled.
checks:
  - unique: [source, account, order_date, product_id]
  - not_null: [order_date, licenses]
  - formula: {name: types_add_up, holds: "perpetual + time_limited + subscription + consumption + other_type = licenses"}
metrics:
  product_licenses: {column: licenses, version: 1, counts: licenses on orders placed, holds: "perpetual + time_limited + subscription + consumption + other_type = licenses", example: {is: null}}
  product_trial_licenses: {column: trial_licenses, version: 1, counts: licenses on orders placed, holds: "trial_licenses <= licenses", example: {is: null}}
*/
select
    l.source,
    l.account,
    l.order_date,
    l.product_id,
    max(l.sku_id) as sku_id,
    max(l.product_name) as product_name,
    cast(count(distinct l.order_id) as bigint) as orders,
    cast(count(*) as bigint) as licenses,
    cast(count(*) filter (where l.is_trial) as bigint) as trial_licenses,
    cast(count(*) filter (where l.license_type = 'perpetual') as bigint) as perpetual,
    cast(count(*) filter (where l.license_type = 'time-limited') as bigint) as time_limited,
    cast(count(*) filter (where l.license_type = 'subscription') as bigint) as subscription,
    cast(count(*) filter (where l.license_type = 'consumption') as bigint) as consumption,
    cast(count(*) filter (
        where l.license_type is null
        or l.license_type not in ('perpetual', 'time-limited', 'subscription', 'consumption')
    ) as bigint) as other_type,
    cast(count(*) filter (where l.is_active) as bigint) as licenses_active,
    cast(count(*) filter (where not l.is_enabled) as bigint) as licenses_disabled
from core.licenses as l
where not l.is_test
group by l.source, l.account, l.order_date, l.product_id
