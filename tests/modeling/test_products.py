"""Product figures against sums worked out by hand, and against the day's revenue to the cent."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from orders_connector.landing.raw_log import land
from orders_connector.landing.spool import batches_from_pages
from orders_connector.modeling.checks import run_checks
from orders_connector.modeling.refresh import refresh_within
from orders_connector.sources.licensespring.reading import LICENSES, ORDERS
from orders_connector.sources.ultracart.reading import CONTRACT
from orders_connector.warehouse.database import transaction

MARTS = (
    "core.customer_products",
    "marts.daily_products",
    "marts.daily_revenue",
    "marts.order_lines",
    "marts.order_value_distribution",
    "marts.product_affinity",
    "marts.product_months",
    "marts.product_pairs",
    "marts.product_ranking",
    "marts.products",
)

SHIPPING = "prod_5h1pp1ng"
SECOND, THIRD = date(2026, 3, 2), date(2026, 3, 3)
# What a day sells by product, and what marts.daily_revenue says of it.
UNTIED = """
    select * from (
        select source, account, order_date, currency, sum(net_revenue_minor) as net,
            sum(gross_minor) as gross, sum(item_discount_minor + order_discount_minor) as discounts,
            sum(cancelled_gross_minor) as cancelled, sum(units) as units
        from marts.daily_products group by all
    ) as p
    full join marts.daily_revenue as r using (source, account, order_date, currency)
    where p.net is distinct from r.net_revenue_minor
        or p.gross is distinct from r.gross_revenue_minor
        or p.discounts is distinct from r.discounts_minor
        or p.cancelled is distinct from r.cancelled_value_minor
        or coalesce(p.units, 0) is distinct from coalesce(r.units, 0)
"""


def line(product_id, quantity, price, **fields):
    amount = quantity * price
    item = {"product_id": product_id, "quantity": quantity, "price": price, "amount": amount}
    return item | {"product": {"name": product_id.title()}} | fields


def order(name, day, *lines, status="PAID", customer=None, **fields):
    return {
        "id": name,
        "created_at": f"2026-{day}T10:00:00Z",
        "status": status,
        "amount": sum(item["amount"] for item in lines),
        "customer_id": customer,
        "items": list(lines),
        "metadata": {},
    } | fields


SHIRTS = order(
    "o1",
    "03-02",
    line("shirt", 2, 1000, discount_amount=200),
    line("mug", 1, 700),
    line(SHIPPING, 1, 500),
    customer="cust_1",
    discount_amount=100,
    items_discount_amount=200,
    total_discount_amount=300,
    total_amount=2900,
)
GUEST = order("o2", "03-02", line("shirt", 1, 1000), status="FULFILLED")
MUGS = order("o3", "03-03", line("mug", 3, 600), customer="cust_1")
CANCELLED = order("o4", "03-03", line("shirt", 1, 1000), status="CANCELED", customer="cust_2")
FROM_A_FILE = order(
    "o5",
    "03-03",
    line("shirt", 5, 1000),
    customer="cust_2",
    discount_amount=400,
    total_discount_amount=400,
    total_amount=4600,
)
MORE_THAN_ITS_LINES = order("o6", "03-03", line("mug", 1, 600), customer="cust_3", amount=900)
TEST = order("o7", "03-03", line("shirt", 9, 1000), metadata={"test": True})
YEN = order("o8", "03-03", line("shirt", 1, 1500), customer="cust_1", metadata={"currency": "JPY"})


def sell(warehouse):
    warehouse.land(SHIRTS, GUEST, MUGS, CANCELLED, MORE_THAN_ITS_LINES, TEST, YEN)
    warehouse.land_export(FROM_A_FILE)
    warehouse.refresh()


@pytest.fixture
def shop(copy_of):
    return copy_of(sell)


def values(rows):
    return [tuple(row.values()) for row in rows]


def day(warehouse, when, columns, currency="EUR"):
    """Return the day's rows: product key to the columns."""
    rows = warehouse.rows(
        f"select product_key, {columns} from marts.daily_products"
        f" where order_date = '{when}' and currency = '{currency}'"
    )
    return {row.pop("product_key"): tuple(row.values()) for row in rows}


def product(warehouse, key, columns, currency="EUR"):
    (row,) = warehouse.rows(
        f"select {columns} from marts.products"
        f" where product_key = '{key}' and currency = '{currency}'"
    )
    return tuple(row.values())


