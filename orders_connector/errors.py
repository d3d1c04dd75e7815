"""Everything that can go wrong, named by what follows from it.

OrdersConnectorError                exit 1  unexpected
├── ConfigurationError              exit 3  a setting is missing or wrong
├── LoadIncomplete                  exit 4  what was read is kept; windows are missing
├── CallBudgetExhausted             exit 4  the run's own budget of requests is used up
├── SourceError                     exit 5  the source refused or could not be reached
│   ├── RetriableSourceError                retries are used up, or would be unsafe
│   │   ├── RateLimited                     429, resets by itself
│   │   ├── ServerFailed                    5xx
│   │   ├── ConnectionFailed                refused, reset, timed out
│   │   ├── UnreadableAnswer                truncated, HTML, malformed
│   │   ├── ExportDamaged                   an export's file is empty, cut off or no CSV
│   │   └── JobUnfinished                   an export or import takes longer than we wait
│   ├── FatalSourceError                    the same call fails again until a person acts
│   │   ├── CredentialsRejected             401
│   │   ├── FeatureMissing                  402
│   │   ├── PermissionDenied                403, also the wrong region
│   │   ├── QuotaExhausted                  429 until the next billing cycle
│   │   ├── RequestRejected                 any other 4xx
│   │   ├── JobFailed                       an export or import ended in an error
│   │   ├── ExportNotUnderstood             an export's columns or amounts are not what was asked
│   │   └── HostNotAllowed                  credentials would leave the allow-list
│   ├── SkippableSourceError                this one object is missing, the rest goes on
│   │   └── NotFound                        404
│   └── PageOverLimit                       end of what paging reaches, not the end of the data
├── WarehouseError                  exit 6
│   ├── WarehouseLocked                     another process writes
│   └── DiskFull                            no room for the file
├── ModelError                      exit 7  a SQL model is wrong or failed
├── PublishBlocked                  exit 7  a check failed, so readers keep the last good copy
└── QueryRejected                   exit 2  wrong use: the query is not read-only

Exit codes are stable: scripts and schedulers may branch on them. 2 is also what the command line
uses for wrong arguments.

A message says what happened, where (account, method, path), and what to do next. Secrets are
removed from messages when the error is made, so an error can be logged or stored as it is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, TypedDict, Unpack

from orders_connector.redaction import redact

__all__ = [
    "CallBudgetExhausted",
    "ConfigurationError",
    "ConnectionFailed",
    "CredentialsRejected",
    "DiskFull",
    "ExportDamaged",
    "ExportNotUnderstood",
    "FatalSourceError",
    "FeatureMissing",
    "HostNotAllowed",
    "JobFailed",
    "JobUnfinished",
    "LoadIncomplete",
    "ModelError",
    "NotFound",
    "OrdersConnectorError",
    "PageOverLimit",
    "PermissionDenied",
    "PublishBlocked",
    "QueryRejected",
    "QuotaExhausted",
    "RateLimited",
    "RequestRejected",
    "RetriableSourceError",
    "ServerFailed",
    "SkippableSourceError",
    "SourceContext",
    "SourceError",
    "UnreadableAnswer",
    "WarehouseError",
    "WarehouseLocked",
]


class OrdersConnectorError(Exception):
    """Base of all errors of this package; catch it at the outermost edge only."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class ConfigurationError(OrdersConnectorError):
    """A setting, its file or an environment variable is missing or wrong."""

    exit_code = 3


