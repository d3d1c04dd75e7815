"""The fast form gives the rows that the portable form gives, also for odd documents."""

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.modeling.fast_json import for_duckdb
from orders_connector.modeling.model import load_models

SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=6), st.floats(0, 9)
)
ITEM = st.dictionaries(
    st.sampled_from(["product_id", "quantity", "amount", "price", "discount_amount", "product"]),
    SCALAR | st.fixed_dictionaries({"name": SCALAR}),
    max_size=5,
)
ORDER = st.fixed_dictionaries(
    {"created_at": st.just("2026-03-01T08:00:00Z")},
    optional={
        "items": st.none() | st.lists(ITEM | SCALAR, max_size=4),
        "amount": SCALAR,
        "total_amount": SCALAR,
        "discount_amount": SCALAR,
        "status": SCALAR,
        "metadata": st.dictionaries(st.text(max_size=4), SCALAR, max_size=3),
        "redemptions": st.dictionaries(
            st.from_regex(r"r_[0-9a-f]{4}", fullmatch=True),
            st.fixed_dictionaries(
                {"date": SCALAR}, optional={"stacked": st.lists(st.text("ab", min_size=1))}
            ),
            max_size=3,
        ),
    },
)
MODELS = load_models()
STAGING = [name for name in MODELS if name.startswith("staging.")]
FORMS = {
    name: [form.sql(dialect="duckdb") for form in (MODELS[name].select, fast)]
    for name in STAGING
    for fast in [for_duckdb(MODELS[name].select)]
}


@settings(max_examples=15)
@given(st.lists(ORDER, min_size=1, max_size=12))
def test_both_forms_give_the_same_rows(warehouse, orders):
    warehouse.con.execute("delete from raw.order_payloads")
    warehouse.land(*({"id": f"o{n}", **order} for n, order in enumerate(orders)))
    warehouse.models = {name: MODELS[name] for name in STAGING}
    warehouse.refresh(full=True)
    for forms in FORMS.values():
        portable, fast = (
            warehouse.con.execute(f"from ({sql}) order by all").fetchall() for sql in forms
        )
        assert portable == fast


@pytest.mark.parametrize("name", STAGING)
def test_each_document_is_read_by_one_call(name):
    fast = for_duckdb(load_models()[name].select)
    scopes = [
        str(node.this)
        for node in fast.find_all(sqlglot.exp.JSONExtractScalar)
        if isinstance(node.expression, sqlglot.exp.JSONPath)
    ]
    assert len(scopes) == len(set(scopes))


def test_the_argument_is_left_as_it_was():
    select = load_models()["staging.voucherify_orders"].select
    before = select.sql(dialect="duckdb")
    for_duckdb(select)
    assert select.sql(dialect="duckdb") == before


def test_elements_fetched_by_position_become_an_unnest(warehouse):
    items = [{"product_id": f"p{n}", "quantity": 1, "amount": n} for n in range(500)]
    warehouse.land({"id": "long", "created_at": "2026-03-01T08:00:00Z", "items": items})
    fast = for_duckdb(warehouse.models["staging.voucherify_order_items"].select)
    assert "__line_no_element" in fast.sql(dialect="duckdb")
    warehouse.refresh()
    rows = warehouse.rows("select line_no, gross_minor from core.order_items order by line_no")
    assert [tuple(row.values()) for row in rows] == [(n + 1, n) for n in range(500)]
