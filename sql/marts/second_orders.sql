/*
description: >
  Who came back, by cohort: how many customers placed a second recognised order in the same currency,
  and how soon. Customers without one are not lost but still waiting: shares count only customers who
  were followed for the whole time, and the Kaplan-Meier estimates use all for as long as they were.
grain: [source, account, cohort_month, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  cohort_month: First day of the month of the first orders, in the account's time zone.
  currency: ISO 4217 code.
  as_of_date: Local day on which the account's coverage ends, to which customers are followed; NULL while nothing is proven.
  customers: Customers of the cohort.
  customers_with_second: Of these, customers with a second order.
  second_by_rebill: Of these, customers whose second order a subscription placed by itself; NULL where the source does not say.
  customers_waiting: Customers of the cohort without one so far.
  median_days_to_second: Middle number of days to the second order among those who placed one; the lower one of two. Too short for a young cohort.
  followed_30: Customers whose first order was at least 30 days before as_of_date.
  second_within_30: Of these, customers with a second order within 30 days.
  share_within_30: Those over these; NULL when nobody was followed for so long.
  followed_60: Customers whose first order was at least 60 days before as_of_date.
  second_within_60: Of these, customers with a second order within 60 days.
  share_within_60: Those over these; NULL when nobody was followed for so long.
  followed_90: Customers whose first order was at least 90 days before as_of_date.
  second_within_90: Of these, customers with a second order within 90 days.
  share_within_90: Those over these; NULL when nobody was followed for so long.
  estimated_share_30: Kaplan-Meier estimate of the share with a second order within 30 days; NULL when nobody was followed for so long.
  estimated_share_60: The same for 60 days.
  estimated_share_90: The same for 90 days.
  estimated_median_days: Days by which half of the cohort has a second order, by the same estimate; NULL while fewer than half have.
checks:
  - unique: [source, account, cohort_month, currency]
  - formula: {name: customers_and_shares_are_possible, holds: "customers_with_second + customers_waiting = customers and followed_90 <= followed_60 and followed_60 <= followed_30 and followed_30 <= customers and coalesce(share_within_30, 0) between 0 and 1 and coalesce(estimated_share_30, 0) between 0 and 1 and coalesce(estimated_share_30 <= estimated_share_60, true) and coalesce(estimated_share_60 <= estimated_share_90, true)"}
metrics:
  customers_with_second_order: {column: customers_with_second, version: 1, counts: customers of the cohort, holds: "customers_with_second + customers_waiting = customers", example: {is: 1, where: "cohort_month = '2026-03-01'"}}
  median_days_to_second_order: {column: median_days_to_second, version: 1, counts: customers of the cohort with a second order, holds: "(median_days_to_second is not null) = (customers_with_second > 0)", example: {is: 1, where: "cohort_month = '2026-03-01'"}, differs: "Too short for a young cohort: who has not come back yet is not in it."}
  second_order_share_30_days: {column: share_within_30, version: 1, counts: customers followed for 30 days, holds: "share_within_30 between 0 and 1", example: {is: null, where: "cohort_month = '2026-03-01'"}}
  second_order_share_90_days: {column: share_within_90, version: 1, counts: customers followed for 90 days, holds: "share_within_90 between 0 and 1", example: {is: null, where: "cohort_month = '2026-03-01'"}}
  second_order_estimate_90_days: {column: estimated_share_90, version: 1, counts: "all customers of the cohort, each for as long as followed", holds: "estimated_share_90 between 0 and 1", example: {is: null, where: "cohort_month = '2026-03-01'"}}
*/
with followed as (
    select
        c.source,
        c.account,
        c.cohort_month,
        c.currency,
        d.as_of_date,
        c.second_order_date is not null as has_second,
        c.second_order_kind,
        date_diff('day', c.first_order_date, c.second_order_date) as days_to_second,
        date_diff('day', c.first_order_date, d.as_of_date) as days_followed,
        row_number() over (
            partition by c.source, c.account, c.cohort_month, c.currency
            order by date_diff('day', c.first_order_date, c.second_order_date) nulls last
        ) as second_rank
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
),

follow_up as (
    select
        t.source,
        t.account,
        t.cohort_month,
        t.currency,
        t.days,
        t.returned,
        sum(t.customers) over (
            partition by t.source, t.account, t.cohort_month, t.currency
            order by t.days rows between current row and unbounded following
        ) as at_risk
    from (
        select
            f.source,
            f.account,
            f.cohort_month,
            f.currency,
            case when f.has_second then f.days_to_second else f.days_followed end as days,
            count(*) as customers,
            count(*) filter (where f.has_second) as returned
        from followed as f
        where f.as_of_date is not null
        group by
            f.source, f.account, f.cohort_month, f.currency,
            case when f.has_second then f.days_to_second else f.days_followed end
    ) as t
),

