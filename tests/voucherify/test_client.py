"""The client: the same requests as the official SDK, and safe ways through several calls."""

import asyncio
import contextlib
import io
import json
import logging
import random
import threading
import traceback
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import voucherify
from pydantic import SecretStr
from voucherify import models as sdk_models

from orders_connector.errors import (
    ConfigurationError,
    ConnectionFailed,
    CredentialsRejected,
    HostNotAllowed,
    JobFailed,
    JobUnfinished,
    NotFound,
    PageOverLimit,
    RequestRejected,
    ServerFailed,
    UnreadableAnswer,
)
from orders_connector.http import Transport
from orders_connector.sources.voucherify.account import Credentials, VoucherifyAccount
from orders_connector.sources.voucherify.auth import KeyPairAuth, OAuthAuth
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.models import Export

pytestmark = pytest.mark.anyio

APP_ID, APP_TOKEN = "app-id-1", "app-token-s3cr3t"
KEYS = Credentials(SecretStr(APP_ID), SecretStr(APP_TOKEN))
DATE = "Sat, 01 Aug 2026 12:00:10 GMT"


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Voucherify:
    """A few endpoints in memory; `trouble` strikes before or after the work is done."""

    def __init__(self):
        self.asked = []
        self.exports = []
        self.tokens = 0
        self.accepted = None
        self.trouble = {}
        self.visible = True
        self.meanwhile = []

    def __call__(self, request):
        self.asked.append(request)
        place = f"{request.method} {request.url.path}"
        trouble = self.trouble.get(place, [])
        before = trouble.pop(0) if trouble else None
        answer = self.answer(place, request)
        if before is None:
            return answer
        if isinstance(before, Exception):
            raise before
        return before

    def answer(self, place, request):
        if place == "POST /v1/oauth/token":
            self.tokens += 1
            self.accepted = f"bearer-s3cr3t-{self.tokens}"
            return httpx.Response(200, json={"access_token": self.accepted, "expires_in": 900})
        if place == "POST /v1/orders/export":
            started = self.start(json.loads(request.content)["parameters"])
            for other in self.meanwhile:
                self.start(**other)
            return httpx.Response(200, json=started)
        if place == "GET /v1/exports":
            shown = self.exports[::-1] if self.visible else []
            return httpx.Response(200, json={"exports": shown}, headers={"date": DATE})
        if place.startswith("GET /v1/exports/"):
            for export in self.exports:
                if export["id"] == place.rpartition("/")[2]:
                    return httpx.Response(200, json=export)
            return httpx.Response(404, json={"code": 404, "key": "not_found"})
        return httpx.Response(200, json={"orders": [], "total": 0})

    def start(self, parameters, created_at="2026-08-01T12:00:09.500Z", kind="order"):
        echo = {"order": "", "response_format": "CSV"} | parameters
        echo["filters"] = {"junction": "and"} | (parameters.get("filters") or {})
        export = {
            "id": f"exp_{len(self.exports) + 1}",
            "exported_object": kind,
            "status": "SCHEDULED",
            "created_at": created_at,
            "parameters": echo,
            "result": None,
        }
        self.exports.append(export)
        return export

    def count(self, place):
        return sum(f"{r.method} {r.url.path}" == place for r in self.asked)


class Time:
    def __init__(self):
        self.now = 0.0
        self.sleeps = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def client(time):
    def make(api, *, oauth=False, **options):
        async def handle(request):
            await asyncio.sleep(0)  # so that parallel requests do overlap
            return api(request)

        auth = KeyPairAuth(KEYS)
        if oauth:
            auth = OAuthAuth(KEYS, "https://api.test", account="shop", clock=time.clock)
        settings = {
            "account": "shop",
            "auth": auth,
            "http_transport": httpx.MockTransport(handle),
            "sleep": time.sleep,
            "clock": time.clock,
            "rng": random.Random(1),
        }
        return VoucherifyClient(Transport("https://api.test", **(settings | options)))

    return make


def responding(*bodies, status=200):
    left = list(bodies)

    def answer(_):
        body = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(status, json=body)

    return answer


# --- the same on the wire as the official SDK -----------------------------------------------


