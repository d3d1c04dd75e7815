"""How many requests the loads of an account may still send in its billing cycle.

The source tells of this limit only by refusing, and then the shop's own requests are refused too.
So our loads count what they sent, and stop before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from orders_connector.config import Account
from orders_connector.errors import QuotaExhausted
from orders_connector.metering import PER_RUN
from orders_connector.rate import reserved_of

__all__ = [
    "LEAST_CALLS",
    "Allowance",
    "allowance",
    "budget_reason",
    "call_budget",
    "cycle_of",
    "refuse_when_spent",
]

# With as many requests a run of any source can see what is new, find its place, and read on.
LEAST_CALLS = 12


@dataclass(frozen=True)
class Allowance:
    """The requests of one account in one billing cycle.

    Attributes:
        quota: Requests per cycle; None while unknown.
        reserved: Those of them that are left to the shop's own traffic.
        spent: Requests that our loads sent in this cycle.
        resets_at: When the next cycle begins, aware UTC.
    """

    quota: int | None
    reserved: int
    spent: int
    resets_at: datetime

    @property
    def left(self) -> int | None:
        """Requests that our loads may still send; None when there is no quota."""
        return None if self.quota is None else max(0, self.quota - self.reserved - self.spent)


def cycle_of(day: int, now: datetime) -> tuple[datetime, datetime]:
    """Return start (inclusive) and end (exclusive) of the billing cycle, aware UTC.

    Args:
        day: Day of the month, 1 to 28, on which a cycle begins at 00:00 UTC.
        now: A moment of the cycle, aware.
    """
    now = now.astimezone(UTC)
    this_month = datetime(now.year, now.month, day, tzinfo=UTC)
    if now >= this_month:
        return this_month, _moved(this_month, 1)
    return _moved(this_month, -1), this_month


def _moved(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + years, month=month + 1)


def allowance(con: duckdb.DuckDBPyConnection, account: Account, now: datetime) -> Allowance:
    """Return what an account's loads have spent and may still spend in this billing cycle.

    An extraction counts for the cycle in which it ended.

    Args:
        con: The warehouse.
        account: The account.
        now: A moment of the cycle, aware.
    """
    start, end = cycle_of(account.cycle_start_day, now)
    ((spent,),) = con.execute(
        "select coalesce(sum(calls), 0)::bigint from ops.extractions"
        " where source = ? and account = ? and ended_at >= ? and ended_at < ?",
        [account.source, account.name, start, end],
    ).fetchall()
    quota = account.calls_per_cycle
    reserved = 0 if quota is None else reserved_of(quota, account.reserve)
    return Allowance(quota=quota, reserved=reserved, spent=spent, resets_at=end)


def call_budget(account: Account, allowance: Allowance) -> int | None:
    """Return how many requests a run may send: the smaller of its own limit and what is left.

    Returns:
        Requests; None when neither limit is set.
    """
    limits = [n for n in (account.max_calls_per_run, allowance.left) if n is not None]
    return min(limits, default=None)


def budget_reason(account: Account, allowance: Allowance) -> str:
    """Return why `call_budget` is what it is, for the argument of that name of `Transport`."""
    if allowance.left is None or allowance.left != call_budget(account, allowance):
        if account.max_calls_per_run is not None and account.max_calls_per_run < LEAST_CALLS:
            return (
                "one run may make. What was read is kept, but so few may never get to the end: "
                f"raise max_calls_per_run to {LEAST_CALLS} or more."
            )
        return PER_RUN
    return (
        f"its billing cycle had left: of {allowance.quota:,}, {allowance.reserved:,} are reserved "
        f"for the shop and {allowance.spent:,} were spent before. What was read is kept: "
        f"{_what_to_do(allowance)}"
    )


def refuse_when_spent(account: Account, allowance: Allowance) -> None:
    """Stop before the first request when none may be sent.

    Raises:
        QuotaExhausted: Our loads spent the cycle's quota, less the reserve.
    """
    if allowance.left != 0:
        return
    raise QuotaExhausted(
        f"Nothing was asked: the loads of this account sent {allowance.spent:,} requests in this "
        f"billing cycle; it has {allowance.quota:,} (`calls_per_cycle`), and "
        f"{allowance.reserved:,} of them are reserved for the shop (`reserve` = "
        f"{account.reserve:g}). To load again, {_what_to_do(allowance)}",
        account=account.name,
        resets_at=allowance.resets_at,
    )


def _what_to_do(allowance: Allowance) -> str:
    return (
        f"wait for the next cycle, which begins on {allowance.resets_at:%Y-%m-%d %H:%M} UTC, buy "
        "a package of requests and raise `calls_per_cycle`, or lower `reserve`."
    )
