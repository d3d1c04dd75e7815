/*
description: >
  Orders of the same person across accounts and sources, as far as ops.customer_map names persons;
  empty while that table is. Nothing is guessed, and customers without a person are left out.
grain: [person_key, currency]
materialized: view
personal: [person_key]
columns:
  person_key: The person as the analyst named them; the first name in the alphabet where a customer has several.
  currency: ISO 4217 code; XXX for sources that know no money.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when no order of the row comes from a source that knows money.
  accounts: Accounts the person ordered in.
  customers: Customers of accounts that are this person.
  orders_recognised: Recognised orders, test orders excluded.
  first_order_date: Business date of the first of them.
  last_order_date: Business date of the last.
  net_revenue_minor: Their amounts after discounts; NULL where the sources know no money.
checks:
  - unique: [person_key, currency]
  - not_null: [person_key, currency, gives_money]
  - formula: {name: revenue_is_known_where_a_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money"}
metrics:
  person_accounts: {column: accounts, version: 1, counts: recognised orders of customers whom the map names, holds: "accounts >= 1", example: {is: null, where: "true"}}
  person_net_revenue: {column: net_revenue_minor, version: 1, counts: recognised orders of customers whom the map names, holds: "(net_revenue_minor is not null) = gives_money", example: {is: null, where: "true"}}
*/
select
    m.person_key,
    o.currency,
    cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(o.gives_money) as gives_money,
    cast(count(distinct o.source || '/' || o.account) as bigint) as accounts,
    cast(count(distinct o.source || '/' || o.account || '/' || o.customer_key) as bigint) as customers,
    cast(count(*) as bigint) as orders_recognised,
    min(o.order_date) as first_order_date,
    max(o.order_date) as last_order_date,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor), 0) as bigint) end as net_revenue_minor
from core.orders as o
inner join (
    select
        c.source,
        c.account,
        c.customer_key,
        min(c.person_key) as person_key
    from ops.customer_map as c
    where c.person_key is not null
    group by c.source, c.account, c.customer_key
) as m
    on m.source = o.source and m.account = o.account and m.customer_key = o.customer_key
where o.is_recognised and not o.is_test and not o.is_deleted
group by m.person_key, o.currency
