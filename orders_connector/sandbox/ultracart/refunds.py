"""Refunds: every amount of a request is the total to date, and the difference is paid back."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orders_connector.sandbox.ultracart.eastern import eastern
from orders_connector.sandbox.ultracart.errors import bad_request
from orders_connector.sandbox.ultracart.life import add_transaction, is_paid, reject
from orders_connector.sandbox.ultracart.money import cents, foreign_of, money

__all__ = ["RefundOptions", "full_refund", "is_refunded", "partial_refund", "refund"]

Order = dict[str, Any]

# Key of the summary, what it cannot exceed, and its sign in the total.
_PARTS = (
    ("subtotal_refunded", "subtotal", 1),
    ("subtotal_discount_refunded", "subtotal_discount", -1),
    ("tax_refunded", "tax", 1),
    ("shipping_handling_refunded", "shipping_handling_total", 1),
    ("other_refunded", "total", 1),
)


@dataclass(frozen=True)
class RefundOptions:
    """The flags of a refund, with their documented defaults.

    Attributes:
        reject_after_refund: the order becomes Rejected.
        skip_customer_notification: no mail goes out.
        auto_order_cancel: the subscription behind the order is canceled.
        manual_refund: the money goes back outside; no transaction of the gateway.
        reverse_affiliate_transactions: commissions are taken back.
        issue_store_credit: the customer gets credit; no transaction of the gateway.
        auto_order_cancel_reason: for `auto_order_cancel`.
    """

    reject_after_refund: bool = False
    skip_customer_notification: bool = False
    auto_order_cancel: bool = False
    manual_refund: bool = False
    reverse_affiliate_transactions: bool = True
    issue_store_credit: bool = False
    auto_order_cancel_reason: str | None = None


def refund(
    order: Order,
    asked: Order,
    at: datetime,
    options: RefundOptions | None = None,
    partial_status: str = "Processed",
) -> int:
    """Refund an order in place.

    Args:
        order: the stored order.
        asked: a request's order: `summary` with `..._refunded`, `items` with `quantity_refunded`
            and `total_refunded`, `refund_reason`; what is left out stays as it is.
        at: now, aware.
        options: the flags.
        partial_status: `payment_status` while not all is refunded.

    Returns:
        int: cents that go back now.

    Raises:
        ApiError: the order was never paid, nothing or too much is asked for, or less than before.
    """
    options = options or RefundOptions()
    if not is_paid(order):
        raise bad_request("The order was not paid, there is nothing to refund.")
    lines = _lines(order, asked)
    wanted = _wanted(order, asked, lines)
    summary, foreign = order["summary"], foreign_of(order)
    total = sum(sign * wanted[key] for key, _, sign in _PARTS)
    before = cents(summary.get("total_refunded"))
    named = (asked.get("summary") or {}).get("total_refunded")
    if named is not None and cents(named) != total and total != before:
        raise bad_request("total_refunded is not the sum of the refunded parts.")
    if total <= before:
        raise bad_request("The amounts are not above what was refunded before.")
    if total > cents(summary["total"]):
        raise bad_request("More than the total of the order cannot be refunded.")
    for line, quantity, amount in lines:
        line["quantity_refunded"] = quantity
        line["total_refunded"] = money(amount, foreign)
        if reason := asked.get("refund_reason"):
            line["refund_reason"] = reason
    shown = {key: wanted[key] for key, _, _ in _PARTS if key != "other_refunded" or wanted[key]}
    amounts = shown | {"total_refunded": total}
    summary |= {key: money(amount, foreign) for key, amount in amounts.items()}
    order["refund_dts"] = eastern(at)
    if asked.get("refund_reason"):
        order["refund_reason"] = asked["refund_reason"]
    full = is_refunded(order)
    order["payment"]["payment_status"] = "Refunded" if full else partial_status
    _consequences(order, at, options, total - before, full=full)
    return total - before


def is_refunded(order: Order) -> bool:
    """Whether all of the order's total went back."""
    summary = order["summary"]
    return cents(summary.get("total_refunded")) >= cents(summary["total"])


