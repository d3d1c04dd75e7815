"""Whatever the source, the disk or the configuration does: a clear message, and nothing lost."""

import json
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from orders_connector.errors import (
    CallBudgetExhausted,
    CredentialsRejected,
    PermissionDenied,
    QuotaExhausted,
    ServerFailed,
    UnreadableAnswer,
    WarehouseError,
    WarehouseLocked,
)
from orders_connector.load import refresh_models
from orders_connector.sandbox.voucherify import Fault, Limits
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.test_sync import coverage, truth_of, warehouse_of

QUICK = "max_attempts = 3\nmax_wait_seconds = 1"


async def no_wait(_seconds):
    """Retries need not wait in a test."""


def sync(settings):
    return sync_account(settings, "shop", sleep=no_wait)


def quarantine(settings):
    with warehouse_connection(settings) as con:
        return con.execute("select order_id, stage, reason, content from ops.quarantine").fetchall()


def claims_hold(settings, box):
    """Tell whether every order of the windows that are proven is there as it is at the source."""
    held, proven = warehouse_of(settings), coverage(settings)
    claimed = [
        order
        for order in truth_of(box).values()
        for at in [datetime.fromisoformat(order.get("updated_at") or order["created_at"])]
        if any(window.start <= at < window.end for window in proven)
    ]
    return all(held.get(order["id"]) == order for order in claimed)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", path="/v1/orders", every=3, status=500),
        Fault("status", path="/v1/orders", every=3, status=503),
        Fault("status", path="/v1/orders", every=4, status=429, retry_after=1),
        Fault("html", path="/v1/orders", every=3),
        Fault("truncated_body", path="/v1/orders", every=3),
        Fault("cut_json", path="/v1/orders", every=3),
        Fault("malformed_json", path="/v1/orders", every=3),
        Fault("reset_before", path="/v1/orders", every=3),
        Fault("reset_after", path="/v1/orders", every=3),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)
def test_passing_faults_are_retried_and_nothing_is_lost(start_shop, settings_for, fault):
    box = start_shop(450)
    settings = settings_for(box, QUICK)
    box.faults.add(fault)
    result = sync(settings)
    assert result.status == "complete"
    assert warehouse_of(settings) == truth_of(box)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", path="/v1/orders", status=500, every=1), ServerFailed),
        (Fault("html", path="/v1/orders", every=1, status=200), UnreadableAnswer),
        (Fault("cut_json", path="/v1/orders", every=1), UnreadableAnswer),
    ],
    ids=lambda part: getattr(part, "kind", None),
)
def test_lasting_faults_fail_the_load_and_the_next_one_goes_on(
    start_shop, settings_for, fault, error
):
    box = start_shop(450)
    settings = settings_for(box, QUICK)
    pages = []

    def break_later(call):
        pages.append(call)
        if len(pages) == 4:
            box.faults.add(fault)

    box.on_request = break_later
    result = sync(settings)
    assert result.status == "failed"
    assert isinstance(result.error, error)
    # What was read before is kept, and no more is claimed than was read.
    assert 0 < result.landed.versions < 450
    assert claims_hold(settings, box)
    with pytest.raises(error):
        result.raise_unless_complete()
    box.faults.clear()
    box.on_request = None
    assert sync(settings).status == "complete"
    assert warehouse_of(settings) == truth_of(box)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("syntax", "malformed JSON"),
        ("string", "text where an order should stand"),
        ("null", "null stands where an order should"),
        ("number", "not an order but"),
        ("no_id", "the order has no id"),
        ("amount_text", "is not an amount in minor units"),
        ("dates", "is not a time"),
    ],
)
def test_one_broken_order_costs_no_other(start_shop, settings_for, broken, reason):
    box = start_shop(120)
    settings = settings_for(box, QUICK)
    box.faults.add(Fault("broken_order", path="/v1/orders", broken=broken, order_index=50, every=1))
    sync(settings)
    refresh_models(settings)
    entries = quarantine(settings)
    assert any(reason in entry[2] for entry in entries)
    box.faults.clear()
    held = warehouse_of(settings)
    unharmed = [order for order in box.shop.truth() if held.get(order["id"]) == order]
    assert len(unharmed) >= 117
    # The source is well again: the next load brings what was broken.
    sync(settings)
    held = warehouse_of(settings)
    assert all(order["id"] in held for order in box.shop.truth())