def broken(warehouse):
    names = ("product", "order_value", "order_lines")
    models = [model for name, model in warehouse.models.items() if any(n in name for n in names)]
    return {
        (check.model, check.name) for check in run_checks(warehouse.con, models) if check.failing
    }


MONEY = "gross_minor, item_discount_minor, order_discount_minor, net_revenue_minor"
COUNTS = "orders_placed, orders_recognised, orders_cancelled, buyers, guest_orders"


def test_the_discount_of_an_order_is_shared_by_its_lines_to_the_cent(shop):
    # 100 over 1800, 700 and 500 is 60, 23.33 and 16.67.
    assert day(shop, SECOND, MONEY) == {
        "shirt": (3000, 200, 60, 2740),
        "mug": (700, 0, 23, 677),
        "(no product)": (500, 0, 17, 483),
        "(lines not known)": (0, 0, 0, 0),
    }


def test_what_no_line_explains_has_a_row_of_its_own(shop):
    # o5 is known from a file; o6 is 300 more than its line.
    assert day(shop, THIRD, f"kind, {MONEY}") == {
        "shirt": ("product", 0, 0, 0, 0),
        "mug": ("product", 2400, 0, 0, 2400),
        "(lines not known)": ("not_on_lines", 5300, 0, 400, 4900),
    }
    assert day(shop, THIRD, MONEY, "JPY") == {
        "shirt": (1500, 0, 0, 1500),
        "(lines not known)": (0, 0, 0, 0),
    }


def test_orders_buyers_and_units_of_a_day(shop):
    assert day(shop, SECOND, f"{COUNTS}, units") == {
        "shirt": (2, 2, 0, 1, 1, 3),
        "mug": (1, 1, 0, 1, 0, 1),
        "(no product)": (1, 1, 0, None, 0, None),
        "(lines not known)": (0, 0, 0, None, 0, None),
    }
    assert day(shop, THIRD, f"{COUNTS}, units, units_cancelled, cancelled_gross_minor") == {
        "shirt": (1, 0, 1, 0, 0, 0, 1, 1000),
        "mug": (2, 2, 0, 2, 0, 4, 0, 0),
        "(lines not known)": (1, 1, 0, None, 0, None, None, 0),
    }


def test_products_add_up_to_the_revenue_of_the_day(shop):
    assert shop.rows(UNTIED) == []
    assert broken(shop) == set()


def test_a_product_over_its_history(shop):
    span = "first_sold_on, last_sold_on, days_sold"
    assert product(shop, "shirt", f"{span}, {COUNTS}, repeat_buyers, units, {MONEY}") == (
        *(SECOND, SECOND, 1),
        *(3, 2, 1, 1, 1, 0, 3),
        *(3000, 200, 60, 2740),
    )
    assert product(shop, "mug", f"{span}, {COUNTS}, repeat_buyers, units, {MONEY}") == (
        *(SECOND, THIRD, 2),
        *(3, 3, 0, 2, 0, 1, 5),
        *(3100, 0, 23, 3077),
    )
    assert product(shop, "mug", "min_unit_price_minor, max_unit_price_minor") == (600, 700)
    assert product(shop, "shirt", "buyers, net_revenue_minor", "JPY") == (1, 1500)


def test_a_cancelled_order_counts_for_its_products_no_more(shop):
    shop.land(SHIRTS | {"status": "CANCELED", "updated_at": "2026-03-09T10:00:00Z"})
    assert SECOND in shop.refresh().restated
    assert day(shop, SECOND, "orders_recognised, net_revenue_minor, cancelled_gross_minor") == {
        "shirt": (1, 1000, 2000),
        "mug": (0, 0, 700),
        "(no product)": (0, 0, 500),
        "(lines not known)": (0, 0, 0),
    }
    assert product(shop, "shirt", f"{COUNTS}, net_revenue_minor") == (3, 1, 2, 0, 1, 1000)
    assert product(shop, "mug", "first_sold_on, buyers, repeat_buyers") == (THIRD, 2, 0)
    assert shop.rows(UNTIED) == []


def test_an_order_that_moves_takes_its_products_along(shop):
    moved = {"ordered_at": "2026-02-14"}
    shop.land(MUGS | {"metadata": moved, "updated_at": "2026-03-09T10:00:00Z"})
    shop.refresh()
    assert day(shop, date(2026, 2, 14), "net_revenue_minor")["mug"] == (1800,)
    assert day(shop, THIRD, "net_revenue_minor")["mug"] == (600,)
    assert product(shop, "mug", "first_sold_on, days_sold, net_revenue_minor") == (
        date(2026, 2, 14),
        3,
        3077,
    )
    assert shop.rows(UNTIED) == []


