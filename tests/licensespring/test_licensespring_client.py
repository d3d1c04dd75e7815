"""The LicenseSpring client: what it sends, how it reads lists to their end, what it refuses."""

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from orders_connector.errors import (
    ConfigurationError,
    ConnectionFailed,
    CredentialsRejected,
    NotFound,
    PermissionDenied,
    RequestRejected,
    ServerFailed,
    UnreadableAnswer,
)
from orders_connector.http import Transport
from orders_connector.sandbox.licensespring import Fault, LicenseSpringSandbox, Switches
from orders_connector.sources.licensespring.account import LicenseSpringAccount
from orders_connector.sources.licensespring.auth import ApiKeyAuth
from orders_connector.sources.licensespring.client import LicenseSpringClient
from orders_connector.sources.licensespring.endpoints import filter_text
from orders_connector.sources.licensespring.models import (
    Customer,
    License,
    LicensePage,
    LicenseUser,
    Order,
    OrderItem,
    OrderPage,
    Product,
)
from orders_connector.sources.licensespring.secrets import redacted

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
KEY = "abcd.s3cr3t"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def lived_in():
    """A vendor with a past; tests only read it."""
    with LicenseSpringSandbox(60, now=NOW) as box:
        yield box


@pytest.fixture
def box():
    with LicenseSpringSandbox(12, now=NOW) as box:
        yield box


@pytest.fixture
def account(monkeypatch):
    def make(**options):
        monkeypatch.setenv("LICENSESPRING_API_KEY", KEY)
        return LicenseSpringAccount(
            name="vendor",
            source="licensespring",
            currency="EUR",
            time_zone="UTC",
            history_start="2024-01-01",
            **options,
        )

    return make


@pytest.fixture
def connect(account, monkeypatch):
    """Make the client of a sandbox; its waits move the sandbox's clock."""

    def make(box, *, key=None, per_second=100, **options):
        settings = account(base_url=box.base_url, requests_per_second=per_second)
        monkeypatch.setenv("LICENSESPRING_API_KEY", key or box.api_key)

        async def sleep(seconds):
            box.clock.advance(timedelta(seconds=seconds))

        time = {
            "sleep": sleep,
            "clock": lambda: box.clock.now().timestamp(),
            "rng": random.Random(1),
        }
        return LicenseSpringClient.for_account(settings, **(time | options))

    return make


@pytest.fixture
def answering():
    """Make a client of a source that gives these bodies, the last one for ever."""

    def make(*bodies):
        left, asked = list(bodies), []

        def answer(request):
            asked.append(request)
            body = left.pop(0) if len(left) > 1 else left[0]
            return httpx.Response(
                200, content=body if isinstance(body, bytes) else json.dumps(body)
            )

        transport = Transport(
            "https://saas.test",
            auth=ApiKeyAuth(SecretStr(KEY)),
            max_attempts=1,
            http_transport=httpx.MockTransport(answer),
        )
        return LicenseSpringClient(transport), asked

    return make


# --- on the wire ----------------------------------------------------------------------------

ID = 1_629_789_747_117_569
SINCE = datetime(2026, 4, 1, 10, tzinfo=timezone(timedelta(hours=2)))
NEW = {"id": "CRM-1", "append": False, "metadata": '{"ä": 1}', "items": [{"product_code": "a"}]}

