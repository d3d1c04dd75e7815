"""One attempt of one request: redirects, credentials only where they may go, errors by kind.

Redirects are followed by hand, because HTTP clients drop ``Authorization`` on the way to another
host, but not ``X-App-Token``.
"""

import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import httpx

from orders_connector import __version__
from orders_connector.answers import Answer, error_for, is_html
from orders_connector.errors import (
    ConnectionFailed,
    HostNotAllowed,
    RequestRejected,
    SourceContext,
    UnreadableAnswer,
)
from orders_connector.hosts import host_of, is_loopback
from orders_connector.metering import Meter
from orders_connector.redaction import RedactingFilter, redact

__all__ = ["Call", "Expected", "Wire"]

Expected = Literal["json", "text", "bytes", "none"]

log = logging.getLogger(__name__)

_REDIRECTED = frozenset({"GET", "HEAD"})
_MAX_REDIRECTS = 5
_KEPT_OF_CUT_BODY = 65_536
# The request did not leave: a connection could not be had.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

# These log addresses with the tokens in them, httpx from level INFO on.
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2"):
    logging.getLogger(_name).addFilter(RedactingFilter())


@cache
def _certificates(from_environment: bool) -> ssl.SSLContext:
    """Read the authorities that are trusted, once for all clients: it takes 20 ms."""
    return httpx.create_ssl_context(trust_env=from_environment)