class _Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _record(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, self.headers, body))
        content = b"" if self.command == "DELETE" else b"{}"
        self.send_response(204 if self.command == "DELETE" else 200)
        if "token=" in self.path:
            self.send_header("content-type", "text/plain")
        elif content:
            self.send_header("content-type", "application/json")
        if content:
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


ORDER = {
    "source_id": "order/1",
    "status": "PAID",
    "amount": 1_000,
    "items": [{"product_id": "p", "quantity": 2, "price": 500}],
    "metadata": {"größe": "XL", "note": "a&b"},
}
FIELDS = ["id", "created_at", "metadata"]
FILTERS = {
    "junction": "and",
    "updated_at": {"conditions": {"$after": ["2026-08-01T00:00:00.000Z"]}},
}

# Operation, our call, the SDK's call.
OPERATIONS = {
    "list_orders": (
        lambda c: c.list_orders(limit=25, page=3, order="-updated_at"),
        lambda s: s.orders.list_orders_without_preload_content(
            limit=25, page=3, order=sdk_models.ParameterOrderListOrders("-updated_at")
        ),
    ),
    "create_order": (
        lambda c: c.create_order(ORDER),
        lambda s: s.orders.create_order_without_preload_content(
            sdk_models.OrdersCreateRequestBody.model_validate(ORDER)
        ),
    ),
    "get_order": (
        lambda c: c.get_order("ord_1"),
        lambda s: s.orders.get_order_without_preload_content("ord_1"),
    ),
    "get_order by an odd source id": (
        lambda c: c.get_order("Größe 5/6 #7?a=b&c+d%20'\"~"),
        lambda s: s.orders.get_order_without_preload_content("Größe 5/6 #7?a=b&c+d%20'\"~"),
    ),
    "update_order": (
        lambda c: c.update_order("a/b", {"status": "CANCELED"}),
        lambda s: s.orders.update_order_without_preload_content(
            "a/b", sdk_models.OrdersUpdateRequestBody.model_validate({"status": "CANCELED"})
        ),
    ),
    "import_orders": (
        lambda c: c.import_orders([ORDER, {"source_id": "2"}]),
        lambda s: s.orders.import_orders_without_preload_content(
            [
                sdk_models.OrdersImportCreateRequestBodyItem.model_validate(order)
                for order in (ORDER, {"source_id": "2"})
            ]
        ),
    ),
    "create_orders_export": (
        lambda c: c.create_orders_export(fields=FIELDS, order="-updated_at", filters=FILTERS),
        lambda s: s.orders.create_order_export_without_preload_content(
            sdk_models.OrdersExportCreateRequestBody.model_validate(
                {"parameters": {"fields": FIELDS, "order": "-updated_at", "filters": FILTERS}}
            )
        ),
    ),
    "create_export": (
        lambda c: c.create_export("order", {"fields": FIELDS}),
        lambda s: s.exports.create_export_without_preload_content(
            sdk_models.ExportsCreateRequestBody.model_validate(
                {"exported_object": "order", "parameters": {"fields": FIELDS}}
            )
        ),
    ),
    "list_exports": (
        lambda c: c.list_exports(limit=50, page=2, order="-created_at"),
        lambda s: s.exports.list_exports_without_preload_content(
            limit=50, page=2, order=sdk_models.ParameterOrderListExports("-created_at")
        ),
    ),
    "get_export": (
        lambda c: c.get_export("exp_1"),
        lambda s: s.exports.get_export_without_preload_content("exp_1"),
    ),
    "delete_export": (
        lambda c: c.delete_export("exp_1"),
        lambda s: s.exports.delete_export_without_preload_content("exp_1"),
    ),
    "download_export": (
        lambda c: c.download_export(
            Export.model_validate(
                {"result": {"url": f"{c.transport.base_url}/v1/exports/exp_1?token=t.o-k_e%3D"}}
            ),
            io.BytesIO(),
        ),
        lambda s: s.exports.download_export_without_preload_content("exp_1", token="t.o-k_e="),
    ),
    "list_async_actions": (
        lambda c: c.list_async_actions(limit=20),
        lambda s: s.actions.list_async_actions_without_preload_content(limit=20),
    ),
    "get_async_action": (
        lambda c: c.get_async_action("aa_1"),
        lambda s: s.actions.get_async_action_without_preload_content("aa_1"),
    ),
}


