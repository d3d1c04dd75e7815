/*
description: >
  How many baskets of a month hold a product, or two products. A basket is a recognised order with 1
  to 50 distinct products on its lines. Each counts once in the row without products, once for each of
  its products, and once for each pair of them. marts.product_pairs puts these counts side by side.
grain: [source, account, order_month, product_a, product_b]
counted_by: order_key
columns:
  source: Kind of API.
  account: Configured account.
  order_month: First day of the month of the business date.
  product_a: A product; NULL in the row of all baskets.
  product_b: Another one, whose key comes later; NULL in the rows of single products.
  baskets: Baskets of the month with these products.
checks:
  - unique: [source, account, order_month, product_a, product_b]
  - not_null: [order_month, baskets]
  - formula: {name: no_empty_group_is_left, holds: "baskets > 0"}
  - formula: {name: each_pair_stands_once, holds: "product_b is null or product_a < product_b"}
*/
with basket_products as (
    select
        q.order_key,
        q.source,
        q.account,
        q.order_month,
        q.order_id,
        q.product_key
    from (
        select
            i.order_key,
            i.source,
            i.account,
            i.order_month,
            i.order_id,
            i.product_key,
            count(*) over (partition by i.source, i.account, i.order_month, i.order_id) as products
        from core.order_items as i
        where i.is_product and i.is_recognised and not i.is_test
        group by i.order_key, i.source, i.account, i.order_month, i.order_id, i.product_key
    ) as q
    where q.products <= 50
)

select
    c.source,
    c.account,
    c.order_month,
    c.product_a,
    c.product_b,
    count(*) as baskets
from (
    select distinct
        b.order_key,
        b.source,
        b.account,
        b.order_month,
        b.order_id,
        cast(null as varchar) as product_a,
        cast(null as varchar) as product_b
    from basket_products as b
    union all
    select
        b.order_key,
        b.source,
        b.account,
        b.order_month,
        b.order_id,
        b.product_key as product_a,
        cast(null as varchar) as product_b
    from basket_products as b
    union all
    select
        f.order_key,
        f.source,
        f.account,
        f.order_month,
        f.order_id,
        f.product_key as product_a,
        s.product_key as product_b
    from basket_products as f
    inner join basket_products as s
        on s.order_key = f.order_key and s.source = f.source and s.account = f.account and s.order_id = f.order_id
        and s.product_key > f.product_key
) as c
group by c.source, c.account, c.order_month, c.product_a, c.product_b
