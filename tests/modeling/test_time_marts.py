"""Hours, periods, calendar, freshness, late arrivals, restatements. Figures are worked by hand."""

from datetime import UTC, date, datetime, time

import pytest

from orders_connector.budget import cycle_of
from orders_connector.modeling.checks import run_checks
from orders_connector.warehouse.database import open_warehouse
from tests.test_no_money import House, license_order, ultracart_order

MARTS = (
    "marts.calendar",
    "marts.daily_revenue",
    "marts.data_freshness",
    "marts.load_costs",
    "marts.hourly_profile",
    "marts.hourly_revenue",
    "marts.import_bursts",
    "marts.late_arrivals",
    "marts.line_item_enhanced",
    "marts.reconciliation",
    "marts.restatements",
    "marts.revenue_growth",
)


def order(name, created, amount=1000, status="PAID", updated=None, **fields):
    body = {"id": name, "status": status, "created_at": created, "updated_at": updated}
    return body | {"amount": amount, "items": [], "metadata": {}} | fields


def values(warehouse, query):
    return [tuple(row.values()) for row in warehouse.rows(query)]


def cover(warehouse, start, end, account="shop"):
    warehouse.con.execute(
        "insert into ops.coverage values ('voucherify', ?, ?, ?, 'ext_1')", [account, start, end]
    )


def failing(warehouse):
    return {
        (r.model, r.name)
        for r in run_checks(warehouse.con, warehouse.models.values())
        if not r.passed
    }


@pytest.fixture
def sources(tmp_path):
    """Open a warehouse with one account per source, all in UTC."""
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        yield House(con)


def test_hours_are_local_and_add_up_to_the_day(warehouse):
    warehouse.land(
        # Warsaw is an hour ahead in winter, two in summer; clocks change on 29 March.
        order("a", "2026-03-28T22:59:59Z"),
        order("b", "2026-03-28T23:00:00Z", 500),
        order("c", "2026-03-29T01:30:00Z", 700),
        order("bare", "2026-04-01T08:00:00Z", 90, metadata={"ordered_at": "2026-03-29"}),
        order("open", "2026-03-29T01:40:00Z", status="CREATED"),
        order("test", "2026-03-29T01:40:00Z", metadata={"test": True}),
    )
    warehouse.refresh()
    assert values(
        warehouse,
        "select order_date, order_hour, orders_placed, orders_recognised, net_revenue_minor"
        " from marts.hourly_revenue order by all",
    ) == [
        (date(2026, 3, 28), 23, 1, 1, 1000),
        (date(2026, 3, 29), 0, 1, 1, 500),
        (date(2026, 3, 29), 3, 2, 1, 700),
        (date(2026, 3, 29), None, 1, 1, 90),
    ]
    days = "select order_date, sum(net_revenue_minor)::bigint from marts.{} group by 1 order by 1"
    assert values(warehouse, days.format("hourly_revenue")) == [
        (date(2026, 3, 28), 1000),
        (date(2026, 3, 29), 1290),
    ]
    assert values(warehouse, days.format("daily_revenue")) == values(
        warehouse, days.format("hourly_revenue")
    )
    # The 28th was a Saturday, the 29th a Sunday: one of each in the history.
    assert values(
        warehouse,
        "select order_month, weekday, order_hour, days, orders_recognised, orders_share"
        " from marts.hourly_profile order by all",
    ) == [
        (date(2026, 3, 1), 6, 23, 1, 1, 1 / 3),
        (date(2026, 3, 1), 7, 0, 1, 1, 1 / 3),
        (date(2026, 3, 1), 7, 3, 1, 1, 1 / 3),
    ]
    assert failing(warehouse) == set()


def test_an_average_hour_counts_weekdays_without_a_sale(warehouse):
    # Two of the four Mondays from 2 to 23 March have an order at 11.
    warehouse.land(order("a", "2026-03-02T10:00:00Z", 600), order("b", "2026-03-23T10:00:00Z", 400))
    warehouse.refresh()
    (cell,) = warehouse.rows("from marts.hourly_profile")
    assert (cell["weekday"], cell["order_hour"], cell["days"]) == (1, 11, 4)
    assert (cell["orders_recognised_per_day"], cell["net_revenue_minor_per_day"]) == (0.5, 250)


