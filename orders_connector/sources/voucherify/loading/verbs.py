"""How Voucherify's orders get into the warehouse: by the listing, exports, and one by one."""

from __future__ import annotations

from datetime import UTC, datetime

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.errors import CallBudgetExhausted, SourceError
from orders_connector.landing.profiles import note_answer
from orders_connector.landing.raw_log import Landed
from orders_connector.results import Hydrated, Plan, Progress, Reconciliation, SyncResult
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.voucherify.loading.backfill import Backfill
from orders_connector.sources.voucherify.loading.hydration import hydrate
from orders_connector.sources.voucherify.loading.planner import business_dates, make_plan
from orders_connector.sources.voucherify.loading.reconciliation import reconcile
from orders_connector.sources.voucherify.loading.run import AccountRun

__all__ = ["VoucherifyLoading"]


class VoucherifyLoading:
    """What `sync`, `backfill` and the other verbs do for a Voucherify project."""

    async def sync(
        self,
        load: AccountLoad,
        window: Window | None,
        *,
        hydration_calls: int | None,
        progress: Progress | None,
    ) -> SyncResult:
        """List what is new, or a window; export what that leaves open; fetch items."""
        return await AccountRun(load, progress, hydration_calls).run(window)

    async def backfill(
        self,
        load: AccountLoad,
        window: Window,
        *,
        hydration_calls: int | None,
        progress: Progress | None,
    ) -> SyncResult:
        """Do the same for a window; what is covered already is not listed again."""
        days = business_dates(window)
        return await AccountRun(load, progress, hydration_calls, days, reread=False).run(window)

    async def export(self, load: AccountLoad, window: Window) -> SyncResult:
        """Export a window, also when it is covered or exports were refused before."""
        run, backfill = AccountRun(load, None, 0), Backfill(load)
        error: Exception | None = None
        try:
            reading = await backfill.window(window)
        except (SourceError, CallBudgetExhausted) as problem:
            error = problem
            reading = Reading(window, missing=[window], reason=str(problem))
        return run.result(reading, error, backfill, Hydrated(awaiting=run.awaiting()))

    async def hydrate(self, load: AccountLoad, calls: int) -> Hydrated:
        """Fetch items, newest business date first."""
        return await hydrate(load, most_calls=calls)

    async def plan(self, load: AccountLoad, window: Window) -> Plan:
        """Ask what must be known; a lower end of the listing is noted in the profile."""
        started_at, known = datetime.now(UTC), load.profile.last_page
        plan = await make_plan(load, window)
        pages, who = load.profile.last_page, (load.account.source, load.account.name)

        def note(commit: Commit) -> Landed:
            why = f"page {pages + 1} of the list was refused or empty"
            note_answer(commit.con, *who, "last_page", str(pages), why, commit.at)
            return Landed()

        if pages < known:
            nothing = Reading(Window(started_at, started_at))
            load.commit("plan", nothing, note, started_at=started_at, status=lambda: "complete")
        return plan

    async def reconcile(self, load: AccountLoad, *, repair_calls: int | None) -> Reconciliation:
        """Compare with the listing's count and an export of all orders."""
        return await reconcile(load, repair_calls=repair_calls)
