"""demo and sandbox, as real processes."""

import json
import os
import signal
import subprocess
import sys

import duckdb
import httpx
import pytest

from orders_connector.cli.sandbox import KINDS

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
        timeout=900,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "First night, by the nightly Dagster job",
        "A day passes in the shops",
        "Second night, of what is new",
        "Restated: ",
        "The last 7 business days by currency, as readers see them",
    ):
        assert words in done.stdout
    figures = {
        line.split()[0]: line.split() for line in done.stdout.split("\n") if line[:4] == "demo"
    }
    assert figures.keys() == {"demo_shop", "demo_store", "demo_vendor"}
    assert not elsewhere.exists()
    assert [path.name for path in here.iterdir()] == [".demo"]
    with duckdb.connect(str(here / ".demo/data/published/orders.duckdb"), read_only=True) as con:
        found = con.execute(
            "select source, currency, count(*) > 20,"
            " count(net_minor) = count(*) filter (where gives_money)"
            " from core.orders group by all order by source"
        ).fetchall()
    assert found == [
        ("licensespring", "XXX", True, True),
        ("ultracart", "USD", True, True),
        ("voucherify", "EUR", True, True),
    ]


def start_sandbox(source, *options):
    process = subprocess.Popen(
        [*COMMAND, "sandbox", source, "--json", *options], stdout=subprocess.PIPE, text=True
    )
    return process, json.loads(process.stdout.readline())


def ids_of(order):
    """Return what makes an order known: its ids, and those of its licenses."""
    licenses = [
        one["id"] for item in order.get("order_items", []) for one in item.get("licenses", [])
    ]
    return (order.get("id") or order.get("order_id"), *licenses)


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_keeps_its_shop_in_a_file(tmp_path, source, end):
    options = ("--orders=20", f"--state={tmp_path / 'shop.json'}", "--now=2026-08-01T12:00")
    before = set()
    for now in ("2026-08-01T12:00", "2026-08-02T12:00", "2026-08-03T12:00"):
        process, address = start_sandbox(source, *options)
        try:
            assert address["now"].startswith(now)
            assert address["orders"] == (len(before) or 20)
            lines = httpx.get(f"{address['base_url']}/_sandbox/truth").text.splitlines()
            after = {ids_of(json.loads(line)) for line in lines}
            assert before in (set(), after)
            day = httpx.post(f"{address['base_url']}/_sandbox/day").json()
            assert sum(day["moves"].values()) > 0
            lines = httpx.get(f"{address['base_url']}/_sandbox/truth").text.splitlines()
            before = {ids_of(json.loads(line)) for line in lines}
            assert len(before) == day["orders"]
        finally:
            process.send_signal(end)
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert json.loads((tmp_path / "shop.json").read_text())["now"].startswith("2026-08-04T12:00")


@pytest.mark.parametrize("source", KINDS)
def test_sandbox_says_what_to_try_and_it_works(run, monkeypatch, source):
    tried = []

    def end_at_once(announce, **options):
        with box_of(source)(options["orders"]) as box:
            announce(box)
            keys = {name: getattr(box, name) for name in KINDS[source].keys.values()}
            headers = dict(header.format(**keys).split(": ", 1) for header in KINDS[source].headers)
            tried.append(httpx.get(box.base_url + KINDS[source].path, headers=headers))

    monkeypatch.setattr(f"orders_connector.sandbox.{source}.serve", end_at_once)
    out = run("sandbox", source, "--orders", "5").out
    assert "with 5 orders. Ctrl-C stops it." in out
    assert all(f"{variable}=" in out for variable in KINDS[source].keys)
    assert "/_sandbox/day" in out
    assert "curl -H '" in out
    assert tried[0].status_code == 200


def box_of(source):
    from orders_connector.sandbox import licensespring, ultracart, voucherify

    return {
        "voucherify": voucherify.VoucherifySandbox,
        "ultracart": ultracart.UltraCartSandbox,
        "licensespring": licensespring.LicenseSpringSandbox,
    }[source]


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize(
    ("option", "value"), [("--switch", "nonsense=1"), ("--moves", "dance"), ("--plan", "free")]
)
def test_sandbox_refuses_what_it_does_not_know(run, source, option, value):
    ran = run("sandbox", source, "--orders", "1", option, value)
    assert ran.code == 2


def test_a_single_move_is_made_on_demand():
    process, address = start_sandbox("ultracart", "--orders=50", "--history-days=10")
    try:
        control = f"{address['base_url']}/_sandbox/move"
        assert httpx.post(control, json={"kind": "delete"}).json() == {"orders": 1}
        assert "known: create" in httpx.post(control, json={"kind": "dance"}).json()["error"]
    finally:
        process.terminate()
        process.communicate(timeout=300)
