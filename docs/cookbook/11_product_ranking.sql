-- Which products make the revenue?
-- Net is after a line's own discount and its share of the order's. Class A makes the first 80 %.
select account, revenue_rank as rank, coalesce(product_name, product_key) as product, currency,
    units, net_revenue as net,
    round(100 * revenue_share, 1) as percent,
    pareto_class as class,
    round(100 * discount_rate, 1) as discount_percent,
    round(100 * repeat_buyer_share, 1) as bought_again_percent
from marts.product_ranking
where net_revenue is not null and revenue_rank <= 5
order by account, rank
