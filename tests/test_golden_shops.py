"""Two days in three shops, small enough to work out every figure by hand.

Each history stands at its own sandbox, is read by a real load, and ends in one warehouse. Anna
buys in all three shops, by the same address; a Voucherify shop sells in euros and dollars, an
UltraCart one in dollars, and LicenseSpring knows no money.
"""

from contextlib import ExitStack
from datetime import UTC, date, datetime
from hashlib import sha256
from types import SimpleNamespace

import duckdb
import pytest

from orders_connector.config import Settings
from orders_connector.load import check_models, refresh_models
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.voucherify import VoucherifySandbox
from orders_connector.sync import sync_account

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
SECOND, THIRD = date(2026, 3, 2), date(2026, 3, 3)
ANNA = "email:" + sha256(b"anna@example.com").hexdigest()

CONFIG = """
[accounts.shop]
source = "voucherify"
base_url = "{shop}"
currency = "EUR"
currency_path = "$.metadata.currency"
test_order_path = "$.metadata.test"
time_zone = "UTC"
history_start = 2026-01-01

[accounts.cart]
source = "ultracart"
base_url = "{cart}"
currency = "USD"
time_zone = "America/New_York"
history_start = 2026-01-01

[accounts.vendor]
source = "licensespring"
base_url = "{vendor}"
time_zone = "UTC"
history_start = 2026-01-01
"""


# --- the shops ------------------------------------------------------------------------------


def fill_shop(box):
    """Voucherify: minor units, a discount on the order and one on a line, two currencies."""

    def order(order_id, placed, status, customer, lines, *, currency="EUR", **fields):
        amount = sum(price for _, _, price, _ in lines)
        items = [
            {
                "object": "order_item",
                "product_id": product,
                "quantity": quantity,
                "price": price // quantity,
                "amount": price,
                **({"discount_amount": discount} if discount else {}),
            }
            for product, quantity, price, discount in lines
        ]
        metadata = {"currency": currency} | fields.pop("metadata", {})
        box.shop.put_raw(
            {
                "id": order_id,
                "object": "order",
                "created_at": f"2026-03-{placed}.000Z",
                "updated_at": None,
                "status": status,
                "customer_id": customer,
                "amount": amount,
                "total_amount": amount,
                "items": items,
                "metadata": metadata,
                **fields,
            }
        )

    discounts = {
        "discount_amount": 1_000,
        "items_discount_amount": 500,
        "total_discount_amount": 1_500,
        "total_amount": 8_500,
    }
    two_lines = [("tea", 2, 6_000, 500), ("cup", 1, 4_000, 0)]
    order("v1", "02T10:00:00", "PAID", "anna", two_lines, **discounts)
    order("v2", "02T11:00:00", "FULFILLED", "bob", [("cup", 1, 2_000, 0)], currency="USD")
    order("v3", "02T12:00:00", "CANCELED", "anna", [("cup", 1, 3_000, 0)])
    order("v4", "02T13:00:00", "CREATED", None, [("cup", 1, 700, 0)])
    tested = {"metadata": {"test": True}}
    order("v5", "02T14:00:00", "PAID", "bob", [("cup", 1, 99_900, 0)], **tested)
    order("v6", "03T09:00:00", "PAID", "anna", [("cup", 1, 5_000, 0)])


