"""Histories beyond the reach of the listing: complete, and at the cost that the plan told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.shop import calls_of, facts_of, must_be_complete, served, truth_of
from orders_connector.config import Settings
from orders_connector.load import refresh_models
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, plan_backfill
from orders_connector.warehouse.configured import warehouse_connection

EVERYTHING = Window(datetime(2020, 1, 1, tzinfo=UTC))
TARGET = 5  # percent

# The calls of a backfill by the steps of a plan, and when each step ended.
STEPS = """
    select
        case
            when strategy <> 'hydration' then strategy
            when evidence ->> '$[0].harvest' is not null then 'pages'
            else 'items'
        end as how,
        sum(calls)::bigint,
        epoch(max(ended_at)) - epoch((select max(ended_at) from ops.extractions
            where strategy = 'plan')) as seconds
    from ops.extractions
    where strategy <> 'plan'
    group by how
"""


def run(*, quick: bool) -> list[Row]:
    """Backfill a large shop but for most of its items, and a smaller one with all of them."""
    if quick:
        return [*_large(1_500, 50, "listing_pages=3"), *_small(700, "listing_pages=2")]
    return [*_large(250_000, 5_000), *_small(25_000)]


def backfill(folder: str, base_url: str, hydration_calls: int | None) -> dict[str, Any]:
    """Plan a backfill of everything, then do it."""
    settings = settings_for(folder, base_url)
    plan = plan_backfill(settings, ACCOUNT, EVERYTHING)
    done = backfill_account(settings, ACCOUNT, EVERYTHING, hydration_calls=hydration_calls)
    done.raise_unless_complete()
    planned: Counter[str] = Counter()
    for step in plan.steps:
        planned[step.how] += step.calls
    return {
        "planned": planned,
        "questions": plan.questions,
        "calls": done.calls,
        "exports": done.exports,
        "awaiting": done.hydrated.awaiting,
    }


@dataclass(frozen=True)
class _Backfill:
    """A backfill that was done.

    Attributes:
        planned: Predicted calls of each step.
        made: Calls of each step.
        seconds: From the end of planning to the end of each step.
        awaiting: Orders without items.
        child: The process that did it.
    """

    planned: dict[str, int]
    made: dict[str, int]
    seconds: dict[str, float]
    awaiting: int
    child: Child

    @property
    def until_headers(self) -> float:
        return max(self.seconds["listing"], self.seconds["export"])

    def calls(self, *, but: str = "") -> tuple[int, int]:
        """Return the calls made and those planned, without one of the steps."""
        made, planned = (
            sum(calls for how, calls in steps.items() if how != but)
            for steps in (self.made, self.planned)
        )
        return made, planned


def _large(orders: int, hydration_calls: int, *switches: str) -> list[Row]:
    with TemporaryDirectory() as folder, served(orders, *switches) as base_url:
        settings = settings_for(folder, base_url)
        done = _backfill(settings, folder, base_url, hydration_calls)
        _must_show_all_headers(settings, facts_of(base_url))
    shop = f"of {orders:,} orders"
    items = done.made["items"]
    before = max(seconds for how, seconds in done.seconds.items() if how != "items")
    rate = items / (done.seconds["items"] - before)
    rest = done.awaiting / rate / 60
    return [
        planned_row(f"requests for listing, exports and pages {shop}", *done.calls(but="items")),
        Row(f"seconds until every header {shop} is in", f"{done.until_headers:.0f} s"),
        Row(
            f"items one by one {shop}, {items:,} measured",
            f"{rate:.0f} orders per s",
            f"{done.awaiting:,} left: {rest:.0f} min",
        ),
        _memory(f"peak memory of the backfill {shop}", done.child),
    ]


def _small(orders: int, *switches: str) -> list[Row]:
    with TemporaryDirectory() as folder, served(orders, *switches) as base_url:
        settings = settings_for(folder, base_url)
        done = _backfill(settings, folder, base_url, None)
        must_equal("orders without items", done.awaiting, 0)
        must_be_complete(settings, truth_of(base_url))
        _must_show_all_headers(settings, facts_of(base_url))
    shop = f"of {orders:,} orders"
    return [
        planned_row(f"requests for everything {shop}, items included", *done.calls()),
        Row(
            f"seconds for everything {shop}, items included",
            f"{max(done.seconds.values()):.0f} s",
            f"{done.until_headers:.0f} s to headers",
        ),
        _memory(f"peak memory of the backfill {shop}", done.child),
    ]


def _backfill(
    settings: Settings, folder: str, base_url: str, hydration_calls: int | None
) -> _Backfill:
    child = run_child(
        "benchmarks.complete:backfill",
        folder=folder,
        base_url=base_url,
        hydration_calls=hydration_calls,
    )
    result = child.result
    with warehouse_connection(settings, read_only=True) as con:
        steps = con.execute(STEPS).fetchall()
    made = {how: calls for how, calls, _ in steps}
    must_equal("calls as the warehouse notes them", sum(made.values()), result["calls"])
    # Files come from another host, which the sandbox counts for itself.
    sent = result["questions"] + result["calls"] - result["exports"]
    must_equal("calls as the sandbox counts them", sent, calls_of(base_url))
    seconds = {how: ended for how, _, ended in steps}
    return _Backfill(result["planned"], made, seconds, result["awaiting"], child)


def _must_show_all_headers(
    settings: Settings, facts: dict[str, tuple[str | None, int | None]]
) -> None:
    """Compare status and amount in raw.order_payloads and core.orders with the shop."""
    refresh_models(settings)
    with warehouse_connection(settings, read_only=True) as con:
        quarantined = con.execute("from ops.quarantine").fetchall()
        shown = con.execute("select order_id, source_status, net_minor from core.orders").fetchall()
        kept = con.execute(
            "select order_id, payload ->> '$.status', (payload ->> '$.total_amount')::bigint"
            " from raw.order_payloads qualify row_number() over (partition by order_id"
            " order by version_at desc, version_id desc) = 1"
        ).fetchall()
    must_equal("rows in quarantine", quarantined, [])
    _must_be(kept, facts, "raw.order_payloads")
    _must_be(shown, facts, "core.orders")


def _must_be(
    rows: list[tuple[Any, ...]], facts: dict[str, tuple[str | None, int | None]], table: str
) -> None:
    found = {order_id: (status, total) for order_id, status, total in rows}
    must_equal(f"rows of {table}", len(rows), len(facts))
    must_equal(f"ids that {table} lacks", facts.keys() - found.keys(), set())
    wrong = [order_id for order_id, fact in facts.items() if found[order_id] != fact]
    must_equal(f"orders of {table} with another status or amount", wrong, [])


def planned_row(what: str, made: int, planned: int) -> Row:
    """Compare the requests that were made with those that the plan told."""
    off = 100 * abs(made - planned) / made
    return Row(
        what,
        f"{made:,} made",
        f"{planned:,} planned",
        f"{off:.1f} % off",
        f"≤ {TARGET} %",
        off <= TARGET,
    )


def _memory(what: str, child: Child) -> Row:
    return Row(what, f"{child.peak:.0f} MB", f"{child.imported:.0f} MB imports")
