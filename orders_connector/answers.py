"""What comes back from a source: a readable answer, or the error that it means."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from orders_connector.errors import (
    CredentialsRejected,
    FeatureMissing,
    NotFound,
    PermissionDenied,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerFailed,
    SourceContext,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.rate import CYCLE, http_date, seconds_until_allowed

__all__ = ["Answer", "TypedAnswer", "error_for", "is_html", "looks_like_json"]

M = TypeVar("M", bound=BaseModel)

_LONGEST_DETAILS = 1_000
_ERROR_KEYS = frozenset({"code", "key", "error", "message", "details", "detail", "request_id"})
_ENDS = {b"{": b"}", b"[": b"]"}
# UltraCart names the limit that was hit in words only.
_RATE = re.compile(r"\brate of (\d+) per (\d+) second")
_RATE_NAMES = {3_600: "hourly", 86_400: "daily"}


@dataclass(frozen=True)
class Answer:
    """A successful answer, its body as it came.

    Attributes:
        status: HTTP status, 200 to 299.
        headers: Headers of the answer.
        content: The body after content decoding, byte for byte; empty for a download to a file.
        elapsed: Seconds of the last attempt up to the last byte, its wait for the rate limit
            included.
        method: HTTP method of the request.
        path: Path and query of the request; may hold a secret, so it is not shown.
        account: Name of the account.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    elapsed: float
    method: str
    path: str = field(repr=False)
    account: str

    @property
    def request_id(self) -> str | None:
        """The source's id of the request, if it sends one in a header."""
        return _request_id(self.headers)

    @property
    def date(self) -> datetime | None:
        """The source's clock when it answered (``Date`` header), aware UTC, whole seconds."""
        return http_date(self.headers.get("date"))

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are not UTF-8 become replacement characters."""
        return self.content.decode("utf-8", errors="replace")

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Parse the body.

        Raises:
            UnreadableAnswer: The body is not JSON.
        """
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise self.unreadable(f"it is not valid JSON ({error})") from None

    def unreadable(self, why: str, *, maybe_processed: bool = False) -> UnreadableAnswer:
        """Make the error that says why this answer cannot be used."""
        return UnreadableAnswer(
            f"The answer cannot be read: {why}. If it stays so, ask the source's support.",
            body=self.content,
            maybe_processed=maybe_processed,
            account=self.account,
            method=self.method,
            path=self.path,
            status=self.status,
            request_id=self.request_id,
        )


@dataclass(frozen=True)
class TypedAnswer(Generic[M]):
    """An answer with its raw bytes and, on demand, its model.

    Attributes:
        answer: Status, headers and body.
        model_type: What ``model`` is parsed as.
    """

    answer: Answer
    model_type: type[M]

    @property
    def content(self) -> bytes:
        """The body as it came."""
        return self.answer.content

    @cached_property
    def model(self) -> M:
        """The body as a tolerant model; parsed on first use.

        Raises:
            UnreadableAnswer: The body is not what the model reads, such as a JSON object.
        """
        try:
            return self.model_type.model_validate_json(self.content)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise self.answer.unreadable(problem) from None


