"""Histories beyond the reach of the listing: complete, and at the cost that the plan told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.serving import served
from benchmarks.shop import calls_of, must_be_complete, orders_of
from benchmarks.shops.voucherify import VOUCHERIFY
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
    """Backfill a smaller shop and a large one, every item included."""
    if quick:
        return [*_measured(700, "listing_pages=2"), *_measured(1_000, "listing_pages=3")]
    return [*_measured(25_000), *_measured(250_000)]


def backfill(folder: str, base_url: str) -> dict[str, Any]:
    """Plan a backfill of everything, then do it."""
    settings = settings_for(folder, VOUCHERIFY.account(base_url))
    plan = plan_backfill(settings, ACCOUNT, EVERYTHING)
    done = backfill_account(settings, ACCOUNT, EVERYTHING)
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
        child: The process that did it.
    """

    planned: dict[str, int]
    made: dict[str, int]
    seconds: dict[str, float]
    child: Child

    @property
    def until_headers(self) -> float:
        return max(self.seconds["listing"], self.seconds["export"])

    @property
    def rate(self) -> float:
        """Orders per second that were fetched one by one."""
        before = max(seconds for how, seconds in self.seconds.items() if how != "items")
        return self.made["items"] / (self.seconds["items"] - before)

    def calls(self, *, but: str = "") -> tuple[int, int]:
        """Return the calls made and those planned, without one of the steps."""
        made, planned = (
            sum(calls for how, calls in steps.items() if how != but)
            for steps in (self.made, self.planned)
        )
        return made, planned


def _measured(orders: int, *switches: str) -> list[Row]:
    with TemporaryDirectory() as folder, served(VOUCHERIFY, orders, *switches) as base_url:
        settings = settings_for(folder, VOUCHERIFY.account(base_url))
        done = _backfill(settings, folder, base_url)
        must_be_complete(settings, VOUCHERIFY, base_url)
        _must_show_all_in_full(settings, orders_of(base_url))
    shop = f"of {orders:,} orders"
    return [
        planned_row(f"requests for everything {shop}, items included", *done.calls()),
        planned_row(f"requests for listing, exports and pages {shop}", *done.calls(but="items")),
        Row(
            f"seconds for everything {shop}, items included",
            f"{max(done.seconds.values()):,.0f} s",
            f"{done.until_headers:.0f} s to headers",
        ),
        Row(f"items one by one {shop}", f"{done.rate:.0f} orders per s"),
        Row(
            f"peak memory of the backfill {shop}",
            f"{done.child.peak:.0f} MB",
            f"{done.child.imported:.0f} MB imports",
        ),
    ]


def _backfill(settings: Settings, folder: str, base_url: str) -> _Backfill:
    child = run_child("benchmarks.complete:backfill", folder=folder, base_url=base_url)
    result = child.result
    with warehouse_connection(settings, read_only=True) as con:
        steps = con.execute(STEPS).fetchall()
    made = {how: calls for how, calls, _ in steps}
    must_equal("calls as the warehouse notes them", sum(made.values()), result["calls"])
    # Files come from another host, which the sandbox counts for itself.
    sent = result["questions"] + result["calls"] - result["exports"]
    must_equal("calls as the sandbox counts them", sent, calls_of(base_url))
    must_equal("orders without items", result["awaiting"], 0)
    seconds = {how: ended for how, _, ended in steps}
    return _Backfill(result["planned"], made, seconds, child)


def _must_show_all_in_full(settings: Settings, truth: Iterable[dict[str, Any]]) -> None:
    """Compare status and amount in core.orders with the shop, whose orders are sorted by id."""
    refresh_models(settings)
    with warehouse_connection(settings, read_only=True) as con:
        quarantined = con.execute("from ops.quarantine").fetchall()
        must_equal("rows in quarantine", quarantined, [])
        con.execute(
            "select order_id, source_status, net_minor, detail_level from core.orders"
            " order by order_id"
        )
        expected = (
            (order["id"], order.get("status"), order.get("total_amount"), "full") for order in truth
        )
        for row, order in zip_longest(iter(con.fetchone, None), expected):
            must_equal("the next order of core.orders", row, order)


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
