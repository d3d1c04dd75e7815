-- How deep are the discounts?
-- Depth is an order's discount over its amount before discounts.
select account, currency, depth, sum(orders)::bigint as orders,
    round(100 * sum(orders) / sum(sum(orders)) over (partition by account, currency), 1) as percent
from (
    unpivot marts.daily_discounts
    on depth_0_orders as '1: none', depth_0_5_orders as '2: up to 5 %',
        depth_5_10_orders as '3: up to 10 %', depth_10_20_orders as '4: up to 20 %',
        depth_20_50_orders as '5: up to 50 %', depth_over_50_orders as '6: more'
    into name depth value orders
)
group by account, currency, depth
order by account, currency, depth