class _Sdk:
    def __init__(self, api):
        self.orders = voucherify.OrdersApi(api)
        self.exports = voucherify.ExportsApi(api)
        self.actions = voucherify.AsyncActionsApi(api)


@pytest.fixture
def both(recorder):
    """Run an operation with our client and with the SDK; return the two requests seen."""

    async def run(ours, theirs):
        recorder.seen.clear()
        transport = Transport(recorder.url, auth=KeyPairAuth(KEYS))
        async with VoucherifyClient(transport) as client:
            await ours(client)
        configuration = voucherify.Configuration(
            host=recorder.url, api_key={"X-App-Id": APP_ID, "X-App-Token": APP_TOKEN}
        )
        api = voucherify.ApiClient(configuration)
        response = await asyncio.to_thread(theirs, _Sdk(api))
        response.read()
        api.rest_client.pool_manager.clear()
        return recorder.seen

    return run


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_request_equals_that_of_the_official_sdk(both, operation):
    (method, path, headers, body), (sdk_method, sdk_path, sdk_headers, sdk_body) = await both(
        *OPERATIONS[operation]
    )
    assert (method, path) == (sdk_method, sdk_path)
    assert headers["X-App-Id"] == APP_ID == sdk_headers["X-App-Id"]
    assert headers["X-App-Token"] == APP_TOKEN == sdk_headers["X-App-Token"]
    assert headers["Content-Type"] == sdk_headers["Content-Type"]
    assert (body and json.loads(body)) == (sdk_body and json.loads(sdk_body))
    if sdk_headers["Accept"]:
        assert headers["Accept"] == sdk_headers["Accept"]


async def test_the_end_date_is_the_same_instant_as_the_sdk_sends(both):
    moment = datetime(2026, 8, 1, 12, 30, 0, 250_000, tzinfo=UTC)
    ours, theirs = await both(
        lambda c: c.list_async_actions(limit=20, end_date=moment),
        lambda s: s.actions.list_async_actions_without_preload_content(limit=20, end_date=moment),
    )
    sent, expected = (parse_qs(urlsplit(path).query) for _, path, _, _ in (ours, theirs))
    assert sent["end_date"] == ["2026-08-01T12:30:00.250Z"]
    assert datetime.fromisoformat(expected["end_date"][0]) == moment
    assert sent.keys() == expected.keys()


# --- endpoints ------------------------------------------------------------------------------


async def test_an_answer_keeps_its_bytes_and_parses_them_on_demand(client):
    content = b'{"object":"list",  "orders":[{"id":"ord_1","amount":1.10}], "total":1, "new":0}'
    c = client(lambda _: httpx.Response(200, content=content))
    page = await c.list_orders()
    assert page.content == content
    assert page.model.orders[0].id == "ord_1"
    assert page.model is page.model


async def test_an_answer_that_is_another_kind_of_json_is_unreadable_as_a_model(client):
    page = await client(responding([1, 2])).list_orders()
    assert page.content == b"[1,2]"
    with pytest.raises(UnreadableAnswer):
        _ = page.model


async def test_the_sort_order_is_always_sent(client):
    api = Voucherify()
    await client(api).list_orders()
    assert dict(api.asked[0].url.params) == {"limit": "100", "page": "1", "order": "-updated_at"}


@pytest.mark.parametrize("bad", ["", ".", ".."])
async def test_an_id_that_would_address_something_else_is_refused(client, bad):
    api = Voucherify()
    for call in (client(api).get_order, client(api).get_export, client(api).get_async_action):
        with pytest.raises(ValueError, match="cannot be used as an id"):
            await call(bad)
    assert api.asked == []


@pytest.mark.parametrize(
    ("status", "key", "page"),
    [
        (400, "page_over_limit", 101),
        (400, "page_over_limit", 60),
        (400, "invalid_query_params", 101),
        (404, "not_found", 101),
    ],
)
async def test_the_end_of_paging_is_told_from_the_end_of_the_data(client, status, key, page):
    c = client(responding({"code": status, "key": key, "message": "m"}, status=status))
    for listing in (c.list_orders, c.list_exports):
        with pytest.raises(PageOverLimit, match=f"Page {page} is beyond") as caught:
            await listing(page=page)
        assert (caught.value.status, caught.value.key, caught.value.account) == (
            status,
            key,
            "shop",
        )


