"""What the demo says: each night, what was restated, and figures by source and currency."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.cli.terminal import counted, days, minutes, relative, say, size, table
from orders_connector.config import Settings
from orders_connector.dashboard.serving import dashboard_path
from orders_connector.errors import OrdersConnectorError
from orders_connector.status import AccountStatus, Comparison, Status
from orders_connector.warehouse.database import begin_session

__all__ = ["Night", "say_figures", "say_licenses", "say_next", "say_night", "say_restated"]

RESTATED_SHOWN = 8
DAYS_SHOWN = 7
CAUSES = {
    "vanished": "gone at the source, now marked deleted",
    "hydrate": "new or changed since the listing was read",
    "wrong": "changed without a later date, read again",
    "missed": "new since the windows were read",
    "newer_than_export": "changed since the export was made",
}


@dataclass(frozen=True)
class Night:
    """What one run of the nightly job did.

    Attributes:
        net: Net revenue in major units by account, currency and business day; accounts whose
            source knows no money are left out.
    """

    seconds: float
    accounts: list[AccountStatus]
    restated: list[date]
    net: dict[tuple[str, str, date], Decimal]
    published_bytes: int

    @classmethod
    def of(cls, state: Status, seconds: float) -> Night:
        """Read what a night left behind.

        Raises:
            OrdersConnectorError: an account was not loaded, or nothing is published.
        """
        if state.published is None or any(account.last is None for account in state.accounts):
            raise OrdersConnectorError("the nightly job ended well but loaded or published nothing")
        rows = _ask(
            state.published.path,
            "select account, currency, order_date, net_revenue from marts.daily_summary"
            " where net_revenue is not null",
        )
        net = {(account, currency, day): amount for account, currency, day, amount in rows}
        return cls(seconds, state.accounts, state.restated, net, state.published.bytes)

    def as_data(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        rows = [
            {"account": account, "currency": currency, "order_date": day, "net_revenue": amount}
            for (account, currency, day), amount in sorted(self.net.items())
        ]
        return asdict(self) | {"net": rows}


def say_night(night: Night) -> None:
    """Print what a night did with each account."""
    columns = ("account", "source", "new versions", "calls", "at source", "proven up to")
    rows = []
    for account in night.accounts:
        last = account.last
        if last is None:
            continue
        total = "" if last.source_total is None else f"{last.source_total:,}"
        through = minutes(account.data_through).removesuffix(" UTC")
        counts = [f"{last.versions_landed:,}", f"{last.calls:,}", total]
        rows.append([account.name, account.source, *counts, f"{through}, {last.status}"])
    table(columns, rows, right=[False, False, True, True, True, False])
    for account in night.accounts:
        say(f"  {account.name}, compared with the source by id: {_comparison(account.compared)}")
    built = len({day for _, _, day in night.net})
    say(
        f"  {built:,} business days built, {len(night.restated):,} restated, checked and "
        f"published ({size(night.published_bytes)}); {night.seconds:.1f} s in all",
    )


def _comparison(compared: Comparison | None) -> str:
    if compared is None:
        return "not done"
    found = [f"{n:,} {CAUSES.get(cause, cause)}" for cause, n in compared.differences.items()]
    return "; ".join([compared.status, *found])


def say_restated(first: Night, second: Night) -> None:
    """Print business days whose net revenue a later night changed."""
    changed = [
        key
        for key in sorted(first.net.keys() | second.net.keys(), key=lambda key: key[::-1])
        if key[2] in second.restated and first.net.get(key) != second.net.get(key)
    ]
    say(
        "",
        f"Restated: {counted(len(second.restated), 'business day')} ({days(second.restated)}); "
        f"net revenue changed {len(changed)} times, the newest:",
    )
    rows = []
    for key in changed[-RESTATED_SHOWN:]:
        before, after = first.net.get(key, Decimal(0)), second.net.get(key, Decimal(0))
        account, currency, day = key
        amounts = [f"{before:,.2f}", f"{after:,.2f}", f"{after - before:+,.2f}", currency]
        rows.append([str(day), account, *amounts])
    columns = ["day", "account", "net before", "after", "change", ""]
    table(columns, rows, right=[False, False, True, True, True, False])


def say_figures(published: Path) -> None:
    """Print the newest figures by account and currency, which are never added up."""
    rows = _ask(
        published,
        f"""
        select d.account, sum(d.orders_placed), sum(d.orders_recognised), sum(d.orders_cancelled),
            sum(d.gross_revenue), sum(d.discounts), sum(d.net_revenue), sum(d.refunds), d.currency
        from marts.daily_summary as d
        where d.order_date > (select max(order_date) - {DAYS_SHOWN} from marts.daily_summary)
        group by d.source, d.account, d.currency
        order by d.source desc, d.account, d.currency
        """,
    )
    say("", f"The last {DAYS_SHOWN} business days by currency, as readers see them", style="bold")
    counts = ["orders", "recognised", "cancelled"]
    amounts = ["gross", "discounts", "net", "refunded"]
    table(
        ["account", *counts, *amounts, ""],
        [
            [
                account,
                *map(_number, (placed, recognised, cancelled)),
                *("" if amount is None else f"{amount:,.2f}" for amount in money),
                currency if any(amount is not None for amount in money) else "no money",
            ]
            for account, placed, recognised, cancelled, *money, currency in rows
        ],
        right=[False, *[True] * 7, False],
    )


def say_licenses(published: Path) -> None:
    """Print the newest figures of sources that issue licenses."""
    rows = _ask(
        published,
        f"""
        select l.account, sum(l.issued_orders), sum(l.trial_orders), sum(l.test_orders),
            sum(l.licenses), sum(l.licenses_active), (
                select count(*) from core.trial_conversions as t where t.account = l.account
            ), (
                select count(t.converted_at) from core.trial_conversions as t
                where t.account = l.account
            )
        from marts.daily_licenses as l
        where l.order_date > (select max(order_date) - {DAYS_SHOWN} from marts.daily_licenses)
        group by l.account
        order by l.account
        """,
    )
    say("")
    columns = ["account", "issued", "trials", "tests", "licenses", "active"]
    table(columns, [[row[0], *map(_number, row[1:6])] for row in rows], right=[False, *[True] * 5])
    for account, *_, trials, converted in rows:
        say(f"  {account}: {converted:,} of {counted(trials, 'trial')} since the start led to more")


def say_next() -> None:
    """Print what to do with the demo."""
    command = "orders-connector --config .demo/orders.toml"
    if not shutil.which("orders-connector"):
        command = relative(Path(sys.executable).with_name("orders-connector")) + command[16:]
    say("", "Next", style="bold")
    say(
        f"  {command} status",
        f"  {command} query 'from marts.daily_summary order by order_date desc'",
        "  make dev      the Dagster UI on this warehouse, the shops going on",
        "  README.md     a real account, step by step",
        "",
    )
    page = dashboard_path(Settings.load(Path.cwd() / ".demo" / "orders.toml"))
    say(f"The dashboard, to be opened in a browser: {relative(page)}")


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _ask(published: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(published), read_only=True) as con:
        begin_session(con)
        return con.execute(query).fetchall()
