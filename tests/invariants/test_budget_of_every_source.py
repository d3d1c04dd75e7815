"""A run makes no more calls than it may and says what is missing; the next runs finish."""

import pytest

from orders_connector.errors import CallBudgetExhausted
from tests.invariants.every_source import NIGHTS
from tests.invariants.nights import open_nights

# Sandboxes whose first load takes several runs of so many calls. What Voucherify's listing shows
# has to be read within one run, so most of it is exported and fetched one by one. LicenseSpring's
# lists are sought anew by each run, which takes about twenty calls.
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
