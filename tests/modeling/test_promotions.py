"""Promotion figures against sums worked out by hand, and against the day's discounts."""

import json
from datetime import UTC, date, datetime

import pytest

from orders_connector.landing.raw_log import land
from orders_connector.landing.spool import batches_from_pages
from orders_connector.modeling.checks import run_checks
from orders_connector.sources.ultracart.reading import CONTRACT
from orders_connector.warehouse.database import transaction

MARTS = (
    "core.promotion_orders",
    "marts.campaigns",
    "marts.daily_discounts",
    "marts.daily_promotions",
    "marts.daily_redemptions",
    "marts.daily_revenue",
    "marts.promotion_rates",
    "marts.promotions",
)

SECOND, THIRD = date(2026, 3, 2), date(2026, 3, 3)
LATER = {"updated_at": "2026-04-01T10:00:00Z"}
ROLLED_BACK = {"rollback_id": "rr", "rollback_date": "2026-03-04T10:00:00Z"}
# What a day's promotions give away, and what marts.daily_discounts says of it.
UNTIED = """
    select * from (
        select source, account, order_date, currency, sum(discount_minor) as given
        from marts.daily_promotions
        group by all
    ) as p
    full join marts.daily_discounts as d using (source, account, order_date, currency)
    where p.given is distinct from d.total_discount_minor
"""


def redemption(promotion, campaign=None, kind="voucher", **fields):
    return {
        "date": "2026-03-02T10:00:00Z",
        "related_object_type": kind,
        "related_object_id": promotion,
        "related_object_parent_id": campaign,
    } | fields


def order(name, day, amount, discount, customer=None, status="PAID", redemptions=None, **fields):
    return {
        "id": name,
        "created_at": f"2026-{day}T10:00:00Z",
        "status": status,
        "amount": amount,
        "discount_amount": discount,
        "total_discount_amount": discount,
        "total_amount": amount - discount,
        "customer_id": customer,
        "items": [{"product_id": "p", "quantity": 1, "amount": amount}],
        "redemptions": redemptions or {},
        "metadata": {},
    } | fields


V1, V2 = redemption("V1", "C1"), redemption("V2", "C1")
T1 = redemption("T1", "C2", kind="promotion_tier")
THREE = order("p1", "03-02", 10000, 1000, "cust_1", redemptions={"r1": V1, "r2": V2, "r3": T1})
SOLE = order("p2", "03-02", 2000, 500, status="FULFILLED", redemptions={"r4": V1})
STACK = order(
    "p6",
    "03-03",
    1000,
    101,
    "cust_2",
    redemptions={"r9": {"date": "2026-03-03T10:00:00Z", "stacked": ["ra", "rb"]}, "ra": V2},
)
ORDERS = [
    THREE,
    SOLE,
    order("p3", "03-03", 3000, 300, "cust_1"),
    order("p4", "03-03", 4000, 400, "cust_2", redemptions={"r6": V1 | ROLLED_BACK, "r7": T1}),
    order("p5", "03-03", 4000, 0, "cust_3", "CANCELED", redemptions={"r8": V1 | ROLLED_BACK}),
    STACK,
    order("p7", "03-03", 5000, 500, redemptions={"rc": V1}, metadata={"test": True}),
    order("p8", "03-03", 1000, 100, "cust_4", "CREATED", redemptions={"rd": V1}),
    # Rolled back without the order: the discount stays although nothing stands for it.
    order("p9", "03-03", 700, 70, "cust_3", redemptions={"re": V2 | ROLLED_BACK}),
]


