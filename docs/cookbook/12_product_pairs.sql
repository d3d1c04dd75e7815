-- What is bought together?
-- Over several months: orders with both are added up, and divided by all baskets of these months.
with pairs as (
    select source, account, product_a, product_b, sum(orders_together) as together
    from marts.product_pairs
    group by all
),
products as (
    select source, account, product_key, max(product_name) as name, sum(orders_recognised) as orders
    from marts.products
    group by all
),
baskets as (
    select source, account, count(distinct order_id) as baskets
    from marts.order_lines
    where is_recognised and is_product
    group by all
)
select p.account, a.name as product, b.name as with_product, p.together,
    a.orders as orders_of_product, b.orders as orders_of_other,
    round(p.together * n.baskets / (a.orders * b.orders), 2) as lift
from pairs as p
join products as a on (a.source, a.account, a.product_key) = (p.source, p.account, p.product_a)
join products as b on (b.source, b.account, b.product_key) = (p.source, p.account, p.product_b)
join baskets as n on (n.source, n.account) = (p.source, p.account)
where p.together >= 8
order by p.together desc, p.account, p.product_a, p.product_b
