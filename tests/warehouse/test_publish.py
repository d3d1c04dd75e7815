"""Readers in other processes are real processes here: locks are per process."""

import json
import os
import resource
import signal
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from orders_connector.errors import DiskFull, PublishBlocked, WarehouseLocked
from orders_connector.publishing.publish import publish
from orders_connector.warehouse.database import open_warehouse
from tests.warehouse.publishing import OTHERS, ask, others_in, published, running


def test_copies_models_only_and_makes_views_solid(warehouse, target):
    result = published(warehouse, target)
    assert result.tables == {
        "core.orders": 2,
        "marts.revenue": 1,
        "meta.coverage": 1,
        "meta.publication": 1,
    }
    assert result.bytes == target.stat().st_size
    tables = ask(
        target,
        "select table_schema || '.' || table_name, table_type from information_schema.tables",
    )
    assert dict(tables) == dict.fromkeys(result.tables, "BASE TABLE")
    assert ask(target, "from marts.revenue") == [(1250,)]
    assert b"jane@example.com" not in target.read_bytes()


def test_replays_comments(warehouse, target):
    published(warehouse, target)
    tables = dict(ask(target, "select table_name, comment from duckdb_tables()"))
    columns = dict(
        ask(target, "select table_name || '.' || column_name, comment from duckdb_columns()")
    )
    assert tables["orders"] == "The shop's orders."
    assert tables["revenue"] == "All of it."
    assert columns["orders.net_minor"] == "What is left to pay."
    assert columns["revenue.net_minor"] == "Sum."
    assert columns["orders.order_id"] is None
    assert all(tables[name] for name in ("publication", "coverage"))


def test_says_how_fresh_it_is(warehouse, target):
    before = datetime.now(UTC)
    published(warehouse, target, about={"metadata": {"run_id": "abc"}})
    ((published_at, load, through, storage, driver, metadata),) = ask(
        target,
        "select published_at, load_id, data_through, storage_version, duckdb_version, metadata"
        " from meta.publication",
    )
    assert before <= published_at <= datetime.now(UTC)
    assert (load, storage, driver) == ("load_1", "v1.4.0", duckdb.__version__)
    assert through == datetime(2026, 3, 1, tzinfo=UTC)
    assert json.loads(metadata) == {"run_id": "abc"}
    assert ask(target, "select covered_from, covered_to from meta.coverage") == [
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    ]


def test_claims_no_freshness_while_an_account_has_none(warehouse, target):
    with open_warehouse(warehouse) as con:
        con.execute("insert into ops.accounts (source, account) values ('voucherify', 'new')")
    published(warehouse, target)
    assert ask(target, "select data_through from meta.publication") == [(None,)]


def test_writes_the_storage_version_asked_for(warehouse, target):
    published(warehouse, target, storage_version="v1.2.0")
    ((tags,),) = ask(target, "select tags from duckdb_databases() where not internal")
    assert tags["storage_version"].startswith("v1.2.0")


def test_file_is_read_only(warehouse, target):
    published(warehouse, target)
    assert target.stat().st_mode & 0o777 == 0o444
    assert others_in(target) == OTHERS
    with duckdb.connect(str(target), read_only=True) as con, pytest.raises(duckdb.Error):
        con.execute("delete from core.orders")


def test_reader_in_another_process_is_not_disturbed(warehouse, target):
    published(warehouse, target)
    reader = running(
        """
        import duckdb, sys
        con = duckdb.connect(sys.argv[1], read_only=True)
        def ask():
            print(con.execute("select count(*) from core.orders").fetchone()[0], flush=True)
        ask()
        sys.stdin.readline()
        ask()
        """,
        target,
    )
    assert reader.stdout.readline() == "2\n"
    # The load goes ahead while the reader holds the file, and so does the next publish.
    with open_warehouse(warehouse, lock_timeout_seconds=0) as con:
        con.execute("insert into core.orders values ('ord_3', 1)")
        publish(con, target)
    assert ask(target, "select count(*) from core.orders") == [(3,)]
    output, _ = reader.communicate("go on\n", timeout=300)
    assert (output, reader.returncode) == ("2\n", 0)


