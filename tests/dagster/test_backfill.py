"""Ranges of days by hand, each in a single run."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

PROJECT = Path(__file__).parents[2]


def test_a_range_of_version_days_is_one_run(here, between):
    result = here.rebuild([("raw", "shop_orders")], "2026-07-01", "2026-07-10")
    assert result.success
    assert here.steps(result) == ["raw__shop_orders", "account_checks"]
    logged = here.logged(result, "raw", "shop_orders")
    # The first load covers all history, whatever days it was asked for.
    assert logged.keys() == between("2026-06-20", "2026-07-31")
    assert here.failed_checks(result) == set()
    assert here.query("select count(*) from ops.extractions") == [(1,)]


@pytest.fixture(scope="module")
def loaded(opened):
    here = opened()
    assert here.nightly().success
    return here


def test_only_the_range_and_the_mart_asked_for_are_rebuilt(loaded, between):
    before = loaded.query("from marts.daily_revenue order by all")
    loaded.tamper("update marts.daily_revenue set units = -1")
    loaded.tamper("update marts.daily_status set orders = -1")
    result = loaded.rebuild([("marts", "daily_revenue")], "2026-07-05", "2026-07-12")
    assert result.success
    wrong = loaded.query("select distinct order_date from marts.daily_revenue where units = -1")
    in_range = {date.fromisoformat(day) for day in between("2026-07-05", "2026-07-12")}
    assert not in_range & {day for (day,) in wrong}
    assert wrong
    assert loaded.query("select count(*) from marts.daily_status where orders >= 0") == [(0,)]
    logged = loaded.logged(result, "marts", "daily_revenue")
    assert logged.keys() == between("2026-07-05", "2026-07-12")
    assert any(facts["restated"] for facts in logged.values())
    assert loaded.logged(result, "marts", "daily_status") == {}

    every_date = [("marts", "daily_revenue"), ("marts", "daily_status")]
    assert loaded.rebuild(every_date, "2026-06-20", "2026-08-02").success
    assert loaded.query("from marts.daily_revenue order by all") == [
        row if row[2] >= date(2026, 6, 20) else (*row[:19], -1, *row[20:]) for row in before
    ]


def test_refresh_builds_everything_anew_on_request(loaded):
    loaded.tamper("update core.orders set units = -1")
    config = {"ops": {"refreshed_models": {"config": {"full": True}}}}
    result = loaded.run("refresh", run_config=config)
    assert result.success
    assert loaded.query("select count(*) from core.orders where units = -1") == [(0,)]
    assert loaded.logged(result, "core", "orders")[None]["mode"] == "full"
    assert "raw__shop_orders" not in loaded.steps(result)


@pytest.fixture
def command(here, tmp_path):
    """Start materializing a range of days from the command line."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        # Its tables are made once, not by two processes at a time.
        instance.event_log_storage.initialize_concurrency_limit_to_default("duckdb")
    environment = {"DAGSTER_HOME": str(home), "ORDERS_CONFIG": str(here.config)}
    materialize = [*(sys.executable, "-m", "dagster", "asset", "materialize")]
    materialize += ["-m", "dagster_project.definitions", "--select", "key:raw/shop_orders"]
    with ExitStack() as stack, (tmp_path / "output.txt").open("w") as stream:

        def start(days):
            process = subprocess.Popen(
                [*materialize, "--partition-range", days],
                env=os.environ | environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.slow
def test_two_ranges_from_the_command_line_at_a_time_take_turns(here, command, tmp_path):
    output = tmp_path / "output.txt"
    processes = [command(days) for days in ("2026-07-01...2026-07-03", "2026-07-04...2026-07-06")]
    assert [process.wait(timeout=300) for process in processes] == [0, 0], output.read_text()
    assert "BetaWarning" not in output.read_text()
    # Which of the two runs comes first is open; their loads never overlap.
    spans = here.query("select started_at, ended_at from ops.extractions order by started_at")
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert here.query("select count(distinct status), count(*) from ops.extractions") == [(1, 2)]
    assert here.query("select count(*) from raw.order_payloads") == [(len(here.box.shop),)]


@pytest.mark.slow
def test_a_backfill_that_was_killed_amid_exports_goes_on_with_them(here, command):
    # The listing reaches the newest 100 orders; the export of all others is never done.
    never = replace(here.box.switches, listing_pages=1, export_outcome="never")
    here.box.switches = never
    process = command("2026-07-01...2026-07-10")
    for _ in range(1_800):
        if [call for call in here.box.calls if is_look_at_export(call)]:
            break
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert here.query("select status from ops.export_jobs") == [("started",)]

    here.box.switches = replace(never, export_outcome="done")
    result = here.rebuild([("raw", "shop_orders")], "2026-07-01", "2026-07-10")
    assert result.success
    assert "raw.shop_orders.window_is_covered" not in here.failed_checks(result)
    assert len([call for call in here.box.calls if call.method == "POST"]) == 1
    ((orders,),) = here.query("select count(distinct order_id) from raw.order_payloads")
    assert orders == len(here.box.shop)
    facts = here.logged(result, "raw", "shop_orders")["2026-07-01"]
    assert facts["exports"] == 1
    assert facts["awaiting_items"] == 0
    assert f"| used | {orders} |" in facts["export_files"]


def is_look_at_export(call):
    return call.method == "GET" and call.path.startswith("/v1/exports/")
