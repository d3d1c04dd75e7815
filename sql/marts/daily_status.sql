/*
description: >
  Where the orders of a business date stand now: one row per status. Cancelled orders keep their
  money at the source, so their amounts stand here and are not revenue.
grain: [source, account, order_date, status, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  status: Common status; created, paid, fulfilled, cancelled, other or unknown.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  is_recognised: True when the status counts as revenue for this account.
  orders: Orders in this status, test orders excluded.
  orders_of_day: Orders of the day in any status, in this currency; the base of the status mix.
  gross_minor: Amount before discounts.
  discounts_minor: Discounts still on the orders.
  net_minor: What is left to pay.
  redemptions: Incentives on the orders.
  rollbacks: Of these, rolled back.
  orders_rolled_back: Orders with at least one rolled-back incentive.
checks:
  - unique: [source, account, order_date, status, currency]
  - not_null: [order_date, status, currency, orders]
  - accepted_values: {status: [created, paid, fulfilled, cancelled, other, unknown]}
*/
select
    g.source,
    g.account,
    g.order_date,
    g.status,
    g.currency,
    g.minor_unit_exponent,
    g.is_recognised,
    g.orders,
    cast(sum(g.orders) over (partition by g.source, g.account, g.order_date, g.currency) as bigint) as orders_of_day,
    g.gross_minor,
    g.discounts_minor,
    g.net_minor,
    g.redemptions,
    g.rollbacks,
    g.orders_rolled_back
from (
    select
        o.source,
        o.account,
        o.order_date,
        o.status,
        o.currency,
        cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(o.is_recognised) as is_recognised,
        cast(count(*) as bigint) as orders,
        cast(coalesce(sum(o.gross_minor), 0) as bigint) as gross_minor,
        cast(sum(o.total_discount_minor) as bigint) as discounts_minor,
        cast(coalesce(sum(o.net_minor), 0) as bigint) as net_minor,
        cast(coalesce(sum(o.redemption_count), 0) as bigint) as redemptions,
        cast(coalesce(sum(o.rollback_count), 0) as bigint) as rollbacks,
        cast(count(*) filter (where o.rollback_count > 0) as bigint) as orders_rolled_back
    from core.orders as o
    where not o.is_test and not o.is_deleted
    group by o.source, o.account, o.order_date, o.status, o.currency
) as g
