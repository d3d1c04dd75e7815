"""Compares an account with its source, as its kind of source allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orders_connector.account_load import AccountLoad, open_account
from orders_connector.config import Settings
from orders_connector.results import Reconciliation
from orders_connector.sources.registry import source_of

__all__ = ["Reconciliation", "reconcile_account"]


def reconcile_account(
    settings: Settings,
    name: str,
    *,
    repair_calls: int | None = None,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> Reconciliation:
    """Compare an account with its source and repair what differs.

    Args:
        settings: All settings.
        name: The account.
        repair_calls: Requests to spend on repair; the account's `hydration_calls_per_run` when
            None.
        doing: Told what is going on, in words.
        **transport: Overrides for the account's transport.

    Returns:
        What was found, also when the comparison failed. Call `raise_unless_equal` to stop on it.

    Raises:
        ConfigurationError: the account or its credentials are missing.
        QuotaExhausted: nothing is left of the billing cycle's requests.
        WarehouseLocked: another process holds the warehouse or loads this account.
    """

    async def work(load: AccountLoad) -> Reconciliation:
        calls = load.account.hydration_calls_per_run if repair_calls is None else repair_calls
        loading = source_of(load.account.source).loading
        return await loading.reconcile(load, repair_calls=calls)

    return open_account(settings, name, work, doing=doing, **transport)
