/*
description: >
  The lines of every UltraCart order version, typed. One row per array position. The parts of a kit
  are lines as well and have no value of their own; they are no products here.
grain: [version_id, line_no]
refresh_key: version_id
columns:
  version_id: Order version the line belongs to (raw.order_payloads).
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API, always ultracart here.
  account: Configured account.
  order_id: UltraCart order id.
  line_no: Position of the line in the order, from 1.
  product_id: Item id (merchant_item_id), which is the shop's SKU.
  product_name: First line of the item's description; others may hold activation codes.
  is_product: False for parts of a kit and for pseudo-items (setting non_product_items).
  is_kit_component: True for a part of a kit, whose value stands on the kit's line.
  quantity: Units; may have fractions.
  quantity_refunded: Units refunded so far.
  unit_price_minor: Price of one unit before discounts, minor units; NULL where it has a fraction of one.
  gross_minor: Quantity times price, minor units; NULL where that has a fraction of one. At least the net, which has the options' prices in it.
  discount_minor: Gross less net, minor units; NULL where one of them is not known.
  net_minor: Line amount after discounts as the source says, else the gross, minor units.
  refunded_minor: Refunds of the line so far, minor units.
  quarantine_reason: Why the line cannot be typed; NULL when it can.
checks:
  - unique: [version_id, line_no]
  - not_null: [version_id, order_id, line_no]
*/
select
    m.version_id,
    m.order_key,
    m.source,
    m.account,
    m.order_id,
    cast(m.line_no as integer) as line_no,
    m.product_id,
    m.product_name,
    n.value is null and not m.is_kit_component as is_product,
    m.is_kit_component,
    cast(m.quantity as decimal(18, 4)) as quantity,
    cast(case when m.quantity_refunded_text is null then cast(0 as decimal(11, 4)) else m.quantity_refunded end as decimal(18, 4)) as quantity_refunded,
    case when cast(m.price as decimal(17, 0)) = m.price then cast(m.price as bigint) end as unit_price_minor,
    case
        when m.net > m.gross then cast(m.net as bigint)
        when cast(m.gross as decimal(17, 0)) = m.gross then cast(m.gross as bigint)
    end as gross_minor,
    case
        when m.net > m.gross then cast(0 as bigint)
        when cast(m.gross as decimal(17, 0)) = m.gross then cast(m.gross - m.net as bigint)
    end as discount_minor,
    case
        when cast(m.net as decimal(17, 0)) = m.net then cast(m.net as bigint)
        when m.net is null and cast(m.gross as decimal(17, 0)) = m.gross then cast(m.gross as bigint)
    end as net_minor,
    case
        when m.refunded_text is null then cast(0 as bigint)
        when cast(m.refunded as decimal(17, 0)) = m.refunded then cast(m.refunded as bigint)
    end as refunded_minor,
    case
        when substr(coalesce(m.item_text, 'null'), 1, 1) <> '{' then m.place || ' is not an item: ' || substr(coalesce(m.item_text, 'null'), 1, 80)
        when m.quantity_text is not null and m.quantity is null then m.place || '.quantity is not a number of units: ' || substr(m.quantity_text, 1, 80)
        when m.quantity_refunded_text is not null and m.quantity_refunded is null then m.place || '.quantity_refunded is not a number of units: ' || substr(m.quantity_refunded_text, 1, 80)
        when m.price_text is not null and m.price is null then m.place || '.cost is not an amount: ' || substr(m.price_text, 1, 80)
        when m.net_text is not null and m.net is null then m.place || '.total_cost_with_discount is not an amount: ' || substr(m.net_text, 1, 80)
        when m.refunded_text is not null and m.refunded is null then m.place || '.total_refunded is not an amount: ' || substr(m.refunded_text, 1, 80)
        when cast(m.net as decimal(17, 0)) <> m.net then m.place || '.total_cost_with_discount has more decimals than ' || m.currency || ': ' || substr(m.net_text, 1, 80)
        when cast(m.refunded as decimal(17, 0)) <> m.refunded then m.place || '.total_refunded has more decimals than ' || m.currency || ': ' || substr(m.refunded_text, 1, 80)
    end as quarantine_reason
