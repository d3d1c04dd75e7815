"""Compares a source that makes no exports with the warehouse: reads everything and lands it.

What came in this way has put itself right; it is listed as a difference when a load should have
found it. Nothing counts as gone because it did not come: each such order is asked for, and only
the source's own answer marks it as deleted.
"""

from __future__ import annotations

import uuid
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.comparison_start import FEW, SHOWS_NONE, begin_comparison
from orders_connector.errors import CallBudgetExhausted, SourceError
from orders_connector.landing.raw_log import GONE, Landed, land_gone
from orders_connector.landing.reconciliations import (
    MOST_DIFFERENCES,
    store_days,
    store_differences,
    store_header,
)
from orders_connector.modeling.model import RAW_TABLE, load_models
from orders_connector.modeling.slices import restrict_inputs
from orders_connector.portions import Portions
from orders_connector.results import Reconciliation
from orders_connector.sources.base import Answered, OrderReader, Reading, Window
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import count_rows

__all__ = ["FullComparison"]

MEMORY = "1GB"
ASKED_AT_ONCE = 500

MINE = "source = $source and account = $account"

# The newest state of each order and part.
STATES = f"""(
    select order_key, order_id, part_id,
        arg_max(version_id, (version_at, version_id))
            filter (where channel <> '{GONE}' and quarantine_reason is null) as version_id,
        arg_max(channel, version_id) = '{GONE}' as is_gone
    from raw.order_payloads
    where {MINE}
    group by order_key, order_id, part_id
)"""

# Also orders that a comparison which came to no end asked for and marked as deleted.
VANISHED = f"""
    select s.order_id, s.part_id, s.is_gone
    from {STATES} as s
    left join (
        select order_key, order_id, arg_max(channel, version_id) = '{GONE}' as was_gone
        from raw.order_payloads
        where {MINE} and part_id is null and version_id <= $before
        group by order_key, order_id
    ) as b on b.order_key = s.order_key and b.order_id = s.order_id and s.part_id is null
    where not coalesce(b.was_gone, s.is_gone)
        and not exists (
            from raw.export_rows as h
            where h.job_id = $id and h.order_key = s.order_key and h.order_id = s.order_id
                and h.part_id is not distinct from s.part_id
        )
    order by s.order_id, s.part_id
"""

# What the reading brought although no load had: unknown, or different without a later date. What
# is dated after the last load is no difference, the next one would have found it.
BROUGHT = f"""
    select n.order_id, n.part_id, b.order_id is null as was_unknown, n.version_at, b.had_at
    from (
        select order_key, order_id, part_id, max(version_at) as version_at,
            bool_or(version_at = loaded_at) as is_undated
        from raw.order_payloads
        where {MINE} and version_id > $before and channel <> '{GONE}'
        group by order_key, order_id, part_id
    ) as n
    left join (
        select order_key, order_id, part_id, max(version_at) as had_at
        from raw.order_payloads
        where {MINE} and version_id <= $before
        group by order_key, order_id, part_id
    ) as b
        on b.order_key = n.order_key and b.order_id = n.order_id
        and b.part_id is not distinct from n.part_id
    where $covered_to is null or n.version_at < $covered_to or n.version_at = b.had_at
        or n.is_undated
"""

JUDGED = f"""
    create or replace temp table judged as
    with final as {STATES},
    found as (
        select order_id, part_id, case when was_unknown then 'missed' else 'wrong' end as cause,
            true as repaired,
            case
                when was_unknown then 'unknown before; it is of ' || version_at::varchar
                else 'changed without a later date; the warehouse had the state of '
                    || had_at::varchar
            end || case when part_id is null then '' else ' (part ' || part_id || ')' end as detail
        from ({BROUGHT})
        union all
        select v.order_id, v.part_id, 'vanished', a.answer in ('there', 'gone'),
            'did not come with all others; ' || case
                when a.answer = 'gone' then 'asked for and not there any more: marked as deleted'
                when a.answer = 'there' then 'asked for and there'
                when a.answer is null then 'not asked for yet'
                else 'asked for in vain: ' || a.answer
            end || case when v.part_id is null then '' else ' (part ' || v.part_id || ')' end
        from vanished as v
        left join answers as a on a.order_id = v.order_id
    )
    select f.order_id, f.part_id, f.cause, coalesce(f.repaired, false) as repaired, f.detail,
        t.order_date
    from found as f
    left join final as s on s.order_id = f.order_id and s.part_id is null
    left join staged as t on t.version_id = s.version_id
"""

