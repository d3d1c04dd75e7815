"""The UltraCart client: the same requests as the official SDK, errors by kind, one at a time."""

import asyncio
import json
import logging
import random
import threading
import traceback
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import httpx
import pytest
import ultracart
from pydantic import SecretStr
from ultracart.api.order_api import OrderApi
from ultracart.model.currency import Currency
from ultracart.model.order import Order
from ultracart.model.order_format import OrderFormat
from ultracart.model.order_query import OrderQuery
from ultracart.model.order_query_batch import OrderQueryBatch
from ultracart.model.order_summary import OrderSummary

from orders_connector.errors import (
    ConfigurationError,
    ConnectionFailed,
    CredentialsRejected,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    ServerFailed,
    UnreadableAnswer,
)
from orders_connector.http import Transport
from orders_connector.sources.ultracart.account import UltraCartAccount, UltraCartOAuth
from orders_connector.sources.ultracart.auth import OAuthAuth, SimpleKeyAuth
from orders_connector.sources.ultracart.client import UltraCartClient
from orders_connector.sources.ultracart.expansions import (
    ANALYTICS,
    EXPANSIONS,
    LANDED,
    UNDOCUMENTED,
    expand_parameter,
)
from orders_connector.sources.ultracart.filters import query_body
from orders_connector.sources.ultracart.pacing import Pace

pytestmark = pytest.mark.anyio

KEY = "5ec4e7" * 10 + "abcd"
TOKEN = "/rest/v2/oauth/token"
WINDOW = {"creation_date_begin": "2026-03-08T00:00:00-05:00"}
ORDER = {"order": {"order_id": "DEMO-1"}, "success": True}
EASTERN = timezone(timedelta(hours=-4))


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Time:
    def __init__(self):
        self.now = 0.0
        self.sleeps = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        if seconds:
            self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time():
    return Time()


