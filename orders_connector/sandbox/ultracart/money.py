"""Amounts as the API writes them: decimals in base currency, and the shopper's currency beside."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["CURRENCIES", "Foreign", "cents", "foreign_of", "money", "number"]

# Decimals and sign of the shoppers' currencies; the base currency is USD.
CURRENCIES = {"EUR": (2, "€"), "GBP": (2, "£"), "CAD": (2, "CA$"), "JPY": (0, "¥")}


@dataclass(frozen=True)
class Foreign:
    """A shopper's currency at the time of the order.

    Attributes:
        code: ISO 4217.
        rate: shopper's currency per unit of base currency.
    """

    code: str
    rate: float


def money(amount: int, foreign: Foreign | None = None) -> dict[str, Any]:
    """Write an amount.

    Args:
        amount: cents of the base currency.
        foreign: the shopper's currency, if it is another.

    Returns:
        dict[str, Any]: the currency object; two keys fewer without `foreign`.
    """
    if foreign is None:
        value = number(amount)
        return {
            "value": value,
            "localized": value,
            "localized_formatted": f"${amount / 100:,.2f}",
        }
    decimals, sign = CURRENCIES[foreign.code]
    exact = Decimal(amount) / 100 * Decimal(str(foreign.rate))
    local = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return {
        "value": number(amount),
        "localized": int(local) if local == int(local) else float(local),
        "localized_formatted": f"{sign}{local:,}",
        "currency_code": foreign.code,
        "exchange_rate": foreign.rate,
    }


def number(amount: int) -> float | int:
    """Write cents as a JSON number: no decimals when there is nothing behind the point."""
    return amount // 100 if amount % 100 == 0 else amount / 100


def cents(value: Any) -> int:  # noqa: ANN401 - whatever a request holds
    """Read a currency object as cents of the base currency; absent is 0.

    Raises:
        TypeError: it is no currency object with a number.
    """
    if value is None:
        return 0
    amount = value["value"]
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise TypeError("a currency object needs a number as value")
    return round(amount * 100)


def foreign_of(order: dict[str, Any]) -> Foreign | None:
    """Return the shopper's currency of an order; None when it is the base currency."""
    if "currency_code" not in order:
        return None
    return Foreign(order["currency_code"], order["exchange_rate"])
