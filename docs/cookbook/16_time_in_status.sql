-- How long does an order wait in a status?
-- Between versions the moment of a change is not known, so a time has two bounds; UltraCart keeps a
-- history, so there both are equal.
select account, from_status, to_status, sum(stays) as stays,
    round(100 * sum(stays_exact) / sum(stays), 1) as exact_percent,
    round(sum(lower_seconds_sum) / sum(stays_measured) / 3600, 1) as average_hours_at_least,
    round(sum(upper_seconds_sum) / sum(stays_measured) / 3600, 1) as average_hours_at_most
from marts.status_durations
group by all
order by account, stays desc, from_status, to_status
