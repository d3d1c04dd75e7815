/*
description: >
  Which products are bought together: one row per month and pair, each pair once. Counted over
  baskets: recognised orders with 1 to 50 distinct products on their lines. Larger orders are resale
  and would make up to 125,000 pairs each, so they are in no figure here. Ratios are in
  marts.product_affinity.
grain: [source, account, order_month, product_a, product_b]
refresh_key: order_month
columns:
  source: Kind of API.
  account: Configured account.
  order_month: First day of the month of the business date.
  product_a: The product whose key comes first.
  product_b: The other one.
  orders_together: Baskets of the month with both.
  orders_a: Baskets of the month with product_a.
  orders_b: Baskets of the month with product_b.
  baskets: All baskets of the month, in any currency; the same on each row of a month.
checks:
  - unique: [source, account, order_month, product_a, product_b]
  - not_null: [order_month, product_a, product_b, orders_together, orders_a, orders_b, baskets]
  - formula: {name: each_pair_stands_once, holds: "product_a < product_b"}
  - formula: {name: together_is_part_of_each, holds: "orders_together <= orders_a and orders_together <= orders_b and orders_a <= baskets and orders_b <= baskets"}
metrics:
  orders_with_both_products: {column: orders_together, version: 1, counts: baskets of the month, holds: "orders_together between 1 and orders_a and orders_together <= orders_b", example: {is: null, where: "order_month = '2026-03-01'"}}
  baskets_of_month: {column: baskets, version: 1, counts: recognised orders with 1 to 50 products, holds: "baskets >= orders_a and baskets >= orders_b", example: {is: null, where: "order_month = '2026-03-01'"}}
*/
select
    t.source,
    t.account,
    t.order_month,
    t.product_a,
    t.product_b,
    t.baskets as orders_together,
    a.baskets as orders_a,
    b.baskets as orders_b,
    m.baskets
from core.basket_products as t
inner join core.basket_products as a
    on a.source = t.source and a.account = t.account and a.order_month = t.order_month
    and a.product_a = t.product_a and a.product_b is null
inner join core.basket_products as b
    on b.source = t.source and b.account = t.account and b.order_month = t.order_month
    and b.product_a = t.product_b and b.product_b is null
inner join core.basket_products as m
    on m.source = t.source and m.account = t.account and m.order_month = t.order_month and m.product_a is null
where t.product_b is not null
