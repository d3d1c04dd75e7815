"""Who buys and what is sold: customers, their accounts, products, all made up."""

import random
from typing import Any

__all__ = ["COMPANY", "PRODUCTS", "buyer", "product", "user"]

COMPANY = 277  # the vendor

_FIRST = ("Ada", "Ben", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Inés", "Jonas")
_LAST = ("Example", "Kowalska", "Lindqvist", "Müller", "Nakamura", "Okafor", "Petit", "Quinn")
_FIRMS = ("Works", "Labs", "Design", "Bau GmbH", "Consulting", "Studio", "Engineering s.r.o.")
_COUNTRIES = ("DE", "PL", "US", "JP", "GB", "FR", "SE", "")

# Short code, name, how it is sold.
_RANGE = (
    ("draft", "Draft Desk", "subscription"),
    ("draft-pro", "Draft Desk Pro", "subscription"),
    ("render", "Render Box", "time-limited"),
    ("viewer", "Viewer", "perpetual"),
    ("nest", "Nesting Engine", "consumption"),
    ("sim", "Simulator", "perpetual"),
)
PRODUCTS: dict[str, dict[str, Any]] = {
    code: {"id": 1584723961091234 + place, "short_code": code, "product_name": name, "sold": sold}
    for place, (code, name, sold) in enumerate(_RANGE)
}


def product(product_id: int) -> dict[str, Any]:
    """Return a product as licenses show it."""
    found = next(one for one in PRODUCTS.values() if one["id"] == product_id)
    return {key: found[key] for key in ("id", "short_code", "product_name")}


def buyer(number: int) -> dict[str, Any]:
    """Return the customer part of a request to create an order; the same number, the same one."""
    rng = random.Random(f"buyer-{number}")
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return {
        "email": f"{first}.{last}.{number}@example.com".lower(),
        "first_name": first,
        "last_name": last,
        "company_name": f"{last} {rng.choice(_FIRMS)}" if rng.random() < 0.7 else "",
        "phone": "",
        "reference": f"crm-{number}" if rng.random() < 0.6 else "",
        "country": rng.choice(_COUNTRIES),
    }


def user(number: int, short_code: str) -> dict[str, Any]:
    """Return the user of a license, with the first password that must never be stored."""
    rng = random.Random(f"user-{number}")
    email = f"user{number}@example.com"
    return {
        "id": number,
        "email": f"{email}|{short_code}",
        "true_email": email,
        "first_name": rng.choice(_FIRST),
        "last_name": rng.choice(_LAST),
        "is_active": True,
        "is_manager": False,
        "initial_password": f"first-{rng.getrandbits(48):012x}",
        "is_initial_password": True,
    }
