"""doctor, status, backfill and erase for accounts of all sources in one installation."""

import json
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from orders_connector.cli import backfill as backfill_command
from orders_connector.cli import main
from orders_connector.results import Plan
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox
from orders_connector.sources.base import Step, Window
from orders_connector.sources.registry import source_names, source_of

COMMON = 'time_zone = "Europe/Warsaw"\nhistory_start = 2023-01-01\nmax_attempts = 1\n'
CONFIG = """
[accounts.shop]
source = "voucherify"
base_url = "{voucherify}"
download_hosts = ["{downloads}"]
currency = "EUR"
{common}
[accounts.store]
source = "ultracart"
base_url = "{ultracart}"
currency = "USD"
{common}
[accounts.vendor]
source = "licensespring"
base_url = "{licensespring}"
requests_per_second = 100
{common}
"""
ACCOUNTS = {"shop": "voucherify", "store": "ultracart", "vendor": "licensespring"}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A loaded installation of three accounts, and their sandboxes by source."""
    folder = tmp_path_factory.mktemp("three")
    now = datetime.now(UTC).replace(microsecond=0)
    with ExitStack() as stack:
        switches = Switches(export_polls=1)
        boxes = {
            "voucherify": VoucherifySandbox(40, now=now, switches=switches),
            "ultracart": UltraCartSandbox(30, now=now, latency=0.0),
            "licensespring": LicenseSpringSandbox(20, now=now),
        }
        for box in boxes.values():
            stack.enter_context(box)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        set_keys(patch, boxes)
        urls = {source: box.base_url for source, box in boxes.items()}
        downloads = boxes["voucherify"].download_url.removeprefix("http://")
        text = CONFIG.format(**urls, downloads=downloads, common=COMMON)
        (folder / "orders.toml").write_text(text)
        with pytest.raises(SystemExit) as end:
            main(["--config", str(folder / "orders.toml"), "sync", "--json"])
        assert not end.value.code
        yield folder, boxes


def set_keys(patch, boxes):
    patch.setenv("VOUCHERIFY_APP_ID", boxes["voucherify"].app_id)
    patch.setenv("VOUCHERIFY_APP_TOKEN", boxes["voucherify"].app_token)
    patch.setenv("ULTRACART_SIMPLE_KEY", boxes["ultracart"].simple_key)
    patch.setenv("LICENSESPRING_API_KEY", boxes["licensespring"].api_key)


@pytest.fixture
def loaded(three, tmp_path, monkeypatch):
    """A copy of the installation in the current directory."""
    folder, boxes = three
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    set_keys(monkeypatch, boxes)
    for box in boxes.values():
        box.reset_calls()
    return tmp_path


@pytest.fixture
def boxes(three):
    return three[1]


def test_doctor_greets_every_account_with_one_request(loaded, run, boxes):
    data = run("doctor", "--json").data
    assert {finding["level"] for finding in data["findings"]} == {"ok"}
    says = {finding["about"]: finding["says"] for finding in data["findings"]}
    assert says["configuration"] == "3 accounts: shop, store, vendor"
    assert says["store keys"] == "found in ULTRACART_SIMPLE_KEY"
    assert says["vendor keys"] == "found in LICENSESPRING_API_KEY"
    assert "1,000 calls per hour and 10,000 per day are configured" in says["store limits"]
    assert "100 requests per second are configured" in says["vendor limits"]
    assert says["shop orders"].startswith("40, ")
    assert says["store orders"].startswith("30, ")
    assert [len(box.calls) for box in boxes.values()] == [1, 1, 1]


def test_doctor_probes_every_account(loaded, run, boxes):
    data = run("doctor", "--probe", "--json").data
    assert [profile["account"] for profile in data["profiles"]] == list(ACCOUNTS)
    for profile in data["profiles"]:
        source = ACCOUNTS[profile["account"]]
        # One request looked around before.
        assert len(boxes[source].calls) - 1 <= source_of(source).probe_calls
        assert any(found["answer"] != "not seen" for found in profile["answers"])
    shown = run("status").out
    for account in ACCOUNTS:
        assert f"{account}: profile of 20" in shown


@pytest.mark.parametrize("account", ["store", "vendor"])
def test_a_wrong_key_stops_only_its_account(loaded, run, monkeypatch, account):
    variable = {"store": "ULTRACART_SIMPLE_KEY", "vendor": "LICENSESPRING_API_KEY"}[account]
    monkeypatch.setenv(variable, "a-wrong-secret-of-some-length")
    ran = run("doctor", "--json")
    levels = {finding["about"]: finding["level"] for finding in ran.data["findings"]}
    assert {about for about, level in levels.items() if level == "fail"} == {f"{account} source"}
    assert ran.code == 5
    assert "a-wrong-secret" not in ran.out + ran.err


def test_status_tells_each_account_on_one_screen(loaded, run):
    ran = run("status")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Yes: every order up to ")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 130
    for account, source in ACCOUNTS.items():
        assert f"  {account}: {source}, covered from 2023-01-01; never compared by id" in ran.out
    assert run("reconcile", "--no-refresh", "--json").code == 0
    assert run("status").out.count("; compared by id 0 min ago: equal") == 3
    for account in run("status", "--json").data["accounts"]:
        assert account["awaiting_items"] == 0
        assert account["last"]["calls"] > 1


def test_a_backfill_is_planned_for_every_source(loaded, run, boxes):
    asked = ("backfill", "--from", "2023-01-01", "--dry-run")
    plans = run(*asked, "--json").data
    assert [plan["account"] for plan in plans] == list(ACCOUNTS)
    for plan in plans:
        assert plan["questions"] <= source_of(ACCOUNTS[plan["account"]]).plan_calls
        assert plan["calls"] > 0
    out = run(*asked).out
    assert "vendor: 2023-01-01 00:00 to now UTC; the source counts 20 orders" in out


def test_steps_of_unknown_kinds_are_shown_as_they_are(capsys):
    window = Window(datetime(2026, 1, 1, tzinfo=UTC))
    plan = Plan("store", window, 7, [Step("listing", 1, "seven"), Step("tea leaves", 2, "luck")])
    backfill_command._say_plan(plan)
    shown = capsys.readouterr().out
    assert "walk the listing" in shown
    assert "tea leaves" in shown


def test_an_erasure_by_address_names_the_account(loaded, run, boxes):
    order = boxes["ultracart"].truth()[0]
    address = order["billing"]["email"]
    unnamed = run("erase", "--email", address, "--yes")
    assert (unnamed.code, "name it with --account" in unnamed.err) == (3, True)
    still_there = run("erase", "--email", address, "--account", "store", "--yes")
    assert (still_there.code, "deletion of each order" in still_there.err) == (5, True)
    assert address not in still_there.err
    asked = ("erase", "--email", address, "--account", "store", "--keep-at-source", "--yes")
    certificate = json.loads(run(*asked, "--json").out)
    assert certificate["orders"] >= 1
    assert (certificate["source"], certificate["related"]) == ("ultracart", 0)
    assert address not in json.dumps(certificate)


@pytest.mark.parametrize("arguments", [(), ("--email", " "), ("--customer", "")])
def test_an_erasure_of_nobody_is_wrong_use(loaded, run, arguments):
    assert run("erase", "--account", "shop", "--yes", *arguments).code == 2


def test_every_source_has_its_sandbox_in_the_command_line(run):
    listed = run("sandbox", "--help").out
    assert all(f"  {source} " in listed for source in source_names())