def test_wrong_credentials_stop_at_once_and_are_not_shown(start_shop, settings_for, monkeypatch):
    box = start_shop(10)
    settings = settings_for(box)
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", "s3cret-t0ken")
    result = sync(settings)
    assert isinstance(result.error, CredentialsRejected)
    assert result.calls == 1
    with warehouse_connection(settings) as con:
        stored = json.dumps(con.execute("from ops.extractions").fetchall(), default=str)
    assert "rejected the credentials" in stored
    assert "s3cret" not in stored + str(result.error) + repr(result.as_metadata())


def test_a_wrong_region_says_so(start_shop, settings_for):
    box = start_shop(10)
    settings = settings_for(box)
    box.faults.add(Fault("status", path="/v1/orders", status=403, every=1))
    result = sync(settings)
    assert isinstance(result.error, PermissionDenied)
    assert "region" in str(result.error)


def test_an_ended_subscription_is_not_waited_for(start_shop, settings_for):
    box = start_shop(10)
    settings = settings_for(box, QUICK)
    box.meter.subscription_ended = True
    assert isinstance(sync(settings).error, QuotaExhausted)


def test_the_quota_of_the_billing_cycle_stops_the_load_and_keeps_what_was_read(
    start_shop, settings_for
):
    box = start_shop(900, plan=Limits(per_period=None, per_cycle=5))
    settings = settings_for(box, QUICK)
    result = sync(settings)
    assert isinstance(result.error, QuotaExhausted)
    assert "billing cycle" in str(result.error)
    assert len(warehouse_of(settings)) > 300
    assert claims_hold(settings, box)


def test_a_used_up_budget_of_calls_keeps_what_was_read(start_shop, settings_for):
    box = start_shop(900)
    settings = settings_for(box, "max_calls_per_run = 4")
    result = sync(settings)
    assert isinstance(result.error, CallBudgetExhausted)
    assert result.calls == 4
    assert len(warehouse_of(settings)) > 200
    assert claims_hold(settings, box)


def test_a_locked_warehouse_names_the_file_and_what_to_do(start_shop, settings_for):
    box = start_shop(10)
    settings = settings_for(box)
    settings.warehouse = settings.warehouse.model_copy(update={"lock_timeout_seconds": 0})
    path = settings.warehouse.path
    path.parent.mkdir(parents=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True);"
            "sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline()
        with pytest.raises(WarehouseLocked, match=r"orders\.duckdb is held by another process"):
            sync(settings)
    finally:
        holder.communicate()
    assert sync(settings).status == "complete"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from orders_connector.config import Settings
from orders_connector.errors import DiskFull
from orders_connector.sync import sync_account
settings = Settings.load(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
try:
    sync_account(settings, "shop")
except DiskFull as error:
    print("DISK FULL", error)
"""


def test_a_full_disk_loses_nothing(start_shop, settings_for, tmp_path):
    box = start_shop(700)
    settings = settings_for(box)
    sync_account(settings, "shop")
    with warehouse_connection(settings) as con:
        before = con.execute("select count(*) from raw.order_payloads").fetchall()
    box.clock.advance(timedelta(hours=1))
    for order in box.shop.truth():
        box.shop.update(order["id"], {"metadata": {"note": "x" * 3_000 + order["id"]}})
    script = tmp_path / "full.py"
    script.write_text(FULL_DISK)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "orders.toml")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "DISK FULL" in done.stdout, done.stderr
    assert "free space and run again" in done.stdout
    with warehouse_connection(settings) as con:
        assert con.execute("select count(*) from raw.order_payloads").fetchall() == before
    assert sync_account(settings, "shop").status == "complete"
    assert warehouse_of(settings) == truth_of(box)


def test_a_file_that_is_no_database_is_named(start_shop, settings_for):
    settings = settings_for(start_shop(1))
    settings.warehouse.path.parent.mkdir(parents=True)
    settings.warehouse.path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(WarehouseError, match=r"orders\.duckdb cannot be used"):
        sync(settings)


def test_the_client_is_closed_after_an_error(start_shop, settings_for, monkeypatch):
    closed = []
    leave = VoucherifyClient.__aexit__

    async def noted(self, *error):
        closed.append(True)
        await leave(self, *error)

    monkeypatch.setattr(VoucherifyClient, "__aexit__", noted)
    box = start_shop(1)
    box.faults.add(Fault("status", path="/v1/orders", status=403, every=1))
    sync(settings_for(box))
    assert closed
