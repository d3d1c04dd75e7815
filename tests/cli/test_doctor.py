"""doctor: one line for each thing, and what to do about it."""

from orders_connector.sandbox.voucherify import Plan, VoucherifySandbox


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
