"""Models that count are counted on; readers are left alone where nothing that they read differs."""

# ruff: noqa: E501 - headers and SELECTs of models

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.errors import ModelError
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.warehouse.database import open_warehouse

ORDERS = """/*
description: The newest version of each order.
grain: [source, account, order_id]
refresh_key: order_key
columns: {order_key: x, source: x, account: x, order_id: x, version_id: x, order_date: x, customer_key: x, amount: x}
*/
select n.order_key, n.source, n.account, n.order_id, n.version_id, n.order_date, n.customer_key, n.amount
from (
    select p.order_key, p.source, p.account, p.order_id, p.version_id,
        cast(json_extract_string(p.payload, '$.day') as date) as order_date,
        json_extract_string(p.payload, '$.who') as customer_key,
        cast(json_extract_string(p.payload, '$.amount') as bigint) as amount,
        row_number() over (partition by p.source, p.account, p.order_id order by p.version_id desc) as newest
    from raw.order_payloads as p
) as n
where n.newest = 1
"""
LARGE = "cast(count(*) filter (where o.amount > 2) as bigint)"
SUM = "cast(coalesce(sum(o.amount) filter (where o.amount > 1), 0) as bigint)"
COUNTED = f"""/*
description: Orders by customer; unknown customers are one row.
grain: [customer_key]
counted_by: order_key
columns: {{customer_key: x, orders: x, large: x, known: x, amount: x}}
*/
select o.customer_key, count(*) as orders, {LARGE} as large, count(o.amount) as known, {SUM} as amount
from core.orders as o group by o.customer_key
"""
OF_COUNTS = """/*
description: Reads what is counted.
grain: [customer_key]
refresh_key: customer_key
columns: {customer_key: x, small: x}
*/
select c.customer_key, c.orders - c.large as small from core.customers as c where c.customer_key is not null
"""
DAYS = """/*
description: Amounts by day.
grain: [order_date]
refresh_key: order_date
columns: {order_date: x, amount: x}
*/
select o.order_date, sum(o.amount) as amount from core.orders as o group by o.order_date
"""
MODELS = {
    "core/orders": ORDERS,
    "core/customers": COUNTED,
    "marts/of_counts": OF_COUNTS,
    "marts/days": DAYS,
}


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def write(folder, **changed):
    for path, text in (MODELS | changed).items():
        file = folder / f"{path}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def land(con, version, order, day, who, amount):
    con.execute(
        "insert into raw.order_payloads (version_id, order_key, source, account, order_id, payload)"
        " values (?, ?, 's', 'a', ?, json_object('day', ?::text, 'who', ?::text, 'amount', ?))",
        [version, order, f"o{order}", f"2026-03-0{day}", who, amount],
    )


def tables(con, models):
    return {name: con.execute(f"from {name} order by all").fetchall() for name in models}


def modes(report):
    return {model.model: model.mode for model in report.models}


ORDER = st.tuples(
    st.integers(1, 4),
    st.integers(1, 2),
    st.sampled_from(["ann", "bob", None]),
    st.integers(1, 4) | st.none(),
)


@settings(max_examples=18)
@given(st.lists(st.lists(ORDER, min_size=1, max_size=4), min_size=2, max_size=5))
def test_counting_on_equals_counting_all(tmp_path_factory, loads):
    models = load_models(write(tmp_path_factory.mktemp("counts")))
    with open_warehouse(tmp_path_factory.mktemp("counts") / "orders.duckdb") as con:
        version = 0
        for number, orders in enumerate(loads):
            for one in orders:
                version += 1
                land(con, version, *one)
            mode = modes(refresh(con, models))["core.customers"]
            assert mode == "full" if number == 0 else mode in ("slices", "unchanged")
        counted_on = tables(con, models)
        refresh(con, models, full=True)
        assert tables(con, models) == counted_on


def test_a_group_that_is_empty_goes(folder, tmp_path):
    models = load_models(folder)
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        land(con, 1, 1, 1, None, 1)
        land(con, 2, 2, 1, "ann", 3)
        refresh(con, models)
        assert tables(con, models)["core.customers"] == [("ann", 1, 1, 1, 3), (None, 1, 0, 1, 0)]
        land(con, 3, 1, 1, "ann", None)
        refresh(con, models)
        assert tables(con, models)["core.customers"] == [("ann", 2, 1, 1, 3)]
        assert tables(con, models)["marts.of_counts"] == [("ann", 1)]


def test_a_day_is_left_alone_where_no_column_differs_that_its_model_reads(folder, tmp_path):
    models = load_models(folder)
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        land(con, 1, 1, 1, "ann", 1)
        refresh(con, models)
        land(con, 2, 1, 1, "bob", 1)  # the customer and the version
        found = modes(refresh(con, models))
        assert found == {
            "core.orders": "slices",
            "core.customers": "slices",
            "marts.of_counts": "slices",
            "marts.days": "unchanged",
        }
        land(con, 3, 1, 1, "bob", 4)
        assert modes(refresh(con, models))["marts.days"] == "slices"


