/*
description: >
  What the lines of orders say of each product per business date, test orders excluded. marts.daily_products
  shows it, with what is no product beside it. Its slices are finer than a day, so a changed order costs
  the lines of its products, not those of its day.
grain: [source, account, order_date, currency, product_key]
refresh_key: day_product
columns:
  day_product: Business date and product in one text; slices, not identity.
  source: Kind of API.
  account: Configured account.
  order_date: Business date in the account's time zone.
  currency: ISO 4217 code.
  product_key: What products are told apart by, as in core.order_items.
  product_name: Name as it stood on the lines; the last in the alphabet when there were several.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  gives_money: False when the source knows no money; then every amount is NULL.
  orders_placed: Orders with the product in any status.
  orders_recognised: Of these, orders whose status counts as revenue.
  orders_cancelled: Of these, cancelled orders; NULL where the source knows no money.
  buyers: Distinct known customers with such a recognised order.
  guest_orders: Recognised orders without a customer.
  lines_without_price: Recognised lines whose amount the source does not say; NULL where the source knows no money.
  units: Units on recognised orders; NULL when no line says.
  units_cancelled: Units on cancelled orders; NULL likewise and where the source knows no money.
  gross_minor: Amount of recognised lines before discounts, as far as it is said.
  item_discount_minor: Item-level discounts of these.
  order_discount_minor: Share of the order-level discounts of these.
  net_revenue_minor: Amount after both.
  cancelled_gross_minor: Gross amount of lines of cancelled orders.
  units_refunded: Units refunded so far on recognised orders; NULL when the source knows no refunds.
  refunded_minor: Refunds so far on these lines; NULL when the source knows no refunds.
  min_unit_price_minor: Lowest price of one unit on recognised lines.
  max_unit_price_minor: Highest price of one unit on recognised lines.
checks:
  - unique: [source, account, order_date, currency, product_key]
  - not_null: [day_product, order_date, currency, product_key, gives_money]
*/
-- One row per order and product first: counting rows is much cheaper than counting distinct orders.
with order_products as (
    select
        l.day_product,
        l.source,
        l.account,
        l.order_date,
        l.currency,
        l.product_key,
        l.order_id,
        bool_or(l.is_recognised) as is_recognised,
        bool_or(l.is_cancelled) as is_cancelled,
        max(l.customer_key) as customer_key,
        max(l.product_name) as product_name,
        max(l.minor_unit_exponent) as minor_unit_exponent,
        bool_or(l.gives_money) as gives_money,
        count(*) filter (where l.is_recognised and l.net_revenue_minor is null) as lines_without_price,
        sum(l.quantity) as units,
        sum(l.gross_minor) as gross_minor,
        sum(l.discount_minor) as item_discount_minor,
        sum(l.order_discount_share_minor) as order_discount_minor,
        sum(l.net_revenue_minor) as net_revenue_minor,
        sum(l.quantity_refunded) as units_refunded,
        sum(l.refunded_minor) as refunded_minor,
        min(l.unit_price_minor) as min_unit_price_minor,
        max(l.unit_price_minor) as max_unit_price_minor
    from (
        select
            i.day_product,
            i.source,
            i.account,
            i.order_date,
            i.currency,
            i.order_id,
            i.is_recognised,
            i.status = 'cancelled' as is_cancelled,
            i.customer_key,
            i.minor_unit_exponent,
            i.gives_money,
            i.product_key,
            i.product_name,
            i.quantity,
            i.quantity_refunded,
            i.unit_price_minor,
            i.gross_minor,
            i.discount_minor,
            i.order_discount_share_minor,
            i.net_revenue_minor,
            i.refunded_minor
        from core.order_items as i
        where i.is_product and not i.is_test and not i.is_kit_component
    ) as l
    group by l.day_product, l.source, l.account, l.order_date, l.currency, l.product_key, l.order_id
)

select
    r.day_product,
    r.source,
    r.account,
    r.order_date,
    r.currency,
    r.product_key,
    max(r.product_name) as product_name,
    cast(max(r.minor_unit_exponent) as integer) as minor_unit_exponent,
    bool_or(r.gives_money) as gives_money,
    cast(count(*) as bigint) as orders_placed,
    cast(count(*) filter (where r.is_recognised) as bigint) as orders_recognised,
    case when bool_or(r.gives_money) then cast(count(*) filter (where r.is_cancelled) as bigint) end as orders_cancelled,
    cast(count(distinct case when r.is_recognised then r.customer_key end) as bigint) as buyers,
    cast(count(*) filter (where r.is_recognised and r.customer_key is null) as bigint) as guest_orders,
    case when bool_or(r.gives_money) then cast(sum(r.lines_without_price) as bigint) end as lines_without_price,
    case
        when count(r.units) filter (where r.is_recognised) > 0 or count(*) filter (where r.is_recognised) = 0
            then cast(coalesce(sum(r.units) filter (where r.is_recognised), 0) as decimal(28, 4))
    end as units,
    case
        when bool_or(r.gives_money)
            and (count(r.units) filter (where r.is_cancelled) > 0 or count(*) filter (where r.is_cancelled) = 0)
            then cast(coalesce(sum(r.units) filter (where r.is_cancelled), 0) as decimal(28, 4))
    end as units_cancelled,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.gross_minor) filter (where r.is_recognised), 0) as bigint) end
        as gross_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.item_discount_minor) filter (where r.is_recognised), 0) as bigint) end
        as item_discount_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.order_discount_minor) filter (where r.is_recognised), 0) as bigint) end
        as order_discount_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.net_revenue_minor) filter (where r.is_recognised), 0) as bigint) end
        as net_revenue_minor,
    case when bool_or(r.gives_money) then cast(coalesce(sum(r.gross_minor) filter (where r.is_cancelled), 0) as bigint) end
        as cancelled_gross_minor,
    case
        when count(r.units_refunded) > 0
            then cast(coalesce(sum(r.units_refunded) filter (where r.is_recognised), 0) as decimal(28, 4))
    end as units_refunded,
    case
        when count(r.refunded_minor) > 0
            then cast(coalesce(sum(r.refunded_minor) filter (where r.is_recognised), 0) as bigint)
    end as refunded_minor,
    min(r.min_unit_price_minor) filter (where r.is_recognised) as min_unit_price_minor,
    max(r.max_unit_price_minor) filter (where r.is_recognised) as max_unit_price_minor
from order_products as r
group by r.day_product, r.source, r.account, r.order_date, r.currency, r.product_key
