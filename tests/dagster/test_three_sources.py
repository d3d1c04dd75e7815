"""Nights of one installation with an account of each source."""

import re
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from orders_connector.sandbox.ultracart import Fault
from orders_connector.sources.registry import source_names, source_of

ACCOUNTS = {"shop": "voucherify", "cart": "ultracart", "vendor": "licensespring"}
COMPARED = {"equal", "repaired"}
PROJECT = Path(__file__).parents[2] / "dagster_project"


def orders_of(here, name):
    return {
        order_id
        for (order_id,) in here.query(
            f"select order_id from core.orders where account = '{name}' and not is_deleted"
        )
    }


def truth_of(here, name):
    key = "order_id" if ACCOUNTS[name] == "ultracart" else "id"
    return {str(order[key]) for order in here.boxes[name].shop.truth()}


def check_of(result, name):
    key = dg.AssetKey(["raw", f"{name}_reconciliation"])
    (found,) = [c for c in result.get_asset_check_evaluations() if c.asset_key == key]
    return found


def compare(here, name):
    """Compare by hand."""
    return check_of(here.rebuild([("raw", f"{name}_reconciliation")]), name)


def compare_at_night(here, name):
    """Run the comparison as a step of the nightly job, without the others."""
    chosen = [dg.AssetKey(["raw", f"{name}_reconciliation"])]
    return here.nightly("2026-08-01", asset_selection=chosen)


def days_ago(here, name, days):
    """Let the last comparison of an account be some days older."""
    here.tamper(
        f"update ops.reconciliations set started_at = started_at - interval {days} day,"
        f" ended_at = ended_at - interval {days} day where account = '{name}'"
    )


@pytest.fixture(scope="module")
def nights(opened):
    """Two nights with a day of life between them."""
    here = opened(accounts=ACCOUNTS, orders=120)
    first = here.nightly("2026-07-31")
    here.live_on(1)
    second = here.nightly("2026-08-01")
    return SimpleNamespace(here=here, first=first, second=second)


def test_every_account_is_read_and_compared_before_anything_is_built(nights):
    for night in (nights.first, nights.second):
        assert night.success
        steps = nights.here.steps(night)
        assert sorted(steps[:6]) == sorted(
            f"raw__{name}_{what}" for name in ACCOUNTS for what in ("orders", "reconciliation")
        )
        assert steps[6:] in (
            ["refreshed_models", "account_checks", "model_checks", "published", "dashboard"],
            ["refreshed_models", "model_checks", "account_checks", "published", "dashboard"],
        )
        assert nights.here.failed_checks(night) == set()


@pytest.mark.parametrize("name", ACCOUNTS)
def test_what_changed_between_the_nights_is_there(nights, name):
    missing = truth_of(nights.here, name) - orders_of(nights.here, name)
    assert missing == set()
    facts = nights.here.logged(nights.second, "raw", f"{name}_orders")["2026-08-01"]
    assert facts["status"] == "complete"
    assert 0 < facts["versions_landed"] < facts["dagster/row_count"]


@pytest.mark.parametrize("name", ACCOUNTS)
def test_the_days_of_each_account_are_shown(nights, between, name):
    logged = nights.here.logged(nights.first, "raw", f"{name}_orders")
    assert logged.keys() == between("2026-06-20", "2026-07-31")
    assert nights.here.shown("raw", f"{name}_orders") == between("2026-06-20", "2026-08-01")


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_preview_shows_no_content(nights, name):
    preview = nights.here.logged(nights.second, "raw", f"{name}_orders")["2026-08-01"]["preview"]
    head, _, *rows = preview.splitlines()
    assert head == "| order | part | version_at | channel | loaded_at |"
    assert len(rows) == 5
    assert "@" not in preview


def test_readers_see_all_sources(nights):
    for table in ("core.orders", "marts.daily_revenue", "marts.daily_status"):
        query = f"select source, account, count(*) from {table} group by all order by all"
        shown = nights.here.query(query, nights.here.published)
        assert shown == nights.here.query(query)
        assert {(source, account) for source, account, _ in shown} == {
            (source, name) for name, source in ACCOUNTS.items()
        }


def test_only_cheap_comparisons_are_made_every_night(nights):
    for name in ACCOUNTS:
        assert check_of(nights.first, name).metadata["status"].value in COMPARED
    assert check_of(nights.second, "shop").metadata["status"].value in COMPARED
    for name in ("cart", "vendor"):
        skipped = check_of(nights.second, name)
        assert skipped.passed
        assert skipped.metadata["status"].value == "not due"
        assert "next in 7 days" in skipped.metadata["reason"].value


def test_a_comparison_by_hand_is_made_at_once(nights):
    here = nights.here
    for name in ("cart", "vendor"):
        assert compare(here, name).metadata["status"].value in COMPARED
    assert here.run("refresh").success
    for name in ACCOUNTS:
        assert orders_of(here, name) == truth_of(here, name)


def test_a_skipped_comparison_says_when_and_repeats_what_was_found(nights):
    here = nights.here
    gone = min(orders_of(here, "cart"))
    here.boxes["cart"].shop.delete(gone)
    assert compare(here, "cart").metadata["status"].value == "repaired"
    days_ago(here, "cart", 3)
    here.boxes["cart"].reset_calls()
    night = compare_at_night(here, "cart")
    assert here.boxes["cart"].calls == []
    skipped = check_of(night, "cart")
    assert skipped.passed
    assert skipped.metadata["reason"].value == "compared 3 days ago (repaired), next in 4 days"
    assert f"| {gone} |" in skipped.metadata["differing_orders"].value
    facts = here.logged(night, "raw", "cart_reconciliation")[None]
    assert facts["status"] == "not due"
    assert facts["reason"] == skipped.metadata["reason"].value


