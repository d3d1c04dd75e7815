-- What did the report of the end of July say, and what are the same days now?
-- The macro answers for any moment; the marts are always as known now.
with evening as (
    select account, currency, sum(orders_recognised) as orders, sum(net_revenue_minor) / 100 as net
    from marts.daily_revenue_as_of('2026-07-31T22:00:00Z')
    where order_date between '2026-07-01' and '2026-07-31'
    group by all
),
today as (
    select account, currency, sum(orders_recognised) as orders, sum(net_revenue_minor) / 100 as net
    from marts.daily_revenue
    where order_date between '2026-07-01' and '2026-07-31'
    group by all
)
select account, currency, t.orders as orders_then, n.orders as orders_now,
    t.net as net_then, n.net as net_now, round(n.net - t.net, 2) as difference
from evening as t
join today as n using (account, currency)
order by account
