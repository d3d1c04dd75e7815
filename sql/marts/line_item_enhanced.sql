/*
description: >
  Orders in the line-item columns that Fivetran's packages share, for reports written against them:
  one header row per order and one row per line. Amounts are major units. Order amounts stand on the
  header alone and line amounts on the lines alone, so each column can be summed. What no source
  tells is NULL in all rows. Cancelled orders are in; test and deleted ones are not.
grain: [source, account, header_id, line_item_index]
materialized: view
published_as: view
columns:
  header_id: Order id of the source.
  line_item_id: Order id and position of the line; no source gives every line an id of its own. NULL on headers.
  line_item_index: Position of the line in the order, from 1; 0 on headers.
  record_type: header or line_item.
  created_at: Creation time at the source, UTC.
  currency: ISO 4217 code.
  header_status: Common status of the order.
  product_id: Product id of the line, as far as the line says.
  product_name: Name as it stood on the line.
  transaction_type: Always NULL; no source lists payment transactions.
  billing_type: recurring for subscription orders, one_time for others; NULL where the source does not say.
  product_type: Always NULL; lines have no type.
  quantity: Units of the line; may have fractions.
  unit_amount: Price of one unit.
  discount_amount: All discounts of the order; header only.
  tax_amount: Tax of the order; header only, NULL when the source does not say.
  total_amount: Amount of the line before discounts; line_item only.
  payment_id: Always NULL; no source gives it.
  payment_method_id: Always NULL; no source gives it.
  payment_method: Always NULL; it is not read from any source.
  payment_at: When the order was paid, UTC; NULL when it was not or the source does not say.
  fee_amount: Shipping after its discount; header only, NULL when the source does not say. Tax on shipping is in tax_amount.
  refund_amount: All refunds of the order so far; header only, NULL when the source knows no refunds.
  subscription_id: Always NULL here; core.licenses has those of licenses.
  subscription_plan: Always NULL; no source gives it.
  subscription_period_started_at: Always NULL; no source gives it.
  subscription_period_ended_at: Always NULL; no source gives it.
  subscription_status: Always NULL; no source gives it.
  customer_id: Identity of the customer at the source; NULL for guests.
  customer_created_at: Always NULL; customers are not read on their own.
  customer_level: Always customer.
  customer_name: Always NULL; personal data is not modelled.
  customer_company: Always NULL; likewise.
  customer_email: Always NULL; likewise.
  customer_city: Always NULL; likewise.
  customer_country: Always NULL; likewise.
  source_relation: Source and account, as in voucherify/shop.
  source: Kind of API.
  account: Configured account.
checks:
  - unique: [source, account, header_id, line_item_index]
  - not_null: [header_id, line_item_index, record_type, currency, source_relation]
  - accepted_values: {record_type: [header, line_item]}
  - formula: {name: only_headers_have_index_zero, holds: "(record_type = 'header') = (line_item_index = 0)"}
*/
select
    h.order_id as header_id,
    cast(null as varchar) as line_item_id,
    cast(0 as bigint) as line_item_index,
    'header' as record_type,
    h.created_at,
    h.currency,
    h.status as header_status,
    cast(null as varchar) as product_id,
    cast(null as varchar) as product_name,
    cast(null as varchar) as transaction_type,
    case when h.order_kind = 'one_time' then 'one_time' when h.order_kind is not null then 'recurring' end as billing_type,
    cast(null as varchar) as product_type,
    cast(null as decimal(18, 4)) as quantity,
    cast(null as decimal(38, 3)) as unit_amount,
    cast(h.total_discount_minor * h.unit as decimal(38, 3)) as discount_amount,
    cast(h.tax_minor * h.unit as decimal(38, 3)) as tax_amount,
    cast(null as decimal(38, 3)) as total_amount,
    cast(null as varchar) as payment_id,
    cast(null as varchar) as payment_method_id,
    cast(null as varchar) as payment_method,
    h.paid_at as payment_at,
    cast((h.shipping_minor - coalesce(h.shipping_discount_minor, cast(0 as bigint))) * h.unit as decimal(38, 3)) as fee_amount,
    cast(h.refunded_minor * h.unit as decimal(38, 3)) as refund_amount,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as subscription_plan,
    cast(null as timestamptz) as subscription_period_started_at,
    cast(null as timestamptz) as subscription_period_ended_at,
    cast(null as varchar) as subscription_status,
    h.customer_key as customer_id,
    cast(null as timestamptz) as customer_created_at,
    'customer' as customer_level,
    cast(null as varchar) as customer_name,
    cast(null as varchar) as customer_company,
    cast(null as varchar) as customer_email,
    cast(null as varchar) as customer_city,
    cast(null as varchar) as customer_country,
    h.source || '/' || h.account as source_relation,
    h.source,
    h.account
