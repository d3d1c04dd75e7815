-- Which past figures did the last load change, and because of how many orders?
-- Of July these differences are those of the question before. `orders-connector restatements` names
-- the orders.
select account, order_date, currency,
    round(before / 100, 2) as net_before,
    round(after / 100, 2) as net_after,
    round(delta / 100, 2) as difference,
    reason, orders
from marts.restatements
where model = 'marts.daily_revenue' and metric = 'net_revenue_minor'
    and load_id = (select arg_max(load_id, restated_at) from marts.restatements)
order by account, order_date
