"""A load that is killed at any point and run again leaves the tables of one clean load."""

import random
import subprocess
import sys
import time

import duckdb
import pytest

from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.sync import sync_account, warehouse_connection

LOAD = """
import sys
from pathlib import Path
from orders_connector.config import Settings
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sync import sync_account
settings = Settings.load(Path(sys.argv[1]))
print("ready", flush=True)
sync_account(settings, "shop").raise_unless_complete()
refresh_models(settings)
publish_warehouse(settings)
"""
# Numbers and times of the load itself differ from run to run.
OF_THE_LOAD = {"version_id", "extraction_id", "loaded_at", "first_loaded_at"}


def load(settings):
    sync_account(settings, "shop").raise_unless_complete()
    refresh_models(settings)
    publish_warehouse(settings)


def tables(settings):
    contents = {}
    with warehouse_connection(settings, read_only=True) as con:
        for name, model in load_models().items():
            columns = ", ".join(column for column in model.columns if column not in OF_THE_LOAD)
            contents[name] = con.execute(f"select {columns} from {name} order by all").fetchall()
    return contents


@pytest.mark.slow
def test_killed_loads_leave_the_tables_of_a_clean_one(start_shop, settings_for, tmp_path):
    box = start_shop(800)
    killed, clean = (settings_for(box, folder=tmp_path / name) for name in ("killed", "clean"))
    load(killed)
    load(clean)
    box.moves.weights |= {"erase": 0, "backdate": 0}
    box.moves.day()
    rng = random.Random(7)
    ended = []
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", LOAD, str(tmp_path / "killed" / "orders.toml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 1.6))
        process.kill()
        process.communicate()
        ended.append(process.returncode)
        # What readers have is whole at any time.
        with duckdb.connect(str(killed.warehouse.published), read_only=True) as con:
            assert con.execute("select count(*) from core.orders").fetchall()[0][0] >= 800
    assert -9 in ended
    load(killed)
    load(clean)
    assert tables(killed) == tables(clean)
    assert {path.name for path in killed.warehouse.path.parent.iterdir()} == {
        "orders.duckdb",
        "orders.duckdb.shop.lock",
        "published",
    }
