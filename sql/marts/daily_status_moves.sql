/*
description: >
  What came into each status and what left it on each local day, as the versions tell. Summed up over
  days it is what stood in the status (marts.status_snapshot). Amounts are NULL where the source
  knows no money.
grain: [source, account, move_date, status, currency]
refresh_key: move_date
columns:
  source: Kind of API.
  account: Configured account.
  move_date: Local day of the moves in the account's time zone, whatever the orders' business date.
  status: Common status.
  currency: ISO 4217 code.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_entered: Orders that came into the status; new ones too.
  orders_left: Orders that left it; those found gone too.
  orders_change: Entered less left.
  gross_change_minor: Change of the gross amount that stands in the status, changes of single orders included.
  net_change_minor: Change of the net amount.
  first_loaded_at: When the first of these versions was landed, UTC.
checks:
  - unique: [source, account, move_date, status, currency]
  - not_null: [move_date, status, currency, gives_money, orders_entered, orders_left, orders_change]
  - accepted_values: {status: [created, pending, quote, paid, fulfilled, cancelled, other, unknown]}
  - formula: {name: change_is_entered_less_left, holds: "orders_change = orders_entered - orders_left"}
  - formula: {name: amounts_are_known_where_the_source_gives_money, holds: "(gross_change_minor is not null) = gives_money and (net_change_minor is not null) = gives_money"}
metrics:
  orders_entered_status: {column: orders_entered, version: 1, counts: "placed orders, by the day they came into the status", holds: "orders_entered >= 0", example: {is: 1, where: "move_date = '2026-03-03' and status = 'paid'"}}
  orders_left_status: {column: orders_left, version: 1, counts: "placed orders, by the day they left the status", holds: "orders_change = orders_entered - orders_left", example: {is: 0, where: "move_date = '2026-03-03' and status = 'paid'"}}
*/
select
    m.source,
    m.account,
    m.move_date,
    m.status,
    m.currency,
    bool_or(m.gives_money) as gives_money,
    cast(count(*) filter (where m.is_status_move and m.direction = 'in') as bigint) as orders_entered,
    cast(count(*) filter (where m.is_status_move and m.direction = 'out') as bigint) as orders_left,
    cast(sum(m.orders) as bigint) as orders_change,
    case when bool_or(m.gives_money) then cast(coalesce(sum(m.gross_minor), 0) as bigint) end as gross_change_minor,
    case when bool_or(m.gives_money) then cast(coalesce(sum(m.net_minor), 0) as bigint) end as net_change_minor,
    min(m.loaded_at) as first_loaded_at
from core.status_moves as m
group by m.source, m.account, m.move_date, m.status, m.currency
