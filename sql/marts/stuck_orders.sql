/*
description: >
  Orders that wait longer than they should, as of the account's covered end: created or pending for
  more than 7 days, paid and not fulfilled for more than 14. An order is here only when it has
  certainly waited so long.
grain: [source, account, order_id]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  source_order_id: The shop's own order id, where it has one.
  order_date: Business date in the account's time zone.
  customer_key: Identity of the customer at the source; NULL for guests.
  status: Common status; created, pending or paid.
  source_status: Status as the source wrote it.
  reason: created_not_paid or paid_not_fulfilled.
  waits_since_at_latest: Latest time it can have come into the status, UTC.
  covered_to: The account's covered end, UTC; what is known ends here.
  days_waiting_at_least: Whole days from then to the covered end.
  days_waiting_at_most: Whole days since the earliest time it can have come into the status; NULL when not known.
  days_since_created: Whole days since its creation; NULL when the source does not say.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  net_minor: Amount after discounts, minor units.
checks:
  - unique: [source, account, order_id]
  - not_null: [order_id, status, reason, covered_to, days_waiting_at_least]
  - accepted_values: {reason: [created_not_paid, paid_not_fulfilled]}
  - formula: {name: waits_at_least_as_long_as_it_should_not, holds: "days_waiting_at_least >= case reason when 'created_not_paid' then 7 else 14 end"}
*/
select
    w.source,
    w.account,
    w.order_id,
    w.source_order_id,
    w.order_date,
    w.customer_key,
    w.status,
    w.source_status,
    case when w.status = 'paid' then 'paid_not_fulfilled' else 'created_not_paid' end as reason,
    w.entered_at as waits_since_at_latest,
    w.covered_to,
    cast(w.least_seconds // 86400 as bigint) as days_waiting_at_least,
    cast(w.most_seconds // 86400 as bigint) as days_waiting_at_most,
    cast(w.created_seconds // 86400 as bigint) as days_since_created,
    w.currency,
    w.minor_unit_exponent,
    w.net_minor
from (
    select
        o.source,
        o.account,
        o.order_id,
        o.source_order_id,
        o.order_date,
        o.customer_key,
        o.status,
        o.source_status,
        o.currency,
        o.minor_unit_exponent,
        o.net_minor,
        i.entered_at,
        e.covered_to,
        cast(floor(epoch(e.covered_to)) as bigint) - cast(floor(epoch(i.entered_at)) as bigint) as least_seconds,
        cast(floor(epoch(e.covered_to)) as bigint) - cast(floor(epoch(i.entered_after)) as bigint) as most_seconds,
        cast(floor(epoch(e.covered_to)) as bigint) - cast(floor(epoch(o.created_at)) as bigint) as created_seconds
    from core.orders as o
    inner join core.status_intervals as i
        on i.source = o.source and i.account = o.account and i.order_id = o.order_id and i.is_open
    inner join (
        select
            c.source,
            c.account,
            max(c.covered_to) as covered_to
        from ops.coverage as c
        group by c.source, c.account
    ) as e
        on e.source = o.source and e.account = o.account
    where not o.is_test and not o.is_deleted and o.status in ('created', 'pending', 'paid')
) as w
where w.least_seconds > case when w.status = 'paid' then 14 * 86400 else 7 * 86400 end
