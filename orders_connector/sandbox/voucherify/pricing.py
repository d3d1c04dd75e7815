"""What items and orders cost, and what a rollback takes back.

Amounts are integers in the smallest currency unit. Keys of zero discounts are absent.
"""

from collections.abc import Callable, Mapping
from typing import Any

from orders_connector.sandbox.voucherify.errors import bad_payload

__all__ = [
    "STATUSES",
    "given",
    "in_order",
    "mark_rolled_back",
    "priced_items",
    "set_totals",
    "strip_discounts",
]

Order = dict[str, Any]
Item = dict[str, Any]

STATUSES = ("CREATED", "PAID", "CANCELED", "FULFILLED")

_KEYS = (
    "id",
    "source_id",
    "created_at",
    "updated_at",
    "status",
    "amount",
    "initial_amount",
    "discount_amount",
    "items_discount_amount",
    "total_discount_amount",
    "total_amount",
    "applied_discount_amount",
    "items_applied_discount_amount",
    "total_applied_discount_amount",
    "items",
    "metadata",
    "customer",
    "referrer",
    "customer_id",
    "referrer_id",
    "object",
    "redemptions",
)
_COPIED = (
    "source_id",
    "related_object",
    "product_id",
    "sku_id",
    "quantity",
    "discount_quantity",
    "initial_quantity",
)


def in_order(order: Order) -> Order:
    """Return the order with its keys in the sequence that the API's answers show."""
    known = {key: order[key] for key in _KEYS if key in order}
    return known | order


def given(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a request's value without its null keys, which mean the same as absent ones.

    The official SDKs send null for everything that the caller left out. Metadata keeps its nulls.
    """
    if isinstance(value, dict):
        return {
            key: part if key == "metadata" else given(part)
            for key, part in value.items()
            if part is not None
        }
    return [given(part) for part in value] if isinstance(value, list) else value


def priced_items(items: object, prices: Mapping[str, int]) -> list[Item]:
    """Turn request items into response items (`POST /v1/orders`).

    Args:
        items: the request's `items`; each may be given by source id, product id, SKU id, as a bare
            amount, or as price and quantity.
        prices: catalogue prices by product id, SKU id and source id, in minor units.

    Returns:
        list[Item]: items with quantity, amount, price and subtotal as far as they are known.

    Raises:
        ApiError: 400 `invalid_payload` for something that is no list of items.
    """
    if not isinstance(items, list):
        raise bad_payload("Property .items should be array")
    if len(items) > 500:
        raise bad_payload("Property .items should NOT have more than 500 items")
    return [_priced(item, place, prices) for place, item in enumerate(items)]


def _priced(asked: object, place: int, prices: Mapping[str, int]) -> Item:
    where = f"Property .items[{place}]"
    if not isinstance(asked, dict):
        raise bad_payload(f"{where} should be object")
    for key in ("quantity", "initial_quantity"):
        value = asked.get(key, 1)
        if not isinstance(value, int) or value < 1:
            raise bad_payload(f"{where}.{key} cannot be lower than 1")
    for key in ("price", "amount", "discount_amount"):
        if not isinstance(asked.get(key, 0), int):
            raise bad_payload(f"{where}.{key} should be integer")
    item: Item = {"object": "order_item"}
    item |= {key: asked[key] for key in _COPIED if key in asked}
    item.setdefault("quantity", 1)
    product, sku = asked.get("product") or {}, asked.get("sku") or {}
    references = (asked.get(key, "") for key in ("sku_id", "source_id", "product_id"))
    known = next((prices[ref] for ref in references if ref in prices), None)
    price = asked.get("price", sku.get("price", product.get("price", known)))
    amount = asked.get("amount", None if price is None else price * item["quantity"])
    discount = asked.get("discount_amount", 0)
    if amount is not None:
        item["amount"] = amount
        if discount:
            item["discount_amount"] = discount
        if "initial_amount" in asked:
            item["initial_amount"] = asked["initial_amount"]
        if price is not None:
            item["price"] = price
        item["subtotal_amount"] = amount - discount
    for key, part in (("product", product), ("sku", sku)):
        if part:
            item[key] = {k: v for k, v in part.items() if k != "override"}
    if "metadata" in asked:
        item["metadata"] = asked["metadata"]
    return item


def set_totals(order: Order, amount: int | None = None) -> None:
    """Bring the order's sums in line with its items and its order-level discount, in place.

    Args:
        order: with `items` and, if any, `discount_amount`.
        amount: what to put as `amount`; otherwise the sum of the items, if they have amounts.
    """
    items = order.get("items") or []
    amounts = [item["amount"] for item in items if "amount" in item]
    if amount is None and amounts:
        amount = sum(amounts)
    if amount is None:
        amount = order.get("amount")
    if amount is None:
        return
    order["amount"] = amount
    on_items = sum(item.get("discount_amount", 0) for item in items)
    total = order.get("discount_amount", 0) + on_items
    _set(order, "discount_amount", order.get("discount_amount", 0))
    _set(order, "items_discount_amount", on_items)
    _set(order, "total_discount_amount", total)
    order["total_amount"] = amount - total


def strip_discounts(order: Order) -> None:
    """Take back every discount and every free unit, in place, as a rollback does."""
    amount = order.get("amount")
    kept = []
    for item in order.get("items") or []:
        for key in ("discount_amount", "discount_quantity", "applied_discount_amount"):
            item.pop(key, None)
        quantity = item.pop("initial_quantity", item.get("quantity"))
        before = item.pop("initial_amount", item.get("amount"))
        if quantity == 0:
            amount = None if amount is None else amount - item.get("amount", 0)
            continue
        if before is not None:
            amount = None if amount is None else amount - item["amount"] + before
            item["amount"] = item["subtotal_amount"] = before
        item["quantity"] = quantity
        kept.append(item)
    if "items" in order:
        order["items"] = kept
    for key in [key for key in order if key.endswith("discount_amount")]:
        del order[key]
    order.pop("initial_amount", None)
    if amount is not None:
        order["amount"] = order["total_amount"] = amount


def mark_rolled_back(order: Order, date: str, new_id: Callable[[], str]) -> None:
    """Note a rollback in every redemptions entry that has none yet, in place.

    Args:
        order: whose redemptions stay in the map.
        date: `rollback_date`, ISO 8601.
        new_id: makes the ids of the rollbacks.
    """
    for entry in (order.get("redemptions") or {}).values():
        if "rollback_id" not in entry:
            entry |= {"rollback_id": new_id(), "rollback_date": date}
            if "stacked" in entry:
                entry["rollback_stacked"] = [new_id() for _ in entry["stacked"]]


def _set(order: Order, key: str, value: int) -> None:
    if value:
        order[key] = value
    else:
        order.pop(key, None)
