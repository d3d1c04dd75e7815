"""Which parts of an order an answer holds."""

from typing import Any

from orders_connector.sandbox.ultracart.money import cents, foreign_of, money
from orders_connector.sandbox.ultracart.switches import Switches

__all__ = ["EVERYTHING", "projected", "thinned"]

Order = dict[str, Any]

_ALWAYS = (
    *("merchant_id", "order_id", "current_stage", "creation_dts", "language_iso_code"),
    *("refund_dts", "refund_reason", "reject_dts", "reject_reason"),
    *("currency_code", "exchange_rate"),
)
_KEYS = {
    "affiliate": "affiliates",
    "affiliate.ledger": "affiliates",
    "auto_order": "auto_order",
    "billing": "billing",
    "buysafe": "buysafe",
    "channel_partner": "channel_partner",
    "checkout": "checkout",
    "coupon": "coupons",
    "customer_profile": "customer_profile",
    "digital_order": "digital_order",
    "edi": "edi",
    "fraud_score": "fraud_score",
    "gift": "gift",
    "gift_certificate": "gift_certificate",
    "internal": "internal",
    "item": "items",
    "linked_shipment": "linked_shipment",
    "marketing": "marketing",
    "payment": "payment",
    "payment.transaction": "payment",
    "point_of_sale": "point_of_sale",
    "properties": "properties",
    "quote": "quote",
    "salesforce": "salesforce",
    "shipping": "shipping",
    "shipping.tracking_number_details": "shipping",
    "summary": "summary",
    "taxes": "taxes",
    "utms": "utms",
}
_UNLISTED = {"current_stage_histories": "current_stage_histories", "tags": "tags"}

EVERYTHING = ",".join([*_KEYS, *_UNLISTED])


def projected(order: Order, expand: str, switches: Switches) -> Order:
    """Return what an answer holds of an order.

    Args:
        order: all of it; may be changed.
        expand: names separated by commas; unknown ones fill nothing.
        switches: of the shop.
    """
    names = set(expand.split(","))
    keys = {*_ALWAYS, *(key for name, key in _KEYS.items() if name in names)}
    if switches.unlisted_parts == "always":
        keys |= set(_UNLISTED.values())
    elif switches.unlisted_parts == "by_name":
        keys |= {key for name, key in _UNLISTED.items() if name in names}
    shown = {key: value for key, value in order.items() if key in keys}
    payment, shipping = shown.get("payment"), shown.get("shipping")
    if isinstance(payment, dict) and "payment.transaction" not in names:
        payment.pop("transactions", None)
    if isinstance(shipping, dict) and "shipping.tracking_number_details" not in names:
        shipping["tracking_number_details"] = []
    if "affiliate.ledger" not in names:
        for affiliate in _objects(shown.get("affiliates")):
            affiliate.pop("ledger_entries", None)
    if switches.item_discount == "unit":
        for item in _objects(shown.get("items")):
            each = cents(item["cost"]) - cents(item["unit_cost_with_discount"])
            item["discount"] = money(each, foreign_of(order))
    certificate = order.get("gift_certificate")
    if certificate and "summary" in shown and switches.total_and_gift_certificate == "after":
        left = cents(order["summary"]["total"]) - cents(certificate["gift_certificate_amount"])
        shown["summary"]["total"] = money(left, foreign_of(order))
    return shown


def _objects(part: object) -> list[Order]:
    """Return the objects of a list; orders that a test puts in may hold anything."""
    return [one for one in part if isinstance(one, dict)] if isinstance(part, list) else []


def thinned(order: Order) -> Order:
    """Return what a cache may hold of an old order: no lines, no taxes, little of the sums."""
    kept = {key: value for key, value in order.items() if key not in ("items", "taxes")}
    if "summary" in kept:
        few = ("total", "shipping_handling_total")
        kept["summary"] = {key: kept["summary"][key] for key in few}
    return kept
