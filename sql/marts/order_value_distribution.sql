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
    cast(sum(g.orders) over (partition by g.source, g.account, g.order_month, g.currency) as bigint) as orders_of_month,
    cast(min(g.p25) over (partition by g.source, g.account, g.order_month, g.currency) as bigint) as p25_net_minor,
    cast(min(g.p50) over (partition by g.source, g.account, g.order_month, g.currency) as bigint) as p50_net_minor,
    cast(min(g.p75) over (partition by g.source, g.account, g.order_month, g.currency) as bigint) as p75_net_minor,
    cast(min(g.p90) over (partition by g.source, g.account, g.order_month, g.currency) as bigint) as p90_net_minor,
    cast(min(g.p99) over (partition by g.source, g.account, g.order_month, g.currency) as bigint) as p99_net_minor
from (
    select
        b.source,
        b.account,
        b.order_month,
        b.currency,
        cast(b.bucket_no as integer) as bucket_no,
        max(b.minor_unit_exponent) as minor_unit_exponent,
        cast(max(b.bucket_from_minor) as bigint) as bucket_from_minor,
        cast(max(b.bucket_to_minor) as bigint) as bucket_to_minor,
        cast(sum(b.orders) as bigint) as orders,
        cast(sum(b.net_minor * b.orders) as bigint) as net_minor,
        min(b.net_minor) as min_net_minor,
        max(b.net_minor) as max_net_minor,
        min(b.net_minor) filter (where 4 * b.net_rank >= b.net_ranked) as p25,
        min(b.net_minor) filter (where 2 * b.net_rank >= b.net_ranked) as p50,
        min(b.net_minor) filter (where 4 * b.net_rank >= 3 * b.net_ranked) as p75,
        min(b.net_minor) filter (where 10 * b.net_rank >= 9 * b.net_ranked) as p90,
        min(b.net_minor) filter (where 100 * b.net_rank >= 99 * b.net_ranked) as p99
    from (
        select
            n.source,
            n.account,
            n.order_month,
            n.currency,
            n.minor_unit_exponent,
            n.net_minor,
            n.orders,
            n.net_rank,
            n.net_ranked,
            case
                when n.net_minor < 0 then 0
                when n.net_minor = 0 then 1
                when n.net_minor < 2 * n.power then 3 * n.digits - 1
                when n.net_minor < 5 * n.power then 3 * n.digits
                else 3 * n.digits + 1
            end as bucket_no,
            case
                when n.net_minor = 0 then cast(0 as bigint)
                when n.net_minor < 0 then cast(null as bigint)
                when n.net_minor < 2 * n.power then n.power
                when n.net_minor < 5 * n.power then 2 * n.power
                else 5 * n.power
            end as bucket_from_minor,
            case
                when n.net_minor < 0 then cast(0 as bigint)
                when n.net_minor = 0 then cast(1 as bigint)
                when n.net_minor < 2 * n.power then 2 * n.power
                when n.net_minor < 5 * n.power then 5 * n.power
                else 10 * n.power
            end as bucket_to_minor
        from (
            select
                v.source,
                v.account,
                v.order_month,
                v.currency,
                v.minor_unit_exponent,
                v.net_minor,
                v.orders,
                length(cast(v.net_minor as varchar)) as digits,
                -- The largest power of ten that is not above the amount; staging lets no more than 18 digits pass.
                cast(substr('100000000000000000', 1, length(cast(v.net_minor as varchar))) as bigint) as power,
                -- The rank of the last order of this amount.
                cast(sum(v.orders) over (
                    partition by v.source, v.account, v.order_month, v.currency order by v.net_minor
                ) as bigint) as net_rank,
                cast(sum(v.orders) over (
                    partition by v.source, v.account, v.order_month, v.currency
                ) as bigint) as net_ranked
            from (
                select
                    o.source,
                    o.account,
                    o.order_month,
                    o.currency,
                    o.net_minor,
                    max(o.minor_unit_exponent) as minor_unit_exponent,
                    cast(count(*) as bigint) as orders
                from core.orders as o
                where o.is_recognised and not o.is_test and not o.is_deleted and o.gives_money and o.net_minor is not null
                group by o.source, o.account, o.order_month, o.currency, o.net_minor
            ) as v
        ) as n
    ) as b
    group by b.source, b.account, b.order_month, b.currency, b.bucket_no
) as g
