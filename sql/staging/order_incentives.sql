/*
description: >
  The incentives that stand on every order version, all sources in one shape: redemptions, coupons,
  gift certificates. Sources without incentives have no branch.
grain: [version_id, redemption_id]
materialized: view
columns:
  version_id: Order version the incentive stands on.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  redemption_id: Redemption id of the source, or a name for its place on the order.
  parent_redemption_id: The stacked redemption that this one is a child of; NULL when it stands alone.
  related_object_type: What was redeemed, e.g. voucher, promotion_tier, coupon or gift_certificate; NULL when not said.
  related_object_id: Id or code of what was redeemed.
  campaign_id: Campaign, when there is one.
  redeemed_at: Time of the redemption, UTC; NULL when the source does not say.
  rollback_id: Id of the rollback; NULL when the incentive stands.
  rolled_back_at: Time of the rollback, UTC.
  is_stack: True for the parent of a stack, which is not an incentive of its own.
*/
select
    v.version_id,
    v.order_key,
    v.source,
    v.account,
    v.order_id,
    v.redemption_id,
    v.parent_redemption_id,
    v.related_object_type,
    v.related_object_id,
    v.campaign_id,
    v.redeemed_at,
    v.rollback_id,
    v.rolled_back_at,
    v.is_stack
from staging.voucherify_order_redemptions as v
union all
select
    u.version_id,
    u.order_key,
    u.source,
    u.account,
    u.order_id,
    u.redemption_id,
    cast(null as varchar) as parent_redemption_id,
    u.related_object_type,
    u.related_object_id,
    cast(null as varchar) as campaign_id,
    cast(null as timestamptz) as redeemed_at,
    cast(null as varchar) as rollback_id,
    cast(null as timestamptz) as rolled_back_at,
    false as is_stack
from staging.ultracart_order_incentives as u
