/*
description: >
  The funnel of each business date with its rates. Young days are immature: their orders may still be
  paid, fulfilled or cancelled, so their rates are lower bounds and compare with nothing.
grain: [source, account, order_date, currency]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  days_observed: Days from the business date to the account's covered end; NULL when nothing is covered.
  is_mature: True when more than 30 days were observed; false too when nothing is covered.
  orders_placed: Orders of the day, test orders excluded.
  orders_ever_paid: Of these, seen paid.
  orders_ever_fulfilled: Of these, seen fulfilled.
  orders_ever_cancelled: Of these, seen cancelled.
  orders_ever_recognised: Orders that a version counted as revenue.
  orders_reversed: Of these, orders that do not count any more.
  paid_rate: Ever paid over placed.
  fulfilled_rate: Ever fulfilled over placed.
  fulfilled_of_paid_rate: Fulfilled orders that were seen paid over orders ever paid.
  cancelled_rate: Ever cancelled over placed.
  cancelled_value_rate: Gross amount of orders ever cancelled over that of all placed.
  reversal_rate: Reversed orders over orders ever recognised. It is no refund rate; sources without refunds know only this.
  reversal_value_rate: Net amount of reversed orders over it and the net revenue that stands.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, is_mature, orders_placed]
  - formula: {name: rates_are_shares, holds: "paid_rate between 0 and 1 and fulfilled_rate between 0 and 1 and fulfilled_of_paid_rate between 0 and 1 and cancelled_rate between 0 and 1 and reversal_rate between 0 and 1"}
metrics:
  paid_rate: {column: paid_rate, version: 1, counts: orders placed, holds: "paid_rate between 0 and 1", example: {is: 0.25}}
  fulfilled_rate: {column: fulfilled_rate, version: 1, counts: orders placed, holds: "fulfilled_rate between 0 and 1", example: {is: 0.25}}
  ever_cancelled_rate: {column: cancelled_rate, version: 1, counts: orders placed, holds: "cancelled_rate between 0 and 1", example: {is: 0.25}, differs: "Counts orders that were cancelled once, whatever they are now; cancel_rate counts those that are."}
  reversal_rate: {column: reversal_rate, version: 1, counts: orders that once were recognised, holds: "reversal_rate between 0 and 1", example: {is: 0}, differs: "It is no refund rate."}
*/
select
    f.source,
    f.account,
    f.order_date,
    f.currency,
    cast(date_diff('day', f.order_date, e.covered_date) as integer) as days_observed,
    coalesce(date_diff('day', f.order_date, e.covered_date) > 30, false) as is_mature,
    f.orders_placed,
    f.orders_ever_paid,
    f.orders_ever_fulfilled,
    f.orders_ever_cancelled,
    f.orders_ever_recognised,
    f.orders_reversed,
    cast(f.orders_ever_paid as double) / nullif(f.orders_placed, 0) as paid_rate,
    cast(f.orders_ever_fulfilled as double) / nullif(f.orders_placed, 0) as fulfilled_rate,
    cast(f.orders_ever_fulfilled - f.orders_fulfilled_not_seen_paid as double) / nullif(f.orders_ever_paid, 0)
        as fulfilled_of_paid_rate,
    cast(f.orders_ever_cancelled as double) / nullif(f.orders_placed, 0) as cancelled_rate,
    cast(f.cancelled_gross_minor as double) / nullif(f.placed_gross_minor, 0) as cancelled_value_rate,
    cast(f.orders_reversed as double) / nullif(f.orders_ever_recognised, 0) as reversal_rate,
    cast(f.reversed_net_minor as double) / nullif(f.reversed_net_minor + r.net_revenue_minor, 0) as reversal_value_rate
from marts.daily_funnel as f
left join marts.daily_revenue as r
    on r.source = f.source and r.account = f.account and r.order_date = f.order_date and r.currency = f.currency
left join (
    select
        c.source,
        c.account,
        cast(max(c.covered_to) at time zone coalesce(max(a.time_zone), 'UTC') as date) as covered_date
    from ops.coverage as c
    left join ops.accounts as a on a.source = c.source and a.account = c.account
    group by c.source, c.account
) as e
    on e.source = f.source and e.account = f.account
