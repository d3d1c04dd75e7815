/*
description: >
  Each promotion over its whole history, one row per currency, as known now. A unique code is a
  promotion of its own; marts.campaigns has them together. Rates are in marts.promotion_rates.
grain: [source, account, promotion_key, currency]
refresh_key: promotion_key
columns:
  source: Kind of API.
  account: Configured account.
  promotion_key: Kind and id, such as voucher:SUMMER; (unknown) for all of a kind whose id no order says.
  kind: What was redeemed, e.g. voucher, promotion_tier, coupon, gift_certificate, or unknown for children of a stack.
  promotion_id: Id or code; NULL when the orders do not say.
  campaign_id: Campaign, when there is one; the last in the alphabet when orders name several.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  first_order_date: Business date of the first order with it, in any status.
  last_order_date: Business date of the last.
  redemptions: Redemptions on orders in any status, test orders excluded.
  rollbacks: Of these, rolled back since.
  net_redemptions: Redemptions that stand.
  orders: Orders with the promotion, in any status.
  orders_recognised: Recognised orders on which it stands.
  customers: Distinct known customers of these.
  new_customers: Of these orders, their customer's first.
  guest_orders: Of these orders, those without a customer.
  discount_minor: Discounts attributed to it on recognised orders, by equal split; what such orders do not say adds nothing.
  shared_discount_minor: Of these, discounts that were split between several incentives; the larger this part, the rougher the figure.
  gross_revenue_minor: Amount before discounts of the recognised orders, the whole order. Not additive over promotions.
  net_revenue_minor: Amount after discounts of the recognised orders, the whole order; revenue influenced, not caused. Not additive over promotions.
checks:
  - unique: [source, account, promotion_key, currency]
  - not_null: [promotion_key, kind, currency, redemptions, orders, discount_minor, net_revenue_minor]
  - formula: {name: redemptions_stand_or_are_rolled_back, holds: "net_redemptions + rollbacks = redemptions"}
  - formula: {name: recognised_orders_are_orders, holds: "orders_recognised <= orders and customers + guest_orders <= orders_recognised and new_customers <= customers"}
  - totals: {name: redemptions_are_those_of_all_days, by: [source, account, promotion_key, currency], sum: redemptions, to: marts.daily_promotions, their_where: "promotion_key <> '(unattributed)'"}
  - totals: {name: discounts_are_those_of_all_days, by: [source, account, promotion_key, currency], sum: discount_minor, to: marts.daily_promotions, their_sum: "coalesce(discount_minor, 0)", their_where: "promotion_key <> '(unattributed)'"}
metrics:
  promotion_redemptions_so_far: {column: redemptions, version: 1, counts: redemptions on orders in any status, holds: "net_redemptions + rollbacks = redemptions", example: {is: null, where: "true"}}
  promotion_orders_so_far: {column: orders_recognised, version: 1, counts: recognised orders on which the promotion stands, holds: "orders_recognised <= orders", example: {is: null, where: "true"}}
  promotion_discount_so_far: {column: discount_minor, version: 1, counts: recognised orders on which the promotion stands, holds: "orders_recognised > 0 or discount_minor = 0", example: {is: null, where: "true"}}
  promotion_discount_shared: {column: shared_discount_minor, version: 1, counts: recognised orders with several promotions, holds: "orders_recognised > 0 or shared_discount_minor = 0", example: {is: null, where: "true"}}
*/
select
    p.source,
    p.account,
    p.promotion_key,
    max(p.kind) as kind,
    max(p.promotion_id) as promotion_id,
    max(p.campaign_id) as campaign_id,
    p.currency,
    cast(max(p.minor_unit_exponent) as integer) as minor_unit_exponent,
    min(p.order_date) as first_order_date,
    max(p.order_date) as last_order_date,
    cast(count(*) as bigint) as redemptions,
    cast(count(*) filter (where p.is_rolled_back) as bigint) as rollbacks,
    cast(count(*) filter (where not p.is_rolled_back) as bigint) as net_redemptions,
    cast(count(*) filter (where p.promotion_rank = 1) as bigint) as orders,
    cast(count(*) filter (where p.promotion_rank = 1 and p.counts) as bigint) as orders_recognised,
    cast(count(distinct p.customer_key) filter (where p.counts) as bigint) as customers,
    cast(count(*) filter (where p.promotion_rank = 1 and p.counts and p.is_first_order) as bigint) as new_customers,
    cast(count(*) filter (where p.promotion_rank = 1 and p.counts and p.customer_key is null) as bigint) as guest_orders,
    cast(coalesce(sum(p.attributed_discount_minor) filter (where p.counts), 0) as bigint) as discount_minor,
    cast(coalesce(sum(p.attributed_discount_minor) filter (
        where p.counts and p.attribution_method = 'equal_split'
    ), 0) as bigint) as shared_discount_minor,
    cast(coalesce(sum(p.order_gross_minor) filter (where p.promotion_rank = 1 and p.counts), 0) as bigint) as gross_revenue_minor,
    cast(coalesce(sum(p.order_net_minor) filter (where p.promotion_rank = 1 and p.counts), 0) as bigint) as net_revenue_minor
from (
    select
        r.source,
        r.account,
        r.promotion_key,
        r.kind,
        r.promotion_id,
        r.campaign_id,
        r.currency,
        r.minor_unit_exponent,
        r.order_date,
        r.is_rolled_back,
        r.promotion_rank,
        r.customer_key,
        r.is_first_order,
        r.attributed_discount_minor,
        r.attribution_method,
        r.order_gross_minor,
        r.order_net_minor,
        r.is_recognised and not r.is_rolled_back as counts
    from core.promotion_orders as r
    where not r.is_test
) as p
group by p.source, p.account, p.promotion_key, p.currency
