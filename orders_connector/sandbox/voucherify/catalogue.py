"""What the shop sells and promotes: the same for the same seed."""

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

__all__ = ["SHIPPING", "Catalogue", "Product"]

SHIPPING = "prod_5h1pp1ng"

_NOUNS = (
    *("Teapot", "Lamp", "Notebook", "Backpack", "Kettle", "Blanket", "Headphones", "Desk", "Mug"),
    *("Candle", "Jacket", "Sneakers", "Raincoat", "Umbrella", "Bottle", "Chair", "Rug", "Clock"),
)
_STYLES = ("Nordic", "Classic", "Travel", "Café", "Little", "Grand", "Eco", "Linen", "Größe L")


@dataclass(frozen=True)
class Product:
    """A product, with the parts of an order item that never change prepared.

    Attributes:
        price: minor units.
        reference: keys of an item that name the product.
        details: the item's `product` (and `sku`) objects.
    """

    price: int
    reference: dict[str, Any]
    details: dict[str, Any]


class Catalogue:
    """Products with long-tailed prices and popularity, and the campaigns that run.

    Args:
        seed: the same seed gives the same catalogue.
        size: number of products.
    """

    def __init__(self, seed: int, size: int = 160) -> None:
        rng = random.Random(f"catalogue-{seed}")
        self.products = [self._product(rng, number) for number in range(size)]
        self.popularity = list(accumulate(1 / (rank + 3) for rank in range(size)))
        self.campaigns = [f"camp_{rng.getrandbits(72):018x}" for _ in range(8)]
        self.tiers = [f"promo_{rng.getrandbits(72):018x}" for _ in range(8)]
        self.vouchers = [f"v_{rng.getrandbits(128):032x}" for _ in range(400)]
        self.shipping = Product(
            490,
            {"source_id": SHIPPING, "related_object": "product"},
            {"product": {"name": "Shipping"}},
        )

    def prices(self) -> dict[str, int]:
        """Return minor units by every id that an order request may name a product with."""
        return {
            reference: product.price
            for product in [*self.products, self.shipping]
            for key, reference in product.reference.items()
            if key != "related_object"
        }

    @staticmethod
    def _product(rng: random.Random, number: int) -> Product:
        price = max(99, round(rng.lognormvariate(7.8, 0.9) / 10) * 10 - 1)
        name = f"{rng.choice(_STYLES)} {rng.choice(_NOUNS)} {number}"
        product_id = f"prod_{rng.getrandbits(72):018x}"
        source_id = f"sku/{number}" if number % 40 == 0 else f"article-{number:04d}"
        product: dict[str, Any] = {"name": name, "price": price}
        if number % 8:
            product = {"id": product_id, "source_id": source_id, "name": name}
            product["metadata"] = {
                "category": name.split()[-2].lower(),
                "brand": f"{name.split()[0]} & Co.",
                "shelf": number % 17,
                "colors": ["graphite", "sea green"][: number % 3],
            }
            product["price"] = price
        if number % 4 == 1:
            reference = {"source_id": source_id, "related_object": "product"}
        elif number % 4 == 2:
            sku_id = f"sku_{rng.getrandbits(72):018x}"
            sku = {"id": sku_id, "source_id": source_id, "sku": f"{name} / M", "price": price}
            details = {"product": product, "sku": sku}
            return Product(price, {"product_id": product_id, "sku_id": sku_id}, details)
        else:
            reference = {"product_id": product_id}
        return Product(price, reference, {"product": product})
