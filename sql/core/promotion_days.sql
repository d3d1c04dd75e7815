/*
description: >
  What each promotion did per business date of the order, test orders excluded. marts.daily_promotions
  shows it, with the discounts of no promotion beside it. Its slices are finer than a day, so a changed
  order costs the orders of its promotions, not those of its day.
grain: [source, account, order_date, promotion_key, currency]
refresh_key: day_promotion
columns:
  day_promotion: Business date and promotion in one text; slices, not identity.
  source: Kind of API.
  account: Configured account.
  order_date: Business date of the order in the account's time zone, which need not be the day of the redemption.
  promotion_key: Kind and id, such as voucher:SUMMER.
  kind: What was redeemed, e.g. voucher or coupon.
  promotion_id: Id or code; NULL when the orders do not say.
  campaign_id: Campaign, when there is one; the last in the alphabet when orders name several.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  redemptions: Redemptions on the orders of the day in any status, test orders excluded.
  rollbacks: Of these, rolled back since.
  net_redemptions: Redemptions that stand.
  orders: Orders with the promotion, in any status.
  orders_recognised: Recognised orders on which it stands. An order with two promotions is in two rows.
  customers: Distinct known customers of these. Not additive.
  new_customers: Of these orders, their customer's first.
  discount_minor: Discounts attributed to it on recognised orders, by equal split; NULL when no recognised order says.
  gross_revenue_minor: Amount before discounts of the recognised orders, the whole order. Not additive over promotions.
  net_revenue_minor: Amount after discounts of the recognised orders, the whole order; revenue influenced, not caused. Not additive over promotions.
checks:
  - unique: [source, account, order_date, promotion_key, currency]
  - not_null: [day_promotion, order_date, promotion_key, kind, currency, redemptions, orders]
*/
select
    p.day_promotion,
    p.source,
    p.account,
    p.order_date,
    p.promotion_key,
    max(p.kind) as kind,
    max(p.promotion_id) as promotion_id,
    max(p.campaign_id) as campaign_id,
    p.currency,
    cast(max(p.minor_unit_exponent) as integer) as minor_unit_exponent,
    cast(count(*) as bigint) as redemptions,
    cast(count(*) filter (where p.is_rolled_back) as bigint) as rollbacks,
    cast(count(*) filter (where not p.is_rolled_back) as bigint) as net_redemptions,
    cast(count(*) filter (where p.promotion_rank = 1) as bigint) as orders,
    cast(count(*) filter (where p.promotion_rank = 1 and p.is_recognised and not p.is_rolled_back) as bigint) as orders_recognised,
    cast(count(distinct p.customer_key) filter (where p.is_recognised and not p.is_rolled_back) as bigint) as customers,
    cast(count(*) filter (
        where p.promotion_rank = 1 and p.is_recognised and not p.is_rolled_back and p.is_first_order
    ) as bigint) as new_customers,
    cast(sum(p.attributed_discount_minor) filter (where p.is_recognised) as bigint) as discount_minor,
    cast(coalesce(sum(p.order_gross_minor) filter (
        where p.promotion_rank = 1 and p.is_recognised and not p.is_rolled_back
    ), 0) as bigint) as gross_revenue_minor,
    cast(coalesce(sum(p.order_net_minor) filter (
        where p.promotion_rank = 1 and p.is_recognised and not p.is_rolled_back
    ), 0) as bigint) as net_revenue_minor
from core.promotion_orders as p
where not p.is_test
group by p.day_promotion, p.source, p.account, p.order_date, p.promotion_key, p.currency
