/*
description: >
  The recognised orders of each known customer in sequence. Guests have no customer and are not here.
  A cancelled order does not make its customer a returning one.
grain: [source, account, order_id]
refresh_key: customer_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  customer_key: Customer id of the source.
  referrer_id: Customer id of the referrer.
  order_date: Business date of the order.
  order_month: First day of the business date's month.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money.
  net_minor: Amount after discounts, minor units; NULL when the source does not say.
  order_seq: 1 for the customer's first recognised order in any currency, by (ordered_at, order_id).
  is_first_order: True for the first.
  is_first_of_day: True for the customer's first recognised order of the business date in the currency.
  days_since_previous_order: Days between the business dates of the order before, in any currency, and this one; NULL for the first.
checks:
  - unique: [source, account, order_id]
  - not_null: [customer_key, order_seq, is_first_of_day]
  - formula: {name: only_the_first_has_none_before, holds: "(days_since_previous_order is null) = is_first_order"}
*/
select
    o.order_key,
    o.source,
    o.account,
    o.order_id,
    o.customer_key,
    o.referrer_id,
    o.order_date,
    o.order_month,
    o.currency,
    o.minor_unit_exponent,
    o.gives_money,
    o.net_minor,
    o.order_seq,
    o.order_seq = 1 as is_first_order,
    o.seq_of_day = 1 as is_first_of_day,
    case
        -- A bare date stands for its midnight, UTC, and may so come before a time of the day before.
        when o.previous_date > o.order_date then cast(0 as bigint)
        else cast(date_diff('day', o.previous_date, o.order_date) as bigint)
    end as days_since_previous_order
from (
    select
        c.order_key,
        c.source,
        c.account,
        c.order_id,
        c.customer_key,
        c.referrer_id,
        c.order_date,
        c.order_month,
        c.currency,
        c.minor_unit_exponent,
        c.gives_money,
        c.net_minor,
        cast(row_number() over (
            partition by c.source, c.account, c.customer_key order by c.ordered_at, c.order_id
        ) as bigint) as order_seq,
        row_number() over (
            partition by c.source, c.account, c.customer_key, c.order_date, c.currency order by c.ordered_at, c.order_id
        ) as seq_of_day,
        lag(c.order_date) over (
            partition by c.source, c.account, c.customer_key order by c.ordered_at, c.order_id
        ) as previous_date
    from core.orders as c
    where c.is_recognised and not c.is_deleted and c.customer_key is not null
) as o
