/*
description: >
  How large recognised orders are: one row per month, currency and bucket of net amount. Buckets go
  1, 2, 5, 10, 20, 50 and so on in minor units, and so in major units of any currency. Orders whose
  amount is not known, and sources that know no money, have no rows.
grain: [source, account, order_month, currency, bucket_no]
refresh_key: order_month
columns:
  source: Kind of API.
  account: Configured account.
  order_month: First day of the month of the business date.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  bucket_no: Number to sort by; 0 for amounts below zero, 1 for zero, from 2 the buckets by size. The same number is the same bucket in each month.
  bucket_from_minor: Lowest amount of the bucket, included; NULL below zero.
  bucket_to_minor: End of the bucket, not included.
  orders: Recognised orders of the bucket.
  net_minor: Sum of their net amounts.
  min_net_minor: Smallest of them.
  max_net_minor: Largest of them.
  orders_of_month: Recognised orders of the month in this currency with a known amount; the same on each row of a month, as are the five below. None of them is additive.
  p25_net_minor: Net amount that a quarter of the month's orders do not exceed; exact.
  p50_net_minor: Middle net amount of the month; the lower one of two.
  p75_net_minor: The same for three quarters.
  p90_net_minor: The same for nine tenths.
  p99_net_minor: The same for 99 of 100.
checks:
  - unique: [source, account, order_month, currency, bucket_no]
  - not_null: [order_month, currency, bucket_no, bucket_to_minor, orders, net_minor, p50_net_minor]
  - formula: {name: amounts_lie_in_their_bucket, holds: "max_net_minor < bucket_to_minor and (bucket_from_minor is null or min_net_minor >= bucket_from_minor)"}
  - formula: {name: quantiles_rise, holds: "p25_net_minor <= p50_net_minor and p50_net_minor <= p75_net_minor and p75_net_minor <= p90_net_minor and p90_net_minor <= p99_net_minor"}
metrics:
  orders_by_value: {column: orders, version: 1, counts: recognised orders of the bucket, holds: "orders between 1 and orders_of_month", example: {is: 1, where: "order_month = '2026-03-01' and bucket_no = 13"}}
  net_revenue_by_value: {column: net_minor, version: 1, counts: recognised orders of the bucket, holds: "min_net_minor < 0 or net_minor >= max_net_minor", example: {is: 5000, where: "order_month = '2026-03-01' and bucket_no = 13"}}
  median_order_of_month: {column: p50_net_minor, version: 1, counts: recognised orders of the month, holds: "p50_net_minor between p25_net_minor and p75_net_minor", example: {is: 5000, where: "order_month = '2026-03-01' and bucket_no = 13"}}
  p90_order_of_month: {column: p90_net_minor, version: 1, counts: recognised orders of the month, holds: "p90_net_minor between p75_net_minor and p99_net_minor", example: {is: 64440, where: "order_month = '2026-03-01' and bucket_no = 13"}}
*/
select
    g.source,
    g.account,
    g.order_month,
    g.currency,
    cast(max(g.minor_unit_exponent) over (partition by g.source, g.account, g.order_month, g.currency) as integer)
        as minor_unit_exponent,
    g.bucket_no,
    g.bucket_from_minor,
    g.bucket_to_minor,
    g.orders,
    g.net_minor,
    g.min_net_minor,
    g.max_net_minor,
    g.orders_of_month,
    -- One bucket of the month holds the order of each rank.
    max(case when g.rank_p25 > g.orders_below and g.rank_p25 <= g.orders_up_to then g.amounts[cast(g.rank_p25 - g.orders_below as integer)] end)
        over (partition by g.source, g.account, g.order_month, g.currency) as p25_net_minor,
    max(case when g.rank_p50 > g.orders_below and g.rank_p50 <= g.orders_up_to then g.amounts[cast(g.rank_p50 - g.orders_below as integer)] end)
        over (partition by g.source, g.account, g.order_month, g.currency) as p50_net_minor,
    max(case when g.rank_p75 > g.orders_below and g.rank_p75 <= g.orders_up_to then g.amounts[cast(g.rank_p75 - g.orders_below as integer)] end)
        over (partition by g.source, g.account, g.order_month, g.currency) as p75_net_minor,
    max(case when g.rank_p90 > g.orders_below and g.rank_p90 <= g.orders_up_to then g.amounts[cast(g.rank_p90 - g.orders_below as integer)] end)
        over (partition by g.source, g.account, g.order_month, g.currency) as p90_net_minor,
    max(case when g.rank_p99 > g.orders_below and g.rank_p99 <= g.orders_up_to then g.amounts[cast(g.rank_p99 - g.orders_below as integer)] end)
        over (partition by g.source, g.account, g.order_month, g.currency) as p99_net_minor