async def test_a_wrong_parameter_within_the_cap_stays_a_rejected_request(client):
    c = client(responding({"key": "invalid_query_params"}, status=400))
    with pytest.raises(RequestRejected):
        await c.list_orders(page=100)


async def test_more_orders_than_one_import_takes_are_refused_before_sending(client):
    api = Voucherify()
    with pytest.raises(ValueError, match="2001 orders"):
        await client(api).import_orders([{}] * 2_001)
    assert api.asked == []


@pytest.mark.parametrize(("order", "calls"), [({"source_id": "1"}, 2), ({"amount": 1}, 1)])
async def test_creating_an_order_is_repeated_only_if_that_is_an_upsert(client, order, calls):
    api = Voucherify()
    api.trouble["POST /v1/orders"] = [httpx.ReadTimeout("lost")]
    with contextlib.suppress(ConnectionFailed):
        await client(api).create_order(order)
    assert api.count("POST /v1/orders") == calls


# --- accounts -------------------------------------------------------------------------------


def configured(**changes):
    return VoucherifyAccount(
        name="shop",
        source="voucherify",
        region="us",
        currency="EUR",
        time_zone="UTC",
        history_start="2024-01-01",
        **changes,
    )


@pytest.mark.parametrize("auth", ["keys", "oauth"])
async def test_a_configured_account_is_all_a_client_needs(monkeypatch, auth):
    monkeypatch.setenv("VOUCHERIFY_APP_ID", APP_ID)
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", APP_TOKEN)
    api = Voucherify()
    account = configured(auth=auth, max_calls_per_run=9)
    async with VoucherifyClient.for_account(account, http_transport=httpx.MockTransport(api)) as c:
        await c.list_orders()
    last = api.asked[-1]
    assert last.url.host == "us1.api.voucherify.io"
    if auth == "keys":
        assert (last.headers["X-App-Id"], last.headers["X-App-Token"]) == (APP_ID, APP_TOKEN)
    else:
        assert last.headers["Authorization"] == "Bearer bearer-s3cr3t-1"
        assert "X-App-Token" not in last.headers
    assert c.transport.calls == len(api.asked) == (1 if auth == "keys" else 2)


def test_an_account_without_keys_makes_no_client(monkeypatch):
    monkeypatch.delenv("VOUCHERIFY_APP_ID", raising=False)
    with pytest.raises(ConfigurationError, match="VOUCHERIFY_APP_ID"):
        VoucherifyClient.for_account(configured())


# --- OAuth ----------------------------------------------------------------------------------


async def test_a_token_is_bought_once_with_the_keys_and_shared(client):
    api = Voucherify()
    c = client(api, oauth=True)
    await asyncio.gather(*[c.list_orders(page=page) for page in range(1, 6)])
    assert api.tokens == 1
    bought = api.asked[0]
    assert (bought.method, bought.url.path) == ("POST", "/v1/oauth/token")
    assert bought.headers["X-App-Token"] == APP_TOKEN
    assert bought.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(bought.content.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["orders exports async-actions"],
    }
    for request in api.asked[1:]:
        assert request.headers["Authorization"] == "Bearer bearer-s3cr3t-1"
        assert "X-App-Token" not in request.headers
    assert c.transport.calls == 6


async def test_a_token_is_renewed_a_minute_before_its_end(client, time):
    api = Voucherify()
    c = client(api, oauth=True)
    for moment, tokens in ((0, 1), (839, 1), (841, 2), (1_600, 2), (1_682, 3)):
        time.now = float(moment)
        await c.list_orders()
        assert api.tokens == tokens, moment


async def test_a_rejected_token_is_renewed_once_for_all_who_used_it(client):
    api = Voucherify()

    def revoked(request):
        if request.headers.get("authorization") == "Bearer bearer-s3cr3t-1":
            api.asked.append(request)
            return httpx.Response(401, json={"key": "unauthorized"})
        return api(request)

    c = client(revoked, oauth=True)
    await asyncio.gather(*[c.list_orders() for _ in range(4)])
    assert api.tokens == 2


