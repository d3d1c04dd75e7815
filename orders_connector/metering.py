"""What a run may still ask of a source: its own budget of calls, and the source's limits."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx

from orders_connector.errors import (
    CallBudgetExhausted,
    QuotaExhausted,
    RateLimited,
    SourceContext,
)
from orders_connector.rate import RateWindow

__all__ = ["Meter"]


class Meter:
    """Counts the requests of one account and holds them back when none are left.

    Attributes:
        calls: Requests sent so far.
        rate: What the last answer said about the limits.
    """

    def __init__(
        self,
        *,
        account: str,
        call_budget: int | None,
        max_wait_seconds: float,
        wait: Callable[[float, str], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        """Set up.

        Args:
            account: Name of the account, for messages.
            call_budget: Requests that may be sent in all; None for no limit.
            max_wait_seconds: Longest wait for the source's next window.
            wait: How to wait: seconds, and the reason in words.
            clock: Monotonic seconds.
        """
        self.calls = 0
        self.rate = RateWindow()
        self._account = account
        self._call_budget = call_budget
        self._max_wait = max_wait_seconds
        self._wait = wait
        self._clock = clock

    async def admit(self, request: httpx.Request) -> None:
        """Let one request pass, after a wait if the source allows none now.

        Raises:
            CallBudgetExhausted: The call budget is used up.
            QuotaExhausted: The source allows none until the next billing cycle.
            RateLimited: The wait would be longer than allowed.
        """
        if self._call_budget is not None and self.calls >= self._call_budget:
            raise CallBudgetExhausted(
                f"Account {self._account} used the {self._call_budget} requests that one run may "
                "make. What was read is kept: run again to go on, or raise max_calls_per_run.",
                account=self._account,
                budget=self._call_budget,
            )
        self.calls += 1  # before the wait, so that parallel requests cannot overdraw the budget
        try:
            await self._wait_for_window(request)
        except BaseException:
            self.calls -= 1
            raise
        self.rate.take()

    def note(self, response: httpx.Response) -> None:
        """Take over what an answer says about the limits."""
        self.rate.observe(response.status_code, response.headers, now=self._clock())

    @property
    def seconds_until_next(self) -> float:
        """Seconds that the next request will be held back; 0 if it may go at once."""
        return self.rate.wait_seconds(self._clock())

    async def _wait_for_window(self, request: httpx.Request) -> None:
        seconds = self.seconds_until_next
        if not seconds:
            return
        resets_at = datetime.now(UTC) + timedelta(seconds=seconds)
        message = (
            f"No requests are left until {resets_at:%Y-%m-%d %H:%M:%S} UTC "
            f"({self.rate.limit} allowed per window)"
        )
        context = SourceContext(
            account=self._account, method=request.method, path=request.url.raw_path.decode("ascii")
        )
        if self.rate.is_billing_cycle:
            raise QuotaExhausted(
                f"{message}: the quota of the billing cycle is used up. Buy a package of requests "
                "or run again in the next cycle; what was read is kept.",
                resets_at=resets_at,
                **context,
            )
        if seconds > self._max_wait:
            raise RateLimited(
                f"{message}, and a run waits {self._max_wait:.0f} s at most. Run again then, or "
                "raise max_wait_seconds; what was read is kept.",
                resets_at=resets_at,
                retry_after=seconds,
                **context,
            )
        await self._wait(seconds, message)
