/*
description: >
  The incentives that stand on every Voucherify order version: one row per entry of the redemptions
  map, and one per child of a stacked redemption. The source gives no amounts per redemption.
grain: [version_id, redemption_id]
refresh_key: version_id
columns:
  version_id: Order version the redemption stands on (raw.order_payloads).
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always voucherify here.
  account: Configured account.
  order_id: Voucherify order id.
  redemption_id: Voucherify redemption id, the key of the map.
  parent_redemption_id: The stacked redemption that this one is a child of; NULL when it stands alone.
  related_object_type: What was redeemed, e.g. voucher or promotion_tier; NULL for children, whose type the order does not carry.
  related_object_id: Id of the voucher or promotion tier; NULL for children.
  campaign_id: Campaign of the related object, when it has one.
  redeemed_at: Time of the redemption, UTC.
  rollback_id: Id of the rollback; NULL when the redemption was not rolled back.
  rolled_back_at: Time of the rollback, UTC.
  is_stack: True for the parent of a stack, which is not an incentive of its own.
checks:
  - unique: [version_id, redemption_id]
  - not_null: [version_id, order_id, redemption_id]
*/
with entries as (
    select
        k.version_id,
        k.order_key,
        k.source,
        k.account,
        k.order_id,
        k.redemption_id,
        k.entry_by_id[k.redemption_id] as entry
    from (
        select
            p.version_id,
            p.order_key,
            p.source,
            p.account,
            p.order_id,
            cast(json_extract(p.payload, '$.redemptions') as map(varchar, varchar)) as entry_by_id,
            unnest(json_keys(json_extract(p.payload, '$.redemptions'))) as redemption_id
        from raw.order_payloads as p
        where p.source = 'voucherify' and p.quarantine_reason is null and p.channel not in ('export', 'gone')
    ) as k
    where substr(k.entry_by_id[k.redemption_id], 1, 1) = '{'
),

typed as (
    select
        e.version_id,
        e.order_key,
        e.source,
        e.account,
        e.order_id,
        e.redemption_id,
        json_extract_string(e.entry, '$.related_object_type') as related_object_type,
        json_extract_string(e.entry, '$.related_object_id') as related_object_id,
        json_extract_string(e.entry, '$.related_object_parent_id') as campaign_id,
        try_cast(json_extract_string(e.entry, '$.date') as timestamptz) as redeemed_at,
        json_extract_string(e.entry, '$.rollback_id') as rollback_id,
        try_cast(json_extract_string(e.entry, '$.rollback_date') as timestamptz) as rolled_back_at,
        case
            when substr(json_extract_string(e.entry, '$.stacked'), 1, 2) = '["'
                then cast(json_extract(e.entry, '$.stacked') as varchar[])
        end as children
    from entries as e
),

every_redemption as (
    select
        t.version_id,
        t.order_key,
        t.source,
        t.account,
        t.order_id,
        t.redemption_id,
        cast(null as varchar) as parent_redemption_id,
        t.related_object_type,
        t.related_object_id,
        t.campaign_id,
        t.redeemed_at,
        t.rollback_id,
        t.rolled_back_at,
        t.children is not null as is_stack
    from typed as t
    union all
    select
        t.version_id,
        t.order_key,
        t.source,
        t.account,
        t.order_id,
        unnest(t.children) as redemption_id,
        t.redemption_id as parent_redemption_id,
        cast(null as varchar) as related_object_type,
        cast(null as varchar) as related_object_id,
        cast(null as varchar) as campaign_id,
        t.redeemed_at,
        cast(null as varchar) as rollback_id,
        t.rolled_back_at,
        false as is_stack
    from typed as t
    where t.children is not null
)

-- A child may also stand in the map itself; then both rows are one incentive.
select
    r.version_id,
    r.order_key,
    r.source,
    r.account,
    r.order_id,
    r.redemption_id,
    max(r.parent_redemption_id) as parent_redemption_id,
    max(r.related_object_type) as related_object_type,
    max(r.related_object_id) as related_object_id,
    max(r.campaign_id) as campaign_id,
    min(r.redeemed_at) as redeemed_at,
    max(r.rollback_id) as rollback_id,
    min(r.rolled_back_at) as rolled_back_at,
    bool_or(r.is_stack) as is_stack
from every_redemption as r
where r.redemption_id is not null
group by r.version_id, r.order_key, r.source, r.account, r.order_id, r.redemption_id
