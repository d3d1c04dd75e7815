"""What tests draw: any value of every switch of a sandbox, and trouble on order."""

import typing

from hypothesis import strategies as st

from orders_connector.sandbox.faults import Fault

HINTS = typing.get_type_hints(Fault)


def values_of(switches, numbers, usually=()):
    """Return the values to draw for each switch of a class.

    Args:
        switches: the class.
        numbers: values of the switches that are numbers.
        usually: values that are drawn more often, by switch.
    """
    hints = typing.get_type_hints(switches)
    return {
        name: (typing.get_args(hint) or numbers.get(name, ())) + dict(usually).get(name, ())
        for name, hint in hints.items()
    }


def drawn(switches, values):
    """Return a strategy of switches with any of the values."""
    return st.builds(switches, **{name: st.sampled_from(some) for name, some in values.items()})


def troubles(paths):
    """Return a strategy of up to two faults that strike requests to the given paths."""
    fault = st.builds(
        Fault,
        kind=st.sampled_from(typing.get_args(HINTS["kind"])),
        path=st.sampled_from(paths),
        status=st.sampled_from([500, 429]),
        retry_after=st.just(1),
        every=st.integers(2, 9),
        times=st.integers(1, 6),
        delay_seconds=st.just(0.01),
        order_index=st.integers(0, 99),
        broken=st.sampled_from(typing.get_args(HINTS["broken"])),
    )
    return st.lists(fault, max_size=2)
