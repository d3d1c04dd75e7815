/*
description: >
  Every trial order of a known customer, and whether the customer ordered in earnest later. As the
  orders stand now: a trial that the vendor turned into a normal order is no trial any more.
grain: [source, account, order_id]
refresh_key: customer_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: The trial order.
  customer_key: Identity of the customer at the source; guests are left out.
  order_date: Business date of the trial.
  ordered_at: Time the trial counts for, UTC.
  trial_seq: 1 for the customer's first trial.
  converted_at: Time of the next order that is neither trial nor test, UTC; NULL when there is none so far.
checks:
  - unique: [source, account, order_id]
  - not_null: [customer_key, order_date, trial_seq]
  - formula: {name: no_conversion_before_the_trial, holds: "converted_at is null or converted_at >= ordered_at"}
*/
select
    c.order_key,
    c.source,
    c.account,
    c.order_id,
    c.customer_key,
    c.order_date,
    c.ordered_at,
    cast(c.trial_seq as bigint) as trial_seq,
    c.converted_at
from (
    select
        o.order_key,
        o.source,
        o.account,
        o.order_id,
        o.customer_key,
        o.order_date,
        o.ordered_at,
        o.is_trial,
        row_number() over (
            partition by o.source, o.account, o.customer_key, o.is_trial order by o.ordered_at, o.order_id
        ) as trial_seq,
        min(case when not o.is_trial then o.ordered_at end) over (
            partition by o.source, o.account, o.customer_key order by o.ordered_at, o.order_id
            rows between 1 following and unbounded following
        ) as converted_at
    from core.orders as o
    where o.is_trial is not null and not o.is_test and not o.is_deleted and o.customer_key is not null
) as c
where c.is_trial
