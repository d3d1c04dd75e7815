"""An order as text or HTML, for people."""

from html import escape
from typing import Any

from orders_connector.sandbox.ultracart.errors import bad_request

__all__ = ["formatted"]

_FORMATS = ("text", "div", "table", "email")


def formatted(order: dict[str, Any], options: object) -> dict[str, Any]:
    """Answer `POST /order/orders/{order_id}/format`, which has no envelope.

    Args:
        order: the whole order.
        options: the body; `format` is `text`, `div`, `table` or `email`, and
            `hide_price_information` and `hide_bill_to_address` leave parts out.

    Returns:
        dict[str, Any]: `formatted_result` and `css_links`.

    Raises:
        ApiError: 400, another format.
    """
    if not isinstance(options, dict) or options.get("format", "text") not in _FORMATS:
        raise bad_request(f"format is one of {', '.join(_FORMATS)}.")
    kind, prices = options.get("format", "text"), not options.get("hide_price_information")
    lines = [f"Order {order['order_id']}", f"Placed {order['creation_dts']}"]
    if not options.get("hide_bill_to_address"):
        billing = order["billing"]
        lines.append(f"{billing['first_name']} {billing['last_name']}, {billing['city']}")
    for item in order["items"]:
        cost = f" {item['total_cost_with_discount']['localized_formatted']}" if prices else ""
        lines.append(f"{item['quantity']} x {item['merchant_item_id']}{cost}")
    if prices:
        lines.append(f"Total {order['summary']['total']['localized_formatted']}")
    if kind == "text":
        return {"formatted_result": "\n".join(lines), "css_links": []}
    if kind == "table":
        rows = "".join(f"<tr><td>{escape(line)}</td></tr>" for line in lines)
        return {"formatted_result": f"<table>{rows}</table>", "css_links": []}
    blocks = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return {"formatted_result": f"<div>{blocks}</div>", "css_links": []}
