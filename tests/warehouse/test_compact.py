"""The rewritten warehouse holds the same tables and none of the deleted bytes."""

import resource
import subprocess
import sys

import duckdb
import pytest

from orders_connector.config import Settings
from orders_connector.errors import DiskFull, WarehouseLocked
from orders_connector.warehouse.compact import CATALOG, rewrite_warehouse
from orders_connector.warehouse.configured import warehouse_connection

SECRET = "JaneDoeJaneDoeJaneDoe"


@pytest.fixture
def settings(tmp_path):
    """Settings of a warehouse with a table, a view over it, and a deleted row."""
    file = tmp_path / "orders.toml"
    file.write_text(
        "[warehouse]\nlock_timeout_seconds = 0\n[accounts.shop]\nsource = 'voucherify'\n"
        "currency = 'EUR'\ntime_zone = 'UTC'\nhistory_start = 2026-01-01\nregion = 'eu'\n"
    )
    settings = Settings.load(file)
    with warehouse_connection(settings) as con:
        con.execute(
            f"""
            create table core.orders (order_id varchar, net decimal(38, 3), payload json);
            insert into core.orders select 'ord_' || range, range, '{{"n": 1}}' from range(5000);
            insert into core.orders values ('{SECRET}', 1, null);
            comment on table core.orders is 'The shop''s orders.';
            comment on column core.orders.net is 'What is left.';
            create view marts.revenue as select sum(net) as net from core.orders;
            comment on view marts.revenue is 'All of it.';
            comment on column marts.revenue.net is 'Sum.';
            """
        )
    with warehouse_connection(settings) as con:
        con.execute("delete from core.orders where payload is null")
    return settings


def state(settings):
    with warehouse_connection(settings, read_only=True) as con:
        return (
            con.execute(CATALOG, {"database": "orders"}).fetchall(),
            con.execute("from core.orders").fetchall(),
            con.execute("from marts.revenue").fetchall(),
            con.execute("select tags from duckdb_databases() where not internal").fetchall(),
        )


def names(settings):
    return sorted(path.name for path in settings.warehouse.path.parent.iterdir())


def test_the_same_tables_without_the_deleted_bytes(settings):
    path, before = settings.warehouse.path, state(settings)
    assert "Sum." in str(before[0])
    assert SECRET.encode() in path.read_bytes()
    rewrite_warehouse(settings)
    assert state(settings) == before
    assert SECRET.encode() not in path.read_bytes()
    assert names(settings) == ["orders.duckdb"]


def test_it_goes_on_being_a_warehouse_with_the_same_rights(settings):
    settings.warehouse.path.chmod(0o600)
    rewrite_warehouse(settings)
    assert settings.warehouse.path.stat().st_mode & 0o777 == 0o600
    with warehouse_connection(settings) as con:
        con.execute("insert into core.orders values ('ord_new', 2, null)")
    assert len(state(settings)[1]) == 5001


def test_what_a_killed_writer_committed_is_in_the_copy(settings):
    code = (
        "import duckdb, os, sys; con = duckdb.connect(sys.argv[1]);"
        "con.execute(\"insert into core.orders values ('ord_new', 2, null)\");"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(settings.warehouse.path)], check=False)
    assert "orders.duckdb.wal" in names(settings)
    rewrite_warehouse(settings)
    assert names(settings) == ["orders.duckdb"]
    assert len(state(settings)[1]) == 5001


def test_leftovers_of_the_dead_are_removed(settings):
    folder = settings.warehouse.path.parent
    (folder / ".orders.duckdb.1.tmp").write_text(SECRET)
    (folder / "orders.duckdb.tmp").mkdir()
    (folder / "orders.duckdb.tmp" / "spilled").write_text(SECRET)
    rewrite_warehouse(settings)
    assert names(settings) == ["orders.duckdb"]


def test_a_link_stays_a_link(settings, tmp_path):
    path = settings.warehouse.path
    path.rename(tmp_path / "elsewhere.duckdb")
    path.symlink_to(tmp_path / "elsewhere.duckdb")
    rewrite_warehouse(settings)
    assert path.is_symlink()
    assert SECRET.encode() not in path.read_bytes()


def test_without_room_the_old_file_stays(settings):
    before = state(settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(DiskFull, match="as it was"):
            rewrite_warehouse(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert state(settings) == before
    assert names(settings) == ["orders.duckdb"]
    rewrite_warehouse(settings)
    assert state(settings) == before


def test_it_waits_for_who_holds_the_file(settings):
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.warehouse.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(WarehouseLocked):
        rewrite_warehouse(settings)
    holder.communicate("\n", timeout=300)
    rewrite_warehouse(settings)


def test_who_opens_the_file_at_once_finds_the_new_one(settings):
    with duckdb.connect(str(settings.warehouse.path), read_only=True) as con:
        assert con.execute("select count(*) from core.orders").fetchall() == [(5000,)]
    rewrite_warehouse(settings)
    with duckdb.connect(str(settings.warehouse.path)) as con:
        con.execute("delete from core.orders")
    assert state(settings)[1] == []
