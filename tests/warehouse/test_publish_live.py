"""The second door: views over the Parquet of what is current, for connections that stay open."""

import os

import duckdb
import pytest

from orders_connector.load import publish_warehouse
from orders_connector.modeling.model import load_models
from orders_connector.publishing.publish import go_back
from tests.warehouse.publishing import ask, change, published, running


@pytest.fixture
def live(target):
    return target.with_name("orders_live.duckdb")


def test_it_has_views_alone_with_names_and_comments_of_the_copy(warehouse, target, live):
    published(warehouse, target)
    views = ask(live, "select table_schema, table_name, table_type from information_schema.tables")
    assert sorted(views) == [
        ("marts", "revenue", "VIEW"),
        ("meta", "coverage", "VIEW"),
        ("meta", "publication", "VIEW"),
    ]
    assert ask(live, "select comment from duckdb_views() where view_name = 'revenue'") == [
        ("All of it.",)
    ]
    comments = (
        "select column_name, comment from duckdb_columns() where schema_name in ('marts', 'meta')"
        " order by schema_name, table_name, column_index"
    )
    assert ask(live, comments) == ask(target, comments)
    assert live.stat().st_mode & 0o777 == 0o444
    ((tags,),) = ask(live, "select tags from duckdb_databases() where not internal")
    assert tags["storage_version"].startswith("v1.4.0")


def test_it_shows_what_the_copy_shows(settings_for, start_shop):
    """All marts, of a real load: the same columns, types and rows."""
    from orders_connector.load import refresh_models
    from orders_connector.sync import sync_account

    settings = settings_for(start_shop(30))
    sync_account(settings, "shop").raise_unless_complete()
    refresh_models(settings)
    done = publish_warehouse(settings)
    names = [name for name in load_models() if name.startswith("marts.")]
    with (
        duckdb.connect(str(done.path), read_only=True) as copy,
        duckdb.connect(str(done.live), read_only=True) as live,
    ):
        for name in [*names, "meta.publication", "meta.coverage"]:
            described, rows = f"describe {name}", f"from {name} order by all"
            columns = [
                [row[:2] for row in con.execute(described).fetchall()] for con in (copy, live)
            ]
            assert columns[0] == columns[1], name
            assert copy.execute(rows).fetchall() == live.execute(rows).fetchall(), name


def test_a_connection_held_open_sees_the_next_version(warehouse, target, live, tmp_path):
    published(warehouse, target)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    reader = running(
        """
        import duckdb, sys
        con = duckdb.connect(sys.argv[1], read_only=True)
        for _ in sys.stdin:
            print(con.execute("select net_minor from marts.revenue").fetchone()[0], flush=True)
        """,
        live,
        cwd=elsewhere,  # a server starts anywhere
    )

    def seen():
        reader.stdin.write("look\n")
        reader.stdin.flush()
        return reader.stdout.readline()

    assert seen() == "1250\n"
    for net in (1251, 1252):
        change(warehouse, "insert into core.orders values ('ord', 1)")
        published(warehouse, target)
        assert seen() == f"{net}\n"
    go_back(target)
    assert seen() == "1251\n"
    reader.communicate(timeout=300)
    assert reader.returncode == 0


def test_the_file_is_left_alone_while_the_columns_are_the_same(warehouse, target, live):
    published(warehouse, target)
    before = live.stat()
    published(warehouse, target)
    after = live.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    change(warehouse, "comment on column marts.revenue.net_minor is 'Another meaning.'")
    published(warehouse, target)
    assert live.stat().st_ino != before.st_ino
    live.unlink()
    live.write_text("something else")
    published(warehouse, target)
    assert ask(live, "from marts.revenue") == [(1250,)]


def test_a_new_column_disturbs_no_connection_and_is_there_for_the_next(warehouse, target, live):
    published(warehouse, target)
    with duckdb.connect(str(live), read_only=True) as held:
        change(
            warehouse,
            "create or replace view marts.revenue as"
            " select 1 as orders, sum(net_minor) as net_minor from core.orders",
        )
        published(warehouse, target)
        assert held.execute("from marts.revenue").fetchall() == [(1250,)]
    assert ask(live, "from marts.revenue") == [(1, 1250)]


def test_large_whole_numbers_stay_exact(warehouse, target, live):
    change(warehouse, "create table marts.sums as select sum(9007199254740993) as minor, 1 as n")
    published(warehouse, target)
    for door in (target, live):
        assert ask(door, "select minor, typeof(minor) from marts.sums") == [
            (9007199254740993, "HUGEINT")
        ]
    parquet = target.parent / "exports/current/marts/sums/*.parquet"
    with duckdb.connect() as con:
        assert con.execute(f"select minor from '{parquet}'").fetchall() == [(9007199254740993,)]


def test_a_name_with_a_quote_is_no_way_in(tmp_path, warehouse):
    target = tmp_path / "o'hara's" / "o'rders.duckdb"
    published(warehouse, target)
    assert ask(target, "from marts.revenue") == [(1250,)]
    assert ask(target.with_name("o'rders_live.duckdb"), "from marts.revenue") == [(1250,)]


def test_a_relative_place_is_made_absolute(warehouse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    published(warehouse, type(tmp_path)("here/orders.duckdb"))
    monkeypatch.chdir(os.sep)
    assert ask(tmp_path / "here/orders_live.duckdb", "from marts.revenue") == [(1250,)]