def fill_cart(box):
    """UltraCart: decimals in dollars, shipping and tax apart, a kit, a refund, stages."""

    def dollars(amount):
        return {"value": amount, "localized": amount, "localized_formatted": f"${amount:,.2f}"}

    def line(place, name, quantity, cost, *, with_discount=None, refunded=None, **fields):
        found = {"item_index": place, "merchant_item_id": name, "quantity": quantity}
        after = quantity * cost if with_discount is None else with_discount
        found |= {"cost": dollars(cost), "total_cost_with_discount": dollars(after)}
        if refunded:
            found |= {"quantity_refunded": refunded[0], "total_refunded": dollars(refunded[1])}
        return found | fields

    def order(order_id, placed, stage, email, items, summary, *, paid=True, **fields):
        payment = {"payment_method": "Check", "payment_status": "Unprocessed"}
        if paid:
            payment |= {"payment_dts": placed, "payment_status": "Processed"}
        box.shop.put_raw(
            {
                "merchant_id": "ACME",
                "order_id": order_id,
                "creation_dts": placed,
                "current_stage": stage,
                "billing": {"email": email} if email else {},
                "payment": payment | fields.pop("payment", {}),
                "items": items,
                "summary": {name: dollars(amount) for name, amount in summary.items()},
                **fields,
            }
        )

    def plain(total):
        return {"subtotal": total, "shipping_handling_total": 0, "tax": 0, "total": total}

    # Half past eleven in New York: in UTC it is the third already.
    order(
        "u1",
        "2026-03-02T23:30:00-05:00",
        "Completed Order",
        "Anna@Example.com ",
        [
            line(1, "gift-box", 1, 50, with_discount=45, kit=True),
            line(2, "box-tea", 1, 20, kit_component=True, parent_item_index=1),
            line(3, "box-cup", 2, 15, kit_component=True, parent_item_index=1),
            line(4, "tea", 2, 10),
        ],
        {
            "subtotal": 70,
            "subtotal_discount": 5,
            "shipping_handling_total": 8,
            "tax": 4.5,
            "total": 77.5,
        },
        coupons=[{"coupon_code": "TEN", "base_coupon_code": "TEN"}],
    )
    order(
        "u2",
        "2026-03-03T10:00:00-05:00",
        "Shipping Department",
        "anna@example.com",
        [line(1, "tea", 3, 10, refunded=(1, 10))],
        {
            "subtotal": 30,
            "shipping_handling_total": 5,
            "tax": 2,
            "total": 37,
            "subtotal_refunded": 10,
            "total_refunded": 10,
        },
        refund_dts="2026-03-04T09:00:00-05:00",
    )
    pending = [line(1, "cup", 1, 15)]
    at = "2026-03-03T11:00:00-05:00"
    order("u3", at, "Accounts Receivable", "cara@example.com", pending, plain(15), paid=False)
    rejected = {"reject_dts": "2026-03-03T12:30:00-05:00"}
    at = "2026-03-03T12:00:00-05:00"
    order("u4", at, "Rejected", None, [line(1, "tea", 4, 10)], plain(40), paid=False, **rejected)
    at, tested = "2026-03-03T13:00:00-05:00", {"payment": {"test_order": True}}
    order("u5", at, "Completed Order", None, [line(1, "tea", 50, 10)], plain(500), **tested)
    quoted = [line(1, "cup", 1, 25)]
    at = "2026-03-03T14:00:00-05:00"
    order("u6", at, "Quote Sent", "cara@example.com", quoted, plain(25), paid=False)


def fill_vendor(box):
    """LicenseSpring: licenses on orders, a trial that is followed by an order in earnest."""
    anna, bea = {"email": "anna@example.com"}, {"email": "bea@example.com"}

    def order(name, day, hour, customer, licenses, **fields):
        at = datetime(2026, 3, day, hour, tzinfo=UTC)
        items = [{"product_code": "viewer", "licenses": [{} for _ in range(licenses)]}]
        request = {"id": name, "customer": customer, "items": items, **fields}
        return box.shop.create(request, at=at)["id"]

    later = datetime(2026, 3, 4, 8, tzinfo=UTC)
    issued = order("l1", 2, 10, anna, 2)
    order("l2", 2, 11, bea, 1, is_trial=True)
    order("l3", 2, 12, anna, 1, is_test=True)
    bought = order("l4", 3, 10, bea, 1)
    box.shop.activate(box.shop.licenses_of(issued)[0], at=later)
    box.shop.disable(box.shop.licenses_of(bought)[0], at=later)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """One warehouse with what the three shops said."""
    folder = tmp_path_factory.mktemp("golden")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        shop = stack.enter_context(VoucherifySandbox(0, now=NOW))
        cart = stack.enter_context(UltraCartSandbox(0, now=NOW, latency=0.0))
        vendor = stack.enter_context(LicenseSpringSandbox(0, now=NOW))
        fill_shop(shop)
        fill_cart(cart)
        fill_vendor(vendor)
        # Of the module, so before the fixture that clears the keys of a test.
        patch.setenv("VOUCHERIFY_APP_ID", shop.app_id)
        patch.setenv("VOUCHERIFY_APP_TOKEN", shop.app_token)
        patch.setenv("ULTRACART_SIMPLE_KEY", cart.simple_key)
        patch.setenv("LICENSESPRING_API_KEY", vendor.api_key)
        urls = {"shop": shop.base_url, "cart": cart.base_url, "vendor": vendor.base_url}
        file = folder / "orders.toml"
        file.write_text(CONFIG.format(**urls))
        settings = Settings.load(file)
        for name in settings.accounts:
            sync_account(settings, name).raise_unless_complete()
        refresh_models(settings)

        def ask(query):
            with duckdb.connect(str(settings.warehouse.path)) as con:
                con.execute("set TimeZone = 'UTC'")
                cursor = con.execute(query)
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        yield SimpleNamespace(settings=settings, ask=ask)


