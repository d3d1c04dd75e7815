/*
description: >
  What was redeemed per local day of the redemption, and how much of it was rolled back since. The day
  is that of the redemption, not of the order and not of the rollback, so a rate still rises while
  rollbacks come in. Only what stands on an order as it is now; parents of stacks are no redemptions.
grain: [source, account, redemption_date, kind]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  redemption_date: Local day of the redemption in the account's time zone; NULL where the source gives no time.
  kind: What was redeemed, e.g. voucher, promotion_tier or coupon; unknown for children of a stack.
  redemptions: Redemptions on orders in any status, test orders excluded.
  rollbacks: Of these, those rolled back by now.
  rollback_rate: Rollbacks over redemptions.
  rollbacks_timed: Rollbacks whose own time and whose redemption's time are known.
  median_rollback_lag_seconds: Middle time from redemption to rollback of these, in seconds; the lower one of two.
  longest_rollback_lag_seconds: Longest such time, in seconds.
checks:
  - unique: [source, account, redemption_date, kind]
  - not_null: [kind, redemptions, rollbacks, rollback_rate]
  - formula: {name: a_rollback_comes_after_its_redemption, holds: "median_rollback_lag_seconds >= 0", severity: warn}
metrics:
  redemption_rollback_rate: {column: rollback_rate, version: 1, counts: redemptions on orders in any status, holds: "rollback_rate between 0 and 1", example: {is: null, where: "true"}}
  median_rollback_lag: {column: median_rollback_lag_seconds, version: 1, counts: rollbacks whose times are known, holds: "(median_rollback_lag_seconds is not null) = (rollbacks_timed > 0)", example: {is: null, where: "true"}}
*/
select
    r.source,
    r.account,
    r.redemption_date,
    r.kind,
    cast(count(*) as bigint) as redemptions,
    cast(count(*) filter (where r.is_rolled_back) as bigint) as rollbacks,
    cast(count(*) filter (where r.is_rolled_back) as double) / count(*) as rollback_rate,
    cast(count(r.lag_seconds) as bigint) as rollbacks_timed,
    min(r.lag_seconds) filter (where 2 * r.lag_rank >= r.lags) as median_rollback_lag_seconds,
    max(r.lag_seconds) as longest_rollback_lag_seconds
from (
    select
        t.source,
        t.account,
        t.redemption_date,
        t.kind,
        t.is_rolled_back,
        t.lag_seconds,
        row_number() over (
            partition by t.source, t.account, t.redemption_date, t.kind
            order by t.lag_seconds nulls last, t.order_id, t.redemption_id
        ) as lag_rank,
        count(t.lag_seconds) over (partition by t.source, t.account, t.redemption_date, t.kind) as lags
    from (
        select
            d.source,
            d.account,
            d.order_id,
            d.redemption_id,
            d.kind,
            d.is_rolled_back,
            cast(d.redeemed_at at time zone a.time_zone as date) as redemption_date,
            cast(date_diff('second', d.redeemed_at, d.rolled_back_at) as bigint) as lag_seconds
        from core.order_discounts as d
        inner join ops.accounts as a on a.source = d.source and a.account = d.account
        where not d.is_test and not d.is_stack
    ) as t
) as r
group by r.source, r.account, r.redemption_date, r.kind
