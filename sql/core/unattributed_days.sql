/*
description: >
  Discounts of each business date on recognised orders without an incentive that stands, test orders
  excluded. marts.daily_promotions shows it as (unattributed).
grain: [source, account, order_date, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date of the order in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  orders: Recognised orders with such a discount.
  customers: Distinct known customers of these. Not additive.
  new_customers: Of these orders, their customer's first.
  discount_minor: Discounts that no incentive explains; NULL when no recognised order says.
  gross_revenue_minor: Amount before discounts of these orders.
  net_revenue_minor: Amount after discounts of these orders.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, orders]
*/
select
    u.source,
    u.account,
    u.order_date,
    u.currency,
    cast(max(u.minor_unit_exponent) as integer) as minor_unit_exponent,
    cast(count(*) filter (where u.remainder_minor > 0) as bigint) as orders,
    cast(count(distinct u.customer_key) filter (where u.remainder_minor > 0) as bigint) as customers,
    cast(count(*) filter (where u.remainder_minor > 0 and u.is_first_order) as bigint) as new_customers,
    cast(sum(u.remainder_minor) as bigint) as discount_minor,
    cast(coalesce(sum(u.gross_minor) filter (where u.remainder_minor > 0), 0) as bigint) as gross_revenue_minor,
    cast(coalesce(sum(u.net_minor) filter (where u.remainder_minor > 0), 0) as bigint) as net_revenue_minor
from (
    select
        o.source,
        o.account,
        o.order_date,
        o.currency,
        o.minor_unit_exponent,
        o.customer_key,
        o.gross_minor,
        o.net_minor,
        c.order_id is not null as is_first_order,
        o.total_discount_minor - coalesce(a.attributed_minor, 0) as remainder_minor
    from core.orders as o
    left join (
        select
            p.source,
            p.account,
            p.order_date,
            p.order_id,
            sum(p.attributed_discount_minor) as attributed_minor
        from core.promotion_orders as p
        group by p.source, p.account, p.order_date, p.order_id
    ) as a
        on a.source = o.source and a.account = o.account and a.order_date = o.order_date and a.order_id = o.order_id
    left join (
        select
            f.source,
            f.account,
            f.order_date,
            f.order_id
        from core.customer_orders as f
        where f.is_first_order
    ) as c
        on c.source = o.source and c.account = o.account and c.order_date = o.order_date and c.order_id = o.order_id
    where o.is_recognised and not o.is_test and not o.is_deleted and o.gives_money
) as u
group by u.source, u.account, u.order_date, u.currency
