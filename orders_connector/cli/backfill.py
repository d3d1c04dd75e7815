"""The command `backfill`: what it would cost, or do it."""

from __future__ import annotations

import typer

from orders_connector.account_load import account_of
from orders_connector.cli.load import LONG_ENOUGH_TO_TELL, finish, say_extraction
from orders_connector.cli.terminal import counted, print_json, say, spinner, table, window
from orders_connector.config import Settings
from orders_connector.results import Plan, SyncResult
from orders_connector.sources.base import Window
from orders_connector.sources.registry import source_of
from orders_connector.sync import backfill_account, plan_backfill

__all__ = ["backfill"]

# What the words of steps mean; a source may have words of its own, which say enough themselves.
HOW = {
    "listing": "walk the listing",
    "seek": "seek in the listing",
    "export": "export",
    "pages": "pages of the listing",
    "items": "order by order",
}


def backfill(
    settings: Settings,
    account: str | None,
    asked: Window,
    *,
    dry_run: bool,
    items: bool,
    most_calls: int | None,
    with_refresh: bool,
    with_publish: bool,
    as_json: bool,
) -> None:
    """Cover a window by whatever reaches it, or say what that would cost.

    Raises:
        LoadIncomplete: an account is not covered; everything that was read is in the tables.
        SourceError: the same, as the source refused or failed.
        PublishBlocked: a check failed.
    """
    names = [account] if account else list(settings.accounts)
    for name in names:
        account_of(settings, name).read_secrets()  # missing keys are told before anything is done
    if dry_run:
        plans = [_plan(settings, name, asked) for name in names]
        if as_json:
            print_json([plan.as_data() for plan in plans])
        else:
            for plan in plans:
                _say_plan(plan)
        return
    results = []
    for name in names:
        result = _run(settings, name, asked, items=items, most_calls=most_calls)
        results.append(result)
        if not as_json:
            say_extraction(result)
    finish(
        settings,
        results,
        with_refresh=with_refresh,
        with_publish=with_publish,
        as_json=as_json,
    )


def _plan(settings: Settings, name: str, asked: Window) -> Plan:
    most = source_of(settings.accounts[name].source).plan_calls
    with spinner(f"{name}: asking at most {most} questions"):
        return plan_backfill(settings, name, asked)


def _run(
    settings: Settings, name: str, asked: Window, *, items: bool, most_calls: int | None
) -> SyncResult:
    def on_wait(seconds: float, reason: str) -> None:
        if seconds >= LONG_ENOUGH_TO_TELL:
            typer.echo(f"{name}: waiting {seconds:.0f} s: {reason}", err=True)

    with spinner(f"{name}: reading orders") as show:

        def listed(orders: int, total: int | None) -> None:
            show(f"{name}: {orders:,} orders listed; the source has {total or 0:,}")

        return backfill_account(
            settings,
            name,
            asked,
            hydration_calls=most_calls if items else 0,
            progress=listed,
            doing=lambda what: show(f"{name}: {what}"),
            on_wait=on_wait,
        )


def _say_plan(plan: Plan) -> None:
    say(f"{plan.account}: {window(plan.window)}; the source counts {plan.source_total:,} orders")
    if not plan.steps:
        say("  nothing to do: all of it is covered")
        return
    rows = [[HOW.get(step.how, step.how), f"{step.calls:,}", step.what] for step in plan.steps]
    rows.append(["in all", f"{plan.calls:,}", _limits(plan)])
    table(("step", "calls", "what it brings"), rows, right=(False, True, False))
    say(
        f"  after {'it' if plan.runs == 1 else 'the first run'}: header facts of "
        f"{plan.headers:.1%} of the orders, items of {plan.items:.1%}",
        f"  {counted(plan.questions, 'call')} made to find this out; nothing else was done",
    )


def _limits(plan: Plan) -> str:
    parts = []
    if plan.minutes is not None:
        parts.append(
            f"{plan.minutes:,.0f} minutes at {plan.per_window:,} calls per {plan.window_seconds} s"
        )
    else:
        parts.append("the source names no limit")
    if plan.cycle_share is not None:
        parts.append(f"{plan.cycle_share:.1%} of the billing cycle's {plan.quota:,}")
    if plan.runs > 1:
        parts.append(f"{plan.runs:,} runs of at most {plan.budget:,} calls")
    return ", ".join(parts)
