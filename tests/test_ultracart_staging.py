"""UltraCart orders as sent become typed rows, or are put aside with a reason."""

import json
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256

import pytest

from orders_connector.landing.raw_log import land, land_gone
from orders_connector.landing.spool import batches_from_pages
from orders_connector.modeling.checks import run_checks
from orders_connector.modeling.fast_json import for_duckdb
from orders_connector.modeling.refresh import refresh
from orders_connector.sandbox.ultracart.expansions import EVERYTHING, projected, thinned
from orders_connector.sandbox.ultracart.history import history
from orders_connector.sandbox.ultracart.life import advance
from orders_connector.sandbox.ultracart.orders import OrderMaker
from orders_connector.sandbox.ultracart.refunds import full_refund, is_refunded, refund
from orders_connector.sandbox.ultracart.switches import Switches
from orders_connector.sources.ultracart.reading import CONTRACT
from orders_connector.warehouse.database import open_warehouse, transaction
from tests.modeling.conftest import upstream_of

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
MODELS = upstream_of(
    "core.order_versions",
    "core.order_items",
    "core.order_status_changes",
    "core.order_discounts",
    "marts.daily_status",
    "marts.daily_summary",
)


class Warehouse:
    """Lands UltraCart orders as the source sends them and answers queries."""

    def __init__(self, con):
        self.con = con
        self.loads = 0
        for account, currency, exponent in (("tea", "USD", 2), ("jp", "JPY", 0), ("kw", "KWD", 3)):
            con.execute(
                "insert into ops.accounts (source, account, currency, minor_unit_exponent,"
                " time_zone, business_date_path, test_order_path) values ('ultracart', ?, ?, ?,"
                " 'America/New_York', '$.checkout.custom_field1', '$.checkout.custom_field2')",
                [account, currency, exponent],
            )
            con.execute("insert into ops.currencies values (?, ?)", [currency, exponent])
            for name, value in (
                ("recognised_statuses", "Shipping Department"),
                ("recognised_statuses", "Completed Order"),
                ("non_product_items", "WRAP"),
            ):
                con.execute(
                    "insert into ops.account_lists values ('ultracart', ?, ?, ?)",
                    [account, name, value],
                )

    def _origin(self, account):
        self.loads += 1
        return {
            "source": "ultracart",
            "account": account,
            "extraction_id": f"ext_{self.loads}",
            "loaded_at": NOW,
        }

    def land(self, *orders, account="tea"):
        body = json.dumps({"orders": list(orders)}).encode()
        with transaction(self.con):
            land(
                self.con,
                lambda: batches_from_pages(iter([body]), "list"),
                contract=CONTRACT,
                **self._origin(account),
            )

    def gone(self, *ids):
        with transaction(self.con):
            land_gone(self.con, [(name, '{"error": {}}') for name in ids], **self._origin("tea"))

    def refresh(self, **options):
        return refresh(self.con, MODELS, **options)

    def rows(self, query, *parameters):
        cursor = self.con.execute(query, list(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def order(self, name):
        (row,) = self.rows("from core.orders where order_id = ?", name)
        return row

    def tables(self):
        return {
            name: self.con.execute(f"from {name} order by all").fetchall()
            for name, model in MODELS.items()
            if not model.tells_of_runs
        }


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        yield Warehouse(con)


def money(value, **foreign):
    return {"value": value, "localized": value, "localized_formatted": f"${value}", **foreign}


def line(index, sku, quantity, cost, total, **fields):
    return {
        "item_index": index,
        "merchant_item_id": sku,
        "description": f"{sku} by name\nCODE-1234",
        "quantity": quantity,
        "cost": money(cost),
        "total_cost_with_discount": money(total),
        **fields,
    }


FULL = {
    "merchant_id": "ACME",
    "order_id": "full",
    "current_stage": "Completed Order",
    "creation_dts": "2026-03-07T23:40:12-05:00",
    "language_iso_code": "ENG",
    "payment": {
        "payment_method": "Credit Card",
        "payment_status": "Processed",
        "payment_dts": "2026-03-07T23:40:15-05:00",
    },
    "shipping": {"shipping_date": "2026-03-09T10:02:44-04:00", "tracking_numbers": [""]},
    "summary": {
        "subtotal": money(100),
        "subtotal_discount": money(10),
        "shipping_handling_total": money(7.5),
        "shipping_handling_total_discount": money(0),
        "tax": money(6.3),
        "total": money(103.8),
        "subtotal_refunded": money(30),
        "subtotal_discount_refunded": money(3),
        "tax_refunded": money(1.89),
        "total_refunded": money(28.89),
    },
    "items": [
        line(1, "TEA", 2, 30, 54, quantity_refunded=1, total_refunded=money(27)),
        line(2, "POT", 1, 40, 36),
    ],
    "coupons": [{"base_coupon_code": "TEN", "coupon_code": "TEN-7Q2X9"}, {"coupon_code": "HI"}],
    "refund_dts": "2026-03-20T09:12:01-04:00",
}


def changed(name, path, value):
    """Return the full order under another id, with one value set or (None) left out."""
    order = deepcopy(FULL) | {"order_id": name}
    if not path:
        return order
    *parents, key = path.split(".")
    place = order
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
    if isinstance(place, list):
        place[int(key)] = value
    elif value is None:
        place.pop(key, None)
    else:
        place[key] = value
    return order


def test_an_order_in_full(warehouse):
    warehouse.land(FULL)
    warehouse.refresh()
    order = warehouse.order("full")
    expected = {
        "source": "ultracart",
        "account": "tea",
        "created_at": datetime(2026, 3, 8, 4, 40, 12, tzinfo=UTC),
        "updated_at": None,
        "paid_at": datetime(2026, 3, 8, 4, 40, 15, tzinfo=UTC),
        "shipped_at": datetime(2026, 3, 9, 14, 2, 44, tzinfo=UTC),
        "refunded_at": datetime(2026, 3, 20, 13, 12, 1, tzinfo=UTC),
        "cancelled_at": None,
        "order_date": date(2026, 3, 7),
        "order_date_source": "created_at",
        "source_status": "Completed Order",
        "status": "fulfilled",
        "is_recognised": True,
        "is_test": False,
        "is_trial": None,
        "order_kind": "one_time",
        "gives_money": True,
        "currency": "USD",
        "minor_unit_exponent": 2,
        "shopper_currency": None,
        "shopper_total": None,
        "gross_minor": 10_000,
        "order_discount_minor": 0,
        "item_discount_minor": 1_000,
        "total_discount_minor": 1_000,
        "net_minor": 9_000,
        "shipping_minor": 750,
        "shipping_discount_minor": 0,
        "tax_minor": 630,
        "total_minor": 10_380,
        "residual_minor": 0,
        "refunded_minor": 2_889,
        "refunded_net_minor": 2_700,
        "refund_state": "partial",
        "line_count": 2,
        "units": 3,
        "redemption_count": 2,
        "detail_level": "full",
        "is_deleted": False,
    }
    assert {key: order[key] for key in expected} == expected
    lines = warehouse.rows("from core.order_items order by line_no")
    assert [
        (
            each["product_id"],
            each["product_name"],
            each["quantity"],
            each["quantity_refunded"],
            each["unit_price_minor"],
            each["gross_minor"],
            each["discount_minor"],
            each["net_minor"],
            each["refunded_minor"],
        )
        for each in lines
    ] == [
        ("TEA", "TEA by name", 2, 1, 3_000, 6_000, 600, 5_400, 2_700),
        ("POT", "POT by name", 1, 0, 4_000, 4_000, 400, 3_600, 0),
    ]
    given = warehouse.rows("from core.order_discounts order by redemption_id")
    assert [(g["redemption_id"], g["kind"], g["related_object_id"]) for g in given] == [
        ("coupon:1:TEN-7Q2X9", "coupon", "TEN"),
        ("coupon:2:HI", "coupon", "HI"),
    ]
    results = run_checks(warehouse.con, MODELS.values())
    assert [(r.model, r.name, r.sample) for r in results if not r.passed] == []


STAGES = [
    ("Accounts Receivable", "pending"),
    ("Pending Clearance", "pending"),
    ("Fraud Review", "pending"),
    ("Hold", "pending"),
    ("Pre-ordered", "pending"),
    ("Unknown", "pending"),
    ("Quote Request", "quote"),
    ("Quote Sent", "quote"),
    ("Least Cost Routing", "paid"),
    ("Advanced Order Routing", "paid"),
    ("Shipping Department", "paid"),
    ("Completed Order", "fulfilled"),
    ("Rejected", "cancelled"),
    ("Teleported", "other"),
    (7, "other"),
    (None, "unknown"),
]


def test_stages_become_statuses_and_the_native_one_is_kept(warehouse):
    warehouse.land(*(changed(f"o{n}", "current_stage", s) for n, (s, _) in enumerate(STAGES)))
    warehouse.refresh()
    for number, (stage, status) in enumerate(STAGES):
        order = warehouse.order(f"o{number}")
        native = None if stage is None else str(stage)
        assert (order["source_status"], order["status"]) == (native, status)
        assert order["is_recognised"] == (stage in ("Shipping Department", "Completed Order"))


def test_revenue_is_paid_and_no_test(warehouse):
    cases = {
        "unpaid": changed("unpaid", "payment.payment_dts", None),
        "payment_not_sent": changed("payment_not_sent", "payment", None),
        "test": changed("test", "payment.test_order", True),
        "test_by_path": changed("test_by_path", "checkout.custom_field2", "yes"),
        "no_test": changed("no_test", "payment.test_order", False),
    }
    warehouse.land(*cases.values())
    warehouse.refresh()
    shown = {
        name: (warehouse.order(name)["is_test"], warehouse.order(name)["is_recognised"])
        for name in cases
    }
    assert shown == {
        "unpaid": (False, False),
        "payment_not_sent": (False, False),
        "test": (True, False),
        "test_by_path": (True, False),
        "no_test": (False, True),
    }


REFUSED = [
    ("summary.total", money(103.8125), "summary.total has more decimals than USD: 103.8125"),
    ("summary.tax", money(0.001), "summary.tax has more decimals than USD: 0.001"),
    ("summary.total", money("a lot"), "summary.total is not an amount: a lot"),
    ("summary.total", money(-1), "summary.total is not an amount: -1"),
    ("summary.total", money(True), "summary.total is not an amount: true"),
    ("summary.total", money(10**13), f"summary.total is not an amount: {10**13}"),
    ("summary.total", money(1e-9), "summary.total is not an amount: 1e-9"),
    ("summary.total", 103.8, "summary.total is not an amount: no value in 103.8"),
    ("summary.total", [], "summary.total is not an amount: no value in []"),
    ("summary.subtotal", {}, "summary.subtotal is not an amount: no value in {}"),
    (
        "summary.subtotal",
        {"localized": 3},
        'summary.subtotal is not an amount: no value in {"localized":3}',
    ),
    ("gift.gift_charge", money(1.005), "gift.gift_charge has more decimals than USD: 1.005"),
    (
        "items.1.total_cost_with_discount",
        money(36.0001),
        "items[1].total_cost_with_discount has more decimals than USD: 36.0001",
    ),
    ("items.0.total_refunded", money("x"), "items[0].total_refunded is not an amount: x"),
    ("items.0.cost", 30, "items[0].cost is not an amount: no value in 30"),
    ("items.0.quantity", "two", "items[0].quantity is not a number of units: two"),
    ("items.0.quantity", 0.12345, "items[0].quantity is not a number of units: 0.12345"),
    ("items.0.quantity", -1, "items[0].quantity is not a number of units: -1"),
    ("items.0", "tea", "items[0] is not an item: tea"),
    ("items.0", [], "items[0] is not an item: []"),
    ("payment.payment_dts", "soon", "payment.payment_dts is not a time: soon"),
    ("shipping.shipping_date", 20260309, "shipping.shipping_date is not a time: 20260309"),
    (
        "reject_dts",
        "2026-02-30T00:00:00-05:00",
        "reject_dts is not a time: 2026-02-30T00:00:00-05:00",
    ),
    ("items", {"a": 1}, "items is not array but object"),
    ("coupons", "TEN", "coupons is not array but varchar"),
]


def test_what_cannot_be_typed_is_put_aside_with_its_reason(warehouse):
    warehouse.land(*(changed(f"o{n}", path, value) for n, (path, value, _) in enumerate(REFUSED)))
    warehouse.refresh()
    assert warehouse.rows("from core.orders") == []
    reasons = warehouse.rows("select order_id, reason from ops.quarantine")
    found = {row["order_id"]: row["reason"] for row in reasons}
    for number, (path, value, reason) in enumerate(REFUSED):
        assert found[f"o{number}"] == reason, (path, value)


def test_a_version_that_cannot_be_typed_hides_no_earlier_one(warehouse):
    warehouse.land(FULL)
    warehouse.land(changed("full", "summary.total", money(0.00001)))
    warehouse.refresh()
    assert warehouse.order("full")["total_minor"] == 10_380
    assert len(warehouse.rows("from ops.quarantine")) == 1


@pytest.mark.parametrize(
    ("account", "value", "minor"),
    [
        ("tea", 0, 0),
        ("tea", 20, 2_000),
        ("tea", 20.0, 2_000),
        ("tea", 0.1, 10),
        ("tea", 1.10, 110),
        ("tea", 999_999_999_999.99, 99_999_999_999_999),
        ("tea", "17.30000", 1_730),
        ("jp", 1200, 1_200),
        ("kw", 1.005, 1_005),
        ("kw", 0.1, 100),
    ],
)
def test_amounts_are_exact(warehouse, account, value, minor):
    warehouse.land(changed("o", "summary.total", money(value)), account=account)
    if account == "jp":  # the other amounts have decimals that a yen has not
        whole = changed("o", "summary", {"subtotal": money(1), "total": money(value)})
        warehouse.land(whole | {"items": []}, account=account)
    warehouse.refresh()
    order = warehouse.order("o")
    assert order["total_minor"] == minor
    assert order["currency"] == {"tea": "USD", "jp": "JPY", "kw": "KWD"}[account]


def test_decimals_that_the_currency_lacks_are_refused(warehouse):
    warehouse.land(FULL, account="jp")
    warehouse.refresh()
    (entry,) = warehouse.rows("select reason from ops.quarantine")
    assert entry["reason"] == "summary.shipping_handling_total has more decimals than JPY: 7.5"


def test_an_order_without_its_parts_has_no_money_and_no_zero(warehouse):
    keys = ("merchant_id", "order_id", "current_stage", "creation_dts", "refund_dts")
    stub = {key: FULL[key] for key in keys}
    header = {k: v for k, v in FULL.items() if k not in ("items", "coupons")}
    cached = thinned(FULL)
    warehouse.land(
        stub | {"order_id": "stub"},
        header | {"order_id": "header"},
        cached | {"order_id": "cached"},
    )
    warehouse.refresh()
    stub, header, cached = (warehouse.order(name) for name in ("stub", "header", "cached"))
    unknown = [key for key in stub if key.endswith("_minor")]
    assert len(unknown) > 10
    assert {stub[key] for key in (*unknown, "units", "refund_state", "order_kind")} == {None}
    assert (stub["detail_level"], stub["status"], stub["gives_money"]) == (
        "header",
        "fulfilled",
        True,
    )
    assert stub["is_recognised"] is False
    assert (header["detail_level"], header["units"], header["line_count"]) == ("header", None, None)
    assert (header["net_minor"], header["residual_minor"], header["refunded_minor"]) == (
        9_000,
        0,
        2_889,
    )
    # The lines would say which part of the discount is theirs.
    assert (header["item_discount_minor"], header["order_discount_minor"]) == (None, None)
    assert (cached["total_minor"], cached["shipping_minor"]) == (10_380, 750)
    partly = ("gross_minor", "total_discount_minor", "net_minor", "refunded_minor", "refund_state")
    assert {cached[key] for key in (*partly, "residual_minor")} == {None}
    results = run_checks(warehouse.con, MODELS.values())
    assert [(r.model, r.name, r.sample) for r in results if not r.passed] == []


def test_keys_that_are_left_out_are_zero_beside_a_subtotal(warehouse):
    summary = {"subtotal": money(90), "total": money(90)}
    items = [line(1, "TEA", 3, 30, 90)]
    warehouse.land(FULL | {"summary": summary, "items": items})
    warehouse.refresh()
    order = warehouse.order("full")
    zero = ("total_discount_minor", "shipping_discount_minor", "refunded_minor")
    assert [order[key] for key in (*zero, "refunded_net_minor", "residual_minor")] == [0] * 5
    assert (order["refund_state"], order["tax_minor"], order["shipping_minor"]) == (
        "none",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("parts", "residual"),
    [
        ({}, 0),
        ({"gift": {"gift_charge": money(1.3), "gift_wrap_cost": money(2)}}, -330),
        ({"payment": {**FULL["payment"], "surcharge": money(0.5)}}, -50),
        ({"buysafe": {"buysafe_bond_cost": money(1)}}, -100),
        ({"gift_certificate": {"gift_certificate_amount": money(5)}}, 0),
    ],
    ids=["merchandise", "gift", "surcharge", "bond", "certificate"],
)
def test_the_residual_is_what_no_known_part_explains(warehouse, parts, residual):
    warehouse.land(FULL | parts)
    warehouse.refresh()
    assert warehouse.order("full")["residual_minor"] == residual
    results = run_checks(warehouse.con, [MODELS["core.orders"]])
    broken = {r.name: r.severity for r in results if not r.passed}
    assert broken == ({"total_is_the_sum_of_its_parts": "warn"} if residual else {})


def test_refunds_are_told_by_money_and_not_by_stage(warehouse):
    warehouse.land(
        changed("full", "summary.total_refunded", money(103.8)),
        changed("none", "summary.total_refunded", money(0)),
        changed("partial", "summary.total_refunded", money(0.01)),
        changed("parts_unknown", "summary.subtotal_refunded", None),
    )
    warehouse.refresh()
    unknown = warehouse.order("parts_unknown")
    assert (unknown["refunded_minor"], unknown["refunded_net_minor"]) == (2_889, None)
    states = warehouse.rows("select order_id, refund_state, status from core.orders")
    assert {row["order_id"] for row in states if row["order_id"] == row["refund_state"]} == {
        "full",
        "none",
        "partial",
    }
    assert {row["status"] for row in states} == {"fulfilled"}


def test_the_shoppers_currency_is_kept_beside(warehouse):
    euro = {"currency_code": "EUR", "exchange_rate": 0.92}
    summary = FULL["summary"] | {"total": money(103.8, **euro) | {"localized": 95.5}}
    warehouse.land(FULL | euro | {"summary": summary})
    same = changed("same", "currency_code", "usd")
    warehouse.land(same)
    warehouse.refresh()
    order, plain = warehouse.order("full"), warehouse.order("same")
    assert (order["currency"], order["total_minor"]) == ("USD", 10_380)
    assert (order["shopper_currency"], order["shopper_total"]) == ("EUR", Decimal("95.5"))
    assert (plain["shopper_currency"], plain["shopper_total"]) == (None, None)


def email_key(text):
    return "email:" + sha256(text.encode()).hexdigest()


CUSTOMERS = {
    "profile": ({"customer_profile": {"customer_profile_oid": 9007199254740993}}, None),
    "both": (
        {"customer_profile": {"customer_profile_oid": 7}, "billing": {"email": "a@example.com"}},
        "7",
    ),
    "email": ({"billing": {"email": "Jörg@Example.com "}}, email_key("jörg@example.com")),
    "blank": ({"billing": {"email": "  "}}, None),
    "nobody": ({}, None),
}


def test_customers_are_known_by_profile_or_by_hashed_email(warehouse):
    warehouse.land(*(FULL | parts | {"order_id": name} for name, (parts, _) in CUSTOMERS.items()))
    warehouse.refresh()
    found = {name: warehouse.order(name)["customer_key"] for name in CUSTOMERS}
    assert found == {name: key for name, (_, key) in CUSTOMERS.items()} | {
        "profile": "9007199254740993"
    }


KINDS = {
    "one_time": {},
    "subscription_start": {"auto_order": {"auto_order_oid": 1}},
    "subscription_start_itself": {"auto_order": {"original_order_id": "subscription_start_itself"}},
    "rebill": {"auto_order": {"auto_order_oid": 1, "original_order_id": "earlier"}},
}


def test_the_kind_of_order_comes_from_its_subscription(warehouse):
    warehouse.land(*(FULL | parts | {"order_id": name} for name, parts in KINDS.items()))
    warehouse.refresh()
    found = {name: warehouse.order(name)["order_kind"] for name in KINDS}
    assert found == {name: name.removesuffix("_itself") for name in KINDS}


# New York: UTC-5 until 8 March 2026 07:00 UTC, UTC-4 until 1 November 06:00 UTC.
DAYS = {
    "before_spring": ("2026-03-08T01:59:59-05:00", "2026-03-08 06:59:59", date(2026, 3, 8)),
    "after_spring": ("2026-03-08T03:00:00-04:00", "2026-03-08 07:00:00", date(2026, 3, 8)),
    "last_of_spring_day": ("2026-03-08T23:59:59-04:00", "2026-03-09 03:59:59", date(2026, 3, 8)),
    "first_half_past_one": ("2026-11-01T01:30:00-04:00", "2026-11-01 05:30:00", date(2026, 11, 1)),
    "second_half_past_one": ("2026-11-01T01:30:00-05:00", "2026-11-01 06:30:00", date(2026, 11, 1)),
    "last_of_long_day": ("2026-11-01T23:59:59-05:00", "2026-11-02 04:59:59", date(2026, 11, 1)),
    "other_offset": ("2026-07-01T03:30:00.250+02:00", "2026-07-01 01:30:00", date(2026, 6, 30)),
    "zulu": ("2026-07-01T03:59:59Z", "2026-07-01 03:59:59", date(2026, 6, 30)),
}


def test_times_and_days_around_daylight_saving(warehouse):
    warehouse.land(*(changed(name, "creation_dts", text) for name, (text, *_) in DAYS.items()))
    warehouse.refresh()
    for name, (_, utc, day) in DAYS.items():
        order = warehouse.order(name)
        assert (f"{order['created_at']:%Y-%m-%d %H:%M:%S}", order["order_date"]) == (utc, day)


def test_the_business_date_may_stand_in_the_order(warehouse):
    warehouse.land(
        changed("bare", "checkout.custom_field1", "2025-12-24"),
        changed("time", "checkout.custom_field1", "2025-12-25T03:00:00Z"),
        changed("text", "checkout.custom_field1", "loyal"),
    )
    warehouse.refresh()
    days = warehouse.rows(
        "select order_id, order_date, order_date_source from core.orders order by 1"
    )
    assert [tuple(day.values()) for day in days] == [
        ("bare", date(2025, 12, 24), "metadata"),
        ("text", date(2026, 3, 7), "created_at"),
        ("time", date(2025, 12, 24), "metadata"),
    ]


def test_parts_of_a_kit_are_not_counted_twice(warehouse):
    items = [
        line(1, "KIT", 2, 50, 90, kit=True),
        line(2, "TEA", 4, 0, 0, kit_component=True, parent_item_index=1),
        line(3, "POT", 2, 30, 60, kit_component=True, parent_item_index=1),
        line(4, "WRAP", 1, 5, 5),
    ]
    summary = {"subtotal": money(105), "subtotal_discount": money(12), "total": money(93)}
    warehouse.land(FULL | {"items": items, "summary": summary})
    warehouse.refresh()
    order = warehouse.order("full")
    assert (order["line_count"], order["units"]) == (1, 2)
    assert (order["item_discount_minor"], order["order_discount_minor"]) == (1_000, 200)
    lines = warehouse.rows(
        "select product_id, is_product, is_kit_component from core.order_items order by line_no"
    )
    assert [tuple(each.values()) for each in lines] == [
        ("KIT", True, False),
        ("TEA", False, True),
        ("POT", False, True),
        ("WRAP", False, False),
    ]


LINES = {
    "by_weight": (line(1, "A", 2.5, 4, 9), (Decimal("2.5"), 400, 1_000, 100, 900)),
    "fraction_of_a_cent_each": (line(1, "A", 1000, 0.0125, 12.5), (1000, None, 1_250, 0, 1_250)),
    "no_whole_cents": (line(1, "A", 1.5, 3.33, 5), (Decimal("1.5"), 333, 500, 0, 500)),
    "rounded_down": (line(1, "A", 1.5, 3.33, 4.99), (Decimal("1.5"), 333, None, None, 499)),
    "dearer_by_options": (line(1, "A", 1, 5, 7), (1, 500, 700, 0, 700)),
    "no_total": (
        {"merchant_item_id": "A", "quantity": 2, "cost": money(3)},
        (2, 300, 600, None, 600),
    ),
    "nothing": ({}, (None, None, None, None, None)),
}


def test_lines_are_exact_or_unknown(warehouse):
    warehouse.land(*(changed(name, "items", [item]) for name, (item, _) in LINES.items()))
    warehouse.refresh()
    found = warehouse.rows(
        "select order_id, quantity, unit_price_minor, gross_minor, discount_minor, net_minor"
        " from core.order_items"
    )
    assert {row["order_id"]: tuple(row.values())[1:] for row in found} == {
        name: expected for name, (_, expected) in LINES.items()
    }


def test_coupons_and_certificates_are_incentives_without_amounts(warehouse):
    certificate = {"gift_certificate_code": "SECRET", "gift_certificate_oid": 42}
    coupons = [{"coupon_code": "TEN"}, {"coupon_code": "TEN"}, "odd", {}]
    warehouse.land(FULL | {"coupons": coupons, "gift_certificate": certificate})
    warehouse.refresh()
    given = warehouse.rows("from core.order_discounts order by redemption_id")
    assert [(g["redemption_id"], g["kind"], g["related_object_id"]) for g in given] == [
        ("coupon:1:TEN", "coupon", "TEN"),
        ("coupon:2:TEN", "coupon", "TEN"),
        ("coupon:3:", "coupon", None),
        ("coupon:4:", "coupon", None),
        ("gift_certificate:42", "gift_certificate", "42"),
    ]
    assert {(g["redeemed_at"], g["is_rolled_back"], g["is_stack"]) for g in given} == {
        (None, False, False)
    }
    assert warehouse.order("full")["redemption_count"] == 5


def test_status_changes_are_exact_where_the_source_gives_times(warehouse):
    histories = [
        {"after_stage": "Accounts Receivable", "transition_dts": "2026-11-01T01:59:59-04:00"},
        {
            "before_stage": "Accounts Receivable",
            "after_stage": "Shipping Department",
            "transition_dts": "2026-11-01T01:00:00-05:00",
        },
        {"before_stage": "Shipping Department", "after_stage": "Teleported"},
    ]
    warehouse.land(FULL | {"current_stage_histories": histories})
    warehouse.refresh()
    changes = warehouse.rows("from core.order_status_changes order by change_no")
    assert [
        (
            c["from_status"],
            c["to_status"],
            c["to_source_status"],
            c["changed_after"],
            c["changed_at"] and f"{c['changed_at']:%d %H:%M:%S}",
            c["is_exact"],
        )
        for c in changes
    ] == [
        (None, "pending", "Accounts Receivable", None, "01 05:59:59", True),
        ("pending", "paid", "Shipping Department", None, "01 06:00:00", True),
        ("paid", "other", "Teleported", None, None, True),
    ]


def test_without_a_history_a_change_lies_between_two_versions(warehouse):
    for number, stage in enumerate(["Hold", "Hold", "Shipping Department", "Completed Order"]):
        warehouse.land(FULL | {"current_stage": stage, "seen": number})
    warehouse.refresh()
    changes = warehouse.rows("from core.order_status_changes order by change_no")
    assert [(c["from_source_status"], c["to_source_status"], c["is_exact"]) for c in changes] == [
        ("Hold", "Shipping Department", False),
        ("Shipping Department", "Completed Order", False),
    ]
    assert all(c["changed_after"] <= c["changed_at"] for c in changes)


def test_an_order_that_is_gone_is_deleted_until_it_is_back(warehouse):
    warehouse.land(FULL, FULL | {"order_id": "other"})
    warehouse.gone("full")
    warehouse.refresh()
    assert warehouse.order("full")["is_deleted"] is True
    assert warehouse.rows("select distinct order_id from core.order_items") == [
        {"order_id": "other"}
    ]
    warehouse.land(FULL)
    warehouse.refresh()
    assert warehouse.order("full")["is_deleted"] is False


def shop(orders, now=NOW):
    """Return the orders of a shop with everything that has happened to them."""
    return list(history(OrderMaker(11), orders, now, 200))


def sent(order):
    """Return an order as a request for all its parts shows it."""
    return projected(deepcopy(order), EVERYTHING, Switches(unlisted_parts="always"))


def cents(amount):
    return round(Decimal(str(amount["value"])) * 100) if amount else 0


def test_a_whole_shop_adds_up(warehouse):
    orders = [sent(order) for order in shop(300)]
    warehouse.land(*orders)
    warehouse.refresh()
    assert warehouse.rows("from ops.quarantine") == []
    shown = {row["order_id"]: row for row in warehouse.rows("from core.orders")}
    assert shown.keys() == {order["order_id"] for order in orders}
    for order in orders:
        row, summary = shown[order["order_id"]], order["summary"]
        assert row["total_minor"] == cents(summary["total"])
        assert row["net_minor"] == cents(summary["subtotal"]) - cents(summary["subtotal_discount"])
        assert row["refunded_minor"] == cents(summary.get("total_refunded"))
        assert row["residual_minor"] == 0
        assert (row["refund_state"] == "full") == is_refunded(order)
        own = [item for item in order["items"] if not item.get("kit_component")]
        assert row["units"] == sum(Decimal(str(item["quantity"])) for item in own)
        assert row["is_recognised"] == (
            order["current_stage"] in ("Shipping Department", "Completed Order")
            and "payment_dts" in order["payment"]
            and not order["payment"].get("test_order")
        )
    lines = warehouse.rows("select sum(net_minor) as net from core.order_items")
    nets = warehouse.rows("select sum(net_minor) as net from core.orders")
    assert lines == nets
    results = run_checks(warehouse.con, MODELS.values())
    assert [(r.model, r.name, r.sample) for r in results if not r.passed] == []


def test_the_portable_form_gives_the_rows_of_the_fast_one(warehouse):
    warehouse.land(*(sent(order) for order in shop(40)))
    warehouse.land(*(changed(f"o{n}", path, value) for n, (path, value, _) in enumerate(REFUSED)))
    warehouse.refresh()
    names = [name for name in MODELS if name.startswith("staging.ultracart_")]
    assert len(names) == 5
    for name in names:
        select = MODELS[name].inlined
        portable, fast = (
            warehouse.rows(f"from ({form.sql(dialect='duckdb')}) order by all")
            for form in (select, for_duckdb(select))
        )
        assert portable == fast != []


@pytest.mark.slow
def test_slices_equal_a_full_rebuild_while_the_shop_lives_on(warehouse):
    orders = shop(60)
    maker = OrderMaker(12)
    rng = maker.rng
    later = NOW
    for night in range(4):
        warehouse.land(*(sent(order) for order in orders))
        if night == 2:
            warehouse.gone(orders[5]["order_id"], orders[6]["order_id"])
            warehouse.land({"order_id": orders[7]["order_id"], "creation_dts": "2026-01-01"})
        warehouse.refresh()
        later = later.replace(day=later.day + 1)
        for order in rng.sample(orders, 20):
            advance(order, later, rng)
            if "payment_dts" in order["payment"] and not is_refunded(order) and rng.random() < 0.3:
                refund(order, full_refund(order), later)
    by_slices = warehouse.tables()
    quarantine = warehouse.rows("from ops.quarantine order by all")
    warehouse.refresh(full=True)
    assert warehouse.tables() == by_slices
    assert warehouse.rows("from ops.quarantine order by all") == quarantine
