/*
description: >
  Every local day of every account, from the first business date of the warehouse to the end of the
  year of the last. Join it by (source, account, order_date) to see days without a sale, too.
grain: [source, account, order_date]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_date: The local day.
  week_start: Monday of its ISO week.
  iso_year: Year that the ISO week belongs to; that of its Thursday.
  iso_week: Number of the ISO week, 1 to 53.
  month_start: First day of its month.
  quarter_start: First day of its quarter.
  year_start: First day of its year.
  day_of_month: 1 to 31.
  month: 1 to 12.
  quarter: 1 to 4.
  year: Calendar year.
  weekday: 1 for Monday to 7 for Sunday.
  is_weekend: True for Saturday and Sunday.
  is_holiday: >
    True for a public holiday of the account's region (setting holidays); NULL where none are known
    of the year.
  holiday: What is celebrated, in English where it is translated; NULL on other days.
  hours: Hours of the local day in the account's time zone; 23 or 25 when clocks change, 24 else.
checks:
  - unique: [source, account, order_date]
  - not_null: [order_date, week_start, iso_year, iso_week, weekday, is_weekend, hours]
  - formula: {name: weekday_counts_from_monday, holds: "weekday between 1 and 7 and is_weekend = (weekday >= 6)"}
  - formula: {name: a_holiday_has_a_name, holds: "coalesce(is_holiday, false) = (holiday is not null)"}
  - formula: {name: a_day_has_about_24_hours, holds: "hours between 22 and 26", severity: warn}
*/
select
    a.source,
    a.account,
    d.order_date,
    d.week_start,
    cast(extract(year from cast(d.week_start + interval '3' day as date)) as integer) as iso_year,
    cast(extract(week from d.order_date) as integer) as iso_week,
    cast(date_trunc('month', d.order_date) as date) as month_start,
    cast(date_trunc('quarter', d.order_date) as date) as quarter_start,
    cast(date_trunc('year', d.order_date) as date) as year_start,
    cast(extract(day from d.order_date) as integer) as day_of_month,
    cast(extract(month from d.order_date) as integer) as month,
    cast(extract(quarter from d.order_date) as integer) as quarter,
    cast(extract(year from d.order_date) as integer) as year,
    cast(date_diff('day', d.week_start, d.order_date) + 1 as integer) as weekday,
    date_diff('day', d.week_start, d.order_date) >= 5 as is_weekend,
    case when y.year is not null then h.holiday is not null end as is_holiday,
    h.holiday,
    z.hours
from (
    select
        s.order_date,
        cast(date_trunc('week', s.order_date) as date) as week_start
    from (
        select cast(g.day_at as date) as order_date
        from (
            select unnest(generate_series(
                b.first_date,
                cast(cast(cast(date_trunc('year', b.last_date) as date) + interval '12' month as date) - interval '1' day as date),
                interval '1' day
            )) as day_at
            from (
                select
                    min(r.order_date) as first_date,
                    max(r.order_date) as last_date
                from marts.daily_revenue as r
            ) as b
        ) as g
    ) as s
) as d
cross join ops.accounts as a
inner join (
    -- Half hours of UTC, counted by the local day they fall on: clocks change by whole or half hours.
    select
        h.time_zone,
        h.order_date,
        cast(count(*) * cast(0.5 as decimal(2, 1)) as decimal(3, 1)) as hours
    from (
        select
            t.time_zone,
            cast(cast(
                cast(u.utc_day as varchar) || 'T' || lpad(cast(u.half_hour // 2 as varchar), 2, '0')
                || case when u.half_hour % 2 = 0 then ':00:00Z' else ':30:00Z' end as timestamptz
            ) at time zone t.time_zone as date) as order_date
        from (
            select
                q.utc_day,
                unnest(range(0, 48)) as half_hour
            from (
                select cast(e.day_at as date) as utc_day
                from (
                    select unnest(generate_series(
                        cast(f.first_date - interval '1' day as date),
                        cast(cast(date_trunc('year', f.last_date) as date) + interval '12' month as date),
                        interval '1' day
                    )) as day_at
                    from (
                        select
                            min(m.order_date) as first_date,
                            max(m.order_date) as last_date
                        from marts.daily_revenue as m
                    ) as f
                ) as e
            ) as q
        ) as u
        cross join (
            select distinct c.time_zone
            from ops.accounts as c
        ) as t
    ) as h
    group by h.time_zone, h.order_date
) as z
    on z.time_zone = a.time_zone and z.order_date = d.order_date
left join (
    select
        k.source,
        k.account,
        k.holiday_date,
        max(k.name) as holiday
    from ops.holidays as k
    group by k.source, k.account, k.holiday_date
) as h
    on h.source = a.source and h.account = a.account and h.holiday_date = d.order_date
left join (
    select distinct
        v.source,
        v.account,
        cast(extract(year from v.holiday_date) as integer) as year
    from ops.holidays as v
) as y
    on y.source = a.source and y.account = a.account and y.year = cast(extract(year from d.order_date) as integer)
