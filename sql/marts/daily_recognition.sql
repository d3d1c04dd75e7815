/*
description: >
  Net revenue by the local day it was seen to come or go, not by order day: recognised when an order
  was first seen to count, adjusted when its amount changed, reversed when it was seen not to count
  any more. A later change of an order moves its own day, never a past one. Over all days the net movement is the
  net revenue of marts.daily_revenue.
grain: [source, account, recognition_date, currency]
refresh_key: recognition_date
columns:
  source: Kind of API.
  account: Configured account.
  recognition_date: Local day of the movement in the account's time zone.
  currency: ISO 4217 code.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_recognised: Orders that began to count; again, when they had been reversed.
  orders_adjusted: Orders whose amount changed while they counted.
  orders_reversed: Orders that stopped to count, those found gone too.
  recognised_minor: Net amount of orders that began to count.
  adjusted_minor: Sum of the changes, with their signs.
  reversed_minor: Net amount that reversed orders counted with; positive.
  net_movement_minor: Recognised and adjusted less reversed.
checks:
  - unique: [source, account, recognition_date, currency]
  - not_null: [recognition_date, currency, gives_money, orders_recognised, orders_adjusted, orders_reversed]
  - formula: {name: movement_is_the_sum_of_its_parts, holds: "net_movement_minor = recognised_minor + adjusted_minor - reversed_minor"}
  - formula: {name: amounts_are_known_where_the_source_gives_money, holds: "(recognised_minor is not null) = gives_money and (adjusted_minor is not null) = gives_money and (reversed_minor is not null) = gives_money"}
metrics:
  revenue_recognised: {column: recognised_minor, version: 1, counts: orders that began to count that day, holds: "(recognised_minor is not null) = gives_money", example: {is: 69440, where: "recognition_date = '2026-03-03'"}, differs: "By the day it was seen; net_revenue is by the day of the order."}
  revenue_adjusted: {column: adjusted_minor, version: 1, counts: orders whose amount changed while they counted, holds: "(adjusted_minor is not null) = gives_money", example: {is: 0, where: "recognition_date = '2026-03-03'"}}
  revenue_reversed: {column: reversed_minor, version: 1, counts: orders that stopped to count that day, holds: "(reversed_minor is not null) = gives_money", example: {is: 0, where: "recognition_date = '2026-03-03'"}}
  revenue_movement: {column: net_movement_minor, version: 1, counts: all three together, holds: "net_movement_minor = recognised_minor + adjusted_minor - reversed_minor", example: {is: 69440, where: "recognition_date = '2026-03-03'"}}
*/
select
    m.source,
    m.account,
    m.recognition_date,
    m.currency,
    bool_or(m.gives_money) as gives_money,
    cast(count(*) filter (where m.kind = 'recognised') as bigint) as orders_recognised,
    cast(count(distinct case when m.kind = 'adjusted' then m.order_id end) as bigint) as orders_adjusted,
    cast(count(*) filter (where m.kind = 'reversed') as bigint) as orders_reversed,
    case when bool_or(m.gives_money) then cast(coalesce(sum(m.amount_minor) filter (where m.kind = 'recognised'), 0) as bigint) end
        as recognised_minor,
    case when bool_or(m.gives_money) then cast(coalesce(sum(m.amount_minor) filter (where m.kind = 'adjusted'), 0) as bigint) end
        as adjusted_minor,
    case when bool_or(m.gives_money) then cast(coalesce(sum(-m.amount_minor) filter (where m.kind = 'reversed'), 0) as bigint) end
        as reversed_minor,
    case when bool_or(m.gives_money) then cast(coalesce(sum(m.amount_minor), 0) as bigint) end as net_movement_minor
from core.recognition_moves as m
group by m.source, m.account, m.recognition_date, m.currency
