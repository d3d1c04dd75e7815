"""sync, refresh, check, publish: what they do and how they end."""

import subprocess
import sys
from datetime import date

import duckdb
import pytest

from orders_connector.sandbox.voucherify import Fault, Switches, VoucherifySandbox
from orders_connector.warehouse.database import open_warehouse
from tests.cli.conftest import CONFIG


def published_orders(folder):
    with duckdb.connect(str(folder / "data/published/orders.duckdb"), read_only=True) as con:
        return con.execute("select count(*) from core.orders").fetchall()[0][0]


def test_sync_loads_builds_checks_and_publishes(installation, run):
    ran = run("sync")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("shop: complete. 120 new versions, 120 new orders, in ")
    for word in ("proven   2023-01-01 00:00 to ", "models built", "hold", "published: data/"):
        assert word in ran.out
    assert published_orders(installation) == 120


def test_sync_as_json_says_the_same(installation, run, box):
    data = run("sync", "--json").data
    (account,) = data["accounts"]
    assert (account["status"], account["new_orders"]) == ("complete", 120)
    assert account["calls"] == len(box.calls)
    assert data["published"]["tables"]["core.orders"] == 120
    assert all(check["passed"] for check in data["checks"])
    assert data["refresh"]["restated"] == []


def test_second_sync_restates_days(loaded, run, box):
    box.moves.day()
    data = run("sync", "--json").data
    assert data["accounts"][0]["new_orders"] > 0
    assert data["refresh"]["restated"]
    assert all(date.fromisoformat(day) for day in data["refresh"]["restated"])


def test_no_publish_leaves_readers_alone_until_publish(loaded, run, box):
    box.shop.create({"amount": 1000})
    assert "published" not in run("sync", "--no-publish", "--json").data
    assert published_orders(loaded) == 120
    assert run("publish").code == 0
    assert published_orders(loaded) == 121


def test_no_refresh_lands_only(loaded, run, box):
    box.shop.create({"amount": 1000})
    assert run("sync", "--no-refresh", "--json").data.keys() == {"accounts"}
    status = run("status", "--json").data
    assert status["trust"] == "no"
    assert "run `orders-connector refresh`" in status["problems"][0]
    assert "restated" in run("refresh").out
    assert run("refresh").out == "tables: nothing is stale\n"


def test_full_refresh_builds_everything(loaded, run):
    modes = {model["mode"] for model in run("refresh", "--full", "--json").data["models"]}
    assert modes == {"full"}


def test_a_window_of_the_past_is_read_again(loaded, run):
    data = run("sync", "--from", "2024-01-01", "--to", "2024-02-01T12:00", "--json").data
    assert data["accounts"][0]["asked"] == "[2024-01-01T00:00:00+00:00, 2024-02-01T12:00:00+00:00)"


@pytest.mark.parametrize(
    "arguments", [("--to", "2024-01-01"), ("--from", "2024-02-01", "--to", "2024-01-01")]
)
def test_a_window_that_is_none_is_wrong_use(installation, run, arguments):
    ran = run("sync", *arguments)
    assert (ran.code, "--from" in ran.err) == (2, True)


def test_a_source_that_fails_ends_with_5_and_keeps_what_is_there(loaded, run, box):
    box.faults.add(Fault("status", times=1))
    ran = run("sync")
    assert ran.code == 5
    assert ran.out.startswith("shop: failed.")
    assert ran.err.startswith("error: ")
    assert published_orders(loaded) == 120
    status = run("status", "--json").data
    assert status["trust"] == "with reservations"
    assert "the last load failed" in status["remarks"][0]


def test_an_incomplete_load_ends_with_4_and_is_built_all_the_same(installation, run, box):
    switches = Switches(listing_pages=2, export_allowed="no")
    with VoucherifySandbox(450, now=box.clock.now(), switches=switches) as large:
        (installation / "orders.toml").write_text(CONFIG.format(base_url=large.base_url))
        refused = run("sync")
        again = run("sync")
    assert refused.code == 5
    assert "missing_required_permission" in refused.err
    assert again.code == 0  # nothing new, and what is missing was told
    assert "  missing  2023-01-01 00:00 to 20" in refused.out
    assert published_orders(installation) >= 200
    assert run("status", "--json").data["trust"] == "no"


def test_a_download_host_that_is_not_configured_is_named(installation, run, box):
    with VoucherifySandbox(
        450, now=box.clock.now(), switches=Switches(listing_pages=2, export_polls=0)
    ) as large:
        (installation / "orders.toml").write_text(CONFIG.format(base_url=large.base_url))
        ran = run("sync")
    assert ran.code == 5
    assert "download_hosts" in ran.err
    assert large.download_url.removeprefix("http://") in ran.err


def test_a_used_up_budget_ends_with_4(installation, run):
    file = installation / "orders.toml"
    file.write_text(file.read_text() + "max_calls_per_run = 2\n")
    ran = run("sync")
    assert ran.code == 4
    assert "raise max_calls_per_run" in ran.err


