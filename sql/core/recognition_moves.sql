/*
description: >
  When the revenue of every order was seen to come and to go: recognised on the local day of the first
  version that counts, adjusted on the day of a version with another net amount, reversed on the day
  of the first version that does not count any more, or when the order was found gone. Summed up, an
  order's moves are what it counts with now.
grain: [source, account, order_id, version_id, kind]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  version_id: The version that was recognised or adjusted; for a reversal the last one that counted.
  kind: recognised, adjusted or reversed.
  recognition_date: Local day of the move in the account's time zone.
  order_date: Business date of that version.
  currency: ISO 4217 code of that version.
  gives_money: False when the source knows no money.
  orders: 1 for recognised, -1 for reversed, 0 for adjusted.
  amount_minor: Change of net revenue, minor units; negative for a reversal, NULL where the source knows no money.
checks:
  - unique: [source, account, order_id, version_id, kind]
  - not_null: [order_id, version_id, kind, recognition_date, order_date, currency, orders]
  - accepted_values: {kind: [recognised, adjusted, reversed]}
  - relation: {columns: [source, account, order_id], to: core.orders}
  - formula: {name: amount_is_known_where_the_source_gives_money, holds: "(amount_minor is not null) = gives_money"}
*/
select
    g.order_key,
    g.source,
    g.account,
    g.order_id,
    g.version_id,
    case when g.goes_on then 'adjusted' else 'recognised' end as kind,
    cast(g.valid_from at time zone coalesce(a.time_zone, 'UTC') as date) as recognition_date,
    g.order_date,
    g.currency,
    g.gives_money,
    case when g.goes_on then cast(0 as bigint) else cast(1 as bigint) end as orders,
    case
        when g.gives_money
            then coalesce(g.net_minor, cast(0 as bigint))
                - case when g.goes_on then coalesce(g.net_before, cast(0 as bigint)) else cast(0 as bigint) end
    end as amount_minor
from (
    select
        b.order_key,
        b.source,
        b.account,
        b.order_id,
        b.version_id,
        b.valid_from,
        b.order_date,
        b.currency,
        b.gives_money,
        b.is_recognised,
        b.net_minor,
        b.net_before,
        coalesce(b.recognised_before and b.currency_before = b.currency, false) as goes_on
    from (
        select
            v.order_key,
            v.source,
            v.account,
            v.order_id,
            v.version_id,
            v.valid_from,
            v.order_date,
            v.currency,
            v.gives_money,
            v.is_recognised,
            v.net_minor,
            lag(v.is_recognised) over (partition by v.source, v.account, v.order_id order by v.version_no) as recognised_before,
            lag(v.currency) over (partition by v.source, v.account, v.order_id order by v.version_no) as currency_before,
            lag(v.net_minor) over (partition by v.source, v.account, v.order_id order by v.version_no) as net_before
        from core.order_versions as v
    ) as b
) as g
left join ops.accounts as a on a.source = g.source and a.account = g.account
where g.is_recognised and (
    not g.goes_on
    or g.gives_money and coalesce(g.net_minor, cast(0 as bigint)) <> coalesce(g.net_before, cast(0 as bigint))
)
union all
select
    r.order_key,
    r.source,
    r.account,
    r.order_id,
    r.version_id,
    'reversed' as kind,
    cast(coalesce(r.began_after, r.valid_to, r.valid_from) at time zone coalesce(a.time_zone, 'UTC') as date) as recognition_date,
    r.order_date,
    r.currency,
    r.gives_money,
    cast(-1 as bigint) as orders,
    case when r.gives_money then -coalesce(r.net_minor, cast(0 as bigint)) end as amount_minor
from (
    select
        v.order_key,
        v.source,
        v.account,
        v.order_id,
        v.version_id,
        v.valid_from,
        v.valid_to,
        v.order_date,
        v.currency,
        v.gives_money,
        v.is_recognised,
        v.net_minor,
        lead(v.is_recognised) over (partition by v.source, v.account, v.order_id order by v.version_no) as recognised_after,
        lead(v.currency) over (partition by v.source, v.account, v.order_id order by v.version_no) as currency_after,
        lead(v.valid_from) over (partition by v.source, v.account, v.order_id order by v.version_no) as began_after
    from core.order_versions as v
) as r
inner join core.orders as o
    on o.order_key = r.order_key and o.source = r.source and o.account = r.account and o.order_id = r.order_id
left join ops.accounts as a on a.source = r.source and a.account = r.account
where r.is_recognised and case
    when r.began_after is null then o.is_deleted
    else not r.recognised_after or r.currency_after <> r.currency
end
