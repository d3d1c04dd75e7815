"""Limits: leaky buckets by the hour and by the day, and one request at a time."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.ultracart.errors import ApiError
from orders_connector.sandbox.ultracart.switches import Switches

__all__ = ["Limits", "Meter", "Plan", "Turns"]

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Limits:
    """How many requests an application may make; None is no limit.

    Attributes:
        per_hour: size of the bucket that drains evenly within an hour.
        per_day: the same within a day.
    """

    per_hour: int | None = None
    per_day: int | None = None


class Plan(Enum):
    """The documented default, and one without limits for tests of other things."""

    UNLIMITED = Limits()
    DEFAULT = Limits(1_000, 10_000)


class Meter:
    """Counts the requests of the application and refuses those over a limit.

    Args:
        limits: what is allowed.
        clock: drains the buckets.
        merchant_id: named in the header of refusals.
    """

    def __init__(self, limits: Limits, clock: Clock, merchant_id: str) -> None:
        self.limits = limits
        self._clock = clock
        self._merchant_id = merchant_id
        self._levels: dict[int, tuple[float, datetime]] = {}

    def take(self, switches: Switches) -> None:
        """Count one request; one that is refused does not count.

        Raises:
            ApiError: 429 that names the rate.
        """
        now = self._clock.now()
        for most, period in self._buckets():
            over = self._level(most, period, now) + 1 - most
            if over > 1e-9:
                wait = math.ceil(over * period / most) if most else period
                raise self._refusal(most, period, wait, switches)
        for most, period in self._buckets():
            self._levels[period] = (self._level(most, period, now) + 1, now)

    def _buckets(self) -> list[tuple[int, int]]:
        both = ((self.limits.per_hour, HOUR), (self.limits.per_day, DAY))
        return [(most, period) for most, period in both if most is not None]

    def _level(self, most: int, period: int, now: datetime) -> float:
        level, at = self._levels.get(period, (0.0, now))
        return max(0.0, level - (now - at).total_seconds() * most / period)

    def _refusal(self, most: int, period: int, wait: int, switches: Switches) -> ApiError:
        headers = {"UC-REST-ERROR-MERCHANT-ID": self._merchant_id}
        if switches.retry_after == "sent":
            headers["Retry-After"] = str(wait)
        return ApiError(429, f"rate of {most} per {period} second(s) exceeded.", headers)


class Turns:
    """Refuses a request that comes while another one of the same caller is answered."""

    def __init__(self) -> None:
        self._busy: set[str] = set()

    @contextmanager
    def hold(self, caller: str | None, switches: Switches) -> Iterator[None]:
        """Take the turn of a caller; None never waits for anybody.

        Raises:
            ApiError: 429, the caller has a request under way.
        """
        if caller is None:
            yield
            return
        if caller in self._busy:
            headers = {"Retry-After": "1"} if switches.retry_after == "sent" else {}
            raise ApiError(429, "Concurrent calls are not allowed.", headers)
        self._busy.add(caller)
        try:
            yield
        finally:
            self._busy.discard(caller)
