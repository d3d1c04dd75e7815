"""docs/bi.md, the notebook and reflection: what is written is run, on one published copy."""

import csv
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import cookbook
from tests.bi.reading import LIBRARIES, ROOT, at, blocks, finished, installed, python, run

NOTEBOOK = ROOT / "examples/cookbook_notebook.py"
MARTS = "select table_name from information_schema.tables where table_schema = 'marts'"
TOTALS = (
    "select count(*), sum(orders_recognised)::bigint, sum(net_revenue_minor)::bigint"
    " from marts.daily_revenue"
)


@pytest.fixture
def copy(shops):
    with cookbook.open_copy(shops) as con:
        yield con


# --- blocks of Python -----------------------------------------------------------------------

# After a block of the page: what it has, as rows, orders, and net revenue with its type.
LOOK = {
    "orders": "print(json.dumps(int(orders)))",
    "pandas": """
total = days.net_revenue_minor.sum()
print(json.dumps([len(days), int(days.orders_recognised.sum()), int(total)]))
assert "int64" in str(days.net_revenue_minor.dtype).lower(), days.net_revenue_minor.dtype
""",
    "polars": """
total = days["net_revenue_minor"].sum()
print(json.dumps([len(days), days["orders_recognised"].sum(), total]))
assert str(days["net_revenue_minor"].dtype) == "Int64"
""",
    "ibis": """
totals = [days.count(), days.orders_recognised.sum(), days.net_revenue_minor.sum()]
print(json.dumps([int(total.execute()) for total in totals]))
assert str(days.net_revenue_minor.type()) == "int64"
""",
}
PYTHON = blocks("python")


def library(code):
    if ".df()" in code or "import pandas" in code:
        return "pandas"
    if ".pl()" in code or "import polars" in code:
        return "polars"
    return "ibis" if "import ibis" in code else "orders"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=f"{number}-{library(code)}")
        for number, (_, code) in enumerate(PYTHON, start=1)
    ],
)
def test_python_on_the_page_reads_what_is_published(shops, copy, code):
    found = json.loads(run(f"import json\n{at(shops, code)}\n{LOOK[library(code)]}"))
    rows, orders, net = copy.execute(TOTALS).fetchone()
    assert net > 0
    assert found == (orders if library(code) == "orders" else [rows, orders, net])


def test_the_page_has_each_library_at_both_doors():
    doors = {(library(code), "exports/current" in code) for _, code in PYTHON}
    each = {(name, parquet) for name in ("pandas", "polars", "ibis") for parquet in (True, False)}
    assert doors == each | {("orders", False)}


def test_amounts_become_floats_where_the_page_says_so(shops):
    told = run(
        """
        import sys, duckdb, pandas
        with duckdb.connect(sys.argv[1], read_only=True) as con:
            for cast in ("", "::bigint"):
                sql = f"select sum(net_revenue_minor){cast} as net from marts.daily_revenue"
                print(con.execute(sql).df().net.dtype, con.execute(sql).pl()["net"].dtype)
        file = f"{sys.argv[2]}/whole/marts.daily_revenue.parquet"
        print(pandas.read_parquet(file).net_revenue_minor.dtype)
        """,
        shops,
        (shops.parent / "exports/current").resolve(),
    )
    assert told.splitlines() == [
        "float64 Decimal(precision=38, scale=0)",
        "int64 Int64",
        "float64",
    ]


# --- blocks of shell ------------------------------------------------------------------------


def shell(published, code, folder):
    """Run a block with the commands of both environments, and the shops' configuration."""
    path = [Path(sys.executable).parent, LIBRARIES / "bin", os.environ["PATH"]]
    env = os.environ | {
        "PATH": os.pathsep.join(map(str, path)),
        "ORDERS_CONFIG": str(published.parents[2] / "orders.toml"),
    }
    return finished(["sh", "-ec", code], cwd=folder, env=env)


def text_of(copy, sql):
    cursor = copy.execute(sql)
    names = [name for name, *_ in cursor.description]
    rows = [["" if value is None else str(value) for value in row] for row in cursor.fetchall()]
    return [names, *rows]


EXCEL = [code for heading, code in blocks("sh") if heading == "Excel"]


