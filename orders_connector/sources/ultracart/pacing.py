"""Keeps the calls of one client within UltraCart's limits, which no header tells.

Documented are 1,000 calls per hour and 10,000 per day, per application and per IP address, as
leaky buckets without a moment of reset. What a run may take is counted here from an empty bucket
on; if others filled it, the source refuses, names the limit, and the transport waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orders_connector.rate import reserved_of

__all__ = ["Pace"]

_NAMES = {3_600: "hour", 86_400: "day"}


@dataclass
class _Bucket:
    seconds: int
    calls: int
    ours: int
    level: float = 0.0
    at: float = 0.0

    def leak(self, now: float) -> None:
        self.level = max(0.0, self.level - (now - self.at) * self.ours / self.seconds)
        self.at = now

    def wait(self) -> float:
        return max(0.0, self.level + 1 - self.ours) * self.seconds / self.ours

    def __str__(self) -> str:
        left = (
            f", {self.calls - self.ours:,} of them for the shop" if self.ours < self.calls else ""
        )
        return f"{self.calls:,} calls per {_NAMES.get(self.seconds, f'{self.seconds} s')}{left}"


class Pace:
    """Leaky buckets, one per limit; the fullest one decides.

    Attributes:
        max_wait_seconds: Longest wait that a run takes upon itself.
    """

    def __init__(
        self,
        limits: Mapping[int, int],
        *,
        reserve: float = 0.0,
        max_wait_seconds: float = 900.0,
    ) -> None:
        """Set up with empty buckets.

        Args:
            limits: Calls, from 1, by the seconds of their window.
            reserve: Share of each limit, 0 to 0.9, that is left to the shop's own calls.
            max_wait_seconds: Longest wait before a call.
        """
        self.max_wait_seconds = max_wait_seconds
        self._buckets = [
            _Bucket(seconds, calls, calls - reserved_of(calls, reserve))
            for seconds, calls in limits.items()
        ]

    def wait(self, now: float) -> tuple[float, str]:
        """Return the seconds until the next call may go, and the limit that says so.

        Args:
            now: Monotonic seconds.
        """
        for bucket in self._buckets:
            bucket.leak(now)
        fullest = max(self._buckets, key=_Bucket.wait, default=None)
        return (fullest.wait(), str(fullest)) if fullest else (0.0, "")

    def note(self, calls: int, now: float) -> None:
        """Count calls that were sent."""
        for bucket in self._buckets:
            bucket.leak(now)
            bucket.level += calls