# Call, method, target below /api/v1, body.
OPERATIONS = {
    "list_orders": (
        lambda c: c.list_orders(),
        "GET /orders/?limit=100&offset=0&order_by=-created_at",
        None,
    ),
    "list_orders with filters": (
        lambda c: c.list_orders(
            limit=7,
            offset=14,
            order_by="id",
            filters={"store_id": "a b&c/ä", "is_archived": True, "customer_label__in": ["x", "y"]},
        ),
        "GET /orders/?limit=7&offset=14&order_by=id&store_id=a+b%26c%2F%C3%A4"
        "&is_archived=true&customer_label__in=x%2Cy",
        None,
    ),
    "get_order": (lambda c: c.get_order(ID), f"GET /orders/{ID}/", None),
    "create_order": (lambda c: c.create_order(NEW), "POST /orders/create_order/", NEW),
    "update_order": (
        lambda c: c.update_order(ID, {"store_id": "patched store id"}),
        f"PATCH /orders/{ID}/",
        {"store_id": "patched store id"},
    ),
    "delete_order": (lambda c: c.delete_order(ID), f"DELETE /orders/{ID}/safe_delete/", None),
    "generate_license_keys": (
        lambda c: c.generate_license_keys("app1", 3),
        "GET /orders/generate_license/?product=app1&quantity=3",
        None,
    ),
    "list_order_managers": (
        lambda c: c.list_order_managers(ID),
        f"GET /orders/{ID}/managers/",
        None,
    ),
    "export_order": (lambda c: c.export_order(ID), f"GET /orders/{ID}/export/", None),
    "export_orders of a period": (
        lambda c: c.export_orders(period="last30"),
        "GET /orders/export/?range=last30",
        None,
    ),
    "export_orders of days": (
        lambda c: c.export_orders(start=date(2026, 1, 2), end=date(2026, 1, 31)),
        "GET /orders/export/?from=2026-01-02&to=2026-01-31",
        None,
    ),
    "list_licenses": (
        lambda c: c.list_licenses(filters={"updated_at__gte": SINCE, "enabled": False}),
        "GET /licenses/?limit=100&offset=0&order_by=updated_at"
        "&updated_at__gte=2026-04-01T08%3A00%3A00Z&enabled=false",
        None,
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_each_operation_sends_what_is_documented(answering, name):
    call, line, body = OPERATIONS[name]
    client, asked = answering({})
    async with client:
        await call(client)
    (request,) = asked
    method, target = line.split(" ", 1)
    assert (request.method, request.url.raw_path.decode()) == (method, "/api/v1" + target)
    assert request.headers["authorization"] == f"Api-Key {KEY}"
    assert request.headers["accept"] in ("application/json", "*/*")
    assert request.headers.get("content-type") == (None if body is None else "application/json")
    assert (json.loads(request.content) if request.content else None) == body


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        ("a,b", "a,b"),
        ([3, "x"], "3,x"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02T03:04:05.000006Z"),
    ],
)
def test_values_of_filters_are_written_as_they_are_read(value, text):
    assert filter_text(value) == text


@pytest.mark.parametrize("value", [datetime(2026, 1, 2), ["a,b", "c"]])
def test_a_value_that_would_be_read_as_another_is_refused(value):
    with pytest.raises(ValueError, match=r"no time zone|comma"):
        filter_text(value)


@pytest.mark.parametrize(
    "days",
    [
        {},
        {"start": date(2026, 1, 1)},
        {"period": "last30", "end": date(2026, 1, 1)},
        {"period": "last30", "start": date(2026, 1, 1), "end": date(2026, 1, 2)},
    ],
)
async def test_an_export_needs_one_of_its_two_forms(answering, days):
    client, asked = answering({})
    with pytest.raises(ValueError, match="either a period or"):
        await client.export_orders(**days)
    assert asked == []


# --- against the sandbox --------------------------------------------------------------------


async def test_orders_are_created_read_changed_listed_and_deleted(box, connect):
    new = {
        "id": "CRM 1/ä",
        "metadata": '{"invoice": "INV-55"}',
        "customer": {"email": "buyer@example.com", "company_name": "Example GmbH"},
        "items": [{"product_code": "draft", "licenses": [{"valid_duration": "1y"}]}],
    }
    async with connect(box) as client:
        created = (await client.create_order(new)).model
        assert created.metadata == {"invoice": "INV-55"}
        assert created.order_items[0].licenses[0].valid_duration == "1y"
        box.clock.advance(timedelta(seconds=1.5))
        changed = (await client.update_order(created.id, {"is_test": True})).model
        assert (changed.is_test, changed.customer, changed.order_items) == (True, None, None)
        assert changed.updated_at > created.updated_at
        listed = await client.list_orders(filters={"store_id": "CRM 1/ä"})
        assert [order.id for order in listed.model.results] == [created.id]
        assert listed.model.results[0].customer.company_name == "Example GmbH"
        with pytest.raises(RequestRejected, match="Licenses are attached"):
            await client.delete_order(created.id)
        empty = (await client.create_order({"items": []})).model
        await client.delete_order(empty.id)
        with pytest.raises(NotFound):
            await client.get_order(empty.id)


async def test_the_rest_of_the_endpoints_answers(box, connect):
    order = box.truth()[-1]
    async with connect(box) as client:
        assert len((await client.generate_license_keys("draft", 3)).json()) == 3
        assert (await client.list_order_managers(order["id"])).json() == []
        assert str(order["id"]) in (await client.export_order(order["id"])).text
        everything = await client.export_orders(start=date(2024, 1, 1), end=NOW.date())
    assert all(str(one["id"]) in everything.text for one in box.truth())


async def test_ids_beyond_the_reach_of_floats_stay_exact(answering):
    client, _ = answering(b'{"id":9223372036854775807,"order_items":[{"id":9007199254740993}]}')
    answer = await client.get_order(2**63 - 1)
    assert (answer.model.id, answer.model.order_items[0].id) == (2**63 - 1, 2**53 + 1)
    assert answer.content == b'{"id":9223372036854775807,"order_items":[{"id":9007199254740993}]}'


async def test_licenses_changed_since_name_their_orders_which_did_not_change(box, connect):
    before = {order["id"]: order["updated_at"] for order in box.truth()}
    box.clock.advance(timedelta(hours=1))
    since = box.clock.now()
    changed = box.shop.activate(box.shop.license_ids()[3])
    async with connect(box) as client:
        found = await client.list_licenses(filters={"updated_at__gte": since})
        assert [(one.id, one.order) for one in found.model.results] == [
            (changed["id"], changed["order"])
        ]
        order = (await client.get_order(changed["order"])).model
    assert order.updated_at == before[changed["order"]]


async def test_no_secret_of_the_vendor_is_left_in_redacted_answers(lived_in, connect):
    async with connect(lived_in) as client:
        bodies = [page.content async for page in client.license_pages()]
        bodies += [(await client.get_order(order["id"])).content for order in lived_in.truth()[:20]]
    sent, kept = b"".join(bodies), b"".join(map(redacted, bodies))
    secrets = [one["license_key"] for one in lived_in.shop.license_truth()]
    secrets += [
        user["initial_password"]
        for one in lived_in.shop.license_truth()
        for user in one["license_users"]
    ]
    assert len(secrets) > 100
    assert all(secret.encode() in sent for secret in secrets)
    assert not any(secret.encode() in kept for secret in secrets)


# --- lists to their end ---------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 7, 100])
@pytest.mark.parametrize("next_links", ["same_host", "other_host"])
async def test_every_order_comes_once_however_much_a_page_is_cut(connect, most, next_links):
    switches = Switches(max_limit=most, archived="shown", next_links=next_links)
    with LicenseSpringSandbox(15, now=NOW, switches=switches) as box:
        async with connect(box) as client:
            pages = [page.model async for page in client.order_pages()]
    ids = [order.id for page in pages for order in page.results]
    assert sorted(ids) == [order["id"] for order in box.truth()]
    assert {page.count for page in pages} == {15}
    assert len(box.calls) == -(-15 // most), "no page was asked for in vain"


async def test_every_license_comes_once(lived_in, connect):
    async with connect(lived_in) as client:
        pages = [page.model async for page in client.license_pages(limit=40, order_by="id")]
    ids = [one.id for page in pages for one in page.results]
    assert ids == sorted(lived_in.shop.license_ids())


async def test_an_empty_list_is_one_page(connect):
    with LicenseSpringSandbox(0, now=NOW) as box:
        async with connect(box) as client:
            pages = [page.model async for page in client.order_pages()]
    assert [(page.count, page.results) for page in pages] == [(0, [])]


async def test_orders_that_come_while_the_list_is_read_are_on_its_last_pages(box, connect):
    box.switches = replace(box.switches, max_limit=5, archived="shown")
    box.traffic = 3
    box.moves.weights = {"create": 3, "trial": 1, "patch": 2, "activate": 2}
    there = set(box.shop.order_ids())
    async with connect(box) as client:
        read = {
            order.id
            async for page in client.order_pages(order_by="created_at")
            for order in page.model.results
        }
    assert there < read


async def test_without_next_the_count_says_whether_there_is_more(answering):
    client, asked = answering(
        {"count": 3, "results": [{"id": 1}, {"id": 2}]}, {"count": 3, "results": [{"id": 3}]}
    )
    ids = [order.id async for page in client.order_pages() for order in page.model.results]
    assert ids == [1, 2, 3]
    assert [request.url.params["offset"] for request in asked] == ["0", "2"]


@pytest.mark.parametrize(
    "body",
    [
        {"count": 3, "next": "https://saas.test/?offset=9", "results": []},
        {"count": 3, "results": []},
        {"count": 3, "next": None},
        {"detail": "no list"},
        [],
    ],
)
async def test_a_page_that_hides_what_it_announces_is_an_error(answering, body):
    client, asked = answering(body)
    with pytest.raises(UnreadableAnswer):
        _ = [page async for page in client.order_pages()]
    assert len(asked) == 1


# --- trouble --------------------------------------------------------------------------------


@pytest.mark.parametrize("error_key", ["detail", "message", "non_field_errors"])
@pytest.mark.parametrize(
    ("wrong_key", "error"),
    [("unauthorized", CredentialsRejected), ("forbidden", PermissionDenied)],
)
async def test_a_wrong_key_is_refused_once_and_not_shown(box, connect, error_key, wrong_key, error):
    box.switches = replace(box.switches, error_key=error_key, wrong_key=wrong_key)
    async with connect(box, key="wrong.s3cr3t") as client:
        with pytest.raises(error) as caught:
            await client.list_orders()
    said = {401: "No valid API key was provided.", 403: "This key may not do that."}
    assert said[caught.value.status] in caught.value.details
    assert "s3cr3t" not in f"{caught.value} {caught.value!r}"
    assert len(box.calls) == 1


async def test_an_unknown_order_is_not_found(box, connect):
    async with connect(box) as client:
        with pytest.raises(NotFound, match="/api/v1/orders/1/") as caught:
            await client.get_order(1)
    assert caught.value.details == "Nothing here."


@pytest.mark.parametrize("retry_after", ["sent", "omitted"])
async def test_a_limit_that_nobody_documents_is_waited_for(box, connect, retry_after):
    box.switches = replace(box.switches, requests_per_minute=2, retry_after=retry_after)
    async with connect(box, max_attempts=12) as client:
        for _ in range(5):
            await client.list_orders(limit=1)
    assert box.clock.now() >= NOW + timedelta(minutes=2)


async def test_requests_keep_the_pace_of_the_account(box, connect):
    async with connect(box, per_second=4) as client:
        for _ in range(9):
            await client.list_orders(limit=1)
    assert box.clock.now() == NOW + timedelta(seconds=2)


@pytest.mark.parametrize("kind", ["status", "html", "reset_before", "reset_after", "cut_json"])
async def test_an_update_is_repeated_until_it_is_answered(box, connect, kind):
    order_id = box.truth()[0]["id"]
    box.faults.add(Fault(kind, method="PATCH", times=2, status=503))
    async with connect(box) as client:
        changed = await client.update_order(order_id, {"language": "pl"})
        assert client.transport.retries == 2
    assert changed.model.language == box.shop.get(order_id)["language"] == "pl"


@pytest.mark.parametrize(
    ("kind", "error"), [("reset_after", ConnectionFailed), ("status", ServerFailed)]
)
async def test_a_creation_is_never_repeated_blindly(box, connect, kind, error):
    box.faults.add(Fault(kind, method="POST", status=502))
    async with connect(box) as client:
        with pytest.raises(error) as caught:
            await client.create_order({"id": "CRM-new", "items": []})
    assert caught.value.maybe_processed
    assert len(box.calls) == 1


# --- settings -------------------------------------------------------------------------------


def test_the_key_comes_from_the_environment_and_is_not_shown(account, monkeypatch):
    vendor = account()
    assert vendor.resolved_base_url == "https://saas.licensespring.com"
    assert vendor.allowed_hosts == {"saas.licensespring.com"}
    assert vendor.api_key().get_secret_value() == KEY
    assert KEY not in f"{vendor!r} {vendor.api_key()!r}"
    monkeypatch.setenv("LICENSESPRING_API_KEY", " ")
    with pytest.raises(ConfigurationError, match="LICENSESPRING_API_KEY is not set or empty"):
        vendor.api_key()


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://saas.licensespring.com"},
        {"base_url": "https://saas.licensespring.com/api/v1"},
        {"api_key_env": KEY},
        {"requests_per_second": 0},
        {"region": "eu"},
    ],
)
def test_settings_that_make_no_sense_are_refused(account, wrong):
    with pytest.raises(ValidationError):
        account(**wrong)


