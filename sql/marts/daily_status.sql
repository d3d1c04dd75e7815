/*
description: >
  Where the orders of a business date stand now: one row per status. Cancelled orders keep their
  money at the source, so their amounts stand here and are not revenue. Amounts are NULL where the
  source knows no money, incentives where it knows none.
grain: [source, account, order_date, status, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  status: Common status; created, pending, quote, paid, fulfilled, cancelled, other or unknown.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  is_recognised: True when orders in this status count as revenue; where not all do, orders_recognised says how many.
  orders: Orders in this status, test orders excluded.
  orders_recognised: Of these, orders that count as revenue.
  orders_of_day: Orders of the day in any status, in this currency; the base of the status mix.
  gross_minor: Amount before discounts.
  discounts_minor: Discounts still on the orders.
  net_minor: Amount after discounts, as in core.orders.
  redemptions: Incentives on the orders, as far as known; NULL when of none.
  rollbacks: Of these, rolled back; NULL when of none is known.
  orders_rolled_back: Orders with at least one rolled-back incentive; NULL likewise.
checks:
  - unique: [source, account, order_date, status, currency]
  - not_null: [order_date, status, currency, gives_money, orders]
  - formula: {name: amounts_are_known_where_the_source_gives_money, holds: "(gross_minor is not null) = gives_money and (discounts_minor is not null) = gives_money and (net_minor is not null) = gives_money"}
  - formula: {name: recognised_orders_are_orders, holds: "orders_recognised <= orders and is_recognised = (orders_recognised > 0)"}
  - formula: {name: net_is_gross_less_discounts, holds: "net_minor = gross_minor - discounts_minor", severity: warn}
  - accepted_values: {status: [created, pending, quote, paid, fulfilled, cancelled, other, unknown]}
metrics:
  orders_in_status: {column: orders, version: 1, counts: placed orders in the status, holds: "orders <= orders_of_day", example: {is: 1, where: "order_date = '2026-03-03' and status = 'paid'"}}
  net_in_status: {column: net_minor, version: 1, counts: placed orders in the status, holds: "(net_minor is not null) = gives_money", example: {is: 64440, where: "order_date = '2026-03-03' and status = 'paid'"}}
  orders_rolled_back: {column: orders_rolled_back, version: 1, counts: placed orders in the status, holds: "orders_rolled_back <= orders", example: {is: 0, where: "order_date = '2026-03-03' and status = 'paid'"}}
*/
select
    g.source,
    g.account,
    g.order_date,
    g.status,
    g.currency,
    g.minor_unit_exponent,
    g.gives_money,
    g.is_recognised,
    g.orders,
    g.orders_recognised,
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
        bool_or(o.gives_money) as gives_money,
        bool_or(o.is_recognised) as is_recognised,
        cast(count(*) as bigint) as orders,
        cast(count(*) filter (where o.is_recognised) as bigint) as orders_recognised,
        case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor), 0) as bigint) end as gross_minor,
        case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor), 0) as bigint) end as discounts_minor,
        case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor), 0) as bigint) end as net_minor,
        cast(sum(o.redemption_count) as bigint) as redemptions,
        cast(sum(o.rollback_count) as bigint) as rollbacks,
        cast(sum(case when o.rollback_count > 0 then 1 when o.rollback_count = 0 then 0 end) as bigint) as orders_rolled_back
    from core.orders as o
    where not o.is_test and not o.is_deleted
    group by o.source, o.account, o.order_date, o.status, o.currency
) as g