class LoadIncomplete(OrdersConnectorError):
    """A load ended without proof for all it had to cover; what it read is kept.

    Attributes:
        missing: The windows that are not covered, in the terms of the raiser.
    """

    exit_code = 4

    def __init__(self, message: str, *, missing: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class CallBudgetExhausted(OrdersConnectorError):
    """The run used all the requests it was allowed to make; the next run goes on from here.

    Attributes:
        account: Name of the account whose budget it is.
        budget: Requests that the run was allowed to make.
    """

    exit_code = 4

    def __init__(self, message: str, *, account: str | None = None, budget: int = 0) -> None:
        super().__init__(message)
        self.account = account
        self.budget = budget


class SourceContext(TypedDict, total=False):
    """Where a source error happened and what the source said."""

    account: str | None
    method: str | None
    path: str | None
    status: int | None
    key: str | None
    details: str | None
    request_id: str | None


class SourceError(OrdersConnectorError):
    """The source refused, failed or could not be reached.

    Attributes:
        message: What happened and what to do next, without the context below.
        account: Name of the account in the configuration.
        method: HTTP method.
        path: Path and query of the request, secrets removed.
        status: HTTP status, if there was an answer.
        key: The source's own error code, such as ``page_over_limit``.
        details: The source's own explanation.
        request_id: The source's id of the request; its support asks for it.
    """

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        account: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        key: str | None = None,
        details: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = str(self.args[0])
        self.account = account
        self.method = method
        self.path = redact(path) if path else path
        self.status = status
        self.key = key
        self.details = redact(details) if details else details
        self.request_id = request_id

    @property
    def context(self) -> SourceContext:
        """All of the above but the message, to raise a more telling error of the same place."""
        return SourceContext(
            account=self.account,
            method=self.method,
            path=self.path,
            status=self.status,
            key=self.key,
            details=self.details,
            request_id=self.request_id,
        )

    def __str__(self) -> str:
        context = {
            "account": self.account,
            "request": " ".join(filter(None, (self.method, self.path))),
            "status": self.status,
            "key": self.key,
            "details": self.details,
            "request id": self.request_id,
        }
        known = "; ".join(f"{name}: {value}" for name, value in context.items() if value)
        return f"{self.message} [{known}]" if known else self.message


class RetriableSourceError(SourceError):
    """A later attempt may succeed; raised when retries are used up or would be unsafe.

    Attributes:
        maybe_processed: The source may have carried out a request that must not be repeated
            blindly. Look first, then decide.
        retry_after: Seconds that the source asked to wait, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        maybe_processed: bool = False,
        retry_after: float | None = None,
        **context: Unpack[SourceContext],
    ) -> None:
        super().__init__(message, **context)
        self.maybe_processed = maybe_processed
        self.retry_after = retry_after


class RateLimited(RetriableSourceError):
    """Too many requests for now (429), or a wait for the next window that is longer than allowed.

    Attributes:
        resets_at: When requests are allowed again, aware UTC, if the source said so.
        kind: Which limit it is, such as ``api_calls``, if the source said so.
    """

    def __init__(
        self,
        message: str,
        *,
        resets_at: datetime | None = None,
        kind: str | None = None,
        retry_after: float | None = None,
        **context: Unpack[SourceContext],
    ) -> None:
        super().__init__(message, retry_after=retry_after, **context)
        self.resets_at = resets_at
        self.kind = kind


class ServerFailed(RetriableSourceError):
    """The source answered with 5xx; also during its announced maintenance."""


class ConnectionFailed(RetriableSourceError):
    """No complete answer: connection refused, reset or timed out."""


class UnreadableAnswer(RetriableSourceError):
    """The answer is not what was asked for: cut short, an HTML page, malformed JSON.

    Attributes:
        body: The bytes that came, as they came; not part of the message.
    """

    def __init__(
        self,
        message: str,
        *,
        body: bytes = b"",
        maybe_processed: bool = False,
        **context: Unpack[SourceContext],
    ) -> None:
        super().__init__(message, maybe_processed=maybe_processed, **context)
        self.body = body


class JobUnfinished(RetriableSourceError):
    """An asynchronous job of the source was not done in the time that we wait for it."""


class ExportDamaged(RetriableSourceError):
    """The file of an export is empty, cut off or no CSV; another download may be whole."""


class FatalSourceError(SourceError):
    """The same request will fail again until a person changes something."""


class CredentialsRejected(FatalSourceError):
    """The keys or the token are wrong, expired or blocked (401)."""


class FeatureMissing(FatalSourceError):
    """The plan of the account lacks a feature (402)."""


class PermissionDenied(FatalSourceError):
    """The key may not do this, or the project lives in another region (403)."""


class QuotaExhausted(FatalSourceError):
    """The quota of the billing cycle is used up, or the subscription ended (429).

    Attributes:
        resets_at: When requests are allowed again, aware UTC, if the source said so.
    """

    def __init__(
        self,
        message: str,
        *,
        resets_at: datetime | None = None,
        **context: Unpack[SourceContext],
    ) -> None:
        super().__init__(message, **context)
        self.resets_at = resets_at


class RequestRejected(FatalSourceError):
    """The source did not accept the request as it was sent (another 4xx)."""


class JobFailed(FatalSourceError):
    """An asynchronous job of the source, such as an export, ended in an error."""


class ExportNotUnderstood(FatalSourceError):
    """An export's columns or amounts are not what was asked for; nothing of it is landed."""


class HostNotAllowed(FatalSourceError):
    """Credentials would have been sent to a host that is not on the account's allow-list."""


class SkippableSourceError(SourceError):
    """One object cannot be had; the rest of the work goes on without it."""


class NotFound(SkippableSourceError):
    """The object does not exist or no longer exists (404)."""


class PageOverLimit(SourceError):
    """The page lies beyond what paging can reach. The data may well go on behind it."""


class WarehouseError(OrdersConnectorError):
    """The warehouse file cannot be used."""

    exit_code = 6


class WarehouseLocked(WarehouseError):
    """Another process holds the warehouse file for writing."""


class DiskFull(WarehouseError):
    """The disk has no room left for the warehouse."""


class ModelError(OrdersConnectorError):
    """A SQL model is malformed, depends on something unknown, or failed to build."""

    exit_code = 7


class PublishBlocked(OrdersConnectorError):
    """A blocking check failed, so the published copy was left as it is."""

    exit_code = 7


class QueryRejected(OrdersConnectorError):
    """A query was refused because it is not a single read-only statement."""

    exit_code = 2
