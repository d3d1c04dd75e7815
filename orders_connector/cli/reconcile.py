"""The command `reconcile`: the daily comparison with the source, as a short table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from orders_connector.account_load import account_of
from orders_connector.cli import load
from orders_connector.cli.terminal import counted, print_json, say, spinner, table
from orders_connector.config import Settings
from orders_connector.reconciliation import Reconciliation, reconcile_account

__all__ = ["reconcile"]

CAUSES = ("vanished", "hydrate", "wrong", "newer_than_export")


def reconcile(
    settings: Settings, account: str | None, *, with_refresh: bool, as_json: bool
) -> None:
    """Compare, repair, refresh, check and publish; an account that differs stops no other.

    Raises:
        LoadIncomplete: an account differs from its source and could not be repaired.
        SourceError: the source refused or failed.
        PublishBlocked: a check failed.
    """
    names = [account] if account else list(settings.accounts)
    for name in names:
        account_of(settings, name).read_secrets()  # missing keys are told before anything is done
    results = [_reconcile(settings, name) for name in names]
    report: dict[str, Any] = {"accounts": [result.as_metadata() for result in results]}
    if not as_json:
        _say_results(results)
    blocked = None
    if with_refresh:
        blocked = load.build(settings, report, with_publish=True, as_json=as_json)
    if as_json:
        print_json(report)
    if blocked:
        raise blocked
    for result in results:
        result.raise_unless_equal()


def _reconcile(settings: Settings, name: str) -> Reconciliation:
    def on_wait(seconds: float, reason: str) -> None:
        if seconds >= load.LONG_ENOUGH_TO_TELL:
            typer.echo(f"{name}: waiting {seconds:.0f} s: {reason}", err=True)

    with spinner(f"{name}: comparing with the source") as show:
        return reconcile_account(
            settings, name, doing=lambda what: show(f"{name}: {what}"), on_wait=on_wait
        )


def _say_results(results: list[Reconciliation]) -> None:
    found = dict.fromkeys(cause for result in results for cause in result.differences)
    causes = tuple(dict.fromkeys((*CAUSES, *found)))
    columns = ("account", "result", "listing", "export", "warehouse", *causes, "repaired", "days")
    right = [column not in ("account", "result") for column in columns]
    rows = [_row(result, causes) for result in results]
    table([column.replace("_", " ") for column in columns], rows, right=right)
    for result in results:
        cost = f"{counted(result.calls, 'call')} and {result.seconds:.1f} s"
        say(f"{result.account}: {result.status}, in {cost}")
        if result.reason:
            say(f"  because  {result.reason}")


def _row(result: Reconciliation, causes: Sequence[str]) -> list[str]:
    counts = (result.source_total, result.export_rows, result.warehouse_orders)
    if result.status == "failed":
        return [result.account, result.status, *map(_number, counts), *[""] * (len(causes) + 2)]
    return [
        result.account,
        result.status,
        *map(_number, counts),
        *(_number(result.differences[cause]) for cause in causes),
        _number(result.repaired),
        _number(result.days_different),
    ]


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
