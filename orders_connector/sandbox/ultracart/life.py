"""What happens to an order: its stages, payment, shipment, rejection, cost analysis."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from orders_connector.sandbox.ultracart.eastern import eastern
from orders_connector.sandbox.ultracart.money import cents, foreign_of, money

__all__ = [
    *("ENDS", "STAGES", "advance", "analyse_costs", "begin", "hold", "is_paid", "is_shipped"),
    *("pay", "reject", "ship", "to_stage"),
]

Order = dict[str, Any]

STAGES = (
    *("Accounts Receivable", "Pending Clearance", "Fraud Review", "Rejected"),
    *("Shipping Department", "Completed Order", "Quote Request", "Quote Sent"),
    *("Least Cost Routing", "Unknown", "Pre-ordered", "Advanced Order Routing", "Hold"),
)
ENDS = ("Rejected", "Completed Order")
_AFTER_PAYMENT = (
    *("Shipping Department", "Least Cost Routing", "Advanced Order Routing"),
    *("Fraud Review", "Hold"),
)


def begin(order: Order, stage: str, at: datetime) -> None:
    """Give a new order its first stage."""
    order["current_stage"] = stage
    order["current_stage_histories"] = [{"after_stage": stage, "transition_dts": eastern(at)}]


def to_stage(order: Order, stage: str, at: datetime) -> None:
    """Move an order to a stage and note it in its history."""
    before = order["current_stage"]
    if before == stage:
        return
    order["current_stage"] = stage
    entry = {"before_stage": before, "after_stage": stage, "transition_dts": eastern(at)}
    order["current_stage_histories"].append(entry)


def is_paid(order: Order) -> bool:
    """Whether the payment succeeded once."""
    return "payment_dts" in order.get("payment", {})


def is_shipped(order: Order) -> bool:
    """Whether anything was shipped."""
    return "shipping_date" in order.get("shipping", {})


def pay(order: Order, at: datetime) -> None:
    """Let the payment succeed; the stage stays."""
    payment = order["payment"]
    payment |= {"payment_status": "Processed", "payment_dts": eastern(at)}
    add_transaction(order, at, [{"name": "Authorization Code", "type": "AuthTicket", "value": "A"}])


def add_transaction(order: Order, at: datetime, details: list[Order]) -> None:
    """Put a successful transaction of the gateway before the older ones."""
    older = order["payment"].get("transactions", [])
    number = int(order["order_id"].rsplit("-", 1)[-1]) * 10 + len(older) + 1
    newest = {
        "transaction_gateway": "ExampleGateway",
        "transaction_timestamp": eastern(at),
        "details": details,
        "successful": True,
        "transaction_id": number,
    }
    order["payment"]["transactions"] = [newest, *older]


def ship(order: Order, at: datetime, *, all_items: bool = True) -> None:
    """Ship what was not shipped yet, or its first line only; all shipped completes the order."""
    moment = eastern(at)
    open_items = [item for item in order["items"] if "shipped_dts" not in item]
    for item in open_items if all_items else open_items[:1]:
        item["shipped_dts"] = moment
    shipping = order["shipping"]
    shipping.setdefault("shipping_date", moment)
    shipping["tracking_numbers"] = [f"1Z{order['order_id'][-10:]}"]
    shipping["tracking_number_details"] = [{"tracking_number": shipping["tracking_numbers"][0]}]
    if all("shipped_dts" in item for item in order["items"]):
        to_stage(order, "Completed Order", at)


def reject(order: Order, at: datetime, reason: str) -> None:
    """Reject an order: it is cancelled, declined or a fraud."""
    to_stage(order, "Rejected", at)
    order |= {"reject_dts": eastern(at), "reject_reason": reason}
    if not is_paid(order):
        order["payment"]["payment_status"] = "Voided" if reason == "Canceled" else "Declined"


def hold(order: Order, at: datetime) -> None:
    """Park an order."""
    to_stage(order, "Hold", at)


def analyse_costs(order: Order, rng: random.Random) -> None:
    """Fill in the cost analysis, which no date of the order shows."""
    total = cents(order["summary"]["total"])
    foreign = foreign_of(order)
    fee, postage = total * 3 // 100, rng.choice((0, 380, 612))
    order["summary"] |= {
        "actual_shipping": money(postage, foreign),
        "actual_payment_processing": money(fee, foreign),
        "actual_profit": money(max(0, total * 2 // 5 - fee - postage), foreign),
        "actual_profit_analyzed": True,
    }


def advance(order: Order, at: datetime, rng: random.Random) -> None:
    """Let an order take the next step of its natural life; a finished one stays as it is."""
    step = _STEPS.get(order["current_stage"])
    if step is not None:
        step(order, at, rng)


def _receive(order: Order, at: datetime, rng: random.Random) -> None:
    if order["payment"]["payment_method"] in ("Check", "eCheck", "Purchase Order"):
        to_stage(order, "Pending Clearance", at)
    else:
        _clear(order, at, rng)


def _clear(order: Order, at: datetime, rng: random.Random) -> None:
    if not is_paid(order):
        pay(order, at)
    if order["shipping"]["shipping_method"] == "Digital":
        to_stage(order, "Completed Order", at)
    else:
        to_stage(order, rng.choices(_AFTER_PAYMENT, (84, 5, 3, 5, 3))[0], at)


def _release(order: Order, at: datetime, rng: random.Random) -> None:
    if not is_paid(order):
        _clear(order, at, rng)
        return
    if order["current_stage"] == "Advanced Order Routing":  # somebody else packs and ships it
        for item in order["items"]:
            item["transmitted_to_distribution_center_dts"] = eastern(at)
    to_stage(order, "Shipping Department", at)


def _ship(order: Order, at: datetime, rng: random.Random) -> None:
    ship(order, at, all_items=rng.random() < 0.85)


def _send_quote(order: Order, at: datetime, rng: random.Random) -> None:
    order["quote"] |= {"quoted_by": "sales", "quoted_dts": eastern(at)}
    to_stage(order, "Quote Sent", at)


def _accept_quote(order: Order, at: datetime, rng: random.Random) -> None:
    order["payment"]["payment_method"] = "Credit Card"
    to_stage(order, "Accounts Receivable", at)


_STEPS: dict[str, Callable[[Order, datetime, random.Random], None]] = {
    "Quote Request": _send_quote,
    "Quote Sent": _accept_quote,
    "Accounts Receivable": _receive,
    "Pending Clearance": _clear,
    "Pre-ordered": _clear,
    "Unknown": _clear,
    "Fraud Review": _release,
    "Least Cost Routing": _release,
    "Advanced Order Routing": _release,
    "Hold": _release,
    "Shipping Department": _ship,
}