def expected(columns, *rows):
    """Name the figures of a table that is written below as a table."""
    return [dict(zip(columns.split(), row, strict=True)) for row in rows]


def figures(house, table, columns, order_by):
    return house.ask(f"select {', '.join(columns.split())} from {table} order by {order_by}")


# --- what is made of them -------------------------------------------------------------------


def test_every_promise_of_every_model_holds(house):
    assert [check for check in check_models(house.settings) if not check.passed] == []


def test_orders_keep_their_state_and_become_one_shape(house):
    columns = "account order_date status source_status is_recognised is_test is_trial"
    found = house.ask(
        f"select source_order_id, order_id, {', '.join(columns.split())} from core.orders"
        " order by account, coalesce(source_order_id, order_id)"
    )
    names = [row["order_id"] for row in found if row["account"] != "vendor"]
    assert names == ["u1", "u2", "u3", "u4", "u5", "u6", "v1", "v2", "v3", "v4", "v5", "v6"]
    assert [{column: row[column] for column in columns.split()} for row in found] == expected(
        columns,
        ("cart", SECOND, "fulfilled", "Completed Order", True, False, None),
        ("cart", THIRD, "paid", "Shipping Department", True, False, None),
        ("cart", THIRD, "pending", "Accounts Receivable", False, False, None),
        ("cart", THIRD, "cancelled", "Rejected", False, False, None),
        ("cart", THIRD, "fulfilled", "Completed Order", False, True, None),
        ("cart", THIRD, "quote", "Quote Sent", False, False, None),
        ("shop", SECOND, "paid", "PAID", True, False, None),
        ("shop", SECOND, "fulfilled", "FULFILLED", True, False, None),
        ("shop", SECOND, "cancelled", "CANCELED", False, False, None),
        ("shop", SECOND, "created", "CREATED", False, False, None),
        ("shop", SECOND, "paid", "PAID", False, True, None),
        ("shop", THIRD, "paid", "PAID", True, False, None),
        ("vendor", SECOND, "fulfilled", "issued", True, False, False),
        ("vendor", SECOND, "fulfilled", "trial", False, False, True),
        ("vendor", SECOND, "fulfilled", "test", False, True, False),
        ("vendor", THIRD, "fulfilled", "issued", True, False, False),
    )


def test_amounts_are_minor_units_and_unknown_where_the_source_does_not_say(house):
    columns = (
        "currency gross_minor order_discount_minor item_discount_minor net_minor"
        " shipping_minor tax_minor total_minor residual_minor refunded_minor refund_state units"
    )
    nothing = (None,) * 10
    rest = (None,) * 6
    assert figures(
        house, "core.orders", columns, "account, coalesce(source_order_id, order_id)"
    ) == expected(
        columns,
        ("USD", 7_000, 0, 500, 6_500, 800, 450, 7_750, 0, 0, "none", 3),
        ("USD", 3_000, 0, 0, 3_000, 500, 200, 3_700, 0, 1_000, "partial", 3),
        ("USD", 1_500, 0, 0, 1_500, 0, 0, 1_500, 0, 0, "none", 1),
        ("USD", 4_000, 0, 0, 4_000, 0, 0, 4_000, 0, 0, "none", 4),
        ("USD", 50_000, 0, 0, 50_000, 0, 0, 50_000, 0, 0, "none", 50),
        ("USD", 2_500, 0, 0, 2_500, 0, 0, 2_500, 0, 0, "none", 1),
        ("EUR", 10_000, 1_000, 500, 8_500, *rest, 3),
        ("USD", 2_000, 0, 0, 2_000, *rest, 1),
        ("EUR", 3_000, 0, 0, 3_000, *rest, 1),
        ("EUR", 700, 0, 0, 700, *rest, 1),
        ("EUR", 99_900, 0, 0, 99_900, *rest, 1),
        ("EUR", 5_000, 0, 0, 5_000, *rest, 1),
        ("XXX", *nothing, 2),
        ("XXX", *nothing, 1),
        ("XXX", *nothing, 1),
        ("XXX", *nothing, 1),
    )


