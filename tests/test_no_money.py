"""Three sources in one warehouse: a source without money has NULL where the others have amounts."""

import json
from datetime import UTC, date, datetime

import pytest

from orders_connector.landing.raw_log import land
from orders_connector.landing.spool import batches_from_pages
from orders_connector.modeling.checks import run_checks
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.sources.base import PayloadContract
from orders_connector.warehouse.database import open_warehouse, transaction

MODELS = load_models()
DAY = "2026-03-02"
CONTRACTS = {
    "voucherify": PayloadContract("$.orders", "$.id", ("$.created_at",), {}),
    "ultracart": PayloadContract("$.orders", "$.order_id", ("$.creation_dts",), {}),
    "licensespring": PayloadContract("$.orders", "$.id", ("$.created_at",), {}),
}
RECOGNISED = {
    "voucherify": ("PAID", "FULFILLED"),
    "ultracart": ("Shipping Department", "Completed Order"),
    "licensespring": ("issued",),
}


class House:
    """A warehouse with one account per source, each named like its source."""

    def __init__(self, con):
        self.con = con
        self.loads = 0
        for source, statuses in RECOGNISED.items():
            con.execute(
                "insert into ops.accounts"
                " (source, account, currency, minor_unit_exponent, time_zone)"
                " values ($source, $source, 'EUR', 2, 'UTC')",
                {"source": source},
            )
            for status in statuses:
                con.execute(
                    "insert into ops.account_lists (source, account, list_name, value)"
                    " values ($source, $source, 'recognised_statuses', $status)",
                    {"source": source, "status": status},
                )
        con.execute("insert into ops.currencies values ('EUR', 2), ('XXX', 2)")

    def land(self, source, *orders):
        self.loads += 1
        body = json.dumps({"orders": orders}).encode()
        with transaction(self.con):
            land(
                self.con,
                lambda: batches_from_pages(iter([body]), "list"),
                contract=CONTRACTS[source],
                source=source,
                account=source,
                extraction_id=f"ext_{self.loads}",
                loaded_at=datetime(2026, 8, 1, tzinfo=UTC),
            )

    def refresh(self):
        return refresh(self.con, MODELS)

    def rows(self, query):
        cursor = self.con.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, query):
        (row,) = self.rows(query)
        return row

    def failing(self, *names):
        models = [MODELS[name] for name in names or MODELS]
        return {check.name for check in run_checks(self.con, models) if not check.passed}


def voucherify_order(name, **fields):
    order = {"id": name, "created_at": f"{DAY}T10:00:00Z", "status": "PAID", "amount": 1000}
    item = {"product_id": "p1", "quantity": 2, "amount": 1000}
    return order | {"customer_id": "cust_1", "items": [item], "discount_amount": 100} | fields


def license_order(name, **fields):
    order = {"id": name, "created_at": f"{DAY}T10:00:00Z", "type": "normal", "order_items": []}
    return order | {"customer": {"id": 620}} | fields


def ultracart_order(name, stage="Completed Order", **summary):
    amounts = {"subtotal": 50, "subtotal_discount": 5, "shipping_handling_total": 8, "tax": 4.5}
    return {
        "order_id": name,
        "creation_dts": f"{DAY}T10:00:00-05:00",
        "current_stage": stage,
        "payment": {"payment_dts": f"{DAY}T10:05:00-05:00"},
        "customer_profile": {"customer_profile_oid": 77},
        "items": [{"item_index": 1, "merchant_item_id": "tea", "quantity": 1.5}],
        "summary": {
            key: {"value": value} for key, value in (amounts | {"total": 57.5} | summary).items()
        },
    }


@pytest.fixture
def house(tmp_path):
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        yield House(con)


@pytest.fixture
def full_house(house):
    house.land("voucherify", voucherify_order("v1"), voucherify_order("v2", status="CANCELED"))
    house.land("licensespring", license_order(1), license_order(2), license_order(3, is_trial=True))
    house.land("ultracart", ultracart_order("u1"))
    house.refresh()
    return house


def amounts_of(name):
    ratios = {"discount_rate", "order_level_share", "discounted_order_share", "cancel_rate"}
    said = {"net_revenue", "gross_revenue", "discounts", "refunds", "price_per_unit"}
    return [
        column
        for column in MODELS[name].columns
        if column.endswith("_minor")
        or column.startswith(("net_", "average_"))
        or "_value" in column
        or column in ratios | said
    ]


@pytest.mark.parametrize(
    "name", ["marts.daily_revenue", "marts.daily_status", "marts.daily_summary"]
)
def test_every_amount_of_a_source_without_money_is_null(full_house, name):
    amounts = amounts_of(name)
    assert len(amounts) >= 3
    rows = full_house.rows(f"select {', '.join(amounts)} from {name} where source='licensespring'")
    assert rows == [dict.fromkeys(amounts)]


