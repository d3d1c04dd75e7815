"""Customers are erased by id, by e-mail address or by its hash, whatever the source."""

from contextlib import ExitStack
from hashlib import sha256

import pytest

from orders_connector.config import Settings
from orders_connector.erasure import erase_customer
from orders_connector.errors import FatalSourceError
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.conftest import NOW
from tests.test_erasure import CUSTOMER, ask, files_that_hold, person, rows_that_hold, tables

ADDRESS = "forget.me.forget.me@example.com"
SPELLINGS = (ADDRESS, "Forget.Me.Forget.Me@Example.com")
HASHED = f"email:{sha256(ADDRESS.encode()).hexdigest()}"

CONFIG = """
[accounts.shop]
source = "{source}"
base_url = "{base_url}"
currency = "USD"
time_zone = "UTC"
history_start = 2020-01-01
{extra}
"""


def load(settings):
    sync_account(settings, "shop").raise_unless_complete()
    refresh_models(settings)
    publish_warehouse(settings)


def left_of(settings, *texts):
    """Return tables and files that hold any of the texts."""
    files = (settings.warehouse.path, settings.warehouse.published)
    rows = [rows_that_hold(file, text) for file in files for text in texts]
    return [found for found in rows if found] + [
        file for text in texts for file in files_that_hold(settings, text)
    ]


def count(settings, table="core.orders"):
    return ask(settings, f"select count(*) from {table}")[0][0]


def map_person(settings, *keys):
    with warehouse_connection(settings) as con:
        for key in keys:
            con.execute(
                "insert into ops.customer_map select source, account, ?, 'somebody'"
                " from ops.accounts",
                [key],
            )


def mapped(settings):
    return {key for (key,) in ask(settings, "select customer_key from ops.customer_map")}


@pytest.fixture
def boxes():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def installed(boxes, tmp_path, monkeypatch):
    """Start a sandbox and load its settings."""

    def make(box, source, extra=""):
        boxes.enter_context(box)
        keys = {"ULTRACART_SIMPLE_KEY": "simple_key", "LICENSESPRING_API_KEY": "api_key"}
        for variable, attribute in keys.items():
            monkeypatch.setenv(variable, getattr(box, attribute, "not used"))
        file = tmp_path / "orders.toml"
        file.write_text(CONFIG.format(source=source, base_url=box.base_url, extra=extra))
        return Settings.load(file)

    return make


# --- UltraCart ------------------------------------------------------------------------------


@pytest.fixture
def merchant(installed):
    """Three orders of the customer, two of them without and one with a profile."""
    box = UltraCartSandbox(20, now=NOW, latency=0.0)
    settings = installed(box, "ultracart")
    orders = box.truth()
    for number, spelling in enumerate((*SPELLINGS, ADDRESS)):
        whole = box.shop.get(orders[number]["order_id"])
        order_id = f"ACME-000200000{number}"
        changes = {"order_id": order_id, "billing": whole["billing"] | {"email": spelling}}
        box.shop.put_raw(whole | changes)
    load(settings)
    return box, settings


def delete_all(box):
    for order in box.truth():
        if order["billing"]["email"].lower() == ADDRESS:
            box.shop.delete(order["order_id"])


@pytest.mark.parametrize(
    "wanted",
    [{"email": " Forget.ME.forget.me@example.COM"}, {"customer_key": HASHED}],
    ids=["by_address", "by_hash"],
)
def test_an_address_is_found_in_any_spelling(merchant, wanted):
    box, settings = merchant
    assert left_of(settings, *SPELLINGS, HASHED)
    map_person(settings, HASHED, "12345")
    delete_all(box)
    certificate = erase_customer(settings, "shop", **({"customer_key": None} | wanted))
    assert (certificate.orders, certificate.mentions, certificate.related) == (3, 0, 0)
    assert left_of(settings, *SPELLINGS, HASHED, "orget.") == []
    assert mapped(settings) == {"12345"}
    assert count(settings) == 20
    before = tables(settings)
    refresh_models(settings, full=True)
    assert tables(settings) == before
    load(settings)
    assert count(settings) == 20


