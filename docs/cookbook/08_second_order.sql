-- How long until the second order?
-- Who has not come back yet still may: the estimates (Kaplan-Meier) count every customer for as long
-- as they were followed; the median knows only those who came back.
select account, cohort_month, customers, customers_with_second as came_back,
    median_days_to_second as median_days,
    round(100 * share_within_30, 1) as within_30_percent,
    round(100 * estimated_share_30, 1) as estimate_30_percent,
    round(100 * estimated_share_90, 1) as estimate_90_percent,
    estimated_median_days
from marts.second_orders
where currency = 'EUR'
order by account, cohort_month
