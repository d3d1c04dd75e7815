-- Are discounted orders larger?
-- An association, not an effect: who fills the basket also looks for a code. Sums are divided,
-- because averages of days do not average to the quarter.
select account, currency,
    round(sum(discounted_net_minor) / sum(orders_discounted) / 100, 2) as average_with_discount,
    round(sum(undiscounted_net_minor) / sum(depth_0_orders) / 100, 2) as average_without,
    sum(orders_discounted) as orders_with_discount,
    sum(depth_0_orders) as orders_without
from marts.daily_discounts
where minor_unit_exponent = 2
group by all
order by account
