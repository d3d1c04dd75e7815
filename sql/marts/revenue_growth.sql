/*
description: >
  Revenue of each day, week, month, quarter and year beside the period before it and the same one a
  year ago. Periods without a sale are there with zero. A year ago is 364 days for days and weeks, so
  that weekdays meet. Growth means nothing where one of the two periods is partial. Rolling sums stand
  in marts.daily_summary.
grain: [source, account, currency, period, period_start]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  currency: ISO 4217 code.
  period: day, week (from Monday), month, quarter or year.
  period_start: First local day of the period.
  period_end: Last local day of the period.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  is_partial: True when the account's history does not span the whole period, at its first or its newest end.
  orders_recognised: Recognised orders, test orders excluded.
  gross_revenue_minor: Their amount before discounts.
  net_revenue_minor: Their amount after discounts.
  previous_net_revenue_minor: Net revenue of the period before; NULL before the account's first.
  previous_is_partial: True when that period is partial; NULL when there is none.
  net_revenue_growth: Net revenue over that of the period before, less 1; NULL when there is nothing to divide by.
  orders_recognised_growth: The same of recognised orders.
  year_ago_net_revenue_minor: Net revenue of the period a year ago; NULL before the account's first.
  year_ago_is_partial: True when that period is partial; NULL when there is none.
  net_revenue_growth_year: Net revenue over that of the period a year ago, less 1.
checks:
  - unique: [source, account, currency, period, period_start]
  - not_null: [currency, period, period_start, period_end, is_partial, gives_money, orders_recognised]
  - accepted_values: {period: [day, week, month, quarter, year]}
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money and (gross_revenue_minor is not null) = gives_money"}
metrics:
  net_revenue_growth: {column: net_revenue_growth, version: 1, counts: recognised orders, holds: "net_revenue_growth is null or gives_money", example: {is: 57.50042, where: "period = 'day' and period_start = '2026-03-03'"}}
  recognised_orders_growth: {column: orders_recognised_growth, version: 1, counts: recognised orders, holds: "orders_recognised_growth >= -1", example: {is: 1, where: "period = 'day' and period_start = '2026-03-03'"}}
  net_revenue_growth_on_year: {column: net_revenue_growth_year, version: 1, counts: recognised orders, holds: "net_revenue_growth_year is null or gives_money", example: {is: null, where: "period = 'day' and period_start = '2026-03-03'"}}
*/
with totals as (
    select
        g.source,
        g.account,
        g.currency,
        g.period,
        g.period_start,
        cast(max(g.last_day) as date) as period_end,
        cast(max(r.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(g.gives_money) as gives_money,
        min(g.first_date) > g.period_start or max(g.through_date) < max(g.last_day) as is_partial,
        cast(coalesce(sum(r.orders_recognised), 0) as bigint) as orders_recognised,
        case when bool_or(g.gives_money) then cast(coalesce(sum(r.gross_revenue_minor), 0) as bigint) end as gross_revenue_minor,
        case when bool_or(g.gives_money) then cast(coalesce(sum(r.net_revenue_minor), 0) as bigint) end as net_revenue_minor
    from (
        select
            c.source,
            c.account,
            c.currency,
            c.gives_money,
            c.first_date,
            c.through_date,
            c.day,
            p.period,
            case p.period
                when 'day' then c.day
                when 'week' then cast(date_trunc('week', c.day) as date)
                when 'month' then cast(date_trunc('month', c.day) as date)
                when 'quarter' then cast(date_trunc('quarter', c.day) as date)
                else cast(date_trunc('year', c.day) as date)
            end as period_start,
            case p.period
                when 'day' then c.day
                when 'week' then cast(cast(date_trunc('week', c.day) as date) + interval '6' day as date)
                when 'month' then cast(cast(cast(date_trunc('month', c.day) as date) + interval '1' month as date) - interval '1' day as date)
                when 'quarter' then cast(cast(cast(date_trunc('quarter', c.day) as date) + interval '3' month as date) - interval '1' day as date)
                else cast(cast(cast(date_trunc('year', c.day) as date) + interval '12' month as date) - interval '1' day as date)
            end as last_day
        from (
            select
                d.source,
                d.account,
                d.currency,
                d.gives_money,
                d.first_date,
                d.through_date,
                cast(d.day_at as date) as day
            from (
                select
                    k.source,
                    k.account,
                    k.currency,
                    k.gives_money,
                    a.first_date,
                    a.through_date,
                    unnest(generate_series(
                        a.first_date,
                        case when a.last_date > a.through_date then a.last_date else a.through_date end,
                        interval '1' day
                    )) as day_at
                from (
                    select
                        m.source,
                        m.account,
                        m.currency,
                        bool_or(m.gives_money) as gives_money
                    from marts.daily_revenue as m
                    group by m.source, m.account, m.currency
                ) as k
                inner join (
                    select
                        n.source,
                        n.account,
                        n.first_date,
                        n.last_date,
                        -- The day of the covered end is not over.
                        coalesce(cast(e.covered_date - interval '1' day as date), n.last_date) as through_date
                    from (
                        select
                            b.source,
                            b.account,
                            min(b.order_date) as first_date,
                            max(b.order_date) as last_date
                        from marts.daily_revenue as b
                        group by b.source, b.account
                    ) as n
                    left join (
                        select
                            v.source,
                            v.account,
                            cast(max(v.covered_to) at time zone coalesce(max(t.time_zone), 'UTC') as date) as covered_date
                        from ops.coverage as v
                        left join ops.accounts as t on t.source = v.source and t.account = v.account
                        group by v.source, v.account
                    ) as e
                        on e.source = n.source and e.account = n.account
                ) as a
                    on a.source = k.source and a.account = k.account
            ) as d
        ) as c
        cross join (
            select 'day' as period
            union all
            select 'week' as period
            union all
            select 'month' as period
            union all
            select 'quarter' as period
            union all
            select 'year' as period
        ) as p
    ) as g
    left join marts.daily_revenue as r
        on r.source = g.source and r.account = g.account and r.currency = g.currency and r.order_date = g.day
    group by g.source, g.account, g.currency, g.period, g.period_start
)
select
    n.source,
    n.account,
    n.currency,
    n.period,
    n.period_start,
    n.period_end,
    n.minor_unit_exponent,
    n.gives_money,
    n.is_partial,
    n.orders_recognised,
    n.gross_revenue_minor,
    n.net_revenue_minor,
    b.net_revenue_minor as previous_net_revenue_minor,
    b.is_partial as previous_is_partial,
    cast(n.net_revenue_minor as double) / nullif(b.net_revenue_minor, 0) - 1 as net_revenue_growth,
    cast(n.orders_recognised as double) / nullif(b.orders_recognised, 0) - 1 as orders_recognised_growth,
    y.net_revenue_minor as year_ago_net_revenue_minor,
    y.is_partial as year_ago_is_partial,
    cast(n.net_revenue_minor as double) / nullif(y.net_revenue_minor, 0) - 1 as net_revenue_growth_year
from totals as n
left join totals as b
    on b.source = n.source and b.account = n.account and b.currency = n.currency and b.period = n.period
    and b.period_end = cast(n.period_start - interval '1' day as date)
left join totals as y
    on y.source = n.source and y.account = n.account and y.currency = n.currency and y.period = n.period
    and y.period_start = case
        when n.period in ('day', 'week') then cast(n.period_start - interval '364' day as date)
        else cast(n.period_start - interval '12' month as date)
    end
