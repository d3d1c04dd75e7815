"""Nights against a shop that lives: what is loaded, and what the UI says about it."""

import json
from types import SimpleNamespace

import dagster as dg
import pytest

MARTS = ("daily_discounts", "daily_revenue", "daily_status")


@pytest.fixture(scope="module")
def nights(opened):
    """Two nights with a day of life between them."""
    here = opened()
    first = here.nightly("2026-07-31")
    first_shown = {mart: here.shown("marts", mart) for mart in MARTS}
    first_calls = len(here.box.calls)
    here.box.reset_calls()
    here.live_on(1)
    second = here.nightly("2026-08-01")
    return SimpleNamespace(
        here=here,
        first=first,
        first_shown=first_shown,
        first_calls=first_calls,
        second=second,
    )


def test_both_nights_succeed_in_the_same_steps(nights):
    for night in (nights.first, nights.second):
        assert night.success
        steps = nights.here.steps(night)
        assert steps[:3] == ["raw__shop_orders", "raw__shop_reconciliation", "refreshed_models"]
        assert sorted(steps[3:-2]) == ["account_checks", "model_checks"]
        assert steps[-2:] == ["published", "dashboard"]


def test_every_check_passes(nights):
    for night in (nights.first, nights.second):
        checks = night.get_asset_check_evaluations()
        all_checks = nights.here.defs.resolve_asset_graph().asset_check_keys
        by_hand = dg.AssetKey(["raw", "shop_exported_orders"])
        nightly = {check for check in all_checks if check.asset_key != by_hand}
        assert {check.asset_check_key for check in checks} == nightly
        assert nights.here.failed_checks(night) == set()


def test_all_orders_of_the_shop_are_in_the_warehouse(nights):
    assert nights.here.query("select count(*) from core.orders") == [(len(nights.here.box.shop),)]


def test_the_second_night_reads_what_changed_only(nights):
    facts = nights.here.logged(nights.second, "raw", "shop_orders")["2026-08-01"]
    changed = nights.here.query(
        "select count(*) from raw.order_payloads where extraction_id ="
        " (select extraction_id from ops.extractions where strategy = 'listing'"
        "  order by ended_at desc limit 1)"
    )
    assert [(facts["versions_landed"],)] == changed
    assert 0 < facts["versions_landed"] < 150
    compared = nights.here.logged(nights.second, "raw", "shop_reconciliation")[None]
    asked = len(nights.here.box.calls) + len(nights.here.box.downloads)
    assert facts["calls"] + compared["calls"] == asked
    assert nights.here.query("select count(*) from raw.order_payloads") == [
        (facts["dagster/row_count"],)
    ]


def test_the_first_night_shows_every_covered_day(nights, between):
    logged = nights.here.logged(nights.first, "raw", "shop_orders")
    assert logged.keys() == between("2026-06-20", "2026-07-31")
    assert nights.here.shown("raw", "shop_orders") == between("2026-06-20", "2026-08-01")


def test_every_business_date_is_shown_also_those_without_orders(nights, between):
    for mart in MARTS:
        ((first, last),) = nights.here.query(
            "select greatest(min(order_date), '2026-06-20')::varchar, max(order_date)::varchar"
            f" from marts.{mart}"
        )
        assert nights.here.shown("marts", mart) == between(first, last)


def test_the_second_night_logs_exactly_the_dates_it_touched(nights):
    ((report,),) = nights.here.query("select report from ops.loads order by ended_at desc limit 1")
    for model in json.loads(report):
        layer, name = model["model"].split(".")
        if name not in MARTS:
            continue
        logged = nights.here.logged(nights.second, layer, name)
        touched = {day for day in model["dates"] if day >= "2026-06-20"}
        assert logged.keys() == touched
        assert 0 < len(touched) < len(nights.first_shown[name])
        restated = {day for day, facts in logged.items() if facts["restated"]}
        assert restated == {day for day in model["restated"] if day >= "2026-06-20"}
        rows = dict(
            nights.here.query(f"select order_date::varchar, count(*) from marts.{name} group by 1")
        )
        assert {day: facts["dagster/partition_row_count"] for day, facts in logged.items()} == {
            day: rows.get(day, 0) for day in touched
        }


def test_models_and_views_say_how_many_rows_they_have(nights):
    for layer, name in (
        ("core", "orders"),
        ("staging", "voucherify_orders"),
        ("marts", "daily_summary"),
    ):
        ((rows,),) = nights.here.query(f"select count(*) from {layer}.{name}")
        assert nights.here.logged(nights.second, layer, name)[None]["dagster/row_count"] == rows


def test_the_published_file_is_the_warehouse(nights):
    facts = nights.here.logged(nights.second, "published")[None]
    copy = nights.here.published
    assert facts["path"] == str(copy)
    assert facts["bytes"] == copy.stat().st_size
    for table in ("core.orders", "core.order_items", "marts.daily_summary"):
        query = f"select * from {table} order by all"
        assert nights.here.query(query, copy) == nights.here.query(query)
    ((metadata,),) = nights.here.query("select metadata from meta.publication", copy)
    assert json.loads(metadata) == {"run_id": nights.second.run_id}


def test_an_extraction_shows_its_proof_and_no_personal_data(nights):
    facts = nights.here.logged(nights.second, "raw", "shop_orders")["2026-08-01"]
    assert facts["status"] == "complete"
    assert facts["missing"] == "nothing"
    assert facts["proven"].startswith("[2026-08-01T00:00:00+00:00, 2026-08-02T12")
    assert "-updated_at | floor" in facts["walks"]
    assert facts["bytes"] > 0
    assert len(facts["preview"].splitlines()) == 2 + 5
    assert "@" not in facts["preview"]
    assert "customer" not in facts["preview"]


def test_a_night_without_news_logs_no_business_date(nights):
    again = nights.here.nightly("2026-08-01")
    assert again.success
    for mart in MARTS:
        assert nights.here.logged(again, "marts", mart) == {}
    assert nights.here.logged(again, "core", "orders")[None]["mode"] == "unchanged"


def test_missed_nights_heal_with_the_next_one(nights, between):
    here = nights.here
    here.live_on(3)
    night = here.nightly("2026-08-04")
    assert night.success
    assert here.logged(night, "raw", "shop_orders").keys() == between("2026-08-02", "2026-08-04")
    assert here.failed_checks(night) == set()
    known = here.query("select order_id from core.orders where not is_deleted")
    assert {order for (order,) in known} == {order["id"] for order in here.box.shop.truth()}


def test_the_ui_catches_up_with_loads_made_without_dagster(nights):
    here = nights.here
    shown = here.shown("marts", "daily_revenue")
    with dg.DagsterInstance.ephemeral() as lost_its_storage:
        here.instance = lost_its_storage
        night = here.nightly("2026-08-04")
        assert here.logged(night, "core", "orders")[None]["mode"] == "unchanged"
        assert here.shown("marts", "daily_revenue") == shown
