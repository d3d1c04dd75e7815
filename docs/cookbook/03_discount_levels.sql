-- How much do we give away, and on which level: the whole order or single lines?
-- The two levels are the total: adding all three counts everything twice.
select account, currency,
    date_trunc('quarter', order_date)::date as quarter,
    round(sum(order_level_discount_minor) / 100, 2) as on_orders,
    round(sum(item_level_discount_minor) / 100, 2) as on_lines,
    round(sum(total_discount_minor) / 100, 2) as total,
    round(100 * sum(total_discount_minor) / sum(gross_revenue_minor), 2) as rate_percent,
    round(100 * sum(orders_discounted) / sum(orders_recognised), 1) as orders_discounted_percent
from marts.daily_discounts
where minor_unit_exponent = 2
group by all
order by account, quarter
