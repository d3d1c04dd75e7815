-- What comes from new customers, from returning ones, from guests?
-- New is by order: the first recognised order of a customer, as known now.
select account, currency,
    date_trunc('month', order_date)::date as month,
    sum(new_customers) as new_customers,
    sum(returning_customer_orders) as returning_orders,
    sum(guest_orders) as guest_orders,
    round(sum(new_customer_net_minor) / 100, 2) as net_new,
    round(sum(returning_customer_net_minor) / 100, 2) as net_returning,
    round(100 * sum(returning_customer_net_minor)
        / sum(new_customer_net_minor + returning_customer_net_minor + guest_net_minor), 1) as returning_percent
from marts.daily_customers
where gives_money
group by all
order by account, month
