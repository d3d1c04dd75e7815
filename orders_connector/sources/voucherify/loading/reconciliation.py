"""Compares the listing's count, an export of all orders and the warehouse; repairs what differs.

Nothing counts as gone because a file does not name it: each such order is asked for, and only the
source's own 404 marks it as deleted. What one run cannot repair is found again by the next.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

import duckdb
import pyarrow as pa

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.comparison_start import FEW, SHOWS_NONE, begin_comparison
from orders_connector.errors import (
    CallBudgetExhausted,
    FeatureMissing,
    PermissionDenied,
    SourceError,
)
from orders_connector.landing import export_jobs
from orders_connector.landing.profiles import note_answer
from orders_connector.landing.raw_log import Landed
from orders_connector.landing.reconciliations import (
    MOST_DIFFERENCES,
    store_days,
    store_differences,
    store_header,
)
from orders_connector.landing.spool import Spool
from orders_connector.results import Reconciliation
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.voucherify.loading.backfill import Backfill, Snapshot
from orders_connector.sources.voucherify.loading.comparison import (
    COMPARE,
    DAYS,
    DROP_OLD_ROWS,
    EXPORTED_NOW,
    FINAL,
    JUDGED,
    JUDGEMENTS,
)
from orders_connector.sources.voucherify.loading.fetching import (
    ORDERS_PER_COMMIT,
    fetch_orders,
    land_fetched,
)
from orders_connector.sources.voucherify.loading.hydration import hydrate
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import count_rows

__all__ = ["reconcile"]

logger = logging.getLogger(__name__)

MEMORY = "1GB"


async def reconcile(load: AccountLoad, *, repair_calls: int | None) -> Reconciliation:
    """Compare an account with its source and repair what differs, within an open load.

    Days are stored for all business dates and statuses, or, beyond 5,000 of them, for those that
    differ; differences up to 10,000, newest business date first.

    Args:
        load: The account's load.
        repair_calls: Requests to spend on repair; None for as many as the budget allows.

    Returns:
        What was found; a source that fails or a budget that ends is told there, not raised.
    """
    return await _Run(load, repair_calls).run()


@dataclass
class _Run:
    load: AccountLoad
    repair_calls: int | None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    repair_began: int = 0

    def __post_init__(self) -> None:
        self.id = f"rec_{self.started_at:%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}"
        self.calls_before = self.load.client.transport.calls

    async def run(self) -> Reconciliation:
        before = begin_comparison(self.load, self.id, self.started_at)
        backfill = Backfill(self.load)
        try:
            snapshot = await backfill.snapshot(again=True)
            if snapshot.surplus:
                # It may be of an earlier attempt, and orders were deleted since.
                logger.warning("the export holds more orders than there are: exporting again")
                snapshot = await backfill.snapshot(again=True)
        except (SourceError, CallBudgetExhausted) as error:
            return self._failed(None, str(error), error)
        if not snapshot.whole:
            why = (
                f"the source counts {snapshot.source_total:,} orders and its exports hold "
                f"{snapshot.orders:,}, so nothing was compared; orders may be hidden from exports "
                "for a while, so run again later"
            )
            return self._failed(snapshot, why, None)
        self.repair_began = self.load.client.transport.calls
        compared = self._newest_version()
        with _Differences(self._compare(before, compared)) as found:
            if found.vanished() > FEW and not snapshot.orders:
                return self._failed(snapshot, SHOWS_NONE, None)
            stopped = await self._ask(found)
            if stopped is None and self._left() != 0 and found.unknown_items():
                # Not the backlog: what loads left waiting has a budget of its own.
                new = min(found.unknown_items(), self._left() or found.unknown_items())
                hydrated = await hydrate(self.load, most_calls=new)
                if hydrated.error:  # items are no difference; the next load goes on with them
                    logger.warning("fetching items stopped: %s", hydrated.error)
            return self._conclude(snapshot, found.answered(), compared, stopped)

    def _newest_version(self) -> int:
        with warehouse_connection(self.load.settings) as con:
            query = "select coalesce(max(version_id), 0) from raw.order_payloads"
            return int(con.execute(query).fetchall()[0][0])

    def _compare(self, before: int, compared: int) -> pa.Table:
        self.load.progress("comparing the export with the warehouse")
        with warehouse_connection(self.load.settings, memory_limit=MEMORY) as con:
            numbers = {"before": before, "compared": compared}
            return con.sql(COMPARE, params=self._who | numbers).to_arrow_table()

    async def _ask(self, found: _Differences) -> Exception | None:
        """Ask for each order that vanished or is wrong; return what stopped it before its time."""
        while ids := found.next(self._next_batch()):
            with Spool(self.load.settings.warehouse.path.parent) as spool:
                fetched = await fetch_orders(self.load, ids, spool, told=lambda _: None)
                if spool.pages or fetched.gone:
                    evidence: dict[str, object] = {
                        "fetched": len(fetched.there),
                        "gone": len(fetched.gone),
                    }
                    land_fetched(self.load, "reconciliation", spool, fetched.gone, evidence)
            found.note(
                dict.fromkeys(fetched.there, "there")
                | dict.fromkeys((order_id for order_id, _ in fetched.gone), "gone")
                | fetched.unreadable
            )
            self.load.progress(f"asking for orders that differ: {found.waiting():,} are left")
            if fetched.stopped:
                return fetched.stopped
        return None

    def _next_batch(self) -> int:
        left = self._left()
        return ORDERS_PER_COMMIT if left is None else min(ORDERS_PER_COMMIT, left)

    def _left(self) -> int | None:
        """Return how many requests are left for repair; None for no limit."""
        if self.repair_calls is None:
            return None
        spent: int = self.load.client.transport.calls - self.repair_began
        return max(0, self.repair_calls - spent)

    def _conclude(
        self, snapshot: Snapshot, found: pa.Table, compared: int, stopped: Exception | None
    ) -> Reconciliation:
        """Judge, store and prove in one transaction."""
        load, account = self.load, self.load.account
        begin = datetime.combine(account.history_start, time(), UTC)
        reading = Reading(Window(begin), total=snapshot.source_total, read_everything=True)
        if snapshot.asked_at > begin:
            reading.proven = Window(begin, snapshot.asked_at)
        result = self._result("equal", snapshot)

        def work(commit: Commit) -> Landed:
            con = commit.con
            con.register("found", found)
            numbers = {"compared": compared, "covered_to": load.state.covered_to}
            for statement, parameters in (
                (EXPORTED_NOW, self._who),
                (FINAL, self._who),
                (JUDGEMENTS, numbers | self._who),
                (JUDGED, {}),
                (DAYS, {"compared": compared}),
            ):
                con.execute(statement, _named_in(statement, parameters))
            self._judge(con, result, snapshot, stopped)
            self._store(con, result)
            con.unregister("found")
            load.known_orders = result.warehouse_orders or 0
            # Orders that vanished and could not be asked for are counted here and not there.
            load.accepted_difference = -count_rows(
                con, "judged", "cause = 'vanished' and not repaired"
            )
            con.execute(DROP_OLD_ROWS, self._who)
            export_jobs.close_landed(con, account.source, account.name, "used")
            if not load.profile.exports_allowed:
                self._note_permission(commit, "yes", "an export of all orders was made")
            for table in ("exported", "final", "judgements", "judged", "days"):
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

    def _judge(
        self,
        con: duckdb.DuckDBPyConnection,
        result: Reconciliation,
        snapshot: Snapshot,
        stopped: Exception | None,
    ) -> None:
        open_ones: Counter[str] = Counter()
        for cause, orders, repaired, left in con.execute(
            "select cause, count(*), count(*) filter (where repaired),"
            " count(*) filter (where not repaired) from judged group by cause"
        ).fetchall():
            result.differences[cause] = orders
            result.repaired += repaired
            if cause != "quarantined":  # the source's answer is known, and why it is not shown
                open_ones[cause] = left
        ((result.warehouse_orders,),) = con.execute(
            "select count(*) from final where not is_gone"
        ).fetchall()
        ((result.days_different,),) = con.execute(
            "select count(distinct coalesce(order_date, '-infinity')) from days where differs"
        ).fetchall()
        reasons = []
        if open_ones.total():
            result.status = "different"
            causes = ", ".join(f"{n:,} {cause}" for cause, n in sorted(open_ones.items()) if n)
            why = str(stopped) if stopped else "see ops.reconciliation_differences; run again"
            reasons.append(f"orders still differ ({causes}): {why}")
        elif result.repaired:
            result.status = "repaired"
        if snapshot.surplus:
            result.status = "different"
            reasons.append(
                f"the source counts {snapshot.source_total:,} orders and its exports hold "
                f"{snapshot.orders:,}: run again"
            )
        if (more := result.differences.total() - MOST_DIFFERENCES) > 0:
            reasons.append(f"{more:,} more differences were found than are stored")
        result.reason = "; ".join(reasons) or None

    def _store(self, con: duckdb.DuckDBPyConnection, result: Reconciliation) -> None:
        self._store_header(con, result)
        who = {"id": self.id} | self._who
        store_differences(con, who)
        store_days(con, who)

    def _store_header(self, con: duckdb.DuckDBPyConnection, result: Reconciliation) -> None:
        store_header(
            con,
            {"id": self.id} | self._who,
            result,
            started_at=self.started_at,
            calls=self.load.client.transport.calls - self.calls_before,
        )

    def _failed(
        self, snapshot: Snapshot | None, reason: str, error: Exception | None
    ) -> Reconciliation:
        begin = datetime.combine(self.load.account.history_start, time(), UTC)
        window = Window(begin)
        reading = Reading(window, missing=[window], reason=reason)
        result = self._result("failed", snapshot)
        result.reason, result.error = reason, error

        def work(commit: Commit) -> Landed:
            result.warehouse_orders = self.load.known_orders
            self._store_header(commit.con, result)
            if error is None:
                export_jobs.close_landed(
                    commit.con, self._who["source"], self._who["account"], "dropped"
                )
            if isinstance(error, PermissionDenied | FeatureMissing):
                self._note_permission(commit, "no", str(error))
            return Landed()

        self.load.commit(
            "reconciliation",
            reading,
            work,
            started_at=self.started_at,
            status=lambda: "failed",
        )
        return self._ended(result)

    def _result(self, status: str, snapshot: Snapshot | None) -> Reconciliation:
        return Reconciliation(
            self.id,
            self.load.account.name,
            status,
            source_total=snapshot.source_total if snapshot else None,
            export_rows=snapshot.orders if snapshot else None,
        )

    def _ended(self, result: Reconciliation) -> Reconciliation:
        result.calls = self.load.client.transport.calls - self.calls_before
        result.seconds = (datetime.now(UTC) - self.started_at).total_seconds()
        result.landed = self.load.landed
        return result

    def _note_permission(self, commit: Commit, answer: str, evidence: str) -> None:
        who = self._who["source"], self._who["account"]
        note_answer(commit.con, *who, "exports_allowed", answer, evidence, commit.at)

    @property
    def _who(self) -> dict[str, Any]:
        return {"source": self.load.account.source, "account": self.load.account.name}


class _Differences:
    """Orders that differ, in a database of its own: the warehouse is not held over HTTP."""

    def __init__(self, found: pa.Table) -> None:
        self._con = duckdb.connect()
        self._con.execute("set threads = 1")
        self._con.register("compared", found)
        self._con.execute("create table found as from compared")
        self._con.unregister("compared")

    def __enter__(self) -> _Differences:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()

    def vanished(self) -> int:
        """Return how many orders of the warehouse the export does not hold."""
        return count_rows(self._con, "found", "cause = 'vanished'")

    def unknown_items(self) -> int:
        """Return how many orders the export alone brought up to date."""
        return count_rows(self._con, "found", "cause = 'hydrate'")

    def waiting(self) -> int:
        """Return how many orders are to be asked for."""
        return count_rows(self._con, "found", TO_ASK)

    def next(self, count: int) -> list[str]:
        """Return ids of orders to ask for."""
        query = f"select order_id from found where {TO_ASK} order by cause, order_id limit ?"
        return [row[0] for row in self._con.execute(query, [count]).fetchall()]

    def note(self, answers: dict[str, str]) -> None:
        """Note what the source said: `there`, `gone`, or the name of an error."""
        self._con.execute(
            "update found set answer = a.answer from"
            " (select unnest($ids::varchar[]) as order_id, unnest($told::varchar[]) as answer) as a"
            " where found.order_id = a.order_id",
            {"ids": list(answers), "told": list(answers.values())},
        )

    def answered(self) -> pa.Table:
        """Return all of them with the answers."""
        return self._con.sql("from found").to_arrow_table()


def _named_in(statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a statement names; DuckDB refuses others."""
    return {name: value for name, value in parameters.items() if f"${name}" in statement}


TO_ASK = "answer is null and cause in ('vanished', 'wrong')"