# --- models ---------------------------------------------------------------------------------

MODELS = [Customer, License, LicensePage, LicenseUser, Order, OrderItem, OrderPage, Product]
TEXT = st.text("ab01.", max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=30)
@given(data=st.data())
def test_whatever_a_known_key_holds_comes_back_unchanged(model, data):
    keys = st.sampled_from(sorted(model.model_fields))
    value = data.draw(st.dictionaries(keys, JSON, max_size=6))
    again = model.model_validate(value).model_dump(exclude_unset=True)
    # As JSON, because 1 == 1.0 == True in Python.
    assert json.dumps(again, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("customer", [None, 620, {"id": 620, "email": "a@example.com"}, "x"])
def test_a_customer_may_be_an_object_a_number_or_nothing(customer):
    order = Order.model_validate({"customer": customer})
    assert order.model_dump(exclude_unset=True) == {"customer": customer}
    assert isinstance(order.customer, Customer) == isinstance(customer, dict)


def test_models_do_not_show_secrets():
    user = {"email": "a@example.com", "initial_password": "s3cr3t"}
    order = Order.model_validate(
        {"order_items": [{"licenses": [{"license_key": "s3cr3t", "license_users": [user]}]}]}
    )
    assert order.order_items[0].licenses[0].license_key == "s3cr3t"
    assert "s3cr3t" not in f"{order!r} {order}"
