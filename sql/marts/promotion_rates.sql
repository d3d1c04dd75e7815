/*
description: >
  Promotions in major units with their rates: what a person reads. Revenue is that of the orders on
  which a promotion stands, an association and no proof of an effect. Ratios are NULL where there is
  nothing to divide by.
grain: [source, account, promotion_key, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  promotion_key: Kind and id, such as voucher:SUMMER.
  campaign_id: Campaign, when there is one.
  currency: ISO 4217 code.
  orders_recognised: Recognised orders on which it stands.
  discount: Discounts attributed to it, major units.
  net_revenue: Amount after discounts of these orders, major units. Not additive over promotions.
  rollback_rate: Redemptions that were rolled back over all redemptions.
  revenue_per_discount: Net revenue for each unit of discount.
  discount_per_order: Discount per recognised order, major units.
  average_order_net: Net revenue per recognised order, major units.
  average_order_net_without: The same for recognised orders of the account in this currency on which it does not stand.
  revenue_share: Net revenue over that of all recognised orders of the account in this currency.
  first_order_share: Orders that are their customer's first over recognised orders of known customers.
  discount_per_new_customer: Discount for each first order, major units.
  shared_discount_share: Part of the discount that was split between several incentives.
metrics:
  promotion_rollback_rate: {column: rollback_rate, version: 1, counts: redemptions on orders in any status, holds: "rollback_rate between 0 and 1", example: {is: null, where: "true"}}
  promotion_revenue_per_discount: {column: revenue_per_discount, version: 1, counts: recognised orders on which the promotion stands, holds: "revenue_per_discount is null or orders_recognised > 0", example: {is: null, where: "true"}, differs: "Revenue influenced, not caused."}
  promotion_first_order_share: {column: first_order_share, version: 1, counts: recognised orders of known customers on which the promotion stands, holds: "first_order_share between 0 and 1", example: {is: null, where: "true"}}
*/
select
    p.source,
    p.account,
    p.promotion_key,
    p.campaign_id,
    p.currency,
    p.orders_recognised,
    cast(p.discount_minor * p.unit as decimal(38, 3)) as discount,
    cast(p.net_revenue_minor * p.unit as decimal(38, 3)) as net_revenue,
    cast(p.rollbacks as double) / nullif(p.redemptions, 0) as rollback_rate,
    cast(p.net_revenue_minor as double) / nullif(p.discount_minor, 0) as revenue_per_discount,
    cast(p.discount_minor * p.unit as double) / nullif(p.orders_recognised, 0) as discount_per_order,
    cast(p.net_revenue_minor * p.unit as double) / nullif(p.orders_recognised, 0) as average_order_net,
    cast((t.net_revenue_minor - p.net_revenue_minor) * p.unit as double)
        / nullif(t.orders_recognised - p.orders_recognised, 0) as average_order_net_without,
    cast(p.net_revenue_minor as double) / nullif(t.net_revenue_minor, 0) as revenue_share,
    cast(p.new_customers as double) / nullif(p.orders_recognised - p.guest_orders, 0) as first_order_share,
    cast(p.discount_minor * p.unit as double) / nullif(p.new_customers, 0) as discount_per_new_customer,
    cast(p.shared_discount_minor as double) / nullif(p.discount_minor, 0) as shared_discount_share
from (
    select
        m.source,
        m.account,
        m.promotion_key,
        m.campaign_id,
        m.currency,
        m.redemptions,
        m.rollbacks,
        m.orders_recognised,
        m.new_customers,
        m.guest_orders,
        m.discount_minor,
        m.shared_discount_minor,
        m.net_revenue_minor,
        case m.minor_unit_exponent
            when 0 then cast(1 as decimal(4, 3))
            when 1 then cast(0.1 as decimal(4, 3))
            when 2 then cast(0.01 as decimal(4, 3))
            when 3 then cast(0.001 as decimal(4, 3))
        end as unit
    from marts.promotions as m
) as p
left join (
    select
        r.source,
        r.account,
        r.currency,
        cast(sum(r.orders_recognised) as bigint) as orders_recognised,
        cast(sum(r.net_revenue_minor) as bigint) as net_revenue_minor
    from marts.daily_revenue as r
    group by r.source, r.account, r.currency
) as t
    on t.source = p.source and t.account = p.account and t.currency = p.currency
