/*
description: >
  What each cohort did per month: one row per cohort and month in which anybody of it bought. A cohort
  are the customers of a currency whose first recognised order in it fell into the month. Months
  without an order and ratios are in marts.customer_cohort_grid.
grain: [source, account, cohort_month, month_number, currency]
refresh_key: cohort_month
columns:
  source: Kind of API.
  account: Configured account.
  cohort_month: First day of the month of the cohort's first orders, in the account's time zone.
  month_number: Months since then; 0 for the cohort's own month.
  order_month: First day of the month of the orders.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  customers: Customers of the cohort; the same in all its months.
  active_customers: Of these, customers with an order in the month. Not additive over months.
  orders_recognised: Orders of the cohort in the month.
  cumulative_orders: Orders of the cohort up to this month.
  net_revenue_minor: Amount of the month's orders after discounts.
  cumulative_net_minor: Amount after discounts up to this month.
checks:
  - unique: [source, account, cohort_month, month_number, currency]
  - not_null: [cohort_month, month_number, currency, gives_money, customers, active_customers]
  - formula: {name: month_0_is_complete, holds: "active_customers <= customers and (month_number > 0 or active_customers = customers)"}
  - formula: {name: active_customers_have_orders, holds: "active_customers >= 1 and orders_recognised >= active_customers and cumulative_orders >= orders_recognised"}
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money and (cumulative_net_minor is not null) = gives_money"}
  - formula: {name: month_0_begins_the_sum, holds: "month_number > 0 or (cumulative_orders = orders_recognised and cumulative_net_minor is not distinct from net_revenue_minor)"}
metrics:
  cohort_customers: {column: customers, version: 1, counts: customers by the month of their first recognised order, holds: "customers >= active_customers", example: {is: 2, where: "cohort_month = '2026-03-01' and month_number = 0"}}
  cohort_active_customers: {column: active_customers, version: 1, counts: customers of the cohort with a recognised order in the month, holds: "month_number > 0 or active_customers = customers", example: {is: 2, where: "cohort_month = '2026-03-01' and month_number = 0"}}
  cohort_net_revenue: {column: net_revenue_minor, version: 1, counts: recognised orders of the cohort in the month, holds: "(net_revenue_minor is not null) = gives_money", example: {is: 70627, where: "cohort_month = '2026-03-01' and month_number = 0"}}
*/
select
    c.source,
    c.account,
    c.cohort_month,
    c.month_number,
    c.order_month,
    c.currency,
    c.minor_unit_exponent,
    c.gives_money,
    cast(max(case when c.month_number = 0 then c.active_customers end) over (
        partition by c.source, c.account, c.currency, c.cohort_month
    ) as bigint) as customers,
    c.active_customers,
    c.orders_recognised,
    cast(sum(c.orders_recognised) over (
        partition by c.source, c.account, c.currency, c.cohort_month
        order by c.month_number rows between unbounded preceding and current row
    ) as bigint) as cumulative_orders,
    c.net_revenue_minor,
    cast(sum(c.net_revenue_minor) over (
        partition by c.source, c.account, c.currency, c.cohort_month
        order by c.month_number rows between unbounded preceding and current row
    ) as bigint) as cumulative_net_minor
from (
    select
        m.source,
        m.account,
        m.cohort_month,
        m.month_number,
        m.order_month,
        m.currency,
        cast(max(m.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(m.gives_money) as gives_money,
        -- A customer has one row per month and currency.
        cast(count(*) as bigint) as active_customers,
        cast(sum(m.orders_recognised) as bigint) as orders_recognised,
        cast(sum(m.net_revenue_minor) as bigint) as net_revenue_minor
    from core.customer_months as m
    group by m.source, m.account, m.cohort_month, m.month_number, m.order_month, m.currency
) as c