def test_the_source_is_asked_for_orders(merchant):
    box, settings = merchant
    box.reset_calls()
    with pytest.raises(FatalSourceError, match="deletion of each order"):
        erase_customer(settings, "shop", None, email=ADDRESS)
    assert {call.method for call in box.calls} == {"GET"}
    assert count(settings) == 23


# --- LicenseSpring --------------------------------------------------------------------------


@pytest.fixture
def vendor(installed):
    """Two orders of the customer with three licenses, and one of a guest with the address."""
    box = LicenseSpringSandbox(10, now=NOW)
    settings = installed(box, "licensespring", "requests_per_second = 100")
    customer = {"email": SPELLINGS[1], "first_name": "Forget"}
    for number, licenses in enumerate((1, 2)):
        items = [{"product_code": "viewer", "licenses": [{}] * licenses}]
        box.shop.create({"id": f"gone-{number}", "items": items, "customer": customer})
    guest = box.shop.create({"id": "guest", "items": []})
    box.shop.put_raw(guest | {"customer": None, "customer_email": ADDRESS, "order_items": []})
    load(settings)
    return box, settings


def orders_of(box, *store_ids):
    return [order for order in box.truth() if order["store_id"] in store_ids]


def test_licenses_go_with_their_order(vendor):
    box, settings = vendor
    gone = orders_of(box, "gone-0", "gone-1")
    licenses = count(settings, "core.licenses")
    customer = str(gone[0]["customer"]["id"])
    map_person(settings, customer, HASHED)
    for order in gone:
        box.shop.delete(order["id"])
    certificate = erase_customer(settings, "shop", customer)
    assert certificate.orders == 2
    assert count(settings, "core.licenses") == licenses - 3
    assert count(settings) == 11
    # The guest has the same address: told, but not erased, as nobody asked for it.
    assert certificate.related == 1
    assert mapped(settings) == {HASHED}
    assert left_of(settings, ADDRESS)


def test_an_address_takes_customers_and_guests(vendor):
    box, settings = vendor
    gone = orders_of(box, "gone-0", "gone-1", "guest")
    for order in gone:
        box.shop.delete(order["id"])
    map_person(settings, str(gone[0]["customer"]["id"]))
    certificate = erase_customer(settings, "shop", None, email=ADDRESS)
    assert (certificate.orders, certificate.related) == (3, 0)
    assert left_of(settings, *SPELLINGS, HASHED) == []
    assert mapped(settings) == set()
    assert count(settings) == 10


# --- Voucherify -----------------------------------------------------------------------------


def test_an_address_and_an_id_together(start_shop, settings_for):
    box = start_shop(10)
    orders = box.shop.truth()
    box.shop.put_raw(orders[0] | {"id": "ord_by_id"} | person(CUSTOMER))
    customer = {"id": "cust_other", "email": ADDRESS, "object": "customer"}
    box.shop.put_raw(
        orders[1] | {"id": "ord_by_address", "customer_id": "cust_other", "customer": customer}
    )
    box.shop.put_raw(orders[2] | {"id": "ord_of_other"} | person("cust_other"))
    settings = settings_for(box)
    load(settings)
    certificate = erase_customer(settings, "shop", CUSTOMER, email=ADDRESS, keep_at_source=True)
    assert (certificate.orders, certificate.related) == (2, 1)
    assert left_of(settings, CUSTOMER, ADDRESS) == []
    assert ask(settings, "select order_id from core.orders where customer_key = 'cust_other'") == [
        ("ord_of_other",)
    ]


def test_an_empty_address_is_refused(start_shop, settings_for):
    settings = settings_for(start_shop(0))
    for wanted in ({"customer_key": None}, {"customer_key": None, "email": " "}):
        with pytest.raises(ValueError, match="empty"):
            erase_customer(settings, "shop", **wanted)