def test_lines_that_come_later_leave_the_remainder(shop):
    shop.land(FROM_A_FILE)
    shop.refresh()
    assert day(shop, THIRD, f"orders_recognised, {MONEY}") == {
        "shirt": (1, 5000, 0, 400, 4600),
        "mug": (2, 2400, 0, 0, 2400),
        "(lines not known)": (0, 300, 0, 0, 300),
    }
    assert product(shop, "shirt", "buyers, last_sold_on") == (2, THIRD)
    assert shop.rows(UNTIED) == []


def test_an_erased_order_leaves_its_products(shop):
    shop.land_gone("o2", "o8")
    shop.refresh()
    assert product(shop, "shirt", f"{COUNTS}, net_revenue_minor") == (2, 1, 1, 1, 0, 1740)
    assert shop.rows("from marts.products where currency = 'JPY'") == []
    assert shop.rows("from core.customer_products where currency = 'JPY'") == []
    assert shop.rows(UNTIED) == []


def test_the_ranking_has_rates_and_shares(shop):
    ranked = shop.rows(
        "select product_key, revenue_rank, net_revenue, round(revenue_share, 4) as share,"
        " pareto_class, cancel_rate, attach_rate, repeat_buyer_share, average_unit_price"
        " from marts.product_ranking where currency = 'EUR' order by revenue_rank"
    )
    # Five recognised orders in euros, the lines of one are not known.
    assert values(ranked) == [
        ("mug", 1, Decimal("30.770"), 0.529, "A", 0.0, 0.75, 0.5, 6.2),
        ("shirt", 2, Decimal("27.400"), 0.471, "A", 1 / 3, 0.5, 0.0, 10.0),
    ]


def test_pareto_classes_end_at_80_and_95_percent(warehouse):
    warehouse.land(
        order("a", "03-02", line("first", 1, 800)),
        order("b", "03-02", line("second", 1, 150)),
        order("c", "03-02", line("third", 1, 50), line("free", 1, 0)),
    )
    warehouse.refresh()
    classes = warehouse.rows("select product_key, pareto_class from marts.product_ranking")
    assert sorted(values(classes)) == [
        ("first", "A"),
        ("free", "C"),
        ("second", "B"),
        ("third", "C"),
    ]


def test_the_name_is_the_last_one_on_a_line(warehouse):
    warehouse.land(
        order("a", "03-02", line("p", 1, 100, product={"name": "Zebra"})),
        order("b", "03-03", line("p", 1, 100, product={"name": "Aurochs"})),
        order("c", "03-04", line("p", 1, 100, product={})),
    )
    warehouse.refresh()
    assert product(warehouse, "p", "product_name, days_sold") == ("Aurochs", 3)


def test_lines_without_price_are_counted_and_their_value_is_in_the_remainder(warehouse):
    bare = {"product_id": "p", "quantity": 2}
    warehouse.land(order("a", "03-02", amount=900, items=[bare], discount_amount=100))
    warehouse.refresh()
    assert day(warehouse, SECOND, f"lines_without_price, units, {MONEY}") == {
        "p": (1, 2, 0, 0, 0, 0),
        "(lines not known)": (0, None, 900, 0, 100, 800),
    }
    assert warehouse.rows(UNTIED) == []


# --- products that are bought together ---------------------------------------------------------

PAIRS = (
    "select product_a, product_b, orders_together, orders_a, orders_b, baskets"
    " from marts.product_pairs where order_month = '{}' order by all"
)


def sell_together(warehouse):
    warehouse.land(
        order("o1", "03-02", line("a", 1, 10), line("b", 1, 10), line("a", 2, 10)),
        order("o2", "03-20", line("c", 1, 10), line("b", 1, 10), line("a", 1, 10)),
        order("o3", "03-31", line("a", 1, 10), line(SHIPPING, 1, 10)),
        order("o4", "03-05", line("b", 1, 10), line("c", 1, 10), status="CANCELED"),
        order("o5", "03-05", line("b", 1, 10), line("c", 1, 10), metadata={"test": True}),
    )
    warehouse.refresh()


@pytest.fixture
def baskets(copy_of):
    return copy_of(sell_together)


