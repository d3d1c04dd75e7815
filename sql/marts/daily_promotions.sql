/*
description: >
  What each promotion did per business date of the order, as known now, with a row (unattributed) for
  discounts on orders without an incentive that stands. So the discounts of a day and currency add up
  to those of marts.daily_discounts. Orders known from a file show no incentives until they are read.
grain: [source, account, order_date, promotion_key, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date of the order in the account's time zone, which need not be the day of the redemption.
  promotion_key: Kind and id, such as voucher:SUMMER; or (unattributed).
  kind: What was redeemed, e.g. voucher or coupon; (unattributed) for that row.
  promotion_id: Id or code; NULL when the orders do not say.
  campaign_id: Campaign, when there is one; the last in the alphabet when orders name several.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  redemptions: Redemptions on the orders of the day in any status, test orders excluded.
  rollbacks: Of these, rolled back since.
  net_redemptions: Redemptions that stand.
  orders: Orders with the promotion, in any status.
  orders_recognised: Recognised orders on which it stands; of (unattributed), those with such a discount. An order with two promotions is in two rows.
  customers: Distinct known customers of these. Not additive.
  new_customers: Of these orders, their customer's first.
  discount_minor: Discounts attributed to it on recognised orders, by equal split; NULL when no recognised order says.
  gross_revenue_minor: Amount before discounts of the recognised orders, the whole order. Not additive over promotions.
  net_revenue_minor: Amount after discounts of the recognised orders, the whole order; revenue influenced, not caused. Not additive over promotions.
checks:
  - unique: [source, account, order_date, promotion_key, currency]
  - not_null: [order_date, promotion_key, kind, currency, redemptions, orders]
  - formula: {name: redemptions_stand_or_are_rolled_back, holds: "net_redemptions + rollbacks = redemptions"}
  - formula: {name: recognised_orders_are_orders, holds: "orders_recognised <= orders and customers <= orders_recognised and new_customers <= customers"}
  - totals: {name: discounts_are_those_of_the_day, by: [source, account, order_date, currency], sum: discount_minor, where: discount_minor is not null, to: marts.daily_discounts, their_sum: total_discount_minor, their_where: total_discount_minor is not null}
metrics:
  promotion_redemptions: {column: redemptions, version: 1, counts: redemptions on orders in any status, holds: "net_redemptions + rollbacks = redemptions", example: {is: 0, where: "order_date = '2026-03-03' and promotion_key = '(unattributed)'"}, differs: "A day is that of the order; a source's report shows the day of the redemption, and failed ones too."}
  promotion_orders: {column: orders_recognised, version: 1, counts: recognised orders on which the promotion stands, holds: "orders_recognised <= orders", example: {is: 1, where: "order_date = '2026-03-03' and promotion_key = '(unattributed)'"}}
  promotion_discount: {column: discount_minor, version: 1, counts: recognised orders on which the promotion stands, holds: "discount_minor is not null or kind <> '(unattributed)' or orders_recognised = 0", example: {is: 7160, where: "order_date = '2026-03-03' and promotion_key = '(unattributed)'"}, differs: "Split equally where an order has several promotions."}
  promotion_net_revenue: {column: net_revenue_minor, version: 1, counts: recognised orders on which the promotion stands, holds: "orders_recognised > 0 or net_revenue_minor = 0", example: {is: 64440, where: "order_date = '2026-03-03' and promotion_key = '(unattributed)'"}, differs: "Of the whole order; not additive over promotions."}
  promotion_new_customers: {column: new_customers, version: 1, counts: recognised orders on which the promotion stands, holds: "new_customers <= customers", example: {is: 1, where: "order_date = '2026-03-03' and promotion_key = '(unattributed)'"}}
*/
select
    p.source,
    p.account,
    p.order_date,
    p.promotion_key,
    p.kind,
    p.promotion_id,
    p.campaign_id,
    p.currency,
    p.minor_unit_exponent,
    p.redemptions,
    p.rollbacks,
    p.net_redemptions,
    p.orders,
    p.orders_recognised,
    p.customers,
    p.new_customers,
    p.discount_minor,
    p.gross_revenue_minor,
    p.net_revenue_minor
from core.promotion_days as p
union all
select
    u.source,
    u.account,
    u.order_date,
    '(unattributed)' as promotion_key,
    '(unattributed)' as kind,
    cast(null as varchar) as promotion_id,
    cast(null as varchar) as campaign_id,
    u.currency,
    u.minor_unit_exponent,
    cast(0 as bigint) as redemptions,
    cast(0 as bigint) as rollbacks,
    cast(0 as bigint) as net_redemptions,
    u.orders,
    u.orders as orders_recognised,
    u.customers,
    u.new_customers,
    u.discount_minor,
    u.gross_revenue_minor,
    u.net_revenue_minor
from core.unattributed_days as u
