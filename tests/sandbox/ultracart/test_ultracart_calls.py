"""Who may call, how often, and how failures look."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from orders_connector.sandbox.ultracart import Fault, Limits, Plan, Switches

VERSION = {"X-UltraCart-Api-Version": "2017-03-01"}
WINDOW = {"creation_date_begin": "2020-01-01T00:00:00-05:00"}


def spend(client, count):
    return [client.get("/order/orders", params=WINDOW).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        (VERSION, 401),
        (VERSION | {"X-UltraCart-Simple-Key": "00" * 32}, 401),
        (VERSION | {"Authorization": "Bearer nothing"}, 401),
        ({"X-UltraCart-Api-Version": "2016-01-01", "X-UltraCart-Simple-Key": "5a" * 32}, 400),
    ],
)
def test_calls_need_the_version_and_good_credentials(start, connect, headers, status):
    answer = connect(start(), headers=headers).get("/order/orders", params=WINDOW)
    assert answer.status_code == status
    assert answer.json()["error"]["user_message"] == answer.headers["UC-REST-ERROR"]
    assert "success" not in answer.json()
    assert answer.headers["X-UltraCart-Request-Id"]


def test_a_disabled_application_is_gone(start, connect):
    box = start()
    box.access.disabled = True
    assert spend(connect(box), 1) == [410]


def test_a_token_opens_what_its_scopes_name(start, connect):
    box = start(1)
    form = {"client_id": box.client_id, "grant_type": "authorization_code"}
    form |= {"code": box.refresh_token, "scope": "order_read"}
    token = connect(box).post("/oauth/token", data=form).json()
    client = connect(box, headers=VERSION | {"Authorization": f"Bearer {token['access_token']}"})
    order = box.truth()[0]["order_id"]
    assert client.post("/order/orders/query", json=WINDOW).status_code == 200
    assert client.delete(f"/order/orders/{order}").status_code == 401
    assert connect(box).post("/oauth/token", data=form | {"code": "x"}).status_code == 400
    client.post("/oauth/revoke", data={"token": token["access_token"]})
    assert spend(client, 1) == [401]


def test_the_documented_limits_are_a_thousand_an_hour_and_ten_thousand_a_day():
    assert Plan.DEFAULT.value == Limits(per_hour=1_000, per_day=10_000)


def test_a_bucket_leaks_evenly(start, connect):
    box = start(plan=Limits(per_hour=4))
    client = connect(box)
    assert spend(client, 5) == [200, 200, 200, 200, 429]
    box.clock.advance(timedelta(minutes=14))
    assert spend(client, 1) == [429]
    box.clock.advance(timedelta(minutes=1))
    assert spend(client, 2) == [200, 429]


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(per_hour=1), "rate of 1 per 3600 second(s) exceeded."),
        (Limits(per_hour=9, per_day=1), "rate of 1 per 86400 second(s) exceeded."),
    ],
)
def test_a_refusal_names_the_rate(start, connect, limits, text):
    client = connect(start(plan=limits))
    spend(client, 1)
    refused = client.get("/order/orders", params=WINDOW)
    assert refused.json() == {
        "error": {"developer_message": text, "user_message": text},
        "metadata": {},
    }
    assert refused.headers["UC-REST-ERROR"] == text
    assert refused.headers["UC-REST-ERROR-MERCHANT-ID"] == "ACME"
    assert "Retry-After" not in refused.headers


def test_retry_after_can_be_sent_in_seconds(start, connect):
    box = start(plan=Limits(per_hour=2), switches=Switches(retry_after="sent"))
    client = connect(box)
    spend(client, 2)
    wait = int(client.get("/order/orders", params=WINDOW).headers["Retry-After"])
    assert wait == 1800
    box.clock.advance(timedelta(seconds=wait))
    assert spend(client, 1) == [200]


def test_refused_keys_and_control_requests_do_not_count(start, connect):
    box = start(plan=Limits(per_hour=1))
    assert connect(box, headers=VERSION).get("/order/orders").status_code == 401
    assert httpx.get(f"{box.base_url}/_sandbox/state", trust_env=False).json()["orders"] == 0
    assert spend(connect(box), 2) == [200, 429]


async def at_once(box, keys):
    """Send one slow request per key at the same time."""
    async with httpx.AsyncClient(base_url=f"{box.base_url}/rest/v2", trust_env=False) as client:
        calls = [client.get("/order/orders", params=WINDOW, headers=VERSION | key) for key in keys]
        return sorted([answer.status_code for answer in await asyncio.gather(*calls)])


@pytest.mark.parametrize(
    ("concurrency", "same_key", "two_keys"),
    [("key", [200, 429], [200, 200]), ("address", [200, 429], [200, 429]),
     ("allowed", [200, 200], [200, 200])],
)  # fmt: skip
def test_overlapping_requests_are_refused(start, connect, concurrency, same_key, two_keys):
    box = start(switches=Switches(concurrency=concurrency), latency=0.2)
    form = {"client_id": box.client_id, "grant_type": "refresh_token"}
    form["refresh_token"] = box.refresh_token
    token = connect(box).post("/oauth/token", data=form).json()["access_token"]
    key = {"X-UltraCart-Simple-Key": box.simple_key}
    assert asyncio.run(at_once(box, [key, key])) == same_key
    assert asyncio.run(at_once(box, [key, {"Authorization": f"Bearer {token}"}])) == two_keys


def test_one_after_the_other_never_overlaps(start, connect):
    assert set(spend(connect(start(20)), 60)) == {200}


def test_a_failed_request_frees_its_turn(start, connect):
    box = start()
    client = connect(box)
    for kind in ("reset_after", "truncated_body"):
        box.faults.add(Fault(kind, times=1))
        with pytest.raises(httpx.TransportError):
            spend(client, 1)
        assert spend(client, 1) == [200]


def test_a_slow_answer_holds_its_turn(start):
    box = start()
    box.faults.add(Fault("slow", delay_seconds=0.2, times=1))
    key = {"X-UltraCart-Simple-Key": box.simple_key}
    assert asyncio.run(at_once(box, [key, key])) == [200, 429]


@pytest.mark.parametrize("status", [401, 410, 429, 500, 503])
def test_faults_speak_like_the_api(start, connect, status):
    box = start()
    box.faults.add(Fault("status", status=status, times=1))
    client = connect(box)
    answer = client.get("/order/orders", params=WINDOW)
    assert answer.status_code == status
    assert answer.json()["error"]["user_message"] == answer.headers["UC-REST-ERROR"]
    assert spend(client, 1) == [200]


def test_faults_spoil_orders_of_pages_and_gets(start, connect):
    box = start(3)
    client, order = connect(box), box.truth()[0]["order_id"]
    box.faults.add(Fault("broken_order", broken="no_id", order_index=1, times=2))
    page = client.get("/order/orders", params=WINDOW).json()
    assert ["order_id" in row for row in page["orders"]] == [True, False, True]
    assert "order_id" not in client.get(f"/order/orders/{order}").json()["order"]


@pytest.mark.parametrize(
    ("switches", "status", "success"),
    [
        (Switches(), 400, None),
        (Switches(failure_status="http_200"), 200, None),
        (Switches(failure_success="false"), 400, False),
    ],
)
def test_an_error_may_hide_in_a_200(start, connect, switches, status, success):
    answer = connect(start(switches=switches)).delete("/order/orders/ACME-1")
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"developer_message", "user_message"}
    assert answer.json()["metadata"] == {}
    assert answer.json().get("success") is success


def test_unknown_addresses_and_bad_json_are_refused(start, connect):
    client = connect(start())
    assert client.get("/nowhere").status_code == 404
    assert client.patch("/order/orders").status_code == 405
    assert client.post("/order/orders/query", content=b"{").status_code == 400


def test_calls_and_hooks_see_every_request(start, connect):
    box = start()
    seen = []
    box.on_request = lambda call: seen.append((call.method, call.path))
    spend(connect(box), 1)
    assert seen == [("GET", "/rest/v2/order/orders")]
    assert [call.status for call in box.calls] == [200]
    box.reset_calls()
    assert box.calls == []


def test_another_process_can_move_the_shop(start, now):
    box = start(200)
    with httpx.Client(base_url=f"{box.base_url}/_sandbox", trust_env=False) as control:
        day = control.post("/day", json={"days": 2}).json()
        assert day["now"] == "2026-08-03T12:00:00.000Z"
        assert day["orders"] == len(box.shop) > 200
        order_id = box.truth()[0]["order_id"]
        mutate = {"op": "update", "id": order_id, "order": {"billing": {"city": "Salem"}}}
        assert control.post("/mutate", json=mutate).json()["billing"]["city"] == "Salem"
        assert control.post("/mutate", json={"op": "delete", "id": order_id}).status_code == 200
        assert control.post("/mutate", json={"op": "delete", "id": order_id}).status_code == 400
        assert control.post("/mutate", json={"op": "nonsense"}).status_code == 400
        assert len(control.get("/truth").text.splitlines()) == len(box.shop)


def test_serve_runs_until_it_is_told_to_end():
    code = (
        "from orders_connector.sandbox.ultracart import serve\n"
        "serve(lambda box: print(box.base_url, box.simple_key, flush=True), orders=10)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with process:
        url, key = process.stdout.readline().split()
        assert url.startswith("http://127.0.0.1:")
        assert key == "5a" * 32
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0


def test_switches_refuse_unknown_values():
    parsed = Switches.parse(["more=false", "most_per_page=100"])
    assert parsed == Switches(more="false", most_per_page=100)
    for wrong in ("more=perhaps", "nonsense=1", "most_per_page=0", "most_per_page=x"):
        with pytest.raises(ValueError, match=r"switch|invalid literal"):
            Switches.parse([wrong])


def test_the_guide_names_every_switch_with_its_default():
    guide = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    rows = guide.split("## UltraCart\n")[1].splitlines()
    for field in fields(Switches):
        row = next(line for line in rows if line.startswith(f"| `{field.name}` "))
        assert f"**`{field.default}`**" in row
