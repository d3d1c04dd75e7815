"""What is kept of earlier copies, how readers get one back, and the Parquet of each."""

import json
import shutil
import signal
import time
from itertools import pairwise

import duckdb
import pytest

from orders_connector.errors import PublishBlocked, WarehouseError, WarehouseLocked
from orders_connector.publishing.publish import go_back, kept_versions
from tests.warehouse.publishing import OTHERS, ask, change, others_in, published, running

GROW = "insert into core.orders values ('ord_more', 1)"


def orders(target):
    return ask(target, "select count(*) from core.orders")[0][0]


def versions(target):
    return [kept.version for kept in kept_versions(target)]


def current(target):
    return (target.parent / "exports/current").readlink().name


@pytest.fixture
def three(warehouse, target):
    """Three versions with 2, 3 and 4 orders."""
    made = [published(warehouse, target).version]
    for _ in range(2):
        change(warehouse, GROW)
        made.append(published(warehouse, target).version)
    return made


def test_a_version_is_a_folder_with_all_of_it_read_only(warehouse, target):
    done = published(warehouse, target)
    folder = target.parent / "exports" / done.version
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "manifest.json",
        "orders.duckdb",
        "marts/revenue/marts.revenue.parquet",
        "whole/marts.revenue.parquet",
        "whole/meta.coverage.parquet",
        "whole/meta.publication.parquet",
    }
    assert {(folder / file).stat().st_mode & 0o777 for file in files} == {0o444}
    assert (folder / "orders.duckdb").samefile(target)
    link = target.parent / "exports/current"
    assert (str(link.readlink()), link.resolve()) == (done.version, folder)
    assert others_in(target) == OTHERS


def test_the_manifest_says_what_the_version_is(warehouse, target):
    failing = (
        "insert into ops.failing_rows by name select now() as checked_at, 'core.orders' as model,"
        " 'odd' as check_name, 'warn' as severity"
    )
    change(warehouse, failing)
    first = published(warehouse, target)
    second = published(warehouse, target, about={"metrics": {"net": 2}, "checks": 5})
    manifest = json.loads((target.parent / "exports/current/manifest.json").read_text())
    assert manifest["version"] == second.version
    assert manifest["previous"] == first.version
    assert manifest["load_id"] == "load_1"
    assert manifest["coverage"] == {
        "voucherify/shop": [["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"]]
    }
    assert manifest["tables"] == {"core.orders": 2, "marts.revenue": 1}
    assert (manifest["metrics"], manifest["checks"]) == ({"net": 2}, 5)
    (check,) = manifest["failing_checks"]
    assert (check["model"], check["check"], check["rows"]) == ("core.orders", "odd", 1)
    assert manifest["personal_data"] == "plain"
    assert manifest["duckdb_version"] == duckdb.__version__
    # The copy carries the same, but for its own hash.
    ((version, inside),) = ask(target, "select version, manifest from meta.publication")
    assert version == second.version
    assert json.loads(inside) == {k: v for k, v in manifest.items() if k != "file"}


def test_dates_are_cut_into_months_and_nothing_is_lost(warehouse, target):
    change(
        warehouse,
        "create table marts.days as select range::date as order_date, 1 as n"
        " from range(date '2026-01-30', date '2026-03-02', interval 1 day);"
        " insert into marts.days values (null, 7);"
        " create table marts.none as select order_date, n from marts.days where false;"
        " create table marts.calendar as select order_date, 'x' as month from marts.days",
    )
    published(warehouse, target)
    marts = target.parent / "exports/current/marts"
    months = sorted(path.name for path in (marts / "days").iterdir())
    assert months == [
        f"month={month}"
        for month in ("2026-01", "2026-02", "2026-03", "__HIVE_DEFAULT_PARTITION__")
    ]
    with duckdb.connect() as con:

        def both(name, columns):
            parts = con.execute(
                f"select {columns} from read_parquet('{marts}/{name}/**/*.parquet') order by all"
            ).fetchall()
            assert parts == ask(target, f"select {columns} from marts.{name} order by all")
            return len(parts)

        assert both("days", "order_date, n") == 32
        assert both("none", "order_date, n") == 0
        assert both("calendar", "order_date, month") == 32


def test_the_last_ones_are_kept(warehouse, target):
    made = [published(warehouse, target, keep=3).version for _ in range(5)]
    assert all(a < b for a, b in pairwise(made))
    assert versions(target) == made[2:]
    assert published(warehouse, target, keep=1).version == versions(target)[0]
    assert len(versions(target)) == 1


def test_back_and_back_and_forward(three, warehouse, target):
    first, second, third = three
    assert go_back(target).version == second
    assert (orders(target), current(target)) == (3, second)
    assert [kept.is_current for kept in kept_versions(target)] == [False, True, False]
    assert go_back(target).version == first
    with pytest.raises(WarehouseError, match="no version before"):
        go_back(target)
    assert go_back(target, third).orders == orders(target) == 4
    assert target.stat().st_mode & 0o777 == 0o444
    go_back(target, second)
    change(warehouse, GROW)
    fourth = published(warehouse, target).version
    assert (orders(target), current(target)) == (5, fourth)
    # One step back is what readers had, not the one that was taken from them.
    assert go_back(target).version == second


