"""Orders in sort order, so that any page is a slice."""

import json
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import Any, NamedTuple

from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["Listing", "Record"]

_Entry = tuple[int, str]


class Record(NamedTuple):
    """One state of one order. Never changed in place: every write makes a new record.

    Attributes:
        id: the order's id.
        source_id: the merchant's id, if any.
        created: `created_at` in microseconds since 1970 UTC; 0 when it is no date.
        updated: `updated_at` likewise; None when it is null, absent or no date.
        body: the order as JSON, exactly as GET returns it.
    """

    id: str
    source_id: str | None
    created: int
    updated: int | None
    body: bytes

    def order(self) -> dict[str, Any]:
        """Decode the order anew; changing the result changes nothing here."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


class Listing:
    """The orders that list and export see, indexed by both sort keys."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._created: list[_Entry] = []
        self._updated: list[_Entry] = []
        self._never: list[_Entry] = []  # no updated_at: all tied, their place is an open question

    def load(self, records: Iterable[Record]) -> None:
        """Add many new orders at once; much faster than `put` for each."""
        for record in records:
            self.records[record.id] = record
        loaded = self.records.values()
        self._created = sorted((r.created, r.id) for r in loaded)
        self._updated = sorted((r.updated, r.id) for r in loaded if r.updated is not None)
        self._never = sorted((0, r.id) for r in loaded if r.updated is None)

    def put(self, record: Record) -> None:
        """Add an order or replace its former state."""
        self.drop(record.id)
        self.records[record.id] = record
        insort(self._created, (record.created, record.id))
        updated, key = self._home(record)
        insort(updated, key)

    def drop(self, order_id: str) -> None:
        """Remove an order if it is there."""
        old = self.records.pop(order_id, None)
        if old is None:
            return
        del self._created[bisect_left(self._created, (old.created, old.id))]
        updated, key = self._home(old)
        del updated[bisect_left(updated, key)]

    def window(
        self, sort: str, start: int, stop: int, switches: Switches, salt: int = 0
    ) -> list[Record]:
        """Return the orders at places `start` to `stop` of a sort order.

        Args:
            sort: `created_at`, `-created_at`, `updated_at` or `-updated_at`.
            start: first place, from 0.
            stop: place after the last one.
            switches: says where nulls and ties stand.
            salt: changes the order of ties when they are shuffled.

        Returns:
            list[Record]: at most `stop - start` records.
        """
        descending = sort.startswith("-")
        shuffle = salt if switches.tie_order == "shuffled" else None
        ids: list[str] = []
        for segment in self._segments(sort.lstrip("-"), descending, switches.null_updated_at):
            size = len(segment)
            low, high = max(start, 0), min(stop, size)
            if low < high:
                ids += _slice(segment, low, high, descending=descending, shuffle=shuffle)
            start, stop = start - size, stop - size
        return [self.records[order_id] for order_id in ids]

    def created_between(self, low: int, high: int) -> list[str]:
        """Return ids of orders with `low <= created_at < high` (microseconds), oldest first."""
        first = bisect_left(self._created, (low, ""))
        last = bisect_left(self._created, (high, ""))
        return [order_id for _, order_id in self._created[first:last]]

    def _home(self, record: Record) -> tuple[list[_Entry], _Entry]:
        if record.updated is None:
            return self._never, (0, record.id)
        return self._updated, (record.updated, record.id)

    def _segments(self, key: str, descending: bool, nulls: str) -> list[list[_Entry]]:
        if key == "created_at":
            return [self._created]
        nulls_first = nulls == "first" or nulls == ("largest" if descending else "smallest")
        both = [self._updated, self._never]
        return both[::-1] if nulls_first else both


def _slice(
    segment: list[_Entry], low: int, high: int, *, descending: bool, shuffle: int | None
) -> list[str]:
    if descending:
        low, high = len(segment) - high, len(segment) - low
    entries = segment[low:high]
    if shuffle is not None:
        # Ties may cross the page's edge, so whole groups of equal keys are shuffled, then cut.
        left = bisect_left(segment, (entries[0][0], ""))
        right = bisect_right(segment, (entries[-1][0], "\U0010ffff"))
        groups = segment[left:right]
        random.Random(shuffle).shuffle(groups)
        groups.sort(key=lambda entry: entry[0])
        entries = groups[low - left : high - left]
    ids = [order_id for _, order_id in entries]
    return ids[::-1] if descending else ids