@dataclass(frozen=True)
class Call:
    """A request as it is to be sent, as often as needed.

    Attributes:
        idempotent: Whether repeating it does no harm.
        expect: ``json`` and ``text`` refuse a web page.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    json: object = None
    data: Mapping[str, str] | None = None
    idempotent: bool = True
    expect: Expected = "json"

    @property
    def path(self) -> str:
        """Path and query; may hold a secret."""
        return self.url.raw_path.decode("ascii")


class Wire:
    """The connections of one account.

    Attributes:
        bytes_received: Bytes of bodies received, as they came over the wire (compressed).
    """

    def __init__(
        self,
        *,
        account: str,
        allowed_hosts: Collection[str],
        auth: httpx.Auth | None,
        meter: Meter,
        timeout: float,
        clock: Callable[[], float],
        http_transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """Set up; nothing is sent yet. The arguments are those of ``Transport``."""
        self.bytes_received = 0
        self._account = account
        self._allowed = frozenset(allowed_hosts)
        self._auth = auth
        self._meter = meter
        self._clock = clock
        # A proxy of the environment cannot reach a sandbox on this machine.
        from_outside = not any(is_loopback(httpx.URL(f"//{host}").host) for host in allowed_hosts)
        self._client = httpx.AsyncClient(
            timeout=timeout,
            verify=_certificates(from_outside),
            trust_env=from_outside,
            transport=http_transport,
            follow_redirects=False,
            headers={"user-agent": f"orders-connector/{__version__}"},
            # Hooks see each request, also those that an auth flow makes for its tokens.
            event_hooks={"request": [self._before_sending], "response": [self._after_answering]},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def exchange(self, call: Call) -> AsyncIterator[httpx.Response]:
        """Send once and follow redirects; an answer that is an error is raised as one.

        Yields:
            The answer, its body still unread.

        Raises:
            SourceError: By kind.
            CallBudgetExhausted: The call budget is used up; nothing was sent.
        """
        started = self._clock()
        response = await self._send(call)
        try:
            log.debug("%s %s: %s", call.method, redact(call.path), response.status_code)
            if response.status_code >= 300:
                content = b"".join([piece async for piece in self.pieces(call, response)])
                if response.status_code < 500 and not self._is_allowed(response.request.url):
                    raise RequestRejected(
                        f"{response.request.url.host}, which the source redirected to, refused "
                        f"with {response.status_code}. The address may have expired: ask for the "
                        "file anew.",
                        **self._context(call),
                    )
                raise error_for(
                    response.status_code,
                    response.headers,
                    content,
                    account=self._account,
                    method=call.method,
                    path=call.path,
                    maybe_processed=not call.idempotent,
                )
            if call.expect in ("json", "text") and is_html(response.headers):
                content = b"".join([piece async for piece in self.pieces(call, response)])
                raise self.answer(call, response, content, started).unreadable(
                    "it is a web page, perhaps of a gateway or a login",
                    maybe_processed=not call.idempotent,
                )
            yield response
        finally:
            await response.aclose()

    async def _send(self, call: Call) -> httpx.Response:
        url, trusted = call.url, True
        for _ in range(_MAX_REDIRECTS + 1):
            # A host that is not on the allow-list gets the bare address: no credentials, and no
            # headers that a caller may have put secrets in.
            request = self._client.build_request(
                call.method,
                url,
                json=call.json,
                data=call.data,
                headers=call.headers if trusted else None,
            )
            with self._translated_errors(call, request):
                response = await self._client.send(
                    request, auth=self._auth if trusted else None, stream=True
                )
            if call.method not in _REDIRECTED or not response.has_redirect_location:
                return response
            await response.aclose()
            target = url.join(response.headers["location"])
            at_home = is_loopback(url.host) and is_loopback(target.host)
            if url.scheme == "https" and target.scheme != "https" and not at_home:
                raise HostNotAllowed(
                    f"{url.host} redirected to {target.host} without TLS. This was not followed.",
                    **self._context(call),
                )
            # Never again once lost: a foreign host must not choose what we ask with our keys.
            trusted = trusted and self._is_allowed(target)
            url = target
        raise RequestRejected(
            f"More than {_MAX_REDIRECTS} redirects. Check `base_url`.", **self._context(call)
        )

    async def pieces(self, call: Call, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Read the body piece by piece, content decoding done.

        Raises:
            UnreadableAnswer: It ends before its announced end; holds its beginning.
            ConnectionFailed: The connection broke or stalled.
        """
        beginning = b""
        try:
            with self._translated_errors(call, response.request):
                async for piece in response.aiter_bytes():
                    if len(beginning) < _KEPT_OF_CUT_BODY:
                        beginning = (beginning + piece)[:_KEPT_OF_CUT_BODY]
                    yield piece
        except ConnectionFailed as error:
            if not isinstance(error.__cause__, httpx.RemoteProtocolError):
                raise
            raise UnreadableAnswer(
                f"The answer was cut off ({error.__cause__}). Run again later.",
                body=beginning,
                maybe_processed=error.maybe_processed,
                **self._context(call),
            ) from error.__cause__
        finally:
            self.bytes_received += response.num_bytes_downloaded

    @contextmanager
    def _translated_errors(self, call: Call, request: httpx.Request) -> Iterator[None]:
        try:
            yield
        except httpx.DecodingError as error:
            raise UnreadableAnswer(
                f"The answer cannot be decoded ({error}).",
                maybe_processed=not call.idempotent,
                **self._context(call),
            ) from error
        except httpx.TransportError as error:
            # An auth flow may fail on a request of its own, before ours was sent.
            sent = error.request is request and not isinstance(error, _NOT_SENT)
            maybe_processed = sent and not call.idempotent
            what = str(error) or type(error).__name__
            raise ConnectionFailed(
                f"No answer from {request.url.host} ({what}). "
                + (
                    "It may have carried out the request; look before repeating it."
                    if maybe_processed
                    else "Check the network and the address; run again later."
                ),
                maybe_processed=maybe_processed,
                **self._context(call),
            ) from error

    def require_allowed(self, method: str, url: httpx.URL) -> None:
        """Check an address before credentials are sent to it.

        Raises:
            HostNotAllowed: Another host, or plain http to another machine.
        """
        if not self._is_allowed(url):
            known = host_of(url) in self._allowed
            raise HostNotAllowed(
                f"Credentials may not be sent to {url.scheme}://{host_of(url)}. "
                + (
                    "Plain http is for loopback hosts only; use https."
                    if known
                    else "If this host is the source's, add it to download_hosts of the account."
                ),
                account=self._account,
                method=method,
                path=url.raw_path.decode("ascii"),
            )

    def answer(
        self, call: Call, response: httpx.Response, content: bytes, started: float
    ) -> Answer:
        """Put together what came back; ``started`` is when the request was, by the clock."""
        return Answer(
            status=response.status_code,
            headers=response.headers,
            content=content,
            elapsed=self._clock() - started,
            method=call.method,
            path=call.path,
            account=self._account,
        )

    def _is_allowed(self, url: httpx.URL) -> bool:
        secure = url.scheme == "https" or is_loopback(url.host)
        return secure and host_of(url) in self._allowed

    async def _before_sending(self, request: httpx.Request) -> None:
        # A storage host behind a redirect has no part in the source's limits.
        if self._is_allowed(request.url):
            await self._meter.admit(request)

    async def _after_answering(self, response: httpx.Response) -> None:
        if self._is_allowed(response.request.url):
            self._meter.note(response)

    def _context(self, call: Call) -> SourceContext:
        return SourceContext(account=self._account, method=call.method, path=call.path)
