"""Saves what can be read of a page that is malformed each time it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection

__all__ = ["salvage"]

_DECODER = json.JSONDecoder()
_SEPARATORS = re.compile(r"[\s,]*")


def salvage(
    body: bytes,
    rows: str,
    *,
    numbers: Collection[str] = (),
    kept: Callable[[str], str] = str,
) -> bytes | None:
    """Rebuild a page of malformed JSON: readable rows stay, broken ones become JSON strings.

    Landing puts the strings into quarantine. Only for pages that are malformed each time they are
    asked for; the hot path never comes here.

    Args:
        body: The page as it came.
        rows: Key of the page's list.
        numbers: Keys beside the list whose whole numbers stay, such as `total`.
        kept: What may be kept of the text of a broken row.

    Returns:
        The rebuilt page, or None when the end of the page is gone and rows may be missing.
    """
    text = body.decode("utf-8", errors="replace")
    found = re.search(rf'"{rows}"\s*:\s*\[', text)
    if not found:
        return None
    at = _SEPARATORS.match(text, found.end()).end()  # type: ignore[union-attr]
    there: list[object] = []
    while at < len(text) and text[at] != "]":
        try:
            row, at = _DECODER.raw_decode(text, at)
            there.append(row)
        except ValueError:
            end = _end_of_broken_value(text, at)
            if end is None:
                return None
            there.append(kept(text[at:end]))
            at = end
        at = _SEPARATORS.match(text, at).end()  # type: ignore[union-attr]
    if at >= len(text):
        return None
    page: dict[str, object] = {rows: there}
    beside = text[: found.start()] + text[at:]
    for name in numbers:
        if number := re.search(rf'"{name}"\s*:\s*(\d+)', beside):
            page[name] = int(number.group(1))
    return json.dumps(page, ensure_ascii=False).encode(errors="replace")


def _end_of_broken_value(text: str, at: int) -> int | None:
    """Return where a broken object ends, by counting brackets outside strings."""
    depth, inside, escaped = 0, False, False
    for index in range(at, len(text)):
        char = text[index]
        if inside:
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            inside = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth <= 0:
                return index + 1 if depth == 0 else index
        elif char == "," and depth == 0:
            return index
    return None
