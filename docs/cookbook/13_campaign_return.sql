-- What does each campaign cost, and what comes with it?
-- Revenue is that of the orders with it: influenced, not caused, and not to be added up over
-- campaigns. Discounts may be added up.
select account, campaign_id as campaign, redemptions, rollbacks, orders_recognised as orders, new_customers,
    round(discount_minor / 100, 2) as discount,
    round(net_revenue_minor / 100, 2) as net,
    round(net_revenue_minor / discount_minor, 1) as net_per_discount,
    round(discount_minor / 100 / nullif(new_customers, 0), 2) as discount_per_new_customer
from marts.campaigns
where currency = 'EUR'
order by discount desc
