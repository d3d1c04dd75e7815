"""A model of the installation's own: add a file, and it is refreshed, checked and published."""

import re
from pathlib import Path

import duckdb
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs/own_models.md"
WEEKDAY = re.search(r"```sql\n(/\*.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)
SETTING = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)


@pytest.fixture
def folder(loaded):
    file = loaded / "orders.toml"
    file.write_text(SETTING + file.read_text())
    (loaded / "models/marts").mkdir(parents=True)
    return loaded / "models"


def query(installation, sql, path="data/orders.duckdb"):
    with duckdb.connect(str(installation / path), read_only=True) as con:
        return con.execute(sql).fetchall()


def put(folder, text=WEEKDAY, name="marts/daily_baskets"):
    file = folder / f"{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_file_is_enough(folder, loaded, run, box):
    put(folder)
    first = run("sync", "--json").data
    assert {m["model"]: m["mode"] for m in first["refresh"]["models"]}[
        "marts.daily_baskets"
    ] == "full"
    assert {c["name"] for c in first["checks"] if c["model"] == "marts.daily_baskets"} == {
        "unique_source_account_order_date_currency_basket",
        "not_null_order_date_basket_orders",
        "baskets_hold_all_recognised_orders",
    }
    assert "marts.daily_baskets" in first["published"]["tables"]
    comment = (
        "select comment from duckdb_columns() where table_name = 'daily_baskets'"
        " and column_name = 'basket'"
    )
    assert query(loaded, comment, "data/published/orders.duckdb")[0][0].startswith("Units")

    box.moves.day()
    second = run("sync", "--json").data
    mode = {m["model"]: m for m in second["refresh"]["models"]}["marts.daily_baskets"]
    assert mode["mode"] == "slices"
    assert mode["slices"] > 0
    assert all(check["passed"] for check in second["checks"])
    incremental = query(loaded, "from marts.daily_baskets order by all")
    assert run("refresh", "--full").code == 0
    assert query(loaded, "from marts.daily_baskets order by all") == incremental
    assert incremental


def test_a_model_that_is_taken_away_disappears(folder, loaded, run):
    file = put(folder)
    assert run("refresh").code == 0
    run("publish")
    file.unlink()
    assert run("refresh").code == 0
    run("publish")
    for path in ("data/orders.duckdb", "data/published/orders.duckdb"):
        found = "select count(*) from duckdb_tables() where table_name = 'daily_baskets'"
        assert query(loaded, found, path) == [(0,)]


def test_its_own_check_stops_publishing_and_a_warning_does_not(folder, loaded, run):
    fewer = "count(*) filter (where o.units > 1)"
    put(folder, WEEKDAY.replace("count(*)", fewer, 1).replace("severity: error", "severity: warn"))
    warned = run("sync")
    assert warned.code == 0
    assert "warning  marts.daily_baskets baskets_hold_all_recognised_orders" in warned.out
    put(folder, WEEKDAY.replace("count(*)", fewer, 1))
    for command in ("sync", "check", "publish"):
        blocked = run(command)
        assert blocked.code == 7
        assert "FAILED  marts.daily_baskets baskets_hold_all_recognised_orders" in blocked.out
    kept = query(loaded, "select distinct model, severity, reason from ops.failing_rows")
    assert {(model, severity) for model, severity, _ in kept} == {("marts.daily_baskets", "error")}
    assert all(" in marts.daily_revenue" in reason for _, _, reason in kept)
    put(folder)
    assert run("sync").code == 0
    assert query(loaded, "from ops.failing_rows") == []


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (
            "marts/daily_revenue",
            ("", ""),
            r"marts\.daily_revenue is a model of the product already",
        ),
        ("mart/daily_baskets", ("", ""), r"stands in staging/, core/ or marts/"),
        ("daily_baskets", ("", ""), r"stands in staging/, core/ or marts/"),
        (
            "marts/daily_baskets",
            ("core.orders", "core.lost"),
            r"reads core\.lost, which is neither",
        ),
        (
            "marts/daily_baskets",
            ("group by o.source, o.account, o.order_date,", "group by o.source, o.account,"),
            r"refresh_key order_date cannot work: .*GROUP BY",
        ),
    ],
    ids=["name-taken", "no-layer", "no-folder", "unknown-input", "wrong-slices"],
)
def test_what_cannot_work_is_refused_with_the_reason(folder, run, name, change, reason):
    put(folder, WEEKDAY.replace(*change), name)
    ran = run("refresh")
    assert ran.code != 0
    assert re.search(reason, ran.err)


def test_a_folder_that_is_not_there_is_told(folder, run):
    (folder / "marts").rmdir()
    folder.rmdir()
    ran = run("refresh")
    assert ran.code != 0
    assert "there is no folder" in ran.err
