/*
description: >
  What each known customer bought per month, recognised orders only. Months without an order have no
  row. The cohort is that of the currency: its month is that of the customer's first order in it.
grain: [source, account, customer_key, order_month, currency]
refresh_key: customer_key
columns:
  source: Kind of API.
  account: Configured account.
  customer_key: Customer id of the source.
  order_month: First day of the month of the orders' business dates.
  currency: ISO 4217 code.
  cohort_month: First day of the month of the customer's first recognised order in this currency.
  month_number: Months from cohort_month to order_month; 0 for the cohort's own month.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money.
  orders_recognised: Recognised orders of the month.
  orders_without_amount: Of these, orders whose amount the source does not say; they add nothing to the sum.
  net_revenue_minor: Their amounts after discounts, minor units; NULL where the source knows no money.
checks:
  - unique: [source, account, customer_key, order_month, currency]
  - not_null: [customer_key, order_month, currency, cohort_month, month_number, gives_money]
  - formula: {name: no_month_is_before_the_cohort, holds: "month_number >= 0 and (month_number = 0) = (order_month = cohort_month)"}
  - formula: {name: a_month_has_orders, holds: "orders_recognised >= 1"}
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money"}
*/
select
    m.source,
    m.account,
    m.customer_key,
    m.order_month,
    m.currency,
    m.cohort_month,
    cast(
        12 * (extract(year from m.order_month) - extract(year from m.cohort_month))
        + extract(month from m.order_month) - extract(month from m.cohort_month) as bigint
    ) as month_number,
    m.minor_unit_exponent,
    m.gives_money,
    m.orders_recognised,
    m.orders_without_amount,
    m.net_revenue_minor
from (
    select
        o.source,
        o.account,
        o.customer_key,
        o.order_month,
        o.currency,
        min(o.order_month) over (
            partition by o.source, o.account, o.customer_key, o.currency
        ) as cohort_month,
        o.minor_unit_exponent,
        o.gives_money,
        o.orders_recognised,
        o.orders_without_amount,
        o.net_revenue_minor
    from (
        select
            c.source,
            c.account,
            c.customer_key,
            c.order_month,
            c.currency,
            cast(max(c.minor_unit_exponent) as integer) as minor_unit_exponent,
            bool_or(c.gives_money) as gives_money,
            cast(count(*) as bigint) as orders_recognised,
            cast(count(*) filter (where c.net_minor is null) as bigint) as orders_without_amount,
            case when bool_or(c.gives_money) then cast(coalesce(sum(c.net_minor), 0) as bigint) end
                as net_revenue_minor
        from core.customer_orders as c
        group by c.source, c.account, c.customer_key, c.order_month, c.currency
    ) as o
) as m
