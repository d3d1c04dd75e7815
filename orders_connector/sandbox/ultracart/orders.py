"""Single made-up orders, as they are the moment they are placed."""

import random
from datetime import datetime, timedelta
from typing import Any

from orders_connector.sandbox.ultracart.catalogue import CURRENCY_OF, Catalogue, Product
from orders_connector.sandbox.ultracart.eastern import eastern
from orders_connector.sandbox.ultracart.life import begin
from orders_connector.sandbox.ultracart.money import Foreign, foreign_of, money
from orders_connector.sandbox.ultracart.totals import item_line, kit_lines, summarise

__all__ = ["MERCHANT_ID", "OrderMaker"]

MERCHANT_ID = "ACME"
Order = dict[str, Any]

_CARDS = ("VISA", "MasterCard", "AMEX", "Discover")
_METHODS = ("Credit Card", "PayPal", "Check", "Purchase Order", "Apple Pay", "Venmo", "eCheck")
_METHOD_WEIGHTS = (62, 20, 4, 3, 6, 3, 2)
_SHIPPING = ("USPS: Priority Mail", "UPS: Ground", "FedEx: Home Delivery")
_SOURCES = (("newsletter", "email"), ("search", "cpc"), ("social", "paid"), ("blog", "referral"))
_FIRST_STAGES = ("Accounts Receivable", "Quote Request", "Pre-ordered", "Unknown")


