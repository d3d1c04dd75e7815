"""What the source says about how many requests are left, kept from its last answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["RateWindow", "http_date", "reserved_of", "seconds_until_allowed"]

# Limits on other things than plain requests: they must not slow down plain requests.
_OTHER_KINDS = frozenset({"bulk_api_calls", "webhook_calls"})
CYCLE = "api_calls_cycle"


@dataclass
class RateWindow:
    """The rate budget as of the last answer, less what was sent since.

    The headers are those of Voucherify's limits guide (August 2026): ``X-Rate-Limit-Limit``,
    ``-Remaining``, ``-Retry`` (epoch seconds), ``-Type``. A source that sends none of them is
    never slowed down here.

    Attributes:
        limit: Requests allowed in one window; None while unknown.
        remaining: Requests left in this window; None while unknown.
        kind: Which limit it is, such as ``api_calls`` or ``api_calls_cycle``.
        resets_at: When the window ends, on the transport's monotonic clock, in seconds.
        window: What the source calls the end of this window; tells one window from the next.
        reserve: Share of the limit, 0 to 0.9, that is left to others who use the same limit.
        is_known: An answer told of the present window, or that the source names no limits.
    """

    limit: int | None = None
    remaining: int | None = None
    kind: str | None = None
    resets_at: float | None = None
    window: str | None = None
    reserve: float = 0.0
    is_known: bool = False
    _observed_at: float = 0.0

    @property
    def reserved(self) -> int:
        """Requests of one window that are left to others; 0 while the limit is unknown."""
        return 0 if self.limit is None else reserved_of(self.limit, self.reserve)

    @property
    def is_billing_cycle(self) -> bool:
        """The limit resets with the billing cycle, so waiting for it is pointless."""
        return self.kind == CYCLE

    def observe(self, status: int, headers: Mapping[str, str], *, now: float) -> None:
        """Take over what an answer says.

        Args:
            status: HTTP status; 429 means that nothing is left, whatever the other headers say.
            headers: Headers of the answer; names are matched as httpx does, without case.
            now: The transport's monotonic clock in seconds.
        """
        self.is_known = True
        kind = headers.get("x-rate-limit-type")
        if kind in _OTHER_KINDS:
            return
        limit = _whole_number(headers.get("x-rate-limit-limit"))
        remaining = _whole_number(headers.get("x-rate-limit-remaining"))
        wait = seconds_until_allowed(headers)
        if status == 429:
            remaining = 0
        if remaining is None:
            return
        window = headers.get("x-rate-limit-retry")
        if window is not None and window == self.window and self.remaining is not None:
            # Answers overtake each other; the lowest count of a window is the true one.
            remaining = min(remaining, self.remaining)
        self.window = window
        self.limit = limit if limit is not None else self.limit
        self.kind = kind
        self.remaining = remaining
        self._observed_at = now
        if wait is not None:
            self.resets_at = now + wait

    def wait_seconds(self, now: float) -> float:
        """Seconds to wait before the next request; 0 when it may go at once."""
        if self.remaining is None or self.remaining > self.reserved or self.resets_at is None:
            return 0.0
        return max(0.0, self.resets_at - now)

    def has_room_beside(self, in_flight: int, now: float) -> bool:
        """Whether a request may go although others are not answered yet.

        The source may not have counted those when it gave its last answer, and others may have
        taken from the limit since.
        """
        if self.remaining is None or self.resets_at is None or self.resets_at <= now:
            return self.is_known
        return self.remaining - in_flight > self.reserved

    def turn_over(self, now: float) -> None:
        """Forget the count of a window that has ended since it was told.

        A source that names a time in the past (it may mean "at once") names no end.
        """
        if self.resets_at is not None and self._observed_at < self.resets_at <= now:
            self.forget()

    def forget(self) -> None:
        """Forget the count: a new window began, and others may use it too."""
        self.remaining, self.resets_at, self.is_known = None, None, False

    def take(self) -> None:
        """Count one request that is about to be sent."""
        if self.remaining is not None and self.remaining > 0:
            self.remaining -= 1


def reserved_of(limit: int, share: float) -> int:
    """Requests of a limit that are left to others: a share, rounded up, but never all of them.

    Args:
        limit: Requests allowed, from 1.
        share: 0 to 0.9.
    """
    # 100 * 0.55 is a little more than 55 in binary; that must not become 56.
    return max(0, min(limit - 1, math.ceil(round(limit * share, 6))))


def seconds_until_allowed(headers: Mapping[str, str]) -> float | None:
    """Read how long the source asks to wait.

    Args:
        headers: ``Retry-After`` (seconds or HTTP date) goes before ``X-Rate-Limit-Retry`` (epoch
            seconds). Points in time are taken relative to the ``Date`` header of the same answer,
            so that a wrong local clock does not matter; without it the local clock must do.

    Returns:
        Seconds, 0 for a time that has passed; None when the answer does not say.
    """
    after = headers.get("retry-after", "").strip()
    seconds = _number(after)
    if seconds is not None:
        return max(0.0, seconds)
    until = http_date(after)
    if until is None:
        epoch = _number(headers.get("x-rate-limit-retry"))
        if epoch is None:
            return None
        until_epoch = epoch
    else:
        until_epoch = until.timestamp()
    server_now = http_date(headers.get("date")) or datetime.now(UTC)
    return max(0.0, until_epoch - server_now.timestamp())


def http_date(text: str | None) -> datetime | None:
    """Parse an HTTP date to aware UTC; None if it is absent or is none."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole_number(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)
