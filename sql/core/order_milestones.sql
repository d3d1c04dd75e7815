/*
description: >
  What every order was at any time, as far as its versions or the source's own history tell: ever
  paid, fulfilled, cancelled, recognised. A status that came and went between two versions was never
  seen. Deleted orders are left out.
grain: [source, account, order_id]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  order_date: Business date of the order.
  status: Common status now.
  is_test: True for a test order.
  gives_money: False when the source knows no money.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gross_minor: Amount before discounts now, minor units.
  ever_paid: True when it was seen paid, or the source says when it was paid.
  ever_fulfilled: True when it was seen fulfilled.
  ever_cancelled: True when it was seen cancelled, even if it is not now.
  paid_by: It was paid at this time or before, UTC; NULL when never seen so.
  fulfilled_by: It was fulfilled at this time or before, UTC; NULL likewise.
  cancelled_by: It was cancelled at this time or before, UTC; NULL likewise.
  ever_recognised: True when a version of it counted as revenue.
  is_reversed: True when a version counted as revenue and the newest does not.
  reversed_net_minor: Net amount it last counted with, minor units; NULL unless it is reversed.
checks:
  - unique: [source, account, order_id]
  - not_null: [order_id, order_date, status, ever_paid, ever_fulfilled, ever_cancelled, ever_recognised, is_reversed]
  - relation: {columns: [source, account, order_id], to: core.orders}
  - formula: {name: what_is_reversed_was_recognised, holds: "ever_recognised or not is_reversed"}
  - formula: {name: what_is_so_now_was_so_once, holds: "case status when 'paid' then ever_paid when 'fulfilled' then ever_fulfilled when 'cancelled' then ever_cancelled else true end"}
*/
select
    o.order_key,
    o.source,
    o.account,
    o.order_id,
    o.order_date,
    o.status,
    o.is_test,
    o.gives_money,
    o.currency,
    o.minor_unit_exponent,
    o.gross_minor,
    o.paid_at is not null or s.visits_paid > 0 or v.versions_paid > 0 as ever_paid,
    s.visits_fulfilled > 0 or v.versions_fulfilled > 0 as ever_fulfilled,
    s.visits_cancelled > 0 or v.versions_cancelled > 0 as ever_cancelled,
    coalesce(o.paid_at, s.paid_by) as paid_by,
    s.fulfilled_by,
    s.cancelled_by,
    v.versions_recognised > 0 as ever_recognised,
    v.versions_recognised > 0 and not o.is_recognised as is_reversed,
    case when not o.is_recognised and o.gives_money then v.recognised_net_minor end as reversed_net_minor
from core.orders as o
inner join (
    select
        i.order_key,
        i.source,
        i.account,
        i.order_id,
        count(*) filter (where i.status = 'paid') as visits_paid,
        count(*) filter (where i.status = 'fulfilled') as visits_fulfilled,
        count(*) filter (where i.status = 'cancelled') as visits_cancelled,
        min(i.entered_at) filter (where i.status = 'paid') as paid_by,
        min(i.entered_at) filter (where i.status = 'fulfilled') as fulfilled_by,
        min(i.entered_at) filter (where i.status = 'cancelled') as cancelled_by
    from core.status_intervals as i
    group by i.order_key, i.source, i.account, i.order_id
) as s
    on s.order_key = o.order_key and s.source = o.source and s.account = o.account and s.order_id = o.order_id
inner join (
    select
        n.order_key,
        n.source,
        n.account,
        n.order_id,
        count(*) filter (where n.status = 'paid') as versions_paid,
        count(*) filter (where n.status = 'fulfilled') as versions_fulfilled,
        count(*) filter (where n.status = 'cancelled') as versions_cancelled,
        count(*) filter (where n.is_recognised) as versions_recognised,
        arg_max(coalesce(n.net_minor, cast(0 as bigint)), n.version_no) filter (where n.is_recognised) as recognised_net_minor
    from core.order_versions as n
    group by n.order_key, n.source, n.account, n.order_id
) as v
    on v.order_key = o.order_key and v.source = o.source and v.account = o.account and v.order_id = o.order_id
where not o.is_deleted
