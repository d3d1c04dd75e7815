"""Coverage is a union of proven windows; everything else is a gap."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orders_connector.landing.coverage import gaps_in, merged
from orders_connector.sources.base import Window

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


WINDOWS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 6)).map(
        lambda pair: Window(day(pair[0]), day(pair[0] + pair[1]))
    ),
    max_size=8,
)


def days_of(windows):
    return {n for n in range(-5, 40) for w in windows if w.start <= day(n) and day(n + 1) <= w.end}


@given(WINDOWS)
def test_merging_keeps_exactly_the_covered_days(windows):
    joined = merged(windows)
    assert days_of(joined) == days_of(windows)
    assert all(a.end < b.start for a, b in pairwise(joined))


@given(WINDOWS, st.integers(0, 15), st.integers(1, 15))
def test_gaps_are_exactly_the_days_that_are_not_covered(windows, start, length):
    asked = Window(day(start), day(start + length))
    gaps = gaps_in(merged(windows), asked)
    assert days_of(gaps) == days_of([asked]) - days_of(merged(windows))


def test_without_an_end_the_last_gap_is_open():
    assert gaps_in([Window(day(0), day(3))], Window(day(0))) == [Window(day(3))]
