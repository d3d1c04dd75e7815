-- Which orders have waited for payment for more than a week?
-- The other reason, paid_not_fulfilled, has those that were paid over two weeks ago and wait since.
select account, order_id, order_date, status, reason,
    days_waiting_at_least as days,
    round(net_minor / power(10, minor_unit_exponent), 2) as net, currency
from marts.stuck_orders
where reason = 'created_not_paid'
order by days desc, account, order_id
