"""Whatever the shop and the network do meanwhile: after one quiet night nothing differs."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.invariants.quiet_night import one_quiet_night
from tests.invariants.voucherify_night import VoucherifyNight


@pytest.mark.slow
@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
@given(data=st.data())
def test_no_claim_is_false_and_one_quiet_night_makes_all_equal(tmp_path_factory, monkeypatch, data):
    one_quiet_night(VoucherifyNight, data, tmp_path_factory.mktemp("moving"), monkeypatch)