def test_each_pair_of_a_month_stands_once(baskets):
    assert values(baskets.rows(PAIRS.format("2026-03-01"))) == [
        ("a", "b", 2, 3, 2, 3),
        ("a", "c", 1, 3, 1, 3),
        ("b", "c", 1, 2, 1, 3),
    ]
    rates = baskets.rows(
        "select support, confidence_a_to_b, confidence_b_to_a, lift"
        " from marts.product_affinity order by product_a, product_b"
    )
    assert values(rates) == [
        (2 / 3, 2 / 3, 1.0, 1.0),
        (1 / 3, 1 / 3, 1.0, 1.0),
        (1 / 3, 0.5, 1.0, 1.5),
    ]
    assert broken(baskets) == set()


def test_a_basket_that_moves_changes_both_months(baskets):
    baskets.land(
        order("o1", "03-02", line("a", 1, 10), line("b", 1, 10))
        | {"metadata": {"ordered_at": "2026-02-14"}, "updated_at": "2026-04-01T10:00:00Z"}
    )
    baskets.refresh()
    assert values(baskets.rows(PAIRS.format("2026-02-01"))) == [("a", "b", 1, 1, 1, 1)]
    assert values(baskets.rows(PAIRS.format("2026-03-01"))) == [
        ("a", "b", 1, 2, 1, 2),
        ("a", "c", 1, 2, 1, 2),
        ("b", "c", 1, 1, 1, 2),
    ]


@pytest.mark.parametrize(("products", "pairs"), [(50, 1225), (51, 0)])
def test_orders_of_resellers_make_no_pairs(warehouse, products, pairs):
    many = [line(f"p{n:02}", 1, 10) for n in range(products)]
    warehouse.land(order("large", "03-02", *many))
    warehouse.refresh()
    assert warehouse.rows("select count(*) as n from marts.product_pairs") == [{"n": pairs}]


# --- how large orders are ----------------------------------------------------------------------

BUCKETS = (
    "select bucket_no, bucket_from_minor, bucket_to_minor, orders, net_minor"
    " from marts.order_value_distribution where currency = '{}' and order_month = '{}'"
    " order by bucket_no"
)


def sell_amounts(warehouse):
    amounts = [0, 1, 199, 200, 499, 500, 999, 1000, 10**17]
    warehouse.land(
        *(order(f"e{amount}", "03-02", line("p", 1, amount)) for amount in amounts),
        order("created", "03-02", line("p", 1, 5), status="CREATED"),
        order("yen", "03-02", line("p", 1, 45), metadata={"currency": "JPY"}),
    )
    warehouse.refresh()


@pytest.fixture
def amounts(copy_of):
    return copy_of(sell_amounts)


def test_buckets_go_one_two_five_in_any_currency(amounts):
    assert values(amounts.rows(BUCKETS.format("EUR", "2026-03-01"))) == [
        (1, 0, 1, 1, 0),
        (2, 1, 2, 1, 1),
        (8, 100, 200, 1, 199),
        (9, 200, 500, 2, 699),
        (10, 500, 1000, 2, 1499),
        (11, 1000, 2000, 1, 1000),
        (53, 10**17, 2 * 10**17, 1, 10**17),
    ]
    assert values(amounts.rows(BUCKETS.format("JPY", "2026-03-01"))) == [(6, 20, 50, 1, 45)]
    assert broken(amounts) == set()


def test_quantiles_are_exact_and_of_the_month(amounts):
    quantiles = amounts.rows(
        "select distinct orders_of_month, p25_net_minor, p50_net_minor, p75_net_minor,"
        " p90_net_minor, p99_net_minor from marts.order_value_distribution where currency = 'EUR'"
    )
    assert values(quantiles) == [(9, 199, 499, 999, 10**17, 10**17)]


def test_a_late_change_moves_an_order_to_another_bucket_and_month(amounts):
    later = {"updated_at": "2026-04-01T10:00:00Z"}
    amounts.land(
        order("e200", "03-02", line("p", 1, 40)) | later,
        order("e999", "04-02", line("p", 1, 999)) | later,
        order("yen", "03-02", line("p", 1, 45), status="CANCELED", **later)
        | {"metadata": {"currency": "JPY"}},
    )
    amounts.refresh()
    march = values(amounts.rows(BUCKETS.format("EUR", "2026-03-01")))
    assert march[2:5] == [(6, 20, 50, 1, 40), (8, 100, 200, 1, 199), (9, 200, 500, 1, 499)]
    assert values(amounts.rows(BUCKETS.format("EUR", "2026-04-01"))) == [(10, 500, 1000, 1, 999)]
    assert amounts.rows(BUCKETS.format("JPY", "2026-03-01")) == []


