-- How much discount belongs to a promotion we know, and how much to none?
-- What stands on no promotion has a row of its own, so the parts add up to the discounts of the day.
-- Of the children of a stack the source does not always say which promotion they were.
select account, currency,
    round(sum(discount_minor) / 100, 2) as all_discounts,
    round(sum(case when promotion_id is not null then discount_minor else 0 end) / 100, 2) as of_known_promotions,
    round(sum(case when kind = 'unknown' then discount_minor else 0 end) / 100, 2) as of_unknown_promotions,
    round(sum(case when kind = '(unattributed)' then discount_minor else 0 end) / 100, 2) as unattributed
from marts.daily_promotions
group by all
order by account
