"""demo and sandbox, as real processes."""

import json
import os
import signal
import subprocess
import sys

import duckdb
import httpx
import pytest

COMMAND = [sys.executable, "-m", "orders_connector.cli"]


@pytest.mark.slow
def test_demo_loads_twice_and_touches_nothing_else(tmp_path):
    elsewhere = tmp_path / "elsewhere.duckdb"
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [*COMMAND, "demo", "--orders=150", "--history-days=6"],
        cwd=here,
        env=os.environ | {"ORDERS_WAREHOUSE__PATH": str(elsewhere)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "First load, by the nightly Dagster job",
        " new order versions in ",
        "A day passes in the shop: ",
        "Restated: ",
        "The last 7 business days, as readers see them",
        " EUR",
    ):
        assert words in done.stdout
    assert not elsewhere.exists()
    assert [path.name for path in here.iterdir()] == [".demo"]
    with duckdb.connect(str(here / ".demo/data/published/orders.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) > 150 from core.orders").fetchall() == [(True,)]


def start_sandbox(*options):
    process = subprocess.Popen(
        [*COMMAND, "sandbox", "voucherify", "--json", *options], stdout=subprocess.PIPE, text=True
    )
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_keeps_its_shop_in_a_file(tmp_path, end):
    options = ("--orders=20", f"--state={tmp_path / 'shop.json'}", "--now=2026-08-01T12:00")
    for orders, now in ((20, "2026-08-01T12:00"), (None, "2026-08-02T12:00")):
        process, address = start_sandbox(*options)
        try:
            assert address["now"].startswith(now)
            assert orders in (None, address["orders"])
            day = httpx.post(f"{address['base_url']}/_sandbox/day").json()
        finally:
            process.send_signal(end)
        process.communicate(timeout=20)
        assert process.returncode == 0
    kept = json.loads((tmp_path / "shop.json").read_text())
    assert len(kept["orders"]) == day["orders"]
    assert kept["now"].startswith("2026-08-03T12:00")


def test_sandbox_says_what_to_try(run, monkeypatch):
    def end_at_once(announce, **options):
        from orders_connector.sandbox.voucherify import VoucherifySandbox

        with VoucherifySandbox(options["orders"]) as box:
            announce(box)

    monkeypatch.setattr("orders_connector.cli.sandbox.serve", end_at_once)
    out = run("sandbox", "voucherify", "--orders", "5").out
    assert "with 5 orders. Ctrl-C stops it." in out
    assert "VOUCHERIFY_APP_ID=sandbox-app-id" in out
    assert "/_sandbox/day" in out


@pytest.mark.parametrize(
    ("option", "value"), [("--switch", "nonsense=1"), ("--moves", "dance"), ("--plan", "free")]
)
def test_sandbox_refuses_what_it_does_not_know(run, option, value):
    ran = run("sandbox", "voucherify", "--orders", "1", option, value)
    assert ran.code == 2