DAYS = f"""
    create or replace temp table days as
    select *, source_orders <> warehouse_orders
        or coalesce(source_net_minor <> warehouse_net_minor, false) as differs
    from (
        select order_date, status,
            count(*) filter (where held) as source_orders,
            count(*) as warehouse_orders,
            case when count(*) filter (where held and net_minor is null) = 0
                then coalesce(sum(net_minor) filter (where held), 0)::bigint
            end as source_net_minor,
            case when count(*) filter (where net_minor is null) = 0
                then coalesce(sum(net_minor), 0)::bigint
            end as warehouse_net_minor
        from (
            select t.order_date, t.status, t.net_minor,
                exists (
                    from raw.export_rows as h
                    where h.job_id = $id and h.order_key = s.order_key
                        and h.order_id = s.order_id and h.part_id is null
                ) as held
            from {STATES} as s
            left join staged as t on t.version_id = s.version_id
            where s.part_id is null and not s.is_gone
        )
        group by order_date, status
    )
"""


@dataclass
class FullComparison:
    """One comparison of an account, within an open load.

    Attributes:
        repair_calls: Requests to spend on orders that did not come; None for what the budget
            allows. Reading everything is not counted.
    """

    load: AccountLoad
    reader: OrderReader
    repair_calls: int | None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    total: int | None = None

    def __post_init__(self) -> None:
        self.id = f"rec_{self.started_at:%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}"
        self.calls_before = self.load.client.transport.calls

    async def run(self) -> Reconciliation:
        """Read, ask, judge; a source that fails or a budget that ends is told, not raised."""
        self.before = begin_comparison(self.load, self.id, self.started_at)
        asked = Answered()
        with Portions(self.load, self.reader.contracts) as pages:
            try:
                self.total = await self.reader.count()
                last = await self._read(pages)
            except (SourceError, CallBudgetExhausted) as problem:
                self._land(Reading(self._now()), pages)
                return self._failed(str(problem), problem)
            if last is None:
                return self._failed("the source did not hold still; run again", None)
            vanished, answers = self._vanished()
            orders = sum(part_id is None for _, part_id in vanished)
            if orders > FEW and not last.orders_there:
                return self._failed(SHOWS_NONE, None)
            why = "a comparison may spend on repair (`repair_calls`); run again to go on"
            with self.load.client.transport.capped(self.repair_calls, why):
                await self._ask(vanished, answers, pages, asked)
        return self._conclude(last.until, vanished, answers, asked)

    async def _read(self, pages: Portions) -> _Everything | None:
        last: Reading | None = None
        async with aclosing(self.reader.read_all(pages)) as readings:
            async for last in readings:
                told, last.proven = last.proven, None  # nothing is proven before the judgement
                self._land(last, pages)
                last.proven = told
                self.load.progress(f"reading everything: {self.load.landed.orders_read:,} orders")
        if last is None or not last.read_everything or not last.proven or not last.proven.end:
            return None
        with warehouse_connection(self.load.settings) as con:
            there = count_rows(con, "raw.export_rows", f"job_id = '{self.id}' and part_id is null")
        return _Everything(last.proven.end, there)

    async def _ask(
        self,
        vanished: list[tuple[str, str | None]],
        answers: dict[str, str],
        pages: Portions,
        told: Answered,
    ) -> None:
        """Ask for orders that did not come; add the answers by order id."""
        ids = [one for one in dict.fromkeys(one for one, _ in vanished) if one not in answers]
        for start in range(0, len(ids), ASKED_AT_ONCE):
            some = ids[start : start + ASKED_AT_ONCE]
            try:
                answered = await self.reader.ask(some, pages)
            except (SourceError, CallBudgetExhausted) as problem:
                answered = Answered(stopped=problem)
            self._land(Reading(self._now()), pages, gone=answered.gone)
            gone = {order_id for order_id, _ in answered.gone}
            there = self._held(some)
            answers |= dict.fromkeys(gone, "gone") | answered.unreadable
            answers |= dict.fromkeys(there - gone, "there")
            if answered.stopped:
                told.stopped = answered.stopped
                break

    def _land(
        self, reading: Reading, pages: Portions, *, gone: list[tuple[str, str]] | None = None
    ) -> None:
        vanished = 0

        def work(commit: Commit) -> Landed:
            nonlocal vanished
            landed = pages.land(commit, held_by=self.id)
            vanished = land_gone(commit.con, gone or [], **commit.origin)
            return landed

        self.load.commit(
            "reconciliation",
            reading,
            work,
            started_at=self.started_at,
            status=lambda: "landed",  # the judgement is another row
            gone=lambda: vanished,
            memory_limit=pages.landing_memory,
        )
        pages.drop()

    def _vanished(self) -> tuple[list[tuple[str, str | None]], dict[str, str]]:
        """Return orders and parts that did not come, and what of them was answered before."""
        with warehouse_connection(self.load.settings, memory_limit=MEMORY) as con:
            rows = con.execute(VANISHED, self._who | {"before": self.before}).fetchall()
        answers = {order_id: "gone" for order_id, _, is_gone in rows if is_gone}
        return [(order_id, part_id) for order_id, part_id, _ in rows], answers

    def _held(self, ids: list[str]) -> set[str]:
        with warehouse_connection(self.load.settings) as con:
            rows = con.execute(
                "select distinct order_id from raw.export_rows"
                " where job_id = $id and part_id is null"
                " and order_id in (select unnest($ids::varchar[]))",
                {"id": self.id, "ids": ids},
            ).fetchall()
        return {row[0] for row in rows}

    def _conclude(
        self,
        until: datetime,
        vanished: list[tuple[str, str | None]],
        answers: dict[str, str],
        asked: Answered,
    ) -> Reconciliation:
        """Judge, store and prove in one transaction."""
        load, account = self.load, self.load.account
        begin = datetime.combine(account.history_start, time(), UTC)
        reading = Reading(Window(begin), total=self.total, read_everything=True)
        if until > begin:
            reading.proven = Window(begin, until)
        result = Reconciliation(self.id, account.name, "equal", source_total=self.total)

        def work(commit: Commit) -> Landed:
            con = commit.con
            _fill(con, "vanished", ("order_id", "part_id"), vanished)
            _fill(con, "answers", ("order_id", "answer"), list(answers.items()))
            self._lose_parts(commit)
            con.execute(self._staged())
            bounds = {"before": self.before, "covered_to": load.state.covered_to}
            who = {name: value for name, value in self._who.items() if name != "id"}
            con.execute(JUDGED, who | bounds)
            con.execute(DAYS, self._who)
            self._judge(con, result, asked.stopped)
            self._store_header(con, result)
            store_differences(con, self._who)
            store_days(con, self._who)
            load.known_orders = result.warehouse_orders or 0
            # Orders that did not come and could not be asked for are counted here and not there.
            load.accepted_difference = -count_rows(
                con, "judged", "cause = 'vanished' and not repaired and part_id is null"
            )
            con.execute(
                "delete from raw.export_rows"
                " where source = $source and account = $account and job_id <> $id",
                self._who,
            )
            for table in ("vanished", "answers", "staged", "judged", "days"):
                con.execute(f"drop table {table}")
            return Landed()

        load.commit(
            "reconciliation",
            reading,
            work,
            started_at=self.started_at,
            status=lambda: "complete",
            memory_limit=MEMORY,
        )
        return self._ended(result)

    def _lose_parts(self, commit: Commit) -> None:
        """Mark parts as gone whose order was asked for and came without them, or is gone."""
        rows = commit.con.execute(
            "select v.order_id, v.part_id, case a.answer"
            """ when 'gone' then '{"told_by":"its order, which is not there any more"}'"""
            """ else '{"told_by":"its order, which came without it"}' end"""
            " from vanished as v"
            " inner join answers as a on a.order_id = v.order_id and a.answer in ('there', 'gone')"
            " where v.part_id is not null and not exists ("
            "  from raw.export_rows as h where h.job_id = $id and h.order_id = v.order_id"
            "   and h.part_id = v.part_id)",
            {"id": self.id},
        ).fetchall()
        land_gone(commit.con, [], parts=rows, **commit.origin)

    def _staged(self) -> str:
        """SQL of business date, status and amount of each order, as the staging model says."""
        model = load_models()[f"staging.{self.load.account.source}_orders"]
        key = str(model.refresh_key)
        newest = (
            f"(select r.{key} from {STATES} as s"
            f" inner join {RAW_TABLE} as r on r.version_id = s.version_id)"
        )
        for name, value in self._who.items():
            newest = newest.replace(f"${name}", f"'{value}'")
        select = restrict_inputs(
            _inlined(model.select), tables={RAW_TABLE}, versioned=(), key=key, stale=newest
        )
        # A source without money has no amount to compare.
        net = "net_minor" if "net_minor" in model.columns else "null::bigint as net_minor"
        return (
            "create or replace temp table staged as"
            f" select version_id, order_date, status, {net}"
            f" from ({select.sql(dialect='duckdb')})"
        )

    def _judge(
        self, con: duckdb.DuckDBPyConnection, result: Reconciliation, stopped: Exception | None
    ) -> None:
        for cause, orders, repaired in con.execute(
            "select cause, count(*), count(*) filter (where repaired) from ("
            "  select order_id, cause, bool_and(repaired) as repaired from judged"
            "  group by order_id, cause) group by cause"
        ).fetchall():
            result.differences[cause] = orders
            result.repaired += repaired
        ((result.warehouse_orders,),) = con.execute(
            f"select count(*) from {STATES} where part_id is null and not is_gone",
            {name: value for name, value in self._who.items() if name != "id"},
        ).fetchall()
        ((result.export_rows,),) = con.execute(
            "select count(distinct order_id) from raw.export_rows"
            " where job_id = ? and part_id is null",
            [self.id],
        ).fetchall()
        ((result.days_different,),) = con.execute(
            "select count(distinct coalesce(order_date, '-infinity')) from days where differs"
        ).fetchall()
        reasons = []
        if left := result.differences.total() - result.repaired:
            result.status = "different"
            why = str(stopped) if stopped else "see ops.reconciliation_differences; run again"
            reasons.append(f"orders still differ ({left:,} vanished): {why}")
        elif result.repaired:
            result.status = "repaired"
        if (more := result.differences.total() - MOST_DIFFERENCES) > 0:
            reasons.append(f"{more:,} more differences were found than are stored")
        result.reason = "; ".join(reasons) or None

    def _failed(self, reason: str, error: Exception | None) -> Reconciliation:
        window = Window(datetime.combine(self.load.account.history_start, time(), UTC))
        reading = Reading(window, missing=[window], reason=reason)
        result = Reconciliation(
            self.id, self.load.account.name, "failed", reason=reason, source_total=self.total
        )
        result.warehouse_orders, result.error = self.load.known_orders, error

        def work(commit: Commit) -> Landed:
            self._store_header(commit.con, result)
            commit.con.execute("delete from raw.export_rows where job_id = ?", [self.id])
            return Landed()

        self.load.commit(
            "reconciliation", reading, work, started_at=self.started_at, status=lambda: "failed"
        )
        return self._ended(result)

    def _store_header(self, con: duckdb.DuckDBPyConnection, result: Reconciliation) -> None:
        store_header(
            con,
            self._who,
            result,
            started_at=self.started_at,
            calls=self.load.client.transport.calls - self.calls_before,
        )

    def _ended(self, result: Reconciliation) -> Reconciliation:
        result.calls = self.load.client.transport.calls - self.calls_before
        result.seconds = (datetime.now(UTC) - self.started_at).total_seconds()
        result.landed = self.load.landed
        return result

    @staticmethod
    def _now() -> Window:
        now = datetime.now(UTC)
        return Window(now, now)

    @property
    def _who(self) -> dict[str, Any]:
        account = self.load.account
        return {"id": self.id, "source": account.source, "account": account.name}


@dataclass(frozen=True)
class _Everything:
    """A reading of everything: every order is known as it stood at `until` or later."""

    until: datetime
    orders_there: int


def _inlined(select: exp.Query) -> exp.Query:
    """Return a SELECT that reads no models: they may be older than what was landed just now."""
    tree, models = select.copy(), load_models()
    for table in list(tree.find_all(exp.Table)):
        model = models.get(f"{table.db}.{table.name}")
        if model is not None:
            table.replace(_inlined(model.select).subquery(table.alias_or_name))
    return tree


def _fill(
    con: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, str], rows: list[Any]
) -> None:
    texts = [pa.array([row[n] for row in rows], pa.string()) for n in range(len(columns))]
    con.register("filling", pa.table(texts, names=columns))
    con.execute(f"create or replace temp table {table} as from filling")
    con.unregister("filling")