def test_its_orders_are_counted_all_the_same(full_house):
    day = full_house.row("from marts.daily_revenue where source = 'licensespring'")
    assert (day["order_date"], day["currency"]) == (date(2026, 3, 2), "XXX")
    assert (day["gives_money"], day["minor_unit_exponent"]) == (False, None)
    assert (day["orders_placed"], day["orders_recognised"], day["orders_cancelled"]) == (3, 2, None)
    assert (day["new_customer_orders"], day["returning_customer_orders"]) == (1, 1)
    assert (day["customers"], day["units"]) == (1, 0)
    status = full_house.row("from marts.daily_status where source = 'licensespring'")
    assert (status["status"], status["orders"], status["orders_recognised"]) == ("fulfilled", 3, 2)
    assert (status["redemptions"], status["rollbacks"], status["orders_rolled_back"]) == (None,) * 3


def test_discounts_are_absent_where_there_is_no_money(full_house):
    sources = full_house.rows("select source from marts.daily_discounts order by 1")
    assert sources == [{"source": "ultracart"}, {"source": "voucherify"}]


def test_licenses_are_counted_for_their_source_alone(full_house):
    for name in ("marts.daily_licenses", "core.trial_conversions"):
        assert full_house.rows(f"select distinct source from {name}") == [
            {"source": "licensespring"}
        ]


def test_all_promises_hold_for_all_sources_together(full_house):
    assert full_house.failing() == set()


@pytest.mark.parametrize(
    ("table", "change", "broken"),
    [
        (
            "marts.daily_revenue",
            "net_revenue_minor = 0 where source = 'licensespring'",
            "revenue_is_known_where_the_source_gives_money",
        ),
        (
            "marts.daily_revenue",
            "net_revenue_minor = null where source = 'voucherify'",
            "revenue_is_known_where_the_source_gives_money",
        ),
        (
            "marts.daily_revenue",
            "guest_net_minor = 0 where source = 'licensespring'",
            "split_revenue_is_known_where_the_source_gives_money",
        ),
        (
            "marts.daily_revenue",
            "pipeline_value_minor = 0 where source = 'licensespring'",
            "open_value_is_known_where_the_source_gives_money",
        ),
        (
            "marts.daily_revenue",
            "average_order_net_minor = 0 where source = 'licensespring'",
            "nothing_else_is_known_without_money",
        ),
        (
            "marts.daily_revenue",
            "net_after_refunds_minor = 1 where source = 'ultracart'",
            "net_after_refunds_is_net_less_refunds",
        ),
        (
            "marts.daily_status",
            "net_minor = 0 where source = 'licensespring'",
            "amounts_are_known_where_the_source_gives_money",
        ),
        (
            "marts.daily_status",
            "gross_minor = null where source = 'ultracart'",
            "amounts_are_known_where_the_source_gives_money",
        ),
        (
            "marts.daily_discounts",
            "total_discount_minor = null",
            "discounts_are_known_unless_no_order_tells",
        ),
    ],
    ids=[
        *("revenue_zero", "revenue_missing", "split_zero", "open_zero", "average_zero"),
        *("net_after_refunds_wrong", "status_zero", "status_missing", "discounts_missing"),
    ],
)
def test_the_promises_notice_a_zero_and_a_missing_amount(full_house, table, change, broken):
    full_house.con.execute(f"update {table} set {change}")
    assert broken in full_house.failing(table)


def test_sources_with_money_keep_their_figures_beside_one_without(full_house):
    day = full_house.row("from marts.daily_revenue where source = 'voucherify'")
    assert (day["gross_revenue_minor"], day["discounts_minor"]) == (1000, 100)
    assert (day["net_revenue_minor"], day["cancelled_value_minor"]) == (900, 1000)
    assert (day["orders_cancelled"], day["pipeline_value_minor"], day["units"]) == (1, 0, 2)
    # What Voucherify does not know.
    unknown = ("shipping_minor", "tax_minor", "total_minor", "refunds_minor")
    assert [day[column] for column in unknown] == [None] * 4
    assert (day["refunds_net_minor"], day["net_after_refunds_minor"]) == (None, None)


REFUNDED = {"subtotal_refunded": 20, "subtotal_discount_refunded": 2, "total_refunded": 26}


