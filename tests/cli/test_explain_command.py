"""explain, restatements, metrics: what a figure is made of and what became of it."""

import re

import duckdb
import pytest


@pytest.fixture(scope="session")
def a_day(first_load):
    folder, _ = first_load
    with duckdb.connect(str(folder / "data/published/orders.duckdb"), read_only=True) as con:
        return con.execute(
            "select order_date, net_revenue_minor, orders_recognised from marts.daily_revenue"
            " order by orders_recognised desc, order_date limit 1"
        ).fetchall()[0]


def test_the_orders_behind_a_figure_add_up(published, run, a_day):
    day, net, orders = a_day
    (found,) = run("explain", "daily_revenue", day, "--metric", "net_revenue", "--json").data
    assert len(found["contributions"]) == orders
    assert sum(float(c["amount"]) for c in found["contributions"]) == net
    assert float(found["total"]) == float(found["value"]) == net
    shown = run("explain", "daily_revenue", day, "--metric", "net_revenue")
    assert shown.code == 0
    assert f"EUR: {net:,} minor units\n" in shown.out
    assert f"adds up: {orders} rows, {net:,}." in shown.out
    assert found["contributions"][0]["order_id"] in shown.out


def test_all_metrics_of_a_day(published, run, a_day):
    day, net, _ = a_day
    out = run("explain", "daily_revenue", day).out
    assert re.search(rf" net_revenue +{net:,}  minor units ", out)
    assert "DOES NOT ADD UP" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("daily_revenue", "1999-01-01"), 6, "no row for 1999-01-01"),
        (("daily_revenue", "2026-01-01", "--metric", "profit"), 2, "has no metric profit"),
        (("profit", "2026-01-01"), 2, "there is no such mart"),
    ],
)
def test_what_there_is_not(published, run, arguments, code, text):
    ran = run("explain", *arguments)
    assert ran.code == code
    assert text in ran.err


def test_restatements_of_a_second_load(loaded, run, box):
    assert run("restatements").out == "no past figure was changed\n"
    box.moves.day()
    assert run("sync").code == 0
    found = run("restatements", "--json").data
    net = [r for r in found if r["metric"] == "net_revenue_minor"]
    assert net
    assert all(float(r["after"]) - float(r["before"]) == float(r["difference"]) for r in net)
    assert all(r["orders"] >= len(r["examples"]) > 0 for r in found)
    out = run("restatements").out
    assert net[0]["order_date"] in out
    assert "by 1 load" in out
    assert run("restatements", "--since", "2999-01-01", "--json").data == []
    assert run("restatements", "--account", "nobody", "--json").data == []


def test_metrics_have_a_version_and_a_formula(published, run):
    found = run("metrics", "--json").data
    net = found["net_revenue"]
    assert (net["model"], net["terms"]["version"]) == ("marts.daily_revenue", 1)
    assert net["formula"] in run("metrics").out


def test_a_published_copy_answers_for_a_past_evening(published, run):
    rows = run("query", "from marts.daily_revenue_as_of('2999-01-01T00:00:00Z')", "--json").data
    now = run("query", "from marts.daily_revenue", "--json").data
    assert sum(r["net_revenue_minor"] for r in rows) == sum(r["net_revenue_minor"] for r in now)