def full_refund(order: Order, reason: str = "CustomerReturn") -> Order:
    """Return the request that refunds all of an order."""
    summary, foreign = order["summary"], foreign_of(order)
    amounts = {
        "subtotal_refunded": cents(summary["subtotal"]),
        "subtotal_discount_refunded": cents(summary["subtotal_discount"]),
        "tax_refunded": cents(summary["tax"]),
        "shipping_handling_refunded": cents(summary["shipping_handling_total"])
        - cents(summary["shipping_handling_total_discount"]),
    }
    parts = sum(sign * amounts.get(key, 0) for key, _, sign in _PARTS)
    amounts["other_refunded"] = cents(summary["total"]) - parts
    return {
        "summary": {key: money(amount, foreign) for key, amount in amounts.items()},
        "items": [
            {
                "item_index": item["item_index"],
                "quantity_refunded": item["quantity"],
                "total_refunded": item["total_cost_with_discount"],
            }
            for item in order["items"]
        ],
        "refund_reason": reason,
    }


def partial_refund(order: Order, rng: random.Random, reason: str = "CustomerReturn") -> Order:
    """Return a request that refunds one line, and the tax on it."""
    item = rng.choice([item for item in order["items"] if not item.get("kit_component")])
    summary, foreign = order["summary"], foreign_of(order)
    merchandise = cents(summary["subtotal"]) - cents(summary["subtotal_discount"])
    line = cents(item["total_cost_with_discount"])
    share = cents(summary["tax"]) * line // merchandise if merchandise else 0
    tax = min(cents(summary["tax"]), cents(summary.get("tax_refunded")) + share)
    return {
        "summary": {"tax_refunded": money(tax, foreign)},
        "items": [
            {
                "item_index": item["item_index"],
                "quantity_refunded": item["quantity"],
                "total_refunded": item["total_cost_with_discount"],
            }
        ],
        "refund_reason": reason,
    }


def _lines(order: Order, asked: Order) -> list[tuple[Order, float, int]]:
    """Return the stored lines that the request touches, with units and cents to date."""
    lines = []
    by_index = {item["item_index"]: item for item in order["items"]}
    for row in asked.get("items") or []:
        if "quantity_refunded" not in row and "total_refunded" not in row:
            continue
        line = by_index.get(row.get("item_index"))
        if line is None:
            raise bad_request("An item of the refund is not in the order; name its item_index.")
        quantity = row.get("quantity_refunded", line.get("quantity_refunded", 0))
        per_unit = cents(line["unit_cost_with_discount"])
        amount = row.get("total_refunded")
        refunded = round(per_unit * quantity) if amount is None else cents(amount)
        if not line.get("quantity_refunded", 0) <= quantity <= line["quantity"]:
            raise bad_request("quantity_refunded lies outside of what can be refunded.")
        if (
            not cents(line.get("total_refunded"))
            <= refunded
            <= cents(line["total_cost_with_discount"])
        ):
            raise bad_request("total_refunded of an item lies outside of what can be refunded.")
        lines.append((line, quantity, refunded))
    return lines


def _wanted(order: Order, asked: Order, lines: list[tuple[Order, float, int]]) -> dict[str, int]:
    """Return the parts of the summary to date, in cents."""
    summary, given = order["summary"], asked.get("summary") or {}
    wanted = {key: cents(summary.get(key)) for key, _, _ in _PARTS}
    if lines and given.get("subtotal_refunded") is None:
        for line, quantity, amount in lines:
            units = quantity - line.get("quantity_refunded", 0)
            gross = round(cents(line["cost"]) * units)
            net = amount - cents(line.get("total_refunded"))
            gross = max(gross, net)
            wanted["subtotal_refunded"] += gross
            wanted["subtotal_discount_refunded"] += gross - net
    for key, most, _ in _PARTS:
        if given.get(key) is not None:
            amount = cents(given[key])
            if amount < cents(summary.get(key)):
                raise bad_request(f"{key} is the total to date and cannot sink.")
            wanted[key] = amount
        if wanted[key] > cents(summary[most]):
            raise bad_request(f"{key} is more than {most}.")
    return wanted


def _consequences(
    order: Order, at: datetime, options: RefundOptions, amount: int, *, full: bool
) -> None:
    if not options.manual_refund and not options.issue_store_credit:
        add_transaction(order, at, [{"name": "UC Refund Amount", "value": f"{amount / 100:.2f}"}])
    if options.auto_order_cancel and "auto_order" in order:
        subscription = order["auto_order"]
        subscription |= {"status": "canceled", "canceled_dts": eastern(at)}
        subscription.pop("enabled", None)
        if options.auto_order_cancel_reason:
            subscription["cancel_reason"] = options.auto_order_cancel_reason
    if options.reverse_affiliate_transactions and full:
        for affiliate in order.get("affiliates", []):
            for entry in affiliate["ledger_entries"]:
                entry["transaction_state"] = "Rejected"
    if options.reject_after_refund:
        reject(order, at, "Refunded")
