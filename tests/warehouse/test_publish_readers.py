"""Readers in other processes, at full speed, while loads and publishes go on; and older engines."""

import json
import os
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest

from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.publishing.publish import publish
from orders_connector.sync import sync_account
from orders_connector.warehouse.database import open_warehouse, transaction
from tests.warehouse.publishing import ask, running

PUBLISHES = 100
OLD_ENGINES = ("1.4.4", "1.5.6")
ROOT = Path(__file__).parents[2]

# Both tables have n rows of the value n after load n, and the manifest says n.
READER = """
import json, sys
from pathlib import Path
import duckdb

path, way, stop = sys.argv[1], sys.argv[2], Path(sys.argv[3])
QUERIES = (
    "select json_extract_string(metadata, '$.n')::int from meta.publication",
    "select min(n), max(n), count(*) from marts.one",
    "select min(n), max(n), count(*) from marts.two",
)

def read(con):
    con.execute("begin transaction read only")
    rows = [con.execute(query).fetchone() for query in QUERIES]
    con.execute("commit")
    return rows

reads, wrong, seen, held = 0, [], set(), None
print("ready", flush=True)
while not stop.exists():
    try:
        if way == "held":
            held = held or duckdb.connect(path, read_only=True)
            (n,), *tables = read(held)
            # Each table is one version's; the next statement may find the next version.
            whole = all(low == high == rows for low, high, rows in tables)
        else:
            with duckdb.connect(path, read_only=True) as con:
                (n,), *tables = read(con)
            whole = all(table == (n, n, n) for table in tables)
        reads += 1
        seen.add(n)
        if not whole:
            wrong.append(f"{n}: {tables}")
    except Exception as error:
        wrong.append(repr(error)[:300])
        held = None
print(json.dumps({"reads": reads, "wrong": wrong[:5], "seen": sorted(seen)}))
"""


def load_and_publish(con, target, n):
    with transaction(con):
        for table in ("marts.one", "marts.two"):
            con.execute(f"create or replace table {table} as select {n} as n from range({n})")
    publish(con, target, about={"metadata": {"n": n}})


@pytest.mark.slow
def test_readers_at_full_speed_see_whole_versions_and_stop_no_load(tmp_path):
    warehouse, target = tmp_path / "orders.duckdb", tmp_path / "published/orders.duckdb"
    live, stop = target.with_name("orders_live.duckdb"), tmp_path / "stop"
    with ExitStack() as stack:
        con = stack.enter_context(open_warehouse(warehouse))
        load_and_publish(con, target, 1)
        readers = {
            way: stack.enter_context(running(READER, door, way, stop))
            for way, door in (("file", target), ("held", live))
        }
        for reader in readers.values():
            assert reader.stdout.readline() == "ready\n"
        for n in range(2, PUBLISHES + 1):
            load_and_publish(con, target, n)
        stop.touch()
        told = {
            way: json.loads(reader.communicate(timeout=300)[0]) for way, reader in readers.items()
        }
    for way, found in told.items():
        assert found["wrong"] == [], way
        assert found["reads"] >= PUBLISHES, way
        assert len(found["seen"]) >= PUBLISHES / 4, way
    assert ask(target, "select count(*) from marts.one") == [(PUBLISHES,)]


def old_engine(version):
    """Return the folder of an older DuckDB; skips the test where there is none."""
    folder = ROOT / f".venv-bi/duckdb-{version}"
    if not (folder / ".installed").exists():
        pytest.skip(f"DuckDB {version} is not in .venv-bi: run `make old-engines`")
    return folder


@pytest.mark.parametrize("version", OLD_ENGINES)
def test_an_older_engine_reads_both_doors(version, settings_for, start_shop):
    engine = old_engine(version)
    settings = settings_for(start_shop(30))
    sync_account(settings, "shop").raise_unless_complete()
    refresh_models(settings)
    done = publish_warehouse(settings)
    program = """
    import json, sys, duckdb
    found = {}
    for path in sys.argv[1:]:
        with duckdb.connect(path, read_only=True) as con:
            names = con.execute(
                "select table_schema || '.' || table_name from information_schema.tables"
            ).fetchall()
            read_whole = "select count(*), max(to_json(t)::varchar) from {} t"
            found[path] = {n: con.execute(read_whole.format(n)).fetchone()[0] for (n,) in names}
            evening = "core.orders_as_of('2030-01-01T00:00:00Z')"
            if "core.orders" in found[path]:
                found["evening"] = con.execute(f"select count(*) from {evening}").fetchone()[0]
    print(json.dumps({"engine": duckdb.__version__, "found": found}))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(done.path), str(done.live)],
        env=os.environ | {"PYTHONPATH": str(engine)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["engine"] == version
    assert told["found"][str(done.path)] == done.tables
    assert told["found"]["evening"] == done.tables["core.orders"]
    live = {name: rows for name, rows in done.tables.items() if not name.startswith("core.")}
    assert told["found"][str(done.live)] == live
