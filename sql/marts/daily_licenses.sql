/*
description: >
  Orders, licenses and trials per business date, for sources that issue licenses: by order day, as
  known now. The only mart that counts test orders, in a column of their own.
grain: [source, account, order_date]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  orders_placed: Orders of the day, test orders excluded.
  trial_orders: Of these, trials.
  issued_orders: Of these, orders in earnest.
  test_orders: Test orders of the day; in no other figure.
  orders_without_licenses: Orders placed whose licenses were not read yet; nothing below has them.
  licenses: Licenses on the day's orders now; NULL while those of no order were read.
  trial_licenses: Of these, trial licenses.
  normal_licenses: Of these, the others.
  licenses_active: Licenses that were activated.
  licenses_enabled: Licenses that may be used, as far as the vendor goes.
  licenses_disabled: Licenses that the vendor disabled.
  trial_customers: Distinct known customers with a trial that day. Not additive over days.
  trial_customers_converted: Of these, customers with a later order in earnest, so far; recent days have had less time.
checks:
  - unique: [source, account, order_date]
  - not_null: [order_date, orders_placed, trial_customers]
  - formula: {name: an_order_is_a_trial_or_in_earnest, holds: "trial_orders + issued_orders = orders_placed"}
  - formula: {name: a_license_is_a_trial_or_normal, holds: "trial_licenses + normal_licenses = licenses"}
  - formula: {name: licenses_are_known_unless_no_order_tells, holds: "(licenses is null) = (orders_placed > 0 and orders_without_licenses = orders_placed)"}
  - formula: {name: no_more_convert_than_try, holds: "trial_customers_converted <= trial_customers and trial_customers <= trial_orders"}
metrics:
  orders_issued: {column: issued_orders, version: 1, counts: orders placed that are no trials, holds: "trial_orders + issued_orders = orders_placed", example: {is: null}}
  licenses: {column: licenses, version: 1, counts: licenses on orders placed, holds: "licenses is null or licenses >= 0", example: {is: null}}
  licenses_active: {column: licenses_active, version: 1, counts: licenses on orders placed, holds: "licenses_active is null or licenses_active <= licenses", example: {is: null}}
  trial_customers: {column: trial_customers, version: 1, counts: trials of known customers, holds: "trial_customers <= trial_orders", example: {is: null}}
  trial_customers_converted: {column: trial_customers_converted, version: 1, counts: trials of known customers, holds: "trial_customers_converted <= trial_customers", example: {is: null}, differs: "Any later order in earnest counts, of whatever product; recent days have had less time."}
*/
select
    o.source,
    o.account,
    o.order_date,
    o.orders_placed,
    o.trial_orders,
    o.orders_placed - o.trial_orders as issued_orders,
    o.test_orders,
    o.orders_without_licenses,
    case when o.licenses_known then coalesce(l.licenses, cast(0 as bigint)) end as licenses,
    case when o.licenses_known then coalesce(l.trial_licenses, cast(0 as bigint)) end as trial_licenses,
    case when o.licenses_known then coalesce(l.normal_licenses, cast(0 as bigint)) end as normal_licenses,
    case when o.licenses_known then coalesce(l.licenses_active, cast(0 as bigint)) end as licenses_active,
    case when o.licenses_known then coalesce(l.licenses_enabled, cast(0 as bigint)) end as licenses_enabled,
    case when o.licenses_known then coalesce(l.licenses_disabled, cast(0 as bigint)) end as licenses_disabled,
    coalesce(t.trial_customers, cast(0 as bigint)) as trial_customers,
    coalesce(t.trial_customers_converted, cast(0 as bigint)) as trial_customers_converted
from (
    select
        c.source,
        c.account,
        c.order_date,
        cast(count(*) filter (where not c.is_test) as bigint) as orders_placed,
        cast(count(*) filter (where not c.is_test and c.is_trial) as bigint) as trial_orders,
        cast(count(*) filter (where c.is_test) as bigint) as test_orders,
        cast(count(*) filter (where not c.is_test and c.units is null) as bigint) as orders_without_licenses,
        count(*) filter (where not c.is_test) = 0 or count(*) filter (where not c.is_test and c.units is not null) > 0
            as licenses_known
    from core.orders as c
    -- A source that knows trials issues licenses.
    where c.is_trial is not null and not c.is_deleted
    group by c.source, c.account, c.order_date
) as o
left join (
    select
        i.source,
        i.account,
        i.order_date,
        cast(count(*) as bigint) as licenses,
        cast(count(*) filter (where i.is_trial) as bigint) as trial_licenses,
        cast(count(*) filter (where not i.is_trial) as bigint) as normal_licenses,
        cast(count(*) filter (where i.is_active) as bigint) as licenses_active,
        cast(count(*) filter (where i.is_enabled) as bigint) as licenses_enabled,
        cast(count(*) filter (where not i.is_enabled) as bigint) as licenses_disabled
    from core.licenses as i
    where not i.is_test
    group by i.source, i.account, i.order_date
) as l
    on l.source = o.source and l.account = o.account and l.order_date = o.order_date
left join (
    select
        v.source,
        v.account,
        v.order_date,
        cast(count(distinct v.customer_key) as bigint) as trial_customers,
        cast(count(distinct v.customer_key) filter (where v.converted_at is not null) as bigint) as trial_customers_converted
    from core.trial_conversions as v
    group by v.source, v.account, v.order_date
) as t
    on t.source = o.source and t.account = o.account and t.order_date = o.order_date
