"""Makes orders that look like those of a real shop: lines, discounts, people, metadata."""

import random
from datetime import timedelta
from typing import Any

from orders_connector.sandbox.clock import EPOCH, stamp
from orders_connector.sandbox.voucherify.catalogue import Catalogue, Product
from orders_connector.sandbox.voucherify.pricing import in_order, set_totals

__all__ = ["OrderMaker", "moment"]

Order = dict[str, Any]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LINE_COUNTS = [1] * 34 + [2] * 26 + [3] * 16 + [4] * 10 + [5] * 6 + [6] * 4 + [8] * 3 + [14]
_QUANTITIES = [1] * 14 + [2] * 4 + [3, 5]
_NOTES = (
    'Leave it at the door, the "blue" one',
    "Line one\nline two",
    "Zażółć gęślą jaźń; naïve café",
    "=1+1",
    "",
)


def moment(milliseconds: int) -> str:
    """Write milliseconds since 1970 UTC as the API writes times."""
    return stamp(EPOCH + timedelta(milliseconds=milliseconds))


class OrderMaker:
    """Makes new orders, one after the other, from one stream of random numbers.

    Args:
        seed: the same seed and the same calls give the same orders.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"orders-{seed}")
        self.catalogue = Catalogue(seed)
        self.customers: list[str] = []
        self._number = 100_000

    def make(self, created: int, *, letters: bool = False, redeemed: float = 0.45) -> Order:
        """Make an order as it stands just after it was placed.

        Args:
            created: milliseconds since 1970 UTC.
            letters: give it an id of the older form, 24 letters and digits.
            redeemed: the chance that it came from a redemption, so has discounts and is `PAID`.

        Returns:
            Order: without `updated_at` unless the redemption touched it right away.
        """
        rng = self.rng
        order: Order = {
            "id": self._order_id(letters),
            "source_id": None,
            "created_at": moment(created),
            "updated_at": None,
            "status": "CREATED",
            "items": self._items(),
        }
        self._add_metadata(order)
        self._add_people(order)
        order["object"] = "order"
        set_totals(order)
        if rng.random() < redeemed:
            self.redeem(order, created + 100)
            order["status"] = "PAID"
            order["updated_at"] = moment(created + 200 + int(rng.random() * 1000))
        if "redemptions" not in order or rng.random() < 0.15:
            self._number += 1
            number = self._number
            order["source_id"] = f"2026/{number}" if number % 20 == 0 else f"shop-{number}"
        return in_order(order)

    def redeem(self, order: Order, at: int) -> None:
        """Redeem something on an order, in place: its discounts and its redemptions entry.

        Args:
            order: with priced items.
            at: milliseconds since 1970 UTC.
        """
        rng = self.rng
        kind = rng.random()
        on_lines = kind >= 0.55 and bool(order.get("items"))
        drift = order.get("amount", 0) - _sum(order)  # odd orders stay odd
        if on_lines:  # a promotion tier, or one stacked with a voucher
            percent = rng.choice((5, 10, 25, 50))
            for item in order["items"]:
                cut = item.get("subtotal_amount", 0) * percent // 100
                if cut:
                    item["discount_amount"] = item.get("discount_amount", 0) + cut
                    item["subtotal_amount"] -= cut
            if kind >= 0.97:  # free units inflate the order's amount and its discount alike
                order["items"].append(self._free_line())
            set_totals(order, _sum(order) + drift)
            earlier = order.get("discount_amount", 0)
            if earlier and order.get("total_amount", 0) < 0:  # it never takes more than is left
                order["discount_amount"] = max(0, earlier + order["total_amount"])
                set_totals(order, order["amount"])
        if kind < 0.60:  # a voucher on the whole order, of a percentage or a sum
            left = max(0, order.get("total_amount", 0))
            cut = left * rng.choice((5, 10, 15, 20)) // 100 if kind < 0.4 else min(left, 500)
            order["discount_amount"] = order.get("discount_amount", 0) + cut
            set_totals(order, order.get("amount"))
        self._add_redemption(order, at, stacked=on_lines and not 0.60 <= kind < 0.97)

    # --- parts ---------------------------------------------------------------------------------

    def _order_id(self, letters: bool) -> str:
        if letters:
            return "ord_" + "".join(self.rng.choices(_LETTERS, k=24))
        return f"ord_{self.rng.getrandbits(72):018x}"

    def _items(self) -> list[Order]:
        rng, catalogue = self.rng, self.catalogue
        picked = rng.choices(
            catalogue.products, cum_weights=catalogue.popularity, k=rng.choice(_LINE_COUNTS)
        )
        lines = [_line(product, rng.choice(_QUANTITIES)) for product in picked]
        if rng.random() < 0.6:
            lines.insert(0, _line(catalogue.shipping, 1))
        if rng.random() < 0.1:
            lines[-1]["metadata"] = {"gift_wrap": True, "engraving": rng.choice(_NOTES)}
        if rng.random() < 0.1:
            for line in lines:
                line["id"] = f"ordli_{rng.getrandbits(72):018x}"
        return lines

    def _free_line(self) -> Order:
        rng = self.rng
        line = _line(rng.choice(self.catalogue.products), rng.choice((1, 2)))
        line |= {"discount_quantity": line["quantity"], "initial_quantity": 0}
        line |= {"initial_amount": 0, "discount_amount": line["amount"], "subtotal_amount": 0}
        return line

    def _add_redemption(self, order: Order, at: int, *, stacked: bool) -> None:
        rng, catalogue = self.rng, self.catalogue
        redemption_id = f"r_{rng.getrandbits(72):018x}"
        entry: Order = {"date": moment(at)}
        if stacked:
            entry |= {"related_object_type": "redemption", "related_object_id": redemption_id}
            entry["stacked"] = [f"r_{rng.getrandbits(72):018x}" for _ in range(rng.randint(2, 3))]
        else:
            place = int(rng.random() ** 2 * len(catalogue.campaigns))
            on_lines = "items_discount_amount" in order
            entry["related_object_type"] = "promotion_tier" if on_lines else "voucher"
            codes = catalogue.tiers if on_lines else catalogue.vouchers
            entry["related_object_id"] = codes[place] if on_lines else rng.choice(codes)
            entry["related_object_parent_id"] = catalogue.campaigns[place]
        order.setdefault("redemptions", {})[redemption_id] = entry

    def _add_people(self, order: Order) -> None:
        rng = self.rng
        order["customer_id"] = order["referrer_id"] = None
        chance = rng.random()
        if chance < 0.07:  # a guest
            return
        if chance < 0.5 or not self.customers:
            self.customers.append(f"cust_{rng.getrandbits(72):018x}")
            customer = self.customers[-1]
        else:  # early customers come back most: a long tail of one-time buyers
            customer = self.customers[int(rng.random() ** 1.5 * len(self.customers))]
        order["customer"] = {"id": customer, "object": "customer"}
        order["customer_id"] = customer
        if chance > 0.97:
            referrer = self.customers[int(rng.random() * len(self.customers))]
            order["referrer"] = {"id": referrer, "object": "customer"}
            order["referrer_id"] = referrer

    def _add_metadata(self, order: Order) -> None:
        rng = self.rng
        chance = rng.random()
        if chance < 0.25:
            order["metadata"] = {}
        elif chance < 0.6:
            order["metadata"] = {
                "currency": "EUR" if chance < 0.55 else rng.choice(("USD", "GBP", "PLN")),
                "channel": rng.choice(("web", "web", "app", "store")),
                "payment_mean": [rng.choice(("card", "paypal", "wire-transfer"))],
            }
        elif chance < 0.8:
            order["metadata"] = {
                "store": rng.randint(1, 40),
                "gift": chance < 0.65,
                "note": rng.choice(_NOTES),
                "weight_kg": round(rng.random() * 20, 3),
            }
        elif chance < 0.97:
            order["metadata"] = {
                "payment_mean": "card",  # the same key with another type
                "utm": {"source": "news, weekly", "medium": None, "tags": ["a", "b"]},
                "delivery_on": order["created_at"][:10],
                "location_id": ["L1", "L2"],
            }


def _sum(order: Order) -> int:
    return sum(item.get("amount", 0) for item in order.get("items") or [])


def _line(product: Product, quantity: int) -> Order:
    amount = product.price * quantity
    return {
        "object": "order_item",
        **product.reference,
        "quantity": quantity,
        "amount": amount,
        "price": product.price,
        "subtotal_amount": amount,
        **product.details,
    }
