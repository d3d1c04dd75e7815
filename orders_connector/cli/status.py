"""The command `status`: one screen, the verdict first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from orders_connector.cli.terminal import (
    ago,
    counted,
    days,
    minutes,
    print_json,
    relative,
    say,
    size,
    table,
)
from orders_connector.config import Settings
from orders_connector.landing.profiles import probed_at, read_profile
from orders_connector.sources.source import NOT_SEEN, UNKNOWN
from orders_connector.status import AccountStatus, Status, Trust, read_status
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["status"]

STYLES = {Trust.YES: "bold green", Trust.RESERVED: "bold yellow", Trust.NO: "bold red"}
WIDTH = 100
REASON_LINES = 6  # of one screen: the rest of it has 18 lines for three accounts
CAPABILITIES_SHOWN = 4


def status(settings: Settings, *, as_json: bool) -> None:
    """Say whether the figures can be trusted today."""
    state = read_status(settings)
    if as_json:
        print_json(state.as_data())
        return
    say(state.verdict, style=STYLES[state.trust])
    say(*_reasons(state))
    if not state.accounts:
        return
    say("")
    _say_accounts(state)
    for line in (*_comparisons(state), *_awaiting(state), *_profiles(settings)):
        say(_line(f"  {line}"))
    say("")
    for name, text in _tables(state):
        say(_line(f"{name:<12}{text}"))


def _reasons(state: Status) -> list[str]:
    """Return what the verdict has no room for."""
    reasons = [*state.problems, *state.remarks]
    if len(reasons) == 1 and f"{reasons[0]}." in state.verdict:
        return []
    lines = [
        line
        for reason in reasons
        for line in textwrap.wrap(
            " ".join(reason.split()), WIDTH, initial_indent="  - ", subsequent_indent="    "
        )
    ]
    if len(lines) <= REASON_LINES:
        return lines
    return [*lines[: REASON_LINES - 1], "  … and more: orders-connector status --json"]


def _say_accounts(state: Status) -> None:
    columns = (
        *("account", "proven up to", "age", "last load", "calls", "cycle"),
        *("orders", "at source"),
    )
    right = [name not in ("account", "proven up to", "last load") for name in columns]
    table(columns, [_account_row(account, state.at) for account in state.accounts], right=right)


def _account_row(account: AccountStatus, now: datetime) -> list[str]:
    last, through = account.last, account.data_through
    if last is None:
        return [account.name, "never", "", "never", "", "", "", ""]
    ended = f"{ago(now - last.ended_at)} ago"
    return [
        account.name,
        minutes(through).removesuffix(" UTC"),
        ago(now - through) if through else "",
        ended if last.status == "complete" else f"{last.status}, {ended}",
        _of(last.calls, account.calls_allowed),
        _of(account.calls_of_cycle, account.calls_per_cycle),
        f"{last.known_orders:,}",
        "" if last.source_total is None else f"{last.source_total:,}",
    ]


def _comparisons(state: Status) -> Iterator[str]:
    for account in state.accounts:
        if account.last is None:
            continue
        who = f"{account.name}: {account.source}"
        if account.proven:
            who += f", covered from {account.proven[0].start:%Y-%m-%d}"
        if account.compared is None:
            yield f"{who}; never compared by id: run `orders-connector reconcile`"
            continue
        causes = ", ".join(f"{n:,} {cause}" for cause, n in account.compared.differences.items())
        yield (
            f"{who}; compared by id {ago(state.at - account.compared.ended_at)} ago: "
            f"{account.compared.status}{f' ({causes})' if causes else ''}"
        )
        if account.compared.next_on:
            yield (
                f"  the call budget ended it; the nightly load compares again on "
                f"{account.compared.next_on}"
            )


def _awaiting(state: Status) -> Iterator[str]:
    for account in state.accounts:
        if account.awaiting_items:
            known = account.last.known_orders if account.last else 0
            yield (
                f"{account.name}: {account.awaiting_items:,} of {known:,} orders are known from "
                "exports alone; items follow"
            )


def _profiles(settings: Settings) -> Iterator[str]:
    never = []
    with warehouse_connection(settings, read_only=True) as con:
        for account in settings.accounts.values():
            who = account.source, account.name
            answers, moment = read_profile(con, *who), probed_at(con, *who)
            if moment is None:
                never.append(account.name)
                continue
            known = [f"{k} {v}" for k, v in answers.items() if v not in (UNKNOWN, NOT_SEEN)]
            shown = ", ".join(known[:CAPABILITIES_SHOWN])
            yield f"{account.name}: profile of {moment:%Y-%m-%d}: {shown}"
    if never:
        yield f"{', '.join(never)}: never probed: run `orders-connector doctor --probe`"


def _tables(state: Status) -> Iterator[tuple[str, str]]:
    restated = f" ({days(state.restated)})" if state.restated else ""
    yield (
        "tables",
        f"{minutes(state.last_load)}, {counted(len(state.restated), 'day')} restated{restated}",
    )
    copy = state.published
    made = "nothing yet"
    if copy:
        through = f"data up to {minutes(copy.data_through)}"
        made = f"{minutes(copy.published_at)}, {through}, {size(copy.bytes)}: {relative(copy.path)}"
    yield "published", made
    if state.quarantine:
        yield "quarantine", "; ".join(f"{rows:,} x {reason}" for reason, rows in state.quarantine)
    failed = state.failed_checks
    if not failed:
        return
    errors = sum(check.severity == "error" for check in failed)
    told = f"{counted(errors, 'error')}, {counted(len(failed) - errors, 'warning')}"
    yield "checks", f"{told}: {', '.join(map(str, failed))}"


def _of(calls: int, allowed: int | None) -> str:
    return f"{calls:,} of {allowed:,}" if allowed else f"{calls:,}"


def _line(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
