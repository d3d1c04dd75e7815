"""Whatever a source and the network do meanwhile: after one quiet night nothing differs.

The same is asked of Voucherify, with more examples, in tests/test_moving_history.py.
"""

import typing

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orders_connector.sources.registry import source_names
from tests.invariants.every_source import NIGHTS
from tests.invariants.quiet_night import one_quiet_night


def test_every_source_has_its_night():
    assert tuple(sorted(NIGHTS)) == source_names()


@pytest.mark.parametrize("source", NIGHTS)
def test_every_switch_is_drawn_with_more_than_one_value(source):
    night = NIGHTS[source]
    hints = typing.get_type_hints(night.switches)
    assert [name for name, values in night.values().items() if len(set(values)) < 2] == []
    assert {name for name, hint in hints.items() if hint is int} == night.numbers.keys()


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted(NIGHTS.keys() - {"voucherify"}))
@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
@given(data=st.data())
def test_no_claim_is_false_and_one_quiet_night_makes_all_equal(
    tmp_path_factory, monkeypatch, source, data
):
    one_quiet_night(NIGHTS[source], data, tmp_path_factory.mktemp("night"), monkeypatch)