from (
    select
        r.source,
        r.account,
        r.order_month,
        r.currency,
        r.minor_unit_exponent,
        r.bucket_no,
        r.bucket_from_minor,
        r.bucket_to_minor,
        r.orders,
        r.net_minor,
        r.min_net_minor,
        r.max_net_minor,
        r.amounts,
        r.orders_of_month,
        r.orders_up_to,
        r.orders_up_to - r.orders as orders_below,
        (r.orders_of_month + 3) // 4 as rank_p25,
        (r.orders_of_month + 1) // 2 as rank_p50,
        (3 * r.orders_of_month + 3) // 4 as rank_p75,
        (9 * r.orders_of_month + 9) // 10 as rank_p90,
        (99 * r.orders_of_month + 99) // 100 as rank_p99
    from (
        select
            b.source,
            b.account,
            b.order_month,
            b.currency,
            b.minor_unit_exponent,
            b.bucket_no,
            case
                when b.bucket_no = 1 then cast(0 as bigint)
                when b.bucket_no = 0 then cast(null as bigint)
                when (b.bucket_no + 1) % 3 = 0 then b.power
                when (b.bucket_no + 1) % 3 = 1 then 2 * b.power
                else 5 * b.power
            end as bucket_from_minor,
            case
                when b.bucket_no = 0 then cast(0 as bigint)
                when b.bucket_no = 1 then cast(1 as bigint)
                when (b.bucket_no + 1) % 3 = 0 then 2 * b.power
                when (b.bucket_no + 1) % 3 = 1 then 5 * b.power
                else 10 * b.power
            end as bucket_to_minor,
            b.orders,
            b.net_minor,
            b.min_net_minor,
            b.max_net_minor,
            b.amounts,
            cast(sum(b.orders) over (partition by b.source, b.account, b.order_month, b.currency) as bigint) as orders_of_month,
            cast(sum(b.orders) over (
                partition by b.source, b.account, b.order_month, b.currency order by b.bucket_no
            ) as integer) as orders_up_to
        from (
            select
                v.source,
                v.account,
                v.order_month,
                v.currency,
                -- The largest power of ten that is not above the amounts; staging lets no more than 18 digits pass.
                cast(substr('100000000000000000', 1, cast(case when v.bucket_no > 1 then (v.bucket_no + 1) // 3 else 1 end as integer))
                    as bigint) as power,
                cast(v.bucket_no as integer) as bucket_no,
                max(v.minor_unit_exponent) as minor_unit_exponent,
                cast(count(*) as bigint) as orders,
                cast(sum(v.net_minor) as bigint) as net_minor,
                min(v.net_minor) as min_net_minor,
                max(v.net_minor) as max_net_minor,
                list_sort(array_agg(v.net_minor)) as amounts
            from (
                select
                    o.source,
                    o.account,
                    o.order_month,
                    o.currency,
                    o.minor_unit_exponent,
                    o.net_minor,
                    -- Three buckets for each number of digits, told apart by the first digit.
                    case
                        when o.net_minor < 0 then 0
                        when o.net_minor = 0 then 1
                        else 3 * length(cast(o.net_minor as varchar)) - 1
                            + case
                                when cast(o.net_minor as varchar) < '2' then 0
                                when cast(o.net_minor as varchar) < '5' then 1
                                else 2
                            end
                    end as bucket_no
                from core.orders as o
                where o.is_recognised and not o.is_test and not o.is_deleted and o.gives_money and o.net_minor is not null
            ) as v
            group by v.source, v.account, v.order_month, v.currency, v.bucket_no
        ) as b
    ) as r
) as g
