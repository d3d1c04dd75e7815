"""LicenseSpring's orders and licenses, from payloads as they are landed to core."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.landing.raw_log import land, land_gone
from orders_connector.landing.spool import batches_from_pages
from orders_connector.modeling.checks import run_checks
from orders_connector.modeling.refresh import refresh
from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.licensespring.life import Maker, Moves, fill
from orders_connector.sandbox.licensespring.shop import Shop
from orders_connector.sources.licensespring.reading import LICENSES, ORDERS
from orders_connector.sources.licensespring.secrets import redacted
from orders_connector.warehouse.database import open_warehouse, transaction
from tests.modeling.conftest import upstream_of

MODELS = upstream_of(
    "core.order_versions",
    "marts.daily_status",
    "marts.daily_summary",
    "marts.license_products",
    "marts.daily_licenses",
    "core.trial_conversions",
    "core.order_items",
    "core.licenses",
)
# Lets every shape through, as another version of landing might.
ANY_SHAPE = replace(ORDERS, shapes={}, drifting={})
ORDER = {
    "id": 1772928012345678,
    "created_at": "2026-03-08T00:00:12Z",
    "updated_at": "2026-03-08T00:00:12.345678Z",
    "store_id": "CRM-1001",
    "type": "normal",
    "is_test": False,
    "is_trial": False,
    "customer": {"id": 620, "email": "buyer@example.com"},
    "customer_email": None,
    "metadata": {},
}
LICENSE = {
    "id": 1772928012345700,
    "order": ORDER["id"],
    "order_item": 1772928012345690,
    "license_key": "XXXX-YYYY",
    "status": "Inactive",
    "active": False,
    "enabled": True,
    "is_trial": False,
    "license_type": "subscription",
    "created_at": "2026-03-08T00:00:12Z",
    "updated_at": "2026-04-01T08:00:00Z",
    "validity_period": "2027-03-08T00:00:00Z",
    "max_activations": 3,
    "times_activated": 1,
    "time_activated": None,
    "subscription_id": "sub_1",
    "product": {"id": 1584723961091234, "short_code": "app1", "product_name": "Example App"},
}


class Vendor:
    """A warehouse that lands orders and licenses as LicenseSpring sends them."""

    def __init__(self, con):
        self.con = con
        self.loads = 0

    def configure(self, account="vendor", **columns):
        values = {
            "source": "licensespring",
            "account": account,
            "currency": "EUR",
            "minor_unit_exponent": 2,
            "time_zone": "Europe/Warsaw",
        } | columns
        self.con.execute("delete from ops.accounts where account = ?", [account])
        self.con.execute(
            f"insert into ops.accounts ({', '.join(values)})"
            f" values ({', '.join('?' for _ in values)})",
            list(values.values()),
        )
        self.con.execute("delete from ops.account_lists where account = ?", [account])
        self.con.execute(
            "insert into ops.account_lists (source, account, list_name, value)"
            " values ('licensespring', ?, 'recognised_statuses', 'issued')",
            [account],
        )

    def land(self, *rows, contract=ORDERS, channel="list", account="vendor"):
        body = redacted(json.dumps({"results": rows}).encode())
        with transaction(self.con):
            return land(
                self.con,
                lambda: batches_from_pages(iter([body]), channel),
                contract=contract,
                **self._origin(account),
            )

    def land_licenses(self, *licenses, account="vendor"):
        return self.land(*licenses, contract=LICENSES, account=account)

    def land_gone(self, *orders, licenses=(), account="vendor"):
        answers = [(str(order), '{"message":"gone"}') for order in orders]
        parts = [(str(order), str(one), '{"message":"gone"}') for order, one in licenses]
        with transaction(self.con):
            return land_gone(self.con, answers, parts=parts, **self._origin(account))

    def _origin(self, account):
        self.loads += 1
        return {
            "source": "licensespring",
            "account": account,
            "extraction_id": f"ext_{self.loads}",
            "loaded_at": datetime(2026, 8, 1, tzinfo=UTC) + timedelta(minutes=self.loads),
        }

    def refresh(self, **options):
        return refresh(self.con, MODELS, **options)

    def rows(self, query):
        cursor = self.con.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def values(self, query):
        return self.con.execute(query).fetchall()

    def tables(self):
        return {
            name: self.con.execute(f"from {name} order by all").fetchall()
            for name, model in MODELS.items()
            if not model.tells_of_runs
        }


@pytest.fixture
def vendor(tmp_path):
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        house = Vendor(con)
        house.configure()
        yield house


def a_shop(orders=60, seed=3):
    clock = Clock(datetime(2026, 8, 1, tzinfo=UTC))
    shop, maker = Shop(clock, seed=seed), Maker(seed)
    fill(shop, maker, orders, clock.now(), 90)
    return shop, Moves(shop, maker, seed)


def present(row):
    return {key: value for key, value in row.items() if value != "absent"}


def orders_by_case(vendor, cases):
    """Land one order per case and return them as they stand in core, by name of the case."""
    names = dict(enumerate(cases, start=1))
    vendor.land(*(present(ORDER | cases[name] | {"id": n}) for n, name in names.items()))
    vendor.refresh()
    return {names[int(row["order_id"])]: row for row in vendor.rows("from core.orders")}


def licenses_by_case(vendor, cases):
    """Land one license per case, all on one order, and return them by name of the case."""
    names = dict(enumerate(cases, start=1))
    vendor.land(ORDER)
    vendor.land_licenses(*(LICENSE | cases[name] | {"id": n} for n, name in names.items()))
    vendor.refresh()
    return {names[int(row["license_id"])]: row for row in vendor.rows("from core.licenses")}


def units_of(vendor):
    vendor.refresh()
    return vendor.values("select units, detail_level from core.orders order by order_id")


UNREAD, KNOWN = "header", "full"


@pytest.mark.parametrize("by", ["lists", "single_orders"])
def test_every_order_and_license_of_a_shop_arrives_whole(vendor, by):
    shop, _ = a_shop()
    if by == "lists":
        vendor.land(*(shop.row(order_id) for order_id in shop.order_ids()))
        vendor.land_licenses(*shop.license_truth())
    else:
        vendor.land(*shop.truth(), channel="get")
    vendor.refresh()
    assert vendor.values("select order_id, units, line_count from core.orders order by 1") == [
        (str(order["id"]), held, held)
        for order in shop.truth()
        for held in [sum(len(item["licenses"]) for item in order["order_items"])]
    ]
    shown = vendor.values(
        "select license_id, order_id, is_active, is_enabled, is_trial, source_status, license_type,"
        " product_id, sku_id, product_name, times_activated, max_activations, subscription_id"
        " from core.licenses order by license_id"
    )
    assert shown == [
        (
            str(one["id"]),
            str(one["order"]),
            *(one[key] for key in ("active", "enabled", "is_trial", "status", "license_type")),
            str(one["product"]["id"]),
            one["product"]["short_code"],
            one["product"]["product_name"],
            *(one[key] for key in ("times_activated", "max_activations", "subscription_id")),
        )
        for one in shop.license_truth()
    ]
    assert vendor.values("from ops.quarantine") == []
    failed = [check for check in run_checks(vendor.con, MODELS.values()) if not check.passed]
    assert failed == []


def test_a_shop_that_lives_stays_equal_to_its_lists(vendor):
    shop, moves = a_shop(30)
    for _ in range(4):
        vendor.land(*(shop.row(order_id) for order_id in shop.order_ids()))
        vendor.land_licenses(*shop.license_truth())
        known = vendor.values("select distinct order_id, part_id from raw.order_payloads")
        orders, licenses = map(str, shop.order_ids()), map(str, shop.license_ids())
        there = {*orders, *licenses}
        vendor.land_gone(
            *(order for order, part in known if part is None and order not in there),
            licenses=[(order, part) for order, part in known if part and part not in there],
        )
        vendor.refresh()
        truth = sorted((str(one["id"]), str(one["order"])) for one in shop.license_truth())
        assert vendor.values("select license_id, order_id from core.licenses order by 1") == truth
        moves.some(40)


def test_flags_stand_for_the_status_that_is_not_there(vendor):
    vendor.configure(test_order_path="$.metadata.sandbox")
    cases = {
        "issued": ({}, ("issued", False, False, True)),
        "trial": ({"is_trial": True}, ("trial", False, True, False)),
        "api_trial": ({"type": "api_trial"}, ("trial", False, True, False)),
        "new_type": ({"type": "something_new"}, ("issued", False, False, True)),
        "test": ({"is_test": True}, ("test", True, False, False)),
        "both": ({"is_test": 1, "is_trial": "True"}, ("test", True, True, False)),
        "by_path": ({"metadata": {"sandbox": "yes"}}, ("test", True, False, False)),
        "no_flags": (
            {"is_test": "absent", "is_trial": None, "type": "absent"},
            ("issued", False, False, True),
        ),
    }
    shown = orders_by_case(vendor, {name: fields for name, (fields, _) in cases.items()})
    columns = ("source_status", "is_test", "is_trial", "is_recognised")
    assert {name: tuple(order[c] for c in columns) for name, order in shown.items()} == {
        name: expected for name, (_, expected) in cases.items()
    }
    assert {order["status"] for order in shown.values()} == {"fulfilled"}
    assert vendor.values("from ops.quarantine") == []


def test_a_customer_of_any_kind_has_one_key(vendor):
    by_email = "email:" + sha256(b"a@example.com").hexdigest()
    email = {"customer_email": "a@example.com"}
    cases = {
        "object": ({"customer": {"id": 620}}, "620"),
        "number": ({"customer": 2**63 - 1}, "9223372036854775807"),
        "text": ({"customer": "620"}, "620"),
        "id_before_email": ({"customer": {"id": "c-620"}, **email}, "c-620"),
        "email_alone": ({"customer": None, "customer_email": " A@Example.com "}, by_email),
        "email_of_object": ({"customer": {"id": None, "email": "a@example.com"}}, by_email),
        "empty_customer": ({"customer": "", **email}, by_email),
        "empty_email": ({"customer": None, "customer_email": " "}, None),
        "nothing": ({"customer": "absent", "customer_email": "absent"}, None),
        "empty_object": ({"customer": {}}, None),
    }
    shown = orders_by_case(vendor, {name: fields for name, (fields, _) in cases.items()})
    assert {name: order["customer_key"] for name, order in shown.items()} == {
        name: key for name, (_, key) in cases.items()
    }
    assert vendor.values("from ops.quarantine") == []


def test_an_order_that_cannot_be_typed_shows_as_it_was_before(vendor):
    cases = {
        "test_text": ({"is_test": "perhaps"}, "is_test is neither true nor false: perhaps"),
        "test_object": ({"is_test": {}}, "is_test is neither true nor false: {}"),
        "trial_number": ({"is_trial": 2}, "is_trial is neither true nor false: 2"),
        "list": ({"customer": [620]}, "customer has no id that can be read: [620]"),
        "flag": ({"customer": True}, "customer has no id that can be read: true"),
        "nested": (
            {"customer": {"id": {"a": 1}}},
            'customer has no id that can be read: {"a":1}',
        ),
    }
    orders_by_case(vendor, {name: {} for name in cases})
    later = {"updated_at": "2026-05-01T00:00:00Z", "store_id": "later"}
    shown = orders_by_case(vendor, {name: fields | later for name, (fields, _) in cases.items()})
    assert {name: order["source_order_id"] for name, order in shown.items()} == dict.fromkeys(
        cases, "CRM-1001"
    )
    reasons = vendor.values("select reason from ops.quarantine order by order_id")
    assert reasons == [(reason,) for _, reason in cases.values()]


def test_ids_of_64_bits_and_more_stay_exact(vendor):
    order_id, license_id = 2**63 - 1, 10**27 + 1
    vendor.land(ORDER | {"id": order_id})
    vendor.land_licenses(
        LICENSE
        | {"id": str(license_id), "order": order_id, "product": 2**63 - 3, "order_item": 2**53 + 1},
    )
    vendor.refresh()
    assert vendor.values("select order_id, license_id, product_id from core.licenses") == [
        (str(order_id), str(license_id), str(2**63 - 3))
    ]
    items = vendor.values("select order_item_id from staging.licensespring_licenses")
    assert items == [(str(2**53 + 1),)]


def test_units_are_unknown_until_licenses_are_read(vendor):
    vendor.land(ORDER)
    assert units_of(vendor) == [(None, UNREAD)]
    vendor.land_licenses(LICENSE)
    assert units_of(vendor) == [(1, KNOWN)]
    vendor.land_licenses(LICENSE | {"id": 5})
    assert units_of(vendor) == [(2, KNOWN)]
    vendor.land_gone(licenses=[(ORDER["id"], 5), (ORDER["id"], LICENSE["id"])])
    assert units_of(vendor) == [(0, KNOWN)]


def an_order_with(*licenses, **fields):
    return ORDER | fields | {"order_items": [{"id": 7, "product_id": 8, "licenses": licenses}]}


def test_an_order_with_its_items_tells_of_its_licenses(vendor):
    vendor.land(ORDER | {"order_items": []}, channel="get")
    assert units_of(vendor) == [(0, KNOWN)]
    edited = {"updated_at": "2026-03-09T00:00:00Z"}
    vendor.land(an_order_with(LICENSE, LICENSE | {"id": 5, "product": None}, **edited))
    assert units_of(vendor) == [(2, KNOWN)]
    lines = "select line_no, product_id, sku_id, product_name, quantity from core.order_items"
    assert vendor.values(f"{lines} order by 1") == [
        (1, "8", None, None, 1),
        (2, "1584723961091234", "app1", "Example App", 1),
    ]
    # A version without items says nothing of them and takes none away; a later one with items does.
    vendor.land(ORDER | {"updated_at": "2026-03-10T00:00:00Z"})
    assert units_of(vendor) == [(2, KNOWN)]
    vendor.land(an_order_with(LICENSE, updated_at="2026-03-11T00:00:00Z"))
    assert units_of(vendor) == [(1, KNOWN)]


def test_the_list_of_licenses_decides_once_it_has_told_of_an_order(vendor):
    vendor.land(an_order_with(LICENSE, LICENSE | {"id": 5}))
    assert units_of(vendor) == [(2, KNOWN)]
    # Of the two that came in the order, one is not there any more; nothing else ever says so.
    vendor.land_licenses(LICENSE)
    assert units_of(vendor) == [(1, KNOWN)]
    vendor.land(an_order_with(LICENSE | {"id": 5}, updated_at="2026-03-11T00:00:00Z"))
    assert units_of(vendor) == [(1, KNOWN)]
    vendor.land_gone(licenses=[(ORDER["id"], LICENSE["id"])])
    assert units_of(vendor) == [(0, KNOWN)]
    vendor.land_licenses(LICENSE | {"id": 5})
    vendor.refresh()
    assert vendor.values("select license_id from core.licenses") == [("5",)]


def test_the_newest_state_of_a_license_shows_wherever_it_came_from(vendor):
    def state():
        vendor.refresh()
        return vendor.values("select source_status, is_active from core.licenses")

    vendor.land(an_order_with(LICENSE | {"status": "of the order"}))
    assert state() == [("of the order", False)]
    vendor.land_licenses(LICENSE | {"updated_at": "2026-04-02T00:00:00Z", "status": "of the list"})
    assert state() == [("of the list", False)]
    # The order is newer than the list, what it says of the license is not.
    late = LICENSE | {"status": "late", "updated_at": "2026-04-01T12:00:00Z"}
    vendor.land(an_order_with(late, updated_at="2026-04-05T00:00:00Z"))
    assert state() == [("of the list", False)]
    newer = LICENSE | {"active": True, "updated_at": "2026-04-03T00:00:00Z"}
    vendor.land(an_order_with(newer, updated_at="2026-04-06T00:00:00Z"))
    assert state() == [("Inactive", True)]
    vendor.land_gone(licenses=[(ORDER["id"], LICENSE["id"])])
    assert state() == []
    vendor.land_licenses(LICENSE | {"status": "back", "updated_at": "2026-04-04T00:00:00Z"})
    assert state() == [("back", False)]


def test_a_license_that_moves_stands_on_its_new_order_alone(vendor):
    vendor.land(ORDER, ORDER | {"id": 2, "created_at": "2026-03-20T00:00:00Z"})
    vendor.land_licenses(LICENSE)
    assert units_of(vendor) == [(1, KNOWN), (None, UNREAD)]
    vendor.land_licenses(LICENSE | {"order": 2, "updated_at": "2026-04-02T00:00:00Z"})
    report = vendor.refresh()
    assert units_of(vendor) == [(0, KNOWN), (1, KNOWN)]
    assert report.dates == [date(2026, 3, 8), date(2026, 3, 20)]


def test_lines_stand_in_the_order_of_license_ids(vendor):
    vendor.land(ORDER)
    vendor.land_licenses(*(LICENSE | {"id": one} for one in (100, 20, 3, "x-1")))
    vendor.refresh()
    lines = "select line_no, license_id, version_id from staging.licensespring_order_items"
    assert [(n, one) for n, one, _ in vendor.values(f"{lines} order by 1")] == [
        *((1, "3"), (2, "20"), (3, "100"), (4, "x-1"))
    ]
    vendor.land(ORDER | {"updated_at": "2026-05-01T00:00:00Z"})
    vendor.refresh()
    newest = vendor.values("select version_id from core.orders")
    assert {(version,) for *_, version in vendor.values(lines)} == set(newest)
    assert vendor.values("select count(*) from core.order_items") == [(4,)]
    assert vendor.values("select count(*) from core.order_versions") == [(2,)]


def test_a_license_counts_although_a_field_cannot_be_typed(vendor):
    cases = {
        "active": ({"active": "maybe"}, "is_active", "active is neither true nor false: maybe"),
        "enabled": ({"enabled": 7}, "is_enabled", "enabled is neither true nor false: 7"),
        "start": ({"start_date": "soon"}, "starts_at", "start_date is not a time: soon"),
        "infinity": (
            {"validity_period": "infinity"},
            "expires_at",
            "validity_period is not a time: infinity",
        ),
        "no_such_day": (
            {"validity_period": "2026-02-30"},
            "expires_at",
            "validity_period is not a time: 2026-02-30",
        ),
        "number": (
            {"time_activated": 1772928012},
            "activated_at",
            "time_activated is not a time: 1772928012",
        ),
        "list": ({"time_disabled": []}, "disabled_at", "time_disabled is not a time: []"),
        "fraction": (
            {"max_activations": 1.5},
            "max_activations",
            "max_activations is not a whole number: 1.5",
        ),
        "too_large": (
            {"max_activations": 10**20},
            "max_activations",
            f"max_activations is not a whole number: {10**20}",
        ),
        "negative": (
            {"times_activated": -1},
            "times_activated",
            "times_activated is not a whole number: -1",
        ),
    }
    shown = licenses_by_case(vendor, {name: fields for name, (fields, *_) in cases.items()})
    assert {name: shown[name][column] for name, (_, column, _) in cases.items()} == dict.fromkeys(
        cases
    )
    reasons = vendor.values("select reason from ops.quarantine order by version_id")
    assert reasons == [(reason,) for *_, reason in cases.values()]
    assert units_of(vendor) == [(len(cases), KNOWN)]


def test_a_trial_flag_that_cannot_be_typed_falls_back_to_the_order(vendor):
    vendor.land(ORDER | {"is_trial": True})
    vendor.land_licenses(LICENSE | {"is_trial": "half"}, LICENSE | {"id": 5, "is_trial": None})
    vendor.refresh()
    assert vendor.values("select is_trial from core.licenses") == [(True,), (True,)]


def test_times_of_a_license_are_read_in_any_form(vendor):
    texts = ("2026-03-09", "2026-03-09T00:00:00Z", "2026-03-08T19:00:00-05:00", "2026-03-09 00:00")
    cases = {text: {"time_activated": text, "validity_period": ""} for text in texts}
    shown = licenses_by_case(vendor, cases)
    assert {row["activated_at"] for row in shown.values()} == {datetime(2026, 3, 9, tzinfo=UTC)}
    assert {row["expires_at"] for row in shown.values()} == {None}
    assert len(shown) == len(texts)
    assert vendor.values("from ops.quarantine") == []


def test_order_items_of_any_shape_stop_nothing(vendor):
    cases = {
        "text_of_array": ("[1]", None),
        "text": ("text", None),
        "object": ({"licenses": [LICENSE]}, None),
        "number": (7, None),
        "null": (None, None),
        "empty": ([], 0),
        "odd_items": ([1, "a", None, []], 0),
        "odd_licenses": (
            [{}, {"licenses": None}, {"licenses": "[1]"}, {"licenses": {"id": 1}}],
            0,
        ),
        "no_ids": ([{"licenses": [None, 5, "x", {}]}], 0),
        "twice": ([{"licenses": [LICENSE]}, {"licenses": [LICENSE, LICENSE]}], 1),
    }
    names = dict(enumerate(cases, start=1))
    orders = (ORDER | {"id": n, "order_items": cases[name][0]} for n, name in names.items())
    vendor.land(*orders, contract=ANY_SHAPE, channel="get")
    vendor.refresh()
    shown = vendor.values("select order_id, units, detail_level from core.orders")
    assert {names[int(order)]: (units, level) for order, units, level in shown} == {
        name: (units, UNREAD if units is None else KNOWN) for name, (_, units) in cases.items()
    }


def test_a_nested_license_without_an_id_is_put_aside(vendor):
    items = [{}, {"licenses": [LICENSE, {"status": "Active"}]}]
    vendor.land(ORDER | {"order_items": items}, channel="get")
    assert units_of(vendor) == [(1, KNOWN)]
    assert vendor.values("select reason from ops.quarantine") == [
        ("order_items[1].licenses[1] has no id",)
    ]


def test_the_business_date_is_the_local_day_of_the_order(vendor):
    vendor.configure(business_date_path="$.metadata.sold")
    cases = {
        "winter": ({"created_at": "2026-03-28T22:30:00Z"}, date(2026, 3, 28), "created_at"),
        # Warsaw: UTC+2 from 29 March 2026 01:00 UTC.
        "summer": ({"created_at": "2026-03-29T22:30:00Z"}, date(2026, 3, 30), "created_at"),
        "no_created": ({"created_at": "absent"}, date(2026, 3, 8), "created_at"),
        "no_updated": ({"updated_at": "absent"}, date(2026, 3, 8), "created_at"),
        "path_day": ({"metadata": {"sold": "2025-12-24"}}, date(2025, 12, 24), "metadata"),
        "path_time": (
            {"metadata": {"sold": "2025-12-24T23:30:00Z"}},
            date(2025, 12, 25),
            "metadata",
        ),
        "path_odd": ({"metadata": {"sold": "at Christmas"}}, date(2026, 3, 8), "created_at"),
    }
    shown = orders_by_case(vendor, {name: fields for name, (fields, *_) in cases.items()})
    assert {
        name: (order["order_date"], order["order_date_source"]) for name, order in shown.items()
    } == {name: (day, source) for name, (_, day, source) in cases.items()}


def test_no_row_of_core_has_money_or_a_real_currency(vendor):
    shop, _ = a_shop(20)
    vendor.land(*shop.truth(), channel="get")
    vendor.refresh()
    for table in ("core.orders", "core.order_items", "core.order_versions"):
        money = [c for c in MODELS[table].columns if c.endswith("_minor")]
        assert money
        assert vendor.values(f"select count(coalesce({', '.join(money)})) from {table}") == [(0,)]
        assert vendor.values(f"select distinct currency from {table}") == [("XXX",)]
    assert vendor.values("select distinct gives_money from core.orders") == [(False,)]


def test_an_order_that_is_gone_takes_its_licenses_along_until_it_is_back(vendor):
    vendor.land(ORDER, ORDER | {"id": 2})
    vendor.land_licenses(LICENSE, LICENSE | {"id": 5, "order": 2})
    vendor.refresh()
    before = vendor.tables()
    vendor.land_gone(2)
    vendor.refresh()
    assert vendor.values("select order_id from core.licenses") == [(str(ORDER["id"]),)]
    assert vendor.values("select licenses from marts.daily_licenses") == [(1,)]
    vendor.land(ORDER | {"id": 2})
    vendor.refresh()
    for name in ("core.licenses", "marts.daily_licenses", "marts.license_products"):
        assert vendor.tables()[name] == before[name]


def test_one_changed_license_rebuilds_one_order_and_one_day(vendor):
    days = [ORDER | {"id": n, "created_at": f"2026-03-{n:02}T10:00:00Z"} for n in range(1, 9)]
    vendor.land(*days)
    vendor.land_licenses(*(LICENSE | {"id": 100 + n, "order": n} for n in range(1, 9)))
    vendor.refresh()
    vendor.land_licenses(
        LICENSE | {"id": 105, "order": 5, "enabled": False, "updated_at": "2026-06-01T00:00:00Z"}
    )
    report = vendor.refresh()
    assert report.dates == [date(2026, 3, 5)]
    slices = {model.model: model.slices for model in report.models if model.mode == "slices"}
    assert slices["staging.licensespring_licenses"] == slices["core.licenses"] == 1
    # What orders and revenue say did not change, so nothing behind them was touched.
    assert not {"core.customer_orders", "marts.daily_revenue", "marts.daily_status"} & set(slices)


def trial(name, day, customer=1, **fields):
    created = f"2026-03-{day:02}T10:00:00Z"
    known = {"customer": {"id": customer} if customer else None, "customer_email": None}
    return ORDER | known | {"id": name, "created_at": created, "is_trial": True, **fields}


def earnest(name, day, customer=1, **fields):
    return trial(name, day, customer, is_trial=False, **fields)


def day_of_licenses(vendor, day, *columns):
    (row,) = vendor.values(
        f"select {', '.join(columns)} from marts.daily_licenses"
        f" where order_date = '2026-03-{day:02}'"
    )
    return row


CONVERSION = ("trial_orders", "trial_customers", "trial_customers_converted")


def test_a_trial_converts_with_the_customers_next_order_in_earnest(vendor):
    vendor.land(
        trial(1, 2),
        trial(2, 2, customer=2),
        trial(3, 2, customer=2),  # the same customer twice
        trial(4, 2, customer=None),  # a guest converts for nobody
        earnest(5, 1, customer=2),  # earlier than the trial
        earnest(6, 5, customer=3),  # somebody else
        earnest(7, 6, is_test=True),  # only a test
        trial(8, 7),  # another trial
    )
    vendor.refresh()
    assert day_of_licenses(vendor, 2, *CONVERSION) == (4, 2, 0)
    vendor.land(earnest(9, 20))
    report = vendor.refresh()
    # Both days of the customer's trials are restated, and no other day.
    assert report.restated == [date(2026, 3, 2), date(2026, 3, 7)]
    assert day_of_licenses(vendor, 2, *CONVERSION) == (4, 2, 1)
    assert vendor.values(
        "select order_id, trial_seq, strftime(converted_at, '%d')"
        " from core.trial_conversions order by 1"
    ) == [("1", 1, "20"), ("2", 1, None), ("3", 2, None), ("8", 2, "20")]
    # A customer counts once, however many trials there were.
    vendor.land_gone(9)
    vendor.land(earnest(10, 21, customer=2))
    vendor.refresh()
    assert day_of_licenses(vendor, 2, *CONVERSION) == (4, 2, 1)
    vendor.land_gone(10)
    vendor.refresh()
    assert day_of_licenses(vendor, 2, *CONVERSION) == (4, 2, 0)


def test_an_order_of_the_same_moment_is_later_by_its_id(vendor):
    vendor.land(trial(2, 2), earnest(1, 2))
    vendor.refresh()
    assert day_of_licenses(vendor, 2, *CONVERSION) == (1, 1, 0)
    vendor.land(earnest(3, 2))
    vendor.refresh()
    assert day_of_licenses(vendor, 2, *CONVERSION) == (1, 1, 1)


def test_the_day_of_licenses(vendor):
    vendor.land(
        trial(1, 2),
        earnest(2, 2),
        earnest(3, 2, is_test=True),
        earnest(4, 2),  # its licenses are not read yet
        earnest(5, 3),  # nor of any order of this day
        earnest(6, 4, is_test=True),
    )
    vendor.land_licenses(
        LICENSE | {"id": 11, "order": 1, "is_trial": True, "license_type": "time-limited"},
        LICENSE | {"id": 21, "order": 2, "active": True},
        LICENSE | {"id": 22, "order": 2, "active": True, "enabled": False},
        LICENSE | {"id": 23, "order": 2, "license_type": "perpetual", "product": {"id": 9}},
        LICENSE | {"id": 24, "order": 2, "license_type": "rental", "enabled": None},
        LICENSE | {"id": 31, "order": 3},
    )
    vendor.refresh()
    orders = (
        *("orders_placed", "trial_orders", "issued_orders", "test_orders"),
        "orders_without_licenses",
    )
    licenses = (
        *("licenses", "trial_licenses", "normal_licenses"),
        *("licenses_active", "licenses_enabled", "licenses_disabled"),
    )
    assert day_of_licenses(vendor, 2, *orders) == (3, 1, 2, 1, 1)
    assert day_of_licenses(vendor, 2, *licenses) == (5, 1, 4, 2, 3, 1)
    assert day_of_licenses(vendor, 3, *orders) == (1, 0, 1, 0, 1)
    assert day_of_licenses(vendor, 3, *licenses) == (None,) * 6
    assert day_of_licenses(vendor, 4, *orders) == (0, 0, 0, 1, 0)
    assert day_of_licenses(vendor, 4, *licenses) == (0,) * 6
    assert vendor.values(
        "select product_id, sku_id, orders, licenses, trial_licenses, perpetual, time_limited,"
        " subscription, consumption, other_type, licenses_active, licenses_disabled"
        " from marts.license_products order by 1"
    ) == [
        ("1584723961091234", "app1", 2, 4, 1, 0, 1, 2, 0, 1, 2, 1),
        ("9", None, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0),
    ]
    # Units of the recognised orders that are known; one of them is not.
    assert vendor.values(
        "select units, orders_without_items from marts.daily_revenue order by order_date"
    ) == [(4, 1), (None, 1)]


ROW = st.fixed_dictionaries(
    {
        "id": st.integers(1, 5),
        "created_at": st.sampled_from(["2026-03-01T23:30:00Z", "2026-03-04T10:00:00Z", "absent"]),
        "updated_at": st.integers(1, 9).map(lambda day: f"2026-04-{day:02}T08:00:00.5Z"),
        "is_test": st.sampled_from([False, False, False, True, "odd"]),
        "is_trial": st.booleans(),
        "customer": st.sampled_from([None, 1, {"id": 2}, {"email": "a@example.com"}, [3]]),
    },
)
PART = st.fixed_dictionaries(
    {
        "id": st.integers(11, 14),
        "order": st.integers(1, 5),
        "updated_at": st.integers(1, 9).map(lambda day: f"2026-04-{day:02}T09:00:00Z"),
        "enabled": st.sampled_from([True, False, None, "odd"]),
        "is_trial": st.sampled_from([True, False, None]),
        "license_type": st.sampled_from(["perpetual", "subscription", None]),
        "product": st.sampled_from([{"id": 7, "short_code": "a"}, 7, None]),
    }
)
LOADS = st.lists(
    st.one_of(
        st.tuples(st.just("list"), st.lists(ROW, min_size=1, max_size=5)),
        st.tuples(st.just("get"), st.lists(st.tuples(ROW, st.lists(PART, max_size=3)), min_size=1)),
        st.tuples(st.just("licenses"), st.lists(PART, min_size=1, max_size=5)),
        st.tuples(st.just("gone"), st.lists(st.integers(1, 5), min_size=1, max_size=2)),
        st.tuples(
            st.just("gone_licenses"),
            st.lists(st.tuples(st.integers(1, 5), st.integers(11, 14)), min_size=1),
        ),
    ),
    min_size=2,
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=15)
@given(LOADS)
def test_slices_equal_a_full_rebuild_with_licenses(tmp_path_factory, loads):
    path = tmp_path_factory.mktemp("licenses") / "orders.duckdb"
    with open_warehouse(path) as con:
        house = Vendor(con)
        house.configure()
        house.configure("second", time_zone="Asia/Tokyo")
        for number, (kind, rows) in enumerate(loads):
            account = "second" if number % 3 == 2 else "vendor"
            match kind:
                case "list":
                    house.land(*map(present, rows), account=account)
                case "get":
                    nested = (row | {"order_items": [{"licenses": own}]} for row, own in rows)
                    house.land(*map(present, nested), channel="get", account=account)
                case "licenses":
                    house.land_licenses(*rows, account=account)
                case "gone":
                    house.land_gone(*rows, account=account)
                case _:
                    house.land_gone(licenses=rows, account=account)
            house.refresh()
        by_slices, quarantine = house.tables(), house.values("from ops.quarantine")
        house.refresh(full=True)
        assert house.tables() == by_slices
        assert house.values("from ops.quarantine") == quarantine
        errors = [check for check in run_checks(con, MODELS.values()) if check.severity == "error"]
        assert [check for check in errors if not check.passed] == []
