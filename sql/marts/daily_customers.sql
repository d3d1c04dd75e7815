/*
description: >
  Who bought per business date: new and returning customers and guests, recognised orders only, as
  known now. A day without a recognised order has no row. Money is in minor units and NULL where the
  source knows no money.
grain: [source, account, order_date, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_recognised: Orders whose status counts as revenue.
  customers: Distinct known customers. Not additive over days.
  new_customers: Of these, customers whose first order in any currency this day has. Additive over days.
  returning_customers: The other ones. Not additive over days.
  new_customer_orders: First orders of customers.
  returning_customer_orders: Later orders of customers, also of those who are new this day.
  guest_orders: Orders without a customer; nobody knows of how many persons.
  rebill_orders: Recognised orders that a subscription placed by itself; in the three figures before as well; NULL where the source does not say.
  new_customer_net_minor: Net revenue of first orders.
  returning_customer_net_minor: Net revenue of later orders.
  guest_net_minor: Net revenue of orders without a customer.
  new_customer_discount_minor: Discounts on first orders.
  returning_customer_discount_minor: Discounts on later orders.
  guest_discount_minor: Discounts on orders without a customer.
  returning_gap_days: Days since the order before, added up over later orders; by returning_customer_orders it is their average.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, gives_money, orders_recognised, customers, returning_gap_days]
  - formula: {name: orders_split_is_complete, holds: "new_customer_orders + returning_customer_orders + guest_orders = orders_recognised"}
  - formula: {name: customers_split_is_complete, holds: "new_customers + returning_customers = customers and returning_customers >= 0"}
  - formula: {name: money_is_known_where_the_source_gives_money, holds: "(new_customer_net_minor is not null) = gives_money and (returning_customer_net_minor is not null) = gives_money and (guest_net_minor is not null) = gives_money"}
  - formula: {name: discounts_are_known_where_the_source_gives_money, holds: "(new_customer_discount_minor is not null) = gives_money and (returning_customer_discount_minor is not null) = gives_money and (guest_discount_minor is not null) = gives_money"}
metrics:
  new_customers: {column: new_customers, version: 1, counts: recognised orders of known customers, holds: "new_customers <= customers", example: {is: 1}}
  returning_customers: {column: returning_customers, version: 1, counts: recognised orders of known customers, holds: "new_customers + returning_customers = customers", example: {is: 1}, differs: "Not additive over days."}
  new_customer_discount: {column: new_customer_discount_minor, version: 1, counts: recognised orders that are their customer's first, holds: "(new_customer_discount_minor is not null) = gives_money", example: {is: 7160}}
  returning_customer_discount: {column: returning_customer_discount_minor, version: 1, counts: later recognised orders, holds: "(returning_customer_discount_minor is not null) = gives_money", example: {is: 0}}
  rebill_orders: {column: rebill_orders, version: 1, counts: recognised orders that a subscription placed, holds: "rebill_orders is null or rebill_orders <= orders_recognised", example: {is: null}}
*/
select
    o.source,
    o.account,
    o.order_date,
    o.currency,
    cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(o.gives_money) as gives_money,
    cast(count(*) as bigint) as orders_recognised,
    cast(count(*) filter (where s.is_first_of_day) as bigint) as customers,
    cast(count(*) filter (where s.is_first_order) as bigint) as new_customers,
    cast(count(*) filter (where s.is_first_of_day) - count(*) filter (where s.is_first_order) as bigint) as returning_customers,
    cast(count(*) filter (where s.is_first_order) as bigint) as new_customer_orders,
    cast(count(*) filter (where not s.is_first_order) as bigint) as returning_customer_orders,
    cast(count(*) filter (where o.customer_key is null) as bigint) as guest_orders,
    case when count(o.order_kind) > 0 then cast(count(*) filter (where o.order_kind = 'rebill') as bigint) end
        as rebill_orders,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where s.is_first_order), 0) as bigint) end
        as new_customer_net_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where not s.is_first_order), 0) as bigint) end
        as returning_customer_net_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.customer_key is null), 0) as bigint) end
        as guest_net_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor) filter (where s.is_first_order), 0) as bigint) end
        as new_customer_discount_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor) filter (where not s.is_first_order), 0) as bigint) end
        as returning_customer_discount_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor) filter (where o.customer_key is null), 0) as bigint) end
        as guest_discount_minor,
    cast(coalesce(sum(s.days_since_previous_order), 0) as bigint) as returning_gap_days
from core.orders as o
left join core.customer_orders as s
    on s.source = o.source and s.account = o.account and s.order_id = o.order_id
where o.is_recognised and not o.is_test and not o.is_deleted
group by o.source, o.account, o.order_date, o.currency
