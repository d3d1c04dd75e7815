"""What pools of SQLAlchemy and engines inside BI tools see when a new version is published."""

import pytest

from tests.bi.reading import Session
from tests.warehouse.publishing import change, published
from tests.warehouse.test_publish_readers import OLD_ENGINES

FIRST, NEXT = "1250", "1251"
POOL = """
import sys
import sqlalchemy as sa

url, pool = sys.argv[1:]
options = {"poolclass": sa.pool.NullPool} if pool == "NullPool" else {}
engine = sa.create_engine(url, connect_args={"read_only": True}, **options)
net = sa.text("select net_minor from marts.revenue")
held = None
for line in sys.stdin:
    if line == "hold\\n":
        held = engine.connect()
        held.execute(net).scalar()
    elif line == "let go\\n":
        held.close()
        held = None
    elif line == "dispose\\n":
        engine.dispose()
    with engine.connect() as con:
        print(con.execute(net).scalar(), flush=True)
"""


@pytest.fixture
def publish_next(warehouse, target):
    """Publish, and return what publishes a version with other figures."""
    published(warehouse, target)

    def publish():
        change(warehouse, "insert into core.orders values ('ord_3', 1)")
        published(warehouse, target)

    return publish


@pytest.mark.parametrize("driver", ["2.1", "1.4"])
@pytest.mark.parametrize("pool", ["default", "NullPool"])
def test_the_live_door_is_fresh_with_any_pool(publish_next, target, driver, pool):
    url = f"duckdb:///{target.with_name('orders_live.duckdb')}"
    with Session(POOL, url, pool, superset=driver == "1.4") as server:
        assert server.say("hold") == FIRST
        publish_next()
        assert server.say("ask") == NEXT


@pytest.mark.parametrize("driver", ["2.1", "1.4"])
def test_the_default_pool_keeps_the_old_file_until_it_is_disposed(publish_next, target, driver):
    with Session(POOL, f"duckdb:///{target}", "default", superset=driver == "1.4") as server:
        assert server.say("ask") == FIRST
        publish_next()
        assert server.say("ask") == FIRST
        assert server.say("dispose") == NEXT


@pytest.mark.parametrize("driver", ["2.1", "1.4"])
def test_a_pool_of_none_is_fresh_unless_another_query_runs(publish_next, target, driver):
    with Session(POOL, f"duckdb:///{target}", "NullPool", superset=driver == "1.4") as server:
        assert server.say("ask") == FIRST
        publish_next()
        assert server.say("ask") == NEXT
        assert server.say("hold") == NEXT
        publish_next()
        assert server.say("ask") == NEXT
        assert int(server.say("let go")) == int(NEXT) + 1


# Tools on JDBC, ODBC or Go: the same engine, a connection held or opened anew.
TOOL = """
import sys
import duckdb

path = sys.argv[1]
held = []

def net(con):
    return con.execute("select net_minor from marts.revenue").fetchone()[0]

def tell(what):
    print(what, flush=True)
for line in sys.stdin:
    if line == "engine\\n":
        tell(duckdb.__version__)
    elif line == "open\\n":
        held.append(duckdb.connect(path, read_only=True))
        tell(net(held[-1]))
    elif line == "ask\\n":
        tell(net(held[0]))
    elif line == "close\\n":
        while held:
            held.pop().close()
        tell("closed")
    elif line == "write\\n":
        try:
            held[0].execute("create table marts.mine as select 1 as n")
            tell("written")
        except duckdb.Error as error:
            tell(str(error).replace("\\n", " "))
    elif line == "open to write\\n":
        try:
            duckdb.connect(path)
            tell("opened")
        except duckdb.Error as error:
            tell(str(error).replace("\\n", " "))
"""


@pytest.mark.parametrize("engine", OLD_ENGINES)
def test_an_engine_at_the_file_sees_the_next_version_when_all_is_closed(
    publish_next, target, engine
):
    with Session(TOOL, target, engine=engine) as tool:
        assert tool.say("engine") == engine
        assert tool.say("open") == FIRST
        assert "read-only" in tool.say("write")
        assert "different configuration" in tool.say("open to write")
        publish_next()
        assert tool.say("ask") == FIRST
        assert tool.say("open") == FIRST, "the plugin of Grafana opens anew and closes nothing"
        assert tool.say("close") == "closed"
        assert tool.say("open") == NEXT


@pytest.mark.parametrize("engine", OLD_ENGINES)
def test_an_engine_at_the_live_door_sees_it_at_once(publish_next, target, engine):
    with Session(TOOL, target.with_name("orders_live.duckdb"), engine=engine) as tool:
        assert tool.say("engine") == engine
        assert tool.say("open") == FIRST
        assert "read-only" in tool.say("write")
        publish_next()
        assert tool.say("ask") == NEXT
        assert tool.say("open") == NEXT
