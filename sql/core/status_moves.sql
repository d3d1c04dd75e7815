/*
description: >
  Every version of every order as two moves: in on the local day it became valid, out on the day it
  ended. Summed up to a day they give where the orders stood that evening. Test versions make none.
grain: [source, account, order_id, version_id, direction]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  version_id: The version that came or went.
  direction: in or out.
  move_date: Local day of the move in the account's time zone.
  status: Common status of the version.
  currency: ISO 4217 code of the version.
  gives_money: False when the source knows no money.
  is_status_move: True when the order came into the status or left it; false when one version followed another in the same status and currency.
  orders: 1 for in, -1 for out.
  gross_minor: Amount before discounts, minor units, with the sign of the move.
  net_minor: Amount after discounts, minor units, with the sign of the move.
  loaded_at: When the version was landed, UTC.
checks:
  - unique: [source, account, order_id, version_id, direction]
  - not_null: [order_id, version_id, move_date, status, currency, is_status_move, orders]
  - accepted_values: {direction: [in, out]}
  - relation: {columns: [source, account, order_id], to: core.orders}
*/
select
    i.order_key,
    i.source,
    i.account,
    i.order_id,
    i.version_id,
    'in' as direction,
    cast(i.valid_from at time zone coalesce(a.time_zone, 'UTC') as date) as move_date,
    i.status,
    i.currency,
    i.gives_money,
    not coalesce(
        not i.test_before and i.status_before = i.status and i.currency_before = i.currency and i.ended_before = i.valid_from,
        false
    ) as is_status_move,
    cast(1 as bigint) as orders,
    i.gross_minor,
    i.net_minor,
    i.loaded_at
from (
    select
        v.order_key,
        v.source,
        v.account,
        v.order_id,
        v.version_id,
        v.valid_from,
        v.status,
        v.currency,
        v.is_test,
        v.gives_money,
        v.gross_minor,
        v.net_minor,
        v.loaded_at,
        lag(v.status) over (partition by v.source, v.account, v.order_id order by v.version_no) as status_before,
        lag(v.currency) over (partition by v.source, v.account, v.order_id order by v.version_no) as currency_before,
        lag(v.is_test) over (partition by v.source, v.account, v.order_id order by v.version_no) as test_before,
        lag(v.valid_to) over (partition by v.source, v.account, v.order_id order by v.version_no) as ended_before
    from core.order_versions as v
) as i
left join ops.accounts as a on a.source = i.source and a.account = i.account
where not i.is_test
union all
select
    e.order_key,
    e.source,
    e.account,
    e.order_id,
    e.version_id,
    'out' as direction,
    -- A deletion dated before the version it ended takes the version away as soon as it came.
    cast(coalesce(e.valid_to, e.valid_from) at time zone coalesce(a.time_zone, 'UTC') as date) as move_date,
    e.status,
    e.currency,
    e.gives_money,
    not coalesce(
        not e.test_after and e.status_after = e.status and e.currency_after = e.currency and e.began_after = e.valid_to,
        false
    ) as is_status_move,
    cast(-1 as bigint) as orders,
    -e.gross_minor as gross_minor,
    -e.net_minor as net_minor,
    e.loaded_at
from (
    select
        v.order_key,
        v.source,
        v.account,
        v.order_id,
        v.version_id,
        v.valid_from,
        v.valid_to,
        v.status,
        v.currency,
        v.is_test,
        v.gives_money,
        v.gross_minor,
        v.net_minor,
        v.loaded_at,
        lead(v.status) over (partition by v.source, v.account, v.order_id order by v.version_no) as status_after,
        lead(v.currency) over (partition by v.source, v.account, v.order_id order by v.version_no) as currency_after,
        lead(v.is_test) over (partition by v.source, v.account, v.order_id order by v.version_no) as test_after,
        lead(v.valid_from) over (partition by v.source, v.account, v.order_id order by v.version_no) as began_after
    from core.order_versions as v
) as e
inner join core.orders as o
    on o.order_key = e.order_key and o.source = e.source and o.account = e.account and o.order_id = e.order_id
left join ops.accounts as a on a.source = e.source and a.account = e.account
where not e.is_test and (e.valid_to is not null or o.is_deleted)
