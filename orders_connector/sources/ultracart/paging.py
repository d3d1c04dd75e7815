"""Where the next page of a list of orders begins: arithmetic only, no network.

UltraCart leaves ``more`` out when it is false, ``total_records`` may be null, and the limit may be
lowered by the server at any time. So the next page begins behind the rows that really came, never
behind those that were asked for, and an end is believed when it is told: by the total, by a spelled
out ``more``, else by a page without orders, which costs one more call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orders_connector.answers import Answer

__all__ = ["PageFacts", "goes_on", "read_page"]


@dataclass(frozen=True)
class PageFacts:
    """What a page says about itself and the list.

    Attributes:
        offset: Rows before the page.
        rows: Orders on the page.
        next_offset: Where to go on; None behind the last page.
        total: Orders in the list; None when the source does not say. Moves while you read.
    """

    offset: int
    rows: int
    next_offset: int | None
    total: int | None


def read_page(answer: Answer, *, offset: int) -> PageFacts:
    """Read the facts of a page.

    Args:
        answer: The page.
        offset: The offset that was asked for.

    Raises:
        UnreadableAnswer: No JSON object, ``orders`` is no list, or there are no rows although more
            are said to follow: to go on would skip them or never end.
    """
    body = answer.json()
    if not isinstance(body, dict):
        raise answer.unreadable("it is no JSON object")
    orders = body.get("orders")
    if orders is None:
        orders = []  # an empty list may be left out like a null
    if not isinstance(orders, list):
        raise answer.unreadable("`orders` is no list")
    told = _result_set(body)
    rows, total = len(orders), _whole(told.get("total_records"))
    behind = offset + rows
    following: int | None = None
    if goes_on(told.get("more"), rows=rows, behind=behind, total=total) is not False:
        following = behind
        # Rows between would be skipped by a larger one; a smaller one reads some twice.
        named = _whole(told.get("next_offset"))
        if named is not None and named > offset and (named < behind or not rows):
            following = named
        if following <= offset:
            raise answer.unreadable("a page without orders says that more follow")
    return PageFacts(offset=offset, rows=rows, next_offset=following, total=total)


def goes_on(more: object, *, rows: int, behind: int, total: int | None) -> bool | None:
    """Tell whether orders follow behind a page; None when the source does not say.

    Args:
        more: As the page says.
        rows: Orders on it.
        behind: Orders up to its end.
        total: Orders in the list; None when the source does not say.
    """
    if more is True:
        return True
    if total is not None:
        return behind < total
    return False if more is False or not rows else None


def _result_set(body: dict[str, Any]) -> dict[str, Any]:
    metadata = body.get("metadata")
    told = metadata.get("result_set") if isinstance(metadata, dict) else None
    return told if isinstance(told, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