def test_a_late_change_rebuilds_its_own_date_only(warehouse):
    warehouse.land(order("a", "2026-03-02T10:00:00Z"), order("b", "2026-03-03T10:00:00Z"))
    warehouse.refresh()
    warehouse.land(order("a", "2026-03-02T10:00:00Z", 300, updated="2026-04-01T10:00:00Z"))
    report = warehouse.refresh()
    dates = {m.model: m.dates for m in report.models if m.mode == "slices"}
    assert dates["marts.hourly_revenue"] == dates["marts.late_arrivals"] == [date(2026, 3, 2)]
    hours = "select net_revenue_minor from marts.hourly_revenue order by order_date"
    assert values(warehouse, hours) == [(300,), (1000,)]


def sell_for_a_year(warehouse):
    """Sell on Wednesdays: 4 and 11 March 2026, 1 April 2026, and 5 March 2025."""
    warehouse.land(
        order("then", "2025-03-05T10:00:00Z", 400),
        order("a", "2026-03-04T10:00:00Z", 1000),
        order("b", "2026-03-11T10:00:00Z", 1500),
        order("c", "2026-04-01T10:00:00Z", 200),
        order("yen", "2026-03-04T10:00:00Z", 77, metadata={"currency": "JPY"}),
    )
    warehouse.refresh()
    cover(warehouse, "2025-01-01", "2026-04-10T10:00:00Z")


@pytest.fixture
def year(copy_of):
    return copy_of(sell_for_a_year)


def period(warehouse, name, start, currency="EUR"):
    (row,) = warehouse.rows(
        f"from marts.revenue_growth where period = '{name}' and period_start = '{start}'"
        f" and currency = '{currency}'"
    )
    return row


def test_weeks_and_months_stand_beside_those_before(year):
    week = period(year, "week", "2026-03-09")
    assert (week["period_end"], week["is_partial"]) == (date(2026, 3, 15), False)
    assert (week["net_revenue_minor"], week["previous_net_revenue_minor"]) == (1500, 1000)
    assert week["net_revenue_growth"] == 0.5
    empty = period(year, "week", "2026-03-16")
    assert (empty["net_revenue_minor"], empty["net_revenue_growth"]) == (0, -1)
    after = period(year, "week", "2026-03-23")
    assert (after["previous_net_revenue_minor"], after["net_revenue_growth"]) == (0, None)
    march = period(year, "month", "2026-03-01")
    assert (march["period_end"], march["net_revenue_minor"]) == (date(2026, 3, 31), 2500)
    assert (march["year_ago_net_revenue_minor"], march["year_ago_is_partial"]) == (400, True)
    assert march["net_revenue_growth_year"] == 5.25
    assert failing(year) == set()


def test_a_day_a_year_ago_is_the_same_weekday(year):
    wednesday = period(year, "day", "2026-03-04")
    assert wednesday["year_ago_net_revenue_minor"] == 400
    assert wednesday["net_revenue_growth_year"] == 1.5


def test_periods_that_history_does_not_span_are_partial(year):
    partial = {
        (row["period"], row["period_start"])
        for row in year.rows("from marts.revenue_growth where is_partial and currency = 'EUR'")
    }
    assert partial == {
        # History begins on Wednesday, 5 March 2025, and ends within Friday, 10 April 2026.
        ("week", date(2025, 3, 3)),
        ("month", date(2025, 3, 1)),
        ("quarter", date(2025, 1, 1)),
        ("year", date(2025, 1, 1)),
        ("week", date(2026, 4, 6)),
        ("month", date(2026, 4, 1)),
        ("quarter", date(2026, 4, 1)),
        ("year", date(2026, 1, 1)),
    }
    april = period(year, "month", "2026-04-01")
    assert (april["net_revenue_minor"], april["previous_is_partial"]) == (200, False)


def test_currencies_are_never_summed(year):
    assert period(year, "month", "2026-03-01", "JPY")["net_revenue_minor"] == 77
    assert period(year, "year", "2026-01-01")["net_revenue_minor"] == 2700


