"""A load that is killed at any point and run again leaves the tables of one clean load."""

import random
import subprocess
import sys
import time
from datetime import UTC, datetime

import duckdb
import pytest

from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.sandbox.voucherify import Switches
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, sync_account
from orders_connector.warehouse.configured import warehouse_connection

LOAD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from orders_connector.config import Settings
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, sync_account
async def nap(seconds):
    await asyncio.sleep(min(seconds, 0.02))
settings = Settings.load(Path(sys.argv[1]))
print("ready", flush=True)
if sys.argv[2] == "backfill":
    everything = Window(datetime(2020, 1, 1, tzinfo=UTC))
    backfill_account(settings, "shop", everything, sleep=nap).raise_unless_complete()
else:
    sync_account(settings, "shop", sleep=nap).raise_unless_complete()
refresh_models(settings)
publish_warehouse(settings)
"""
# Numbers and times of the load itself differ from run to run.
OF_THE_LOAD = {"version_id", "extraction_id", "loaded_at", "first_loaded_at"}
EVERYTHING = Window(datetime(2020, 1, 1, tzinfo=UTC))


async def no_pause(_):
    pass


def load(settings):
    sync_account(settings, "shop", sleep=no_pause).raise_unless_complete()
    refresh_models(settings)
    publish_warehouse(settings)


def tables(settings):
    contents = {}
    with warehouse_connection(settings, read_only=True) as con:
        for name, model in load_models().items():
            columns = ", ".join(column for column in model.columns if column not in OF_THE_LOAD)
            contents[name] = con.execute(f"select {columns} from {name} order by all").fetchall()
    return contents


def kill_loads(settings_file, what, times, longest):
    """Start loads and kill each after a random time; return their exit codes."""
    rng, ended = random.Random(7), []
    for _ in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", LOAD, str(settings_file), what],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, longest))
            process.kill()
        ended.append(process.returncode)
    return ended


def left_over(settings):
    return {path.name for path in settings.warehouse.path.parent.iterdir()}


CLEAN = {"orders.duckdb", "orders.duckdb.shop.lock", "published"}


@pytest.mark.slow
def test_killed_nightly_loads_leave_the_tables_of_a_clean_one(start_shop, settings_for, tmp_path):
    box = start_shop(800)
    killed, clean = (settings_for(box, folder=tmp_path / name) for name in ("killed", "clean"))
    load(killed)
    load(clean)
    box.moves.weights |= {"erase": 0, "backdate": 0}
    ended = []
    for _ in range(3):
        box.moves.day()
        ended += kill_loads(tmp_path / "killed" / "orders.toml", "sync", 8, 0.8)
        # What readers have is whole at any time.
        with duckdb.connect(str(killed.warehouse.published), read_only=True) as con:
            assert con.execute("select count(*) from core.orders").fetchall()[0][0] >= 800
        # Whoever comes later sees only the states that are left, so both load once a day.
        load(killed)
        load(clean)
    assert ended.count(-9) >= 8
    assert tables(killed) == tables(clean)
    assert left_over(killed) == CLEAN


@pytest.mark.slow
def test_killed_backfills_go_on_where_they_were(start_shop, settings_for, tmp_path):
    """Three times the listing's reach: walks, exports of several files, items, all cut short."""
    box = start_shop(900, switches=Switches(listing_pages=3, export_row_limit=400))
    killed, clean = (settings_for(box, folder=tmp_path / name) for name in ("killed", "clean"))
    backfill_account(clean, "shop", EVERYTHING, sleep=no_pause).raise_unless_complete()
    refresh_models(clean)
    ended = kill_loads(tmp_path / "killed" / "orders.toml", "backfill", 26, 2.0)
    assert ended.count(-9) >= 8
    last = backfill_account(killed, "shop", EVERYTHING, sleep=no_pause)
    assert (last.status, last.hydrated.awaiting) == ("complete", 0)
    refresh_models(killed)
    assert tables(killed) == tables(clean)
    assert left_over(killed) <= CLEAN
