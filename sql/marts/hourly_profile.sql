/*
description: >
  When customers buy: a month's orders and revenue by weekday and local hour, with the number of such
  weekdays that the account has history for, so that averages count days without a sale too. Orders
  with a date alone have no hour and are left out.
grain: [source, account, order_month, weekday, order_hour, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_month: First day of the month.
  weekday: 1 for Monday to 7 for Sunday.
  order_hour: Local hour, 0 to 23.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  days: Such weekdays of the month between the account's first and last business date.
  orders_placed: Orders of the cell, test orders excluded.
  orders_recognised: Of these, orders whose status counts as revenue.
  net_revenue_minor: Recognised revenue after discounts.
  orders_recognised_per_day: Recognised orders over days.
  net_revenue_minor_per_day: Net revenue over days, minor units.
  orders_share: Recognised orders over those of the month in this currency whose hour is known.
checks:
  - unique: [source, account, order_month, weekday, order_hour, currency]
  - not_null: [order_month, weekday, order_hour, currency, days, orders_placed]
  - formula: {name: weekdays_and_hours_exist, holds: "weekday between 1 and 7 and order_hour between 0 and 23 and days between 1 and 5"}
metrics:
  orders_per_weekday_hour: {column: orders_recognised_per_day, version: 1, counts: recognised orders whose hour is known, holds: "orders_recognised_per_day >= 0", example: {is: 1, where: "order_month = '2026-03-01' and weekday = 2 and order_hour = 0"}}
  net_revenue_per_weekday_hour: {column: net_revenue_minor_per_day, version: 1, counts: recognised orders whose hour is known, holds: "net_revenue_minor_per_day is null or gives_money", example: {is: 64440, where: "order_month = '2026-03-01' and weekday = 2 and order_hour = 0"}}
*/
select
    h.source,
    h.account,
    h.order_month,
    h.weekday,
    h.order_hour,
    h.currency,
    h.minor_unit_exponent,
    h.gives_money,
    d.days,
    h.orders_placed,
    h.orders_recognised,
    h.net_revenue_minor,
    cast(h.orders_recognised as double) / nullif(d.days, 0) as orders_recognised_per_day,
    cast(h.net_revenue_minor as double) / nullif(d.days, 0) as net_revenue_minor_per_day,
    cast(h.orders_recognised as double)
        / nullif(sum(h.orders_recognised) over (partition by h.source, h.account, h.order_month, h.currency), 0) as orders_share
from (
    select
        r.source,
        r.account,
        cast(date_trunc('month', r.order_date) as date) as order_month,
        cast(date_diff('day', cast(date_trunc('week', r.order_date) as date), r.order_date) + 1 as integer) as weekday,
        r.order_hour,
        r.currency,
        cast(max(r.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(r.gives_money) as gives_money,
        cast(sum(r.orders_placed) as bigint) as orders_placed,
        cast(sum(r.orders_recognised) as bigint) as orders_recognised,
        cast(sum(r.net_revenue_minor) as bigint) as net_revenue_minor
    from marts.hourly_revenue as r
    where r.order_hour is not null
    group by
        r.source,
        r.account,
        cast(date_trunc('month', r.order_date) as date),
        cast(date_diff('day', cast(date_trunc('week', r.order_date) as date), r.order_date) + 1 as integer),
        r.order_hour,
        r.currency
) as h
inner join (
    select
        g.source,
        g.account,
        cast(date_trunc('month', g.day) as date) as order_month,
        cast(date_diff('day', cast(date_trunc('week', g.day) as date), g.day) + 1 as integer) as weekday,
        cast(count(*) as bigint) as days
    from (
        select
            f.source,
            f.account,
            cast(f.day_at as date) as day
        from (
            select
                b.source,
                b.account,
                unnest(generate_series(b.first_date, b.last_date, interval '1' day)) as day_at
            from (
                select
                    m.source,
                    m.account,
                    min(m.order_date) as first_date,
                    max(m.order_date) as last_date
                from marts.hourly_revenue as m
                group by m.source, m.account
            ) as b
        ) as f
    ) as g
    group by
        g.source,
        g.account,
        cast(date_trunc('month', g.day) as date),
        cast(date_diff('day', cast(date_trunc('week', g.day) as date), g.day) + 1 as integer)
) as d
    on d.source = h.source and d.account = h.account and d.order_month = h.order_month and d.weekday = h.weekday
