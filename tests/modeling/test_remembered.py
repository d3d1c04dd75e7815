"""What parsing the models told is kept, and is what parsing them again would tell."""

import subprocess
import sys

import pytest

from orders_connector.errors import ModelError
from orders_connector.modeling import model as modeling
from orders_connector.modeling.model import load_models
from orders_connector.modeling.remembered import KEPT
from orders_connector.warehouse.database import open_warehouse

WRONG = """/*
description: x
grain: [order_date]
refresh_key: order_date
columns: {order_date: x, n: x}
*/
select o.order_date, sum(o.net_minor) over (order by o.order_date) as n from core.orders as o
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "orders-connector/models"


@pytest.fixture
def load(monkeypatch):
    """Read the models as a new process would."""

    def load(**options):
        modeling._models.cache_clear()
        return load_models(**options)

    yield load
    modeling._models.cache_clear()


def told(model):
    facts = (model.columns, model.inputs, model.tables, model.reads, model.raw_sources)
    return (*facts, model.code_version, model.inlined.sql(), [view.name for view in model.views])


def test_what_is_recalled_is_what_parsing_tells(cache, load):
    parsed = load()
    assert all(model.facts is None for model in parsed.values())
    recalled = load()
    assert all(model.facts for model in recalled.values())
    assert list(recalled) == list(parsed)
    for name, model in parsed.items():
        assert told(recalled[name]) == told(model), name


def test_other_files_are_read_anew(cache, load, tmp_path):
    load()
    own = tmp_path / "own"
    (own / "marts").mkdir(parents=True)
    file = own / "marts/mine.sql"
    file.write_text(WRONG.replace("over (order by o.order_date)", "").replace("sum", ""))
    assert load(own=own)["marts.mine"].facts is None
    assert load(own=own)["marts.mine"].facts
    file.write_text(file.read_text().replace("net_minor", "gross_minor"))
    changed = load(own=own)["marts.mine"]
    assert (changed.facts, changed.reads["core.orders"]) == (None, {"order_date", "gross_minor"})
    assert len(list(cache.iterdir())) == 3


def test_what_is_refused_is_refused_again(cache, load, tmp_path):
    (tmp_path / "own/marts").mkdir(parents=True)
    (tmp_path / "own/marts/mine.sql").write_text(WRONG)
    for _ in range(2):
        with pytest.raises(ModelError, match="reaches over rows of different slices"):
            load(own=tmp_path / "own")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"core.orders": {}}', "\x00"])
def test_a_damaged_file_is_read_over(cache, load, content):
    names = list(load())
    (file,) = cache.iterdir()
    file.write_text(content)
    assert list(load()) == names
    assert all(model.facts for model in load().values())


def test_a_cache_that_cannot_be_written_is_none(tmp_path, monkeypatch, load):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert list(load()) == list(load())


def test_old_files_go(cache, load):
    cache.mkdir(parents=True)
    for number in range(KEPT + 5):
        (cache / f"{number}.json").write_text("{}")
    load()
    assert len(list(cache.iterdir())) == KEPT
    assert all(model.facts for model in load().values())


ORDER = {
    "id": "o1",
    "amount": 100,
    "created_at": "2026-03-02T10:00:00Z",
    "items": [{"product_id": "mug", "quantity": 1, "price": 100, "amount": 100}],
}
# What a nightly load starts: a process that has read no model yet.
NEXT = """
import sys
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.warehouse.database import open_warehouse

with open_warehouse(sys.argv[1]) as con:
    modes = {model.model: model.mode for model in refresh(con, load_models()).models}
print(modes["core.orders"], modes["core.line_days"], "sqlglot" in sys.modules)
"""


def test_a_refresh_after_others_parses_nothing(cache, warehouse, tmp_path):
    warehouse.con.close()
    path = tmp_path / "orders.duckdb"
    for night, status in enumerate(("CREATED", "PAID", "FULFILLED")):
        with open_warehouse(path) as con:
            house = type(warehouse)(con)
            house.loads = night
            house.land(ORDER | {"status": status})
        done = subprocess.run(
            [sys.executable, "-c", NEXT, str(path)], capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == ["slices", "slices", "False"]
