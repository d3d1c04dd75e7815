"""query: one read-only statement on the published copy."""

import pytest


def test_before_anything_is_published(installation, run):
    ran = run("query", "select 1")
    assert ran.code == 6
    assert "orders-connector sync" in ran.err


def test_a_table_with_numbers_on_the_right(published, run):
    ran = run("query", "select 'a' as name, 5 as n, 1.50::decimal(18, 2) as money, null as empty")
    assert [line.rstrip() for line in ran.out.splitlines()] == [
        "name  n  money  empty",
        "a     5   1.50",
    ]


def test_limits(published, run):
    sql = "select order_id from core.orders"
    assert len(run("query", sql).out.splitlines()) == 52
    assert "the first 50 rows" in run("query", sql).out
    assert len(run("query", sql, "--limit", "0").out.splitlines()) == 121
    assert len(run("query", sql, "--format", "csv").out.splitlines()) == 121
    assert len(run("query", sql, "--json", "--limit", "3").data) == 3


def test_machine_formats_are_exact(published, run):
    sql = "select 0.10::decimal(18, 2) as m, date '2026-01-31' as d, null as n, 'a,\"b\"' as t"
    assert run("query", sql, "--format", "csv").out == 'm,d,n,t\n0.10,2026-01-31,,"a,""b"""\n'
    assert run("query", sql, "--json").data == [
        {"m": "0.10", "d": "2026-01-31", "n": None, "t": 'a,"b"'}
    ]


def test_codes_from_outside_are_not_markup(published, run):
    assert "[bold]sale[/bold]" in run("query", "select '[bold]sale[/bold]' as code").out


@pytest.mark.parametrize(
    "statement",
    [
        "from core.orders limit 1",
        "describe core.orders",
        "summarize core.orders",
        "values (1)",
        "explain from core.orders",
        "with t as (select 1 as a) from t",
        "show tables",
    ],
)
def test_what_reads_is_let_through(published, run, statement):
    assert run("query", statement).code == 0


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("drop table core.orders", "this is DROP"),
        ("delete from core.orders", "this is DELETE"),
        ("copy core.orders to 'out.csv'", "this is COPY"),
        ("attach 'other.duckdb'", "this is ATTACH"),
        ("set enable_external_access = true", "only SELECT"),
        ("select 1; drop table core.orders", "one statement at a time"),
        ("", "one statement at a time"),
        ("selec 1", "not SQL"),
        ("select * from nothing", "failed"),
        ("select * from read_text('orders.toml')", "failed"),
        ("select * from 'orders.toml'", "failed"),
    ],
)
def test_what_does_not_is_wrong_use(published, run, statement, why):
    ran = run("query", statement)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
