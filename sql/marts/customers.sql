/*
description: >
  One row per known customer and currency: what they ordered so far, as known now. Guests are nobody
  and are not here. Customers without a recognised order are, with orders_recognised = 0. Money is in
  minor units and NULL where the source knows no money.
grain: [source, account, customer_key, currency]
refresh_key: customer_key
columns:
  source: Kind of API.
  account: Configured account.
  customer_key: Customer id of the source.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders, test orders excluded.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money, and so no sale to cancel.
  orders_without_amount: Recognised orders whose amount the source does not say; they add nothing to the sums.
  rebill_orders: Recognised orders that a subscription placed by itself; NULL where the source does not say.
  first_order_date: Business date of the first recognised order in this currency.
  second_order_date: Business date of the second; NULL while there is none.
  second_order_kind: one_time, subscription_start or rebill; NULL while there is no second or the source does not say.
  last_order_date: Business date of the last.
  cohort_month: First day of the month of the first.
  days_first_to_last: Days between first and last; 0 for one order.
  median_gap_days: Middle number of days between two orders in a row; the lower one of two; NULL below two orders.
  gross_revenue_minor: Amount of recognised orders before discounts.
  discounts_minor: Discounts on recognised orders, order level and item level together.
  net_revenue_minor: Amount after discounts; what the customer is worth so far, before refunds.
  refunds_minor: All that was given back so far on recognised orders; NULL when the source knows no refunds.
  net_after_refunds_minor: Net revenue less the refunds of it; NULL when it cannot be told for every order.
  cancelled_value_minor: Gross amount of cancelled orders; gross, because a rollback undoes the discount.
  average_order_net_minor: Net revenue per recognised order, rounded to a whole minor unit.
  orders_discounted: Recognised orders with any discount; NULL where the source knows no money.
  is_discount_only: True when every recognised order had a discount; NULL when there is none or it cannot be told.
checks:
  - unique: [source, account, customer_key, currency]
  - not_null: [customer_key, currency, gives_money, orders_placed, orders_recognised]
  - formula: {name: no_more_is_recognised_than_placed, holds: "orders_recognised + coalesce(orders_cancelled, 0) <= orders_placed", severity: warn}
  - formula: {name: dates_are_known_with_an_order, holds: "(first_order_date is not null) = (orders_recognised > 0) and (last_order_date is not null) = (orders_recognised > 0) and (cohort_month is not null) = (orders_recognised > 0)"}
  - formula: {name: a_second_order_is_known_from_two_on, holds: "(second_order_date is not null) = (orders_recognised > 1) and (median_gap_days is not null) = (orders_recognised > 1)"}
  - formula: {name: dates_are_in_order, holds: "first_order_date <= coalesce(second_order_date, last_order_date) and coalesce(second_order_date, first_order_date) <= last_order_date"}
  - formula: {name: money_is_known_where_the_source_gives_money, holds: "(gross_revenue_minor is not null) = gives_money and (discounts_minor is not null) = gives_money and (net_revenue_minor is not null) = gives_money and (cancelled_value_minor is not null) = gives_money and (orders_cancelled is not null) = gives_money"}
  - formula: {name: nothing_else_is_known_without_money, holds: "gives_money or (coalesce(refunds_minor, net_after_refunds_minor, average_order_net_minor, orders_discounted) is null and is_discount_only is null)"}
  - formula: {name: gross_less_discounts_is_net, holds: "gross_revenue_minor - discounts_minor = net_revenue_minor", severity: warn}
metrics:
  customer_orders: {column: orders_recognised, version: 1, counts: recognised orders of the customer, holds: "orders_recognised <= orders_placed", example: {is: 2, where: "customer_key = 'cust_1'"}}
  customer_net_revenue: {column: net_revenue_minor, version: 1, counts: recognised orders of the customer, holds: "(net_revenue_minor is not null) = gives_money", example: {is: 6187, where: "customer_key = 'cust_1'"}}
  customer_discounts: {column: discounts_minor, version: 1, counts: recognised orders of the customer, holds: "(discounts_minor is not null) = gives_money", example: {is: 1513, where: "customer_key = 'cust_1'"}}
  customer_average_order_net: {column: average_order_net_minor, version: 1, counts: recognised orders of the customer, holds: "average_order_net_minor is null or (gives_money and orders_recognised > 0)", example: {is: 3094, where: "customer_key = 'cust_1'"}}
  customer_median_gap_days: {column: median_gap_days, version: 1, counts: recognised orders of the customer, holds: "(median_gap_days is not null) = (orders_recognised > 1)", example: {is: 1, where: "customer_key = 'cust_1'"}}
*/
select
    r.source,
    r.account,
    r.customer_key,
    r.currency,
    cast(max(r.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(r.gives_money) as gives_money,
    cast(count(*) as bigint) as orders_placed,
    cast(count(*) filter (where r.is_recognised) as bigint) as orders_recognised,
    case when bool_or(r.gives_money) then cast(count(*) filter (where r.status = 'cancelled') as bigint) end
        as orders_cancelled,
    cast(count(*) filter (where r.is_recognised and r.net_minor is null) as bigint) as orders_without_amount,
    case when count(r.order_kind) > 0 then cast(count(*) filter (where r.is_recognised and r.order_kind = 'rebill') as bigint) end
        as rebill_orders,
    min(r.order_date) filter (where r.is_recognised) as first_order_date,
    min(r.order_date) filter (where r.is_recognised and r.place = 2) as second_order_date,
    min(r.order_kind) filter (where r.is_recognised and r.place = 2) as second_order_kind,
    max(r.order_date) filter (where r.is_recognised) as last_order_date,
    min(r.order_month) filter (where r.is_recognised) as cohort_month,
    cast(date_diff(
        'day', min(r.order_date) filter (where r.is_recognised), max(r.order_date) filter (where r.is_recognised)
    ) as bigint) as days_first_to_last,
    cast(min(r.gap_days) filter (where r.is_recognised and 2 * r.gap_rank >= r.gaps) as bigint) as median_gap_days,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.gross_minor) filter (where r.is_recognised), 0) as bigint) end
        as gross_revenue_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.total_discount_minor) filter (where r.is_recognised), 0) as bigint) end
        as discounts_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.net_minor) filter (where r.is_recognised), 0) as bigint) end
        as net_revenue_minor,
    case when count(r.refunded_minor) > 0 then cast(coalesce(sum(r.refunded_minor) filter (where r.is_recognised), 0) as bigint) end
        as refunds_minor,
    case
        when count(r.refunded_net_minor) > 0
            and count(*) filter (where r.is_recognised and r.net_minor is not null and r.refunded_net_minor is null) = 0
            then cast(coalesce(sum(r.net_minor - r.refunded_net_minor) filter (where r.is_recognised), 0) as bigint)
    end as net_after_refunds_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.gross_minor) filter (where r.status = 'cancelled'), 0) as bigint) end
        as cancelled_value_minor,
    case
        when bool_or(r.gives_money) and count(*) filter (where r.is_recognised) > 0 then cast(
            (2 * coalesce(sum(r.net_minor) filter (where r.is_recognised), 0) + count(*) filter (where r.is_recognised))
            // (2 * count(*) filter (where r.is_recognised)) as bigint)
    end as average_order_net_minor,
    case
        when bool_or(r.gives_money)
            then cast(count(*) filter (where r.is_recognised and r.total_discount_minor > 0) as bigint)
    end as orders_discounted,
    case
        when not bool_or(r.gives_money) or count(*) filter (where r.is_recognised) = 0 then cast(null as boolean)
        when count(*) filter (where r.is_recognised and r.total_discount_minor = 0) > 0 then false
        when count(*) filter (where r.is_recognised and r.total_discount_minor is null) > 0 then cast(null as boolean)
        else true
    end as is_discount_only
from (
    select
        g.source,
        g.account,
        g.customer_key,
        g.currency,
        g.minor_unit_exponent,
        g.gives_money,
        g.status,
        g.is_recognised,
        g.order_kind,
        g.order_date,
        g.order_month,
        g.gross_minor,
        g.total_discount_minor,
        g.net_minor,
        g.refunded_minor,
        g.refunded_net_minor,
        g.place,
        g.gap_days,
        row_number() over (
            partition by g.source, g.account, g.customer_key, g.currency, g.is_recognised
            order by g.gap_days nulls last
        ) as gap_rank,
        count(g.gap_days) over (
            partition by g.source, g.account, g.customer_key, g.currency, g.is_recognised
        ) as gaps
    from (
        select
            o.source,
            o.account,
            o.customer_key,
            o.currency,
            o.minor_unit_exponent,
            o.gives_money,
            o.status,
            o.is_recognised,
            o.order_kind,
            o.order_date,
            o.order_month,
            o.gross_minor,
            o.total_discount_minor,
            o.net_minor,
            o.refunded_minor,
            o.refunded_net_minor,
            row_number() over (
                partition by o.source, o.account, o.customer_key, o.currency, o.is_recognised
                order by o.order_date, o.ordered_at, o.order_id
            ) as place,
            date_diff('day', lag(o.order_date) over (
                partition by o.source, o.account, o.customer_key, o.currency, o.is_recognised
                order by o.order_date, o.ordered_at, o.order_id
            ), o.order_date) as gap_days
        from core.orders as o
        where not o.is_test and not o.is_deleted and o.customer_key is not null
    ) as g
) as r
group by r.source, r.account, r.customer_key, r.currency
