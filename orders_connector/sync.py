"""What may be asked of an account: what is new, a window, an export, items, a plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from orders_connector.account_load import AccountLoad, open_account
from orders_connector.config import Settings
from orders_connector.landing.raw_log import Landed
from orders_connector.loading import Loading
from orders_connector.results import Hydrated, Plan, Progress, SyncResult
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.registry import source_of

__all__ = [
    "SyncResult",
    "backfill_account",
    "export_window",
    "hydrate_account",
    "plan_backfill",
    "sync_account",
]


def sync_account(
    settings: Settings,
    name: str,
    *,
    window: Window | None = None,
    hydration_calls: int | None = None,
    progress: Progress | None = None,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> SyncResult:
    """Read what an account has new, or a given window, and land it.

    Without a window the load goes on where the last complete one ended; the first load begins at
    the account's `history_start`. A window that ends later than that is widened down to it, so
    that a missed night heals itself. What the listing does not reach is exported, and so is what
    earlier loads left open. Then the items of orders known from exports alone are fetched.

    Args:
        settings: All settings.
        name: The account.
        window: Window of version_at to cover, UTC.
        hydration_calls: Requests to spend on items; the account's `hydration_calls_per_run` when
            None.
        progress: Called with orders read so far and the source's count of orders.
        doing: Told what is going on, in words.
        **transport: Overrides for the account's transport.

    Returns:
        What was done, also when the load is incomplete or failed: what was read is landed in any
        case. Call `raise_unless_complete` to stop on it.

    Raises:
        ConfigurationError: the account or its credentials are missing.
        QuotaExhausted: nothing is left of the billing cycle's requests.
        WarehouseLocked: another process holds the warehouse or loads this account.
    """

    async def work(load: AccountLoad) -> SyncResult:
        calls = load.account.hydration_calls_per_run if hydration_calls is None else hydration_calls
        return await _loading(load).sync(load, window, hydration_calls=calls, progress=progress)

    return open_account(settings, name, work, doing=doing, **transport)


def backfill_account(
    settings: Settings,
    name: str,
    window: Window,
    *,
    hydration_calls: int | None = None,
    progress: Progress | None = None,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> SyncResult:
    """Cover a window by whatever reaches it, and fetch the items of its business dates.

    What is covered already is not exported again, and a run that was interrupted is continued.
    A window that is covered as a whole is read again, as far as the listing reaches it. Arguments
    and errors are those of `sync_account`, but `hydration_calls` None spends all that the budget
    of the run allows.
    """

    async def work(load: AccountLoad) -> SyncResult:
        return await _loading(load).backfill(
            load, window, hydration_calls=hydration_calls, progress=progress
        )

    return open_account(settings, name, work, doing=doing, **transport)


def export_window(
    settings: Settings,
    name: str,
    window: Window,
    *,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> SyncResult:
    """Export the header facts of a window by hand, also when it is covered already.

    Asks although the account's profile says that exports are refused. Arguments and errors are
    those of `sync_account`; what stopped an export is told in the result, as there.
    """

    async def work(load: AccountLoad) -> SyncResult:
        return await _loading(load).export(load, window)

    return open_account(settings, name, work, doing=doing, **transport)


def hydrate_account(
    settings: Settings,
    name: str,
    *,
    calls: int | None = None,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> Hydrated:
    """Fetch the items of orders that are known from exports alone, newest business date first.

    Args:
        settings: All settings.
        name: The account.
        calls: Requests to spend; the account's `hydration_calls_per_run` when None.
        doing: Told what is going on, in words.
        **transport: Overrides for the account's transport.

    Returns:
        What was done; a source that fails or a budget that ends is told there, not raised.

    Raises:
        ConfigurationError: the account or its credentials are missing.
        QuotaExhausted: nothing is left of the billing cycle's requests.
        WarehouseLocked: another process holds the warehouse or loads this account.
    """

    async def work(load: AccountLoad) -> Hydrated:
        most = load.account.hydration_calls_per_run if calls is None else calls
        return await _loading(load).hydrate(load, most)

    return open_account(settings, name, work, doing=doing, **transport)


def plan_backfill(settings: Settings, name: str, window: Window, **transport: Any) -> Plan:  # noqa: ANN401
    """Say what `backfill_account` would do; asks the source a few times (`Source.plan_calls`).

    Only these requests are noted in the warehouse. Errors as for `sync_account`.
    """

    async def work(load: AccountLoad) -> Plan:
        started_at = datetime.now(UTC)
        plan = await _loading(load).plan(load, window)
        reading = Reading(window, total=plan.source_total)
        load.commit(
            "plan",
            reading,
            lambda _: Landed(),
            started_at=started_at,
            status=lambda: "complete",
        )
        return plan

    return open_account(settings, name, work, **transport)


def _loading(load: AccountLoad) -> Loading:
    return source_of(load.account.source).loading
