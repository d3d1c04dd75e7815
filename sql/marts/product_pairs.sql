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
with basket_products as (
    select
        q.source,
        q.account,
        q.order_month,
        q.order_id,
        q.product_key
    from (
        select
            i.source,
            i.account,
            i.order_month,
            i.order_id,
            i.product_key,
            count(*) over (partition by i.source, i.account, i.order_month, i.order_id) as products
        from core.order_items as i
        where i.is_product and i.is_recognised and not i.is_test
        group by i.source, i.account, i.order_month, i.order_id, i.product_key
    ) as q
    where q.products <= 50
),

product_orders as (
    select
        b.source,
        b.account,
        b.order_month,
        b.product_key,
        count(*) as orders
    from basket_products as b
    group by b.source, b.account, b.order_month, b.product_key
),

month_baskets as (
    select
        b.source,
        b.account,
        b.order_month,
        count(distinct b.order_id) as baskets
    from basket_products as b
    group by b.source, b.account, b.order_month
)

select
    t.source,
    t.account,
    t.order_month,
    t.product_a,
    t.product_b,
    cast(t.orders_together as bigint) as orders_together,
    cast(a.orders as bigint) as orders_a,
    cast(b.orders as bigint) as orders_b,
    cast(m.baskets as bigint) as baskets
from (
    select
        f.source,
        f.account,
        f.order_month,
        f.product_key as product_a,
        s.product_key as product_b,
        count(*) as orders_together
    from basket_products as f
    inner join basket_products as s
        on s.source = f.source and s.account = f.account and s.order_month = f.order_month and s.order_id = f.order_id
        and s.product_key > f.product_key
    group by f.source, f.account, f.order_month, f.product_key, s.product_key
) as t
inner join product_orders as a
    on a.source = t.source and a.account = t.account and a.order_month = t.order_month and a.product_key = t.product_a
inner join product_orders as b
    on b.source = t.source and b.account = t.account and b.order_month = t.order_month and b.product_key = t.product_b
inner join month_baskets as m
    on m.source = t.source and m.account = t.account and m.order_month = t.order_month