class OrderMaker:
    """Makes orders, repeatably.

    Args:
        seed: the same seed and the same calls give the same orders.
        merchant_id: first part of the order ids.

    Attributes:
        rng: the stream all orders come from.
        number: how many were made; the next one's id goes on from there.
    """

    def __init__(self, seed: int, merchant_id: str = MERCHANT_ID) -> None:
        self.rng = random.Random(f"orders-{seed}")
        self._catalogue = Catalogue(seed)
        self._merchant_id = merchant_id
        self.number = 0

    def make(self, placed: datetime) -> Order:
        """Make one order that was placed at an aware moment; nothing happened to it yet."""
        rng, self.number = self.rng, self.number + 1
        person = self._catalogue.person(rng)
        stage = rng.choices(_FIRST_STAGES, (92, 3, 3, 2))[0]
        currency = CURRENCY_OF.get(person["address"]["country_code"])
        foreign = None
        if currency and rng.random() < 0.8:
            foreign = Foreign(currency[0], round(currency[1] * rng.uniform(0.95, 1.05), 4))
        products = self._catalogue.products_for(rng, rng.choices((1, 2, 3, 5), (45, 30, 15, 10))[0])
        order: Order = {
            "merchant_id": self._merchant_id,
            "order_id": f"{self._merchant_id}-{1_000_000 + self.number:010d}",
            "current_stage": stage,
            "creation_dts": eastern(placed),
            "language_iso_code": "DEU" if person["address"]["country_code"] == "DE" else "ENG",
            "billing": person["address"] | {"email": person["email"]},
        }
        if foreign:
            order |= {"currency_code": foreign.code, "exchange_rate": foreign.rate}
        self._fill(order, products, person["tax_rate"], foreign)
        order["payment"] = self._payment(placed)
        order["checkout"] = self._checkout()
        order["utms"] = self._utms(order, placed)
        order |= self._rarities(order, person, placed)
        if stage == "Quote Request":
            order["payment"] = {"payment_method": "Quote Request", "payment_status": "Unprocessed"}
            expires = eastern(placed + timedelta(days=30))
            order["quote"] = {"quote_expiration_dts": expires}
        begin(order, stage, placed)
        return order

    def _fill(
        self, order: Order, products: list[Product], tax_rate: float, foreign: Foreign | None
    ) -> None:
        """Add items, coupon, shipping, taxes, gift and the summary of all."""
        rng = self.rng
        off = 10 if rng.random() < 0.16 else 0
        lines: list[Order] = []
        for product in products:
            quantity: float = rng.choices((1, 2, 3, 12), (72, 18, 8, 2))[0]
            if product.kind == "by_weight":
                quantity = rng.choice((0.5, 1.5, 2.5))
            line = item_line(
                len(lines) + 1,
                product.sku,
                product.name,
                quantity,
                product.price,
                off,
                cogs=product.cogs,
            )
            if product.kind == "digital":
                line |= {"tax_product_type": "digital", "activation_codes": [self._code()]}
            if rng.random() < 0.06:
                line["upsell"] = True
            if rng.random() < 0.06:
                option = {
                    "label": "Engraving",
                    "value": "For you",
                    "cost_change": money(0, foreign),
                }
                line["options"] = [option]
            lines.append(line)
            if product.kind == "kit":
                line["kit"] = True
                parts = [(part.sku, part.name, n, part.price) for part, n in product.parts]
                lines += kit_lines(line, parts)
        if off:
            typed = {"base_coupon_code": "TEN", "coupon_code": f"TEN-{rng.randrange(16**5):05X}"}
            order["coupons"] = [typed if rng.random() < 0.5 else {"coupon_code": "TEN"}]
            if rng.random() < 0.3:
                order["coupons"][0]["automatically_applied"] = True
            if rng.random() < 0.1:
                order["coupons"].append({"coupon_code": "HELLO"})
        digital = all(product.kind == "digital" for product in products)
        postage = 0 if digital else rng.choice((0, 495, 750, 1203))
        gift = rng.random() < 0.04
        items, summary = summarise(
            lines,
            shipping=postage,
            shipping_discount=postage if rng.random() < 0.08 else 0,
            tax_rate=tax_rate,
            tax_shipping=tax_rate > 0.09,
            extra=130 if gift else 0,
            foreign=foreign,
        )
        method = "Digital" if digital else rng.choice(_SHIPPING)
        address = {key: order["billing"][key] for key in order["billing"] if key != "email"}
        tracking: Order = {"tracking_numbers": [""], "tracking_number_details": []}
        order["shipping"] = address | {"shipping_method": method} | tracking
        order |= {"summary": summary, "items": items}
        if gift:
            message = {"gift": True, "gift_message": "All the best"}
            order["gift"] = message | {"gift_charge": money(130, foreign)}
        if tax_rate:
            rates = {"tax_rate": tax_rate, "tax_rate_state": tax_rate}
            order["taxes"] = rates | ({"tax_shipping": True} if tax_rate > 0.09 else {})

    def _payment(self, placed: datetime) -> Order:
        rng = self.rng
        method = rng.choices(_METHODS, _METHOD_WEIGHTS)[0]
        payment: Order = {"payment_method": method, "payment_status": "Unprocessed"}
        if method == "Credit Card":
            last4 = rng.randrange(10**4)
            payment["credit_card"] = {
                "card_type": rng.choice(_CARDS),
                "card_number": f"411111XXXXXX{last4:04d}",
                "card_number_truncated": True,
                "card_expiration_month": rng.randint(1, 12),
                "card_expiration_year": placed.year + rng.randint(1, 4),
            }
        elif method == "Check":
            payment["check"] = {"check_number": str(rng.randrange(1000, 9999))}
        elif method == "Purchase Order":
            payment["purchase_order"] = {"purchase_order_number": f"PO-{rng.randrange(10**5)}"}
        if rng.random() < 0.015:
            payment["test_order"] = True
        return payment

    def _checkout(self) -> Order:
        rng = self.rng
        checkout: Order = {"storefront_host_name": rng.choice(("shop.example.com", "example.net"))}
        if rng.random() < 0.6:
            checkout["customer_ip_address"] = f"192.0.2.{rng.randrange(256)}"
            checkout["screen_size"] = rng.choice(("large", "small"))
        if rng.random() < 0.1:
            checkout["custom_field1"] = rng.choice(("loyal", "press", "staff"))
        if rng.random() < 0.1:
            checkout["screen_branding_theme_code"] = "SUMMER"
        return checkout

    def _utms(self, order: Order, placed: datetime) -> list[Order]:
        rng, clicked, clicks = self.rng, placed, []
        total, subtotal = (order["summary"][key]["value"] for key in ("total", "subtotal"))
        for place in range(rng.choices((0, 1, 2), (60, 30, 10))[0]):
            source, medium = rng.choice(_SOURCES)
            clicked -= timedelta(minutes=rng.randrange(1, 2000))
            click: Order = {
                "utm_source": source,
                "utm_medium": medium,
                "utm_campaign": f"{placed:%B}".lower(),
                "click_dts": eastern(clicked),
            }
            if place == 0:
                click |= {
                    "attribution_last_click_total": total,
                    "attribution_last_click_subtotal": subtotal,
                }
            clicks.append(click)
        return clicks

    def _rarities(self, order: Order, person: Order, placed: datetime) -> Order:
        """Return what only some orders have."""
        rng = self.rng
        rare: Order = {}
        if person["customer_profile_oid"] is not None:
            rare["customer_profile"] = {
                "customer_profile_oid": person["customer_profile_oid"],
                "email": person["email"],
                "merchant_id": self._merchant_id,
            }
        if rng.random() < 0.08:
            oid = rng.randrange(1000, 9999)
            rare["auto_order"] = {
                "auto_order_oid": oid,
                "auto_order_code": f"{rng.getrandbits(40):010X}",
                "status": "active",
                "enabled": True,
            }
            if rng.random() < 0.6 and self.number > 50:
                earlier = 1_000_000 + rng.randint(1, self.number - 1)
                rare["auto_order"]["original_order_id"] = f"{self._merchant_id}-{earlier:010d}"
        if rng.random() < 0.05:
            rare["channel_partner"] = {
                "channel_partner_code": "MARKET",
                "channel_partner_oid": 17,
                "channel_partner_order_id": f"M-{rng.randrange(10**8):08d}",
            }
        if rng.random() < 0.05:
            entry = {
                "item_id": order["items"][0]["merchant_item_id"],
                "transaction_amount": round(order["summary"]["subtotal"]["value"] * 0.1, 2),
                "transaction_percentage": 10,
                "transaction_dts": eastern(placed),
                "transaction_state": "Pending",
            }
            affiliate = {"affiliate_oid": rng.randrange(100, 120), "ledger_entries": [entry]}
            rare["affiliates"] = [affiliate]
        if rng.random() < 0.3:
            rare["marketing"] = {"advertising_source": rng.choice(("Friend", "Radio", "Search"))}
            if rng.random() < 0.5:
                rare["marketing"]["mailing_list"] = True
        if rng.random() < 0.03:
            amount = order["summary"]["total"]["value"] / 4
            cut = money(int(amount * 100), foreign_of(order))
            rare["gift_certificate"] = {
                "gift_certificate_code": self._code(),
                "gift_certificate_oid": rng.randrange(10**5),
                "gift_certificate_amount": cut,
            }
        if rng.random() < 0.05:
            shown = {"name": "delivery", "value": "leave at the door", "display": True}
            rare["properties"] = [shown]
        if rng.random() < 0.05:
            rare["tags"] = [{"tag_value": rng.choice(("vip", "wholesale"))}]
        if rng.random() < 0.05:
            rare["internal"] = {"placed_by_user": "phone-desk", "sales_rep_code": "R1"}
        return rare

    def _code(self) -> str:
        return f"{self.rng.getrandbits(48):012X}"
