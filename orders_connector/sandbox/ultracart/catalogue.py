"""What the shop sells and who buys: the same for the same seed."""

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

__all__ = ["Catalogue", "Product"]

_NOUNS = (
    *("Green Tea", "Black Tea", "Oolong", "Teapot", "Kettle", "Mug", "Strainer", "Honey", "Tray"),
    *("Chai", "Matcha", "Biscuits", "Tea Towel", "Infuser", "Caddy", "Spoon", "Ribbon", "Book"),
)
_STYLES = ("Classic", "Travel", "Little", "Grand", "Café", "Organic", "Winter", "Größe L", "No. 7")
_FIRST = ("Ann", "Bob", "Carla", "Dmitri", "Eve", "Fatima", "Jörg", "Kim", "Luís", "Mia", "Zoë")
_LAST = ("Baker", "Costa", "Díaz", "Evans", "Fischer", "Gupta", "Ito", "O'Neil", "Smith", "Young")
_PLACES = (  # city, state, postal code, country, tax rate
    ("Atlanta", "GA", "30301", "US", 0.08),
    ("Austin", "TX", "73301", "US", 0.0825),
    ("Portland", "OR", "97201", "US", 0.0),
    ("Chicago", "IL", "60601", "US", 0.1025),
    ("San José", "CA", "95101", "US", 0.09375),
    ("Boston", "MA", "02101", "US", 0.0625),
    ("Toronto", "ON", "M4B 1B3", "CA", 0.0),
    ("München", "BY", "80331", "DE", 0.0),
    ("London", "LND", "EC1A 1BB", "GB", 0.0),
    ("東京", "13", "100-0001", "JP", 0.0),
)
_PLACE_WEIGHTS = (20, 16, 10, 14, 18, 12, 4, 3, 3, 1)
CURRENCY_OF = {"CA": ("CAD", 1.36), "DE": ("EUR", 0.92), "GB": ("GBP", 0.79), "JP": ("JPY", 148.7)}


@dataclass(frozen=True)
class Product:
    """A product.

    Attributes:
        price: cents; a multiple of 20, so that halves and tenths stay whole.
        kind: `physical`, `digital`, `by_weight` (sold in halves) or `kit`.
        parts: of a kit: product and quantity.
    """

    sku: str
    name: str
    price: int
    cogs: int
    kind: str
    parts: tuple[tuple["Product", int], ...] = ()


class Catalogue:
    """Products with a long tail of prices and popularity, and the people who buy them.

    Args:
        seed: the same seed gives the same catalogue.
        size: number of products that are no kits.
    """

    def __init__(self, seed: int, size: int = 90) -> None:
        rng = random.Random(f"catalogue-{seed}")
        simple = [_product(rng, number) for number in range(size)]
        physical = [product for product in simple if product.kind == "physical"]
        kits = [_kit(rng, number, physical) for number in range(size // 10)]
        self.products = simple + kits
        rng.shuffle(self.products)
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(len(self.products))))
        self._people = [_person(rng, number) for number in range(size * 4)]

    def products_for(self, rng: random.Random, count: int) -> list[Product]:
        """Draw different products, popular ones more often."""
        drawn = rng.choices(self.products, cum_weights=self._weights, k=count)
        return list({product.sku: product for product in drawn}.values())

    def person(self, rng: random.Random) -> dict[str, Any]:
        """Draw a buyer: a regular with a profile, or somebody who comes once."""
        if rng.random() < 0.45:
            return rng.choice(self._people)
        return _person(rng, None)


def _product(rng: random.Random, number: int) -> Product:
    kind = rng.choices(("physical", "digital", "by_weight"), (86, 9, 5))[0]
    price = max(40, round(rng.lognormvariate(7.6, 0.8) / 20) * 20)
    name = f"{rng.choice(_STYLES)} {rng.choice(_NOUNS)}"
    if rng.random() < 0.1:
        name += "\nSecond line of the description"
    return Product(f"SKU-{number:04d}", name, price, price * 2 // 5, kind)


def _kit(rng: random.Random, number: int, physical: list[Product]) -> Product:
    parts = tuple((product, rng.randint(1, 3)) for product in rng.sample(physical, 3))
    worth = sum(product.price * count for product, count in parts)
    price = worth * 4 // 5 // 20 * 20
    return Product(f"KIT-{number:02d}", f"Gift Set {number}", price, price * 2 // 5, "kit", parts)


def _person(rng: random.Random, number: int | None) -> dict[str, Any]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    city, state, postal, country, tax = rng.choices(_PLACES, _PLACE_WEIGHTS)[0]
    named = rng.randrange(10**6) if number is None else number
    address = {
        "first_name": first,
        "last_name": last,
        "address1": f"{rng.randrange(1, 2000)} Example Street",
        "city": city,
        "state_region": state,
        "postal_code": postal,
        "country_code": country,
        "day_phone": f"555-01{rng.randrange(100):02d}",
        "day_phone_e164": f"+155501{rng.randrange(10**4):04d}",
    }
    email = f"{first}.{last.replace(chr(39), '')}.{named}@example.com"
    if number is not None and number % 5 == 0:
        email = email.upper()  # the same person is not always written the same way
    return {
        "address": address,
        "email": email,
        "tax_rate": tax,
        "customer_profile_oid": None if number is None else 100_000 + number,
    }
