"""One HTTP transport for all sources: retry, rate budget, redirects, redaction.

What every call of every source has in common lives here, so that a client is a list of endpoints:

- A request is repeated after 429, 5xx, timeouts, resets and unreadable answers, with exponential
  backoff and full jitter, unless the source may already have carried out something that must not
  happen twice.
- The rate budget is read from each answer; at zero, or when only what is reserved for the shop's
  own traffic is left, the next request waits instead of provoking a refusal. A wait that is
  longer than allowed, or that lasts until the billing cycle ends, is an error at once.

``wire`` makes the single attempt, ``metering`` holds requests back, ``answers`` names the errors.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, asynccontextmanager
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import httpx
import tenacity

from orders_connector.answers import Answer, looks_like_json
from orders_connector.errors import (
    QuotaExhausted,
    RateLimited,
    RetriableSourceError,
    SourceError,
)
from orders_connector.hosts import host_of
from orders_connector.metering import PER_RUN, Meter
from orders_connector.rate import RateWindow
from orders_connector.redaction import redact
from orders_connector.wire import Call, Expected, Wire

__all__ = ["Answer", "RateWindow", "Transport", "redact"]

T = TypeVar("T")

log = logging.getLogger(__name__)

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 60.0
_ACCEPT = {"json": "application/json", "text": "text/plain", "bytes": "*/*", "none": "*/*"}


class Transport:
    """Sends the requests of one account; an async context manager for one event loop.

    Attributes:
        base_url: Address of the API, without a trailing slash.
        account: Name of the account, for messages.
        retries: Requests that were repeated.
        clock: The monotonic clock, in seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        account: str = "unnamed",
        allowed_hosts: Collection[str] = (),
        auth: httpx.Auth | None = None,
        timeout: float = 30.0,
        max_attempts: int = 5,
        max_wait_seconds: float = 900.0,
        call_budget: int | None = None,
        budget_reason: str = PER_RUN,
        reserve: float = 0.0,
        on_wait: Callable[[float, str], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Set up; nothing is sent yet.

        Args:
            base_url: ``https://host[:port]``; http for loopback hosts only.
            account: Name of the account, for messages.
            allowed_hosts: Further ``host[:port]`` that may be sent credentials.
            auth: Puts the credentials on a request.
            timeout: Seconds without any progress until an attempt counts as failed.
            max_attempts: Attempts for one request, the first included.
            max_wait_seconds: Longest wait that the source may ask for.
            call_budget: Requests this object may send in all; None for no limit.
            budget_reason: Why there is a call budget and what to do when it is used up; ends the
                sentence "Account shop used the 5 requests that ...".
            reserve: Share of each of the source's windows, 0 to 0.9, that is left to the shop's
                own traffic; one request per window may always go.
            on_wait: Called before each wait with its seconds and the reason.
            sleep: How to wait; tests put a fake here.
            rng: Source of jitter; tests put a seeded one here.
            clock: Monotonic seconds; tests put a fake here.
            http_transport: What httpx sends with; tests put ``httpx.MockTransport`` here.

        Raises:
            HostNotAllowed: ``base_url`` is plain http to another machine.
        """
        self.base_url = base_url.rstrip("/")
        self.account = account
        self.clock = clock
        self.retries = 0
        self._max_attempts = max_attempts
        self._max_wait = max_wait_seconds
        self._on_wait = on_wait
        self._sleep = sleep
        # Jitter spreads load; nothing secret depends on it.
        self._rng = rng or random.Random()  # noqa: S311
        self._failure: Exception | None = None
        self._meter = Meter(
            account=account,
            call_budget=call_budget,
            budget_reason=budget_reason,
            reserve=reserve,
            max_wait_seconds=max_wait_seconds,
            wait=self.wait,
            clock=clock,
        )
        self._wire = Wire(
            account=account,
            allowed_hosts={host_of(self.base_url), *allowed_hosts},
            auth=auth,
            meter=self._meter,
            timeout=timeout,
            clock=clock,
            http_transport=http_transport,
        )
        self._wire.require_allowed("GET", httpx.URL(self.base_url))

    def fail_with(self, error: Exception) -> None:
        """Raise an error in the place of every request from now on."""
        self._failure = error

    @property
    def calls(self) -> int:
        """Requests sent to allowed hosts, repetitions and token requests included."""
        return self._meter.calls

    def capped(self, calls: int | None, reason: str) -> AbstractContextManager[None]:
        """Send no more than so many further requests in the body; see `Meter.capped`."""
        return self._meter.capped(calls, reason)

    @property
    def bytes_received(self) -> int:
        """Bytes of bodies received, as they came over the wire (compressed)."""
        return self._wire.bytes_received

    @property
    def rate(self) -> RateWindow:
        """What the last answer said about the limits of the source."""
        return self._meter.rate

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()

    async def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, str | int | None] | None = None,
        json: object = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        expect: Expected = "json",
        refusal: Callable[[Answer], SourceError | None] = lambda _: None,
    ) -> Answer:
        """Send a request until it is answered or there is no point in going on.

        Args:
            method: HTTP method.
            path_or_url: Path below ``base_url``, already percent-encoded, or a whole address on
                an allowed host.
            params: Query; keys with None are left out.
            json: Body to send as JSON.
            data: Body to send as a form.
            headers: Further headers.
            idempotent: Whether repeating does no harm. Default: by method, yes for GET, HEAD,
                PUT and DELETE.
            expect: ``json`` checks cheaply that the body is a whole JSON object or array; ``text``
                that it is no web page; ``bytes`` and ``none`` check nothing.
            refusal: Finds an error that the source put into an answer of good status; the request
                is repeated where its kind says so.

        Returns:
            The answer with the whole body.

        Raises:
            SourceError: As the tree in ``errors`` says. With ``maybe_processed`` set, the source
                may have carried out the request although no usable answer came.
            CallBudgetExhausted: The call budget is used up; nothing was sent.
        """
        call = self._call(method, path_or_url, params, json, data, headers, idempotent, expect)

        async def attempt() -> Answer:
            answer = await self._fetch(call)
            if error := refusal(answer):
                raise error
            return answer

        return await self._until_it_works(attempt)

    @asynccontextmanager
    async def stream(
        self,
        path_or_url: str,
        *,
        params: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Expected = "text",
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET a body piece by piece. Opening is repeated; a body that breaks off is an error.

        Yields:
            The body in pieces, content decoding done.

        Raises:
            SourceError: As for ``request``, also while the body is read.
            CallBudgetExhausted: The call budget is used up.
        """
        call = self._call("GET", path_or_url, params, None, None, headers, True, expect)
        async with AsyncExitStack() as stack:

            async def attempt() -> httpx.Response:
                return await stack.enter_async_context(self._wire.exchange(call))

            response = await self._until_it_works(attempt)
            yield await stack.enter_async_context(aclosing(self._wire.pieces(call, response)))

    async def download(
        self, path_or_url: str, target: BinaryIO, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET a body into a file. A download that breaks off begins anew.

        Args:
            path_or_url: As for ``request``.
            target: A seekable binary file; written from its present position on.
            headers: Further headers.

        Returns:
            The answer without its body.

        Raises:
            SourceError: As for ``request``; ``target`` then holds the first part of the body.
            CallBudgetExhausted: The call budget is used up.
        """
        call = self._call("GET", path_or_url, None, None, None, headers, True, "text")
        beginning = target.tell()

        async def attempt() -> Answer:
            started = self.clock()
            target.seek(beginning)
            target.truncate()
            async with self._wire.exchange(call) as response:
                async for piece in self._wire.pieces(call, response):
                    target.write(piece)
            return self._wire.answer(call, response, b"", started)

        return await self._until_it_works(attempt)

    async def wait(self, seconds: float, reason: str) -> None:
        """Wait, and say so: for polls of asynchronous jobs as for the limits of the source.

        Args:
            seconds: How long.
            reason: What for, in words for the person who watches.
        """
        log.info("account %s: waiting %.1f s, %s", self.account, seconds, reason)
        if self._on_wait:
            self._on_wait(seconds, reason)
        await self._sleep(seconds)

    async def _fetch(self, call: Call) -> Answer:
        started = self.clock()
        async with self._wire.exchange(call) as response:
            content = b"".join([piece async for piece in self._wire.pieces(call, response)])
        answer = self._wire.answer(call, response, content, started)
        if call.expect == "json" and not looks_like_json(answer.headers, content):
            raise answer.unreadable(
                f"{len(content)} bytes that are no whole JSON object or array",
                maybe_processed=not call.idempotent,
            )
        return answer

    async def _until_it_works(self, attempt: Callable[[], Awaitable[T]]) -> T:
        if self._failure:
            raise self._failure
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._may_repeat),
            stop=tenacity.stop_after_attempt(self._max_attempts),
            wait=self._wait_before_repeating,
            before_sleep=self._note_repetition,
            sleep=self._sleep,
            reraise=True,
        )

        async def attempt_and_release() -> T:
            try:
                return await attempt()
            except BaseException:
                self._meter.release()  # others may be waiting for what its answer would have told
                raise

        try:
            return await retrying(attempt_and_release)
        except RateLimited as error:
            if error.resets_at or error.kind:
                raise
            # The limits guide: 429 also means that the subscription has ended. A true limit
            # says which it is or when it ends.
            raise QuotaExhausted(
                "The source keeps refusing all requests and names no limit, so the subscription "
                "of this account has probably ended. Ask the owner of the account.",
                **error.context,
            ) from error

    def _may_repeat(self, error: BaseException) -> bool:
        return (
            isinstance(error, RetriableSourceError)
            and not error.maybe_processed
            and (error.retry_after or 0) <= self._max_wait
        )

    def _wait_before_repeating(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RateLimited) and self._meter.seconds_until_next:
            return 0.0  # the window makes the next request wait, this one and all others
        if isinstance(error, RetriableSourceError) and error.retry_after:
            return error.retry_after
        ceiling = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (state.attempt_number - 1))
        return self._rng.uniform(0, ceiling)

    def _note_repetition(self, state: tenacity.RetryCallState) -> None:
        self.retries += 1
        seconds = state.next_action.sleep if state.next_action else 0.0
        reason = f"attempt {state.attempt_number} failed: "
        reason += str(state.outcome.exception()) if state.outcome else ""
        log.info("account %s: waiting %.1f s, %s", self.account, seconds, reason)
        if self._on_wait and seconds:
            self._on_wait(seconds, reason)

    def _call(
        self,
        method: str,
        path_or_url: str,
        params: Mapping[str, str | int | None] | None,
        json: object,
        data: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        idempotent: bool | None,
        expect: Expected,
    ) -> Call:
        is_path = path_or_url.startswith("/")
        url = httpx.URL(self.base_url + path_or_url if is_path else path_or_url)
        self._wire.require_allowed(method, url)
        known = {key: value for key, value in (params or {}).items() if value is not None}
        return Call(
            method=method.upper(),
            url=url.copy_merge_params(known) if known else url,
            headers={"accept": _ACCEPT[expect], **(headers or {})},
            json=json,
            data=data,
            expect=expect,
            idempotent=method.upper() in _IDEMPOTENT if idempotent is None else idempotent,
        )
