-- Which share of a month's new customers buys again in the months after?
-- Months that are not over are left out: they would look like a loss.
pivot (
    select account, cohort_month, customers, 'month_' || month_number as month, round(100 * retention, 1) as percent
    from marts.customer_cohort_grid
    where currency = 'EUR' and month_number between 1 and 5 and not is_partial_month
)
on month in ('month_1', 'month_2', 'month_3', 'month_4', 'month_5') using max(percent)
order by account, cohort_month
