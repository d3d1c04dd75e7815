"""Says whether the figures can be trusted today, and why not."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orders_connector.budget import Allowance, allowance
from orders_connector.comparison_due import last_comparison
from orders_connector.config import Account, Settings
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.sources.base import Window
from orders_connector.sources.registry import source_of
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import begin_session, count_rows

__all__ = [
    "FRESH_FOR",
    "AccountStatus",
    "Attempt",
    "Comparison",
    "FailedCheck",
    "PublishedCopy",
    "Status",
    "Trust",
    "published_copy",
    "read_status",
]

FRESH_FOR = timedelta(hours=26)  # a nightly load, and two hours to make it
REASONS_SHOWN = 3
VERDICT_WIDTH = 100

_QUARANTINED = """
    select count(distinct coalesce(q.order_id, q.content_hash))
    from ops.quarantine as q
    left join raw.order_payloads as r on r.version_id = q.version_id
    where q.source = ? and q.account = ?
        and not exists (
            from raw.order_payloads as p
            where p.order_key = r.order_key and p.order_id = r.order_id and p.part_id = r.part_id
                and p.version_id > r.version_id
                and not exists (from ops.quarantine as z where z.version_id = p.version_id)
        )
        {}
"""
# A later version that can be read puts an order right again, as it does its parts.
_REPAIRED = """
        and (
            r.part_id is not null
            or not exists (
                from core.orders as o
                where o.source = q.source and o.account = q.account and o.order_id = q.order_id
                    and o.version_id > q.version_id
            )
        )
