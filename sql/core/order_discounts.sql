/*
description: >
  The incentives on every order as it stands now, one row each. The order carries no amount per
  incentive; what was given away is on core.orders, by order level and item level.
grain: [source, account, order_id, redemption_id]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  redemption_id: Redemption id of the source, or a name for its place on the order.
  parent_redemption_id: The stacked redemption that this one is a child of.
  order_date: Business date of the order.
  status: Common status of the order.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order.
  currency: ISO 4217 code.
  kind: What was redeemed, e.g. voucher, promotion_tier, coupon, gift_certificate, or unknown for children of a stack.
  related_object_id: Id or code of what was redeemed.
  campaign_id: Campaign, when there is one.
  redeemed_at: Time of the redemption, UTC; NULL when the source does not say.
  rolled_back_at: Time of the rollback, UTC; NULL when it stands.
  is_rolled_back: True when it was rolled back.
  is_stack: True for the parent of a stack, which is not an incentive of its own.
checks:
  - unique: [source, account, order_id, redemption_id]
  - not_null: [order_id, redemption_id, order_date]
  - relation: {columns: [source, account, order_id], to: core.orders}
*/
select
    d.order_key,
    d.source,
    d.account,
    d.order_id,
    d.redemption_id,
    d.parent_redemption_id,
    o.order_date,
    o.status,
    o.is_recognised,
    o.is_test,
    o.currency,
    coalesce(d.related_object_type, 'unknown') as kind,
    d.related_object_id,
    d.campaign_id,
    d.redeemed_at,
    d.rolled_back_at,
    d.rolled_back_at is not null or d.rollback_id is not null as is_rolled_back,
    d.is_stack
from core.orders as o
inner join staging.order_incentives as d
    on d.order_key = o.order_key and d.version_id = o.version_id
where not o.is_deleted
