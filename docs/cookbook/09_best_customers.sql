-- Who are our best customers, and are they still with us?
-- Best within an account and currency; churned is who stayed away for over 90 days and for
-- more than twice their usual gap.
select account, customer_key[:16] as customer, segment, orders_recognised as orders,
    round(net_revenue_minor / power(10, minor_unit_exponent), 2) as net, currency,
    last_order_date, days_since_last_order as days_since, is_churned
from marts.customer_segments
where gives_money
qualify row_number() over (
    partition by source, account, currency order by net_revenue_minor desc, customer_key
) <= 5
order by account, net desc, customer_key
