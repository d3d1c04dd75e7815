/*
description: >
  What the lines of orders add up to per business date, products and other lines apart, test orders
  excluded. marts.daily_products shows the other lines; core.line_remainders takes all of them off what
  the orders say.
grain: [source, account, order_date, currency, minor_unit_exponent, gives_money, kind]
counted_by: order_key
columns:
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is 0.
  kind: product, or other_line for lines that are no product.
  orders_placed: Orders with such a line in any status.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders.
  guest_orders: Recognised orders without a customer.
  lines_without_price: Recognised lines whose amount the source does not say; they add nothing to the sums.
  gross_minor: Amount of recognised lines before discounts, as far as it is said.
  item_discount_minor: Item-level discounts of these.
  order_discount_minor: Share of the order-level discounts of these.
  net_revenue_minor: Amount after both.
  cancelled_gross_minor: Gross amount of lines of cancelled orders.
  orders_with_refunds_known: Orders of which the source says what was refunded, be it nothing.
  refunded_minor: Refunds so far on recognised lines.
checks:
  - unique: [source, account, order_date, currency, kind]
  - not_null: [order_date, currency, gives_money, kind, orders_placed]
*/
select
    l.source,
    l.account,
    l.order_date,
    l.currency,
    l.minor_unit_exponent,
    l.gives_money,
    l.kind,
    count(*) as orders_placed,
    count(*) filter (where l.is_recognised) as orders_recognised,
    count(*) filter (where l.is_cancelled) as orders_cancelled,
    count(*) filter (where l.is_recognised and l.customer_key is null) as guest_orders,
    cast(coalesce(sum(l.lines_without_price), 0) as bigint) as lines_without_price,
    cast(coalesce(sum(l.gross_minor) filter (where l.is_recognised), 0) as bigint) as gross_minor,
    cast(coalesce(sum(l.item_discount_minor) filter (where l.is_recognised), 0) as bigint) as item_discount_minor,
    cast(coalesce(sum(l.order_discount_minor) filter (where l.is_recognised), 0) as bigint) as order_discount_minor,
    cast(coalesce(sum(l.net_revenue_minor) filter (where l.is_recognised), 0) as bigint) as net_revenue_minor,
    cast(coalesce(sum(l.gross_minor) filter (where l.is_cancelled), 0) as bigint) as cancelled_gross_minor,
    count(l.refunded_minor) as orders_with_refunds_known,
    cast(coalesce(sum(l.refunded_minor) filter (where l.is_recognised), 0) as bigint) as refunded_minor
from (
    select
        i.order_key,
        i.source,
        i.account,
        i.order_date,
        i.currency,
        i.minor_unit_exponent,
        i.gives_money,
        case when i.is_product then 'product' else 'other_line' end as kind,
        i.order_id,
        i.is_recognised,
        i.status = 'cancelled' as is_cancelled,
        i.customer_key,
        count(*) filter (where i.is_recognised and i.net_revenue_minor is null) as lines_without_price,
        sum(i.gross_minor) as gross_minor,
        sum(i.discount_minor) as item_discount_minor,
        sum(i.order_discount_share_minor) as order_discount_minor,
        sum(i.net_revenue_minor) as net_revenue_minor,
        sum(i.refunded_minor) as refunded_minor
    from core.order_items as i
    where not i.is_test and not i.is_kit_component
    group by
        i.order_key, i.source, i.account, i.order_date, i.currency, i.minor_unit_exponent, i.gives_money, i.is_product,
        i.order_id, i.is_recognised, i.status, i.customer_key
) as l
group by l.source, l.account, l.order_date, l.currency, l.minor_unit_exponent, l.gives_money, l.kind
