"""Nights that go wrong: what is kept, what is shown, what readers see."""

import dataclasses

import dagster as dg
import pytest

from orders_connector.sandbox.voucherify import Fault


def everything_logged(here, result):
    return "\n".join(str(entry.to_json()) for entry in here.instance.all_logs(result.run_id))


def test_wrong_keys_fail_once_with_advice_and_without_the_secret(here, monkeypatch):
    monkeypatch.setenv("SHOP_APP_TOKEN", "this-is-no-token-of-the-shop")
    result = here.nightly()
    assert here.failed_steps(result) == {"raw__shop_orders"}
    assert here.steps(result) == []
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    text = everything_logged(here, result)
    assert "401" in failure.step_failure_data.error_display_string
    assert "this-is-no-token" not in text
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert len(here.box.calls) == 1


def test_a_missing_key_is_named(here, monkeypatch):
    monkeypatch.delenv("SHOP_APP_TOKEN")
    result = here.nightly()
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "SHOP_APP_TOKEN is not set" in failure.step_failure_data.error_display_string
    assert here.box.calls == []


def test_items_that_cannot_be_asked_for_do_not_hold_back_the_figures(here, sensor, monkeypatch):
    assert here.nightly().success
    monkeypatch.delenv("SHOP_APP_TOKEN")
    result = here.run("hydrate")
    assert here.failed_steps(result) == {"raw__shop_hydrated_orders"}
    assert isinstance(sensor(here, result), dg.RunRequest)


def test_what_a_failed_extraction_read_is_kept_refreshed_and_made_whole(
    at_once, sensor, installation
):
    here = installation()
    here.box.faults.add(Fault("status", nth=tuple(range(2, 20))))  # all but the first page
    result = here.nightly()
    assert here.failed_steps(result) == {"raw__shop_orders"}
    assert [event for event in result.all_events if event.is_step_up_for_retry]
    ((kept,),) = here.query("select count(*) from raw.order_payloads")
    assert 0 < kept < len(here.box.shop)
    assert here.shown("raw", "shop_orders") == set()

    assert isinstance(sensor(here, result), dg.RunRequest)
    refreshed = here.run("refresh")
    assert refreshed.success
    assert "raw.shop_orders.coverage_has_no_gap" in here.failed_checks(refreshed)
    assert here.query("select count(*) from core.orders", here.published) == [(kept,)]

    here.box.faults.clear()
    healed = here.nightly()
    assert healed.success
    assert here.failed_checks(healed) == set()
    assert here.query("select count(*) from core.orders", here.published) == [(len(here.box.shop),)]


def test_one_broken_account_does_not_hold_back_the_other(installation, sensor, monkeypatch):
    here = installation(accounts={"north": "voucherify", "south": "voucherify"}, orders=60)
    monkeypatch.setenv("SOUTH_APP_TOKEN", "broken")
    result = here.nightly()
    assert here.failed_steps(result) == {"raw__south_orders"}
    assert here.steps(result) == ["raw__north_orders", "raw__north_reconciliation"]
    assert isinstance(sensor(here, result), dg.RunRequest)
    assert here.run("refresh").success
    assert here.query("select account, count(*) from core.orders group by 1", here.published) == [
        ("north", len(here.boxes["north"].shop))
    ]


def test_history_out_of_reach_is_shown_and_stops_nothing(installation):
    here = installation(orders=600)
    here.box.switches = dataclasses.replace(here.box.switches, listing_pages=3, export_allowed="no")
    first = here.nightly()
    assert first.success
    assert here.failed_checks(first) == {
        "raw.shop_orders.window_is_covered",
        "raw.shop_orders.coverage_has_no_gap",
        "raw.shop_reconciliation.reconciled",
    }
    severities = {c.severity for c in first.get_asset_check_evaluations() if not c.passed}
    assert severities == {dg.AssetCheckSeverity.WARN}
    assert "2026-07-31" in here.shown("raw", "shop_orders")
    assert "2026-06-20" not in here.shown("raw", "shop_orders")
    ((orders,),) = here.query("select count(*) from core.orders", here.published)
    assert 300 <= orders < 600
    here.live_on(1)
    second = here.nightly("2026-08-01")
    assert second.success
    assert here.failed_checks(second) == {
        "raw.shop_orders.coverage_has_no_gap",
        "raw.shop_reconciliation.reconciled",
    }
    # Whoever may not export is not asked every night.
    here.box.reset_calls()
    again = here.nightly("2026-08-01")
    assert "raw__shop_reconciliation" in here.steps(again)
    assert not [call for call in here.box.calls if call.method == "POST"]


def test_checks_guard_the_published_copy(here, sensor):
    assert here.nightly().success
    here.tamper("update marts.daily_status set discounts_minor = discounts_minor + 1")
    warned = here.run("refresh")
    assert warned.success
    assert here.failed_checks(warned) == {"marts.daily_status.net_is_gross_less_discounts"}

    before = here.published.stat().st_mtime_ns
    current = here.published.parent / "exports/current"
    version = current.readlink()
    here.tamper("insert into core.orders from core.orders limit 1")
    blocked = here.nightly()
    assert here.failed_steps(blocked) == {"model_checks"}
    assert "published" not in here.steps(blocked)
    assert here.published.stat().st_mtime_ns == before
    assert current.readlink() == version
    (broken,) = [
        check
        for check in blocked.get_asset_check_evaluations()
        if not check.passed and check.asset_key == dg.AssetKey(["core", "orders"])
    ]
    assert broken.check_name == "unique_source_account_order_id"
    assert broken.severity == dg.AssetCheckSeverity.ERROR
    assert broken.metadata["failing_rows"].value == 1
    assert "| source | account | order_id | rows |" in broken.metadata["sample"].value
    assert isinstance(sensor(here, blocked), dg.SkipReason)


def test_the_warehouse_is_free_after_an_error(here):
    warehouse = here.defs.resources["warehouse"]
    with pytest.raises(ZeroDivisionError), warehouse.get_connection() as con:
        raise ZeroDivisionError
    with pytest.raises(Exception, match="closed"):
        con.execute("select 1")
