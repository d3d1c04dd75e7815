"""What the verbs of a load do for one kind of source."""

from __future__ import annotations

from typing import Protocol

from orders_connector.account_load import AccountLoad
from orders_connector.results import Hydrated, Plan, Progress, Reconciliation, SyncResult
from orders_connector.sources.base import Window

__all__ = ["Loading"]


class Loading(Protocol):
    """How orders of a source get into the warehouse; each verb runs within an open load.

    What a source refuses, and a budget that ends, is told in the results, not raised.
    """

    async def sync(
        self,
        load: AccountLoad,
        window: Window | None,
        *,
        hydration_calls: int | None,
        progress: Progress | None,
    ) -> SyncResult:
        """Read what is new, or a window."""

    async def backfill(
        self,
        load: AccountLoad,
        window: Window,
        *,
        hydration_calls: int | None,
        progress: Progress | None,
    ) -> SyncResult:
        """Cover a window by whatever reaches it."""

    async def export(self, load: AccountLoad, window: Window) -> SyncResult:
        """Export the header facts of a window.

        Raises:
            FeatureMissing: the source makes no exports.
        """

    async def hydrate(self, load: AccountLoad, calls: int) -> Hydrated:
        """Fetch the items of orders that are known from exports alone."""

    async def plan(self, load: AccountLoad, window: Window) -> Plan:
        """Say what `backfill` would cost.

        Raises:
            SourceError: the source refused or failed.
            CallBudgetExhausted: the run may make no more calls.
        """

    async def reconcile(self, load: AccountLoad, *, repair_calls: int | None) -> Reconciliation:
        """Compare all orders of the account with the source and repair what differs."""