def test_the_calendar_knows_days_weeks_and_clock_changes(warehouse):
    warehouse.configure(account="tokyo", time_zone="Asia/Tokyo")
    warehouse.configure(account="island", time_zone="Australia/Lord_Howe")
    warehouse.land(order("a", "2025-12-30T10:00:00Z"), order("b", "2026-11-02T10:00:00Z"))
    warehouse.refresh()
    shop = "from marts.calendar where account = 'shop'"
    (span,) = values(warehouse, f"select min(order_date), max(order_date), count(*) {shop}")
    assert span == (date(2025, 12, 30), date(2026, 12, 31), 2 + 365)
    (day,) = warehouse.rows(f"{shop} and order_date = '2026-01-01'")
    assert (day["week_start"], day["iso_year"], day["iso_week"]) == (date(2025, 12, 29), 2026, 1)
    assert (day["weekday"], day["is_weekend"], day["quarter"]) == (4, False, 1)
    (sunday,) = warehouse.rows(f"{shop} and order_date = '2026-03-29'")
    assert (sunday["weekday"], sunday["is_weekend"], sunday["month_start"]) == (
        7,
        True,
        date(2026, 3, 1),
    )
    odd = "select account, order_date, hours::double from marts.calendar where hours <> 24"
    assert values(warehouse, f"{odd} order by all") == [
        ("island", date(2026, 4, 5), 24.5),
        ("island", date(2026, 10, 4), 23.5),
        ("shop", date(2026, 3, 29), 23.0),
        ("shop", date(2026, 10, 25), 25.0),
    ]
    assert failing(warehouse) == set()


def test_the_calendar_knows_the_holidays_of_each_account(warehouse):
    warehouse.configure(account="other")
    warehouse.land(order("a", "2026-12-24T10:00:00Z"))
    warehouse.con.execute(
        "insert into ops.holidays values ('voucherify', 'shop', '2026-12-25', 'Christmas Day'),"
        # Two on one day do not make two rows of it.
        " ('voucherify', 'shop', '2026-12-25', 'Day of the shop')"
    )
    warehouse.refresh()
    found = values(
        warehouse,
        "select account, order_date, is_holiday, holiday from marts.calendar"
        " where order_date between '2026-12-24' and '2026-12-26' order by all",
    )
    assert found == [
        *(("other", date(2026, 12, day), None, None) for day in (24, 25, 26)),
        ("shop", date(2026, 12, 24), False, None),
        ("shop", date(2026, 12, 25), True, "Day of the shop"),
        ("shop", date(2026, 12, 26), False, None),
    ]
    assert failing(warehouse) == set()


LATE = """
    select days_late_from, days_late_to, versions, first_versions, orders, most_days_late
    from marts.late_arrivals where order_date = '2026-03-02' order by all
"""


def test_late_versions_are_counted_by_how_late_they_are(warehouse):
    first = order("a", "2026-03-02T10:00:00Z")
    warehouse.land(first, order("test", "2026-03-02T10:00:00Z", metadata={"test": True}))
    # 3 March in Warsaw, then six and a hundred days later.
    for updated in ("2026-03-02T23:30:00Z", "2026-03-08T10:00:00Z", "2026-06-10T10:00:00Z"):
        warehouse.land(order("a", "2026-03-02T10:00:00Z", updated=updated))
    # An order that came to light late, and one that is dated ahead.
    warehouse.land(
        order("b", "2026-03-02T10:00:00Z", updated="2026-03-09T10:00:00Z"),
        order("c", "2026-03-01T10:00:00Z", metadata={"ordered_at": "2026-03-02"}),
    )
    warehouse.refresh()
    assert values(warehouse, LATE) == [
        (-1, -1, 1, 1, 1, -1),
        (0, 0, 1, 1, 1, 0),
        (1, 1, 1, 0, 1, 1),
        (4, 7, 2, 1, 2, 7),
        (91, 365, 1, 0, 1, 100),
    ]
    assert failing(warehouse) == set()


def test_the_same_version_read_twice_is_one(warehouse):
    warehouse.land(order("a", "2026-03-02T10:00:00Z"))
    warehouse.land_gone("a")
    warehouse.land(order("a", "2026-03-02T10:00:00Z"))
    warehouse.refresh()
    assert values(warehouse, LATE) == [(0, 0, 1, 1, 1, 0)]


