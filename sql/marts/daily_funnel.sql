/*
description: >
  How far the orders of a business date ever came, whatever their status is now: seen in a version
  or told by the source's history. Each order counts in every step it reached, so steps are not
  shares of one whole. Steps and amounts are NULL where the source knows no money, and so no sale.
grain: [source, account, order_date, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money.
  orders_placed: Orders of the day, test orders excluded.
  orders_ever_paid: Of these, seen paid, or with a payment time.
  orders_ever_fulfilled: Of these, seen fulfilled.
  orders_ever_cancelled: Of these, seen cancelled.
  orders_fulfilled_not_seen_paid: Fulfilled ones that no version showed as paid; the step lay between two versions, or the shop leaves it out.
  orders_cancelled_after_payment: Seen cancelled, and paid or fulfilled as well.
  orders_ever_recognised: Orders that a version counted as revenue.
  orders_reversed: Of these, orders that do not count any more.
  placed_gross_minor: Gross amount, as it is now, of all orders placed.
  paid_gross_minor: That of orders ever paid.
  fulfilled_gross_minor: That of orders ever fulfilled.
  cancelled_gross_minor: That of orders ever cancelled.
  reversed_net_minor: Net amount that reversed orders last counted with.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, gives_money, orders_placed]
  - formula: {name: no_step_has_more_orders_than_were_placed, holds: "orders_ever_paid <= orders_placed and orders_ever_fulfilled <= orders_placed and orders_ever_cancelled <= orders_placed and orders_ever_recognised <= orders_placed and orders_reversed <= orders_ever_recognised"}
  - formula: {name: steps_are_known_where_the_source_gives_money, holds: "(orders_ever_paid is not null) = gives_money and (orders_ever_fulfilled is not null) = gives_money and (orders_ever_cancelled is not null) = gives_money and (orders_reversed is not null) = gives_money"}
  - formula: {name: amounts_are_known_where_the_source_gives_money, holds: "(placed_gross_minor is not null) = gives_money and (cancelled_gross_minor is not null) = gives_money and (reversed_net_minor is not null) = gives_money"}
metrics:
  orders_ever_paid: {column: orders_ever_paid, version: 1, counts: orders placed, holds: "orders_ever_paid <= orders_placed", example: {is: 1}, differs: "A fulfilled order that no version showed paid is not in it."}
  orders_ever_fulfilled: {column: orders_ever_fulfilled, version: 1, counts: orders placed, holds: "orders_ever_fulfilled <= orders_placed", example: {is: 1}}
  orders_ever_cancelled: {column: orders_ever_cancelled, version: 1, counts: orders placed, holds: "orders_ever_cancelled <= orders_placed", example: {is: 1}}
  orders_ever_recognised: {column: orders_ever_recognised, version: 1, counts: orders placed, holds: "orders_ever_recognised <= orders_placed", example: {is: 2}}
  orders_reversed: {column: orders_reversed, version: 1, counts: orders that once were recognised, holds: "orders_reversed <= orders_ever_recognised", example: {is: 0}}
  reversed_net: {column: reversed_net_minor, version: 1, counts: orders that once were recognised, holds: "(reversed_net_minor is not null) = gives_money", example: {is: 0}}
*/
select
    g.source,
    g.account,
    g.order_date,
    g.currency,
    g.minor_unit_exponent,
    g.gives_money,
    g.orders_placed,
    case when g.gives_money then g.orders_ever_paid end as orders_ever_paid,
    case when g.gives_money then g.orders_ever_fulfilled end as orders_ever_fulfilled,
    case when g.gives_money then g.orders_ever_cancelled end as orders_ever_cancelled,
    case when g.gives_money then g.orders_fulfilled_not_seen_paid end as orders_fulfilled_not_seen_paid,
    case when g.gives_money then g.orders_cancelled_after_payment end as orders_cancelled_after_payment,
    case when g.gives_money then g.orders_ever_recognised end as orders_ever_recognised,
    case when g.gives_money then g.orders_reversed end as orders_reversed,
    case when g.gives_money then g.placed_gross_minor end as placed_gross_minor,
    case when g.gives_money then g.paid_gross_minor end as paid_gross_minor,
    case when g.gives_money then g.fulfilled_gross_minor end as fulfilled_gross_minor,
    case when g.gives_money then g.cancelled_gross_minor end as cancelled_gross_minor,
    case when g.gives_money then g.reversed_net_minor end as reversed_net_minor
from (
    select
        m.source,
        m.account,
        m.order_date,
        m.currency,
        cast(max(m.minor_unit_exponent) as integer) as minor_unit_exponent,
        bool_or(m.gives_money) as gives_money,
        cast(count(*) as bigint) as orders_placed,
        cast(count(*) filter (where m.ever_paid) as bigint) as orders_ever_paid,
        cast(count(*) filter (where m.ever_fulfilled) as bigint) as orders_ever_fulfilled,
        cast(count(*) filter (where m.ever_cancelled) as bigint) as orders_ever_cancelled,
        cast(count(*) filter (where m.ever_fulfilled and not m.ever_paid) as bigint) as orders_fulfilled_not_seen_paid,
        cast(count(*) filter (where m.ever_cancelled and (m.ever_paid or m.ever_fulfilled)) as bigint) as orders_cancelled_after_payment,
        cast(count(*) filter (where m.ever_recognised) as bigint) as orders_ever_recognised,
        cast(count(*) filter (where m.is_reversed) as bigint) as orders_reversed,
        cast(coalesce(sum(m.gross_minor), 0) as bigint) as placed_gross_minor,
        cast(coalesce(sum(m.gross_minor) filter (where m.ever_paid), 0) as bigint) as paid_gross_minor,
        cast(coalesce(sum(m.gross_minor) filter (where m.ever_fulfilled), 0) as bigint) as fulfilled_gross_minor,
        cast(coalesce(sum(m.gross_minor) filter (where m.ever_cancelled), 0) as bigint) as cancelled_gross_minor,
        cast(coalesce(sum(m.reversed_net_minor), 0) as bigint) as reversed_net_minor
    from core.order_milestones as m
    where not m.is_test
    group by m.source, m.account, m.order_date, m.currency
) as g