from (
    select
        t.version_id,
        t.order_key,
        t.source,
        t.account,
        t.order_id,
        t.currency,
        t.line_no,
        'items[' || cast(t.line_no - 1 as varchar) || ']' as place,
        t.item_text,
        t.product_id,
        t.product_name,
        t.is_kit_component,
        t.quantity_text,
        t.quantity_refunded_text,
        t.price_text,
        t.net_text,
        t.refunded_text,
        t.quantity,
        t.quantity_refunded,
        -- In minor units; decimals are left where the amount is no whole number of them.
        t.price * t.minor_units as price,
        t.quantity * t.price * t.minor_units as gross,
        t.net * t.minor_units as net,
        t.refunded * t.minor_units as refunded
    from (
        select
            c.version_id,
            c.order_key,
            c.source,
            c.account,
            c.order_id,
            c.line_no,
            a.currency,
            case a.minor_unit_exponent
                when 0 then cast(1 as decimal(5, 0))
                when 1 then cast(10 as decimal(5, 0))
                when 2 then cast(100 as decimal(5, 0))
                when 3 then cast(1000 as decimal(5, 0))
                when 4 then cast(10000 as decimal(5, 0))
            end as minor_units,
            c.item_text,
            c.product_id,
            c.product_name,
            c.is_kit_component,
            c.quantity_text,
            c.quantity_refunded_text,
            c.price_text,
            c.net_text,
            c.refunded_text,
            case when regexp_matches(c.quantity_text, '^[0-9]{1,7}([.][0-9]{1,4}0*)?$') then cast(c.quantity_text as decimal(11, 4)) end as quantity,
            case
                when regexp_matches(c.quantity_refunded_text, '^[0-9]{1,7}([.][0-9]{1,4}0*)?$')
                    then cast(c.quantity_refunded_text as decimal(11, 4))
            end as quantity_refunded,
            try_cast(case when regexp_matches(c.price_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then c.price_text end as decimal(20, 8)) as price,
            try_cast(case when regexp_matches(c.net_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then c.net_text end as decimal(20, 8)) as net,
            try_cast(case when regexp_matches(c.refunded_text, '^[0-9]{1,12}([.][0-9]{1,8})?([eE][+]?[0-9]{1,2})?$') then c.refunded_text end as decimal(20, 8)) as refunded
        from (
            select
                j.version_id,
                j.order_key,
                j.source,
                j.account,
                j.order_id,
                j.line_no,
                json_extract_string(j.item, '$') as item_text,
                json_extract_string(j.item, '$.merchant_item_id') as product_id,
                regexp_extract(json_extract_string(j.item, '$.description'), '^.*') as product_name,
                coalesce(json_extract_string(j.item, '$.kit_component') = 'true', false) as is_kit_component,
                json_extract_string(j.item, '$.quantity') as quantity_text,
                json_extract_string(j.item, '$.quantity_refunded') as quantity_refunded_text,
                coalesce(json_extract_string(j.item, '$.cost.value'), 'no value in ' || json_extract_string(j.item, '$.cost')) as price_text,
                coalesce(
                    json_extract_string(j.item, '$.total_cost_with_discount.value'),
                    'no value in ' || json_extract_string(j.item, '$.total_cost_with_discount')
                ) as net_text,
                coalesce(
                    json_extract_string(j.item, '$.total_refunded.value'),
                    'no value in ' || json_extract_string(j.item, '$.total_refunded')
                ) as refunded_text
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
                    where p.source = 'ultracart' and p.quarantine_reason is null and p.channel <> 'gone'
                ) as u
            ) as j
        ) as c
        inner join ops.accounts as a on a.source = c.source and a.account = c.account
    ) as t
) as m
left join (
    select distinct l.source, l.account, l.value
    from ops.account_lists as l
    where l.list_name = 'non_product_items'
) as n
    on n.source = m.source and n.account = m.account and n.value = m.product_id
