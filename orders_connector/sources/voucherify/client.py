"""The Voucherify client: the endpoints, and what takes several calls to do safely.

Waiting for exports and imports, starting an export only once although its start is not
idempotent, and downloading its file: the API offers the parts, this module puts them together.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from orders_connector.answers import Answer
from orders_connector.errors import JobFailed, JobUnfinished, RetriableSourceError
from orders_connector.http import Transport
from orders_connector.sources.voucherify.account import VoucherifyAccount
from orders_connector.sources.voucherify.auth import KeyPairAuth, OAuthAuth
from orders_connector.sources.voucherify.endpoints import (
    MAX_IMPORT,
    MAX_LIMIT,
    MAX_PAGE,
    TypedAnswer,
    VoucherifyEndpoints,
    export_parameters,
)
from orders_connector.sources.voucherify.models import AsyncAction, Export

__all__ = ["MAX_IMPORT", "MAX_LIMIT", "MAX_PAGE", "TypedAnswer", "VoucherifyClient"]

_FIRST_POLL, _LONGEST_POLL = 1.0, 30.0
# An export shows up in the list a moment after it was started; clocks are sent in whole seconds.
_SETTLE_SECONDS, _CLOCK_SLACK_SECONDS = 2.0, 3.0
_MAX_STARTS = 3

Job = TypeVar("Job", Export, AsyncAction)


class VoucherifyClient(VoucherifyEndpoints):
    """One Voucherify project. An async context manager: leaving it closes the connections."""

    @classmethod
    def for_account(cls, account: VoucherifyAccount, **transport_overrides: Any) -> Self:  # noqa: ANN401
        """Make the client of a configured account.

        Args:
            account: The account; its keys are read from the environment now.
            **transport_overrides: Arguments of ``Transport`` that go before the account's.

        Returns:
            A client that has sent nothing yet.

        Raises:
            ConfigurationError: The environment variables with the keys are not set.
        """
        keys = account.credentials()
        base_url = account.resolved_base_url
        auth = (
            OAuthAuth(keys, base_url, account=account.name)
            if account.auth == "oauth"
            else KeyPairAuth(keys)
        )
        settings: dict[str, Any] = {
            "account": account.name,
            "allowed_hosts": account.allowed_hosts,
            "auth": auth,
            "timeout": account.timeout_seconds,
            "max_attempts": account.max_attempts,
            "max_wait_seconds": account.max_wait_seconds,
            "call_budget": account.max_calls_per_run,
            "reserve": account.reserve,
        }
        return cls(Transport(base_url, **(settings | transport_overrides)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.transport.aclose()

    async def start_orders_export(
        self,
        fields: Sequence[str],
        *,
        order: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> TypedAnswer[Export]:
        """Start an export of orders so that a lost answer does not start it twice.

        When the answer is lost, the newest exports are searched for one with the same parameters
        that was created since; only if there is none, another is started.

        Args:
            fields: As for ``create_orders_export``.
            order: As for ``create_orders_export``.
            filters: As for ``create_orders_export``.

        Returns:
            The export, in whatever state it is by now.
        """
        attempt = 1
        while True:
            began = self.transport.clock()
            try:
                return await self.create_orders_export(fields=fields, order=order, filters=filters)
            except RetriableSourceError as error:
                if not error.maybe_processed or attempt == _MAX_STARTS:
                    raise
            await self.transport.wait(_SETTLE_SECONDS, "the answer to the export's start was lost")
            found = await self._find_orders_export(export_parameters(fields, order, filters), began)
            if found is not None:
                return await self.get_export(found)
            attempt += 1

    async def wait_for_export(
        self,
        export_id: str,
        *,
        progress: Callable[[Export], None] | None = None,
        timeout_seconds: float = 3_600.0,
    ) -> TypedAnswer[Export]:
        """Ask for an export, less and less often, until it is done.

        Args:
            export_id: Id of the export.
            progress: Called with each state seen.
            timeout_seconds: Longest time to wait between the polls in all.

        Returns:
            The export, ``DONE`` and with the address of its file.

        Raises:
            JobFailed: The export ended in ``ERROR``.
            JobUnfinished: It is not done in time; it may still become so.
        """
        answer = await self._poll(
            lambda: self.get_export(export_id), {"DONE", "ERROR"}, progress, timeout_seconds
        )
        export = answer.model
        if export.status == "ERROR":
            raise JobFailed(
                f"Export {export_id} ended in an error. Start it again, with a smaller window.",
                account=self.transport.account,
            )
        if export.result is None or not export.result.url:
            raise answer.answer.unreadable(f"export {export_id} is done but has no file address")
        return answer

    async def download_export(self, export: Export, target: Path | BinaryIO) -> Answer:
        """Download the file of an export that is done: exactly ``result.url``.

        The address comes from an answer, so its host must be on the account's allow-list before
        it is sent keys. A redirect to another host is followed without them.

        Args:
            export: The export, ``DONE``.
            target: A path, which then holds the whole file or nothing new; or a seekable file.

        Returns:
            The answer without its body.

        Raises:
            HostNotAllowed: The file lies on a host that is not in ``download_hosts``.
            ValueError: The export has no file address; wait for it first.
        """
        url = export.result.url if export.result else None
        if not url:
            raise ValueError(f"export {export.id} has no file yet: status {export.status}")
        if not isinstance(target, Path):
            return await self.transport.download(url, target)
        part = target.with_name(f"{target.name}.part")
        try:
            with part.open("wb") as file:
                answer = await self.transport.download(url, file)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return answer

    async def wait_for_async_action(
        self,
        action_id: str,
        *,
        progress: Callable[[AsyncAction], None] | None = None,
        timeout_seconds: float = 3_600.0,
    ) -> TypedAnswer[AsyncAction]:
        """Ask for an action, less and less often, until it is done.

        Args:
            action_id: Id of the action.
            progress: Called with each state seen.
            timeout_seconds: Longest time to wait between the polls in all.

        Returns:
            The action, ``DONE``. Single rows may have failed all the same: see
            ``result.failed_count``.

        Raises:
            JobFailed: The action as a whole failed.
            JobUnfinished: It is not done in time; it may still become so.
        """
        answer = await self._poll(
            lambda: self.get_async_action(action_id), {"DONE", "FAILED"}, progress, timeout_seconds
        )
        if answer.model.status == "FAILED":
            raise JobFailed(
                f"Action {action_id} ({answer.model.type}) failed. Look at it in the dashboard.",
                account=self.transport.account,
            )
        return answer

    async def _poll(
        self,
        ask: Callable[[], Awaitable[TypedAnswer[Job]]],
        ends: set[str],
        progress: Callable[[Job], None] | None,
        timeout_seconds: float,
    ) -> TypedAnswer[Job]:
        waited, pause = 0.0, _FIRST_POLL
        while True:
            answer = await ask()
            job = answer.model
            if progress:
                progress(job)
            if job.status in ends:
                return answer
            if waited + pause > timeout_seconds:
                raise JobUnfinished(
                    f"{job.id} is still {job.status} after {waited:.0f} s. Run again later.",
                    account=self.transport.account,
                )
            await self.transport.wait(pause, f"{job.id} is {job.status}")
            waited += pause
            pause = min(2 * pause, _LONGEST_POLL)

    async def find_orders_export(
        self, parameters: Mapping[str, Any], *, since: datetime
    ) -> Export | None:
        """Look among the newest 100 exports for one of orders with these parameters.

        Args:
            parameters: As they were sent; the source may have completed them.
            since: Earliest `created_at`, by the source's clock.
        """
        newest = await self.list_exports(order="-created_at")
        return self._first_match(newest.model.exports, parameters, since)

    async def _find_orders_export(self, parameters: Mapping[str, Any], began: float) -> str | None:
        newest = await self.list_exports(order="-created_at")
        # By the server's clock: ours may be wrong by minutes.
        now = newest.answer.date or datetime.now(UTC)
        ago = self.transport.clock() - began + _CLOCK_SLACK_SECONDS
        found = self._first_match(newest.model.exports, parameters, now - timedelta(seconds=ago))
        return found.id if found else None

    @staticmethod
    def _first_match(
        exports: Sequence[Export], parameters: Mapping[str, Any], since: datetime
    ) -> Export | None:
        for export in exports:
            if (
                export.exported_object == "order"
                and _same_parameters(export.parameters or {}, parameters)
                and _parsed(export.created_at) >= since
            ):
                return export
        return None


def _same_parameters(echo: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Compare what an export says it was asked for with what we asked; it may add defaults."""
    filters = {"junction": "and", **(sent.get("filters") or {})}
    return (
        echo.get("fields") == sent["fields"]
        and {"junction": "and", **(echo.get("filters") or {})} == filters
        and ("order" not in sent or echo.get("order") == sent["order"])
    )


def _parsed(text: str | None) -> datetime:
    """Parse a time of an answer; what cannot be parsed counts as long ago."""
    try:
        moment = datetime.fromisoformat(text or "")
    except (TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