survival as (
    select
        y.source,
        y.account,
        y.cohort_month,
        y.currency,
        y.days,
        -- A product as a sum of logarithms; once nobody is left it is zero.
        case
            when max(case when y.returned = y.at_risk then 1 else 0 end) over (
                partition by y.source, y.account, y.cohort_month, y.currency
                order by y.days rows between unbounded preceding and current row
            ) = 1 then cast(0 as double)
            else exp(sum(ln(nullif(cast(y.at_risk - y.returned as double) / cast(y.at_risk as double), 0))) over (
                partition by y.source, y.account, y.cohort_month, y.currency
                order by y.days rows between unbounded preceding and current row
            ))
        end as still_waiting
    from follow_up as y
),

estimates as (
    select
        s.source,
        s.account,
        s.cohort_month,
        s.currency,
        case
            when max(s.days) >= 30 or min(s.still_waiting) = 0
                then 1 - coalesce(min(s.still_waiting) filter (where s.days <= 30), cast(1 as double))
        end as estimated_share_30,
        case
            when max(s.days) >= 60 or min(s.still_waiting) = 0
                then 1 - coalesce(min(s.still_waiting) filter (where s.days <= 60), cast(1 as double))
        end as estimated_share_60,
        case
            when max(s.days) >= 90 or min(s.still_waiting) = 0
                then 1 - coalesce(min(s.still_waiting) filter (where s.days <= 90), cast(1 as double))
        end as estimated_share_90,
        -- Half, but for the rounding of logarithms.
        cast(min(s.days) filter (where s.still_waiting < cast(0.500000001 as double)) as bigint) as estimated_median_days
    from survival as s
    group by s.source, s.account, s.cohort_month, s.currency
),

counted as (
    select
        f.source,
        f.account,
        f.cohort_month,
        f.currency,
        max(f.as_of_date) as as_of_date,
        cast(count(*) as bigint) as customers,
        cast(count(*) filter (where f.has_second) as bigint) as customers_with_second,
        case
            when count(f.second_order_kind) > 0
                then cast(count(*) filter (where f.second_order_kind = 'rebill') as bigint)
        end as second_by_rebill,
        cast(count(*) filter (where f.days_followed >= 30) as bigint) as followed_30,
        cast(count(*) filter (where f.days_followed >= 30 and f.days_to_second <= 30) as bigint) as second_within_30,
        cast(count(*) filter (where f.days_followed >= 60) as bigint) as followed_60,
        cast(count(*) filter (where f.days_followed >= 60 and f.days_to_second <= 60) as bigint) as second_within_60,
        cast(count(*) filter (where f.days_followed >= 90) as bigint) as followed_90,
        cast(count(*) filter (where f.days_followed >= 90 and f.days_to_second <= 90) as bigint) as second_within_90
    from followed as f
    group by f.source, f.account, f.cohort_month, f.currency
),

medians as (
    select
        f.source,
        f.account,
        f.cohort_month,
        f.currency,
        cast(min(f.days_to_second) as bigint) as median_days_to_second
    from followed as f
    inner join counted as n
        on n.source = f.source and n.account = f.account
        and n.cohort_month = f.cohort_month and n.currency = f.currency
    where 2 * f.second_rank >= n.customers_with_second
    group by f.source, f.account, f.cohort_month, f.currency
)

select
    c.source,
    c.account,
    c.cohort_month,
    c.currency,
    c.as_of_date,
    c.customers,
    c.customers_with_second,
    c.second_by_rebill,
    c.customers - c.customers_with_second as customers_waiting,
    m.median_days_to_second,
    c.followed_30,
    c.second_within_30,
    cast(c.second_within_30 as double) / nullif(c.followed_30, 0) as share_within_30,
    c.followed_60,
    c.second_within_60,
    cast(c.second_within_60 as double) / nullif(c.followed_60, 0) as share_within_60,
    c.followed_90,
    c.second_within_90,
    cast(c.second_within_90 as double) / nullif(c.followed_90, 0) as share_within_90,
    e.estimated_share_30,
    e.estimated_share_60,
    e.estimated_share_90,
    e.estimated_median_days
from counted as c
left join medians as m
    on m.source = c.source and m.account = c.account
    and m.cohort_month = c.cohort_month and m.currency = c.currency
left join estimates as e
    on e.source = c.source and e.account = c.account
    and e.cohort_month = c.cohort_month and e.currency = c.currency
