"""What a backfill will cost and how complete it will be, told before it starts.

The strategy follows from sizes: what the listing reaches is walked, a past window within reach is
sought, everything else is exported; items come from pages of the listing where these hold many
waiting orders, and one by one for the rest. The prediction asks the source a few questions, at
most `MOST_QUESTIONS`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from math import ceil, log2

from orders_connector.account_load import AccountLoad
from orders_connector.errors import NotFound, PageOverLimit, RequestRejected
from orders_connector.landing.coverage import coverage_of, gaps_in
from orders_connector.results import Plan
from orders_connector.sources.base import Step, Window
from orders_connector.sources.voucherify.loading.backfill import ROWS_PER_EXPORT
from orders_connector.sources.voucherify.loading.hydration import FEW, waiting_orders
from orders_connector.sources.voucherify.loading.listing_ends import (
    changed_orders,
    look_at_changes,
    page_of,
    walk_requests,
)
from orders_connector.sources.voucherify.paging import MAX_LIMIT, Reach
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["MOST_QUESTIONS", "business_dates", "make_plan"]

MOST_QUESTIONS = 97
# What an export costs: its start, looks at its state, one order to compare amounts with. The file
# comes from the download host, which counts as a call as well.
POLLS = 2
CALLS_PER_EXPORT = 1 + POLLS + 1 + 1
COUNTS = 2  # looks at the total, before and after


async def make_plan(load: AccountLoad, window: Window) -> Plan:
    """Ask what must be known and predict the calls of a backfill.

    Args:
        load: The account's load.
        window: Window of version_at to be covered.

    Raises:
        SourceError: the source refused or failed.
        CallBudgetExhausted: the run may make no more calls.
    """
    account, client = load.account, load.client
    first = (await client.list_orders(limit=1, order="created_at")).model
    total = first.total or 0
    reach = await _true_reach(load, total)
    load.profile = replace(load.profile, last_page=reach.pages)
    with warehouse_connection(load.settings) as con:
        covered = coverage_of(con, account.source, account.name)
        waiting = waiting_orders(con, account.source, account.name, business_dates(window))
    plan = Plan(account.name, window, total)
    if not covered:
        await _first_load(load, plan, reach)
    else:
        gaps = gaps_in(covered, window)
        later = window.end is None or window.end > (covered[-1].end or window.end)
        if later:
            plan.steps.append(Step("listing", 2, "what changed since the last load, at least"))
        elif not gaps:
            calls = 2 * ceil(log2(max(2, min(reach.pages, total // MAX_LIMIT)))) + 4
            plan.steps.append(Step("seek", calls, "the window again, as far as it is in reach"))
        if gaps:
            _exports(load, plan, total, everything=False, gaps=len(gaps))
        if waiting:
            plan.steps.append(Step("items", waiting, f"items of {waiting:,} orders"))
    load.limit(plan)
    items = sum(step.calls for step in plan.steps if step.how == "items")
    if plan.budget is not None and total:
        beyond = max(0, min(items, plan.calls - plan.budget))
        plan.items = min(plan.items, 1 - beyond / total)
    return plan


async def _first_load(load: AccountLoad, plan: Plan, reach: Reach) -> None:
    total = plan.source_total
    if total <= reach.orders:
        calls = 1 + len(walk_requests(total, reach))
        plan.steps.append(Step("listing", calls, f"all {total:,} orders, in full"))
        return
    walk = len(walk_requests(reach.orders, reach))
    changed = await changed_orders(load, reach)
    by_change = walk if changed == reach.orders else len(walk_requests(changed + 1, reach))
    newest = f"the newest {reach.orders:,} orders by change and by creation, in full"
    plan.steps.append(Step("listing", walk + by_change, newest))
    if not load.profile.exports_allowed:
        plan.headers = plan.items = reach.orders / total
        return
    _exports(load, plan, total, everything=True)
    oldest = min(total - reach.orders, reach.orders)
    pages = ceil(oldest / MAX_LIMIT)
    most = MOST_QUESTIONS - load.client.transport.calls
    found = await look_at_changes(load, reach, total, sure=plan.calls + pages, most=most)
    pages, waiting = pages + found.pages, found.items
    if total - reach.orders <= FEW:
        pages, waiting = 0, total - reach.orders
    if pages:
        plan.steps.append(Step("pages", pages, "items of orders at the listing's ends"))
    if waiting:
        plan.steps.append(Step("items", waiting, f"items of {waiting:,} orders, newest first"))


def _exports(load: AccountLoad, plan: Plan, total: int, *, everything: bool, gaps: int = 1) -> None:
    if not load.profile.exports_allowed:
        plan.headers = 0.0
        return
    if everything:
        files = max(1, ceil(total / ROWS_PER_EXPORT))
        calls = COUNTS + files * CALLS_PER_EXPORT
        what = f"the header facts of all {total:,} orders"
    else:
        fields = 1 if load.profile.null_updated_at_in_exports else 2
        files = gaps * fields
        calls = files * CALLS_PER_EXPORT
        what = "the header facts of what changed or was created in the window"
    plan.steps.append(Step("export", calls, f"{what}, in {files} file{'s' * (files > 1)}"))


async def _true_reach(load: AccountLoad, total: int) -> Reach:
    """Return how far page numbers go, as far as it matters: a cap may be lower than documented."""
    known = load.profile.last_page
    wanted = min(known, ceil(total / MAX_LIMIT))
    if wanted <= 1 or await _answers(load, wanted):
        return Reach(pages=known)
    answered, refused = 1, wanted
    while refused - answered > 1:
        middle = (answered + refused) // 2
        if await _answers(load, middle):
            answered = middle
        else:
            refused = middle
    return Reach(pages=answered)


async def _answers(load: AccountLoad, page: int) -> bool:
    try:
        return bool(await page_of(load, "-created_at", page))
    except (PageOverLimit, RequestRejected, NotFound):
        return False


def business_dates(window: Window) -> tuple[date, date] | None:
    """Return the days of a window, the first inclusive, the last exclusive; None without an end."""
    if window.end is None:
        return None
    end = window.end
    last = end.date() if end.time() == time() else (end + timedelta(days=1)).date()
    return window.start.date(), last
