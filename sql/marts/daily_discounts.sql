/*
description: >
  What was given away per business date, on recognised orders: by order day, as known now. Order
  level and item level stand side by side; together they are the total, so never add all three. A
  source that knows no money gives no rows.
grain: [source, account, order_date, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  orders_recognised: Orders whose status counts as revenue.
  orders_without_amount: Of these, orders whose discount the source does not say; in no other figure on discounts.
  orders_discounted: Of these, orders with any discount.
  orders_order_level: Orders with an order-level discount.
  orders_item_level: Orders with an item-level discount.
  full_discount_orders: Discounted orders with nothing left to pay.
  gross_revenue_minor: Amount of recognised orders before discounts; the base of the discount rate.
  order_level_discount_minor: Order-level discounts.
  item_level_discount_minor: Item-level discounts.
  total_discount_minor: All discounts.
  effect_value_minor: Value of free units that discounts added; NULL when the source does not say.
  average_discount_minor: Discount per discounted order, rounded to a whole minor unit.
  discounted_net_minor: Net revenue of discounted orders.
  undiscounted_net_minor: Net revenue of the others; compare as an association, not as uplift.
  orders_without_items: Recognised orders of which only the header is known; units, redemptions and effect value lack them.
  units: Units of products on recognised orders whose items are known; NULL when those of none are.
  redemptions: Incentives on recognised orders, as far as known; NULL when of none.
  depth_0_orders: Orders without discount.
  depth_0_5_orders: Orders with a discount of up to 5 % of their amount.
  depth_5_10_orders: Over 5 up to 10 %.
  depth_10_20_orders: Over 10 up to 20 %.
  depth_20_50_orders: Over 20 up to 50 %.
  depth_over_50_orders: Over 50 %.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, orders_recognised]
  - formula: {name: discounts_are_known_unless_no_order_tells, holds: "(total_discount_minor is not null) = (orders_without_amount < orders_recognised)"}
  - formula: {name: levels_add_up_to_total, holds: "order_level_discount_minor + item_level_discount_minor = total_discount_minor", severity: warn}
  - formula: {name: depth_buckets_cover_all_orders, holds: "depth_0_orders + depth_0_5_orders + depth_5_10_orders + depth_10_20_orders + depth_20_50_orders + depth_over_50_orders + orders_without_amount = orders_recognised"}
metrics:
  orders_discounted: {column: orders_discounted, version: 1, counts: recognised orders, holds: "orders_discounted <= orders_recognised", example: {is: 1}}
  full_discount_orders: {column: full_discount_orders, version: 1, counts: recognised orders, holds: "full_discount_orders <= orders_discounted", example: {is: 0}}
  order_level_discount: {column: order_level_discount_minor, version: 1, counts: recognised orders, holds: "order_level_discount_minor is null or orders_without_amount <= orders_recognised", example: {is: 0}}
  item_level_discount: {column: item_level_discount_minor, version: 1, counts: recognised orders, holds: "item_level_discount_minor is null or orders_without_amount <= orders_recognised", example: {is: 7160}}
  total_discount: {column: total_discount_minor, version: 1, counts: recognised orders, holds: "(total_discount_minor is not null) = (orders_without_amount < orders_recognised)", example: {is: 7160}, differs: "Order level and item level together: never add all three."}
  average_discount: {column: average_discount_minor, version: 1, counts: recognised orders, holds: "(average_discount_minor is not null) = (orders_discounted > 0)", example: {is: 7160}}
  discounted_net: {column: discounted_net_minor, version: 1, counts: recognised orders, holds: "orders_discounted > 0 or discounted_net_minor = 0", example: {is: 64440}}
  redemptions: {column: redemptions, version: 1, counts: recognised orders, holds: "redemptions is null or redemptions >= 0", example: {is: 0}}
*/
select
    o.source,
    o.account,
    o.order_date,
    o.currency,
    cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
    cast(count(*) as bigint) as orders_recognised,
    cast(count(*) filter (where o.total_discount_minor is null) as bigint) as orders_without_amount,
    cast(count(*) filter (where o.total_discount_minor > 0) as bigint) as orders_discounted,
    cast(count(*) filter (where o.order_discount_minor > 0) as bigint) as orders_order_level,
    cast(count(*) filter (where o.item_discount_minor > 0) as bigint) as orders_item_level,
    cast(count(*) filter (where o.total_discount_minor > 0 and o.net_minor = 0) as bigint) as full_discount_orders,
    cast(coalesce(sum(o.gross_minor), 0) as bigint) as gross_revenue_minor,
    cast(sum(o.order_discount_minor) as bigint) as order_level_discount_minor,
    cast(sum(o.item_discount_minor) as bigint) as item_level_discount_minor,
    cast(sum(o.total_discount_minor) as bigint) as total_discount_minor,
    cast(sum(o.effect_value_minor) as bigint) as effect_value_minor,
    case
        when count(*) filter (where o.total_discount_minor > 0) > 0 then cast(
            (2 * sum(o.total_discount_minor) + count(*) filter (where o.total_discount_minor > 0))
            // (2 * count(*) filter (where o.total_discount_minor > 0)) as bigint)
    end as average_discount_minor,
    cast(coalesce(sum(o.net_minor) filter (where o.total_discount_minor > 0), 0) as bigint) as discounted_net_minor,
    cast(coalesce(sum(o.net_minor) filter (where o.total_discount_minor = 0), 0) as bigint) as undiscounted_net_minor,
    cast(count(*) filter (where o.units is null) as bigint) as orders_without_items,
    cast(sum(o.units) as decimal(28, 4)) as units,
    cast(sum(o.redemption_count) as bigint) as redemptions,
    cast(count(*) filter (where o.total_discount_minor = 0) as bigint) as depth_0_orders,
    cast(count(*) filter (
        where o.total_discount_minor > 0 and 20 * o.total_discount_minor <= coalesce(o.gross_minor, 0)
    ) as bigint) as depth_0_5_orders,
    cast(count(*) filter (
        where 20 * o.total_discount_minor > coalesce(o.gross_minor, 0)
        and 10 * o.total_discount_minor <= coalesce(o.gross_minor, 0) and o.total_discount_minor > 0
    ) as bigint) as depth_5_10_orders,
    cast(count(*) filter (
        where 10 * o.total_discount_minor > coalesce(o.gross_minor, 0)
        and 5 * o.total_discount_minor <= coalesce(o.gross_minor, 0) and o.total_discount_minor > 0
    ) as bigint) as depth_10_20_orders,
    cast(count(*) filter (
        where 5 * o.total_discount_minor > coalesce(o.gross_minor, 0)
        and 2 * o.total_discount_minor <= coalesce(o.gross_minor, 0) and o.total_discount_minor > 0
    ) as bigint) as depth_20_50_orders,
    cast(count(*) filter (
        where o.total_discount_minor > 0 and 2 * o.total_discount_minor > coalesce(o.gross_minor, 0)
    ) as bigint) as depth_over_50_orders
from core.orders as o
where o.is_recognised and not o.is_test and not o.is_deleted and o.gives_money
group by o.source, o.account, o.order_date, o.currency
