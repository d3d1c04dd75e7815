"""`backfill`: what it says beforehand is what it does."""

import pytest

from orders_connector.sandbox.voucherify import Plan, Switches, VoucherifySandbox
from orders_connector.sources.voucherify.loading.planner import MOST_QUESTIONS
from tests.conftest import CONFIG, NOW


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A shop three times the listing's reach, on the plan with 2,000 requests per minute."""
    switches = Switches(listing_pages=3, export_polls=1)
    with VoucherifySandbox(900, now=NOW, switches=switches, plan=Plan.ORGANIZATION) as box:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("VOUCHERIFY_APP_ID", box.app_id)
        monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", box.app_token)
        (tmp_path / "orders.toml").write_text(
            CONFIG.format(
                base_url=box.base_url,
                download_host=box.download_url.removeprefix("http://"),
                extra="calls_per_cycle = 300000",
            )
        )
        yield box


def test_the_plan_tells_the_cost_and_the_run_keeps_to_it(shop, run):
    asked = ("backfill", "--from", "2020-01-01", "--to", "2026-08-01T12:00")
    told = run(*asked, "--dry-run")
    assert "the source counts 900 orders" in told.out
    assert "of the billing cycle's 300,000" in told.out
    assert "1,800 calls per 60 s" in told.out
    assert len(shop.calls) <= MOST_QUESTIONS
    assert {call.method for call in shop.calls} == {"GET"}

    (plan,) = run(*asked, "--dry-run", "--json").data
    shop.reset_calls()
    done = run(*asked, "--json").data
    (load,) = done["accounts"]
    assert (load["status"], load["missing"], load["awaiting_items"]) == ("complete", [], 0)
    assert load["calls"] == len(shop.calls) + len(shop.downloads)
    assert load["calls"] == pytest.approx(plan["calls"], rel=0.05)
    assert (plan["headers"], plan["items"]) == (1, 1)
    shares = run(
        "query", "select min(item_detail_share) as share from marts.daily_summary", "--json"
    ).data
    assert [float(row["share"]) for row in shares] == [1.0]

    shop.reset_calls()
    assert "nothing to do" not in run(*asked, "--dry-run").out
    again = run(*asked, "--json").data["accounts"][0]
    assert (again["status"], again["versions_landed"]) == ("complete", 0)
    assert again["calls"] <= 20


def test_header_facts_alone_and_items_in_two_runs(shop, run):
    asked = ("backfill", "--from", "2020-01-01", "--json")
    headers = run(*asked, "--no-items").data["accounts"][0]
    assert headers["status"] == "complete"
    awaiting = headers["awaiting_items"]
    assert f"{awaiting} of 900 orders are known from exports alone" in run("status").out
    first = run(*asked, "--most-calls", "40").data["accounts"][0]
    assert 0 < first["awaiting_items"] < awaiting
    assert first["calls"] <= 40 + 4
    last = run(*asked).data["accounts"][0]
    assert last["awaiting_items"] == 0
    assert {call.path for call in shop.calls if call.method == "POST"} == {"/v1/orders/export"}


def test_a_budget_that_is_too_small_is_told_beforehand(shop, run, monkeypatch):
    monkeypatch.setenv("ORDERS_ACCOUNTS__SHOP__MAX_CALLS_PER_RUN", "100")
    (plan,) = run("backfill", "--from", "2020-01-01", "--dry-run", "--json").data
    assert plan["runs"] > 1
    assert plan["items"] < 1
    done = run("backfill", "--from", "2020-01-01", "--json").data["accounts"][0]
    assert (done["status"], done["missing"]) == ("complete", [])
    assert done["awaiting_items"] > 0
    assert done["calls"] <= 100


def test_a_window_that_is_empty_is_refused(shop, run):
    wrong = run("backfill", "--from", "2026-02-01", "--to", "2026-01-01")
    assert wrong.code == 2
    assert "not after --from" in wrong.err
