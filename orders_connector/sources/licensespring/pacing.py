"""A steady pace for a source that names no limits.

LicenseSpring documents no rate limit and tells none in its answers, so nothing but our own
restraint keeps a full reading from being a burden.
"""

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Pace"]


class Pace:
    """Lets turns pass one after the other, never more than so many per second."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Set up; the first turn passes at once.

        Args:
            per_second: Turns per second, above 0.
            clock: Monotonic seconds.
            sleep: How to wait, in seconds.
        """
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = asyncio.Lock()
        self._next = float("-inf")

    async def turn(self) -> None:
        """Wait for the next turn."""
        async with self._lock:
            wait = self._next - self._clock()
            if wait > 0:
                await self._sleep(wait)
            self._next = self._clock() + self._interval
