-- How many orders get paid and fulfilled?
-- Days younger than a month are immature: their orders may still be paid, so compare mature days
-- alone. UltraCart keeps a history of each order; elsewhere a step between two loads stays unseen.
select account, date_trunc('month', order_date)::date as month, is_mature,
    sum(orders_placed) as placed,
    sum(orders_ever_paid) as paid,
    sum(orders_ever_fulfilled) as fulfilled,
    sum(orders_ever_cancelled) as cancelled,
    round(100 * sum(orders_ever_fulfilled) / sum(orders_placed), 1) as fulfilled_percent,
    round(100 * sum(orders_reversed) / sum(orders_ever_recognised), 1) as reversed_percent
from marts.status_funnel
where currency = 'USD'
group by all
order by month, is_mature desc
