/*
description: >
  The lines of every order as it stands now, each with its share of the order-level discounts.
  Orders of which only the header is known have none yet (detail_level of core.orders).
grain: [source, account, order_id, line_no]
refresh_key: order_key
columns:
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  line_no: Position of the line in the order, from 1.
  order_date: Business date of the order.
  order_month: First day of that date's month.
  customer_key: Identity of the customer at the source; NULL for guests.
  gives_money: False when the source knows no money.
  status: Common status of the order.
  is_recognised: True when the order counts as revenue.
  is_test: True for a test order.
  currency: ISO 4217 code.
  minor_unit_exponent: Decimals of the currency's minor unit; NULL for an unknown currency.
  product_key: Product id, else SKU id, else name, else (unknown); what products are told apart by.
  day_product: Business date and product in one text; NULL for what is no product. Slices of core.product_days, not identity.
  product_id: Product id, as far as the line says.
  sku_id: SKU id, as far as the line says.
  product_name: Name as it stood on the line.
  is_product: False for lines that are no product of their own, such as shipping or the parts of a kit.
  is_kit_component: True for a part of a kit, whose value stands on the kit's line.
  quantity: Units; may have fractions.
  initial_quantity: Units before any discount added some; NULL when the source does not say.
  quantity_refunded: Units refunded so far; NULL when the source knows no refunds.
  unit_price_minor: Price of one unit, minor units.
  gross_minor: Line amount before discounts, minor units.
  initial_amount_minor: Line amount before any discount added units; NULL when the source does not say.
  discount_minor: Item-level discounts, minor units.
  net_minor: Line amount after item-level discounts, minor units.
  order_discount_share_minor: Share of the order-level discounts by net_minor, minor units; largest remainders get the odd units, so that shares add up. NULL when no line has a price to share by.
  net_revenue_minor: Line amount after its own discounts and its share of the order's, minor units.
  refunded_minor: Refunds of the line so far, minor units; NULL when the source knows no refunds.
checks:
  - unique: [source, account, order_id, line_no]
  - not_null: [order_id, line_no, order_date, currency]
  - relation: {columns: [source, account, order_id], to: core.orders}
  - formula: {name: line_net_is_gross_less_discount, holds: "net_minor = gross_minor - discount_minor", severity: warn}
  - formula: {name: net_revenue_is_net_less_its_share, holds: "net_revenue_minor = net_minor - order_discount_share_minor"}
  # No source promises that lines add up to the amount of the order; but what is taken off them does.
  - totals:
      name: discounts_of_lines_are_those_of_the_order
      by: [source, account, order_id]
      sum: gross_minor - net_revenue_minor
      where: >-
        not is_kit_component and order_key in (
        select i.order_key from core.order_items as i where i.gives_money and not i.is_kit_component
        group by i.order_key having count(*) = count(i.gross_minor - i.net_revenue_minor))
      to: core.orders
      their_sum: gross_minor - net_minor
      their_where: >-
        order_key in (
        select i.order_key from core.order_items as i where i.gives_money and not i.is_kit_component
        group by i.order_key having count(*) = count(i.gross_minor - i.net_revenue_minor))
      severity: warn
*/
select
    s.order_key,
    s.source,
    s.account,
    s.order_id,
    s.line_no,
    s.order_date,
    s.order_month,
    s.customer_key,
    s.gives_money,
    s.status,
    s.is_recognised,
    s.is_test,
    s.currency,
    s.minor_unit_exponent,
    coalesce(s.product_id, s.sku_id, s.product_name, '(unknown)') as product_key,
    case
        when s.is_product
            then cast(s.order_date as varchar) || ' ' || coalesce(s.product_id, s.sku_id, s.product_name, '(unknown)')
    end as day_product,
    s.product_id,
    s.sku_id,
    s.product_name,
    s.is_product,
    s.is_kit_component,
    s.quantity,
    s.initial_quantity,
    s.quantity_refunded,
    s.unit_price_minor,
    s.gross_minor,
    s.initial_amount_minor,
    s.discount_minor,
    s.net_minor,
    s.share_minor as order_discount_share_minor,
    s.net_minor - s.share_minor as net_revenue_minor,
    s.refunded_minor
from (
    select
        r.order_key,
        r.source,
        r.account,
        r.order_id,
        r.line_no,
        r.order_date,
        r.order_month,
        r.customer_key,
        r.gives_money,
        r.status,
        r.is_recognised,
        r.is_test,
        r.currency,
        r.minor_unit_exponent,
        r.product_id,
        r.sku_id,
        r.product_name,
        r.is_product,
        r.is_kit_component,
        r.quantity,
        r.initial_quantity,
        r.quantity_refunded,
        r.unit_price_minor,
        r.gross_minor,
        r.initial_amount_minor,
        r.discount_minor,
        r.net_minor,
        r.refunded_minor,
        case
            when r.order_discount_minor = 0 then cast(0 as bigint)
            when r.weights > 0 then r.whole_minor + case
                when row_number() over (
                    partition by r.source, r.account, r.order_id order by r.remainder desc, r.line_no
                ) <= r.order_discount_minor - sum(r.whole_minor) over (partition by r.source, r.account, r.order_id)
                    then cast(1 as bigint)
                else cast(0 as bigint)
            end
        end as share_minor
    from (
        select
            w.order_key,
            w.source,
            w.account,
            w.order_id,
            w.line_no,
            w.order_date,
            w.order_month,
            w.customer_key,
            w.gives_money,
            w.status,
            w.is_recognised,
            w.is_test,
            w.currency,
            w.minor_unit_exponent,
            w.product_id,
            w.sku_id,
            w.product_name,
            w.is_product,
            w.is_kit_component,
            w.quantity,
            w.initial_quantity,
            w.quantity_refunded,
            w.unit_price_minor,
            w.gross_minor,
            w.initial_amount_minor,
            w.discount_minor,
            w.net_minor,
            w.refunded_minor,
            w.order_discount_minor,
            w.weights,
            w.product % nullif(w.weights, 0) as remainder,
            -- What is divided is a multiple of the divisor, so nothing is rounded.
            cast(round((w.product - w.product % nullif(w.weights, 0)) / nullif(w.weights, 0)) as bigint) as whole_minor
        from (
            select
                i.order_key,
                i.source,
                i.account,
                i.order_id,
                i.line_no,
                o.order_date,
                o.order_month,
                o.customer_key,
                o.gives_money,
                o.status,
                o.is_recognised,
                o.is_test,
                o.currency,
                o.minor_unit_exponent,
                o.order_discount_minor,
                i.product_id,
                i.sku_id,
                i.product_name,
                i.is_product,
                i.is_kit_component,
                i.quantity,
                i.initial_quantity,
                i.quantity_refunded,
                i.unit_price_minor,
                i.gross_minor,
                i.initial_amount_minor,
                i.discount_minor,
                i.net_minor,
                i.refunded_minor,
                cast(case when i.net_minor > 0 and not i.is_kit_component then i.net_minor else 0 end as decimal(19, 0))
                    * cast(o.order_discount_minor as decimal(19, 0)) as product,
                cast(sum(case when i.net_minor > 0 and not i.is_kit_component then i.net_minor else 0 end) over (
                    partition by i.source, i.account, i.order_id
                ) as decimal(38, 0)) as weights
            from core.orders as o
            inner join staging.order_items as i on i.order_key = o.order_key and i.version_id = o.version_id
            where not o.is_deleted
        ) as w
    ) as r
) as s
