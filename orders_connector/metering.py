"""What a run may still ask of a source: its own budget of calls, and the source's limits."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from orders_connector.errors import (
    CallBudgetExhausted,
    QuotaExhausted,
    RateLimited,
    SourceContext,
)
from orders_connector.rate import RateWindow

__all__ = ["PER_RUN", "Meter"]

PER_RUN = "one run may make. What was read is kept: run again to go on, or raise max_calls_per_run."


class Meter:
    """Counts the requests of one account and holds them back when none are left for it.

    Requests pass one after the other. The first one of each window goes alone: its answer says
    how much others who share the limit have taken of it, and the rest go by that; the last ones
    go one by one again.

    Attributes:
        calls: Requests sent so far.
        rate: What the last answer said about the limits.
    """

    def __init__(
        self,
        *,
        account: str,
        call_budget: int | None,
        budget_reason: str = PER_RUN,
        reserve: float = 0.0,
        max_wait_seconds: float,
        wait: Callable[[float, str], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        """Set up.

        Args:
            account: Name of the account, for messages.
            call_budget: Requests that may be sent in all; None for no limit.
            budget_reason: Ends the sentence "used the 5 requests that ...", and says what to do.
            reserve: Share of each window, 0 to 0.9, that is left to the shop's own traffic.
            max_wait_seconds: Longest wait for the source's next window.
            wait: How to wait: seconds, and the reason in words.
            clock: Monotonic seconds.
        """
        self.calls = 0
        self.rate = RateWindow(reserve=reserve)
        self._account = account
        self._call_budget = call_budget
        self._cap: tuple[int, int, str] | None = None
        self._budget_reason = budget_reason
        self._max_wait = max_wait_seconds
        self._wait = wait
        self._clock = clock
        self._gate = asyncio.Lock()
        self._landed = asyncio.Event()
        # A task has one request under way at most, redirects and token requests included.
        self._in_flight: set[asyncio.Task[object] | None] = set()

    @contextmanager
    def capped(self, calls: int | None, reason: str) -> Iterator[None]:
        """Let no more than so many further requests pass in the body.

        Args:
            calls: Requests, repetitions included; None for no limit beside the budget.
            reason: As `budget_reason`.
        """
        self._cap = None if calls is None else (self.calls + calls, calls, reason)
        try:
            yield
        finally:
            self._cap = None

    async def admit(self, request: httpx.Request) -> None:
        """Let one request pass, after a wait if the source allows none now.

        Raises:
            CallBudgetExhausted: The call budget is used up, or what `capped` leaves of it.
            QuotaExhausted: The source allows us none until the next billing cycle.
            RateLimited: The wait would be longer than allowed.
        """
        limits = [] if self._cap is None else [self._cap]
        if self._call_budget is not None:
            limits.insert(0, (self._call_budget, self._call_budget, self._budget_reason))
        for most, budget, reason in limits:
            if self.calls >= most:
                raise CallBudgetExhausted(
                    f"Account {self._account} used the {budget:,} requests that {reason}",
                    account=self._account,
                    budget=budget,
                )
        self.calls += 1  # before the wait, so that parallel requests cannot overdraw the budget
        try:
            async with self._gate:
                await self._wait_for_room(request)
                self.rate.take()
                self._in_flight.add(asyncio.current_task())
        except BaseException:
            self.calls -= 1
            raise

    def note(self, response: httpx.Response) -> None:
        """Take over what an answer says about the limits."""
        self.release()
        self.rate.observe(response.status_code, response.headers, now=self._clock())

    def release(self) -> None:
        """The request of the current task is answered, or never will be."""
        self._in_flight.discard(asyncio.current_task())
        self._landed.set()

    @property
    def seconds_until_next(self) -> float:
        """Seconds that the next request will be held back; 0 if it may go at once."""
        return self.rate.wait_seconds(self._clock())

    async def _wait_for_room(self, request: httpx.Request) -> None:
        while True:
            self.rate.turn_over(self._clock())
            others = len(self._in_flight)
            if seconds := self.seconds_until_next:
                await self._wait_for_window(request, seconds)
            elif not others or self.rate.has_room_beside(others, self._clock()):
                return
            else:
                self._landed.clear()
                await self._landed.wait()

    async def _wait_for_window(self, request: httpx.Request, seconds: float) -> None:
        rate = self.rate
        resets_at = datetime.now(UTC) + timedelta(seconds=seconds)
        until = f"until {resets_at:%Y-%m-%d %H:%M:%S} UTC"
        if rate.remaining:
            message = f"{rate.remaining:,} of {rate.limit:,} requests are left for the shop {until}"
            or_lower = ", lower `reserve`"
        else:
            message = f"No requests are left {until} ({rate.limit} allowed per window)"
            or_lower = ""
        context = SourceContext(
            account=self._account, method=request.method, path=request.url.raw_path.decode("ascii")
        )
        if rate.is_billing_cycle:
            raise QuotaExhausted(
                f"{message}: our part of the quota of the billing cycle is used up. Buy a package "
                f"of requests{or_lower} or run again in the next cycle; what was read is kept.",
                resets_at=resets_at,
                **context,
            )
        if seconds > self._max_wait:
            raise RateLimited(
                f"{message}, and a run waits {self._max_wait:.0f} s at most. Run again then"
                f"{or_lower} or raise max_wait_seconds; what was read is kept.",
                resets_at=resets_at,
                retry_after=seconds,
                **context,
            )
        waited_for = rate.resets_at
        await self._wait(seconds, message)
        if rate.resets_at == waited_for:  # not put off by an answer that came meanwhile
            rate.forget()