@pytest.mark.parametrize(
    ("code", "marked"),
    list(zip(EXCEL, [False, True], strict=True)),
    ids=["imported", "double-clicked"],
)
def test_the_csv_for_excel_is_what_the_page_says(shops, copy, tmp_path, code, marked):
    shell(shops, code, tmp_path)
    (file,) = tmp_path.iterdir()
    raw = file.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == marked
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    assert rows == text_of(copy, code.split('"')[1])
    assert len(rows) > 5
    assert b"\r" not in raw


def test_values_in_the_csv_are_written_as_the_page_says(shops, tmp_path):
    sql = (
        "select 'Łódź' as city, date '2026-07-31' as day, 12345.60::decimal(18, 2) as net,"
        " null as unknown, true as yes, '007' as id,"
        " timestamptz '2026-07-31 22:00:00+00' as moment,"
        " (timestamptz '2026-07-31 22:00:00+00')::timestamp as utc"
    )
    told = shell(shops, f'orders-connector query --format csv "{sql}" > values.csv', tmp_path)
    assert told == ""
    assert (tmp_path / "values.csv").read_text(encoding="utf-8").splitlines()[1] == (
        "Łódź,2026-07-31,12345.60,,True,007,2026-07-31 22:00:00+00:00,2026-07-31 22:00:00"
    )


COMMAND = [code for heading, code in blocks("sh") if heading == "Command line"]


def test_the_command_line_on_the_page_reads_and_cannot_write(shops, copy, tmp_path):
    installed(LIBRARIES)
    (code,) = COMMAND
    ((last,),) = copy.execute("select max(order_date) from marts.daily_revenue").fetchall()
    assert str(last) in shell(shops, at(shops, code), tmp_path)
    writing = [LIBRARIES / "bin/duckdb", "-readonly", shops, "create table t as select 1"]
    ran = subprocess.run(writing, capture_output=True, text=True, timeout=300)
    assert ran.returncode != 0
    assert "read-only" in ran.stderr


# --- notebook -------------------------------------------------------------------------------


class Told:
    """Rows of another process, for the page's own way to write an answer."""

    def __init__(self, rows):
        self.description = [(name,) for name in rows[0]]
        self._rows = [tuple(row.values()) for row in rows]

    def execute(self, sql):
        return self

    def fetchall(self):
        return self._rows


@pytest.fixture(scope="session")
def answers(shops, tmp_path_factory):
    """What the notebook found, run from its first cell to its last."""
    pickled = tmp_path_factory.mktemp("notebook") / "answers"
    run(
        """
        import pickle, sys
        from pathlib import Path

        folder, copy, pickled = sys.argv[1:]
        sys.path.insert(0, folder)
        sys.argv[1:] = ["--copy", copy]
        from cookbook_notebook import app

        _, found = app.run()
        told = {
            name: (value.question, value.sql, value.rows)
            for name, value in found.items()
            if type(value).__name__ == "Answer"  # a run has a class of its own
        }
        Path(pickled).write_bytes(pickle.dumps(told))
        """,
        NOTEBOOK.parent,
        shops,
        pickled,
    )
    return pickle.loads(pickled.read_bytes())


@pytest.mark.parametrize("file", cookbook.QUESTIONS, ids=lambda file: file.stem)
def test_the_notebook_gives_the_cookbooks_answer(answers, file):
    question, _, sql = cookbook.parts(file)
    asked, statement, rows = answers[file.stem.partition("_")[2]]
    assert (asked, statement) == (question, sql)
    page = cookbook.PAGE.read_text(encoding="utf-8")
    section = page.split(f". {question}\n\n")[1].split("\n## ")[0]
    assert section.strip().split("```\n\n")[1].splitlines() == cookbook.answer(Told(rows), sql)


@pytest.fixture
def shown(tmp_path):
    """Run the notebook as an analyst sees it; marimo ends with 1 when a cell fails."""
    folder = tmp_path / NOTEBOOK.parent.name  # marimo keeps what it showed beside the notebook
    folder.mkdir()
    notebook = shutil.copy(NOTEBOOK, folder)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    page, marimo = tmp_path / "page.html", installed(LIBRARIES) / "bin/marimo"

    def show(copy):
        finished([marimo, "export", "html", notebook, "-o", page, "--", "--copy", copy])
        return page.read_text(encoding="utf-8")

    return show


def test_the_notebook_shows_every_question(shops, shown):
    page = shown(shops)
    assert [q for q, *_ in map(cookbook.parts, cookbook.QUESTIONS) if q not in page] == []


def test_the_notebook_says_what_to_do_when_nothing_is_published(shown, tmp_path):
    assert "Nothing is published at" in shown(tmp_path / "none.duckdb")


