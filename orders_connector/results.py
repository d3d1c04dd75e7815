"""What the verbs of a load return: facts for a log line, `--json` or Dagster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Any

from orders_connector.errors import LoadIncomplete
from orders_connector.landing.raw_log import Landed
from orders_connector.sources.base import Reading, Step, Window

__all__ = [
    "Hydrated",
    "Plan",
    "Progress",
    "Reconciliation",
    "SyncResult",
    "whole_days",
]

Progress = Callable[[int, int | None], None]


@dataclass
class Hydrated:
    """What was done for orders known from exports alone.

    Attributes:
        orders: Orders whose items came.
        gone: Orders that are not there any more.
        calls: Requests made.
        awaiting: Orders that still wait, those included whose answer could not be read.
        error: What stopped it before its time; the next run goes on.
    """

    orders: int = 0
    gone: int = 0
    calls: int = 0
    awaiting: int = 0
    error: Exception | None = None


@dataclass
class SyncResult:
    """What one load did.

    Attributes:
        extraction_id: The last extraction that was recorded.
        status: `complete`, `incomplete` (something is missing and named) or `failed` (a call
            failed for good; what was read before is kept, nothing is claimed).
        reading: What was asked and is proven, by listing or by export.
        exports: Files of exports that were landed.
        hydrated: What was done for orders known from exports alone.
        days: UTC days that lie wholly in what was proven, oldest first.
        error: What stopped a failed load.
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
    exports: int = 0
    hydrated: Hydrated = field(default_factory=Hydrated)
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
            "exports": self.exports,
            "hydrated": self.hydrated.orders,
            "awaiting_items": self.hydrated.awaiting,
            "source_total": self.reading.total,
            "known_orders": self.known_orders,
            "seconds": round(self.seconds, 3),
        }


def whole_days(proven: Window | None) -> list[date]:
    """Return the UTC days that lie wholly in what was proven, oldest first."""
    if proven is None or proven.end is None:
        return []
    first = proven.start.date()
    if proven.start > datetime.combine(first, time(), UTC):
        first += timedelta(days=1)
    return [first + timedelta(days=n) for n in range((proven.end.date() - first).days)]


@dataclass
class Plan:
    """What a backfill is expected to do.

    Attributes:
        window: Window of version_at.
        source_total: Orders that the source counts.
        steps: In the order they will be taken.
        questions: Requests that making the plan took.
        budget: Requests that one run may make; None for no limit.
        per_window: Requests that the source allows per `window_seconds`, less the reserve.
        window_seconds: Length of the source's window; None while it names no limit.
        quota: Requests of the billing cycle; None while unknown.
        headers: Share of the window's orders whose header facts will be known.
        items: Share whose items will be known after one run.
    """

    account: str
    window: Window
    source_total: int
    steps: list[Step] = field(default_factory=list)
    questions: int = 0
    budget: int | None = None
    per_window: int | None = None
    window_seconds: int | None = None
    quota: int | None = None
    headers: float = 1.0
    items: float = 1.0

    @property
    def calls(self) -> int:
        """Requests until everything is done, over all runs."""
        return sum(step.calls for step in self.steps)

    @property
    def runs(self) -> int:
        """Runs until everything is done."""
        return 1 if not self.budget else max(1, ceil(self.calls / self.budget))

    @property
    def minutes(self) -> float | None:
        """Minutes that the source's limits make it take at least; None while they are unknown."""
        if not self.per_window or not self.window_seconds:
            return None
        return self.calls / self.per_window * self.window_seconds / 60

    @property
    def cycle_share(self) -> float | None:
        """Share of the billing cycle's requests; None while the quota is unknown."""
        return self.calls / self.quota if self.quota else None

    def as_data(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return {
            "account": self.account,
            "from": self.window.start,
            "to": self.window.end,
            "source_total": self.source_total,
            "steps": [vars(step) for step in self.steps],
            "questions": self.questions,
            "calls": self.calls,
            "runs": self.runs,
            "minutes": self.minutes,
            "cycle_share": self.cycle_share,
            "headers": self.headers,
            "items": self.items,
        }


@dataclass
class Reconciliation:
    """What one comparison found and did.

    Attributes:
        status: `equal` (nothing differs, or only what came after the export), `repaired`,
            `different` (something could not be repaired) or `failed` (nothing was compared).
        reason: What is left to do, in words; None when nothing is.
        source_total: Orders that the listing counts.
        export_rows: Different orders in the export.
        warehouse_orders: Orders of the warehouse that are not deleted, after repair.
        differences: Orders by cause: vanished, hydrate, wrong, newer_than_export.
        repaired: Of these, orders that this run put right.
        days_different: Business days on which the two sides still differ, after repair.
        landed: What was landed besides the export.
        error: What stopped a failed comparison.
    """

    reconciliation_id: str
    account: str
    status: str
    reason: str | None = None
    source_total: int | None = None
    export_rows: int | None = None
    warehouse_orders: int | None = None
    differences: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    days_different: int = 0
    calls: int = 0
    seconds: float = 0.0
    landed: Landed = field(default_factory=Landed)
    error: Exception | None = None

    def raise_unless_equal(self) -> None:
        """Raise what a scheduler should see when the warehouse may differ from the source.

        Raises:
            SourceError: the source refused or failed.
            CallBudgetExhausted: the run's requests ended before the comparison.
            LoadIncomplete: something differs and could not be repaired.
        """
        if self.error is not None:
            raise self.error
        if self.status not in {"equal", "repaired"}:
            raise LoadIncomplete(f"account {self.account}: {self.reason}. What was read is kept")

    def as_metadata(self) -> dict[str, Any]:
        """Return plain values for a log line, `--json` or Dagster."""
        return {
            "reconciliation_id": self.reconciliation_id,
            "account": self.account,
            "status": self.status,
            "reason": self.reason,
            "source_total": self.source_total,
            "export_rows": self.export_rows,
            "warehouse_orders": self.warehouse_orders,
            "differences": dict(self.differences),
            "repaired": self.repaired,
            "days_different": self.days_different,
            "calls": self.calls,
            "versions_landed": self.landed.versions,
            "seconds": round(self.seconds, 3),
        }
