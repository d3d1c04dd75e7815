"""One extraction: ask what is missing, read it, land it, and say what is proven."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import duckdb

from orders_connector.config import Account, Settings
from orders_connector.errors import (
    CallBudgetExhausted,
    ConfigurationError,
    LoadIncomplete,
    SourceError,
)
from orders_connector.landing.coverage import (
    ExtractionRecord,
    LoadState,
    load_state,
    record_extraction,
)
from orders_connector.landing.raw_log import Landed, land
from orders_connector.landing.settings_tables import write_settings
from orders_connector.landing.spool import Spool
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.extraction import CONTRACT, ListingExtraction
from orders_connector.turns import turn
from orders_connector.warehouse.database import count_rows, open_warehouse, transaction

__all__ = ["SyncResult", "account_of", "sync_account", "warehouse_connection"]

Progress = Callable[[int, int | None], None]


@dataclass
class SyncResult:
    """What one extraction did.

    Attributes:
        status: `complete`, `incomplete` (something is missing and named) or `failed` (a call
            failed for good; what was read before is kept, nothing is claimed).
        days: UTC days that lie wholly in what was proven, oldest first.
        error: What stopped a failed extraction.
    """

    extraction_id: str
    account: str
    source: str
    status: str
    reading: Reading
    landed: Landed
    calls: int
    bytes_received: int
    seconds: float
    known_orders: int
    days: list[date] = field(default_factory=list)
    error: Exception | None = None

    def raise_unless_complete(self) -> None:
        """Raise what a scheduler should see when the window is not covered.

        Raises:
            SourceError: the source refused or failed.
            CallBudgetExhausted: the run's own budget of requests is used up.
            LoadIncomplete: everything was read that can be, and something is missing.
        """
        if self.error is not None:
            raise self.error
        if self.status != "complete":
            missing = ", ".join(str(window) for window in self.reading.missing)
            raise LoadIncomplete(
                f"account {self.account}: {self.reading.reason}. Missing: {missing or 'unknown'}. "
                "What was read is kept",
                missing=self.reading.missing,
            )

    def as_metadata(self) -> dict[str, Any]:
        """Return plain values for a log line, `--json` or Dagster."""
        proven = self.reading.proven
        return {
            "extraction_id": self.extraction_id,
            "account": self.account,
            "status": self.status,
            "reason": self.reading.reason,
            "asked": str(self.reading.window),
            "proven": str(proven) if proven else None,
            "missing": [str(window) for window in self.reading.missing],
            "calls": self.calls,
            "bytes": self.bytes_received,
            "orders_read": self.landed.orders_read,
            "versions_landed": self.landed.versions,
            "new_orders": self.landed.new_orders,
            "quarantined": self.landed.quarantined,
            "source_total": self.reading.total,
            "known_orders": self.known_orders,
            "seconds": round(self.seconds, 3),
        }


class _CountsDoNotAddUp(Exception):
    """The source counts more orders than all windows explain."""


@contextmanager
def warehouse_connection(
    settings: Settings, *, read_only: bool = False, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the configured warehouse (errors as `open_warehouse`).

    `memory_limit` holds where the configuration sets none.
    """
    warehouse = settings.warehouse
    with open_warehouse(
        warehouse.path,
        read_only=read_only,
        lock_timeout_seconds=warehouse.lock_timeout_seconds,
        memory_limit=warehouse.memory_limit or memory_limit,
        threads=warehouse.threads,
    ) as con:
        yield con