def test_the_notebook_is_as_marimo_writes_it(tmp_path):
    """Who opens and saves it changes nothing."""
    saved = tmp_path / NOTEBOOK.name
    shutil.copy(NOTEBOOK, saved)
    finished([installed(LIBRARIES) / "bin/marimo", "check", "--fix", "--strict", saved])
    assert saved.read_text(encoding="utf-8") == NOTEBOOK.read_text(encoding="utf-8")


# --- SQLAlchemy -----------------------------------------------------------------------------

REFLECT = """
import json, sys
import sqlalchemy as sa

engine = sa.create_engine(sys.argv[1], connect_args={"read_only": True})
look = sa.inspect(engine)
marts = sa.MetaData(schema="marts")
marts.reflect(engine, views=True, only=lambda name, _: name.startswith(("daily", "order")))
with engine.connect() as con:
    net = con.execute(sa.text("select sum(net_revenue_minor) from marts.daily_revenue")).scalar()
print(json.dumps({
    "sqlalchemy": sa.__version__,
    "schemas": look.get_schema_names(),
    "tables": look.get_table_names(schema="marts"),
    "views": look.get_view_names(schema="marts"),
    "reflected": {
        table.name: [table.comment, [[c.name, c.comment] for c in table.columns]]
        for table in marts.tables.values()
    },
    "type_of_days": str(marts.tables["marts.daily_revenue"].c.order_date.type),
    "net": int(net),
}))
"""


@pytest.mark.parametrize("door", ["orders", "orders_live"])
@pytest.mark.parametrize("driver", ["2.1", "1.4"])
def test_sqlalchemy_reflects_both_doors(shops, copy, driver, door):
    url = f"duckdb:///{shops.with_name(f'{door}.duckdb')}"
    told = json.loads(run(REFLECT, url, superset=driver == "1.4"))
    assert told["sqlalchemy"].startswith(driver)
    assert f"{door}.marts" in told["schemas"]
    marts = {name for (name,) in copy.execute(MARTS).fetchall()}
    assert {*told["tables"], *told["views"]} == marts
    assert told["reflected"].keys() == {n for n in marts if n.startswith(("daily", "order"))}
    assert bool(told["tables"]) == (door == "orders")
    for name, (comment, columns) in told["reflected"].items():
        described = copy.execute(
            "select column_name, comment from duckdb_columns()"
            " where schema_name = 'marts' and table_name = ? order by column_index",
            [name],
        ).fetchall()
        assert [tuple(column) for column in columns] == described, name
        assert comment, name
    assert told["type_of_days"] == "DATE"
    assert told["net"] == copy.execute(TOTALS).fetchone()[2]


WRITE = """
import json, sys
import sqlalchemy as sa

engine = sa.create_engine(sys.argv[1], connect_args=json.loads(sys.argv[2]))
with engine.connect() as con:
    print(con.execute(sa.text("select count(*) from marts.daily_revenue")).scalar())
    try:
        con.execute(sa.text("create table marts.mine as select 1 as n"))
    except sa.exc.DBAPIError as error:
        print(str(error.orig))
"""
READ_ONLY = {
    "argument": ("", '{"read_only": true}'),
    "url": ("?access_mode=read_only", "{}"),
    # What Superset adds of its own.
    "superset": ("?access_mode=read_only", '{"config": {"custom_user_agent": "superset"}}'),
}


@pytest.mark.parametrize("way", READ_ONLY)
@pytest.mark.parametrize("driver", ["2.1", "1.4"])
def test_sqlalchemy_reads_and_cannot_write(shops, copy, driver, way):
    end, arguments = READ_ONLY[way]
    url = f"duckdb:///{shops.with_name('orders_live.duckdb')}{end}"
    rows, refused = run(WRITE, url, arguments, superset=driver == "1.4").split("\n", 1)
    assert int(rows) == copy.execute(TOTALS).fetchone()[0]
    assert "read-only" in refused


def test_read_only_in_the_url_is_an_error_as_the_page_says(shops):
    command, env = python()
    program = "import sys, sqlalchemy as sa; sa.create_engine(sys.argv[1]).connect()"
    url = f"duckdb:///{shops}?read_only=true"
    ran = subprocess.run(
        [*command, "-c", program, url], env=env, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode != 0
    assert 'unrecognized configuration parameter "read_only"' in ran.stderr
