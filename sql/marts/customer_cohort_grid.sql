/*
description: >
  Every cohort in every month from its own to the end of the account's coverage, with retention and
  lifetime value so far: what a person reads. Months without an order are zero.
grain: [source, account, cohort_month, month_number, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  cohort_month: First day of the month of the cohort's first orders, in the account's time zone.
  month_number: Months since then; 0 for the cohort's own month.
  order_month: First day of the month of the orders.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  as_of_date: Local day on which the account's coverage ends; NULL while nothing is proven.
  is_partial_month: True while the month is not over at the end of coverage, so that its figures still grow; NULL without as_of_date.
  is_partial_cohort: True while the cohort's own month is not over, so that customers still join it; NULL without as_of_date.
  customers: Customers of the cohort.
  active_customers: Of these, customers with an order in the month.
  orders_recognised: Orders of the cohort in the month.
  cumulative_orders: Orders of the cohort up to this month.
  net_revenue_minor: Amount of the month's orders after discounts.
  cumulative_net_minor: Amount after discounts up to this month.
  retention: Active customers over customers of the cohort; 1 in month 0.
  revenue_retention: Net revenue over that of month 0; NULL when that is nothing.
  orders_per_active_customer: Orders over active customers; NULL when there is none.
  ltv_minor: Lifetime value so far, cumulative net revenue over customers of the cohort, minor units with a fraction.
checks:
  - unique: [source, account, cohort_month, month_number, currency]
  - not_null: [cohort_month, month_number, currency, customers, active_customers, retention]
  - formula: {name: nobody_is_retained_twice, holds: "retention between 0 and 1 and (month_number > 0 or retention = 1)"}
metrics:
  cohort_retention: {column: retention, version: 1, counts: customers of the cohort, holds: "retention between 0 and 1", example: {is: 1, where: "cohort_month = '2026-03-01' and month_number = 0"}}
  cohort_revenue_retention: {column: revenue_retention, version: 1, counts: recognised orders of the cohort, holds: "revenue_retention is null or gives_money", example: {is: 1, where: "cohort_month = '2026-03-01' and month_number = 0"}}
  cohort_lifetime_value: {column: ltv_minor, version: 1, counts: recognised orders of the cohort up to the month, holds: "ltv_minor is null or gives_money", example: {is: 35313.5, where: "cohort_month = '2026-03-01' and month_number = 0"}, differs: "What was bought so far; nothing is predicted."}
*/
select
    f.source,
    f.account,
    f.cohort_month,
    f.month_number,
    f.order_month,
    f.currency,
    f.minor_unit_exponent,
    f.gives_money,
    f.as_of_date,
    cast(f.order_month + interval '1' month as date) > f.as_of_date as is_partial_month,
    cast(f.cohort_month + interval '1' month as date) > f.as_of_date as is_partial_cohort,
    f.customers,
    f.active_customers,
    f.orders_recognised,
    f.cumulative_orders,
    f.net_revenue_minor,
    f.cumulative_net_minor,
    cast(f.active_customers as double) / f.customers as retention,
    cast(f.net_revenue_minor as double) / nullif(f.first_net_minor, 0) as revenue_retention,
    cast(f.orders_recognised as double) / nullif(f.active_customers, 0) as orders_per_active_customer,
    cast(f.cumulative_net_minor as double) / f.customers as ltv_minor
from (
    select
        g.source,
        g.account,
        g.cohort_month,
        g.month_number,
        g.order_month,
        g.currency,
        g.minor_unit_exponent,
        g.gives_money,
        g.as_of_date,
        g.customers,
        g.first_net_minor,
        coalesce(k.active_customers, cast(0 as bigint)) as active_customers,
        coalesce(k.orders_recognised, cast(0 as bigint)) as orders_recognised,
        cast(sum(coalesce(k.orders_recognised, cast(0 as bigint))) over (
            partition by g.source, g.account, g.currency, g.cohort_month
            order by g.month_number rows between unbounded preceding and current row
        ) as bigint) as cumulative_orders,
        case when g.gives_money then coalesce(k.net_revenue_minor, cast(0 as bigint)) end as net_revenue_minor,
        case
            when g.gives_money then cast(sum(coalesce(k.net_revenue_minor, cast(0 as bigint))) over (
                partition by g.source, g.account, g.currency, g.cohort_month
                order by g.month_number rows between unbounded preceding and current row
            ) as bigint)
        end as cumulative_net_minor
    from (
        select
            e.source,
            e.account,
            e.cohort_month,
            e.currency,
            e.minor_unit_exponent,
            e.gives_money,
            e.as_of_date,
            e.customers,
            e.first_net_minor,
            cast(e.month_start as date) as order_month,
            cast(row_number() over (
                partition by e.source, e.account, e.currency, e.cohort_month order by e.month_start
            ) - 1 as bigint) as month_number
        from (
            select
                c.source,
                c.account,
                c.cohort_month,
                c.currency,
                c.minor_unit_exponent,
                c.gives_money,
                l.as_of_date,
                c.customers,
                c.net_revenue_minor as first_net_minor,
                unnest(generate_series(c.cohort_month, l.last_month, interval '1' month)) as month_start
            from marts.customer_cohorts as c
            inner join (
                select
                    n.source,
                    n.account,
                    d.as_of_date,
                    -- An order may carry a date after the end of coverage.
                    case
                        when d.as_of_date >= n.last_order_month then cast(date_trunc('month', d.as_of_date) as date)
                        else n.last_order_month
                    end as last_month
                from (
                    select o.source, o.account, max(o.order_month) as last_order_month
                    from marts.customer_cohorts as o
                    group by o.source, o.account
                ) as n
                left join (
                    select
                        p.source,
                        p.account,
                        cast(p.covered_to at time zone a.time_zone as date) as as_of_date
                    from (
                        select v.source, v.account, max(v.covered_to) as covered_to
                        from ops.coverage as v
                        group by v.source, v.account
                    ) as p
                    inner join ops.accounts as a on a.source = p.source and a.account = p.account
                ) as d on d.source = n.source and d.account = n.account
            ) as l on l.source = c.source and l.account = c.account
            where c.month_number = 0
        ) as e
    ) as g
    left join marts.customer_cohorts as k
        on k.source = g.source and k.account = g.account and k.currency = g.currency
        and k.cohort_month = g.cohort_month and k.month_number = g.month_number
) as f