def test_both_doors_go_back(three, target):
    live = target.with_name("orders_live.duckdb")
    go_back(target)
    for door in (target, live):
        assert ask(door, "select version from meta.publication") == [(three[1],)]
        assert ask(door, "from marts.revenue") == [(1251,)]


def test_what_readers_see_is_never_removed(three, warehouse, target):
    go_back(target, three[0])
    published(warehouse, target, keep=1)
    assert three[0] not in versions(target)
    published(warehouse, target, keep=3)
    before = versions(target)[0]
    go_back(target, before)
    assert published(warehouse, target, keep=2).version in versions(target)
    assert before in versions(target)


@pytest.mark.parametrize("version", ["20200101T000000.000Z", "current", "../.."])
def test_only_a_kept_version_can_be_shown(three, target, version):
    with pytest.raises(WarehouseError, match=f"Kept are: {three[0]}"):
        go_back(target, version)
    assert current(target) == three[-1]
    assert orders(target) == 4


def test_a_version_that_was_written_to_is_not_shown(three, target):
    file = target.parent / "exports" / three[0] / "orders.duckdb"
    file.chmod(0o644)
    with duckdb.connect(str(file)) as con:
        con.execute("insert into core.orders values ('made up', 0)")
    with pytest.raises(WarehouseError, match="not what was published"):
        go_back(target, three[0])
    assert orders(target) == 4


def test_going_back_and_publishing_do_not_meet(three, target):
    holder = running(
        """
        import sys
        from pathlib import Path
        from orders_connector.publishing.versions import only_publisher
        with only_publisher(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.readline()
        """,
        target,
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(WarehouseLocked):
        go_back(target)
    holder.communicate("\n", timeout=300)
    assert go_back(target).version == three[1]


def test_older_ones_go_first_when_they_must_not_come_back(three, warehouse, target):
    go_back(target)
    change(warehouse, "drop view marts.revenue; drop table core.orders")
    with pytest.raises(PublishBlocked):
        published(warehouse, target, forget_older=True)
    assert versions(target) == [three[1]]  # readers still have it
    change(warehouse, "create table core.orders (order_id varchar)")
    last = published(warehouse, target, forget_older=True).version
    assert versions(target) == [last]


def test_nothing_unverified_is_shown(three, warehouse, target, monkeypatch):
    def wrong(reader, tables):
        raise WarehouseError("not what was read")

    monkeypatch.setattr("orders_connector.publishing.publish.verify_copy", wrong)
    with pytest.raises(WarehouseError, match="not what was read"):
        published(warehouse, target)
    assert (versions(target), current(target)) == (three, three[-1])
    assert others_in(target) == OTHERS


def test_a_copied_folder_with_a_folder_for_the_link_heals(three, warehouse, target, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(target.parent, copied)  # follows the link
    assert not (copied / "exports/current").is_symlink()
    made = published(warehouse, copied / "orders.duckdb").version
    assert (copied / "exports/current").readlink().name == made
    moved = ask(copied / "orders_live.duckdb", "select version from meta.publication")
    assert moved == [(made,)]


def test_a_publisher_killed_anywhere_leaves_a_whole_version(warehouse, target):
    """Kills later and later after the begin of a publish, each time in a process that goes on."""
    published(warehouse, target)
    for delay in range(0, 240, 30):
        publisher = running(
            """
            import sys
            from pathlib import Path
            from orders_connector.publishing.publish import publish
            from orders_connector.warehouse.database import open_warehouse
            with open_warehouse(sys.argv[1]) as con:
                while True:
                    con.execute("insert into core.orders values ('ord', 1)")
                    publish(con, Path(sys.argv[2]))
                    print("done", flush=True)
            """,
            warehouse,
            target,
        )
        assert publisher.stdout.readline() == "done\n"
        time.sleep(delay / 1000)
        publisher.send_signal(signal.SIGKILL)
        publisher.communicate(timeout=300)
        ((count, version),) = ask(
            target, "select count(*), any_value(p.version) from core.orders, meta.publication p"
        )
        ((net, live),) = ask(
            target.with_name("orders_live.duckdb"),
            "select r.net_minor, p.version from marts.revenue r, meta.publication p",
        )
        assert live == current(target)
        assert version <= live  # the file follows the link
        manifest = json.loads((target.parent / "exports" / live / "manifest.json").read_text())
        assert net == 1248 + manifest["tables"]["core.orders"]
        published(warehouse, target)
        assert ask(target, "select version from meta.publication") == [(current(target),)]
        assert orders(target) >= count
        assert others_in(target) == OTHERS
        left = {path.name for path in (target.parent / "exports").iterdir()}
        assert left == {*versions(target), "current"}
