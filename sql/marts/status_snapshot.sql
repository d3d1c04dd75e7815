/*
description: >
  How many orders stood in each status at the end of each local day, and their amounts as they were
  then. Every day from the first known move is there, days without moves too. Days before the
  account's first load show only what the versions read then tell (is_observed).
grain: [source, account, snapshot_date, status, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  snapshot_date: Local day in the account's time zone; figures are those of its end.
  status: Common status.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders: Orders in the status at the end of the day.
  gross_minor: Their amounts before discounts as they were then.
  net_minor: Their amounts after discounts as they were then.
  orders_entered: Orders that came into the status on the day.
  orders_left: Orders that left it on the day.
  is_open: True for statuses in which an order still waits for something; created, pending, quote and paid.
  is_observed: False for days before the account's first load; of an order that changed before it, only the newest version is known.
  is_partial: True for a day that was not over when the source was read last; NULL when that is not known.
checks:
  - unique: [source, account, snapshot_date, status, currency]
  - not_null: [snapshot_date, status, currency, orders, gives_money, is_open, is_observed]
  - formula: {name: no_fewer_than_no_orders, holds: "orders >= 0"}
  - formula: {name: amounts_are_known_where_the_source_gives_money, holds: "(gross_minor is not null) = gives_money and (net_minor is not null) = gives_money"}
metrics:
  orders_standing: {column: orders, version: 1, counts: placed orders in the status that evening, holds: "orders >= 0", example: {is: 2, where: "snapshot_date = '2026-03-03' and status = 'paid'"}}
  net_standing: {column: net_minor, version: 1, counts: placed orders in the status that evening, holds: "(net_minor is not null) = gives_money", example: {is: 65627, where: "snapshot_date = '2026-03-03' and status = 'paid'"}}
*/
select
    s.source,
    s.account,
    s.snapshot_date,
    s.status,
    s.currency,
    cast(coalesce(case when s.currency = s.account_currency then s.account_exponent end, u.minor_unit_exponent) as integer)
        as minor_unit_exponent,
    s.gives_money,
    s.orders,
    s.gross_minor,
    s.net_minor,
    s.orders_entered,
    s.orders_left,
    s.status in ('created', 'pending', 'quote', 'paid') as is_open,
    s.snapshot_date >= s.observed_from as is_observed,
    s.snapshot_date >= s.covered_date as is_partial
from (
    select
        g.source,
        g.account,
        g.snapshot_date,
        g.status,
        g.currency,
        g.gives_money,
        g.account_currency,
        g.account_exponent,
        g.observed_from,
        g.covered_date,
        cast(sum(coalesce(m.orders_change, cast(0 as bigint))) over (
            partition by g.source, g.account, g.status, g.currency order by g.snapshot_date
            rows between unbounded preceding and current row
        ) as bigint) as orders,
        case
            when g.gives_money then cast(sum(coalesce(m.gross_change_minor, cast(0 as bigint))) over (
                partition by g.source, g.account, g.status, g.currency order by g.snapshot_date
                rows between unbounded preceding and current row
            ) as bigint)
        end as gross_minor,
        case
            when g.gives_money then cast(sum(coalesce(m.net_change_minor, cast(0 as bigint))) over (
                partition by g.source, g.account, g.status, g.currency order by g.snapshot_date
                rows between unbounded preceding and current row
            ) as bigint)
        end as net_minor,
        coalesce(m.orders_entered, cast(0 as bigint)) as orders_entered,
        coalesce(m.orders_left, cast(0 as bigint)) as orders_left
    from (
        select
            d.source,
            d.account,
            d.status,
            d.currency,
            d.gives_money,
            d.account_currency,
            d.account_exponent,
            d.observed_from,
            d.covered_date,
            cast(d.day as date) as snapshot_date
        from (
            select
                c.source,
                c.account,
                c.status,
                c.currency,
                c.gives_money,
                a.currency as account_currency,
                a.minor_unit_exponent as account_exponent,
                cast(w.first_loaded_at at time zone coalesce(a.time_zone, 'UTC') as date) as observed_from,
                cast(e.covered_to at time zone coalesce(a.time_zone, 'UTC') as date) as covered_date,
                unnest(generate_series(
                    c.first_date,
                    case
                        when cast(e.covered_to at time zone coalesce(a.time_zone, 'UTC') as date) > w.last_date
                            then cast(e.covered_to at time zone coalesce(a.time_zone, 'UTC') as date)
                        else w.last_date
                    end,
                    interval '1' day
                )) as day
            from (
                select
                    f.source,
                    f.account,
                    f.status,
                    f.currency,
                    bool_or(f.gives_money) as gives_money,
                    min(f.move_date) as first_date
                from marts.daily_status_moves as f
                group by f.source, f.account, f.status, f.currency
            ) as c
            inner join (
                select
                    t.source,
                    t.account,
                    max(t.move_date) as last_date,
                    min(t.first_loaded_at) as first_loaded_at
                from marts.daily_status_moves as t
                group by t.source, t.account
            ) as w
                on w.source = c.source and w.account = c.account
            left join ops.accounts as a on a.source = c.source and a.account = c.account
            left join (
                select
                    p.source,
                    p.account,
                    max(p.covered_to) as covered_to
                from ops.coverage as p
                group by p.source, p.account
            ) as e
                on e.source = c.source and e.account = c.account
        ) as d
    ) as g
    left join marts.daily_status_moves as m
        on m.source = g.source and m.account = g.account and m.move_date = g.snapshot_date
        and m.status = g.status and m.currency = g.currency
) as s
left join ops.currencies as u on u.currency = s.currency
