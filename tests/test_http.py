"""The transport: repeat, wait, give up, keep secrets. On mock transports and real sockets."""

import asyncio
import contextlib
import gzip
import io
import json
import logging
import random
import traceback
from datetime import UTC, datetime

import httpx
import pytest

from orders_connector.errors import (
    CallBudgetExhausted,
    ConnectionFailed,
    CredentialsRejected,
    FeatureMissing,
    HostNotAllowed,
    NotFound,
    PermissionDenied,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerFailed,
    UnreadableAnswer,
)
from orders_connector.http import Transport, redact

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-t0ken-value"
DATE = "Sat, 01 Aug 2026 12:00:00 GMT"
EPOCH = int(datetime(2026, 8, 1, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1_000.0
        self.sleeps = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        if seconds:
            self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Keys(httpx.Auth):
    def auth_flow(self, request):
        request.headers["X-App-Token"] = SECRET
        request.headers["Authorization"] = f"Bearer {SECRET}"
        yield request


class Api:
    """Answers from a list; the last one again and again. Remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


def ok(headers=None, **body):
    return lambda _: httpx.Response(200, json=body or {"ok": True}, headers=headers)


def status(code, headers=None, body=None):
    return lambda _: httpx.Response(code, json=body or {}, headers=headers)


def raw(content, content_type="application/json", code=200):
    return lambda _: httpx.Response(code, content=content, headers={"content-type": content_type})


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def connect(time):
    def make(api, base_url="https://api.test", **options):
        settings = {
            "account": "shop",
            "http_transport": httpx.MockTransport(api) if callable(api) else None,
            "sleep": time.sleep,
            "clock": time.clock,
            "rng": random.Random(1),
        }
        return Transport(base_url, **(settings | options))

    return make


# --- repeating ------------------------------------------------------------------------------


async def test_a_failing_server_is_asked_again_with_growing_random_pauses(connect, time):
    api = Api(status(500), status(502), status(503), status(504), ok())
    transport = connect(api)
    assert (await transport.request("GET", "/v1/orders")).json() == {"ok": True}
    assert (transport.calls, transport.retries) == (5, 4)
    assert len(set(time.sleeps)) == 4
    for pause, ceiling in zip(time.sleeps, (1, 2, 4, 8), strict=True):
        assert 0 < pause < ceiling


async def test_after_the_last_attempt_the_error_says_what_where_and_what_next(connect):
    body = {"code": 500, "key": "internal", "message": "Oops", "request_id": "v-1"}
    transport = connect(Api(status(500, body=body)), max_attempts=3)
    with pytest.raises(ServerFailed) as caught:
        await transport.request("GET", "/v1/orders", params={"page": 7})
    assert transport.calls == 3
    error = caught.value
    assert (error.account, error.path, error.status) == ("shop", "/v1/orders?page=7", 500)
    assert (error.key, error.details, error.request_id) == ("internal", "Oops", "v-1")
    for part in ("failed", "shop", "/v1/orders?page=7", "Oops", "v-1", "run again"):
        assert part in str(error)
    assert error.exit_code == 5


async def test_every_wait_is_announced_with_its_reason(connect):
    waits = []
    transport = connect(
        Api(status(500), ok()), on_wait=lambda seconds, reason: waits.append((seconds, reason))
    )
    await transport.request("GET", "/")
    [(seconds, reason)] = waits
    assert seconds > 0
    assert "attempt 1 failed" in reason
    assert "500" in reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, RequestRejected),
        (401, CredentialsRejected),
        (402, FeatureMissing),
        (403, PermissionDenied),
        (404, NotFound),
        (405, RequestRejected),
        (409, RequestRejected),
        (413, RequestRejected),
        (423, RequestRejected),
    ],
)
async def test_a_refusal_is_not_repeated(connect, code, kind):
    transport = connect(Api(status(code)))
    with pytest.raises(kind) as caught:
        await transport.request("GET", "/")
    assert type(caught.value) is kind
    assert transport.calls == 1


async def test_the_wrong_region_points_at_the_setting(connect):
    body = {"code": 403, "key": "forbidden", "details": "Project is bound to another region"}
    with pytest.raises(PermissionDenied, match=r"`region`.*bound to another region"):
        await connect(Api(status(403, body=body))).request("GET", "/")


@pytest.mark.parametrize(
    ("body", "key", "details"),
    [
        (b'{"statusCode":413,"error":"Too Large","message":"max 10"}', "Too Large", "max 10"),
        (b'{"code":400,"key":"k","message":"m","details":"d"}', "k", "m: d"),
        (b'{"code":"x","key":7,"details":["a"]}', "7", '["a"]'),
        (b"[1]", None, None),
        (b"<html>Bad gateway</html>", None, None),
        (b"\xff\xfe", None, None),
        (b"", None, None),
    ],
)
async def test_error_bodies_of_any_form_are_survived(connect, body, key, details):
    with pytest.raises(RequestRejected) as caught:
        await connect(Api(raw(body, code=400))).request("GET", "/")
    assert (caught.value.key, caught.value.details) == (key, details)


@pytest.mark.parametrize(
    "body",
    [
        raw(b"<html><body>Sign in</body></html>", "text/html"),
        raw(b'{"looks": "right"}', "text/html; charset=utf-8"),
        raw(b'{"orders":[{"id":"ord_1"'),
        raw(b"Service unavailable", "text/plain"),
        raw(b""),
    ],
)
async def test_a_body_that_is_not_whole_json_is_asked_for_again(connect, body):
    transport = connect(Api(body, ok(fine=1)))
    assert (await transport.request("GET", "/")).json() == {"fine": 1}
    assert transport.retries == 1


async def test_an_answer_that_stays_unreadable_is_an_error_with_its_body(connect):
    transport = connect(Api(raw(b'{"orders":[')))
    with pytest.raises(UnreadableAnswer) as caught:
        await transport.request("GET", "/")
    assert caught.value.body == b'{"orders":['
    assert "orders" not in str(caught.value)
    assert transport.calls == 5


async def test_bodies_are_checked_at_their_ends_only_and_kept_byte_for_byte(connect):
    content = b' \r\n{"amount": 1.10, "broken": oops} \n'
    answer = await connect(Api(raw(content))).request("GET", "/")
    assert answer.content == content
    with pytest.raises(UnreadableAnswer, match="not valid JSON"):
        answer.json()


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (httpx.ReadTimeout("slow"), ConnectionFailed),
        (httpx.ReadError("reset"), ConnectionFailed),
        (httpx.WriteError("reset"), ConnectionFailed),
        (httpx.RemoteProtocolError("gone"), ConnectionFailed),
        (status(500), ServerFailed),
        (status(503, {"retry-after": "1"}), ServerFailed),
        (raw(b"<html>", "text/html"), UnreadableAnswer),
        (raw(b'{"id":'), UnreadableAnswer),
    ],
)
async def test_what_may_have_been_done_is_never_done_again_blindly(connect, trouble, kind):
    api = Api(trouble, ok())
    with pytest.raises(kind) as caught:
        await connect(api).request("POST", "/v1/orders/export", json={})
    assert caught.value.maybe_processed
    assert len(api.requests) == 1
    repeated = connect(Api(trouble, ok()))
    await repeated.request("POST", "/v1/orders", json={}, idempotent=True)
    assert repeated.calls == 2


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.PoolTimeout("busy"),
        status(429, {"retry-after": "1"}),
    ],
)
async def test_what_was_not_done_for_sure_is_repeated_whatever_it_is(connect, trouble):
    api = Api(trouble, ok())
    await connect(api).request("POST", "/v1/orders/export", json={"a": 1})
    assert [json.loads(request.content) for request in api.requests] == [{"a": 1}] * 2


# --- limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "42"},
        {"retry-after": "Sat, 01 Aug 2026 12:00:42 GMT", "date": DATE},
        {"x-rate-limit-retry": str(EPOCH + 42), "date": DATE},
        {"retry-after": "42", "x-rate-limit-retry": str(EPOCH + 9_999), "date": DATE},
        {"retry-after": "soon", "x-rate-limit-retry": str(EPOCH + 42), "date": DATE},
    ],
)
async def test_the_wait_asked_for_is_kept_exactly_whatever_the_local_clock_says(
    connect, time, headers
):
    transport = connect(Api(status(429, headers), ok()))
    await transport.request("GET", "/")
    assert time.sleeps == [42]


@pytest.mark.parametrize("nonsense", ["", "nan", "inf", "-5", "x", "0"])
async def test_a_wait_that_makes_no_sense_becomes_an_ordinary_pause(connect, time, nonsense):
    headers = {"retry-after": nonsense, "x-rate-limit-retry": nonsense, "date": nonsense}
    await connect(Api(status(429, headers), ok())).request("GET", "/")
    assert 0 < sum(time.sleeps) <= 1


async def test_at_zero_the_next_request_waits_instead_of_being_refused(connect, time):
    headers = {
        "x-rate-limit-limit": "100",
        "x-rate-limit-remaining": "0",
        "x-rate-limit-retry": str(EPOCH + 30),
        "date": DATE,
    }
    waits = []
    api = Api(ok(headers), ok())
    transport = connect(api, on_wait=lambda seconds, reason: waits.append(reason))
    await transport.request("GET", "/")
    assert transport.rate.remaining == 0
    assert time.sleeps == []
    await transport.request("GET", "/")
    assert time.sleeps == [30]
    assert "100 allowed" in waits[0]


async def test_parallel_requests_do_not_overdraw_what_is_left(connect, time):
    """A server with 3 requests per minute; it would refuse a fourth."""
    served = []

    def minute(request):
        window = int(time.now // 60)
        served.append(window)
        left = 3 - served.count(window)
        headers = {
            "x-rate-limit-remaining": str(max(left, 0)),
            "x-rate-limit-retry": str(EPOCH + (window + 1) * 60),
            "date": format_date(EPOCH + time.now),
        }
        return httpx.Response(429 if left < 0 else 200, json={}, headers=headers)

    transport = connect(minute)
    await transport.request("GET", "/")
    await asyncio.gather(*[transport.request("GET", "/") for _ in range(2)])
    await transport.request("GET", "/")
    await asyncio.gather(*[transport.request("GET", "/") for _ in range(2)])
    assert transport.retries == 0
    assert sorted(served.count(window) for window in set(served)) == [3, 3]


def format_date(epoch):
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


async def test_answers_that_overtake_each_other_do_not_raise_the_count(connect):
    def headers(left):
        return {"x-rate-limit-remaining": str(left), "x-rate-limit-retry": str(EPOCH + 9)}

    transport = connect(Api(ok(headers(4)), ok(headers(5)), ok({"x-rate-limit-remaining": "99"})))
    await transport.request("GET", "/")
    await transport.request("GET", "/")
    assert transport.rate.remaining == 3
    await transport.request("GET", "/")
    assert transport.rate.remaining == 99, "another window"


def limits(left, **more):
    return {
        "x-rate-limit-limit": "10",
        "x-rate-limit-remaining": str(left),
        "x-rate-limit-retry": str(EPOCH + 60),
        "date": DATE,
    } | {name.replace("_", "-"): value for name, value in more.items()}


async def test_requests_that_are_not_answered_yet_may_not_be_counted_yet(connect, time):
    """The shop took all but 4; 2 are under way, so with a reserve of 2 none may follow yet."""
    started, go_on = [], asyncio.Event()

    async def api(request):
        path = request.url.path
        started.append(path)
        if path.startswith("/slow"):
            await go_on.wait()
        return httpx.Response(200, json={}, headers=limits(9 if path == "/first" else 4))

    transport = connect(api, reserve=0.2)
    await transport.request("GET", "/first")
    slow = [asyncio.ensure_future(transport.request("GET", f"/slow{n}")) for n in (1, 2)]
    await asyncio.wait_for(transport.request("GET", "/fast"), 30)
    last = asyncio.ensure_future(transport.request("GET", "/last"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert "/last" not in started
    go_on.set()
    await asyncio.wait_for(asyncio.gather(*slow, last), 30)
    assert time.sleeps == [], "4 were left after all"


async def test_without_limits_in_the_answers_requests_go_side_by_side(connect):
    together = asyncio.Barrier(3)

    async def api(request):
        if request.url.path == "/together":
            await together.wait()
        return httpx.Response(200, json={})

    transport = connect(api, reserve=0.9)
    await transport.request("GET", "/")
    three = asyncio.gather(*[transport.request("GET", "/together") for _ in range(3)])
    assert len(await asyncio.wait_for(three, 30)) == 3


@pytest.mark.parametrize("end", [None, str(EPOCH), str(EPOCH - 9)])
async def test_a_window_whose_end_is_not_named_holds_nothing_back(connect, time, end):
    headers = limits(1) | {"x-rate-limit-retry": end}
    api = Api(ok({name: value for name, value in headers.items() if value}))
    transport = connect(api, reserve=0.5)
    for _ in range(3):
        await transport.request("GET", "/")
    assert time.sleeps == []


async def test_a_wait_that_ends_a_hair_too_early_is_not_repeated(connect, time):
    async def wake_early(seconds):
        time.sleeps.append(seconds)
        time.now += seconds - 1e-9

    transport = connect(Api(ok(limits(1)), ok()), sleep=wake_early, reserve=0.1)
    await transport.request("GET", "/")
    await transport.request("GET", "/")
    assert time.sleeps == [60]


async def test_a_reserve_of_the_billing_cycle_stops_the_run_before_the_shop_is_refused(connect):
    transport = connect(Api(ok(limits(2, x_rate_limit_type="api_calls_cycle"))), reserve=0.2)
    await transport.request("GET", "/")
    with pytest.raises(QuotaExhausted, match="2 of 10 requests are left for the shop"):
        await transport.request("GET", "/")
    assert transport.calls == 1


async def test_a_limit_on_bulk_calls_does_not_slow_down_the_others(connect, time):
    bulk = {"x-rate-limit-type": "bulk_api_calls", "x-rate-limit-remaining": "0"}
    api = Api(ok(bulk | {"x-rate-limit-retry": str(EPOCH + 60), "date": DATE}), ok())
    transport = connect(api)
    await transport.request("POST", "/v1/orders/export")
    await transport.request("GET", "/")
    assert time.sleeps == []


async def test_the_quota_of_the_billing_cycle_stops_at_once(connect, time):
    headers = {
        "x-rate-limit-type": "api_calls_cycle",
        "x-rate-limit-retry": str(EPOCH + 60),
        "date": DATE,
    }
    transport = connect(Api(status(429, headers)))
    with pytest.raises(QuotaExhausted, match="2026-08-01 12:01:00 UTC") as caught:
        await transport.request("GET", "/")
    assert caught.value.resets_at == datetime(2026, 8, 1, 12, 1, tzinfo=UTC)
    assert (transport.calls, time.sleeps) == (1, [])
    with pytest.raises(QuotaExhausted):
        await transport.request("GET", "/")
    assert transport.calls == 1, "known without asking again"


async def test_a_wait_longer_than_allowed_stops_at_once(connect, time):
    headers = {"retry-after": "901", "date": DATE, "x-rate-limit-type": "api_calls"}
    transport = connect(Api(status(429, headers)))
    with pytest.raises(RateLimited, match="2026-08-01 12:15:01 UTC") as caught:
        await transport.request("GET", "/")
    assert caught.value.retry_after == 901
    with pytest.raises(RateLimited, match="raise max_wait_seconds"):
        await transport.request("GET", "/")
    assert (transport.calls, time.sleeps) == (1, [])


async def test_refusals_that_name_no_limit_mean_that_the_subscription_ended(connect):
    body = {"code": "429", "message": "Too many requests hit the API too quickly."}
    transport = connect(Api(status(429, body=body)))
    with pytest.raises(QuotaExhausted, match="subscription"):
        await transport.request("GET", "/")
    assert transport.calls == 5, "it might have been a limit after all"
    named = connect(Api(status(429, body={"code": 429, "message": "Your subscription ended"})))
    with pytest.raises(QuotaExhausted, match="subscription"):
        await named.request("GET", "/")
    assert named.calls == 1


async def test_the_call_budget_counts_repetitions_and_is_never_overdrawn(connect):
    api = Api(status(500), ok())
    transport = connect(api, call_budget=3)
    await transport.request("GET", "/")
    results = await asyncio.gather(
        *[transport.request("GET", "/") for _ in range(5)], return_exceptions=True
    )
    assert len(api.requests) == transport.calls == 3
    refused = [result for result in results if isinstance(result, CallBudgetExhausted)]
    assert len(refused) == 4
    assert (refused[0].budget, refused[0].exit_code) == (3, 4)
    assert "max_calls_per_run" in str(refused[0])


# --- hosts, redirects, secrets --------------------------------------------------------------


class Hosts:
    """Several hosts; each maps a path to an answer or to the address it redirects to."""

    def __init__(self, **routes):
        self.routes = routes
        self.seen = []

    def __call__(self, request):
        self.seen.append(request)
        place = self.routes[request.url.host.split(".")[0]]
        if place.startswith(("http", "/")):
            return httpx.Response(302, headers={"location": place})
        return httpx.Response(200, text=place)

    def secrets_at(self, host):
        return [
            SECRET in str(request.headers.raw)
            for request in self.seen
            if request.url.host.startswith(host)
        ]


async def test_a_redirect_to_an_allowed_host_takes_the_credentials_along(connect):
    hosts = Hosts(api="https://download.test/file", download="a,b")
    transport = connect(hosts, auth=Keys(), allowed_hosts={"download.test"})
    assert (await transport.request("GET", "/x", expect="text")).text == "a,b"
    assert hosts.secrets_at("api") == hosts.secrets_at("download") == [True]
    assert transport.calls == 2


async def test_a_redirect_to_another_host_goes_without_any_credentials(connect):
    hosts = Hosts(api="https://storage.test/f?sig=1", storage="a,b")
    transport = connect(hosts, auth=Keys())
    headers = {"X-Own": SECRET}
    answer = await transport.request("GET", "/x", headers=headers, expect="text")
    assert answer.text == "a,b"
    assert hosts.secrets_at("api") == [True]
    assert hosts.secrets_at("storage") == [False]
    assert transport.calls == 1, "a storage host is not part of the source's limits"


async def test_credentials_that_were_dropped_do_not_come_back(connect):
    hosts = Hosts(api="https://evil.test/", evil="https://download.test/", download="a")
    transport = connect(hosts, auth=Keys(), allowed_hosts={"download.test"})
    await transport.request("GET", "/x", expect="text")
    assert hosts.secrets_at("download") == [False]


async def test_a_port_or_a_subdomain_makes_another_host(connect):
    for other in ("https://api.test:8443/", "https://api.test.evil.test/"):
        hosts = Hosts(api=other)
        hosts.routes["api"] = other
        seen = []

        def once(request, other=other, seen=seen):
            seen.append(request)
            if len(seen) == 1:
                return httpx.Response(302, headers={"location": other})
            return httpx.Response(200, text="a")

        await connect(once, auth=Keys()).request("GET", "/x", expect="text")
        assert [SECRET in str(request.headers.raw) for request in seen] == [True, False]


async def test_a_redirect_away_from_tls_is_refused(connect):
    hosts = Hosts(api="http://api.test/file")
    with pytest.raises(HostNotAllowed, match="without TLS"):
        await connect(hosts, auth=Keys()).request("GET", "/x")
    assert len(hosts.seen) == 1


async def test_redirects_in_a_circle_end(connect):
    hosts = Hosts(api="/again")
    with pytest.raises(RequestRejected, match="redirects"):
        await connect(hosts, auth=Keys()).request("GET", "/x")
    assert len(hosts.seen) == 6


async def test_a_write_is_never_redirected(connect):
    hosts = Hosts(api="https://download.test/")
    transport = connect(hosts, auth=Keys(), allowed_hosts={"download.test"})
    with pytest.raises(RequestRejected, match="base_url"):
        await transport.request("PUT", "/x", json={})
    assert len(hosts.seen) == 1


async def test_a_refusal_of_a_storage_host_is_not_blamed_on_the_keys(connect):
    def moved(request):
        if request.url.host == "api.test":
            return httpx.Response(302, headers={"location": "https://storage.test/"})
        return httpx.Response(403, text="expired")

    with pytest.raises(RequestRejected, match=r"storage\.test.*ask for the file anew"):
        await connect(moved, auth=Keys()).request("GET", "/x")


@pytest.mark.parametrize(
    "url", ["https://evil.test/v1", "http://api.test/v1", "https://api.test@evil.test/v1"]
)
async def test_an_address_off_the_allow_list_is_not_asked_at_all(connect, url):
    api = Api(ok())
    transport = connect(api, auth=Keys())
    with pytest.raises(HostNotAllowed):
        await transport.request("GET", url)
    with pytest.raises(HostNotAllowed):
        async with transport.stream(url):
            pass
    assert api.requests == []


def test_plain_http_to_another_machine_is_refused_from_the_start(connect):
    with pytest.raises(HostNotAllowed, match="loopback"):
        connect(Api(ok()), base_url="http://api.test")


@pytest.mark.parametrize(
    "text",
    [
        f"https://d.test/v1/exports/e?token={SECRET}",
        f"https://d.test/v1/exports/e?a=1&token={SECRET}&b=2",
        f"X-App-Token: {SECRET}",
        f"x-app-token={SECRET}",
        f"{{'X-App-Token': '{SECRET}'}}",
        f"[(b'X-App-Token', b'{SECRET}')]",
        f"Authorization: Bearer {SECRET}",
        f"Headers({{'authorization': 'Bearer {SECRET}'}})",
        f"Bearer {SECRET}",
        f"Authorization: Api-Key {SECRET}",
        f"Headers({{'authorization': 'Api-Key {SECRET}'}})",
        f"x-ultracart-simple-key: {SECRET}",
        f'{{"access_token": "{SECRET}", "expires_in": 900}}',
        f"https://me:{SECRET}@d.test/",
        f"https://s3.test/f?X-Amz-Signature={SECRET}&X-Amz-Expires=60",
        f"https://s3.test/f?X-Amz-Credential={SECRET}",
    ],
)
def test_secrets_are_redacted_in_every_form_they_appear_in(text):
    assert SECRET not in redact(text)
    assert "[redacted]" in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/orders?limit=100&page=3&order=-updated_at",
        "the token expired, no authorization, a basic check of bearer bonds",
        '{"id": "ord_1", "source_id": "a=b", "metadata": {"author": "x"}}',
    ],
)
def test_ordinary_text_is_left_as_it_is(text):
    assert redact(text) == text


async def test_no_secret_reaches_logs_messages_or_tracebacks(connect, caplog):
    caplog.set_level(logging.DEBUG)
    hosts = Hosts(api=f"https://storage.test/f?sig={SECRET}", storage="a")
    transport = connect(hosts, auth=Keys())
    answer = await transport.request("GET", f"/x?token={SECRET}", expect="text")
    failing = connect(Api(status(500, body={"message": f"bad token={SECRET}"})), auth=Keys())
    with pytest.raises(ServerFailed) as caught:
        await failing.request("GET", f"/x?token={SECRET}")
    trace = "".join(traceback.format_exception(caught.value))
    assert "HTTP Request" in caplog.text, "httpx has logged"
    assert "waiting" in caplog.text, "we have logged"
    for text in (caplog.text, trace, str(caught.value), repr(caught.value), repr(answer)):
        assert SECRET not in text


# --- real sockets ---------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def server(*scripts):
    """Answer each request with the next script: bytes, `hang`, or None to cut the connection."""
    heads = []
    left = list(scripts)
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            script = left.pop(0) if len(left) > 1 else left[0]
            if script == "hang":
                await asyncio.sleep(60)
            elif script:
                writer.write(script)
                await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", heads
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http(body, promised=None, *headers, code="200 OK"):
    lines = [f"HTTP/1.1 {code}", f"content-length: {promised or len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


JSON = "content-type: application/json"


@pytest.fixture
def dial(connect, time):
    def make(url, **options):
        return connect(None, base_url=url, **({"timeout": 5} | options))

    return make


async def test_a_connection_that_is_cut_is_tried_again(dial):
    async with server(None, http(b'{"a":1}', None, JSON)) as (url, heads), dial(url) as transport:
        assert (await transport.request("GET", "/x")).json() == {"a": 1}
        assert len(heads) == 2


async def test_a_write_whose_connection_is_cut_may_have_been_done(dial):
    async with server(None) as (url, heads), dial(url) as transport:
        with pytest.raises(ConnectionFailed, match="look before repeating") as caught:
            await transport.request("POST", "/x")
        assert caught.value.maybe_processed
        assert len(heads) == 1


async def test_a_port_where_nobody_listens_has_done_nothing(dial):
    async with server(None) as (url, _):
        pass
    async with dial(url, max_attempts=2) as transport:
        with pytest.raises(ConnectionFailed) as caught:
            await transport.request("POST", "/x")
    assert not caught.value.maybe_processed
    assert transport.calls == 2


async def test_a_body_shorter_than_promised_is_asked_for_again(dial):
    whole = http(b'{"a":1}', None, JSON)
    async with server(http(b'{"a"', 7, JSON), whole) as (url, _), dial(url) as transport:
        assert (await transport.request("GET", "/x")).json() == {"a": 1}


async def test_a_body_that_stays_cut_is_an_error_with_its_beginning(dial):
    async with server(http(b'{"a"', 7, JSON)) as (url, heads), dial(url) as transport:
        with pytest.raises(UnreadableAnswer, match="cut off") as caught:
            await transport.request("GET", "/x")
        assert caught.value.body == b'{"a"'
        assert len(heads) == 5


async def test_a_chunked_body_without_its_end_is_cut(dial):
    cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\n"
    async with server(cut + b'{"a":1}\r\n') as (url, _), dial(url, max_attempts=1) as transport:
        with pytest.raises(UnreadableAnswer, match="cut off"):
            await transport.request("GET", "/x")


async def test_silence_counts_as_a_failed_attempt(dial):
    whole = http(b"{}", None, JSON)
    async with server("hang", whole) as (url, _), dial(url, timeout=0.1) as transport:
        assert (await transport.request("GET", "/x")).json() == {}
        assert transport.retries == 1


async def test_compressed_bodies_are_unpacked_and_counted_as_they_came(dial):
    body = json.dumps({"orders": ["x"] * 1_000}).encode()
    packed = gzip.compress(body)
    answer = http(packed, None, JSON, "content-encoding: gzip")
    async with server(answer) as (url, _), dial(url) as transport:
        assert (await transport.request("GET", "/x")).content == body
        assert transport.bytes_received == len(packed) < len(body)


async def test_a_body_that_cannot_be_unpacked_is_asked_for_again(dial):
    broken = http(b"not gzip", None, JSON, "content-encoding: gzip")
    async with server(broken, http(b"{}", None, JSON)) as (url, _), dial(url) as transport:
        assert (await transport.request("GET", "/x")).json() == {}


async def test_a_download_that_breaks_off_begins_anew(dial):
    broken = http(b"a,b\n1,2,too long", 99)
    async with server(broken, http(b"a,b\n1,2\n")) as (url, _), dial(url) as transport:
        target = io.BytesIO(b"kept;")
        target.seek(0, io.SEEK_END)
        answer = await transport.download("/file", target)
        assert target.getvalue() == b"kept;a,b\n1,2\n"
        assert (answer.status, answer.content) == (200, b"")


async def test_a_stream_gives_its_pieces_and_its_opening_is_repeated(dial):
    async with server(None, http(b"x" * 200_000)) as (url, _), dial(url) as transport:
        async with transport.stream("/file") as pieces:
            sizes = [len(piece) async for piece in pieces]
        assert sum(sizes) == 200_000
        assert len(sizes) > 1
        assert transport.retries == 1


async def test_a_stream_that_breaks_off_is_an_error_after_its_last_piece(dial):
    received = []

    async def read(transport):
        async with transport.stream("/file") as pieces:
            async for piece in pieces:
                received.append(piece)

    async with server(http(b"a,b\n", 8)) as (url, heads), dial(url) as transport:
        with pytest.raises(UnreadableAnswer, match="cut off"):
            await read(transport)
        assert received == [b"a,b\n"]
        assert len(heads) == 1


async def test_a_web_page_in_place_of_a_file_is_refused(dial):
    page = http(b"<html>Sign in</html>", None, "content-type: text/html")
    async with server(page) as (url, _), dial(url, max_attempts=1) as transport:
        with pytest.raises(UnreadableAnswer, match="web page"):
            await transport.download("/file", io.BytesIO())


async def test_real_redirects_between_ports_carry_no_credentials(dial):
    async with server(http(b"a,b\n")) as (storage, stored):
        moved = http(b"", None, f"location: {storage}/f?sig=1", code="302 Found")
        async with server(moved) as (url, asked), dial(url, auth=Keys()) as transport:
            await transport.download("/file", io.BytesIO())
    assert SECRET in asked[0]
    assert SECRET not in stored[0]
    assert "GET /f?sig=1 " in stored[0]


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(dial, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with server(http(b"{}", None, JSON)) as (url, heads), dial(url) as transport:
        await transport.request("GET", "/x")
        assert heads[0].startswith("GET /x ")


async def test_the_address_is_sent_exactly_as_it_was_given(dial):
    path = "/v1/exports/e%2F1%20?token=a+b%2Fc=d&x=%20,:"
    async with server(http(b"{}", None, JSON)) as (url, heads), dial(url) as transport:
        await transport.request("GET", url + path)
        assert heads[0].startswith(f"GET {path} HTTP/1.1")


async def test_the_date_of_an_answer_is_the_clock_of_the_source(dial):
    dated = http(b"{}", None, JSON, f"date: {DATE}")
    undated = http(b"{}", None, JSON)
    async with server(dated, undated) as (url, _), dial(url) as transport:
        assert (await transport.request("GET", "/")).date == datetime(2026, 8, 1, 12, tzinfo=UTC)
        assert (await transport.request("GET", "/")).date is None
