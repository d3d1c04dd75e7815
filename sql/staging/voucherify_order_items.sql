/*
description: >
  The lines of every Voucherify order version, typed. One row per array position, because the same
  product may stand on two lines and line ids are usually missing.
grain: [version_id, line_no]
refresh_key: version_id
columns:
  version_id: Order version the line belongs to (raw.order_payloads).
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always voucherify here.
  account: Configured account.
  order_id: Voucherify order id.
  line_no: Position of the line in the order, from 1.
  product_id: Voucherify product id, or the shop's own product id where only that is given.
  sku_id: Voucherify SKU id, or the shop's own SKU id where only that is given.
  product_name: Name as it stood on the line.
  quantity: Units, after discounts added or removed units.
  initial_quantity: Units before any discount added or removed some; NULL when the source does not say.
  unit_price_minor: Price of one unit, minor units.
  gross_minor: Line amount before discounts, minor units.
  initial_amount_minor: Line amount before any discount added units; NULL when the source does not say.
  discount_minor: Item-level discounts of the line, minor units; an absent key is zero by contract.
  net_minor: Line amount after item-level discounts, minor units.
  is_product: False for pseudo-items such as shipping (setting non_product_items).
  quarantine_reason: Why the line cannot be typed; NULL when it can.
checks:
  - unique: [version_id, line_no]
  - not_null: [version_id, order_id, line_no]
*/
select
    t.version_id,
    t.order_key,
    t.source,
    t.account,
    t.order_id,
    cast(t.line_no as integer) as line_no,
    t.product_id,
    t.sku_id,
    t.product_name,
    case when t.quantity_ok then cast(cast(t.quantity as decimal(38, 10)) as bigint) end as quantity,
    case when t.initial_quantity_ok then cast(cast(t.initial_quantity as decimal(38, 10)) as bigint) end as initial_quantity,
    case when t.price_ok then cast(cast(t.price as decimal(38, 10)) as bigint) end as unit_price_minor,
    case when t.amount_ok then cast(cast(t.amount as decimal(38, 10)) as bigint) end as gross_minor,
    case when t.initial_amount_ok then cast(cast(t.initial_amount as decimal(38, 10)) as bigint) end as initial_amount_minor,
    case
        when t.discount is null then cast(0 as bigint)
        when t.discount_ok then cast(cast(t.discount as decimal(38, 10)) as bigint)
    end as discount_minor,
    case
        when t.subtotal_ok then cast(cast(t.subtotal as decimal(38, 10)) as bigint)
        when t.subtotal is null and t.amount_ok and t.discount is null
            then cast(cast(t.amount as decimal(38, 10)) as bigint)
        when t.subtotal is null and t.amount_ok and t.discount_ok
            then cast(cast(t.amount as decimal(38, 10)) as bigint) - cast(cast(t.discount as decimal(38, 10)) as bigint)
    end as net_minor,
    n.value is null as is_product,
    case
        when not coalesce(t.quantity_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].quantity is not a whole number of units: ' || substr(t.quantity, 1, 80)
        when not coalesce(t.initial_quantity_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].initial_quantity is not a whole number of units: ' || substr(t.initial_quantity, 1, 80)
        when not coalesce(t.price_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].price is not an amount in minor units: ' || substr(t.price, 1, 80)
        when not coalesce(t.amount_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].amount is not an amount in minor units: ' || substr(t.amount, 1, 80)
        when not coalesce(t.initial_amount_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].initial_amount is not an amount in minor units: ' || substr(t.initial_amount, 1, 80)
        when not coalesce(t.discount_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].discount_amount is not an amount in minor units: ' || substr(t.discount, 1, 80)
        when not coalesce(t.subtotal_ok, true) then 'items[' || cast(t.line_no - 1 as varchar) || '].subtotal_amount is not an amount in minor units: ' || substr(t.subtotal, 1, 80)
    end as quarantine_reason
from (
    select
        j.version_id,
        j.order_key,
        j.source,
        j.account,
        j.order_id,
        j.line_no,
        coalesce(
            json_extract_string(j.item, '$.product_id'),
            json_extract_string(j.item, '$.product.id'),
            case when coalesce(json_extract_string(j.item, '$.related_object'), 'product') = 'product'
                then json_extract_string(j.item, '$.source_id') end,
            json_extract_string(j.item, '$.product.source_id')
        ) as product_id,
        coalesce(
            json_extract_string(j.item, '$.sku_id'),
            json_extract_string(j.item, '$.sku.id'),
            case when json_extract_string(j.item, '$.related_object') = 'sku'
                then json_extract_string(j.item, '$.source_id') end,
            json_extract_string(j.item, '$.sku.source_id')
        ) as sku_id,
        coalesce(json_extract_string(j.item, '$.product.name'), json_extract_string(j.item, '$.sku.sku')) as product_name,
        json_extract_string(j.item, '$.quantity') as quantity,
        json_extract_string(j.item, '$.initial_quantity') as initial_quantity,
        json_extract_string(j.item, '$.price') as price,
        json_extract_string(j.item, '$.amount') as amount,
        json_extract_string(j.item, '$.initial_amount') as initial_amount,
        json_extract_string(j.item, '$.discount_amount') as discount,
        json_extract_string(j.item, '$.subtotal_amount') as subtotal,
        -- 18 digits always fit a BIGINT; a decimal point may only be followed by zeros.
        regexp_matches(json_extract_string(j.item, '$.quantity'), '^[0-9]{1,18}([.]0+)?$') as quantity_ok,
        regexp_matches(json_extract_string(j.item, '$.initial_quantity'), '^[0-9]{1,18}([.]0+)?$') as initial_quantity_ok,
        regexp_matches(json_extract_string(j.item, '$.price'), '^[0-9]{1,18}([.]0+)?$') as price_ok,
        regexp_matches(json_extract_string(j.item, '$.amount'), '^[0-9]{1,18}([.]0+)?$') as amount_ok,
        regexp_matches(json_extract_string(j.item, '$.initial_amount'), '^[0-9]{1,18}([.]0+)?$') as initial_amount_ok,
        regexp_matches(json_extract_string(j.item, '$.discount_amount'), '^[0-9]{1,18}([.]0+)?$') as discount_ok,
        regexp_matches(json_extract_string(j.item, '$.subtotal_amount'), '^[0-9]{1,18}([.]0+)?$') as subtotal_ok
    from (
        select
            u.version_id,
            u.order_key,
            u.source,
            u.account,
            u.order_id,
            u.line_no,
            json_extract(u.payload, '$.items[' || cast(u.line_no - 1 as varchar) || ']') as item
        from (
            select
                p.version_id,
                p.order_key,
                p.source,
                p.account,
                p.order_id,
                p.payload,
                unnest(range(1, array_length(cast(json_extract(p.payload, '$.items') as varchar[])) + 1)) as line_no
            from raw.order_payloads as p
            where p.source = 'voucherify' and p.quarantine_reason is null and p.channel not in ('export', 'gone')
        ) as u
    ) as j
) as t
left join (
    select distinct l.source, l.account, l.value
    from ops.account_lists as l
    where l.list_name = 'non_product_items'
) as n
    on n.source = t.source and n.account = t.account and n.value = coalesce(t.product_id, t.sku_id)
