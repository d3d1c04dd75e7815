"""Rate limits by plan, counted on the sandbox's clock."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from orders_connector.sandbox.clock import EPOCH
from orders_connector.sandbox.voucherify.errors import ApiError
from orders_connector.sandbox.voucherify.shop import Shop

__all__ = ["Limits", "Meter", "Plan"]

HOUR = 3600
CYCLE = timedelta(days=30)


@dataclass(frozen=True)
class Limits:
    """How many requests a project may make; None is no limit.

    Attributes:
        per_period: requests per period.
        period: its length in seconds: 60, or 3600 in Sandbox projects.
        per_cycle: requests per billing cycle of 30 days, counted from the sandbox's start.
    """

    per_period: int | None = None
    period: int = 60
    per_cycle: int | None = None


class Plan(Enum):
    """The documented plans (limits guide), and one without limits for tests of other things."""

    UNLIMITED = Limits()
    BUSINESS = Limits(100, 60, 100_000)
    ORGANIZATION = Limits(2_000, 60, 300_000)
    SANDBOX = Limits(100, HOUR)


class Meter:
    """Counts the requests of the project and refuses those over a limit.

    Periods start at full minutes or hours of the clock.

    Args:
        limits: what the plan allows.
        shop: gives the clock and the switches.
    """

    def __init__(self, limits: Limits, shop: Shop) -> None:
        self.limits = limits
        self.subscription_ended = False
        self._shop = shop
        self._start = shop.clock.now()
        self._counts: dict[str, tuple[int, int]] = {}

    def take(self, *, bulk: bool) -> None:
        """Count one request.

        Args:
            bulk: whether it starts an export or an import.

        Raises:
            ApiError: 429, with the limit's name in `X-Rate-Limit-Type`.
        """
        limits, now = self.limits, self._shop.clock.now()
        bulk_limit = self._shop.switches.bulk_calls_per_hour
        if self.subscription_ended:
            raise self._refusal(None, None)
        checks = [
            ("api_calls_cycle", limits.per_cycle, self._cycle(now), self._start, CYCLE),
            ("api_calls", limits.per_period, *self._period(now, limits.period)),
        ]
        if bulk and bulk_limit:
            checks.append(("bulk_api_calls", bulk_limit, *self._period(now, HOUR)))
        for name, most, number, start, length in checks:
            if most is not None and self._used(name, number) >= most:
                raise self._refusal(name, start + (number + 1) * length)
        for name, _, number, _, _ in checks:
            self._counts[name] = (number, self._used(name, number) + 1)

    def headers(self) -> dict[str, str]:
        """Return the `X-Rate-Limit-*` headers of an answer given now."""
        most, period = self.limits.per_period, self.limits.period
        if most is None or self._shop.switches.rate_limit_headers == "never":
            return {}
        number, start, length = self._period(self._shop.clock.now(), period)
        end = start + (number + 1) * length
        return {
            "X-Rate-Limit-Limit": str(most),
            "X-Rate-Limit-Remaining": str(max(0, most - self._used("api_calls", number))),
            "X-Rate-Limit-Retry": str(_epoch_seconds(end)),
        }

    def _used(self, name: str, number: int) -> int:
        counted, used = self._counts.get(name, (number, 0))
        return used if counted == number else 0

    def _cycle(self, now: datetime) -> int:
        return (now - self._start) // CYCLE

    @staticmethod
    def _period(now: datetime, seconds: int) -> tuple[int, datetime, timedelta]:
        length = timedelta(seconds=seconds)
        return (now - EPOCH) // length, EPOCH, length

    def _refusal(self, name: str | None, end: datetime | None) -> ApiError:
        switches, now = self._shop.switches, self._shop.clock.now()
        headers = {"X-Rate-Limit-Type": name} if name else {}
        if end is not None and switches.rate_limit_headers == "always":
            headers["X-Rate-Limit-Retry"] = str(_epoch_seconds(end))
        if end is not None and switches.retry_after == "sent":
            headers["Retry-After"] = str(math.ceil((end - now).total_seconds()))
        code: int | str = "429" if switches.code_429 == "string" else 429
        message = "Too many requests hit the API too quickly."
        return ApiError(429, headers=headers, body={"code": code, "message": message})


def _epoch_seconds(moment: datetime) -> int:
    return math.ceil((moment - EPOCH).total_seconds())