def test_parts_of_a_kit_are_shown_and_not_counted_again(house):
    columns = "line_no product_id is_product is_kit_component quantity gross_minor net_minor"
    rows = house.ask(
        f"select {', '.join(columns.split())} from core.order_items where order_id = 'u1'"
        " order by line_no"
    )
    assert rows == expected(
        columns,
        (1, "gift-box", True, False, 1, 5_000, 4_500),
        (2, "box-tea", False, True, 1, 2_000, 2_000),
        (3, "box-cup", False, True, 2, 3_000, 3_000),
        (4, "tea", True, False, 2, 2_000, 2_000),
    )


def test_revenue_of_each_day_stands_by_account_and_currency(house):
    columns = (
        "account order_date currency gives_money orders_placed orders_recognised orders_cancelled"
        " gross_revenue_minor discounts_minor net_revenue_minor"
        " shipping_minor tax_minor total_minor"
        " refunds_minor refunds_net_minor net_after_refunds_minor"
        " pipeline_value_minor cancelled_value_minor units"
        " customers new_customer_orders returning_customer_orders guest_orders"
    )
    unsaid, no_money = (None,) * 6, (None,) * 12
    assert figures(
        house, "marts.daily_revenue", columns, "account, order_date, currency"
    ) == expected(
        columns,
        # u1
        (
            *("cart", SECOND, "USD", True, 1, 1, 0, 7_000, 500, 6_500),
            *(800, 450, 7_750, 0, 0, 6_500, 0, 0, 3, 1, 1, 0, 0),
        ),
        # u2 with a third refunded; u3 is in the pipeline, u4 cancelled, u5 a test, u6 no order yet
        (
            *("cart", THIRD, "USD", True, 4, 1, 1, 3_000, 0, 3_000),
            *(500, 200, 3_700, 1_000, 1_000, 2_000, 1_500, 4_000, 3, 1, 0, 1, 0),
        ),
        # v1; v3 cancelled, v4 in the pipeline, v5 a test
        (
            *("shop", SECOND, "EUR", True, 3, 1, 1, 10_000, 1_500, 8_500),
            *(*unsaid, 700, 3_000, 3, 1, 1, 0, 0),
        ),
        # v2
        (
            *("shop", SECOND, "USD", True, 1, 1, 0, 2_000, 0, 2_000),
            *(*unsaid, 0, 0, 1, 1, 1, 0, 0),
        ),
        # v6
        (
            *("shop", THIRD, "EUR", True, 1, 1, 0, 5_000, 0, 5_000),
            *(*unsaid, 0, 0, 1, 1, 0, 1, 0),
        ),
        # l1; l2 is a trial, l3 a test. Then l4, the first order in earnest of that customer.
        ("vendor", SECOND, "XXX", False, 2, 1, *no_money, 2, 1, 1, 0, 0),
        ("vendor", THIRD, "XXX", False, 1, 1, *no_money, 1, 1, 1, 0, 0),
    )


