/*
description: >
  How long after their business date versions of orders came to be: which share of a day's figures
  still moves after a week, a month, a quarter. Says how far back loads have to look.
grain: [source, account, order_date, days_late_from]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date of the version in the account's time zone.
  days_late_from: Fewest days of the bucket between business date and version; -1 for versions older than their date, then 0, 1, 2, 4, 8, 31, 91, 366.
  days_late_to: Most days of the bucket; NULL for the last.
  versions: Versions in the bucket, by their times, test orders excluded.
  first_versions: Of these, oldest versions known of their order; late ones are orders that were unknown or had changed before they were first read.
  orders: Distinct orders with a version in the bucket.
  most_days_late: Most days that one of these came late.
checks:
  - unique: [source, account, order_date, days_late_from]
  - not_null: [order_date, days_late_from, versions, orders, most_days_late]
  - formula: {name: days_are_within_the_bucket, holds: "most_days_late <= coalesce(days_late_to, most_days_late) and (days_late_from = -1 or most_days_late >= days_late_from)"}
*/
select
    b.source,
    b.account,
    b.order_date,
    b.days_late_from,
    cast(case b.days_late_from
        when -1 then -1
        when 0 then 0
        when 1 then 1
        when 2 then 3
        when 4 then 7
        when 8 then 30
        when 31 then 90
        when 91 then 365
    end as integer) as days_late_to,
    cast(count(*) as bigint) as versions,
    cast(count(*) filter (where b.is_first) as bigint) as first_versions,
    cast(count(distinct b.order_id) as bigint) as orders,
    cast(max(b.days_late) as bigint) as most_days_late
from (
    select
        d.source,
        d.account,
        d.order_date,
        d.order_id,
        d.is_first,
        d.days_late,
        cast(case
            when d.days_late < 0 then -1
            when d.days_late <= 1 then d.days_late
            when d.days_late <= 3 then 2
            when d.days_late <= 7 then 4
            when d.days_late <= 30 then 8
            when d.days_late <= 90 then 31
            when d.days_late <= 365 then 91
            else 366
        end as integer) as days_late_from
    from (
        select
            v.source,
            v.account,
            v.order_date,
            v.order_id,
            v.version_no = 1 as is_first,
            date_diff('day', v.order_date, cast(v.valid_from at time zone coalesce(a.time_zone, 'UTC') as date)) as days_late
        from core.order_versions as v
        left join ops.accounts as a on a.source = v.source and a.account = v.account
        where not v.is_test and not v.is_repeated
    ) as d
) as b
group by b.source, b.account, b.order_date, b.days_late_from