def test_freshness_says_what_is_proven_and_what_is_missing(warehouse):
    warehouse.configure(account="empty", time_zone="UTC")
    warehouse.land(order("a", "2026-03-02T10:00:00Z", items=[{"product_id": "p", "quantity": 1}]))
    warehouse.land_export(order("b", "2026-03-03T10:00:00Z"))
    warehouse.land(order("bad", "2026-03-03T10:00:00Z", amount=-5), order("c", "2026-03-04T09:00Z"))
    warehouse.land_gone("c")
    warehouse.refresh()
    cover(warehouse, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    cover(warehouse, "2026-01-15T00:00:00Z", "2026-01-20T00:00:00Z")
    cover(warehouse, "2026-02-03T00:00:00Z", "2026-03-04T23:30:00Z")
    warehouse.con.execute(
        "insert into ops.reconciliations (reconciliation_id, source, account, status, ended_at)"
        " values ('r1', 'voucherify', 'shop', 'equal', '2026-03-03'),"
        " ('r2', 'voucherify', 'shop', 'failed', '2026-03-04')"
    )
    warehouse.con.execute(
        "insert into ops.extractions"
        " (extraction_id, source, account, strategy, status, ended_at, calls) values"
        " ('before', 'voucherify', 'shop', 'export', 'complete', '2026-02-14T23:59:59Z', 50),"
        " ('older', 'voucherify', 'shop', 'export', 'complete', '2026-02-15T00:00:00Z', 1),"
        " ('whole', 'voucherify', 'shop', 'listing', 'complete', '2026-03-05T00:00:00Z', 3),"
        " ('items', 'voucherify', 'shop', 'hydration', 'complete', '2026-03-05T01:00:00Z', 2),"
        " ('part', 'voucherify', 'shop', 'listing', 'incomplete', '2026-03-06T00:00:00Z', 4),"
        " ('lost', 'voucherify', 'shop', 'listing', 'failed', '2026-03-06T01:00:00Z', 1)"
    )
    warehouse.con.execute("insert into ops.billing_cycles values ('voucherify', 'shop', 100, 15)")
    empty, shop = warehouse.rows("from marts.data_freshness order by account")
    assert {key: shop[key] for key in shop if key != "models_refreshed_at"} == {
        "source": "voucherify",
        "account": "shop",
        "time_zone": "Europe/Warsaw",
        "covered_from": datetime(2026, 1, 1, tzinfo=UTC),
        "covered_to": datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
        "covered_date": date(2026, 3, 5),
        "gaps": 1,
        "first_gap_from": datetime(2026, 2, 1, tzinfo=UTC),
        "last_extraction_at": datetime(2026, 3, 6, 0, 0, tzinfo=UTC),
        "last_complete_at": datetime(2026, 3, 5, 0, 0, tzinfo=UTC),
        "last_complete_extraction": "whole",
        "cycle_start": date(2026, 2, 15),
        "calls_of_cycle": 11,
        "calls_per_cycle": 100,
        "quota_share": 0.11,
        "last_compared_at": datetime(2026, 3, 3, tzinfo=UTC),
        "last_comparison": "equal",
        "orders": 2,
        "orders_deleted": 1,
        "orders_without_items": 1,
        "newest_version_at": datetime(2026, 3, 4, 9, tzinfo=UTC),
        "quarantined": 1,
    }
    assert (empty["covered_to"], empty["gaps"], empty["orders"]) == (None, 0, 0)
    assert (empty["last_complete_extraction"], empty["quota_share"]) == (None, None)
    assert empty["models_refreshed_at"] == shop["models_refreshed_at"] is not None


def test_what_reading_took_by_day(warehouse):
    warehouse.land(order("a", "2026-03-02T10:00:00Z"), order("b", "2026-03-02T10:00:00Z"))
    warehouse.con.execute("update raw.order_payloads set extraction_id = 'read_1'")
    warehouse.con.execute(
        "insert into ops.extractions"
        " (extraction_id, source, account, ended_at, calls, bytes, orders_read) values"
        " ('read_1', 'voucherify', 'shop', '2026-03-03T23:59:59Z', 3, 500, 5),"
        " ('read_2', 'voucherify', 'shop', '2026-03-04T00:00:00Z', 1, 100, 3),"
        " ('read_3', 'voucherify', 'shop', '2026-04-01T00:00:00Z', 2, 200, 0),"
        " ('running', 'voucherify', 'shop', null, 9, 900, 9)"
    )
    warehouse.refresh()
    found = warehouse.rows(
        "select load_date, calls, bytes, orders_read, new_versions, repeated_share,"
        " calls_per_1000_orders, calls_of_cycle, quota_share from marts.load_costs"
        " order by load_date"
    )
    assert [tuple(row.values()) for row in found] == [
        (date(2026, 3, 3), 3, 500, 5, 2, 0.6, 600.0, 3, None),
        (date(2026, 3, 4), 1, 100, 3, 0, 1.0, pytest.approx(1000 / 3), 4, None),
        (date(2026, 4, 1), 2, 200, 0, 0, None, None, 2, None),
    ]


def test_billing_cycles_of_the_marts_are_those_of_the_budget(warehouse):
    warehouse.refresh()
    warehouse.con.execute(
        """
        insert into ops.billing_cycles
            select 'voucherify', 'day_' || n, 10000, n from range(1, 29) as days(n);
        insert into ops.extractions (extraction_id, source, account, ended_at, calls)
            select 'on ' || d || n, 'voucherify', 'day_' || n, d, 1 from range(1, 29) as days(n),
                range(
                    timestamptz '2027-12-01 12:00+00', timestamptz '2029-02-01 12:00+00',
                    interval '1 day'
                ) as moments(d)
        """
    )
    rows = warehouse.rows(
        "select account, load_date, cycle_start, calls_of_cycle from marts.load_costs"
    )
    assert len(rows) == 28 * 428
    for row in rows:
        start_day = int(row["account"].removeprefix("day_"))
        noon = datetime.combine(row["load_date"], time(12), UTC)
        start, _ = cycle_of(start_day, noon)
        assert row["cycle_start"] == start.date()
        first = max(start.date(), date(2027, 12, 1))
        assert row["calls_of_cycle"] == (row["load_date"] - first).days + 1


def test_an_hour_full_of_orders_is_told_unless_they_carry_their_own_date(warehouse):
    warehouse.con.execute("update ops.accounts set business_date_path = '$.metadata.sold_at'")
    dated = {"metadata": {"sold_at": "2026-01-05T10:00:00Z"}}
    warehouse.land(
        *(order(f"usual_{n}", f"2026-03-0{n}T10:00:00Z") for n in range(1, 6)),
        *(order(f"import_{n:03}", f"2026-03-07T23:{n % 60:02}:00Z") for n in range(100)),
        *(order(f"sale_{n:02}", f"2026-03-08T10:{n % 60:02}:00Z") for n in range(99)),
        *(order(f"dated_{n:03}", f"2026-03-09T10:{n % 60:02}:00Z", **dated) for n in range(200)),
    )
    warehouse.refresh()
    found = values(warehouse, "select * exclude (source, account) from marts.import_bursts")
    # An hour before midnight in UTC is the 8th in Warsaw.
    begin, end = (datetime(2026, 3, 7, 23, minute, tzinfo=UTC) for minute in (0, 59))
    assert found == [(begin, end, date(2026, 3, 8), 100, 1)]


def test_restatements_name_how_many_orders_caused_them(warehouse):
    warehouse.refresh()
    warehouse.con.execute("delete from ops.restatements")
    warehouse.con.execute("delete from ops.restated_orders")
    figure = "'2026-03-05', 'marts.daily_revenue', 'voucherify', 'shop', '2026-03-02', 'EUR'"
    warehouse.con.execute(
        "insert into ops.restatements"
        f" values ('load_1', {figure}, 'net_revenue_minor', 1187, 0, 'orders'),"
        f" ('load_2', {figure}, 'units', null, 5, 'definition')"
    )
    warehouse.con.execute(
        "insert into ops.restated_orders values"
        " ('load_1', 'voucherify', 'shop', 'A', '2026-03-02', 'changed'),"
        " ('load_1', 'voucherify', 'shop', 'B', '2026-03-02', 'removed'),"
        " ('load_1', 'voucherify', 'shop', 'C', '2026-03-09', 'added')"
    )
    assert values(
        warehouse,
        "select load_id, metric, delta::bigint, reason, orders, orders_added, orders_removed,"
        " orders_changed from marts.restatements order by load_id",
    ) == [
        ("load_1", "net_revenue_minor", -1187, "orders", 2, 0, 1, 1),
        ("load_2", "units", None, "definition", 0, 0, 0, 0),
    ]


def test_reconciliation_shows_the_last_finished_comparison(warehouse):
    warehouse.refresh()
    warehouse.con.execute(
        "insert into ops.reconciliations (reconciliation_id, source, account, status, ended_at)"
        " values ('old', 'voucherify', 'shop', 'equal', '2026-03-01'),"
        " ('new', 'voucherify', 'shop', 'different', '2026-03-08'),"
        " ('failed', 'voucherify', 'shop', 'failed', '2026-03-09')"
    )
    warehouse.con.execute(
        "insert into ops.reconciliation_days values"
        " ('old', 'voucherify', 'shop', '2026-02-01', 'paid', 9, 9, 900, 900),"
        " ('new', 'voucherify', 'shop', '2026-03-02', 'paid', 5, 4, 500, 400),"
        " ('new', 'voucherify', 'shop', '2026-03-02', 'created', 1, 1, null, null)"
    )
    assert values(
        warehouse,
        "select status, orders_difference, amounts_agree, is_equal, outcome"
        " from marts.reconciliation order by status",
    ) == [("created", 0, True, True, "different"), ("paid", -1, False, False, "different")]


def test_line_items_have_a_header_and_a_row_per_line(warehouse):
    lines = [
        {
            "product_id": "p1",
            "quantity": 2,
            "price": 400,
            "amount": 800,
            "product": {"name": "Tea"},
        },
        {"product_id": "p2", "quantity": 1, "price": 200, "amount": 200},
    ]
    warehouse.land(
        order("a", "2026-03-02T10:00:00Z", discount_amount=150, items=lines, customer_id="cust"),
        order("test", "2026-03-02T10:00:00Z", items=lines, metadata={"test": True}),
        order("yen", "2026-03-02T10:00:00Z", 77, metadata={"currency": "JPY"}),
    )
    warehouse.land_export(order("bare", "2026-03-02T10:00:00Z", 500))
    warehouse.refresh()
    shown = values(
        warehouse,
        "select header_id, line_item_id, line_item_index, record_type, product_id,"
        " quantity::double, unit_amount::double, discount_amount::double,"
        " total_amount::double, customer_id"
        " from marts.line_item_enhanced order by 1, 3",
    )
    assert shown == [
        ("a", None, 0, "header", None, None, None, 1.5, None, "cust"),
        ("a", "a:1", 1, "line_item", "p1", 2.0, 4.0, None, 8.0, "cust"),
        ("a", "a:2", 2, "line_item", "p2", 1.0, 2.0, None, 2.0, "cust"),
        ("bare", None, 0, "header", None, None, None, 0.0, None, None),
        ("yen", None, 0, "header", None, None, None, 0.0, None, None),
    ]
    assert failing(warehouse) == set()


def test_line_items_of_the_other_sources(sources):
    sources.land("ultracart", ultracart_order("u", total_refunded=12))
    sources.land("licensespring", license_order(1))
    sources.refresh()
    license_header, header, line = sources.rows(
        "from marts.line_item_enhanced order by source, line_item_index"
    )
    amounts = ("discount_amount", "tax_amount", "fee_amount", "refund_amount", "total_amount")
    assert [license_header[key] for key in amounts] == [None] * 5
    assert [header[key] and float(header[key]) for key in amounts] == [5.0, 4.5, 8.0, 12.0, None]
    assert header["payment_at"] == line["payment_at"] == datetime(2026, 3, 2, 15, 5, tzinfo=UTC)
    assert (line["quantity"], line["billing_type"]) == (1.5, "one_time")
    assert header["source_relation"] == "ultracart/ultracart"


def test_hours_and_growth_of_a_source_without_money_have_counts_alone(sources):
    sources.land("licensespring", license_order(1), license_order(2, is_trial=True))
    sources.refresh()
    (hour,) = sources.rows("from marts.hourly_revenue")
    assert (hour["orders_placed"], hour["orders_recognised"], hour["net_revenue_minor"]) == (
        2,
        1,
        None,
    )
    (day,) = sources.rows("from marts.revenue_growth where period = 'day'")
    assert (day["orders_recognised"], day["net_revenue_minor"]) == (1, None)
    assert sources.failing() == set()
