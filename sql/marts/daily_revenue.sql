/*
description: >
  What was sold per business date: by order day, as known now. Money is in minor units of the row's
  currency, is never summed across currencies, and is NULL where the source knows no money.
grain: [source, account, order_date, currency]
refresh_key: order_date
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders of the day, test orders excluded.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money, and so no sale to cancel.
  orders_without_amount: Recognised orders whose amount the source does not say; they add nothing to the sums.
  gross_revenue_minor: Amount of recognised orders before discounts.
  discounts_minor: Discounts on recognised orders, order level and item level together.
  net_revenue_minor: Recognised revenue after discounts; before shipping, tax and refunds where the source tells these apart.
  shipping_minor: Shipping and handling on recognised orders, before its discount; NULL when the source does not say.
  shipping_discount_minor: Discount on shipping and handling; NULL when the source does not say.
  tax_minor: Tax on recognised orders; NULL when the source does not say.
  total_minor: Grand total of recognised orders as the source reports it, shipping and tax included; NULL when it reports none.
  refunds_minor: All that was given back so far of the day's recognised orders, whenever that was; NULL when the source knows no refunds.
  refunds_net_minor: Of these, refunds of what net revenue counts, so without shipping and tax; NULL when it cannot be told for every order.
  net_after_refunds_minor: Net revenue less such refunds; NULL when it cannot be told for every order.
  pipeline_value_minor: Net amount of orders that are created or pending, and not yet paid; quotes are no orders yet.
  cancelled_value_minor: Gross amount of cancelled orders; gross, because a rollback undoes the discount.
  average_order_net_minor: Net revenue per recognised order, rounded to a whole minor unit.
  average_order_gross_minor: Gross revenue per recognised order, rounded to a whole minor unit.
  median_order_net_minor: Middle net amount of recognised orders whose amount is known; the lower one of two.
  p90_order_net_minor: Net amount that nine tenths of these orders do not exceed.
  units: Units of products on recognised orders whose items are known, may have fractions; NULL when those of none are.
  orders_without_items: Recognised orders of which only the header is known; their units are not in the sum yet.
  customers: Distinct known customers with a recognised order. Not additive over days.
  new_customer_orders: Recognised orders that are their customer's first.
  returning_customer_orders: Recognised orders that are not.
  guest_orders: Recognised orders without a customer.
  new_customer_net_minor: Net revenue of first orders.
  returning_customer_net_minor: Net revenue of later orders.
  guest_net_minor: Net revenue of orders without a customer.
checks:
  - unique: [source, account, order_date, currency]
  - not_null: [order_date, currency, gives_money, orders_placed]
  - formula: {name: revenue_is_known_where_the_source_gives_money, holds: "(net_revenue_minor is not null) = gives_money and (gross_revenue_minor is not null) = gives_money and (discounts_minor is not null) = gives_money"}
  - formula: {name: split_revenue_is_known_where_the_source_gives_money, holds: "(new_customer_net_minor is not null) = gives_money and (returning_customer_net_minor is not null) = gives_money and (guest_net_minor is not null) = gives_money"}
  - formula: {name: open_value_is_known_where_the_source_gives_money, holds: "(orders_cancelled is not null) = gives_money and (pipeline_value_minor is not null) = gives_money and (cancelled_value_minor is not null) = gives_money"}
  - formula: {name: nothing_else_is_known_without_money, holds: "gives_money or coalesce(average_order_net_minor, average_order_gross_minor, median_order_net_minor, p90_order_net_minor, shipping_minor, shipping_discount_minor, tax_minor, total_minor, refunds_minor, refunds_net_minor, net_after_refunds_minor) is null"}
  - formula: {name: the_currency_is_known, holds: "not gives_money or minor_unit_exponent is not null", severity: warn}
  - formula: {name: gross_less_discounts_is_net, holds: "gross_revenue_minor - discounts_minor = net_revenue_minor", severity: warn}
  - formula: {name: net_after_refunds_is_net_less_refunds, holds: "net_revenue_minor - refunds_net_minor = net_after_refunds_minor"}
  - formula: {name: customers_split_is_complete, holds: "new_customer_orders + returning_customer_orders + guest_orders = orders_recognised"}
  - formula: {name: customer_revenue_split_is_complete, holds: "new_customer_net_minor + returning_customer_net_minor + guest_net_minor = net_revenue_minor"}
  - totals: {name: orders_are_those_of_all_statuses, by: [source, account, order_date, currency], sum: orders_placed, to: marts.daily_status, their_sum: orders}
  - totals: {name: recognised_orders_are_those_of_all_statuses, by: [source, account, order_date, currency], sum: orders_recognised, to: marts.daily_status}
  - totals: {name: cancelled_orders_are_those_of_the_status, by: [source, account, order_date, currency], sum: orders_cancelled, where: orders_cancelled > 0, to: marts.daily_status, their_sum: orders, their_where: "status = 'cancelled' and gives_money"}
  - totals: {name: cancelled_value_is_that_of_the_status, by: [source, account, order_date, currency], sum: cancelled_value_minor, where: orders_cancelled > 0, to: marts.daily_status, their_sum: gross_minor, their_where: "status = 'cancelled' and gives_money"}
  - totals: {name: open_value_is_that_of_the_statuses, by: [source, account, order_date, currency], sum: pipeline_value_minor, to: marts.daily_status, their_sum: "case when status in ('created', 'pending') then net_minor when gives_money then 0 end"}
  - totals: {name: recognised_orders_are_those_with_discounts_known_or_not, by: [source, account, order_date, currency], sum: orders_recognised, where: gives_money and orders_recognised > 0, to: marts.daily_discounts}
  - totals: {name: gross_revenue_is_the_base_of_discounts, by: [source, account, order_date, currency], sum: gross_revenue_minor, where: gives_money and orders_recognised > 0, to: marts.daily_discounts}
  - totals: {name: discounts_are_those_of_daily_discounts, by: [source, account, order_date, currency], sum: discounts_minor, where: gives_money and orders_recognised > 0, to: marts.daily_discounts, their_sum: "coalesce(total_discount_minor, 0)"}
  - volume: {name: orders_are_as_many_as_usual, by: [source, account], count: orders_placed, date: order_date}
metrics:
  orders_placed: {column: orders_placed, version: 1, counts: orders placed, holds: "orders_recognised <= orders_placed", example: {is: 4}}
  orders_recognised: {column: orders_recognised, version: 1, counts: recognised orders, holds: "orders_recognised >= 0", example: {is: 2}}
  orders_cancelled: {column: orders_cancelled, version: 1, counts: cancelled orders, holds: "orders_cancelled <= orders_placed", example: {is: 1}}
  gross_revenue: {column: gross_revenue_minor, version: 1, counts: recognised orders, holds: "(gross_revenue_minor is not null) = gives_money", example: {is: 76600}}
  discounts: {column: discounts_minor, version: 1, counts: recognised orders, holds: "(discounts_minor is not null) = gives_money", example: {is: 7160}, differs: "A source's own dashboard may call the discounts themselves revenue impact."}
  net_revenue: {column: net_revenue_minor, version: 1, counts: recognised orders, holds: "(net_revenue_minor is not null) = gives_money", example: {is: 69440}, differs: "A source's report may count cancelled orders, another time zone or shipping and tax; after a rollback the order's total rises again although it is cancelled."}
  shipping: {column: shipping_minor, version: 1, counts: recognised orders, holds: "shipping_minor is null or gives_money", example: {is: null}}
  tax: {column: tax_minor, version: 1, counts: recognised orders, holds: "tax_minor is null or gives_money", example: {is: null}}
  refunds: {column: refunds_minor, version: 1, counts: recognised orders, holds: "refunds_minor is null or gives_money", example: {is: null}, differs: "Belongs to the day of the order; a source's report may show the day of the refund."}
  net_after_refunds: {column: net_after_refunds_minor, version: 1, counts: recognised orders, holds: "net_after_refunds_minor is null or gives_money", example: {is: null}}
  pipeline_value: {column: pipeline_value_minor, version: 1, counts: created and pending orders, holds: "(pipeline_value_minor is not null) = gives_money", example: {is: 800}}
  cancelled_value: {column: cancelled_value_minor, version: 1, counts: cancelled orders, holds: "(cancelled_value_minor is not null) = gives_money", example: {is: 4000}}
  average_order_net: {column: average_order_net_minor, version: 1, counts: recognised orders, holds: "(average_order_net_minor is not null) = (gives_money and orders_recognised > 0)", example: {is: 34720}, differs: "Averages of days do not average to the month: divide sums."}
  average_order_gross: {column: average_order_gross_minor, version: 1, counts: recognised orders, holds: "(average_order_gross_minor is not null) = (gives_money and orders_recognised > 0)", example: {is: 38300}}
  median_order_net: {column: median_order_net_minor, version: 2, counts: recognised orders with a known amount, holds: "median_order_net_minor <= p90_order_net_minor", example: {is: 5000}}
  p90_order_net: {column: p90_order_net_minor, version: 2, counts: recognised orders with a known amount, holds: "p90_order_net_minor is null or gives_money", example: {is: 64440}}
  units: {column: units, version: 1, counts: recognised orders whose lines are known, holds: "units is not null or orders_without_items = orders_recognised", example: {is: 2}}
  customers: {column: customers, version: 1, counts: recognised orders of known customers, holds: "customers <= orders_recognised", example: {is: 2}, differs: "Not additive over days: count distinct customers of the period."}
  new_customer_orders: {column: new_customer_orders, version: 1, counts: recognised orders, holds: "new_customer_orders <= customers", example: {is: 1}}
  returning_customer_orders: {column: returning_customer_orders, version: 1, counts: recognised orders, holds: "new_customer_orders + returning_customer_orders + guest_orders = orders_recognised", example: {is: 1}}
  guest_orders: {column: guest_orders, version: 1, counts: recognised orders, holds: "guest_orders <= orders_recognised", example: {is: 0}}
  new_customer_net: {column: new_customer_net_minor, version: 1, counts: recognised orders, holds: "(new_customer_net_minor is not null) = gives_money", example: {is: 64440}}
  returning_customer_net: {column: returning_customer_net_minor, version: 1, counts: recognised orders, holds: "(returning_customer_net_minor is not null) = gives_money", example: {is: 5000}}
  guest_net: {column: guest_net_minor, version: 1, counts: recognised orders, holds: "(guest_net_minor is not null) = gives_money", example: {is: 0}}
*/
select
    o.source,
    o.account,
    o.order_date,
    o.currency,
    cast(max(o.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(o.gives_money) as gives_money,
    cast(count(*) as bigint) as orders_placed,
    cast(count(*) filter (where o.is_recognised) as bigint) as orders_recognised,
    case when bool_or(o.gives_money) then cast(count(*) filter (where o.status = 'cancelled') as bigint) end
        as orders_cancelled,
    cast(count(*) filter (where o.is_recognised and o.net_minor is null) as bigint) as orders_without_amount,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) as bigint) end
        as gross_revenue_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.total_discount_minor) filter (where o.is_recognised), 0) as bigint) end
        as discounts_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) as bigint) end
        as net_revenue_minor,
    case when count(o.shipping_minor) > 0 then cast(coalesce(sum(o.shipping_minor) filter (where o.is_recognised), 0) as bigint) end
        as shipping_minor,
    case when count(o.shipping_discount_minor) > 0 then cast(coalesce(sum(o.shipping_discount_minor) filter (where o.is_recognised), 0) as bigint) end
        as shipping_discount_minor,
    case when count(o.tax_minor) > 0 then cast(coalesce(sum(o.tax_minor) filter (where o.is_recognised), 0) as bigint) end
        as tax_minor,
    case when count(o.total_minor) > 0 then cast(coalesce(sum(o.total_minor) filter (where o.is_recognised), 0) as bigint) end
        as total_minor,
    case when count(o.refunded_minor) > 0 then cast(coalesce(sum(o.refunded_minor) filter (where o.is_recognised), 0) as bigint) end
        as refunds_minor,
    case
        when count(o.refunded_net_minor) > 0
            and count(*) filter (where o.is_recognised and o.net_minor is not null and o.refunded_net_minor is null) = 0
            then cast(coalesce(sum(o.refunded_net_minor) filter (where o.is_recognised and o.net_minor is not null), 0) as bigint)
    end as refunds_net_minor,
    case
        when count(o.refunded_net_minor) > 0
            and count(*) filter (where o.is_recognised and o.net_minor is not null and o.refunded_net_minor is null) = 0
            then cast(coalesce(sum(o.net_minor - o.refunded_net_minor) filter (where o.is_recognised), 0) as bigint)
    end as net_after_refunds_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.net_minor) filter (where o.status in ('created', 'pending')), 0) as bigint) end
        as pipeline_value_minor,
    case when bool_or(o.gives_money) then cast(coalesce(sum(o.gross_minor) filter (where o.status = 'cancelled'), 0) as bigint) end
        as cancelled_value_minor,
    case
        when bool_or(o.gives_money) and count(*) filter (where o.is_recognised) > 0 then cast(
            (2 * coalesce(sum(o.net_minor) filter (where o.is_recognised), 0) + count(*) filter (where o.is_recognised))
            // (2 * count(*) filter (where o.is_recognised)) as bigint)
    end as average_order_net_minor,
    case
        when bool_or(o.gives_money) and count(*) filter (where o.is_recognised) > 0 then cast(
            (2 * coalesce(sum(o.gross_minor) filter (where o.is_recognised), 0) + count(*) filter (where o.is_recognised))
            // (2 * count(*) filter (where o.is_recognised)) as bigint)
    end as average_order_gross_minor,
    case
        when count(o.net_minor) filter (where o.is_recognised) > 0 then
            (list_sort(array_agg(o.net_minor) filter (where o.is_recognised and o.net_minor is not null)))[
                cast((count(o.net_minor) filter (where o.is_recognised) + 1) // 2 as integer)]
    end as median_order_net_minor,
    case
        when count(o.net_minor) filter (where o.is_recognised) > 0 then
            (list_sort(array_agg(o.net_minor) filter (where o.is_recognised and o.net_minor is not null)))[
                cast((9 * count(o.net_minor) filter (where o.is_recognised) + 9) // 10 as integer)]
    end as p90_order_net_minor,
    case
        when count(*) filter (where o.is_recognised and o.units is null) = 0
            or count(*) filter (where o.is_recognised and o.units is not null) > 0
            then cast(coalesce(sum(o.units) filter (where o.is_recognised), 0) as decimal(28, 4))
    end as units,
    cast(count(*) filter (where o.is_recognised and o.units is null) as bigint) as orders_without_items,
    cast(count(*) filter (where o.is_recognised and o.is_first_of_day) as bigint) as customers,
    cast(count(*) filter (where o.is_recognised and o.is_first_order) as bigint) as new_customer_orders,
    cast(count(*) filter (where o.is_recognised and not o.is_first_order) as bigint) as returning_customer_orders,
    cast(count(*) filter (where o.is_recognised and o.customer_key is null) as bigint) as guest_orders,
    case
        when bool_or(o.gives_money)
            then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised and o.is_first_order), 0) as bigint)
    end as new_customer_net_minor,
    case
        when bool_or(o.gives_money)
            then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised and not o.is_first_order), 0) as bigint)
    end as returning_customer_net_minor,
    case
        when bool_or(o.gives_money)
            then cast(coalesce(sum(o.net_minor) filter (where o.is_recognised and o.customer_key is null), 0) as bigint)
    end as guest_net_minor
from (
    select
        c.source,
        c.account,
        c.order_date,
        c.currency,
        c.minor_unit_exponent,
        c.gives_money,
        c.status,
        c.is_recognised,
        c.customer_key,
        c.gross_minor,
        c.total_discount_minor,
        c.net_minor,
        c.shipping_minor,
        c.shipping_discount_minor,
        c.tax_minor,
        c.total_minor,
        c.refunded_minor,
        c.refunded_net_minor,
        c.units,
        s.is_first_order,
        s.is_first_of_day
    from core.orders as c
    left join core.customer_orders as s
        on s.source = c.source and s.account = c.account and s.order_id = c.order_id
    where not c.is_test and not c.is_deleted
) as o
group by o.source, o.account, o.order_date, o.currency