def test_what_was_left_different_stays_a_warning_while_nothing_is_compared(nights):
    here = nights.here
    here.tamper("update ops.reconciliations set status = 'different' where account = 'vendor'")
    skipped = check_of(compare_at_night(here, "vendor"), "vendor")
    assert (skipped.passed, skipped.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "(different)" in skipped.metadata["reason"].value


def test_it_is_compared_again_after_so_many_days_and_after_a_failure(nights):
    here = nights.here
    days_ago(here, "cart", 7)
    here.tamper("update ops.reconciliations set status = 'failed' where account = 'vendor'")
    for name in ("cart", "vendor"):
        done = check_of(compare_at_night(here, name), name)
        assert done.metadata["status"].value in COMPARED


def test_a_comparison_that_the_call_budget_ended_is_not_repeated_every_night(nights):
    here = nights.here
    assert compare(here, "vendor").metadata["status"].value in COMPARED
    here.tamper(
        "update ops.reconciliations set status = 'failed', reason = 'Account vendor used the 16"
        " requests that one run may make.' where account = 'vendor'"
    )
    days_ago(here, "vendor", 2)
    here.boxes["vendor"].reset_calls()
    skipped = check_of(compare_at_night(here, "vendor"), "vendor")
    assert here.boxes["vendor"].calls == []
    assert not skipped.passed
    why = "the call budget ended a comparison 2 days ago (failed), next in 5 days"
    assert skipped.metadata["reason"].value == why
    days_ago(here, "vendor", 5)
    done = check_of(compare_at_night(here, "vendor"), "vendor")
    assert done.metadata["status"].value in COMPARED


@pytest.mark.parametrize(("name", "days"), [("shop", 2), ("cart", 1)])
def test_how_often_is_a_setting_of_the_account(nights, monkeypatch, name, days):
    here = nights.here
    account = here.settings.accounts[name].model_copy(update={"reconcile_every_days": days})
    accounts = here.settings.accounts | {name: account}
    changed = here.settings.model_copy(update={"accounts": accounts})
    monkeypatch.setattr(here, "defs", build_definitions(changed))
    done = check_of(compare_at_night(here, name), name).metadata
    if days == 1:
        assert done["status"].value in COMPARED
    else:
        assert done["status"].value == "not due"
        assert done["reason"].value.endswith("next in 2 days")


def test_a_range_of_days_of_all_accounts_is_one_run_with_one_plan_each(nights, between):
    here = nights.here
    before = dict(here.query("select account, max(ended_at) from ops.extractions group by 1"))
    result = here.rebuild(
        [("raw", f"{name}_orders") for name in ACCOUNTS], "2026-07-01", "2026-07-10"
    )
    assert result.success
    for name in ACCOUNTS:
        logged = here.logged(result, "raw", f"{name}_orders")
        assert logged.keys() == between("2026-07-01", "2026-07-10")
        assert logged["2026-07-01"]["asked"].startswith("[2026-07-01T00:00:00+00:00, 2026-07-11")
        runs = here.query(
            "select count(*), any_value(window_from)::varchar, any_value(window_to)::varchar"
            f" from ops.extractions where account = '{name}' and strategy = 'listing'"
            f" and status <> 'landed' and ended_at > '{before[name].isoformat()}'"
        )
        assert runs == [(1, "2026-07-01 00:00:00+00", "2026-07-11 00:00:00+00")]


def test_a_source_that_is_down_holds_back_no_other(at_once, installation, sensor):
    here = installation(accounts=ACCOUNTS, orders=30)
    here.boxes["cart"].faults.add(Fault("status", nth=tuple(range(1, 500))))
    night = here.nightly("2026-07-31")
    assert here.failed_steps(night) == {"raw__cart_orders"}
    others = [name for name in ACCOUNTS if name != "cart"]
    assert sorted(here.steps(night)) == sorted(
        f"raw__{name}_{what}" for name in others for what in ("orders", "reconciliation")
    )
    assert isinstance(sensor(here, night), dg.RunRequest)
    refreshed = here.run("refresh")
    assert refreshed.success
    assert here.failed_checks(refreshed) == {"raw.cart_orders.coverage_has_no_gap"}
    counted = "select account, count(*) from core.orders group by all"
    assert dict(here.query(counted, here.published)) == dict.fromkeys(others, 30)

    here.boxes["cart"].faults.clear()
    healed = here.nightly("2026-07-31")
    assert healed.success
    assert here.failed_checks(healed) == set()
    assert dict(here.query(counted, here.published)) == dict.fromkeys(ACCOUNTS, 30)


def test_what_only_exports_need_is_made_for_accounts_with_exports_alone(nights, opened):
    graph = nights.here.defs.resolve_asset_graph()
    raw = {key.path[-1] for key in graph.get_all_asset_keys()}
    for name, source in ACCOUNTS.items():
        exports = source_of(source).makes_exports
        assert (f"{name}_exported_orders" in raw) is exports
        assert (f"{name}_hydrated_orders" in raw) is exports
    without = opened(accounts={"cart": "ultracart"}, orders=0)
    assert {job.name for job in without.defs.jobs} == {"nightly", "refresh"}


def test_the_ui_says_how_each_source_is_read(nights):
    assert set(ACCOUNTS.values()) == set(source_names())
    graph = nights.here.defs.resolve_asset_graph()
    for name, source in ACCOUNTS.items():
        assert source_of(source).reads
        description = graph.get(dg.AssetKey(["raw", f"{name}_orders"])).description
        assert source_of(source).reads in description


def test_the_dagster_project_names_no_source():
    text = "\n".join(path.read_text() for path in sorted(PROJECT.rglob("*.py")))
    assert re.findall("|".join(source_names()), text.lower()) == []