class Api:
    """Answers from a list, the last one again and again; notes what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers) or [reply()]
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


def reply(status=200, headers=None, **body):
    return lambda: httpx.Response(status, json=body or ORDER, headers=headers)


def refusal(text, **more):
    return {"error": {"developer_message": text, "user_message": text, **more}, "metadata": {}}


@pytest.fixture
def client(time):
    def make(api, *, pace=None, **options):
        settings = {
            "account": "shop",
            "auth": SimpleKeyAuth(SecretStr(KEY)),
            "http_transport": httpx.MockTransport(api),
            "sleep": time.sleep,
            "clock": time.clock,
            "rng": random.Random(1),
        }
        return UltraCartClient(Transport("https://api.test", **(settings | options)), pace=pace)

    return make


# --- the same on the wire as the official SDK -----------------------------------------------


class _Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _record(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, self.headers, body))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        content = b'{"order":{}}'
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _record

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def recorder():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Recorder) as server:
        server.seen = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


ODD_ID = "Größe 5/6 #7?a=b&c+d%20'\"~"
FILTERS = {
    "current_stage": "Shipping Department",
    "email": "a+b@example.com",
    "creation_date_begin": "2026-03-08T00:00:00-05:00",
    "creation_date_end": "2026-03-09T00:00:00Z",
}
QUERY = {
    "refund_date_begin": "2026-03-20T00:00:00-04:00",
    "refund_date_end": "2026-03-21T00:00:00-04:00",
    "custom_field_1": "größe",
    "query_target": "origin",
}
REFUNDED = {"order_id": "DEMO-1", "summary": {"total_refunded": {"value": Decimal("28.89")}}}
SDK_REFUNDED = Order(order_id="DEMO-1", summary=OrderSummary(total_refunded=Currency(value=28.89)))
REFUND_FLAGS = {
    "reject_after_refund": True,
    "skip_customer_notification": False,
    "auto_order_cancel": True,
    "manual_refund": False,
    "reverse_affiliate_transactions": True,
    "issue_store_credit": False,
    "auto_order_cancel_reason": "too many",
}
CANCEL_FLAGS = {"lock_self_ship_orders": True, "skip_refund_and_hold": False}

# Operation, our call, the SDK's call.
OPERATIONS = {
    "get_order": (
        lambda c: c.get_order("DEMO-1"),
        lambda s, **o: s.get_order("DEMO-1", **o),
    ),
    "get_order by an odd id, expanded": (
        lambda c: c.get_order(ODD_ID, expand=["summary", "payment.transaction"]),
        lambda s, **o: s.get_order(ODD_ID, expand="summary,payment.transaction", **o),
    ),
    "list_orders": (
        lambda c: c.list_orders(FILTERS, limit=200, offset=400, expand=["item", "summary"]),
        lambda s, **o: s.get_orders(
            **FILTERS, limit=200, offset=400, sort="+creation_dts", expand="item,summary", **o
        ),
    ),
    "query_orders": (
        lambda c: c.query_orders(QUERY, sort=["-billing.last_name", "+creation_dts"]),
        lambda s, **o: s.get_orders_by_query(
            OrderQuery(**QUERY),
            limit=100,
            offset=0,
            sort="-billing.last_name,+creation_dts",
            **o,
        ),
    ),
    "get_orders_batch": (
        lambda c: c.get_orders_batch(["DEMO-1", "DEMO-2"], query_target="cache", expand=["item"]),
        lambda s, **o: s.get_orders_batch(
            OrderQueryBatch(order_ids=["DEMO-1", "DEMO-2"], query_target="cache"),
            expand="item",
            **o,
        ),
    ),
    "update_order": (
        lambda c: c.update_order("DEMO-1", REFUNDED, expand=["summary"]),
        lambda s, **o: s.update_order("DEMO-1", SDK_REFUNDED, expand="summary", **o),
    ),
    "refund_order": (
        lambda c: c.refund_order("DEMO-1", REFUNDED, **REFUND_FLAGS, expand=["summary"]),
        lambda s, **o: s.refund_order(
            "DEMO-1", SDK_REFUNDED, **REFUND_FLAGS, expand="summary", **o
        ),
    ),
    "cancel_order": (
        lambda c: c.cancel_order("DEMO-1", **CANCEL_FLAGS),
        lambda s, **o: s.cancel_order("DEMO-1", **CANCEL_FLAGS, **o),
    ),
    "delete_order": (
        lambda c: c.delete_order("DEMO-1"),
        lambda s, **o: s.delete_order("DEMO-1", **o),
    ),
    "format_order": (
        lambda c: c.format_order("DEMO-1", {"format": "text", "translate": True}),
        lambda s, **o: s.format("DEMO-1", OrderFormat(format="text", translate=True), **o),
    ),
    "resend_receipt": (
        lambda c: c.resend_receipt("DEMO-1"),
        lambda s, **o: s.resend_receipt("DEMO-1", **o),
    ),
    "resend_shipment_confirmation": (
        lambda c: c.resend_shipment_confirmation("DEMO-1"),
        lambda s, **o: s.resend_shipment_confirmation("DEMO-1", **o),
    ),
}


@pytest.fixture
def both(recorder):
    """Run an operation with our client and with the SDK; return the two requests seen."""

    async def run(ours, theirs):
        recorder.seen.clear()
        transport = Transport(recorder.url, auth=SimpleKeyAuth(SecretStr(KEY)))
        async with UltraCartClient(transport) as client:
            await ours(client)
        configuration = ultracart.Configuration(
            host=f"{recorder.url}/rest/v2", api_key={"x-ultracart-simple-key": KEY}
        )
        api = ultracart.ApiClient(configuration, "X-UltraCart-Api-Version", "2017-03-01")
        response = await asyncio.to_thread(theirs, OrderApi(api), _preload_content=False)
        response.read()
        api.rest_client.pool_manager.clear()
        return recorder.seen

    return run


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_request_equals_that_of_the_official_sdk(both, operation):
    (method, path, headers, body), (sdk_method, sdk_path, sdk_headers, sdk_body) = await both(
        *OPERATIONS[operation]
    )
    # The SDK for Python writes True where the API is described with true.
    sdk_path = sdk_path.replace("=True", "=true").replace("=False", "=false")
    assert (method, path) == (sdk_method, sdk_path)
    for name in ("x-ultracart-simple-key", "X-UltraCart-Api-Version", "Accept", "Content-Type"):
        assert headers[name] == sdk_headers[name], name
    assert headers["x-ultracart-simple-key"] == KEY
    assert (body and json.loads(body)) == (sdk_body and json.loads(sdk_body))


# --- refused before sending -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda c: c.get_order("DEMO-1", expand=["items"]), "'items'; did you mean 'item'"),
        (lambda c: c.get_order("DEMO-1", expand="summary"), "list of names"),
        (lambda c: c.get_order(".."), "cannot be used as an id"),
        (lambda c: c.delete_order(""), "cannot be used as an id"),
        (lambda c: c.list_orders({}), "without a filter"),
        (lambda c: c.list_orders({"email": None}), "without a filter"),
        (lambda c: c.query_orders({"query_target": "origin"}), "without a filter"),
        (lambda c: c.list_orders({"email": ""}), "email is empty"),
        (lambda c: c.list_orders({"refund_date_begin": WINDOW}), "no filter 'refund_date_begin'"),
        (lambda c: c.query_orders({"updated_since": "2026"}), "no filter 'updated_since'"),
        (lambda c: c.list_orders({"payment_date_begin": "2026-03-08"}), "no offset"),
        (lambda c: c.list_orders({"payment_date_end": datetime(2026, 3, 8)}), "no offset"),
        (lambda c: c.list_orders({"payment_date_end": "soon"}), "no ISO 8601 time"),
        (lambda c: c.list_orders(WINDOW, limit=201), "limit 201"),
        (lambda c: c.list_orders(WINDOW, limit=0), "limit 0"),
        (lambda c: c.query_orders(WINDOW, offset=-1), "offset -1"),
        (lambda c: c.query_orders(WINDOW, sort=["creation_dts"]), "cannot sort by"),
        (lambda c: c.query_orders(WINDOW, sort="+creation_dts"), "sort keys are a list"),
        (lambda c: c.get_orders_batch([]), "1 to 500"),
        (lambda c: c.get_orders_batch(["DEMO-1"] * 501), "1 to 500"),
        (lambda c: c.update_order("DEMO-1", {"n": [Decimal("0.1") ** 25 + 1]}), "too many digits"),
    ],
)
async def test_what_would_be_refused_or_misread_is_not_sent(client, call, why):
    api = Api()
    with pytest.raises(ValueError, match=why):
        await call(client(api))
    assert api.asked == []


def test_expansions_are_sent_once_each_in_the_order_given():
    assert expand_parameter(["summary", "item", "summary"]) == "summary,item"
    assert expand_parameter([]) is None
    assert set(ANALYTICS) <= set(LANDED) <= EXPANSIONS
    assert set(LANDED) >= UNDOCUMENTED
    assert "customer_profile" not in LANDED  # changes without the order


@pytest.mark.parametrize(
    ("name", "moment", "sent"),
    [
        ("refund_date_begin", datetime(2026, 3, 8, 5, tzinfo=UTC), "2026-03-08T05:00:00+00:00"),
        ("refund_date_begin", datetime(2026, 3, 8, tzinfo=EASTERN), "2026-03-08T00:00:00-04:00"),
        (
            "refund_date_begin",
            datetime(2026, 3, 8, 0, 0, 0, 1_999, UTC),
            "2026-03-08T00:00:00.001+00:00",
        ),
        (
            "refund_date_end",
            datetime(2026, 3, 8, 0, 0, 59, 999_001, UTC),
            "2026-03-08T00:01:00+00:00",
        ),
        ("refund_date_end", "2026-03-08T00:00:00.5Z", "2026-03-08T00:00:00.5Z"),
    ],
)
def test_a_window_is_sent_with_its_offset_and_never_smaller(name, moment, sent):
    assert query_body({name: moment}) == {name: sent}


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "why"),
    [
        (400, RequestRejected, "did not accept"),
        (401, CredentialsRejected, "rejected the key"),
        (403, PermissionDenied, "order_read"),
        (404, NotFound, "no such object"),
        (410, CredentialsRejected, "disabled the application"),
    ],
)
async def test_a_refusal_is_an_error_by_kind_and_not_repeated(client, status, kind, why):
    headers = {"uc-rest-error": "Example text.", "x-ultracart-request-id": "REQ-1"}
    api = Api(reply(status, headers, **refusal("Example text.")))
    with pytest.raises(kind, match=why) as caught:
        await client(api).query_orders(WINDOW)
    assert type(caught.value) is kind
    assert len(api.asked) == 1
    error = caught.value
    assert (error.status, error.account, error.request_id) == (status, "shop", "REQ-1")
    assert error.details == "Example text."


async def test_the_reason_is_read_from_the_header_when_the_body_has_none(client):
    api = Api(lambda: httpx.Response(400, content=b"", headers={"uc-rest-error": "Too large."}))
    with pytest.raises(RequestRejected, match="Too large"):
        await client(api).query_orders(WINDOW)


async def test_the_code_and_both_messages_of_an_error_are_told(client):
    error = {"developer_message": "d", "user_message": "u", "error_code": "400"}
    with pytest.raises(RequestRejected) as caught:
        await client(Api(reply(400, error=error))).query_orders(WINDOW)
    assert (caught.value.key, caught.value.details) == ("400", "d: u")


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("name", ["get_order", "delete_order"])
async def test_a_missing_order_is_told_from_a_wrong_request(client, name, status):
    c = client(Api(reply(status, **refusal("It does not exist."))))
    with pytest.raises(NotFound, match="It does not exist") as caught:
        await getattr(c, name)("DEMO-9")
    assert caught.value.status == status
    with pytest.raises(RequestRejected):
        await c.cancel_order("DEMO-9")


async def test_success_without_an_order_is_a_missing_order(client):
    with pytest.raises(NotFound, match="no such order"):
        await client(Api(reply(success=True, metadata={}))).get_order("DEMO-9")


@pytest.mark.parametrize(
    ("inside", "kind"),
    [
        (refusal("No."), RequestRejected),
        (refusal("No.", error_code="400"), RequestRejected),
        (refusal("No.", error_code="401"), CredentialsRejected),
        (refusal("No.", error_code="404"), NotFound),
        (refusal("No.", error_code="429"), RateLimited),
        (refusal("No.", error_code="500"), ServerFailed),
        (refusal("rate of 1000 per 3600 second(s) exceeded."), RateLimited),
        ({"error": "odd", "orders": []}, RequestRejected),
        ({"success": False, "metadata": {}}, RequestRejected),
    ],
)
async def test_an_error_inside_status_200_is_an_error_by_kind(client, inside, kind):
    with pytest.raises(kind) as caught:
        await client(Api(reply(**inside))).query_orders(WINDOW)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.path.split("?")[0]) == (
        200,
        "/rest/v2/order/orders/query",
    )


async def test_an_error_inside_status_200_says_whether_something_may_have_happened(client):
    c = client(Api(reply(**refusal("Oops.", error_code="500"))))
    for call, maybe in ((c.refund_order("DEMO-1", {}), True), (c.query_orders(WINDOW), False)):
        with pytest.raises(ServerFailed) as caught:
            await call
        assert caught.value.maybe_processed is maybe


async def test_a_warning_is_logged_and_no_error_although_success_is_missing(client, caplog):
    api = Api(reply(warning={"warning_message": "Nothing was shipped."}, metadata={}))
    done = await client(api).resend_shipment_confirmation("DEMO-1")
    assert (done.model.success, done.model.warning.warning_message) == (
        None,
        "Nothing was shipped.",
    )
    assert "Nothing was shipped" in caplog.text


async def test_an_error_deep_inside_an_order_is_no_error_of_the_call(client):
    content = b'{"orders": [{"order_id": "D-1", "x": {"error": "declined"}}], "success": true}'
    page = await client(Api(lambda: httpx.Response(200, content=content))).query_orders(WINDOW)
    assert page.content == content
    assert page.model.orders[0].order_id == "D-1"


@pytest.mark.parametrize(
    ("call", "repeated"),
    [
        (lambda c: c.get_order("DEMO-1"), True),
        (lambda c: c.query_orders(WINDOW), True),
        (lambda c: c.get_orders_batch(["DEMO-1"]), True),
        (lambda c: c.format_order("DEMO-1", {"format": "text"}), True),
        (lambda c: c.update_order("DEMO-1", {}), True),
        (lambda c: c.delete_order("DEMO-1"), True),
        (lambda c: c.refund_order("DEMO-1", {}), False),
        (lambda c: c.cancel_order("DEMO-1"), False),
        (lambda c: c.resend_receipt("DEMO-1"), False),
        (lambda c: c.resend_shipment_confirmation("DEMO-1"), False),
    ],
)
async def test_after_a_lost_answer_only_what_does_no_harm_is_repeated(client, call, repeated):
    api = Api(httpx.ReadTimeout("lost"), reply())
    if repeated:
        await call(client(api))
    else:
        with pytest.raises(ConnectionFailed) as caught:
            await call(client(api))
        assert caught.value.maybe_processed
    assert len(api.asked) == (2 if repeated else 1)


async def test_amounts_may_be_decimals(client):
    api = Api()
    await client(api).refund_order("D", {"a": Decimal("28.89"), "b": [Decimal("5.00"), 1.5, None]})
    assert api.asked[0].content == b'{"a":28.89,"b":[5,1.5,null]}'


# --- one at a time, and limits --------------------------------------------------------------


async def test_calls_take_turns_with_their_repetitions(client):
    running, most, order = 0, 0, []

    async def api(request):
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        order.append(request.url.path[-1])
        return httpx.Response(500 if order == ["0"] else 200, json=ORDER)

    c = client(api)
    await asyncio.gather(*[c.get_order(f"DEMO-{n}") for n in range(4)])
    assert most == 1
    assert order == ["0", "0", "1", "2", "3"], "nobody slips in before a repetition"


RATE = "rate of 1000 per 3600 second(s) exceeded."


@pytest.mark.parametrize(
    ("headers", "waited"), [({}, [3.6]), ({"retry-after": "17"}, [17]), ({"retry-after": "0"}, [])]
)
async def test_a_refusal_for_the_limit_is_waited_for(client, time, headers, waited):
    api = Api(reply(429, headers, **refusal(RATE)), reply())
    await client(api).get_order("DEMO-1")
    assert len(api.asked) == 2
    assert time.sleeps == waited or (not waited and 0 < time.sleeps[0] <= 1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (RATE, "hourly"),
        ("rate of 10000 per 86400 second(s) exceeded.", "daily"),
        ("rate of 5 per 60 second(s) exceeded.", "60 s"),
        ("Too many at once.", "unnamed"),
    ],
)
async def test_a_refusal_that_lasts_names_the_limit_and_is_no_end_of_a_quota(client, text, kind):
    api = Api(reply(429, **refusal(text)))
    with pytest.raises(RateLimited, match="Run again later") as caught:
        await client(api).get_order("DEMO-1")
    assert (caught.value.kind, caught.value.details) == (kind, text)
    assert len(api.asked) == 5


async def test_calls_are_paced_within_the_limits_no_header_tells(client, time):
    api, waits = Api(), []
    pace = Pace({3_600: 4, 86_400: 6}, reserve=0.5, max_wait_seconds=1_800)
    c = client(api, pace=pace, on_wait=lambda seconds, why: waits.append(why))
    for _ in range(3):
        await c.get_order("DEMO-1")
    assert time.sleeps == [1_800], "2 of 4 per hour are ours; one of them is free after half of it"
    assert waits == ["UltraCart allows 4 calls per hour, 2 of them for the shop"]
    with pytest.raises(RateLimited, match="6 calls per day, 3 of them") as caught:
        await c.get_order("DEMO-1")
    assert caught.value.retry_after == 27_000
    assert len(api.asked) == 3


async def test_repetitions_count_for_the_pace(client, time):
    api = Api(reply(500), reply(500), reply())
    c = client(api, pace=Pace({3_600: 3}, max_wait_seconds=9_999))
    await c.get_order("DEMO-1")
    backoff = sum(time.sleeps)
    await c.get_order("DEMO-1")
    assert time.now == pytest.approx(backoff + 1_200)


# --- accounts and credentials ---------------------------------------------------------------


def configured(**changes):
    return UltraCartAccount(
        name="shop",
        source="ultracart",
        currency="USD",
        time_zone="America/New_York",
        history_start="2024-01-01",
        **changes,
    )


async def test_a_configured_account_is_all_a_client_needs(monkeypatch):
    monkeypatch.setenv("ULTRACART_SIMPLE_KEY", KEY)
    api = Api()
    account = configured(calls_per_hour=2, reserve=0, max_wait_seconds=1)
    async with UltraCartClient.for_account(account, http_transport=httpx.MockTransport(api)) as c:
        await c.get_order("DEMO-1")
        await c.get_order("DEMO-1")
        with pytest.raises(RateLimited, match="2 calls per hour"):
            await c.get_order("DEMO-1")
    [request, _] = api.asked
    assert str(request.url) == "https://secure.ultracart.com/rest/v2/order/orders/DEMO-1"
    assert request.headers["x-ultracart-simple-key"] == KEY


@pytest.mark.parametrize(
    ("auth", "named"),
    [("key", "ULTRACART_SIMPLE_KEY"), ("oauth", "ULTRACART_CLIENT_ID and ULTRACART_REFRESH_TOKEN")],
)
def test_an_account_without_credentials_makes_no_client(monkeypatch, auth, named):
    for name in ("SIMPLE_KEY", "CLIENT_ID", "REFRESH_TOKEN"):
        monkeypatch.delenv(f"ULTRACART_{name}", raising=False)
    with pytest.raises(ConfigurationError, match=named):
        UltraCartClient.for_account(configured(auth=auth))


class OAuthApi(Api):
    """Sells tokens for the newest refresh token; takes the newest access token only."""

    def __init__(self, **token):
        super().__init__()
        self.token = {"expires_in": "900"} | token
        self.forms = []

    async def __call__(self, request):
        self.asked.append(request)
        if request.url.path == TOKEN:
            self.forms.append(parse_qs(request.content.decode()))
            n = len(self.forms)
            body = {"access_token": f"acc3ss-{n}", "refresh_token": f"r3fresh-{n}"} | self.token
            return httpx.Response(200, json=body)
        current = request.headers.get("authorization") == f"Bearer acc3ss-{len(self.forms)}"
        return httpx.Response(200 if current else 401, json=ORDER)


@pytest.fixture
def oauth(client, time):
    def make(api):
        credentials = UltraCartOAuth(SecretStr("app-1"), SecretStr("r3fresh-0"))
        auth = OAuthAuth(credentials, "https://api.test", account="shop", clock=time.clock)
        return client(api, auth=auth)

    return make


async def test_a_token_is_bought_once_and_renewed_in_time_with_the_newest_refresh_token(
    oauth, time
):
    api = OAuthApi()
    c = oauth(api)
    await asyncio.gather(*[c.get_order("DEMO-1") for _ in range(3)])
    assert api.forms == [
        {"client_id": ["app-1"], "grant_type": ["refresh_token"], "refresh_token": ["r3fresh-0"]}
    ]
    assert {request.headers["X-UltraCart-Api-Version"] for request in api.asked} == {"2017-03-01"}
    assert "x-ultracart-simple-key" not in api.asked[-1].headers
    time.now = 841
    await c.get_order("DEMO-1")
    assert [form["refresh_token"] for form in api.forms] == [["r3fresh-0"], ["r3fresh-1"]]
    assert c.transport.calls == 6


async def test_a_rejected_token_is_renewed_once(oauth):
    api = OAuthApi()
    c = oauth(api)
    await c.get_order("DEMO-1")
    api.forms.append("another program bought one")
    await c.get_order("DEMO-1")
    assert len(api.forms) == 3
    blocked = OAuthApi(access_token="blocked")
    with pytest.raises(CredentialsRejected, match="rejected the key or the token"):
        await oauth(blocked).get_order("DEMO-1")
    assert len(blocked.forms) == 2


@pytest.mark.parametrize("status", [200, 400, 401])
async def test_a_refused_refresh_token_asks_for_a_new_consent(oauth, status):
    body = {"error": "invalid_grant", "error_description": "Unknown."}
    api = Api(reply(status, **body))
    with pytest.raises(CredentialsRejected, match="authorize the application again") as caught:
        await oauth(api).get_order("DEMO-1")
    error = caught.value
    assert (error.status, error.key, error.details) == (status, "invalid_grant", "Unknown.")
    assert error.path == TOKEN


async def test_trouble_with_the_token_request_is_repeated_like_any_other(oauth):
    api = OAuthApi()
    troubles = [httpx.Response(500), httpx.Response(200, content=b"<html>")]

    async def troubled(request):
        return troubles.pop(0) if troubles else await api(request)

    await oauth(troubled).refund_order("DEMO-1", {})
    assert [request.url.path for request in api.asked] == [
        TOKEN,
        "/rest/v2/order/orders/DEMO-1/refund",
    ]
    with pytest.raises(UnreadableAnswer, match="no access_token"):
        await oauth(Api(reply(200, refresh_token="r3fresh-9"))).get_order("DEMO-1")


@pytest.mark.parametrize("with_oauth", [False, True])
async def test_no_credential_is_logged_or_shown(client, oauth, caplog, with_oauth):
    caplog.set_level(logging.DEBUG)
    api = OAuthApi(access_token="acc3ss-s3cr3t")
    c = oauth(api) if with_oauth else client(api)
    with pytest.raises(CredentialsRejected) as caught:
        await c.query_orders(WINDOW)
    trace = "".join(traceback.format_exception(caught.value))
    held = [repr(thing) for thing in (c, *vars(c).values(), *vars(c.transport).values())]
    shown = "\n".join([caplog.text, trace, *held])
    assert "/rest/v2/order/orders/query" in caplog.text
    assert not [secret for secret in (KEY, "acc3ss", "r3fresh") if secret in shown]


@pytest.mark.parametrize("code", ["500", "429"])
async def test_an_error_inside_status_200_is_repeated_as_its_kind_says(client, code):
    api = Api(reply(**refusal("Later.", error_code=code)), reply(orders=[], success=True))
    c = client(api, max_attempts=3)
    assert (await c.query_orders(WINDOW)).model.orders == []
    assert c.transport.retries == 1


async def test_an_error_inside_status_200_is_not_repeated_where_it_may_have_happened(client):
    api = Api(reply(**refusal("Oops.", error_code="500")), reply(success=True))
    c = client(api, max_attempts=3)
    with pytest.raises(ServerFailed):
        await c.refund_order("DEMO-1", {})
    assert c.transport.retries == 0
