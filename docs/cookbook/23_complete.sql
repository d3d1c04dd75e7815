-- Is the data complete?
-- Proven up to when, which windows lack proof, which orders came without lines or could not be read.
select account, covered_from::date as proven_from, covered_to as proven_to, gaps,
    orders, orders_deleted as deleted,
    round(100 * (1 - orders_without_items / orders), 1) as lines_known_percent,
    quarantined, newest_version_at::timestamp(0) as newest_change
from marts.data_freshness
order by account