def test_each_day_shows_where_its_orders_stand(house):
    columns = (
        "account order_date currency status orders orders_recognised orders_of_day"
        " gross_minor discounts_minor net_minor"
    )
    assert figures(
        house, "marts.daily_status", columns, "account, order_date, currency, status"
    ) == expected(
        columns,
        ("cart", SECOND, "USD", "fulfilled", 1, 1, 1, 7_000, 500, 6_500),
        ("cart", THIRD, "USD", "cancelled", 1, 0, 4, 4_000, 0, 4_000),
        ("cart", THIRD, "USD", "paid", 1, 1, 4, 3_000, 0, 3_000),
        ("cart", THIRD, "USD", "pending", 1, 0, 4, 1_500, 0, 1_500),
        ("cart", THIRD, "USD", "quote", 1, 0, 4, 2_500, 0, 2_500),
        ("shop", SECOND, "EUR", "cancelled", 1, 0, 3, 3_000, 0, 3_000),
        ("shop", SECOND, "EUR", "created", 1, 0, 3, 700, 0, 700),
        ("shop", SECOND, "EUR", "paid", 1, 1, 3, 10_000, 1_500, 8_500),
        ("shop", SECOND, "USD", "fulfilled", 1, 1, 1, 2_000, 0, 2_000),
        ("shop", THIRD, "EUR", "paid", 1, 1, 1, 5_000, 0, 5_000),
        ("vendor", SECOND, "XXX", "fulfilled", 2, 1, 2, None, None, None),
        ("vendor", THIRD, "XXX", "fulfilled", 1, 1, 1, None, None, None),
    )


def test_discounts_have_no_rows_where_there_is_no_money(house):
    columns = (
        "account order_date currency orders_recognised orders_discounted gross_revenue_minor"
        " order_level_discount_minor item_level_discount_minor total_discount_minor"
        " depth_0_orders depth_0_5_orders depth_5_10_orders depth_10_20_orders"
    )
    assert figures(
        house, "marts.daily_discounts", columns, "account, order_date, currency"
    ) == expected(
        columns,
        ("cart", SECOND, "USD", 1, 1, 7_000, 0, 500, 500, 0, 0, 1, 0),  # 7.1 %
        ("cart", THIRD, "USD", 1, 0, 3_000, 0, 0, 0, 1, 0, 0, 0),
        ("shop", SECOND, "EUR", 1, 1, 10_000, 1_000, 500, 1_500, 0, 0, 0, 1),  # 15 %
        ("shop", SECOND, "USD", 1, 0, 2_000, 0, 0, 0, 1, 0, 0, 0),
        ("shop", THIRD, "EUR", 1, 0, 5_000, 0, 0, 0, 1, 0, 0, 0),
    )


def test_licenses_have_rows_where_there_are_licenses(house):
    columns = (
        "account order_date orders_placed trial_orders issued_orders test_orders"
        " orders_without_licenses licenses trial_licenses normal_licenses"
        " licenses_active licenses_enabled licenses_disabled"
        " trial_customers trial_customers_converted"
    )
    assert figures(house, "marts.daily_licenses", columns, "account, order_date") == expected(
        columns,
        ("vendor", SECOND, 2, 1, 1, 1, 0, 3, 1, 2, 1, 3, 0, 1, 1),
        ("vendor", THIRD, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0),
    )


def test_a_customer_of_two_sources_is_one_person_only_when_the_analyst_says_so(house):
    keys = {
        row["account"]: row["customer_key"]
        for row in house.ask(
            "select account, min(customer_key) as customer_key from core.orders"
            " where coalesce(source_order_id, order_id) in ('v1', 'u1', 'l1') group by account"
        )
    }
    assert (keys["shop"], keys["cart"]) == ("anna", ANNA)
    assert len(set(keys.values())) == 3
    assert house.ask("from marts.people") == []

    sources = {"shop": "voucherify", "cart": "ultracart", "vendor": "licensespring"}
    revenue = "from marts.daily_revenue order by all"
    before = house.ask(revenue)
    for account, key in keys.items():
        house.ask(
            "insert into ops.customer_map"
            f" values ('{sources[account]}', '{account}', '{key}', 'Anna')"
        )
    refresh_models(house.settings)
    columns = "person_key currency gives_money accounts customers orders_recognised"
    columns += " first_order_date last_order_date net_revenue_minor"
    assert figures(house, "marts.people", columns, "currency") == expected(
        columns,
        ("Anna", "EUR", True, 1, 1, 2, SECOND, THIRD, 13_500),
        ("Anna", "USD", True, 1, 1, 2, SECOND, THIRD, 9_500),
        ("Anna", "XXX", False, 1, 1, 1, SECOND, SECOND, None),
    )
    assert house.ask(revenue) == before