from (
    select
        o.source,
        o.account,
        o.order_id,
        o.created_at,
        o.currency,
        o.status,
        o.order_kind,
        o.total_discount_minor,
        o.tax_minor,
        o.paid_at,
        o.shipping_minor,
        o.shipping_discount_minor,
        o.refunded_minor,
        o.customer_key,
        case o.minor_unit_exponent
            when 0 then cast(1 as decimal(4, 3))
            when 1 then cast(0.1 as decimal(4, 3))
            when 2 then cast(0.01 as decimal(4, 3))
            when 3 then cast(0.001 as decimal(4, 3))
        end as unit
    from core.orders as o
    where not o.is_test and not o.is_deleted
) as h
union all
select
    l.order_id as header_id,
    l.order_id || ':' || cast(l.line_no as varchar) as line_item_id,
    cast(l.line_no as bigint) as line_item_index,
    'line_item' as record_type,
    l.created_at,
    l.currency,
    l.status as header_status,
    l.product_id,
    l.product_name,
    cast(null as varchar) as transaction_type,
    case when l.order_kind = 'one_time' then 'one_time' when l.order_kind is not null then 'recurring' end as billing_type,
    cast(null as varchar) as product_type,
    cast(l.quantity as decimal(18, 4)) as quantity,
    cast(l.unit_price_minor * l.unit as decimal(38, 3)) as unit_amount,
    cast(null as decimal(38, 3)) as discount_amount,
    cast(null as decimal(38, 3)) as tax_amount,
    cast(l.gross_minor * l.unit as decimal(38, 3)) as total_amount,
    cast(null as varchar) as payment_id,
    cast(null as varchar) as payment_method_id,
    cast(null as varchar) as payment_method,
    l.paid_at as payment_at,
    cast(null as decimal(38, 3)) as fee_amount,
    cast(null as decimal(38, 3)) as refund_amount,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as subscription_plan,
    cast(null as timestamptz) as subscription_period_started_at,
    cast(null as timestamptz) as subscription_period_ended_at,
    cast(null as varchar) as subscription_status,
    l.customer_key as customer_id,
    cast(null as timestamptz) as customer_created_at,
    'customer' as customer_level,
    cast(null as varchar) as customer_name,
    cast(null as varchar) as customer_company,
    cast(null as varchar) as customer_email,
    cast(null as varchar) as customer_city,
    cast(null as varchar) as customer_country,
    l.source || '/' || l.account as source_relation,
    l.source,
    l.account
from (
    select
        i.source,
        i.account,
        i.order_id,
        i.line_no,
        i.currency,
        i.status,
        i.product_id,
        i.product_name,
        i.quantity,
        i.unit_price_minor,
        i.gross_minor,
        i.customer_key,
        p.created_at,
        p.order_kind,
        p.paid_at,
        case p.minor_unit_exponent
            when 0 then cast(1 as decimal(4, 3))
            when 1 then cast(0.1 as decimal(4, 3))
            when 2 then cast(0.01 as decimal(4, 3))
            when 3 then cast(0.001 as decimal(4, 3))
        end as unit
    from core.order_items as i
    inner join core.orders as p
        on p.source = i.source and p.account = i.account and p.order_id = i.order_id
    -- A part of a kit is on the kit's line already.
    where not p.is_test and not p.is_deleted and not i.is_kit_component
) as l
