/*
description: >
  How strongly two products are bought together, per month. A lift above 1 means more often than
  chance would give; with few orders together it says little.
grain: [source, account, order_month, product_a, product_b]
materialized: view
columns:
  source: Kind of API.
  account: Configured account.
  order_month: First day of the month of the business date.
  product_a: The product whose key comes first.
  product_b: The other one.
  orders_together: Baskets of the month with both.
  support: Baskets with both over all baskets.
  confidence_a_to_b: Baskets with both over baskets with product_a.
  confidence_b_to_a: Baskets with both over baskets with product_b.
  lift: Support over the product of both single supports.
metrics:
  pair_support: {column: support, version: 1, counts: baskets of the month, holds: "support > 0 and support <= 1", example: {is: null, where: "order_month = '2026-03-01'"}}
  pair_confidence: {column: confidence_a_to_b, version: 1, counts: baskets of the month with product_a, holds: "confidence_a_to_b > 0 and confidence_a_to_b <= 1", example: {is: null, where: "order_month = '2026-03-01'"}}
  pair_lift: {column: lift, version: 1, counts: baskets of the month, holds: "lift > 0", example: {is: null, where: "order_month = '2026-03-01'"}}
*/
select
    p.source,
    p.account,
    p.order_month,
    p.product_a,
    p.product_b,
    p.orders_together,
    cast(p.orders_together as double) / p.baskets as support,
    cast(p.orders_together as double) / p.orders_a as confidence_a_to_b,
    cast(p.orders_together as double) / p.orders_b as confidence_b_to_a,
    cast(p.orders_together as double) * p.baskets / (cast(p.orders_a as double) * p.orders_b) as lift
from marts.product_pairs as p
