"""Slices: after any sequence of changes every table is what a full rebuild gives."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.errors import ModelError
from orders_connector.modeling.model import load_models, parse_model
from orders_connector.modeling.refresh import MERGED_EVERY, rebuild_slices
from orders_connector.warehouse.database import open_warehouse
from tests.modeling.conftest import Warehouse, upstream_of

VERSION = st.fixed_dictionaries(
    {
        "id": st.sampled_from([f"ord_{n}" for n in range(6)]),
        "status": st.sampled_from(["CREATED", "PAID", "FULFILLED", "CANCELED", "PROCESSING"]),
        "created_at": st.sampled_from(
            ["2026-03-01T10:00:00Z", "2026-03-01T23:30:00.5Z", "2026-03-29T01:30:00+01:00"]
        ),
        "updated_at": st.none() | st.integers(1, 28).map(lambda d: f"2026-04-{d:02}T08:00:00.000Z"),
        "amount": st.sampled_from([0, 1000, 2500, 2**53 + 1, "12.5", -1]),
        "customer_id": st.sampled_from([None, "cust_1", "cust_2", "cust_3"]),
        "metadata": st.sampled_from(
            [
                {},
                {"ordered_at": "2025-12-24"},
                {"ordered_at": "2026-02-28T23:30:00Z"},
                {"ordered_at": "soon"},
                {"currency": "JPY"},
                {"currency": "doubloons"},
                {"test": True},
            ]
        ),
    },
    optional={
        "discount_amount": st.sampled_from([100, 500, "x"]),
        "total_discount_amount": st.sampled_from([100, 600]),
        "items": st.lists(
            st.fixed_dictionaries(
                {"product_id": st.sampled_from(["p1", "p2", "prod_5h1pp1ng"])},
                optional={
                    "quantity": st.sampled_from([1, 3, "many"]),
                    "amount": st.sampled_from([500, 900]),
                    "discount_amount": st.just(50),
                },
            ),
            max_size=3,
        ),
        "redemptions": st.sampled_from(
            [
                {"r_1": {"date": "2026-03-01T10:00:00Z", "related_object_type": "voucher"}},
                {
                    "r_2": {
                        "date": "2026-03-01T10:00:00Z",
                        "related_object_type": "redemption",
                        "stacked": ["r_3", "r_4"],
                        "rollback_date": "2026-03-04T10:00:00Z",
                    }
                },
            ]
        ),
    },
)
CHANNELS = st.sampled_from(["list", "list", "export", "gone"])
LOADS = st.lists(
    st.tuples(CHANNELS, st.lists(VERSION, min_size=1, max_size=6)), min_size=2, max_size=6
)


@pytest.mark.slow
@settings(max_examples=12)
@given(LOADS)
def test_slices_equal_a_full_rebuild(tmp_path_factory, loads):
    path = tmp_path_factory.mktemp("slices") / "orders.duckdb"
    with open_warehouse(path) as con:
        house = Warehouse(con)
        house.configure()
        house.configure(account="second", time_zone="Asia/Tokyo", currency="JPY")
        con.execute("insert into ops.currencies values ('EUR', 2), ('JPY', 0)")
        for number, (channel, orders) in enumerate(loads):
            account = "second" if number % 3 == 2 else "shop"
            if channel == "export":
                house.land_export(*orders, account=account)
            elif channel == "gone":
                house.land_gone(*(order["id"] for order in orders), account=account)
            else:
                house.land(*orders, account=account)
            house.refresh()
        by_slices, quarantine = house.tables(), con.execute("from ops.quarantine").fetchall()
        house.refresh(full=True)
        assert house.tables() == by_slices
        assert con.execute("from ops.quarantine").fetchall() == quarantine


def order(name, created_at="2026-03-01T10:00:00Z", **fields):
    return {"id": name, "created_at": created_at, "status": "PAID", "amount": 1000, **fields}


def test_a_refresh_without_news_touches_nothing(warehouse):
    warehouse.land(order("a"))
    warehouse.refresh()
    report = warehouse.refresh()
    assert {model.mode for model in report.models} == {"unchanged"}
    assert report.dates == report.restated == []


def test_blocks_of_small_loads_are_merged_now_and_then(tmp_path):
    blocks = []
    for number in range(MERGED_EVERY):
        with open_warehouse(tmp_path / "orders.duckdb") as con:
            house = Warehouse(con, upstream_of("core.orders"))
            if not number:
                house.configure()
            house.loads = number
            house.land(order(f"ord_{number}"))
            house.refresh()
        with open_warehouse(tmp_path / "orders.duckdb", read_only=True) as con:
            found = "select count(distinct row_group_id) from pragma_storage_info('core.orders')"
            blocks.append(con.execute(found).fetchone()[0])
    assert blocks == [*range(1, MERGED_EVERY), 1]


def test_a_header_shows_until_its_items_come(warehouse):
    first = order("a", items=[{"product_id": "p1", "quantity": 2}])
    newer = first | {"updated_at": "2026-03-02T10:00:00Z", "amount": 1500}
    shown = "select gross_minor, detail_level, units from core.orders"
    missing = "select orders_without_items from marts.daily_revenue"
    share = "select item_detail_share from marts.daily_summary"
    for land, orders, state, without in (
        (warehouse.land, first, (1000, "full", 2), 0),
        (warehouse.land_export, first, (1000, "full", 2), 0),
        (warehouse.land_export, newer, (1500, "export", None), 1),
        (warehouse.land, newer, (1500, "full", 2), 0),
    ):
        land(orders)
        warehouse.refresh()
        assert [tuple(row.values()) for row in warehouse.rows(shown)] == [state]
        assert warehouse.rows(missing) == [{"orders_without_items": without}]
        assert warehouse.rows(share) == [{"item_detail_share": 1.0 - without}]


def test_an_order_that_is_gone_counts_in_no_mart_until_it_is_back(warehouse):
    warehouse.land(order("a"), order("b", "2026-03-05T10:00:00Z"))
    warehouse.refresh()
    before = warehouse.tables()
    warehouse.land_gone("b")
    assert warehouse.refresh().dates == [date(2026, 3, 5)]
    deleted = warehouse.rows("select order_id, is_deleted from core.orders order by all")
    assert [tuple(row.values()) for row in deleted] == [("a", False), ("b", True)]
    (day,) = warehouse.rows("select order_date from marts.daily_revenue")
    assert day == {"order_date": date(2026, 3, 1)}
    warehouse.land(order("b", "2026-03-05T10:00:00Z"))
    warehouse.refresh()
    marts = [name for name in before if name.startswith("marts.")]
    assert [warehouse.tables()[name] for name in marts] == [before[name] for name in marts]


def test_an_order_that_moves_to_another_day_makes_both_days_stale(warehouse):
    warehouse.land(order("a"), order("b", "2026-03-05T10:00:00Z"))
    warehouse.refresh()
    moved = order("a", updated_at="2026-03-09T10:00:00Z", metadata={"ordered_at": "2026-02-14"})
    warehouse.land(moved)
    report = warehouse.refresh()
    assert report.dates == [date(2026, 2, 14), date(2026, 3, 1)]
    assert report.restated == [date(2026, 3, 1)]
    days = warehouse.rows("select order_date, orders_placed from marts.daily_revenue order by all")
    assert [tuple(row.values()) for row in days] == [(date(2026, 2, 14), 1), (date(2026, 3, 5), 1)]


def test_other_orders_of_the_same_customer_are_left_alone_when_their_place_stays(warehouse):
    days = [order(f"o{n}", f"2026-03-{n:02}T10:00:00Z", customer_id="c") for n in range(1, 9)]
    warehouse.land(*days)
    warehouse.refresh()
    warehouse.land(days[4] | {"updated_at": "2026-04-01T00:00:00Z", "amount": 1500})
    assert warehouse.refresh().dates == [date(2026, 3, 5)]


def test_a_changed_setting_rebuilds_what_reads_it(warehouse):
    warehouse.land(order("late", "2026-03-01T23:30:00Z"))
    warehouse.refresh()
    warehouse.configure(time_zone="UTC")
    report = warehouse.refresh()
    assert report.restated == [date(2026, 3, 2)]
    (row,) = warehouse.rows("select order_date from core.orders")
    assert row["order_date"] == date(2026, 3, 1)


def test_a_failing_model_leaves_every_table_as_it_was(warehouse, tmp_path):
    warehouse.land(order("a"))
    warehouse.refresh()
    before = warehouse.tables()
    broken = tmp_path / "daily_status.sql"
    text = warehouse.models["marts.daily_status"].path.read_text()
    broken.write_text(
        text.replace("max(o.minor_unit_exponent)", "max(cast(o.order_id as integer))")
    )
    models = warehouse.models | {"marts.daily_status": parse_model(broken, "marts")}
    warehouse.land(order("b"))
    good, warehouse.models = warehouse.models, models
    with pytest.raises(ModelError, match="daily_status"):
        warehouse.refresh()
    warehouse.models = good
    assert warehouse.tables() == before
    warehouse.refresh()
    assert len(warehouse.rows("from core.orders")) == 2


DAYS_OF_ORDERS = """/*
description: The business date of each order.
grain: [order_date]
refresh_key: order_date
columns:
  order_date: Business date.
  status: Common status.
*/
select
    o.order_date,
    o.status