def is_html(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer is a web page: of a gateway, a proxy or a login, not of an API."""
    return "html" in headers.get("content-type", "").lower()


def looks_like_json(headers: Mapping[str, str], content: bytes) -> bool:
    """Check cheaply that a body is a whole JSON object or array.

    Looks at the content type and at the first and last byte, because pages of orders are
    megabytes and are parsed by the warehouse later, once. Finds HTML pages, empty bodies and
    nearly all bodies that were cut on the way.
    """
    start, end = content[:64].lstrip()[:1], content[-64:].rstrip()[-1:]
    return not is_html(headers) and start in _ENDS and _ENDS[start] == end


def error_for(
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    account: str,
    method: str,
    path: str,
    maybe_processed: bool = False,
) -> SourceError:
    """Turn an answer of 300 or above into the error that it means.

    Args:
        status: HTTP status.
        headers: Headers of the answer.
        content: Body; read if it is a JSON object of any known error form, else ignored.
        account: Name of the account.
        method: HTTP method of the request.
        path: Path and query of the request.
        maybe_processed: What a 5xx says about a request that must not be repeated blindly.

    Returns:
        The error to raise, by status as in sections "Errors" and "Limits" of Voucherify's API
        overview; the statuses are the general ones of HTTP.
    """
    body = _error_body(content)
    context = SourceContext(
        account=account,
        method=method,
        path=path,
        status=status,
        key=_text(body.get("key") or body.get("error")),
        details=_details(body) or headers.get("uc-rest-error"),
        request_id=_text(body.get("request_id")) or _request_id(headers),
    )
    if status == 429:
        return _too_many(headers, context)
    if status >= 500 or status == 408:
        return ServerFailed(
            "The source failed. It may be under maintenance; run again later, what was read "
            "is kept.",
            maybe_processed=maybe_processed,
            retry_after=seconds_until_allowed({"retry-after": headers.get("retry-after", "")}),
            **context,
        )
    match status:
        case 401:
            return CredentialsRejected(
                "The source rejected the credentials. Check that the environment variables of "
                "the account hold a valid key pair of this project and that `region` is the "
                "project's.",
                **context,
            )
        case 402:
            return FeatureMissing(
                "The plan of this account lacks a feature. Ask the owner of the account.",
                **context,
            )
        case 403:
            return PermissionDenied(
                "The source refused this to the key. Check that `region` (or `base_url`) is the "
                "one the project lives in, and the role and IP allow-list of the key.",
                **context,
            )
        case 404:
            return NotFound("There is no such object; it may have been deleted.", **context)
    if status < 400:
        return RequestRejected(
            "The source redirected a request that cannot be redirected. Check `base_url`.",
            **context,
        )
    return RequestRejected("The source did not accept the request.", **context)


def _too_many(headers: Mapping[str, str], context: SourceContext) -> SourceError:
    wait = seconds_until_allowed(headers)
    resets_at = None
    if wait is not None:
        server_now = http_date(headers.get("date")) or datetime.now(UTC)
        resets_at = server_now + timedelta(seconds=wait)
    until = f" until {resets_at:%Y-%m-%d %H:%M:%S} UTC" if resets_at else ""
    if "subscription" in (context.get("details") or "").lower():
        return QuotaExhausted(
            "The subscription of this account has ended. Ask the owner of the account.",
            resets_at=resets_at,
            **context,
        )
    kind = headers.get("x-rate-limit-type")
    if kind is None and (rate := _RATE.search(context.get("details") or "")):
        calls, seconds = max(1, int(rate[1])), int(rate[2])
        kind = _RATE_NAMES.get(seconds, f"{seconds} s")
        # A leaky bucket: as long as it takes until one more call fits.
        wait = seconds / calls if wait is None else wait
    if kind == CYCLE:
        return QuotaExhausted(
            f"The requests of this billing cycle are used up{until}. Buy a package of requests "
            "or run again in the next cycle; what was read is kept.",
            resets_at=resets_at,
            **context,
        )
    return RateLimited(
        f"The source allows no more requests{until or ' for now'}. Run again later.",
        resets_at=resets_at,
        kind=kind,
        retry_after=wait,
        **context,
    )


def _error_body(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    inner = body.get("error")
    return _ultracart_error(inner) if isinstance(inner, dict) else body


def _ultracart_error(error: dict[str, Any]) -> dict[str, Any]:
    """Give UltraCart's error, which lies one level down, the names that are common elsewhere."""
    message, details = error.get("developer_message"), error.get("user_message")
    return {
        "key": error.get("error_code"),
        "message": message,
        "details": None if details == message else details,
    }


def _request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-request-id") or headers.get("x-ultracart-request-id")


def _details(body: dict[str, Any]) -> str | None:
    keys = ("message", "details", "detail", "error_description")
    parts = [_text(body.get(key)) for key in keys]
    told = ": ".join(part for part in parts if part)
    if not told and body and not body.keys() & _ERROR_KEYS:
        told = json.dumps(body, ensure_ascii=False)  # such as one list of complaints per field
    return told[:_LONGEST_DETAILS] or None


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value)
