"""Exports, items and comparisons: what each asset does, and what the UI says about it."""

from dataclasses import replace

import dagster as dg
import pytest

from orders_connector.sandbox.voucherify import Fault

EXPORTED, HYDRATED = ("raw", "shop_exported_orders"), ("raw", "shop_hydrated_orders")
RECONCILIATION = ("raw", "shop_reconciliation")


@pytest.fixture
def deep(here):
    """A shop whose listing reaches 100 of its 300 orders; loads leave the items of the rest."""
    for _ in range(150):
        here.box.moves.make("create")
    here.box.switches = replace(here.box.switches, listing_pages=1)
    here.settings.accounts["shop"] = here.settings.accounts["shop"].model_copy(
        update={"hydration_calls_per_run": 0}
    )
    return here


def check_of(result, name):
    (found,) = [c for c in result.get_asset_check_evaluations() if c.check_name == name]
    return found


def starts(here):
    return len([call for call in here.box.calls if call.method == "POST"])


def test_covered_days_are_exported_again_in_one_run(here, between):
    assert here.nightly().success
    here.box.reset_calls()
    result = here.rebuild([EXPORTED], "2026-07-01", "2026-07-10")
    assert result.success
    logged = here.logged(result, *EXPORTED)
    assert logged.keys() == between("2026-07-01", "2026-07-10")
    assert check_of(result, "window_is_covered").passed
    facts = logged["2026-07-01"]
    assert facts["exports"] == starts(here) == 2  # by change and by creation
    # Ten minutes earlier than asked for: the overlap.
    assert "| updated_at | 2026-06-30 23:50:00+00:00 | 2026-07-11" in facts["export_files"]
    assert "| created_at |" in facts["export_files"]
    assert facts["calls"] == len(here.box.calls) + len(here.box.downloads)
    assert facts["bytes"] > 0
    assert facts["proven"].startswith("[2026-07-01T00:00:00+00:00, 2026-07-11")


def test_an_export_that_is_refused_fails_once_and_says_why(here):
    here.box.switches = replace(here.box.switches, export_allowed="no")
    result = here.rebuild([EXPORTED], "2026-07-01", "2026-07-10")
    assert here.failed_steps(result) == {"raw__shop_exported_orders"}
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "403" in failure.step_failure_data.error_display_string


def test_items_that_wait_are_shown_and_fetched_on_request(deep):
    night = deep.nightly()
    assert night.success
    assert deep.failed_checks(night) == {"raw.shop_orders.items_are_complete"}
    awaiting = check_of(night, "items_are_complete").metadata
    waiting = awaiting["orders_awaiting_items"].value
    assert awaiting["share"].value == waiting / len(deep.box.shop)
    assert deep.logged(night, "raw", "shop_orders")["2026-07-31"]["awaiting_items"] == waiting > 5

    def fetch(calls):
        config = {"ops": {"raw__shop_hydrated_orders": {"config": {"calls": calls}}}}
        result = deep.run("hydrate", run_config=config)
        return result, deep.logged(result, *HYDRATED)[None]

    result, facts = fetch(5)
    assert result.success
    assert facts["calls"] == 5
    assert facts["awaiting"] == waiting - facts["orders"] > 0
    result, facts = fetch(1_000)
    assert facts["awaiting"] == 0
    assert deep.failed_checks(result) == set()
    assert deep.query(
        "select count(*) from core.orders where detail_level = 'export'", deep.published
    ) == [(0,)]


def test_a_comparison_names_orders_that_differ_and_repairs_them(here):
    assert here.nightly().success
    wrong, erased = sorted(order["id"] for order in here.box.shop.truth())[:2]
    here.tamper(f"delete from raw.order_payloads where order_id = '{wrong}'")
    here.box.shop.delete(erased)
    result = here.rebuild([RECONCILIATION])
    assert result.success
    found = check_of(result, "reconciled")
    assert found.passed
    assert found.metadata["status"].value == "repaired"
    assert f"| {wrong} |" in found.metadata["differing_orders"].value
    assert f"| {erased} |" in found.metadata["differing_orders"].value
    assert "| vanished | 1 | 1 |" in found.metadata["differences"].value
    facts = here.logged(result, *RECONCILIATION)[None]
    assert facts["source_total"] == facts["warehouse_orders"] == len(here.box.shop)


def test_a_difference_that_is_left_is_told_and_stops_nothing(here):
    assert here.nightly().success
    gone = here.box.shop.truth()[0]["id"]
    here.box.shop.delete(gone)
    config = {"ops": {"raw__shop_reconciliation": {"config": {"repair_calls": 0}}}}
    night = here.nightly(run_config=config)
    assert night.success
    found = check_of(night, "reconciled")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["status"].value == "different"
    assert "differing_days" in found.metadata
    assert "published" in here.steps(night)


def test_a_comparison_that_fails_stops_nothing(here):
    here.box.faults.add(Fault("status", method="POST", path="/v1/orders/export"))
    night = here.nightly()
    assert night.success
    assert here.failed_checks(night) == {"raw.shop_reconciliation.reconciled"}
    found = check_of(night, "reconciled")
    assert found.metadata["status"].value == "failed"
    assert "500" in found.metadata["reason"].value
    assert "published" in here.steps(night)
