"""The budget of the billing cycle: when it begins, what is left of it, and what errors say."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_connector.budget import (
    LEAST_CALLS,
    Allowance,
    allowance,
    budget_reason,
    call_budget,
    cycle_of,
    refuse_when_spent,
)
from orders_connector.errors import CallBudgetExhausted, QuotaExhausted
from orders_connector.sources.voucherify.account import VoucherifyAccount
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.warehouse.database import open_warehouse
from tests.conftest import NOW

CYCLE_END = datetime(2026, 9, 1, tzinfo=UTC)


def account(**changes):
    values = {
        "name": "shop",
        "source": "voucherify",
        "region": "eu",
        "currency": "EUR",
        "time_zone": "UTC",
        "history_start": "2024-01-01",
    }
    return VoucherifyAccount(**values | changes)


def day(*parts):
    return datetime(*parts, tzinfo=UTC)


# --- when a cycle begins --------------------------------------------------------------------


@given(
    start_day=st.integers(1, 28),
    now=st.datetimes(
        datetime(1999, 12, 1),
        datetime(2100, 3, 31),
        timezones=st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
    ),
)
def test_each_moment_lies_in_one_cycle_and_cycles_touch(start_day, now):
    start, end = cycle_of(start_day, now)
    assert start <= now < end
    for edge in (start, end):
        assert edge == day(edge.year, edge.month, start_day)
    assert 28 <= (end - start).days <= 31
    assert cycle_of(start_day, start) == (start, end)
    assert cycle_of(start_day, end)[0] == end
    assert cycle_of(start_day, start - timedelta(microseconds=1))[1] == start


@pytest.mark.parametrize(
    ("start_day", "now", "cycle"),
    [
        (1, day(2026, 8, 31, 23, 59), (day(2026, 8, 1), day(2026, 9, 1))),
        (28, day(2026, 12, 31), (day(2026, 12, 28), day(2027, 1, 28))),
        (28, day(2027, 1, 27), (day(2026, 12, 28), day(2027, 1, 28))),
        (28, day(2026, 3, 1), (day(2026, 2, 28), day(2026, 3, 28))),
        (15, day(2028, 2, 29), (day(2028, 2, 15), day(2028, 3, 15))),
    ],
)
def test_short_months_and_the_turn_of_the_year(start_day, now, cycle):
    assert cycle_of(start_day, now) == cycle


def test_the_cycle_begins_by_utc_wherever_the_clock_is():
    tokyo = timezone(timedelta(hours=9))
    assert cycle_of(1, datetime(2026, 8, 1, 8, tzinfo=tokyo))[1] == day(2026, 8, 1)


# --- what is left ---------------------------------------------------------------------------


@pytest.fixture
def spent_in(tmp_path):
    """Write extractions into a warehouse and read the allowance from its file."""

    def read(account, *extractions, now=NOW):
        file = tmp_path / "orders.duckdb"
        with open_warehouse(file) as con:
            for name, ended_at, calls in extractions:
                con.execute(
                    "insert into ops.extractions (source, account, ended_at, calls)"
                    " values ('voucherify', ?, ?, ?)",
                    [name, ended_at, calls],
                )
        with open_warehouse(file, read_only=True) as con:
            return allowance(con, account, now)

    return read


def test_the_calls_of_this_cycle_and_account_are_counted(spent_in):
    found = spent_in(
        account(calls_per_cycle=1_000, cycle_start_day=15),
        ("shop", day(2026, 7, 15) - timedelta(microseconds=1), 1),
        ("shop", day(2026, 7, 15), 20),
        ("shop", NOW, 300),
        ("shop", day(2026, 8, 15), 4_000),
        ("other", NOW, 50_000),
    )
    assert found == Allowance(quota=1_000, reserved=100, spent=320, resets_at=day(2026, 8, 15))
    assert found.left == 580


def test_nothing_is_spent_before_the_first_load(spent_in):
    found = spent_in(account())
    assert found == Allowance(quota=None, reserved=0, spent=0, resets_at=CYCLE_END)
    assert found.left is None


def test_what_was_overdrawn_is_not_owed(spent_in):
    assert spent_in(account(calls_per_cycle=10), ("shop", NOW, 10)).left == 0


@pytest.mark.parametrize(
    ("quota", "reserve", "reserved"),
    [(100, 0.55, 55), (101, 0.1, 11), (1, 0.9, 0), (10, 0, 0), (300_000, 0.9, 270_000)],
)
def test_the_reserve_is_rounded_up_but_never_everything(spent_in, quota, reserve, reserved):
    assert spent_in(account(calls_per_cycle=quota, reserve=reserve)).reserved == reserved


@pytest.mark.parametrize(
    ("per_run", "per_cycle", "spent", "budget"),
    [
        (None, None, 7, None),
        (50, None, 7, 50),
        (None, 100, 7, 83),
        (50, 100, 7, 50),
        (50, 100, 70, 20),
        (50, 100, 95, 0),
    ],
)
def test_a_run_may_send_the_smaller_of_both_limits(spent_in, per_run, per_cycle, spent, budget):
    shop = account(max_calls_per_run=per_run, calls_per_cycle=per_cycle)
    assert call_budget(shop, spent_in(shop, ("shop", NOW, spent))) == budget


# --- messages -------------------------------------------------------------------------------


def test_a_spent_cycle_is_refused_with_its_figures_and_what_to_do():
    shop = account(calls_per_cycle=100_000, reserve=0.25)
    refuse_when_spent(shop, Allowance(100_000, 25_000, 74_999, CYCLE_END))
    refuse_when_spent(shop, Allowance(None, 0, 1_000_000, CYCLE_END))
    with pytest.raises(QuotaExhausted) as caught:
        refuse_when_spent(shop, Allowance(100_000, 25_000, 75_001, CYCLE_END))
    assert caught.value.resets_at == CYCLE_END
    for part in (
        *("75,001", "100,000", "25,000", "2026-09-01 00:00 UTC"),
        *("wait", "buy", "lower `reserve`", "raise `calls_per_cycle`", "account: shop"),
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("per_run", "says"),
    [
        (1, f"raise max_calls_per_run to {LEAST_CALLS} or more"),
        (LEAST_CALLS - 1, f"raise max_calls_per_run to {LEAST_CALLS} or more"),
        (LEAST_CALLS, "run again to go on"),
    ],
)
def test_a_budget_too_small_to_get_on_with_names_the_smallest_one(per_run, says):
    reason = budget_reason(account(max_calls_per_run=per_run), Allowance(None, 0, 0, CYCLE_END))
    assert says in reason


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("limits", "spent", "says", "says_not"),
    [
        ("max_calls_per_run = 2", 0, "raise max_calls_per_run", "cycle"),
        ("max_calls_per_run = 2\ncalls_per_cycle = 10", 1, "raise max_calls_per_run", "cycle"),
        ("calls_per_cycle = 10", 7, "2026-09-01 00:00 UTC", "max_calls_per_run"),
        ("max_calls_per_run = 9\ncalls_per_cycle = 10", 7, "of 10, 1 are reserved", "one run"),
        ("max_calls_per_run = 2\ncalls_per_cycle = 10", 7, "of 10, 1 are reserved", "one run"),
    ],
)
async def test_a_run_that_used_its_budget_says_which_one_it_was(
    start_shop, settings_for, spent_in, limits, spent, says, says_not
):
    box = start_shop(3)
    shop = settings_for(box, limits).accounts["shop"]
    left = spent_in(shop, ("shop", NOW, spent))
    budget = {"call_budget": call_budget(shop, left), "budget_reason": budget_reason(shop, left)}
    async with VoucherifyClient.for_account(shop, **budget) as client:
        await client.list_orders()
        await client.list_orders()
        with pytest.raises(CallBudgetExhausted) as caught:
            await client.list_orders()
    assert len(box.calls) == caught.value.budget == 2
    assert says in str(caught.value)
    assert says_not not in str(caught.value)
    assert "used the 2 requests that " in str(caught.value)
