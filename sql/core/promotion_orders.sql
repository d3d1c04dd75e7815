/*
description: >
  Each incentive on each order with the discount that is attributed to it. The order carries no amount
  per incentive, so all of its discounts are split equally over the incentives that stand: an
  estimate, said so in attribution_method. Parents of stacks are no incentives and are not here.
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
  order_month: First day of that date's month.
  customer_key: Identity of the customer at the source; NULL for guests.
  status: Common status of the order.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order.
  is_first_order: True when this is its customer's first recognised order; NULL for guests and orders that are not recognised.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  promotion_key: Kind and id, such as voucher:SUMMER; what promotions are told apart by.
  day_promotion: Business date and promotion in one text; slices of core.promotion_days, not identity.
  kind: What was redeemed, e.g. voucher, promotion_tier, coupon, gift_certificate, or unknown for children of a stack.
  promotion_id: Id or code of what was redeemed; NULL when the order does not say.
  campaign_id: Campaign, when there is one.
  redeemed_at: Time of the redemption, UTC; NULL when the source does not say.
  rolled_back_at: Time of the rollback, UTC; NULL when it stands.
  is_rolled_back: True when it was rolled back.
  promotion_rank: 1 for one redemption of each promotion on the order, one that stands if any does. Sums over orders take only these.
  campaign_rank: The same for each campaign; NULL without one.
  attribution_method: sole (the only one that stands has all), equal_split (several share), rolled_back and payment (a gift certificate pays and takes nothing off the price; both have 0), unknown (the order does not say its discount).
  attributed_discount_minor: Its part of the order's discounts, minor units; largest remainders get the odd units, so that parts add up. NULL when not known.
  order_gross_minor: Amount of the whole order before discounts, minor units; the same on each of its rows.
  order_net_minor: Amount of the whole order after discounts, minor units; the same on each of its rows.
checks:
  - unique: [source, account, order_id, redemption_id]
  - not_null: [order_id, redemption_id, order_date, promotion_key, kind, promotion_rank, attribution_method]
  - accepted_values: {attribution_method: [sole, equal_split, rolled_back, payment, unknown]}
  - relation: {columns: [source, account, order_id], to: core.orders}
  - formula: {name: only_unknown_discounts_are_null, holds: "(attributed_discount_minor is null) = (attribution_method = 'unknown')"}
  - formula: {name: what_does_not_stand_has_nothing, holds: "attribution_method not in ('rolled_back', 'payment') or attributed_discount_minor = 0"}
*/
select
    s.order_key,
    s.source,
    s.account,
    s.order_id,
    s.redemption_id,
    s.parent_redemption_id,
    s.order_date,
    s.order_month,
    s.customer_key,
    s.status,
    s.is_recognised,
    s.is_test,
    s.is_first_order,
    s.currency,
    s.minor_unit_exponent,
    s.promotion_key,
    cast(s.order_date as varchar) || ' ' || s.promotion_key as day_promotion,
    s.kind,
    s.promotion_id,
    s.campaign_id,
    s.redeemed_at,
    s.rolled_back_at,
    s.is_rolled_back,
    cast(row_number() over (
        partition by s.source, s.account, s.order_id, s.promotion_key
        order by case when s.is_rolled_back then 1 else 0 end, s.redemption_id
    ) as bigint) as promotion_rank,
    case
        when s.campaign_id is not null then cast(row_number() over (
            partition by s.source, s.account, s.order_id, s.campaign_id
            order by case when s.is_rolled_back then 1 else 0 end, s.redemption_id
        ) as bigint)
    end as campaign_rank,
    case
        when s.total_discount_minor is null then 'unknown'
        when s.is_rolled_back then 'rolled_back'
        when not s.takes_share then 'payment'
        when s.sharing = 1 then 'sole'
        else 'equal_split'
    end as attribution_method,
    case
        when s.total_discount_minor is null then cast(null as bigint)
        when not s.takes_share then cast(0 as bigint)
        else cast(
            s.total_discount_minor // s.sharing
            + case when s.share_no <= s.total_discount_minor % s.sharing then 1 else 0 end as bigint)
    end as attributed_discount_minor,
    s.order_gross_minor,
    s.order_net_minor
from (
    select
        i.order_key,
        i.source,
        i.account,
        i.order_id,
        i.redemption_id,
        i.parent_redemption_id,
        i.order_date,
        i.order_month,
        i.customer_key,
        i.status,
        i.is_recognised,
        i.is_test,
        i.is_first_order,
        i.currency,
        i.minor_unit_exponent,
        i.promotion_key,
        i.kind,
        i.promotion_id,
        i.campaign_id,
        i.redeemed_at,
        i.rolled_back_at,
        i.is_rolled_back,
        i.takes_share,
        i.total_discount_minor,
        i.order_gross_minor,
        i.order_net_minor,
        count(*) over (partition by i.source, i.account, i.order_id, i.takes_share) as sharing,
        row_number() over (
            partition by i.source, i.account, i.order_id, i.takes_share order by i.redemption_id
        ) as share_no
    from (
        select
            o.order_key,
            o.source,
            o.account,
            o.order_id,
            d.redemption_id,
            d.parent_redemption_id,
            o.order_date,
            o.order_month,
            o.customer_key,
            o.status,
            o.is_recognised,
            o.is_test,
            c.is_first_order,
            o.currency,
            o.minor_unit_exponent,
            d.kind || ':' || coalesce(d.related_object_id, '(unknown)') as promotion_key,
            d.kind,
            d.related_object_id as promotion_id,
            d.campaign_id,
            d.redeemed_at,
            d.rolled_back_at,
            d.is_rolled_back,
            not d.is_rolled_back and d.kind <> 'gift_certificate' as takes_share,
            o.total_discount_minor,
            o.gross_minor as order_gross_minor,
            o.net_minor as order_net_minor
        from core.orders as o
        inner join core.order_discounts as d
            on d.source = o.source and d.account = o.account and d.order_id = o.order_id
        left join core.customer_orders as c
            on c.source = o.source and c.account = o.account and c.order_id = o.order_id and c.order_key = o.order_key
        where not d.is_stack and not o.is_deleted
    ) as i
) as s
