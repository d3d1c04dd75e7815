-- How large is each customer segment, and what is it worth?
select account, segment, count(*) as customers,
    sum(orders_recognised) as orders,
    round(sum(net_revenue_minor) / 100, 2) as net,
    round(100 * sum(net_revenue_minor) / sum(sum(net_revenue_minor)) over (partition by account), 1) as net_percent,
    count(*) filter (where is_churned) as churned
from marts.customer_segments
where currency = 'EUR'
group by account, segment
order by account, net desc