def test_a_reader_without_columns_named_by_table_is_refreshed_for_any(folder, tmp_path):
    unqualified = DAYS.replace("o.", "").replace("core.orders as o", "core.orders")
    models = load_models(write(folder, **{"marts/days": unqualified}))
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        land(con, 1, 1, 1, "ann", 1)
        refresh(con, models)
        land(con, 2, 1, 1, "bob", 1)
        assert modes(refresh(con, models))["marts.days"] == "slices"


def test_a_model_without_a_key_is_rebuilt_when_its_input_changed_and_only_then(folder, tmp_path):
    whole = DAYS.replace("refresh_key: order_date\n", "")
    lonely = {"core/customers": COUNTED.replace("counted_by: order_key\n", "")}
    models = load_models(write(folder, **{"marts/days": whole}, **lonely))
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        land(con, 1, 1, 1, "ann", 1)
        refresh(con, models)
        assert modes(refresh(con, models))["marts.days"] == "unchanged"
        land(con, 2, 1, 2, "ann", 1)
        assert modes(refresh(con, models))["marts.days"] == "full"
        assert [str(day) for day, _ in tables(con, models)["marts.days"]] == ["2026-03-02"]


WRONG = {
    "a sum that may be unknown": (SUM, "cast(sum(o.amount) as bigint)", "may have count"),
    "a sum that is not 0 then": (
        SUM,
        "cast(coalesce(sum(o.amount), 1) as bigint)",
        "may have count",
    ),
    "a sum of any type": (SUM, "coalesce(sum(o.amount), 0)", "may have count"),
    "a distinct sum": (
        SUM,
        "cast(coalesce(sum(distinct o.amount), 0) as bigint)",
        "may have count",
    ),
    "a largest value": (SUM, "max(o.amount)", "may have count"),
    "a distinct count": (LARGE, "count(distinct o.order_id)", "may have count"),
    "no plain count": ("count(*) as orders", "count(o.order_id) as orders", "may have count"),
    "a condition on groups": (
        "group by o.customer_key",
        "group by o.customer_key having count(*) > 1",
        "may have count",
    ),
    "rows of two orders": (
        "from core.orders as o",
        "from core.orders as o inner join core.orders as p on p.customer_key = o.customer_key",
        "does not tie both sides",
    ),
    "a window over orders": (
        "from core.orders as o",
        "from (select c.order_key, c.customer_key, count(*) over (partition by c.order_date) as amount from core.orders as c) as o",
        "reaches over rows of different slices",
    ),
    "another key": ("counted_by: order_key", "counted_by: order_date", "read one table alone"),
    "a key of its own beside": (
        "counted_by: order_key",
        "counted_by: order_key\nrefresh_key: customer_key",
        "has a refresh_key already",
    ),
    "another input": (
        "from core.orders as o",
        "from core.orders as o inner join raw.order_payloads as r on r.order_key = o.order_key",
        "read one table alone",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_counted_on_is_refused_with_the_reason(folder, name):
    there, instead, reason = WRONG[name]
    assert there in COUNTED
    write(folder, **{"core/customers": COUNTED.replace(there, instead)})
    with pytest.raises(
        ModelError, match=rf"customers\.sql: counted_by \w+ cannot work: .*{reason}"
    ):
        load_models(folder)


@pytest.mark.parametrize(
    ("number", "total"),
    [("cast(o.amount as double)", "bigint"), ("cast(o.amount as decimal(9, 2))", "decimal(28, 1)")],
)
def test_what_is_rounded_cannot_be_taken_off(folder, tmp_path, number, total):
    rounded = COUNTED.replace(SUM, f"cast(coalesce(sum({number}), 0) as {total})")
    models = load_models(write(folder, **{"core/customers": rounded}))
    with (
        open_warehouse(tmp_path / "orders.duckdb") as con,
        pytest.raises(
            ModelError, match=r"core\.customers: counted_by cannot work: amount, a .* what"
        ),
    ):
        refresh(con, models)


def test_decimals_that_the_total_holds_are_added_up(folder, tmp_path):
    exact = COUNTED.replace(
        SUM, "cast(coalesce(sum(cast(o.amount as decimal(9, 2))), 0) as decimal(28, 4))"
    )
    models = load_models(write(folder, **{"core/customers": exact}))
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        land(con, 1, 1, 1, "ann", 3)
        refresh(con, models)
        land(con, 2, 2, 1, "ann", 4)
        assert modes(refresh(con, models))["core.customers"] == "slices"
        assert [str(row[-1]) for row in tables(con, models)["core.customers"]] == ["7.0000"]
