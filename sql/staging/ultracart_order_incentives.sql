/*
description: >
  The incentives on every UltraCart order version: its coupons and its gift certificate. The source
  gives no amount per coupon.
grain: [version_id, redemption_id]
refresh_key: version_id
columns:
  version_id: Order version the incentive stands on (raw.order_payloads).
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always ultracart here.
  account: Configured account.
  order_id: UltraCart order id.
  redemption_id: coupon:<place on the order>:<code as typed>, or gift_certificate:<its id>.
  related_object_type: coupon or gift_certificate.
  related_object_id: Code of the merchant's coupon, also where a one-time code was made from it; id of the gift certificate, whose code is money.
checks:
  - unique: [version_id, redemption_id]
  - not_null: [version_id, order_id, redemption_id]
*/
select
    c.version_id,
    c.order_key,
    c.source,
    c.account,
    c.order_id,
    'coupon:' || cast(c.place as varchar) || ':' || coalesce(json_extract_string(c.coupon, '$.coupon_code'), '') as redemption_id,
    'coupon' as related_object_type,
    coalesce(json_extract_string(c.coupon, '$.base_coupon_code'), json_extract_string(c.coupon, '$.coupon_code')) as related_object_id
from (
    select
        u.version_id,
        u.order_key,
        u.source,
        u.account,
        u.order_id,
        u.place,
        json_extract(u.payload, '$.coupons[' || cast(u.place - 1 as varchar) || ']') as coupon
    from (
        select
            p.version_id,
            p.order_key,
            p.source,
            p.account,
            p.order_id,
            p.payload,
            unnest(range(1, array_length(cast(json_extract(p.payload, '$.coupons') as varchar[])) + 1)) as place
        from raw.order_payloads as p
        where p.source = 'ultracart' and p.quarantine_reason is null and p.channel <> 'gone'
    ) as u
) as c
union all
select
    g.version_id,
    g.order_key,
    g.source,
    g.account,
    g.order_id,
    'gift_certificate:' || coalesce(g.certificate_id, '') as redemption_id,
    'gift_certificate' as related_object_type,
    g.certificate_id as related_object_id
from (
    select
        p.version_id,
        p.order_key,
        p.source,
        p.account,
        p.order_id,
        json_extract_string(p.payload, '$.gift_certificate') as certificate,
        json_extract_string(p.payload, '$.gift_certificate.gift_certificate_oid') as certificate_id
    from raw.order_payloads as p
    where p.source = 'ultracart' and p.quarantine_reason is null and p.channel <> 'gone'
) as g
where substr(g.certificate, 1, 1) = '{'
