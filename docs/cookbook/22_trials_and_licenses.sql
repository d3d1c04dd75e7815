-- How many trials become orders, and how many licenses are used?
-- Recent months had less time to convert.
select account, date_trunc('month', order_date)::date as month,
    sum(trial_customers) as trials,
    sum(trial_customers_converted) as converted,
    round(100 * sum(trial_customers_converted) / nullif(sum(trial_customers), 0), 1) as converted_percent,
    sum(normal_licenses) as licenses_sold,
    sum(licenses_active) as active,
    round(100 * sum(licenses_active) / sum(licenses), 1) as active_percent
from marts.daily_licenses
group by all
order by account, month
