"""All sources in one warehouse: models are what a rebuild gives, and readers see whole states."""

import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.warehouse.configured import warehouse_connection
from tests.invariants.every_source import NIGHTS
from tests.invariants.nights import open_nights

STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(NIGHTS)),
        st.sampled_from(["sync", "sync", "reconcile"]),
        st.integers(0, 12),
        st.booleans(),
    ),
    min_size=2,
    max_size=6,
)


def tables(settings):
    with warehouse_connection(settings, read_only=True) as con:
        return {
            name: con.execute(f"from {name} order by all").fetchall()
            for name, model in load_models().items()
            if not model.tells_of_runs
        }


@pytest.mark.slow
@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 50), steps=STEPS)
def test_every_model_equals_a_rebuild_after_any_loads(tmp_path_factory, monkeypatch, seed, steps):
    with ExitStack() as stack:
        nights = {
            name: kind(stack.enter_context(kind.sandbox(25, seed + number)))
            for number, (name, kind) in enumerate(NIGHTS.items())
        }
        warehouse = open_nights(nights.values(), tmp_path_factory.mktemp("all"), monkeypatch)
        for source, verb, moves, refreshed in steps:
            night = nights[source]
            night.box.clock.advance(timedelta(hours=1))
            night.box.moves.some(moves)
            getattr(night, verb)()
            if refreshed:
                refresh_models(warehouse)
        refresh_models(warehouse)
        by_slices = tables(warehouse)
        refresh_models(warehouse, full=True)
        rebuilt = tables(warehouse)
        assert [name for name in rebuilt if rebuilt[name] != by_slices[name]] == []


# What a whole state shows: the orders of each account, once in core and once in the marts.
SHOWN = """
    select o.account, o.orders, m.orders
    from (
        select account, count(*) as orders from core.orders
        where not is_deleted and not is_test group by account
    ) as o
    full join (
        select account, sum(orders)::bigint as orders from marts.daily_status group by account
    ) as m on m.account = o.account
    order by 1
"""


# In a process of its own: within one, DuckDB hands out the copy that is open already.
READER = """
import json, sys, duckdb
print("ready", flush=True)
while True:
    with duckdb.connect(sys.argv[1], read_only=True) as con:
        print(json.dumps(con.execute(sys.argv[2]).fetchall()), flush=True)
"""


def test_readers_see_one_state_of_all_sources_while_loads_run(tmp_path, monkeypatch):
    states, seen_file = [], tmp_path / "seen.jsonl"
    with ExitStack() as stack:
        nights = [kind(stack.enter_context(kind.sandbox(40))) for kind in NIGHTS.values()]
        warehouse = open_nights(nights, tmp_path, monkeypatch)
        published = warehouse.warehouse.published

        def night():
            for one in nights:
                one.sync()
            refresh_models(warehouse)
            publish_warehouse(warehouse)
            with duckdb.connect(str(published), read_only=True) as con:
                states.append([list(row) for row in con.execute(SHOWN).fetchall()])

        night()
        seen = stack.enter_context(seen_file.open("w"))
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(published), SHOWN], stdout=seen
        )
        try:
            for _ in range(2):
                for one in nights:
                    for _ in range(8):
                        one.box.moves.make("create")
                    one.tick()
                night()
        finally:
            reader.kill()
            reader.wait()
    for state in states:
        assert [row[0] for row in state] == sorted(one.account for one in nights)
        assert all(in_core == in_marts for _, in_core, in_marts in state)
    assert len({str(state) for state in states}) == 3
    # The last line may be cut off.
    ready, *lines = seen_file.read_text().splitlines()[:-1]
    order = [states.index(json.loads(line)) for line in lines]  # nothing in between was seen
    assert (ready, order) == ("ready", sorted(order))
    assert len(order) > 3
