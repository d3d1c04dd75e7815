-- At which hours do customers buy?
-- Hours are those of the account's time zone; orders that came with a date alone have none.
select account,
    order_hour // 4 * 4 as from_hour,
    sum(orders_recognised) filter (where weekday <= 5) as orders_on_weekdays,
    sum(orders_recognised) filter (where weekday > 5) as orders_on_weekends,
    round(100 * sum(orders_recognised) / sum(sum(orders_recognised)) over (partition by account), 1) as percent
from marts.hourly_profile
group by account, from_hour
order by account, from_hour