async def test_a_key_that_is_blocked_is_reported_after_one_renewal(client):
    api = Voucherify()

    def blocked(request):
        if "oauth" in request.url.path:
            return api(request)
        return httpx.Response(401, json={"key": "unauthorized"})

    c = client(blocked, oauth=True)
    with pytest.raises(CredentialsRejected):
        await c.list_orders()
    assert api.tokens == 2
    assert c.transport.calls == 4


async def test_trouble_with_the_token_request_is_repeated_and_named_like_any_other(client):
    api = Voucherify()
    api.trouble["POST /v1/oauth/token"] = [
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(429, headers={"retry-after": "3"}),
        httpx.Response(200, content=b"<html>"),
    ]
    c = client(api, oauth=True)
    await c.create_orders_export(fields=["id"])
    assert api.count("POST /v1/orders/export") == 1
    refused = client(responding({"code": 400, "key": "invalid_scope"}, status=400), oauth=True)
    with pytest.raises(RequestRejected) as caught:
        await refused.list_orders()
    assert (caught.value.key, caught.value.path) == ("invalid_scope", "/v1/oauth/token")


async def test_a_token_can_be_bought_by_hand_and_is_not_shown(client):
    token = (await client(Voucherify()).create_oauth_token("orders")).model
    assert token.access_token == "bearer-s3cr3t-1"
    assert "s3cr3t" not in repr(token)


# --- exports --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [httpx.ReadTimeout("lost"), httpx.ReadError("reset"), httpx.Response(502)],
)
async def test_a_lost_answer_does_not_start_an_export_twice(client, trouble):
    api = Voucherify()
    api.meanwhile = [
        {"parameters": {"fields": ["id"], "order": "-created_at"}},
        {"parameters": {"fields": FIELDS, "order": "status"}},
        {"parameters": {"fields": FIELDS, "order": "-created_at", "filters": FILTERS}},
        {"parameters": {"fields": FIELDS, "order": "-created_at"}, "kind": "customer"},
    ]
    api.trouble["POST /v1/orders/export"] = [trouble]
    started = await client(api).start_orders_export(FIELDS, order="-created_at")
    assert started.model.id == "exp_1"
    assert api.count("POST /v1/orders/export") == 1


async def test_an_older_export_of_the_same_kind_is_not_taken_for_the_lost_one(client):
    api = Voucherify()
    api.trouble["POST /v1/orders/export"] = [httpx.ReadTimeout("lost")]
    old = api.start({"fields": FIELDS}, created_at="2026-08-01T11:59:00.000Z")

    def only_the_old(request):
        if request.url.path == "/v1/exports":
            return httpx.Response(200, json={"exports": [old]}, headers={"date": DATE})
        return api(request)

    c = client(only_the_old)
    assert (await c.start_orders_export(FIELDS)).model.id == "exp_3"
    assert api.count("POST /v1/orders/export") == 2


async def test_an_export_that_was_never_started_is_started_again(client):
    api = Voucherify()
    api.visible = False
    api.trouble["POST /v1/orders/export"] = [httpx.ReadTimeout("lost")]
    await client(api).start_orders_export(FIELDS, order="-updated_at", filters=FILTERS)
    assert api.count("POST /v1/orders/export") == 2


async def test_starting_an_export_is_given_up_after_three_lost_answers(client):
    api = Voucherify()
    api.visible = False
    api.trouble["POST /v1/orders/export"] = [httpx.Response(500)] * 9
    with pytest.raises(ServerFailed):
        await client(api).start_orders_export(FIELDS)
    assert api.count("POST /v1/orders/export") == 3


async def test_an_export_that_was_refused_is_not_started_again(client):
    api = Voucherify()
    api.trouble["POST /v1/orders/export"] = [
        httpx.Response(400, json={"key": "invalid_export_fields", "details": "Allowed: id"})
    ]
    with pytest.raises(RequestRejected, match="Allowed: id"):
        await client(api).start_orders_export(["nonsense"])
    assert api.count("POST /v1/orders/export") == 1


