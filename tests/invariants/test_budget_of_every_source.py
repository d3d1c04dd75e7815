"""A run makes no more calls than it may and says what is missing; the next runs finish."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders_connector.budget import LEAST_CALLS
from orders_connector.errors import CallBudgetExhausted
from tests.invariants.every_source import NIGHTS
from tests.invariants.nights import open_nights
from tests.invariants.small_budgets import SEEN, load_with_small_budget

# Sandboxes whose first load takes several runs of so many calls; most of Voucherify's is exported
# and fetched one by one.
LONG = {
    "voucherify": (24, 330, {"listing_pages": 1}),
    "ultracart": (24, 130, {"most_per_page": 6, "limit_over_most": "lowered"}),
    "licensespring": (40, 900, {"max_limit": 50}),
}


def test_every_source_is_here():
    assert LONG.keys() == NIGHTS.keys()


@pytest.mark.parametrize("source", NIGHTS)
def test_a_load_over_many_runs_ends_with_everything(tmp_path, monkeypatch, source):
    kind, (budget, size, switches) = NIGHTS[source], LONG[source]
    with kind.sandbox(size, switches=kind.switches(**switches)) as box:
        night = kind(box)
        open_nights([night], tmp_path, monkeypatch, f"max_calls_per_run = {budget}")
        runs = 0
        while True:
            box.reset_calls()
            result = night.sync()
            runs += 1
            assert len(box.calls) <= budget
            assert result.calls <= budget
            if result.status == "complete" and not result.hydrated.awaiting:
                break
            if result.status == "complete":
                continue
            assert isinstance(result.error, CallBudgetExhausted)
            assert f"used the {budget} requests" in result.reading.reason
            assert result.reading.missing
            assert runs < 12
        assert runs > 1
        assert night.differing() == set()
        assert len(night.coverage()) == 1
        box.reset_calls()
        compared = night.reconcile()
        assert len(box.calls) <= budget
        if compared.status != "equal":
            assert compared.status == "failed"
            assert f"used the {budget} requests" in compared.reason


# Small pages, so that few orders take many calls; of Voucherify the listing within its reach, and
# beyond it exports.
SMALL = {
    "voucherify": ({}, {"listing_pages": 1}),
    "ultracart": ({"most_per_page": 10, "limit_over_most": "lowered"},),
    "licensespring": ({"max_limit": 20}, {"max_limit": 20, "sort_by_updated_at": "ignored"}),
}


@pytest.mark.parametrize(
    ("source", "size", "budget", "switches"),
    [
        ("voucherify", 900, 5, {}),
        ("voucherify", 900, 8, {}),
        ("voucherify", 900, 8, {"null_updated_at": "first"}),
        ("voucherify", 330, LEAST_CALLS, {"listing_pages": 1}),
        ("ultracart", 130, LEAST_CALLS, {"most_per_page": 6, "limit_over_most": "lowered"}),
        ("licensespring", 300, LEAST_CALLS, {}),
        ("licensespring", 60, 20, {"max_limit": 4}),
    ],
)
def test_the_smallest_budgets_end_with_everything_in_few_runs(
    tmp_path, monkeypatch, source, size, budget, switches
):
    kind = NIGHTS[source]
    needed, runs = load_with_small_budget(
        kind, tmp_path, monkeypatch, size=size, budget=budget, switches=kind.switches(**switches)
    )
    assert needed > budget
    assert runs > 1


def test_new_windows_do_not_lose_the_place_in_old_history(tmp_path, monkeypatch):
    kind = NIGHTS["licensespring"]
    _, runs = load_with_small_budget(
        kind,
        tmp_path,
        monkeypatch,
        size=240,
        budget=16,
        switches=kind.switches(max_limit=20),
        time_passes=True,
    )
    assert runs > 2


@pytest.mark.slow
@pytest.mark.parametrize("source", NIGHTS)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_budget_ends_with_everything_although_the_source_moved_for_a_while(
    tmp_path_factory, monkeypatch, source, data
):
    kind = NIGHTS[source]
    load_with_small_budget(
        kind,
        tmp_path_factory.mktemp("small"),
        monkeypatch,
        size=data.draw(st.sampled_from((0, 1, 60, 150, 420)), "size"),
        budget=data.draw(st.integers(LEAST_CALLS, 40), "budget"),
        switches=kind.switches(**data.draw(st.sampled_from(SMALL[source]), "switches")),
        seed=data.draw(st.integers(0, 3), "seed"),
        moves=data.draw(st.lists(st.sampled_from(SEEN[source]), max_size=40), "moves"),
    )
