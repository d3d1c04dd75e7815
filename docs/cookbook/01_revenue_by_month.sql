-- What did each shop sell per month?
-- One row per source and currency: euros and dollars are never added up. LicenseSpring knows no
-- money, so its amounts are empty, not zero.
select source, account, currency,
    date_trunc('month', order_date)::date as month,
    sum(orders_recognised) as orders,
    round(sum(gross_revenue_minor) / power(10, any_value(minor_unit_exponent)), 2) as gross,
    round(sum(discounts_minor) / power(10, any_value(minor_unit_exponent)), 2) as discounts,
    round(sum(net_revenue_minor) / power(10, any_value(minor_unit_exponent)), 2) as net,
    round(sum(refunds_minor) / power(10, any_value(minor_unit_exponent)), 2) as refunded
from marts.daily_revenue
group by all
order by month desc, source
