/*
description: >
  The stage changes that every UltraCart order version tells of, with their exact times. Empty where
  the source does not send them.
grain: [version_id, change_no]
refresh_key: version_id
columns:
  version_id: Order version that tells of the change (raw.order_payloads).
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always ultracart here.
  account: Configured account.
  order_id: UltraCart order id.
  change_no: Place in the order's own history, from 1.
  from_source_status: Stage before as the source wrote it; NULL for the first.
  to_source_status: Stage after.
  from_status: Common status before.
  to_status: Common status after.
  changed_at: Time of the change, UTC; NULL when it cannot be read.
checks:
  - unique: [version_id, change_no]
  - not_null: [version_id, order_id, change_no]
*/
select
    h.version_id,
    h.order_key,
    h.source,
    h.account,
    h.order_id,
    cast(h.change_no as integer) as change_no,
    h.from_source_status,
    h.to_source_status,
    case when h.from_source_status is not null then coalesce(b.status, 'other') end as from_status,
    case when h.to_source_status is null then 'unknown' else coalesce(a.status, 'other') end as to_status,
    case when regexp_matches(h.changed, '^[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(h.changed as timestamptz) end as changed_at
from (
    select
        j.version_id,
        j.order_key,
        j.source,
        j.account,
        j.order_id,
        j.change_no,
        json_extract_string(j.entry, '$.before_stage') as from_source_status,
        json_extract_string(j.entry, '$.after_stage') as to_source_status,
        json_extract_string(j.entry, '$.transition_dts') as changed
    from (
        select
            u.version_id,
            u.order_key,
            u.source,
            u.account,
            u.order_id,
            u.change_no,
            json_extract(u.payload, '$.current_stage_histories[' || cast(u.change_no - 1 as varchar) || ']') as entry
        from (
            select
                p.version_id,
                p.order_key,
                p.source,
                p.account,
                p.order_id,
                p.payload,
                unnest(range(1, array_length(cast(json_extract(p.payload, '$.current_stage_histories') as varchar[])) + 1)) as change_no
            from raw.order_payloads as p
            where p.source = 'ultracart' and p.quarantine_reason is null and p.channel <> 'gone'
        ) as u
    ) as j
) as h
left join staging.ultracart_stages as b on b.stage = h.from_source_status
left join staging.ultracart_stages as a on a.stage = h.to_source_status
