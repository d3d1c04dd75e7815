"""doctor: one line for each thing, and what to do about it."""

from dataclasses import replace

import pytest

from orders_connector.hosts import host_of
from orders_connector.landing.profiles import read_profile
from orders_connector.sandbox.voucherify import Fault, Plan, VoucherifySandbox
from orders_connector.sources.voucherify.probes import MOST_CALLS
from orders_connector.warehouse.database import open_warehouse


def levels(data):
    return {finding["about"]: finding["level"] for finding in data["findings"]}


def test_a_healthy_installation(loaded, run, box):
    box.reset_calls()
    data = run("doctor", "--json").data
    assert set(levels(data).values()) == {"ok"}
    assert data["calls"] == len(box.calls) == 1
    assert "1 request made." in run("doctor").out


def test_before_the_first_load(installation, run):
    ran = run("doctor")
    assert ran.code == 0
    assert "will be made by the first load" in ran.out
    assert not (installation / "data").exists()


def test_limits_come_from_the_headers(installation, run):
    with VoucherifySandbox(10, plan=Plan.SANDBOX) as box:
        file = installation / "orders.toml"
        lines = file.read_text().splitlines()
        lines[3] = f'base_url = "{box.base_url}"'
        file.write_text("\n".join(lines))
        assert "99 of 100 requests are left now" in run("doctor").out


def test_missing_keys(installation, run, monkeypatch, box):
    monkeypatch.delenv("VOUCHERIFY_APP_ID")
    ran = run("doctor")
    assert ran.code == 3
    assert "FAIL  shop keys: " in ran.out
    assert box.calls == []


def test_wrong_keys_are_not_shown(installation, run, monkeypatch):
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", "a-wrong-secret")
    ran = run("doctor")
    assert ran.code == 5
    assert "FAIL  shop source: " in ran.out
    assert "a-wrong-secret" not in ran.out + ran.err


def test_nobody_answers(installation, run, box):
    box.stop()
    data = run("doctor", "--json").data
    assert levels(data)["shop source"] == "fail"
    assert levels(data)["disk"] == "ok"


def test_wrong_configuration(installation, run):
    (installation / "orders.toml").write_text("[warehouse]\nfoo = 1\n")
    ran = run("doctor")
    assert ran.code == 3
    assert ran.out.startswith("FAIL  configuration: ")


def test_a_damaged_copy(loaded, run):
    copy = loaded / "data/published/orders.duckdb"
    copy.unlink()
    copy.write_bytes(b"not a database" * 1000)
    assert levels(run("doctor", "--json").data)["published copy"] == "warn"


PROBED = "select status, calls, known_orders from ops.extractions where strategy = 'probe'"


@pytest.fixture
def quick(installation, box):
    """Files may be downloaded, and exports are done at the first look, so that nobody waits."""
    file = installation / "orders.toml"
    file.write_text(f'{file.read_text()}download_hosts = ["{host_of(box.download_url)}"]\n')
    box.switches = replace(box.switches, export_polls=1)
    box.reset_calls()
    return box


def warehouse(folder):
    return open_warehouse(folder / "data/orders.duckdb", read_only=True)


def test_probing_says_what_it_costs_and_stores_what_it_finds(loaded, run, quick):
    assert "shop: never probed: run `orders-connector doctor --probe`" in run("status").out
    ran = run("doctor", "--probe")
    assert ran.code == 0
    assert f"at most {MOST_CALLS} more requests per account" in ran.out
    assert "  export_header: labels (" in ran.out
    calls = len(quick.calls) + len(quick.downloads)
    assert f"{calls} requests made." in ran.out
    with warehouse(loaded) as con:
        assert read_profile(con, "voucherify", "shop")["last_page"] == "100"
        # One request looked around; the figures of the last load are carried on.
        assert con.execute(PROBED).fetchall() == [("complete", calls - 1, 120)]
    shown = run("status").out
    assert "shop: profile of 20" in shown
    assert "last_page 100, exports_allowed yes" in shown


def test_probing_before_the_first_load(installation, run, quick):
    data = run("doctor", "--probe", "--json").data
    ((profile),) = data["profiles"]
    assert profile["account"] == "shop"
    assert {"capability", "answer", "evidence"} == set(profile["answers"][0])
    assert data["calls"] == len(quick.calls) + len(quick.downloads)
    assert run("sync", "--json").code == 0


def test_an_outage_leaves_the_stored_profile_alone(loaded, run, quick):
    run("doctor", "--probe", "--json")
    with warehouse(loaded) as con:
        before = con.execute("from ops.account_profiles").fetchall()
    quick.faults.add(Fault("status", status=503, path="/v1/", nth=tuple(range(2, 100))))
    ran = run("doctor", "--probe")
    assert ran.code == 5
    assert "no question was answered" in ran.out
    with warehouse(loaded) as con:
        assert con.execute("from ops.account_profiles").fetchall() == before


def test_accounts_with_a_wrong_key_are_not_probed(installation, run, monkeypatch, box):
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", "a-wrong-secret")
    data = run("doctor", "--probe", "--json").data
    assert (data["profiles"], data["calls"]) == ([], 1)


def test_new_keys_are_accepted_by_name(loaded, run, installation, box):
    with VoucherifySandbox(20, seed=99) as other:
        file = installation / "orders.toml"
        file.write_text(file.read_text().replace(box.base_url, other.base_url))
        refused = run("sync")
        assert refused.code == 3
        assert "run `orders-connector doctor --accept-keys shop`" in refused.err
        assert run("doctor", "--accept-keys", "nobody").code == 3
        assert run("sync").code == 3
        assert run("doctor", "--accept-keys", "shop").code == 0
        assert run("sync").code == 0