# --- lines, and sources that know less or more --------------------------------------------------


def test_lines_carry_what_their_order_says(shop):
    lines = shop.rows(
        "select line_no, product_key, net_revenue_minor, net_revenue, order_net_minor,"
        " order_line_count from marts.order_lines where order_id = 'o1' order by line_no"
    )
    assert values(lines) == [
        (1, "shirt", 1740, Decimal("17.400"), 2900, 2),
        (2, "mug", 677, Decimal("6.770"), 2900, 2),
        (3, SHIPPING, 483, Decimal("4.830"), 2900, 2),
    ]
    assert shop.rows("from marts.order_lines where order_id in ('o5', 'o7')") == []


def land_of(warehouse, source, status, contract, *rows):
    """Land rows of another source; its account is named like it."""
    if not warehouse.rows(f"from ops.accounts where source = '{source}'"):
        warehouse.con.execute(
            "insert into ops.accounts (source, account, currency, minor_unit_exponent, time_zone)"
            " values ($source, $source, 'USD', 2, 'UTC')",
            {"source": source},
        )
        for name, value in (("recognised_statuses", status), ("non_product_items", "WRAP")):
            warehouse.con.execute(
                "insert into ops.account_lists values ($source, $source, $name, $value)",
                {"source": source, "name": name, "value": value},
            )
    warehouse.loads += 1
    body = json.dumps({"orders": rows, "results": rows}).encode()
    with transaction(warehouse.con):
        land(
            warehouse.con,
            lambda: batches_from_pages(iter([body]), "list"),
            contract=contract,
            source=source,
            account=source,
            extraction_id=f"other_{warehouse.loads}",
            loaded_at=datetime(2026, 3, 10, 2, tzinfo=UTC),
        )


def cart_line(sku, quantity, cost, total, **fields):
    return {
        "merchant_item_id": sku,
        "quantity": quantity,
        "cost": {"value": cost},
        "total_cost_with_discount": {"value": total},
    } | fields


KIT = {
    "order_id": "kit",
    "current_stage": "Completed Order",
    "creation_dts": "2026-03-02T10:00:00Z",
    "payment": {"payment_dts": "2026-03-02T10:05:00Z"},
    "summary": {
        "subtotal": {"value": 105},
        "subtotal_discount": {"value": 12},
        "shipping_handling_total": {"value": 8},
        "total": {"value": 101},
    },
    "items": [
        cart_line("KIT", 2, 50, 90, kit=True, quantity_refunded=1, total_refunded={"value": 44}),
        cart_line("TEA", 4, 0, 0, kit_component=True),
        cart_line("POT", 2, 30, 60, kit_component=True),
        cart_line("WRAP", 1, 5, 5),
    ],
}


def test_parts_of_a_kit_count_with_the_kit(warehouse):
    land_of(warehouse, "ultracart", "Completed Order", CONTRACT, KIT)
    warehouse.refresh()
    # 10 off the kit itself; 2 off the order, over 90 and 5: 1.89 and 0.11.
    assert day(warehouse, SECOND, f"{MONEY}, units, units_refunded, refunded_minor", "USD") == {
        "KIT": (10000, 1000, 189, 8811, 2, 1, 4400),
        "(no product)": (500, 0, 11, 489, None, None, 0),
        "(lines not known)": (0, 0, 0, 0, None, None, None),
    }
    assert warehouse.rows(UNTIED) == []
    assert broken(warehouse) == set()


def test_lines_that_do_not_add_up_leave_a_remainder_that_may_be_negative(warehouse):
    summary = KIT["summary"] | {"subtotal": {"value": 100}, "subtotal_discount": {"value": 10}}
    land_of(warehouse, "ultracart", "Completed Order", CONTRACT, KIT | {"summary": summary})
    warehouse.refresh()
    # The lines come to 105 before and 95 after their discount of 10.
    assert day(warehouse, SECOND, MONEY, "USD")["(lines not known)"] == (-500, 0, 0, -500)
    assert warehouse.rows(UNTIED) == []
    assert broken(warehouse) == set()