"""


class Trust(StrEnum):
    """The answer of the first line."""

    YES = "yes"
    RESERVED = "with reservations"
    NO = "no"


@dataclass(frozen=True)
class Attempt:
    """The newest extraction of an account.

    Attributes:
        reason: Why it is not complete.
        calls: Requests made, repetitions included.
        read_to_the_end: The whole listing was read: a first load, or counts that did not add up.
    """

    status: str
    reason: str | None
    ended_at: datetime
    calls: int
    orders_read: int
    versions_landed: int
    source_total: int | None
    known_orders: int
    read_to_the_end: bool


@dataclass(frozen=True)
class Comparison:
    """The newest comparison of an account with its source by id.

    Attributes:
        status: equal, repaired, different or failed.
        reason: What is left to do.
        differences: Orders by cause.
        next_on: Day of the next nightly one, where the call budget ended this one.
    """

    status: str
    reason: str | None
    ended_at: datetime
    differences: dict[str, int]
    next_on: date | None = None


@dataclass(frozen=True)
class AccountStatus:
    """What is proven about one account.

    Attributes:
        proven: Windows of version_at that are proven complete.
        gaps: Parts between `history_start` and the newest proven moment that are not.
        calls_of_cycle: Requests that our loads made in this billing cycle.
        calls_per_cycle: Requests that the account has per billing cycle; None while unknown.
        cycle_resets_at: When the next billing cycle begins.
        calls_allowed: Requests that one run may make; None for no limit of our own.
        quarantined: Orders that are missing or outdated in the figures, as their newest version
            cannot be read.
        awaiting_items: Orders known from exports alone; their items are fetched run by run.
        compared: The newest comparison with the source by id; None when there was none.
    """

    name: str
    source: str
    proven: list[Window]
    gaps: list[Window]
    last: Attempt | None
    calls_of_cycle: int
    calls_per_cycle: int | None
    cycle_resets_at: datetime
    calls_allowed: int | None
    quarantined: int
    awaiting_items: int
    compared: Comparison | None

    @property
    def data_through(self) -> datetime | None:
        """End of the newest proven window."""
        return self.proven[-1].end if self.proven else None


@dataclass(frozen=True)
class FailedCheck:
    """A promise of a model that did not hold when it was last checked.

    Attributes:
        severity: error: nothing is published; warn: it is told.
        rows: Rows that break it, as many as are kept.
    """

    model: str
    name: str
    severity: str
    rows: int

    def __str__(self) -> str:
        """Return its name and how many rows break it."""
        return f"{self.model}.{self.name} ({self.rows:,} row{'s'[: self.rows != 1]})"


@dataclass(frozen=True)
class PublishedCopy:
    """The file that readers open."""

    path: Path
    published_at: datetime
    load_id: str | None
    data_through: datetime | None
    bytes: int


@dataclass(frozen=True)
class Status:
    """Everything `status` shows; `problems` and `remarks` explain `trust`.

    Attributes:
        problems: What makes figures wrong or old, the gravest first.
        remarks: What a reader should know although the rest is right.
        quarantine: Reason and number of quarantined rows, newest first.
        failed_checks: Errors first.
    """

    at: datetime
    problems: list[str]
    remarks: list[str]
    accounts: list[AccountStatus]
    quarantine: list[tuple[str, int]]
    last_load: datetime | None
    restated: list[date]
    published: PublishedCopy | None
    failed_checks: list[FailedCheck] = field(default_factory=list)

    @property
    def trust(self) -> Trust:
        """Whether the published figures can be trusted."""
        return Trust.NO if self.problems else Trust.RESERVED if self.remarks else Trust.YES

    @property
    def data_through(self) -> datetime | None:
        """Up to where the published figures of all accounts are proven."""
        return self.published.data_through if self.published else None

    @property
    def verdict(self) -> str:
        """One line: whether the figures can be trusted today and, if not, why."""
        through = f"{self.data_through:%Y-%m-%d %H:%M} UTC" if self.data_through else "nowhere"
        match self.trust:
            case Trust.YES:
                return f"Yes: every order up to {through} is proven, built and published."
            case Trust.RESERVED:
                return _sentence("With reservations", self.remarks)
            case Trust.NO:
                return _sentence("No, not to be trusted today", self.problems)

    def as_data(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        verdict = {"trust": self.trust.value, "verdict": self.verdict}
        data = verdict | {"data_through": self.data_through} | asdict(self)
        for plain, account in zip(data["accounts"], self.accounts, strict=True):
            plain["data_through"] = account.data_through
        data["quarantine"] = [{"reason": r, "rows": rows} for r, rows in self.quarantine]
        return data


@dataclass
class _Findings:
    """What is found, by how grave it is: what is missing, what is old, what readers do not get."""

    missing: list[str] = field(default_factory=list)
    old: list[tuple[datetime, str]] = field(default_factory=list)  # by end of the data
    unpublished: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return [*self.missing, *(text for _, text in sorted(self.old)), *self.unpublished]


def read_status(settings: Settings, *, now: datetime | None = None) -> Status:
    """Read the state of the warehouse and of the published copy.

    Args:
        settings: All settings.
        now: The time to judge freshness by.

    Raises:
        WarehouseLocked: a load holds the warehouse for longer than we wait.
    """
    now = now or datetime.now(UTC)
    found = _Findings()
    accounts: list[AccountStatus] = []
    quarantine: list[tuple[str, int]] = []
    load: tuple[str, datetime] | None = None
    restated: list[date] = []
    failed: list[FailedCheck] = []
    published = published_copy(settings.warehouse.published)
    if not settings.warehouse.path.exists():
        found.missing.append("nothing was loaded yet: run `orders-connector sync`")
        return Status(now, found.problems, [], [], [], None, [], published)
    with warehouse_connection(settings, read_only=True) as con:
        built = _tables_are_built(con)
        zone = ZoneInfo(settings.schedule.time_zone)
        for account in settings.accounts.values():
            budget = allowance(con, account, now)
            state = _account_status(con, account, budget, zone, built=built)
            accounts.append(state)
            _judge_account(state, now, found)
            _judge_budget(account.name, budget, found)
        quarantine = _newest_quarantine_reasons(con)
        load, restated = _last_load(con)
        failed = _failed_checks(con)
        if _unbuilt_versions(con):
            found.unpublished.append(
                "orders were landed that the tables do not show yet: run `orders-connector refresh`"
            )
    _judge_published(published, accounts, load, failed, now, found)
    return Status(
        at=now,
        problems=found.problems,
        remarks=found.remarks,
        accounts=accounts,
        quarantine=quarantine,
        last_load=load[1] if load else None,
        restated=restated,
        published=published,
        failed_checks=failed,
    )


def published_copy(path: Path) -> PublishedCopy | None:
    """Return what the published file says about itself; None when there is none."""
    if not path.exists():
        return None
    with duckdb.connect(str(path), read_only=True) as con:
        begin_session(con)
        ((published_at, load_id, data_through),) = con.execute(
            "select published_at, load_id, data_through from meta.publication"
        ).fetchall()
    return PublishedCopy(path, published_at, load_id, data_through, path.stat().st_size)


def _account_status(
    con: duckdb.DuckDBPyConnection,
    account: Account,
    budget: Allowance,
    zone: ZoneInfo,
    *,
    built: bool,
) -> AccountStatus:
    who = [account.source, account.name]
    proven = coverage_of(con, *who)
    gaps: list[Window] = []
    if proven and proven[-1].end:
        begin = datetime.combine(account.history_start, time(), UTC)
        gaps = gaps_in(proven, Window(min(begin, proven[-1].end), proven[-1].end))
    last = con.execute(
        # A load is what a listing began: its portions, and the exports that followed, are part of
        # it. Portions carry no proof (`landed`), the last row of the listing does.
        "with mine as (from ops.extractions where source = ? and account = ?),"
        " load as (select coalesce(arg_max(started_at, ended_at)"
        "  filter (where strategy = 'listing' and status <> 'landed'), '-infinity') as began"
        "  from mine)"
        " select arg_max(status, ended_at) filter (where status <> 'landed'),"
        " arg_max_null(reason, ended_at) filter (where status <> 'landed'), max(ended_at),"
        " sum(calls)::bigint, sum(orders_read)::bigint, sum(versions_landed)::bigint,"
        " arg_max(source_total, ended_at), arg_max(known_orders, ended_at),"
        " coalesce(bool_or(list_contains(evidence ->> '$[*].ended', 'end')), false)"
        " from mine, load where strategy in ('listing', 'export') and started_at >= began"
        " having count(*) > 0",
        who,
    ).fetchall()
    ((quarantined,),) = con.execute(_QUARANTINED.format(_REPAIRED if built else ""), who).fetchall()
    awaiting = (
        count_rows(
            con,
            "core.orders",
            f"source = '{account.source}' and account = '{account.name}'"
            " and detail_level = 'export' and not is_deleted",
        )
        if built and source_of(account.source).makes_exports
        else 0
    )
    return AccountStatus(
        name=account.name,
        source=account.source,
        proven=proven,
        gaps=gaps,
        last=Attempt(*last[0]) if last else None,
        calls_of_cycle=budget.spent,
        calls_per_cycle=budget.quota,
        cycle_resets_at=budget.resets_at,
        calls_allowed=account.max_calls_per_run,
        quarantined=quarantined,
        awaiting_items=awaiting,
        compared=_comparison(con, account, zone),
    )


def _comparison(
    con: duckdb.DuckDBPyConnection, account: Account, zone: ZoneInfo
) -> Comparison | None:
    who = [account.source, account.name]
    rows = con.execute(
        "select reconciliation_id, status, reason, ended_at from ops.reconciliations"
        " where source = ? and account = ? order by ended_at desc limit 1",
        who,
    ).fetchall()
    if not rows:
        return None
    ((reconciliation_id, status, reason, ended_at),) = rows
    causes = con.execute(
        "select cause, count(distinct order_id) from ops.reconciliation_differences"
        " where reconciliation_id = ? group by cause order by cause",
        [reconciliation_id],
    ).fetchall()
    last = last_comparison(con, account)
    waits = last if last and last.status == "failed" else None
    again = waits.next_on(zone) if waits and waits.reconciliation_id == reconciliation_id else None
    return Comparison(status, reason, ended_at, dict(causes), again)


def _judge_account(account: AccountStatus, now: datetime, found: _Findings) -> None:
    name, last, through = account.name, account.last, account.data_through
    if last is None:
        found.missing.append(f"{name} was never loaded: run `orders-connector sync`")
        return
    if last.status == "failed":  # what was proven before it stays proven
        found.remarks.append(f"{name}: the last load failed: {last.reason}")
    elif last.status != "complete":
        found.missing.append(f"{name}: the last load is {last.status}: {last.reason}")
    if through is None:
        found.missing.append(f"{name}: nothing is proven complete yet")
    elif not _is_fresh(through, now):
        hours = _hours(now - through)
        found.old.append((through, f"{name}: the newest proven data is {hours} hours old"))
    if account.gaps:
        found.missing.append(_gaps(name, account.gaps))
    compared = account.compared
    if compared and compared.status not in {"equal", "repaired"}:
        found.remarks.append(
            f"{name}: the last comparison with the source is {compared.status}: {compared.reason}"
        )
    if account.quarantined:
        found.remarks.append(
            f"{name}: orders in quarantine, missing or old in the figures: {account.quarantined:,}"
        )


def _judge_budget(name: str, budget: Allowance, found: _Findings) -> None:
    if budget.left == 0:
        found.remarks.append(
            f"{name}: {budget.spent:,} of {budget.quota:,} requests of the billing cycle are "
            f"spent: loads stop until {budget.resets_at:%Y-%m-%d}"
        )


def _judge_published(
    published: PublishedCopy | None,
    accounts: list[AccountStatus],
    load: tuple[str, datetime] | None,
    failed: list[FailedCheck],
    now: datetime,
    found: _Findings,
) -> None:
    if load is None:
        return
    errors = [check for check in failed if check.severity == "error"]
    broken = f"{errors[0]}{_and_more(errors)}" if errors else ""
    blocked = f"the check {broken} failed" if errors else None
    if published is None:
        why = blocked or "run `orders-connector publish`"
        found.unpublished.append(f"nothing is published yet: {why}")
        return
    if published.load_id != load[0]:
        if blocked:
            kept = f"{published.published_at:%Y-%m-%d %H:%M} UTC"
            found.remarks.insert(0, f"readers keep the copy of {kept}: {blocked}")
        else:
            found.remarks.append(
                "the tables are newer than the published copy: run `orders-connector publish`"
            )
    elif blocked:
        found.missing.append(f"published figures break {broken}")
    tables_are_fresh = all(_is_fresh(account.data_through, now) for account in accounts)
    if tables_are_fresh and not _is_fresh(published.data_through, now):
        found.unpublished.append(f"the published copy is older than {_hours(FRESH_FOR)} hours")


def _is_fresh(through: datetime | None, now: datetime) -> bool:
    return through is not None and now - through <= FRESH_FOR


def _gaps(name: str, gaps: list[Window]) -> str:
    first = gaps[0]
    end = f"{first.end:%Y-%m-%d %H:%M}" if first.end else "now"
    return f"gap in {name}: {first.start:%Y-%m-%d %H:%M} to {end} UTC{_and_more(gaps)}"


def _and_more(found: Sequence[object]) -> str:
    return f" and {len(found) - 1} more" if len(found) > 1 else ""


def _sentence(verdict: str, reasons: list[str]) -> str:
    """Return the verdict with its first reason, cut to a line; what to do about it follows."""
    reason, more = reasons[0].split(": run `")[0], _and_more(reasons)
    room = VERDICT_WIDTH - len(more) - 1
    text = textwrap.shorten(f"{verdict}: {reason}", room, placeholder=" …")
    return f"{text.removesuffix('.')}{more}."


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):,.0f}"


def _tables_are_built(con: duckdb.DuckDBPyConnection) -> bool:
    query = "select 1 from duckdb_tables() where schema_name = 'core' and table_name = 'orders'"
    return bool(con.execute(query).fetchall())


def _newest_quarantine_reasons(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    return con.execute(
        "select reason, count(*) from ops.quarantine group by reason order by max(seen_at) desc,"
        f" reason limit {REASONS_SHOWN}"
    ).fetchall()


def _failed_checks(con: duckdb.DuckDBPyConnection) -> list[FailedCheck]:
    rows = con.execute(
        "select model, check_name, severity, count(*) from ops.failing_rows group by all"
        " order by severity, model, check_name"
    ).fetchall()
    return [FailedCheck(*row) for row in rows]


def _last_load(con: duckdb.DuckDBPyConnection) -> tuple[tuple[str, datetime] | None, list[date]]:
    loads = con.execute(
        "select load_id, ended_at, report ->> '$[*].restated[*]' from ops.loads"
        " order by ended_at desc limit 1"
    ).fetchall()
    if not loads:
        return None, []
    ((load_id, ended_at, restated),) = loads
    return (load_id, ended_at), sorted({date.fromisoformat(day) for day in restated})


def _unbuilt_versions(con: duckdb.DuckDBPyConnection) -> bool:
    ((unbuilt,),) = con.execute(
        "select (select coalesce(max(version_id), 0) from raw.order_payloads)"
        " > (select coalesce(min(input_version_id), 0) from ops.model_state)"
    ).fetchall()
    return bool(unbuilt)
