"""Loads of one account take turns, also between processes and after a kill."""

import subprocess
import sys

import pytest

from orders_connector.errors import WarehouseLocked
from orders_connector.turns import turn

HOLD = """
import sys, time
from pathlib import Path
from orders_connector.turns import turn
with turn(Path(sys.argv[1]), "shop", longest_wait_seconds=0):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def warehouse(tmp_path):
    return tmp_path / "data" / "orders.duckdb"


def test_the_next_load_waits_and_says_so_and_a_killed_one_holds_nobody_up(warehouse):
    said = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(WarehouseLocked, match="another load of account shop"),
            turn(warehouse, "shop", longest_wait_seconds=0.1, on_wait=lambda *w: said.append(w)),
        ):
            raise AssertionError("two at a time")
        assert said == [(0.1, "another load of shop is running")]
        with turn(warehouse, "outlet", longest_wait_seconds=0):
            pass  # another account is free
        holder.kill()
        holder.wait()
        with turn(warehouse, "shop", longest_wait_seconds=5):
            pass


def test_it_is_free_again_after_an_error(warehouse):
    for _ in range(2):
        with (
            pytest.raises(RuntimeError, match="broken"),
            turn(warehouse, "shop", longest_wait_seconds=0),
        ):
            raise RuntimeError("broken")