def test_an_order_without_lines_is_a_remainder_of_its_own(warehouse):
    header = {key: value for key, value in KIT.items() if key != "items"}
    land_of(warehouse, "ultracart", "Completed Order", CONTRACT, header)
    warehouse.refresh()
    assert day(warehouse, SECOND, f"orders_recognised, {MONEY}", "USD") == {
        "(lines not known)": (1, 10500, 0, 1200, 9300)
    }
    assert warehouse.rows(UNTIED) == []
    assert broken(warehouse) == set()


def test_a_source_that_comes_later_is_read(warehouse):
    land_of(warehouse, "ultracart", "Completed Order", CONTRACT)
    warehouse.land(order("v1", "03-02", line("mug", 1, 100)))
    warehouse.refresh()
    warehouse.land(order("v1", "03-02", line("mug", 2, 100)))
    warehouse.refresh()  # by slices, in which the other source has no part
    land_of(warehouse, "ultracart", "Completed Order", CONTRACT, KIT)
    modes = {model.model: model.mode for model in warehouse.refresh().models}
    assert modes["core.orders"] == modes["core.order_items"] == "slices"
    there = warehouse.rows("from marts.order_lines order by all")
    assert {line["source"] for line in there} == {"ultracart", "voucherify"}
    warehouse.refresh(full=True)
    assert there == warehouse.rows("from marts.order_lines order by all")


def test_a_source_that_is_gone_leaves_no_rows(warehouse):
    land_of(warehouse, "ultracart", "Completed Order", CONTRACT, KIT)
    warehouse.refresh()
    assert day(warehouse, SECOND, MONEY, "USD")
    with transaction(warehouse.con):
        warehouse.con.execute(
            "create temp table taken as select version_id, order_key from raw.order_payloads"
        )
        warehouse.con.execute("delete from raw.order_payloads")
        refresh_within(warehouse.con, warehouse.models, changed="taken")
    for name in ("core.orders", "core.order_items", "core.line_days", "marts.daily_products"):
        assert warehouse.rows(f"from {name}") == [], name


def test_a_source_without_money_counts_orders_and_units(warehouse):
    stamp = {"created_at": "2026-03-02T10:00:00Z", "updated_at": "2026-03-02T10:00:00Z"}
    orders = [{"id": n, "type": "normal", "customer": {"id": 620}, **stamp} for n in (1, 2)]
    app = {"id": 9, "short_code": "app", "product_name": "App"}
    keys = [{"id": 10 + n, "order": 1, "product": app, "status": "Active", **stamp} for n in (1, 2)]
    land_of(warehouse, "licensespring", "issued", ORDERS, *orders)
    land_of(warehouse, "licensespring", "issued", LICENSES, *keys)
    warehouse.refresh()
    assert day(warehouse, SECOND, f"orders_recognised, buyers, units, {MONEY}", "XXX") == {
        "9": (1, 1, 2, None, None, None, None),
        "(lines not known)": (1, None, None, None, None, None, None),
    }
    assert product(warehouse, "9", "product_name, units, buyers, net_revenue_minor", "XXX") == (
        *("App", 2, 1, None),
    )
    ranked = warehouse.rows(
        "select revenue_rank, net_revenue, revenue_share, pareto_class, units_per_order"
        " from marts.product_ranking"
    )
    assert values(ranked) == [(1, None, None, None, 2.0)]
    assert warehouse.rows("from marts.order_value_distribution") == []
    assert warehouse.rows(UNTIED) == []
    assert broken(warehouse) == set()


def test_a_product_moves_in_the_ranking_of_the_next_month(warehouse):
    warehouse.land(
        order("a", "03-02", line("shirt", 3, 1000), line("mug", 1, 700)),
        order("b", "03-31", line("cap", 1, 900)),
        order("c", "04-01", line("mug", 4, 700), line("shirt", 1, 1000)),
        order("d", "04-02", line("cap", 9, 900), status="CANCELED"),
    )
    warehouse.refresh()
    found = warehouse.rows(
        "select order_month, product_key, net_revenue_minor, month_rank, previous_rank, rank_change"
        " from marts.product_months order by order_month, month_rank"
    )
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    assert values(found) == [
        (march, "shirt", 3000, 1, None, None),
        (march, "cap", 900, 2, None, None),
        (march, "mug", 700, 3, None, None),
        (april, "mug", 2800, 1, 3, 2),
        (april, "shirt", 1000, 2, 1, -1),
    ]