def test_a_locked_warehouse_ends_with_6(loaded, run, tmp_path):
    file = loaded / "orders.toml"
    file.write_text(file.read_text() + "[warehouse]\nlock_timeout_seconds = 0\n")
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(loaded / "data/orders.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "1\n"
        ran = run("sync")
        assert ran.code == 6
        assert "nothing was lost" in ran.err
        assert "in use just now" in run("doctor").out
    finally:
        holder.communicate("\n")


def test_a_failed_check_keeps_the_published_copy_and_ends_with_7(loaded, run):
    with open_warehouse(loaded / "data/orders.duckdb") as con:
        con.execute("insert into core.orders from core.orders limit 1")
    last_good = run("publish", "--list", "--json").data
    for command in ("check", "publish", "sync"):
        ran = run(command)
        assert ran.code == 7
        assert "FAILED  core.orders unique_source_account_order_id: 1 row, such as" in ran.out
        assert "readers keep the last good copy" in ran.err
    assert published_orders(loaded) == 120
    assert run("publish", "--list", "--json").data == last_good
    (version,) = [kept["version"] for kept in last_good if kept["is_current"]]
    exports = loaded / "data/published/exports"
    assert (exports / "current").readlink().name == version
    live = loaded / "data/published/orders_live.duckdb"
    with duckdb.connect(str(live), read_only=True) as con:
        assert con.execute("select version from meta.publication").fetchall() == [(version,)]


def test_readers_get_back_what_they_had_until_the_next_good_publish(loaded, run, box):
    first = run("publish", "--json").data["version"]
    box.shop.create({"amount": 1000})
    second = run("sync", "--json").data["published"]["version"]
    assert published_orders(loaded) == 121
    ran = run("publish", "--rollback")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"readers see {first} again, published 20")
    assert published_orders(loaded) == 120
    assert "the tables are newer than the published copy" in run("status").out
    listed = run("publish", "--list").out.splitlines()
    assert listed[0].split()[0] == "version"
    assert [line.split()[0] for line in listed[1:3]] == [second, first]
    assert [line.endswith("readers see it") for line in map(str.rstrip, listed[1:3])] == [
        False,
        True,
    ]
    assert run("publish", "--to", second, "--json").data["is_current"] is True
    assert published_orders(loaded) == 121
    run("publish", "--rollback")
    third = run("publish", "--json").data["version"]
    assert third > second
    assert published_orders(loaded) == 121


def test_a_version_that_is_not_kept_ends_with_6_and_two_wishes_with_2(loaded, run):
    ran = run("publish", "--to", "20200101T000000.000Z")
    assert ran.code == 6
    assert "Kept are: 20" in ran.err
    assert run("publish", "--rollback", "--list").code == 2
    assert published_orders(loaded) == 120


def test_nothing_kept_yet_is_said(installation, run):
    assert run("publish", "--list").out.startswith("no version is kept yet")
    ran = run("publish", "--rollback")
    assert ran.code == 6
    assert "no version before the current one" in ran.err


def test_missing_keys_end_with_3_before_anything_is_done(installation, run, monkeypatch, box):
    monkeypatch.delenv("VOUCHERIFY_APP_TOKEN")
    ran = run("sync")
    assert (ran.code, ran.out) == (3, "")
    assert "VOUCHERIFY_APP_TOKEN" in ran.err
    assert box.calls == []


def test_a_missing_key_for_hashes_ends_with_3_before_anything_is_done(
    loaded, run, monkeypatch, box
):
    monkeypatch.setenv("ORDERS_WAREHOUSE__PERSONAL_DATA", "hashed")
    for command in (("sync",), ("erase", "--customer", "x", "--yes"), ("publish",)):
        ran = run(*command)
        assert ran.code == 3
        assert "ORDERS_PERSONAL_DATA_KEY" in ran.err
    assert box.calls == []
    assert published_orders(loaded) == 120
    monkeypatch.setenv("ORDERS_PERSONAL_DATA_KEY", "sixteen letters!")
    assert run("publish").code == 0
    assert run("publish", "--list", "--json").data[-1]["personal_data"] == "hashed"


def test_an_unknown_account_ends_with_3(installation, run):
    ran = run("sync", "--account", "shpo")
    assert ran.code == 3
    assert "configured are: shop" in ran.err


def test_a_dashboard_that_was_made_shows_each_copy_that_is_published(loaded, run, box):
    page = loaded / "data/published/dashboard.html"
    run("sync")
    assert not page.exists()  # nobody asked for one
    run("dashboard")
    shown = [page.read_text()]
    box.shop.upsert({"status": "PAID", "amount": 4321, "customer": {"source_id": "first"}})
    for command in (
        ("sync",),
        ("publish", "--rollback"),
        ("publish",),
        ("erase", "--customer", newest_customer(loaded), "--yes", "--keep-at-source"),
    ):
        assert run(*command).code == 0, command
        assert page.read_text() not in shown[-1:]
        shown.append(page.read_text())


def newest_customer(installation):
    with duckdb.connect(installation / "data/published/orders.duckdb", read_only=True) as con:
        return con.execute(
            "select customer_key from core.orders where customer_key is not null"
            " order by created_at desc limit 1"
        ).fetchall()[0][0]
