-- What is lost to cancellations?
-- Gross, because a rollback takes the discount off the order and lets its total rise again.
select account, currency, date_trunc('month', order_date)::date as month,
    sum(orders_cancelled) as cancelled,
    round(100 * sum(orders_cancelled) / sum(orders_placed), 1) as cancelled_percent,
    round(sum(cancelled_value_minor) / 100, 2) as cancelled_value,
    round(100 * sum(cancelled_value_minor)
        / (sum(cancelled_value_minor) + sum(gross_revenue_minor)), 1) as value_percent
from marts.daily_revenue
where gives_money
group by all
order by account, month