from core.orders as o
where not o.is_deleted
"""


def test_rows_that_are_the_same_are_as_many_as_there_are(warehouse, tmp_path):
    file = tmp_path / "days_of_orders.sql"
    file.write_text(DAYS_OF_ORDERS)
    model = {"marts.days_of_orders": parse_model(file, "marts")}
    warehouse.models = upstream_of("core.orders") | model

    def counted():
        return warehouse.con.execute(
            "select status, count(*) from marts.days_of_orders group by all order by all"
        ).fetchall()

    warehouse.land(order("a"), order("b"))
    warehouse.refresh()
    warehouse.land(order("c"), order("d"), order("e", status="CREATED"))
    warehouse.refresh()
    assert counted() == [("created", 1), ("paid", 4)]
    warehouse.land_gone("a")
    warehouse.refresh()
    assert counted() == [("created", 1), ("paid", 3)]


def test_dates_can_be_rebuilt_by_hand(warehouse):
    warehouse.land(order("a"))
    warehouse.refresh()
    good = warehouse.tables()
    warehouse.con.execute("update marts.daily_revenue set net_revenue_minor = 7")
    (result,) = rebuild_slices(
        warehouse.con, warehouse.models, ["marts.daily_revenue"], [date(2026, 3, 1)]
    )
    assert (result.rows, result.restated) == (1, [date(2026, 3, 1)])
    assert warehouse.tables() == good
    with pytest.raises(ModelError, match="cannot be rebuilt by date"):
        rebuild_slices(warehouse.con, warehouse.models, ["core.orders"], [date(2026, 3, 1)])


def test_a_model_whose_file_is_gone_leaves_no_table(warehouse):
    warehouse.land(order("a"))
    warehouse.refresh()
    warehouse.models = {k: v for k, v in load_models().items() if k != "marts.daily_summary"}
    warehouse.refresh()
    names = warehouse.rows("select table_name from information_schema.tables")
    assert {"table_name": "daily_summary"} not in names


def test_a_model_may_become_a_view_and_a_table_again(warehouse, tmp_path):
    text = warehouse.models["marts.daily_status"].path.read_text()
    file = tmp_path / "daily_status.sql"
    file.write_text(text.replace("refresh_key: order_date", "materialized: view"))
    as_table = warehouse.models
    as_view = as_table | {"marts.daily_status": parse_model(file, "marts")}
    warehouse.land(order("a"))
    warehouse.refresh()
    before = warehouse.tables()

    warehouse.models = as_view
    warehouse.refresh()
    assert len(warehouse.rows("from marts.daily_status")) == 1
    warehouse.models = as_table
    assert warehouse.refresh().restated == []
    assert warehouse.tables() == before


def test_comments_come_from_the_header(warehouse):
    warehouse.land(order("a"))
    warehouse.refresh()
    (row,) = warehouse.rows(
        "select comment from duckdb_columns() where schema_name = 'marts'"
        " and table_name = 'daily_revenue' and column_name = 'customers'"
    )
    assert "Not additive over days. Metric customers, version 1: " in row["comment"]
