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
  version_id: The version of the order that core.orders shows.
  customer_key: Customer id of the source.
  order_date: Business date of the order.
  order_seq: 1 for the customer's first recognised order, by (ordered_at, order_id).
  is_first_order: True for the first.
checks:
  - unique: [source, account, order_id]
  - not_null: [customer_key, order_seq]
*/
select
    o.order_key,
    o.source,
    o.account,
    o.order_id,
    o.version_id,
    o.customer_key,
    o.order_date,
    cast(row_number() over (
        partition by o.source, o.account, o.customer_key order by o.ordered_at, o.order_id
    ) as bigint) as order_seq,
    row_number() over (
        partition by o.source, o.account, o.customer_key order by o.ordered_at, o.order_id
    ) = 1 as is_first_order
from core.orders as o
where o.is_recognised and not o.is_deleted and o.customer_key is not null