def test_refunds_shipping_and_tax_of_ultracart(house):
    house.land(
        "ultracart",
        ultracart_order("u1"),
        ultracart_order("u2", **REFUNDED),
        # Not recognised: pending, a quote, and rejected after a refund.
        ultracart_order("u3", "Accounts Receivable"),
        ultracart_order("u4", "Quote Sent"),
        ultracart_order("u5", "Rejected", **REFUNDED),
    )
    house.refresh()
    day = house.row("from marts.daily_revenue")
    assert (day["orders_placed"], day["orders_recognised"], day["orders_cancelled"]) == (5, 2, 1)
    assert (day["gross_revenue_minor"], day["discounts_minor"]) == (10_000, 1_000)
    assert day["net_revenue_minor"] == 9_000
    assert (day["shipping_minor"], day["tax_minor"], day["total_minor"]) == (1_600, 900, 11_500)
    assert (day["refunds_minor"], day["refunds_net_minor"]) == (2_600, 1_800)
    assert day["net_after_refunds_minor"] == 7_200
    # Pending counts as open, a quote does not.
    assert (day["pipeline_value_minor"], day["cancelled_value_minor"]) == (4_500, 5_000)
    assert float(day["units"]) == 3.0
    summary = house.row("select refunds, net_after_refunds, cancel_rate from marts.daily_summary")
    assert [float(value) for value in summary.values()] == [26, 72, 0.2]
    shown = "select status, orders, orders_recognised, net_minor from marts.daily_status order by 1"
    assert [tuple(row.values()) for row in house.rows(shown)] == [
        ("cancelled", 1, 0, 4_500),
        ("fulfilled", 2, 2, 9_000),
        ("pending", 1, 0, 4_500),
        ("quote", 1, 0, 4_500),
    ]
    assert house.failing() == set()


def test_a_day_without_recognised_orders_had_no_refunds(house):
    house.land("ultracart", ultracart_order("u3", "Accounts Receivable"))
    house.refresh()
    day = house.row("from marts.daily_revenue")
    assert (day["net_revenue_minor"], day["refunds_minor"]) == (0, 0)
    assert (day["net_after_refunds_minor"], day["total_minor"]) == (0, 0)


def test_an_order_whose_refund_cannot_be_split_leaves_the_day_unknown(house):
    house.land("ultracart", ultracart_order("u1"), ultracart_order("u2", total_refunded=3))
    house.refresh()
    day = house.row("from marts.daily_revenue")
    assert (day["refunds_minor"], day["net_revenue_minor"]) == (300, 9_000)
    assert (day["refunds_net_minor"], day["net_after_refunds_minor"]) == (None, None)


def test_an_order_without_its_amounts_adds_nothing_and_breaks_nothing(house):
    stub = {key: ultracart_order("u2")[key] for key in ("creation_dts", "current_stage", "payment")}
    house.land("ultracart", ultracart_order("u1"), {"order_id": "u2", **stub})
    house.land("ultracart", {"order_id": "u3", **stub, "creation_dts": "2026-03-05T10:00:00-05:00"})
    house.refresh()
    first, second = house.rows("from marts.daily_revenue order by order_date")
    assert (first["orders_recognised"], first["orders_without_amount"]) == (2, 1)
    assert (first["net_revenue_minor"], first["net_after_refunds_minor"]) == (4_500, 4_500)
    assert (first["units"], first["orders_without_items"]) == (1.5, 1)
    assert (second["orders_without_amount"], second["units"]) == (1, None)
    first, second = house.rows("from marts.daily_discounts order by order_date")
    assert (first["orders_without_amount"], first["total_discount_minor"]) == (1, 500)
    assert (second["orders_without_amount"], second["total_discount_minor"]) == (1, None)
    errors = [
        check for check in run_checks(house.con, MODELS.values()) if check.severity == "error"
    ]
    assert [check.name for check in errors if not check.passed] == []


def test_people_are_who_the_analyst_says_and_nobody_else(full_house):
    assert full_house.rows("from marts.people") == []
    full_house.con.execute(
        "insert into ops.customer_map (source, account, customer_key, person_key) values"
        " ('voucherify', 'voucherify', 'cust_1', 'Ada'),"
        " ('ultracart', 'ultracart', '77', 'Ada'),"
        " ('ultracart', 'ultracart', '77', 'Bob'),"  # a slip: one customer is one person
        " ('ultracart', 'voucherify', 'cust_1', 'Eve'),"  # another account's key
        " ('licensespring', 'licensespring', '620', 'Ada')"
    )
    columns = "currency, gives_money, accounts, customers, orders_recognised, net_revenue_minor"
    people = full_house.rows(f"select person_key, {columns} from marts.people order by all")
    assert [tuple(row.values()) for row in people] == [
        ("Ada", "EUR", True, 2, 2, 2, 900 + 4_500),
        ("Ada", "XXX", False, 1, 1, 2, None),
    ]
    assert full_house.failing("marts.people") == set()
    # Naming persons changes no other model.
    report = full_house.refresh()
    rebuilt = {model.model for model in report.models if model.mode != "unchanged"}
    assert rebuilt <= {"marts.people"}
