"""The sandbox's time, which stands still unless it is told to move."""

import threading
import time
from datetime import UTC, datetime, timedelta

__all__ = ["EPOCH", "Clock", "microseconds", "stamp"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stamp(moment: datetime) -> str:
    """Write a UTC moment as ISO 8601 with milliseconds and `Z`.

    Args:
        moment: an aware datetime in UTC.

    Returns:
        str: for example `2026-08-01T10:00:00.000Z`.
    """
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def microseconds(text: object) -> int | None:
    """Read a timestamp of an order as microseconds since 1970-01-01 UTC.

    Args:
        text: ISO 8601 with any fraction and offset; without an offset it is taken as UTC.

    Returns:
        int | None: the moment, or None when it is not a date (null, absent, odd data).
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MICROSECOND


class Clock:
    """A clock under the test's control: stands still at speed 0, runs with real time at speed 1.

    Args:
        now: where it starts, aware; the default is the current time without its fraction.
        speed: seconds of the sandbox per real second.
    """

    def __init__(self, now: datetime | None = None, *, speed: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._base = (now or datetime.now(UTC).replace(microsecond=0)).astimezone(UTC)
        self._real = time.monotonic()
        self._speed = speed

    def now(self) -> datetime:
        """Return the sandbox's time (aware, UTC)."""
        with self._lock:
            return self._now()

    def advance(self, delta: timedelta) -> None:
        """Move the clock by `delta`."""
        with self._lock:
            self._base += delta

    def set(self, moment: datetime) -> None:
        """Put the clock on an aware `moment`."""
        with self._lock:
            self._base, self._real = moment.astimezone(UTC), time.monotonic()

    def run(self, speed: float = 1.0) -> None:
        """Let the clock tick at `speed` sandbox seconds per real second; 0 stops it."""
        with self._lock:
            self._base, self._real = self._now(), time.monotonic()
            self._speed = speed

    def _now(self) -> datetime:
        if not self._speed:
            return self._base
        return self._base + timedelta(seconds=(time.monotonic() - self._real) * self._speed)
