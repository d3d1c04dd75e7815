/*
description: >
  Each campaign over its whole history, one row per currency, as known now. An order counts once per
  campaign however many of its incentives it has. Revenue influenced is not additive across campaigns:
  an order with two campaigns is in both. Promotions without a campaign are in marts.promotions only.
grain: [source, account, campaign_id, currency]
refresh_key: campaign_id
columns:
  source: Kind of API.
  account: Configured account.
  campaign_id: Campaign id of the source.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  promotions: Promotions (vouchers, codes, tiers) of the campaign that orders have.
  first_order_date: Business date of the first order with it, in any status.
  last_order_date: Business date of the last.
  redemptions: Redemptions on orders in any status, test orders excluded.
  rollbacks: Of these, rolled back since.
  net_redemptions: Redemptions that stand.
  orders: Orders with an incentive of the campaign, in any status. Not additive across campaigns.
  orders_recognised: Recognised orders on which one stands. Not additive across campaigns.
  customers: Distinct known customers of these. Not additive across campaigns.
  new_customers: Of these orders, their customer's first. Not additive across campaigns.
  discount_minor: Discounts attributed to the campaign on recognised orders, by equal split; additive across campaigns.
  net_revenue_minor: Amount after discounts of the recognised orders, each order once; revenue influenced, not caused. NOT additive across campaigns.
checks:
  - unique: [source, account, campaign_id, currency]
  - not_null: [campaign_id, currency, redemptions, orders, discount_minor, net_revenue_minor]
  - formula: {name: redemptions_stand_or_are_rolled_back, holds: "net_redemptions + rollbacks = redemptions"}
  - formula: {name: recognised_orders_are_orders, holds: "orders_recognised <= orders and customers <= orders_recognised and new_customers <= customers"}
metrics:
  campaign_redemptions: {column: redemptions, version: 1, counts: redemptions on orders in any status, holds: "net_redemptions + rollbacks = redemptions", example: {is: null, where: "true"}}
  campaign_orders: {column: orders_recognised, version: 1, counts: recognised orders on which an incentive of the campaign stands, holds: "orders_recognised <= orders", example: {is: null, where: "true"}}
  campaign_discount: {column: discount_minor, version: 1, counts: recognised orders on which an incentive of the campaign stands, holds: "orders_recognised > 0 or discount_minor = 0", example: {is: null, where: "true"}}
  campaign_net_revenue: {column: net_revenue_minor, version: 1, counts: "recognised orders, each once per campaign", holds: "orders_recognised > 0 or net_revenue_minor = 0", example: {is: null, where: "true"}, differs: "Not additive over campaigns; a source's report may count an order once per redemption."}
*/
select
    p.source,
    p.account,
    p.campaign_id,
    p.currency,
    cast(max(p.minor_unit_exponent) as integer) as minor_unit_exponent,
    cast(count(distinct p.promotion_key) as bigint) as promotions,
    min(p.order_date) as first_order_date,
    max(p.order_date) as last_order_date,
    cast(count(*) as bigint) as redemptions,
    cast(count(*) filter (where p.is_rolled_back) as bigint) as rollbacks,
    cast(count(*) filter (where not p.is_rolled_back) as bigint) as net_redemptions,
    cast(count(*) filter (where p.campaign_rank = 1) as bigint) as orders,
    cast(count(*) filter (where p.campaign_rank = 1 and p.is_recognised and not p.is_rolled_back) as bigint) as orders_recognised,
    cast(count(distinct p.customer_key) filter (where p.is_recognised and not p.is_rolled_back) as bigint) as customers,
    cast(count(*) filter (
        where p.campaign_rank = 1 and p.is_recognised and not p.is_rolled_back and p.is_first_order
    ) as bigint) as new_customers,
    cast(coalesce(sum(p.attributed_discount_minor) filter (where p.is_recognised), 0) as bigint) as discount_minor,
    cast(coalesce(sum(p.order_net_minor) filter (
        where p.campaign_rank = 1 and p.is_recognised and not p.is_rolled_back
    ), 0) as bigint) as net_revenue_minor
from core.promotion_orders as p
where not p.is_test and p.campaign_id is not null
group by p.source, p.account, p.campaign_id, p.currency