def export(status, url=None):
    return {"id": "exp_1", "status": status, "result": {"url": url} if url else None}


async def test_an_export_is_asked_for_less_and_less_often_until_it_is_done(client, time):
    seen = []
    states = [export("SCHEDULED")] * 3 + [export("IN_PROGRESS")] * 5 + [export("DONE", "https://d")]
    done = await client(responding(*states)).wait_for_export("exp_1", progress=seen.append)
    assert done.model.result.url == "https://d"
    assert [e.status for e in seen] == ["SCHEDULED"] * 3 + ["IN_PROGRESS"] * 5 + ["DONE"]
    assert time.sleeps == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_an_export_that_fails_or_takes_too_long_is_an_error(client, time):
    with pytest.raises(JobFailed, match="exp_1"):
        await client(responding(export("ERROR"))).wait_for_export("exp_1")
    with pytest.raises(JobUnfinished, match="IN_PROGRESS"):
        await client(responding(export("IN_PROGRESS"))).wait_for_export("exp_1", timeout_seconds=60)
    assert sum(time.sleeps) <= 60
    with pytest.raises(UnreadableAnswer, match="no file address"):
        await client(responding(export("DONE"))).wait_for_export("exp_1")


async def test_a_download_holds_the_whole_file_or_leaves_the_old_one(client, tmp_path):
    target = tmp_path / "orders.csv"
    target.write_bytes(b"old")
    done = Export.model_validate(export("DONE", "https://d.test/v1/exports/exp_1?token=t"))
    allowed = {"allowed_hosts": {"d.test"}}
    with pytest.raises(NotFound):
        await client(responding({}, status=404), **allowed).download_export(done, target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
    answer = await client(lambda _: httpx.Response(200, text="a,b\n"), **allowed).download_export(
        done, target
    )
    assert (target.read_bytes(), answer.status) == (b"a,b\n", 200)
    assert list(tmp_path.iterdir()) == [target]


async def test_a_file_on_an_unknown_host_is_not_asked_for(client):
    api = Voucherify()
    done = Export.model_validate(export("DONE", "https://evil.test/v1/exports/exp_1?token=t"))
    with pytest.raises(HostNotAllowed, match=r"evil\.test.*download_hosts"):
        await client(api).download_export(done, io.BytesIO())
    assert api.asked == []


async def test_an_export_without_a_file_cannot_be_downloaded(client):
    with pytest.raises(ValueError, match="SCHEDULED"):
        await client(Voucherify()).download_export(
            Export.model_validate(export("SCHEDULED")), io.BytesIO()
        )


# --- asynchronous actions -------------------------------------------------------------------


async def test_an_import_is_done_even_when_rows_failed(client):
    result = {"done_count": 1, "failed_count": 1, "failed": [{"source_id": None, "reason": "x"}]}
    states = [{"id": "aa_1", "status": "ENQUEUED"}, {"id": "aa_1", "status": "DONE"}]
    states[1]["result"] = result
    done = await client(responding(*states)).wait_for_async_action("aa_1")
    assert done.model.result.failed_count == 1


async def test_an_action_that_fails_as_a_whole_is_an_error(client):
    failed = {"id": "aa_1", "type": "ORDERS.IMPORT", "status": "FAILED"}
    with pytest.raises(JobFailed, match=r"ORDERS\.IMPORT"):
        await client(responding(failed)).wait_for_async_action("aa_1")


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize("oauth", [False, True])
async def test_no_secret_is_logged_or_shown(client, caplog, oauth):
    caplog.set_level(logging.DEBUG)
    url = "https://api.test/v1/exports/exp_1?token=file-s3cr3t"
    done = Export.model_validate(export("DONE", url))
    api = Voucherify()
    c = client(api, oauth=oauth)
    with pytest.raises(NotFound) as caught:
        await c.download_export(done, io.BytesIO())
    trace = "".join(traceback.format_exception(caught.value))
    held = [repr(thing) for thing in (done, c, KEYS, *vars(c.transport).values())]
    assert "/v1/exports/exp_1" in caplog.text
    assert "s3cr3t" not in "\n".join([caplog.text, trace, *held])
