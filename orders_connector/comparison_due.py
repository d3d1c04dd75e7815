"""When the nightly load compares an account with its source again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from orders_connector.budget import cycle_of
from orders_connector.config import Account
from orders_connector.sources.registry import source_of

__all__ = ["LastComparison", "days_between", "last_comparison"]

DAYS_WITHOUT_EXPORTS = 7  # every order is read, so a comparison costs as much as a first load

# Errors that say so end comparisons over and over until there are more requests.
BUDGET_ENDED = "status = 'failed' and regexp_matches(reason, 'used the [0-9,]+ requests that ')"


@dataclass(frozen=True)
class LastComparison:
    """The newest comparison that need not be repeated at once.

    Attributes:
        reconciliation_id: As in ops.reconciliations.
        status: What was found; `failed` where the call budget ended it.
        started_at: First request, UTC.
        days: Days between two comparisons; 1 for every night.
        resets_at: When the billing cycle in which the budget ended it gives way to the next; None
            for others.
    """

    reconciliation_id: str
    status: str
    started_at: datetime
    days: int
    resets_at: datetime | None = None

    def on(self, zone: ZoneInfo) -> date:
        """Return its day in a time zone."""
        return self.started_at.astimezone(zone).date()

    def next_on(self, zone: ZoneInfo) -> date:
        """Return the day of the next one; for every night it is the same: each run compares."""
        due = self._planned_on(zone)
        return min(due, self.resets_at.astimezone(zone).date()) if self.resets_at else due

    def is_due(self, now: datetime, zone: ZoneInfo) -> bool:
        """Whether a nightly load at a moment (aware) compares."""
        has_reset = self.resets_at is not None and now >= self.resets_at
        return has_reset or now.astimezone(zone).date() >= self._planned_on(zone)

    def _planned_on(self, zone: ZoneInfo) -> date:
        return self.on(zone) + timedelta(days=self.days if self.days > 1 else 0)


def days_between(account: Account) -> int:
    """Return how many days lie between two comparisons of an account; 1 for every night."""
    if account.reconcile_every_days is not None:
        return account.reconcile_every_days
    return 1 if source_of(account.source).makes_exports else DAYS_WITHOUT_EXPORTS


def last_comparison(con: duckdb.DuckDBPyConnection, account: Account) -> LastComparison | None:
    """Return the newest comparison that came to its end, or that the call budget ended.

    Others that failed are left out, so that they are repeated as soon as one is due.
    """
    rows = con.execute(
        "select reconciliation_id, status, started_at from ops.reconciliations"
        f" where source = ? and account = ? and (status <> 'failed' or ({BUDGET_ENDED}))"
        " order by ended_at desc limit 1",
        [account.source, account.name],
    ).fetchall()
    if not rows:
        return None
    ((reconciliation_id, status, started_at),) = rows
    resets_at = None
    if status == "failed" and account.calls_per_cycle is not None:
        _, resets_at = cycle_of(account.cycle_start_day, started_at)
    return LastComparison(reconciliation_id, status, started_at, days_between(account), resets_at)