def test_a_log_left_beside_the_old_copy_does_not_reach_the_new_one(warehouse, target):
    published(warehouse, target)
    target.chmod(0o644)
    vandal = running(
        """
        import duckdb, os, sys
        con = duckdb.connect(sys.argv[1])
        con.execute("insert into core.orders values ('made up', 0)")
        os.kill(os.getpid(), 9)
        """,
        target,
    )
    vandal.communicate(timeout=300)
    assert target.with_name("orders.duckdb.wal").exists()
    published(warehouse, target)
    assert ask(target, "select count(*) from core.orders") == [(2,)]
    assert others_in(target) == OTHERS


def test_killed_publish_leaves_the_old_copy_and_the_next_one_cleans_up(warehouse, target):
    published(warehouse, target)
    with open_warehouse(warehouse) as con:
        con.execute(
            "insert into core.orders select 'ord_' || range, hash(range) >> 8 from range(3_000_000)"
        )
    publisher = running(
        """
        import sys
        from pathlib import Path
        from orders_connector.warehouse.database import open_warehouse
        from orders_connector.publishing.publish import publish
        with open_warehouse(sys.argv[1]) as con:
            publish(con, Path(sys.argv[2]))
        """,
        warehouse,
        target,
    )
    kept = {path.name for path in (target.parent / "exports").iterdir()}
    while not (drafts := list(target.parent.glob("exports/.*.tmp/*.duckdb"))):
        assert publisher.poll() is None
        time.sleep(0.001)
    publisher.send_signal(signal.SIGKILL)
    publisher.communicate(timeout=300)
    assert drafts[0].exists()
    assert ask(target, "select count(*) from core.orders") == [(2,)]
    with open_warehouse(warehouse) as con:
        con.execute("delete from core.orders where net_minor > 1000")
    published(warehouse, target)
    assert others_in(target) == OTHERS
    now = {path.name for path in (target.parent / "exports").iterdir()}
    assert (len(now), len(now - kept)) == (len(kept) + 1, 1)


def test_no_room_keeps_the_old_copy(warehouse, target):
    published(warehouse, target)
    with open_warehouse(warehouse) as con:
        con.execute(
            "insert into core.orders select 'ord_' || range, hash(range) >> 8 from range(1_000_000)"
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_warehouse(warehouse) as con:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
            with pytest.raises(DiskFull, match="Readers keep the old file"):
                publish(con, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ask(target, "select count(*) from core.orders") == [(2,)]
    assert others_in(target) == OTHERS
    published(warehouse, target)
    assert ask(target, "select count(*) from core.orders") == [(1_000_002,)]


def test_two_publishers_do_not_meet(warehouse, target):
    published(warehouse, target)
    holder = running(
        """
        import fcntl, sys
        with open(sys.argv[1], "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            print("held", flush=True)
            sys.stdin.readline()
        """,
        target.with_name(".orders.duckdb.lock"),
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(WarehouseLocked, match="publishing"):
        published(warehouse, target)
    holder.communicate("\n", timeout=300)
    assert published(warehouse, target).tables["core.orders"] == 2


def test_nothing_to_publish(tmp_path, target):
    with pytest.raises(PublishBlocked, match="refresh"):
        published(tmp_path / "empty.duckdb", target)
    assert not target.exists()


@pytest.fixture
def as_a_user():
    """Be somebody who is not root: root may write to read-only files."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def open_folder():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_readers_may_open_the_copy_and_not_write_to_it(warehouse, open_folder, request):
    copy = open_folder / "orders.duckdb"
    published(warehouse, copy)
    request.getfixturevalue("as_a_user")
    with duckdb.connect(str(copy), read_only=True) as reader:
        assert reader.execute("select count(*) from core.orders").fetchall() == [(2,)]
    with pytest.raises(duckdb.IOException, match="Permission denied"):
        duckdb.connect(str(copy))


def test_a_view_may_stay_a_view(warehouse, target):
    select = "select order_id, net_minor from core.orders where net_minor > 500"
    with open_warehouse(warehouse) as con:
        con.execute(f"create view marts.large as {select}")
        con.execute("comment on view marts.large is 'Large ones.'")
        con.execute("comment on column marts.large.order_id is 'Its id.'")
        done = publish(con, target, views={"marts.large": select})
    warehouse.unlink()  # the copy needs nothing of it
    assert done.tables["marts.large"] == 1
    assert ask(target, "from marts.large") == [("ord_1", 1000)]
    assert ask(target, "select view_name, comment from duckdb_views() where not internal") == [
        ("large", "Large ones.")
    ]
    commented = (
        "select comment from duckdb_columns() where table_name = 'large' and column_index = 1"
    )
    assert ask(target, commented) == [("Its id.",)]
