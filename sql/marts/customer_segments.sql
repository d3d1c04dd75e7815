/*
description: >
  Every customer with a recognised order, by recency, frequency and monetary value against the other
  customers of the same account and currency, as of the end of the account's coverage. Customers with
  equal values have equal scores, so fifths need not be of equal size.
grain: [source, account, customer_key, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  customer_key: Customer id of the source.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then nothing on value is known.
  as_of_date: Local day on which the account's coverage ends; NULL while nothing is proven.
  first_order_date: Business date of the first recognised order.
  last_order_date: Business date of the last.
  orders_recognised: Recognised orders so far.
  net_revenue_minor: Their amounts after discounts, minor units.
  days_since_last_order: Days from the last order to as_of_date.
  median_gap_days: Middle number of days between two orders in a row; NULL below two orders.
  recency_score: 1 (longest ago) to 5 (most recent fifth), by the last order's date.
  frequency_score: 1 to 5 (most orders).
  monetary_score: 1 to 5 (highest net revenue); NULL where the source knows no money.
  segment: Name for recency and frequency together; docs/marts/customers.md has the table.
  churn_after_days: Days without an order after which the customer counts as gone; twice the median gap, at least 90.
  is_churned: True when as_of_date is further than that from the last order; NULL without as_of_date.
  is_top_decile: True for the tenth of customers (rounded up) with the highest net revenue; NULL where the source knows no money.
  top_decile_share: Net revenue of these over that of all customers of the account and currency; the same in each of their rows.
checks:
  - unique: [source, account, customer_key, currency]
  - accepted_values: {segment: [champions, loyal, new, promising, needs_attention, cannot_lose, at_risk, hibernating, lost]}
metrics:
  customer_recency_score: {column: recency_score, version: 1, counts: customers with a recognised order, holds: "recency_score between 1 and 5", example: {is: 1, where: "customer_key = 'cust_1'"}}
  customer_frequency_score: {column: frequency_score, version: 1, counts: customers with a recognised order, holds: "frequency_score between 1 and 5", example: {is: 3, where: "customer_key = 'cust_1'"}}
  customer_monetary_score: {column: monetary_score, version: 1, counts: customers with a recognised order, holds: "monetary_score is null or (gives_money and monetary_score between 1 and 5)", example: {is: 1, where: "customer_key = 'cust_1'"}}
  top_decile_share: {column: top_decile_share, version: 1, counts: customers with a recognised order, holds: "top_decile_share is null or gives_money", example: {is: 0.9124, where: "customer_key = 'cust_1'"}}
*/
select
    s.source,
    s.account,
    s.customer_key,
    s.currency,
    s.minor_unit_exponent,
    s.gives_money,
    s.as_of_date,
    s.first_order_date,
    s.last_order_date,
    s.orders_recognised,
    s.net_revenue_minor,
    s.days_since_last_order,
    s.median_gap_days,
    s.recency_score,
    s.frequency_score,
    s.monetary_score,
    case
        when s.recency_score >= 4 and s.frequency_score >= 4 then 'champions'
        when s.recency_score >= 4 and s.orders_recognised = 1 then 'new'
        when s.recency_score >= 3 and s.frequency_score >= 3 then 'loyal'
        when s.recency_score >= 4 then 'promising'
        when s.recency_score = 3 then 'needs_attention'
        when s.recency_score = 1 and s.frequency_score >= 4 then 'cannot_lose'
        when s.frequency_score >= 3 then 'at_risk'
        when s.recency_score = 2 then 'hibernating'
        else 'lost'
    end as segment,
    s.churn_after_days,
    s.days_since_last_order > s.churn_after_days as is_churned,
    case when s.gives_money then s.is_top end as is_top_decile,
    cast(sum(case when s.is_top then s.net_revenue_minor end) over (
        partition by s.source, s.account, s.currency
    ) as double) / nullif(cast(sum(s.net_revenue_minor) over (
        partition by s.source, s.account, s.currency
    ) as double), 0) as top_decile_share
from (
    select
        c.source,
        c.account,
        c.customer_key,
        c.currency,
        c.minor_unit_exponent,
        c.gives_money,
        d.as_of_date,
        c.first_order_date,
        c.last_order_date,
        c.orders_recognised,
        c.net_revenue_minor,
        cast(date_diff('day', c.last_order_date, d.as_of_date) as bigint) as days_since_last_order,
        c.median_gap_days,
        cast(1 + 5 * (rank() over (
            partition by c.source, c.account, c.currency order by c.last_order_date
        ) - 1) // count(*) over (partition by c.source, c.account, c.currency) as bigint) as recency_score,
        cast(1 + 5 * (rank() over (
            partition by c.source, c.account, c.currency order by c.orders_recognised
        ) - 1) // count(*) over (partition by c.source, c.account, c.currency) as bigint) as frequency_score,
        case
            when c.gives_money then cast(1 + 5 * (rank() over (
                partition by c.source, c.account, c.currency order by c.net_revenue_minor
            ) - 1) // count(*) over (partition by c.source, c.account, c.currency) as bigint)
        end as monetary_score,
        10 * (row_number() over (
            partition by c.source, c.account, c.currency order by c.net_revenue_minor desc, c.customer_key
        ) - 1) < count(*) over (partition by c.source, c.account, c.currency) as is_top,
        case
            when c.median_gap_days > 45 then cast(2 * c.median_gap_days as bigint)
            else cast(90 as bigint)
        end as churn_after_days
    from marts.customers as c
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
    ) as d on d.source = c.source and d.account = c.account
    where c.orders_recognised > 0
) as s
