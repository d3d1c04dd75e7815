/*
description: >
  How long the orders of a business date stayed in a status before they went to the next, as bounds:
  the true time lies between lower and upper, and both are equal where the source gives times.
  Quantiles are by exact rank. Orders still in the status are counted, not measured, so young days
  show the quick ones only.
grain: [source, account, order_date, from_status, to_status]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  from_status: Common status they stayed in.
  to_status: Common status they went to.
  stays: Stays that ended so, test orders excluded.
  stays_measured: Of these, stays with both bounds.
  stays_exact: Of these, stays whose length is exact; over stays it is the exact share.
  orders_still_there: Orders of the day that are in from_status now; the same number beside each to_status.
  lower_p50_seconds: Half of the measured stays have a lower bound not above this; NULL when none is measured.
  lower_p90_seconds: Nine tenths do.
  upper_p50_seconds: Half of the measured stays have an upper bound not above this.
  upper_p90_seconds: Nine tenths do.
  lower_seconds_sum: Sum of the lower bounds; over stays_measured it is their average.
  upper_seconds_sum: Sum of the upper bounds.
checks:
  - unique: [source, account, order_date, from_status, to_status]
  - not_null: [order_date, from_status, to_status, stays, stays_measured, stays_exact, orders_still_there]
  - formula: {name: exact_stays_are_measured, holds: "stays_exact <= stays_measured and stays_measured <= stays"}
  - formula: {name: quantiles_are_in_order, holds: "stays_measured = 0 or (lower_p50_seconds <= upper_p50_seconds and lower_p90_seconds <= upper_p90_seconds and lower_p50_seconds <= lower_p90_seconds and upper_p50_seconds <= upper_p90_seconds)"}
metrics:
  stays_in_status: {column: stays, version: 1, counts: stays that ended, holds: "stays >= stays_measured", example: {is: null}}
  stays_with_exact_time: {column: stays_exact, version: 1, counts: stays that ended, holds: "stays_exact <= stays_measured", example: {is: null}}
  median_seconds_at_least: {column: lower_p50_seconds, version: 1, counts: stays that ended and have both bounds, holds: "lower_p50_seconds <= upper_p50_seconds", example: {is: null}}
  median_seconds_at_most: {column: upper_p50_seconds, version: 1, counts: stays that ended and have both bounds, holds: "upper_p50_seconds <= upper_p90_seconds", example: {is: null}}
*/
select
    d.source,
    d.account,
    d.order_date,
    d.from_status,
    d.to_status,
    d.stays,
    d.stays_measured,
    d.stays_exact,
    coalesce(o.orders_still_there, cast(0 as bigint)) as orders_still_there,
    d.lower_p50_seconds,
    d.lower_p90_seconds,
    d.upper_p50_seconds,
    d.upper_p90_seconds,
    d.lower_seconds_sum,
    d.upper_seconds_sum
from (
    select
        r.source,
        r.account,
        r.order_date,
        r.status as from_status,
        r.next_status as to_status,
        cast(count(*) as bigint) as stays,
        cast(count(*) filter (where r.is_measured) as bigint) as stays_measured,
        cast(count(*) filter (where r.is_exact and r.is_measured) as bigint) as stays_exact,
        cast(min(r.lower_seconds) filter (where r.is_measured and 2 * r.lower_rank >= r.ranked) as bigint) as lower_p50_seconds,
        cast(min(r.lower_seconds) filter (where r.is_measured and 10 * r.lower_rank >= 9 * r.ranked) as bigint) as lower_p90_seconds,
        cast(min(r.upper_seconds) filter (where r.is_measured and 2 * r.upper_rank >= r.ranked) as bigint) as upper_p50_seconds,
        cast(min(r.upper_seconds) filter (where r.is_measured and 10 * r.upper_rank >= 9 * r.ranked) as bigint) as upper_p90_seconds,
        cast(sum(r.lower_seconds) filter (where r.is_measured) as bigint) as lower_seconds_sum,
        cast(sum(r.upper_seconds) filter (where r.is_measured) as bigint) as upper_seconds_sum
    from (
        select
            i.source,
            i.account,
            i.order_date,
            i.status,
            i.next_status,
            i.is_exact,
            i.lower_seconds,
            i.upper_seconds,
            i.lower_seconds is not null and i.upper_seconds is not null as is_measured,
            count(*) over (
                partition by i.source, i.account, i.order_date, i.status, i.next_status,
                    i.lower_seconds is not null and i.upper_seconds is not null
            ) as ranked,
            row_number() over (
                partition by i.source, i.account, i.order_date, i.status, i.next_status,
                    i.lower_seconds is not null and i.upper_seconds is not null
                order by i.lower_seconds
            ) as lower_rank,
            row_number() over (
                partition by i.source, i.account, i.order_date, i.status, i.next_status,
                    i.lower_seconds is not null and i.upper_seconds is not null
                order by i.upper_seconds
            ) as upper_rank
        from core.status_intervals as i
        where not i.is_test and i.next_status is not null
    ) as r
    group by r.source, r.account, r.order_date, r.status, r.next_status
) as d
left join (
    select
        s.source,
        s.account,
        s.order_date,
        s.status,
        cast(count(*) as bigint) as orders_still_there
    from core.status_intervals as s
    where not s.is_test and s.is_open
    group by s.source, s.account, s.order_date, s.status
) as o
    on o.source = d.source and o.account = d.account and o.order_date = d.order_date and o.status = d.from_status
