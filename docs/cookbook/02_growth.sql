-- How does revenue grow from month to month?
-- Months that are not whole compare with nothing: both flags have to be false.
select account, currency, period_start as month,
    round(previous_net_revenue_minor / power(10, minor_unit_exponent), 2) as net_month_before,
    round(net_revenue_minor / power(10, minor_unit_exponent), 2) as net,
    round(100 * net_revenue_growth, 1) as growth_percent,
    round(100 * orders_recognised_growth, 1) as orders_growth_percent
from marts.revenue_growth
where period = 'month' and gives_money and not is_partial and not previous_is_partial
order by account, month
