"""The sums of an order, from its lines."""

from typing import Any

from orders_connector.sandbox.ultracart.money import Foreign, money

__all__ = ["item_line", "kit_lines", "summarise"]

Order = dict[str, Any]


def item_line(
    index: int, sku: str, name: str, quantity: float, price: int, off_percent: int, *, cogs: int
) -> Order:
    """Return a line in base currency, money in cents, to be written by `summarise`.

    Args:
        index: from 1, unique in the order.
        sku: item id.
        name: description.
        quantity: how many units.
        price: of one unit, in cents.
        off_percent: discount.
        cogs: of one unit, in cents.
    """
    unit = price * (100 - off_percent) // 100
    line = round(unit * quantity)
    return {
        "merchant_item_id": sku,
        "quantity": quantity,
        "description": name,
        "cost": price,
        "discount": round(price * quantity) - line,
        "item_reference_oid": 500_000 + index,
        "unit_cost_with_discount": unit,
        "total_cost_with_discount": line,
        "distribution_center_code": "DFLT",
        "tax_product_type": "",
        "item_index": index,
        "cogs": cogs / 100,
    }


def kit_lines(parent: Order, parts: list[tuple[str, str, int, int]]) -> list[Order]:
    """Return the component lines of a kit: no money, only a `component_unit_value`.

    Args:
        parent: the kit's line.
        parts: sku, name, quantity per kit, worth in cents.
    """
    first = parent["item_index"] + 1
    lines = []
    for place, (sku, name, quantity, worth) in enumerate(parts):
        line = item_line(first + place, sku, name, quantity * parent["quantity"], 0, 0, cogs=0)
        lines.append(
            line
            | {
                "kit_component": True,
                "parent_item_index": parent["item_index"],
                "parent_merchant_item_id": parent["merchant_item_id"],
                "component_unit_value": worth / 100,
            }
        )
    return lines


def summarise(
    lines: list[Order],
    *,
    shipping: int,
    shipping_discount: int,
    tax_rate: float,
    tax_shipping: bool,
    extra: int,
    foreign: Foreign | None,
) -> tuple[list[Order], Order]:
    """Write the lines' money as currency objects and sum them up.

    Args:
        lines: as `item_line` and `kit_lines` make them.
        shipping: in cents.
        shipping_discount: in cents.
        tax_rate: fraction.
        tax_shipping: whether shipping is taxed as well.
        extra: charges beside the summary (gift charge, surcharge), part of the total; cents.
        foreign: the shopper's currency, if it is another.

    Returns:
        tuple[list[Order], Order]: the items and the `summary`.
    """
    subtotal = sum(round(line["cost"] * line["quantity"]) for line in lines)
    discount = sum(line["discount"] for line in lines)
    taxable = (subtotal + (shipping if tax_shipping else 0)) if tax_rate else 0
    taxable_discount = discount if tax_rate else 0
    tax = round(tax_rate * (taxable - taxable_discount))
    total = subtotal - discount + shipping - shipping_discount + tax + extra
    amounts = {
        "shipping_handling_total": shipping,
        "subtotal": subtotal,
        "tax": tax,
        "total": total,
        "shipping_handling_total_discount": shipping_discount,
        "subtotal_discount": discount,
        "taxable_subtotal_discount": taxable_discount,
        "taxable_subtotal": taxable,
    }
    written = ("cost", "discount", "unit_cost_with_discount", "total_cost_with_discount")
    items = [line | {key: money(line[key], foreign) for key in written} for line in lines]
    return items, {key: money(amount, foreign) for key, amount in amounts.items()}