def sell(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()


@pytest.fixture
def shop(copy_of):
    return copy_of(sell)


def values(rows):
    return [tuple(row.values()) for row in rows]


def attributed(warehouse, name):
    rows = warehouse.rows(
        "select redemption_id, attribution_method, attributed_discount_minor"
        f" from core.promotion_orders where order_id = '{name}' order by redemption_id"
    )
    return values(rows)


def day(warehouse, when, columns):
    rows = warehouse.rows(
        f"select promotion_key, {columns} from marts.daily_promotions where order_date = '{when}'"
    )
    return {row.pop("promotion_key"): tuple(row.values()) for row in rows}


def one(warehouse, table, where, columns):
    (row,) = warehouse.rows(f"select {columns} from marts.{table} where {where}")
    return tuple(row.values())


def broken(warehouse):
    models = [m for name, m in warehouse.models.items() if "promotion" in name or "camp" in name]
    return {
        (check.model, check.name) for check in run_checks(warehouse.con, models) if check.failing
    }


COUNTS = "redemptions, rollbacks, orders, orders_recognised, customers, new_customers"
MONEY = "discount_minor, net_revenue_minor"


def test_a_discount_is_split_equally_over_what_stands(shop):
    assert attributed(shop, "p1") == [
        ("r1", "equal_split", 334),
        ("r2", "equal_split", 333),
        ("r3", "equal_split", 333),
    ]
    assert attributed(shop, "p2") == [("r4", "sole", 500)]
    assert attributed(shop, "p4") == [("r6", "rolled_back", 0), ("r7", "sole", 400)]
    assert attributed(shop, "p9") == [("re", "rolled_back", 0)]


def test_children_of_a_stack_share_and_the_parent_is_no_incentive(shop):
    assert attributed(shop, "p6") == [("ra", "equal_split", 51), ("rb", "equal_split", 50)]
    assert one(shop, "promotions", "promotion_key = 'unknown:(unknown)'", f"{COUNTS}, {MONEY}") == (
        *(1, 0, 1, 1, 1, 0),
        *(50, 899),
    )


def test_the_days_of_each_promotion(shop):
    assert day(shop, SECOND, f"{COUNTS}, {MONEY}") == {
        "voucher:V1": (2, 0, 2, 2, 1, 1, 834, 10500),
        "voucher:V2": (1, 0, 1, 1, 1, 1, 333, 9000),
        "promotion_tier:T1": (1, 0, 1, 1, 1, 1, 333, 9000),
        "(unattributed)": (0, 0, 0, 0, 0, 0, 0, 0),
    }
    assert day(shop, THIRD, f"{COUNTS}, {MONEY}") == {
        "voucher:V1": (3, 2, 3, 0, 0, 0, 0, 0),
        "voucher:V2": (2, 1, 2, 1, 1, 0, 51, 899),
        "promotion_tier:T1": (1, 0, 1, 1, 1, 1, 400, 3600),
        "unknown:(unknown)": (1, 0, 1, 1, 1, 0, 50, 899),
        "(unattributed)": (0, 0, 2, 2, 2, 1, 370, 3330),
    }


def test_promotions_and_the_rest_add_up_to_the_discounts_of_the_day(shop):
    assert shop.rows(UNTIED) == []
    assert broken(shop) == set()


def test_a_promotion_over_its_history(shop):
    columns = f"{COUNTS}, net_redemptions, guest_orders, {MONEY}, shared_discount_minor"
    assert one(shop, "promotions", "promotion_id = 'V1'", columns) == (
        *(5, 2, 5, 2, 1, 1, 3, 1),
        *(834, 10500, 334),
    )
    rates = "rollback_rate, average_order_net, first_order_share, average_order_net_without"
    # All recognised orders come to 183.29; the four without the voucher to 78.29.
    assert one(shop, "promotion_rates", "promotion_key = 'voucher:V1'", rates) == (
        *(0.4, 52.5, 1.0),
        pytest.approx(78.29 / 4),
    )
    assert one(shop, "promotion_rates", "promotion_key = 'voucher:V1'", "revenue_per_discount") == (
        10500 / 834,
    )


def test_an_order_counts_once_per_campaign_but_in_each_of_its_campaigns(shop):
    columns = f"promotions, {COUNTS}, {MONEY}"
    assert one(shop, "campaigns", "campaign_id = 'C1'", columns) == (
        *(2, 8, 3, 7, 3, 2, 1),
        *(1218, 11399),
    )
    assert one(shop, "campaigns", "campaign_id = 'C2'", columns) == (
        *(1, 2, 0, 2, 2, 2, 2),
        *(733, 12600),
    )
    # p1 is in both, so that both together are more than was sold.
    (row,) = shop.rows("select sum(net_revenue_minor) as net from marts.daily_revenue")
    assert row["net"] == 18329 < 11399 + 12600


def test_the_same_promotion_twice_on_an_order_is_one_order(warehouse):
    warehouse.land(order("a", "03-02", 1000, 101, "cust_1", redemptions={"r1": V1, "r2": V1}))
    warehouse.refresh()
    assert attributed(warehouse, "a") == [("r1", "equal_split", 51), ("r2", "equal_split", 50)]
    assert day(warehouse, SECOND, f"{COUNTS}, {MONEY}")["voucher:V1"] == (
        *(2, 0, 1, 1, 1, 1),
        *(101, 899),
    )


def test_a_promotion_of_two_currencies_has_two_rows(warehouse):
    yen = {"currency": "JPY"}
    warehouse.land(
        order("a", "03-02", 1000, 100, redemptions={"r1": V1}),
        order("b", "03-02", 5000, 700, redemptions={"r2": V1}, metadata=yen),
    )
    warehouse.refresh()
    for table in ("daily_promotions", "promotions", "campaigns"):
        rows = warehouse.rows(
            f"select currency, discount_minor from marts.{table}"
            " where discount_minor > 0 order by currency"
        )
        assert values(rows) == [("EUR", 100), ("JPY", 700)]
    assert warehouse.rows(UNTIED) == []


def test_a_rollback_gives_the_rest_to_what_still_stands(shop):
    entries = {"r1": V1 | ROLLED_BACK, "r2": V2, "r3": T1}
    shop.land(order("p1", "03-02", 10000, 666, "cust_1", redemptions=entries) | LATER)
    assert shop.refresh().restated == [SECOND]
    assert attributed(shop, "p1") == [
        ("r1", "rolled_back", 0),
        ("r2", "equal_split", 333),
        ("r3", "equal_split", 333),
    ]
    assert day(shop, SECOND, f"{COUNTS}, {MONEY}")["voucher:V1"] == (2, 1, 2, 1, 0, 0, 500, 1500)
    assert one(shop, "promotions", "promotion_id = 'V1'", f"{COUNTS}, {MONEY}") == (
        *(5, 3, 5, 1, 0, 0),
        *(500, 1500),
    )
    # The other voucher of the campaign still stands on the order.
    assert one(shop, "campaigns", "campaign_id = 'C1'", f"orders_recognised, {MONEY}") == (
        *(3, 884, 9334 + 1500 + 899),
    )
    assert shop.rows(UNTIED) == []


def test_a_moved_and_an_erased_order_take_their_promotions_along(shop):
    shop.land(SOLE | LATER | {"metadata": {"ordered_at": "2026-02-14"}})
    shop.land_gone("p6")
    shop.refresh()
    assert day(shop, date(2026, 2, 14), MONEY)["voucher:V1"] == (500, 1500)
    assert day(shop, SECOND, MONEY)["voucher:V1"] == (334, 9000)
    assert "unknown:(unknown)" not in day(shop, THIRD, MONEY)
    assert one(shop, "promotions", "promotion_id = 'V1'", "first_order_date, discount_minor") == (
        *(date(2026, 2, 14), 834),
    )
    assert one(shop, "campaigns", "campaign_id = 'C1'", MONEY) == (1167, 10500)
    assert shop.rows("from marts.promotions where kind = 'unknown'") == []
    assert shop.rows(UNTIED) == []


def test_an_earlier_order_found_later_takes_the_new_customer(shop):
    shop.land(order("p0", "02-01", 100, 0, "cust_1"))
    shop.refresh()
    assert day(shop, SECOND, "customers, new_customers")["voucher:V1"] == (1, 0)
    assert one(shop, "promotions", "promotion_id = 'V1'", "customers, new_customers") == (1, 0)
    assert one(shop, "campaigns", "campaign_id = 'C2'", "customers, new_customers") == (2, 1)


def test_an_order_from_a_file_is_unattributed_until_it_is_read(warehouse):
    warehouse.land_export(SOLE)
    warehouse.refresh()
    assert day(warehouse, SECOND, f"orders, {MONEY}") == {"(unattributed)": (1, 500, 1500)}
    warehouse.land(SOLE)
    warehouse.refresh()
    assert day(warehouse, SECOND, f"orders, {MONEY}") == {
        "voucher:V1": (1, 500, 1500),
        "(unattributed)": (0, 0, 0),
    }
    assert warehouse.rows(UNTIED) == []


def land_cart(warehouse, *orders):
    warehouse.con.execute(
        "insert into ops.accounts (source, account, currency, minor_unit_exponent, time_zone)"
        " values ('ultracart', 'cart', 'USD', 2, 'UTC')"
    )
    warehouse.con.execute(
        "insert into ops.account_lists"
        " values ('ultracart', 'cart', 'recognised_statuses', 'Completed Order')"
    )
    body = json.dumps({"orders": orders}).encode()
    with transaction(warehouse.con):
        land(
            warehouse.con,
            lambda: batches_from_pages(iter([body]), "list"),
            contract=CONTRACT,
            source="ultracart",
            account="cart",
            extraction_id="cart",
            loaded_at=datetime(2026, 3, 10, 2, tzinfo=UTC),
        )


def cart(name, discount, *coupons, **fields):
    return {
        "order_id": name,
        "current_stage": "Completed Order",
        "creation_dts": "2026-03-02T10:00:00Z",
        "payment": {"payment_dts": "2026-03-02T10:05:00Z"},
        "summary": {"subtotal": {"value": 100}, "subtotal_discount": {"value": discount}},
        "items": [{"merchant_item_id": "TEA", "quantity": 1, "cost": {"value": 100}}],
        "coupons": [{"coupon_code": code} for code in coupons],
    } | fields


def test_coupons_share_and_a_gift_certificate_pays(warehouse):
    land_cart(
        warehouse,
        cart("u1", 12.01, "TEN", "HI", gift_certificate={"gift_certificate_oid": 42}),
        cart("u2", 5, gift_certificate={"gift_certificate_oid": 42}),
    )
    warehouse.refresh()
    assert attributed(warehouse, "u1") == [
        ("coupon:1:TEN", "equal_split", 601),
        ("coupon:2:HI", "equal_split", 600),
        ("gift_certificate:42", "payment", 0),
    ]
    assert day(warehouse, SECOND, f"redemptions, {MONEY}") == {
        "coupon:TEN": (1, 601, 8799),
        "coupon:HI": (1, 600, 8799),
        "gift_certificate:42": (2, 0, 18299),
        "(unattributed)": (0, 500, 9500),
    }
    assert warehouse.rows("from marts.campaigns") == []
    assert warehouse.rows(UNTIED) == []
    assert broken(warehouse) == set()


def test_a_discount_that_is_not_known_is_null_and_not_zero(warehouse):
    land_cart(warehouse, cart("u1", 12, "TEN", summary={"total": {"value": 88}}))
    warehouse.refresh()
    assert attributed(warehouse, "u1") == [("coupon:1:TEN", "unknown", None)]
    assert day(warehouse, SECOND, "orders_recognised, discount_minor") == {
        "coupon:TEN": (1, None),
        "(unattributed)": (0, None),
    }
    assert warehouse.rows(UNTIED) == []
    assert broken(warehouse) == set()


def test_rollbacks_belong_to_the_day_of_their_redemption(warehouse):
    late = {"rollback_id": "x", "rollback_date": "2026-03-20T10:00:00Z"}
    at_night = V1 | {"date": "2026-03-02T23:30:00Z"}
    warehouse.land(
        order(
            "a", "03-02", 1000, 100, redemptions={"r1": V1, "r2": V2 | ROLLED_BACK, "r3": V2 | late}
        ),
        # The 3rd in Warsaw.
        order(
            "b", "03-02", 1000, 100, redemptions={"r4": at_night, "r5": T1 | {"rollback_id": "y"}}
        ),
        order("test", "03-02", 1000, 100, redemptions={"r6": V1}, metadata={"test": True}),
        STACK,
    )
    warehouse.refresh()
    found = warehouse.rows("from marts.daily_redemptions order by redemption_date, kind")
    two_days, eighteen = 2 * 86_400, 18 * 86_400
    assert [tuple(row.values())[2:] for row in found] == [
        (SECOND, "promotion_tier", 1, 1, 1.0, 0, None, None),
        (SECOND, "voucher", 4, 2, 0.5, 2, two_days, eighteen),
        (THIRD, "unknown", 1, 0, 0.0, 0, None, None),
        (THIRD, "voucher", 1, 0, 0.0, 0, None, None),
    ]


def test_what_one_request_applied_is_not_added_to_what_the_order_has(warehouse):
    applied = {
        "applied_discount_amount": 40,
        "total_applied_discount_amount": 40,
        "items_applied_discount_amount": 7,
    }
    item = {"product_id": "p", "quantity": 1, "amount": 1000, "applied_discount_amount": 33}
    warehouse.land(
        order("a", "03-02", 1000, 100, redemptions={"r1": V1, "r2": V2}, items=[item], **applied)
    )
    warehouse.refresh()
    (row,) = warehouse.rows(
        "select order_level_discount_minor, item_level_discount_minor, total_discount_minor"
        " from marts.daily_discounts"
    )
    assert tuple(row.values()) == (100, 0, 100)
    assert sum(minor for *_, minor in attributed(warehouse, "a")) == 100
