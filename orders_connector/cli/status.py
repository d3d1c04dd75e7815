"""The command `status`: one screen, the verdict first."""

from __future__ import annotations

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
    window,
)
from orders_connector.config import Settings
from orders_connector.landing.profiles import probed_at, read_profile
from orders_connector.sources.source import NOT_SEEN, UNKNOWN
from orders_connector.status import AccountStatus, Status, Trust, read_status
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["status"]

VERDICT = {
    Trust.YES: ("Yes: every order up to {through} is proven, built and published.", "bold green"),
    Trust.RESERVED: (
        "With reservations: what is published is proven up to {through}.",
        "bold yellow",
    ),
    Trust.NO: ("No: the figures are not to be trusted today.", "bold red"),
}
GAPS_SHOWN = 3
CAPABILITIES_SHOWN = 4


def status(settings: Settings, *, as_json: bool) -> None:
    """Say whether the figures can be trusted today."""
    state = read_status(settings)
    if as_json:
        print_json(state.as_data())
        return
    text, style = VERDICT[state.trust]
    say(text.format(through=minutes(state.data_through)), style=style)
    for line in (*state.problems, *state.remarks):
        say(f"  - {line}")
    if not state.accounts:
        return
    say("")
    _say_accounts(state)
    _say_comparisons(state)
    _say_awaiting(state)
    _say_profiles(settings)
    _say_quarantine(state)
    _say_tables(state)


def _say_accounts(state: Status) -> None:
    columns = (
        *("account", "proven up to", "age", "gaps", "last load", "calls", "cycle"),
        *("orders", "at source", "quarantine"),
    )
    right = [name not in ("account", "proven up to", "last load") for name in columns]
    table(columns, [_account_row(account, state.at) for account in state.accounts], right=right)
    for account in state.accounts:
        for gap in account.gaps[:GAPS_SHOWN]:
            say(f"  gap in {account.name}: {window(gap)}")
        if len(account.gaps) > GAPS_SHOWN:
            say(f"  and {len(account.gaps) - GAPS_SHOWN} more gaps in {account.name}")


def _account_row(account: AccountStatus, now: datetime) -> list[str]:
    last, through = account.last, account.data_through
    if last is None:
        return [account.name, "never", "", "", "never", "", "", "", "", ""]
    return [
        account.name,
        minutes(through).removesuffix(" UTC"),
        ago(now - through) if through else "",
        str(len(account.gaps)),
        f"{last.status}, {ago(now - last.ended_at)} ago",
        _of(last.calls, account.calls_allowed),
        _of(account.calls_of_cycle, account.calls_per_cycle),
        f"{last.known_orders:,}",
        "" if last.source_total is None else f"{last.source_total:,}",
        f"{account.quarantined:,}",
    ]


def _say_comparisons(state: Status) -> None:
    for account in state.accounts:
        if account.last is None:
            continue
        who = f"  {account.name}: {account.source}"
        if account.proven:
            who += f", covered from {account.proven[0].start:%Y-%m-%d}"
        if account.compared is None:
            say(f"{who}; never compared by id: run `orders-connector reconcile`")
            continue
        causes = ", ".join(f"{n:,} {cause}" for cause, n in account.compared.differences.items())
        say(
            f"{who}; compared by id {ago(state.at - account.compared.ended_at)} ago: "
            f"{account.compared.status}{f' ({causes})' if causes else ''}"
        )
        if account.compared.next_on:
            say(
                f"    the call budget ended it; the nightly load compares again on "
                f"{account.compared.next_on}: raise max_calls_per_run or calls_per_cycle"
            )


def _say_awaiting(state: Status) -> None:
    for account in state.accounts:
        if account.awaiting_items:
            known = account.last.known_orders if account.last else 0
            say(
                f"  {account.name}: {account.awaiting_items:,} of {known:,} orders are "
                "known from exports alone; their units and products follow run by run"
            )


def _say_profiles(settings: Settings) -> None:
    with warehouse_connection(settings, read_only=True) as con:
        for account in settings.accounts.values():
            who = account.source, account.name
            answers, moment = read_profile(con, *who), probed_at(con, *who)
            if moment is None:
                say(f"  {account.name}: never probed: run `orders-connector doctor --probe`")
                continue
            known = [f"{k} {v}" for k, v in answers.items() if v not in (UNKNOWN, NOT_SEEN)]
            shown = ", ".join(known[:CAPABILITIES_SHOWN])
            say(f"  {account.name}: profile of {moment:%Y-%m-%d}: {shown}")


def _of(calls: int, allowed: int | None) -> str:
    return f"{calls:,} of {allowed:,}" if allowed else f"{calls:,}"


def _say_quarantine(state: Status) -> None:
    if state.quarantine:
        say("", "newest reasons for quarantine:")
        for reason, rows in state.quarantine:
            say(f"  {rows:,} x {reason}")


def _say_tables(state: Status) -> None:
    restated = f" ({days(state.restated)})" if state.restated else ""
    built = f"{minutes(state.last_load)}, {counted(len(state.restated), 'day')} restated{restated}"
    say("", f"tables     {built}")
    copy = state.published
    if copy is None:
        say("published  nothing yet")
        return
    through = minutes(copy.data_through)
    made = f"{minutes(copy.published_at)}, {size(copy.bytes)}, data up to {through}"
    say(f"published  {made}: {relative(copy.path)}")
