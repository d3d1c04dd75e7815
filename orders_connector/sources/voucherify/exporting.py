"""How a window of orders is exported: started once, waited for, downloaded, cut smaller on failure.

An export shows the flat facts of each order as it stood when the export ran. It reaches every
order, unlike the listing, and costs a handful of calls (Voucherify OpenAPI, exports.json).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from orders_connector.errors import (
    CredentialsRejected,
    ExportDamaged,
    ExportNotUnderstood,
    JobFailed,
    JobUnfinished,
    NotFound,
    RequestRejected,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.sources.base import ExportWindow, Job
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.endpoints import export_parameters
from orders_connector.sources.voucherify.export_file import (
    AMOUNTS,
    FIELDS,
    ExportFile,
    check_money,
    inspect_export,
    sample_ids,
)
from orders_connector.sources.voucherify.models import Export

__all__ = ["ExportedPiece", "Exporting", "JobBook", "halves"]

logger = logging.getLogger(__name__)

# Whether a bound belongs to the window and how finely times are compared is not documented, so
# each window is asked for a little wider; rows that come twice are stored once.
MARGIN = timedelta(seconds=2)
SHORTEST = timedelta(hours=1)  # a window that fails and is no longer than this is not cut again
# Failures after which an extraction gives up. Waiting in vain is dear, so it counts more; a file
# that comes gives back what the two failures cost that led to a window of its size.
PATIENCE, COST_OF_WAITING, REFUND = 12, 4, 2
DAMAGED = (ExportDamaged, UnreadableAnswer, JobFailed, JobUnfinished, NotFound)


class JobBook(Protocol):
    """Where exports are noted, so that none is started twice."""

    def unfinished(self, window: ExportWindow) -> Job | None:
        """Return the job of this window that a load left behind."""

    def ask(self, window: ExportWindow) -> Job:
        """Note that an export is about to be started."""

    def started(self, job: Job, export_id: str, asked_at: datetime) -> None:
        """Note its id."""

    def failed(self, job: Job, reason: str) -> None:
        """Note that it gave no usable file."""


@dataclass(frozen=True)
class ExportedPiece:
    """One file of an extraction; valid until the next piece is asked for.

    Attributes:
        asked_at: When the export was started by the source's clock, UTC: it shows every order as
            it stood then or later.
    """

    job: Job
    window: ExportWindow
    file: ExportFile
    asked_at: datetime


class Exporting:
    """Exports of one extraction."""

    def __init__(
        self,
        client: VoucherifyClient,
        folder: Path,
        jobs: JobBook,
        *,
        exponent: int,
        timeout_seconds: float,
        history: tuple[datetime, datetime],
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Set up; nothing is sent yet.

        Args:
            client: The account's client.
            folder: Where files are kept while they are read; emptied first.
            jobs: Notes of exports.
            exponent: Decimals of the account's minor unit.
            timeout_seconds: Longest wait for one export.
            history: Where an open window is cut when it has to be: between these times, UTC.
            progress: Told what is going on, in words.
        """
        self._client = client
        self._folder = folder
        self._jobs = jobs
        self._exponent = exponent
        self._timeout = timeout_seconds
        self._history = history
        self._progress = progress or (lambda _: None)
        self._patience = PATIENCE
        self._money_is_known = False
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def __enter__(self) -> Exporting:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    async def pieces(self, window: ExportWindow) -> AsyncGenerator[ExportedPiece, None]:
        """Export a window, in one piece or as many as it takes.

        Yields:
            Files that together hold every order of the window.

        Raises:
            SourceError: the source refuses, or goes on failing; pieces before it are good.
            CallBudgetExhausted: the run may make no more calls.
        """
        waiting = [(window, 1)]
        while waiting:
            piece, attempt = waiting.pop()
            try:
                exported = await self._export(piece)
            except DAMAGED as error:
                self._patience -= COST_OF_WAITING if isinstance(error, JobUnfinished) else 1
                if self._patience <= 0:
                    raise
                again = (
                    [(piece, 2)]
                    if attempt == 1
                    else [(half, 1) for half in halves(piece, self._history)]
                )
                if not again:
                    raise
                logger.warning("the export of %s failed (%s); trying again", piece, error)
                waiting += reversed(again)
                continue
            self._patience = min(PATIENCE, self._patience + REFUND)
            yield exported
            exported.file.path.unlink(missing_ok=True)

    async def _export(self, window: ExportWindow) -> ExportedPiece:
        left_behind = self._jobs.unfinished(window)
        continued = await self._continued(left_behind, window) if left_behind else None
        export, job = continued or await self._start(self._jobs.ask(window), window)
        try:
            file = await self._fetch(export, job, window)
            await self._check_money(file, _id(export))
        except SourceError as error:
            self._jobs.failed(job, str(error))
            raise
        return ExportedPiece(job, window, file, job.asked_at)

    async def _start(self, job: Job, window: ExportWindow) -> tuple[Export, Job]:
        self._progress(f"starting an export of {window}")
        try:
            answer = await self._client.start_orders_export(
                FIELDS, order=window.date_field, filters=_filters(window)
            )
        except SourceError as error:
            self._jobs.failed(job, str(error))
            raise
        export = answer.model
        # The answer's own time where it has one; else the export's, which is never later.
        asked_at = _time(export.created_at) or answer.answer.date or job.asked_at
        started = Job(job.job_id, _id(export), asked_at)
        self._jobs.started(started, _id(export), asked_at)
        return export, started

    async def _continued(self, job: Job, window: ExportWindow) -> tuple[Export, Job] | None:
        """Return the export that an earlier load started, if the source still knows it."""
        self._progress(f"looking for the export of {window} that was asked for before")
        if job.export_id is not None:
            try:
                return (await self._client.get_export(job.export_id)).model, job
            except NotFound as error:
                self._jobs.failed(job, str(error))
                return None
        parameters = export_parameters(FIELDS, window.date_field, _filters(window))
        # Our clock may differ from the source's by minutes.
        since = job.asked_at - timedelta(minutes=10)
        found = await self._client.find_orders_export(parameters, since=since)
        if found is None:
            self._jobs.failed(job, "its start never reached the source")
            return None
        # Of the two clocks the earlier time claims less.
        asked_at = min(_time(found.created_at) or job.asked_at, job.asked_at)
        self._jobs.started(job, _id(found), asked_at)
        return found, Job(job.job_id, _id(found), asked_at)

    async def _fetch(self, export: Export, job: Job, window: ExportWindow) -> ExportFile:
        def show(state: Export) -> None:
            self._progress(f"export of {window} is {state.status}")

        done = await self._client.wait_for_export(
            _id(export), progress=show, timeout_seconds=self._timeout
        )
        path = self._folder / f"{job.job_id}.csv"
        self._progress(f"downloading the export of {window}")
        try:
            await self._client.download_export(done.model, path)
        except (CredentialsRejected, RequestRejected) as error:
            # The token in the address lives for an unknown time; a new look gives a new one.
            logger.info("the address of the file was refused (%s); asking for it anew", error)
            anew = await self._client.get_export(_id(export))
            if anew.model.result is None:
                raise
            try:
                await self._client.download_export(anew.model, path)
            except (CredentialsRejected, RequestRejected) as again:
                raise ExportDamaged(
                    "the file of an export is refused although the export is done; a new export "
                    f"is made instead: {again}",
                    **again.context,
                ) from again
        return inspect_export(
            path, FIELDS, name=_id(export), account=self._client.transport.account
        )

    async def _check_money(self, file: ExportFile, name: str) -> None:
        """Compare amounts with the API's, once per extraction: a file may give major units."""
        if self._money_is_known or file.money == "unknown":
            return
        contradiction: ExportNotUnderstood | None = None
        for order_id in sample_ids(file):
            try:
                order: Any = (await self._client.get_order(order_id)).model.model_dump()
                known = {f: order[f] for f in AMOUNTS if isinstance(order.get(f), int)}
                check_money(
                    file,
                    {order_id: known},
                    exponent=self._exponent,
                    name=name,
                    account=self._client.transport.account,
                )
            except NotFound:
                continue
            except ExportNotUnderstood as error:
                contradiction = error  # unless the order changed since: the next one tells
            else:
                self._money_is_known = True
                return
        if contradiction:
            raise contradiction


def _id(export: Export) -> str:
    if not isinstance(export.id, str) or not export.id:
        raise JobFailed("the source started an export without telling its id; run again")
    return export.id


def halves(window: ExportWindow, history: tuple[datetime, datetime]) -> list[ExportWindow]:
    """Cut a window in two at the middle of what of it lies in `history`; none when too short."""
    low = window.start or history[0]
    high = window.end or history[1]
    if high - low <= SHORTEST:
        return []
    middle = low + (high - low) / 2
    middle = middle.replace(microsecond=0)
    return [
        ExportWindow(window.date_field, window.start, middle),
        ExportWindow(window.date_field, middle, window.end),
    ]


def _filters(window: ExportWindow) -> dict[str, Any] | None:
    conditions = {}
    if window.start is not None:
        conditions["$after"] = [_stamp(window.start - MARGIN)]
    if window.end is not None:
        conditions["$before"] = [_stamp(window.end + MARGIN)]
    if not conditions:
        return None
    return {"junction": "and", window.date_field: {"conditions": conditions}}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