def account_of(settings: Settings, name: str) -> Account:
    """Return a configured account.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if name not in settings.accounts:
        raise ConfigurationError(
            f"there is no account {name}; configured are: {', '.join(settings.accounts)}"
        )
    return settings.accounts[name]


def sync_account(
    settings: Settings,
    name: str,
    *,
    window: Window | None = None,
    progress: Progress | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> SyncResult:
    """Read what an account has new, or a given window, and land it.

    Without a window the load goes on where the last complete one ended; the first load begins at
    the account's `history_start`. A window that begins later than that is widened down to it, so
    that a missed night heals itself.

    Args:
        settings: All settings.
        name: The account.
        window: Window of version_at to cover, UTC.
        progress: Called with orders read so far and the source's count of orders.
        **transport: Overrides for the account's transport.

    Returns:
        What was done, also when the extraction is incomplete or failed: what was read is landed
        in any case. Call `raise_unless_complete` to stop on it.

    Raises:
        ConfigurationError: the account or its credentials are missing.
        WarehouseLocked: another process holds the warehouse or loads this account.
    """
    account = account_of(settings, name)
    with turn(
        settings.warehouse.path,
        account.name,
        longest_wait_seconds=account.max_wait_seconds,
        on_wait=transport.get("on_wait"),
    ):
        return asyncio.run(_sync(settings, account, window, progress, transport))


async def _sync(
    settings: Settings,
    account: Account,
    window: Window | None,
    progress: Progress | None,
    transport: dict[str, Any],
) -> SyncResult:
    started_at = datetime.now(UTC)
    with warehouse_connection(settings) as con:
        state = load_state(con, account.source, account.name)
    begin = state.covered_to or datetime.combine(account.history_start, time(), UTC)
    asked = Window(min(window.start, begin), window.end) if window else Window(begin)
    overlap = timedelta(minutes=account.overlap_minutes)
    async with VoucherifyClient.for_account(account, **transport) as client:
        with (
            Spool(settings.warehouse.path.parent) as spool,
            ListingExtraction(client, spool, overlap=overlap, progress=progress) as extraction,
        ):
            attempt = _Attempt(settings, account, started_at, state, spool, client)
            first_load = state.covered_to is None
            reading, error = await _guarded(
                extraction,
                asked,
                extraction.read(asked, watermarks=state.watermarks, first_load=first_load),
            )
            try:
                return attempt.commit(reading, error, may_go_deeper=True)
            except _CountsDoNotAddUp:
                reading, error = await _guarded(extraction, asked, extraction.go_deeper())
                return attempt.commit(reading, error, may_go_deeper=False)


async def _guarded(
    extraction: ListingExtraction,
    asked: Window,
    reading: Any,  # noqa: ANN401 - awaitable
) -> tuple[Reading, Exception | None]:
    """Return what is proven; a reading that an error cut off proves nothing."""
    try:
        return await reading, None
    except (SourceError, CallBudgetExhausted) as error:
        cut_off = extraction.reading(asked)
        cut_off.proven, cut_off.watermarks = None, {}
        cut_off.missing, cut_off.reason = [asked], str(error)
        return cut_off, error


@dataclass
class _Attempt:
    settings: Settings
    account: Account
    started_at: datetime
    state: LoadState
    spool: Spool
    client: VoucherifyClient

    def commit(
        self, reading: Reading, error: Exception | None, *, may_go_deeper: bool
    ) -> SyncResult:
        """Land rows, watermarks and coverage in one transaction.

        Raises:
            _CountsDoNotAddUp: nothing was landed; a deeper reading may explain the difference.
        """
        account = self.account
        now = datetime.now(UTC)
        extraction_id = f"ext_{now:%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}"
        with (
            warehouse_connection(self.settings, memory_limit=self.spool.landing_memory) as con,
            transaction(con),
        ):
            write_settings(con, self.settings)
            landed = land(
                con,
                self.spool.batches,
                contract=CONTRACT,
                source=account.source,
                account=account.name,
                extraction_id=extraction_id,
                loaded_at=now,
            )
            known = self.state.known_orders + landed.new_orders
            accepted = self.state.accepted_difference
            if error is None and reading.total is not None:
                unnamed = count_rows(
                    con,
                    "ops.quarantine",
                    f"source = '{account.source}' and account = '{account.name}'"
                    " and order_id is null",
                )
                difference = reading.total - known - unnamed
                explained = self._explained_difference(reading, difference)
                if difference > explained:
                    if may_go_deeper and not reading.read_everything:
                        raise _CountsDoNotAddUp
                    _disclaim(reading, difference - explained)
                accepted = min(difference, explained)
            status = "failed" if error else "incomplete" if reading.reason else "complete"
            record_extraction(
                con,
                ExtractionRecord(
                    extraction_id=extraction_id,
                    source=account.source,
                    account=account.name,
                    strategy="listing",
                    status=status,
                    started_at=self.started_at,
                    ended_at=datetime.now(UTC),
                    calls=self.client.transport.calls,
                    bytes_received=self.client.transport.bytes_received,
                    known_orders=known,
                    accepted_difference=accepted,
                    reading=reading,
                    landed=landed,
                ),
            )
        return SyncResult(
            extraction_id=extraction_id,
            account=account.name,
            source=account.source,
            status=status,
            reading=reading,
            landed=landed,
            calls=self.client.transport.calls,
            bytes_received=self.client.transport.bytes_received,
            seconds=(datetime.now(UTC) - self.started_at).total_seconds(),
            known_orders=known,
            days=_whole_days(reading.proven),
            error=error,
        )

    def _explained_difference(self, reading: Reading, difference: int) -> int:
        """Return how many orders the source may count beyond those we know.

        Zero when everything was read. On a first load the rest lies before the window or in the
        missing part that the reading names. Later, no more than then.
        """
        if reading.read_everything:
            return 0
        if self.state.covered_to is None:
            return difference
        return self.state.accepted_difference


def _disclaim(reading: Reading, orders: int) -> None:
    """Take back the claim of completeness: some orders are not explained by any window."""
    if reading.read_everything:
        reading.proven, reading.watermarks = None, {}
        reading.missing = [reading.window]
        why = "although the listing was read to its end; it moved meanwhile, so run again"
    else:
        why = "and the listing does not reach them; they are back-dated or were hidden from it"
    counted = "one more order" if orders == 1 else f"{orders:,} more orders"
    reading.reason = f"the source counts {counted} than all windows explain, {why}"


def _whole_days(proven: Window | None) -> list[date]:
    if proven is None or proven.end is None:
        return []
    first = proven.start.date()
    if proven.start > datetime.combine(first, time(), UTC):
        first += timedelta(days=1)
    return [first + timedelta(days=n) for n in range((proven.end.date() - first).days)]
