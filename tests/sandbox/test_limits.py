"""Rate limits run on the sandbox's clock."""

from datetime import timedelta

import pytest

from orders_connector.sandbox.voucherify import Limits, Plan, Switches


def spend(client, count):
    return [client.get("/v1/orders").status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("plan", "allowed", "period"),
    [(Plan.BUSINESS, 100, 60), (Plan.ORGANIZATION, 2000, 60), (Plan.SANDBOX, 100, 3600)],
)
def test_each_plan_refuses_beyond_its_period(start, connect, plan, allowed, period):
    box = start(plan=plan)
    client = connect(box)
    assert spend(client, allowed) == [200] * allowed
    refused = client.get("/v1/orders")
    now = int(box.clock.now().timestamp())
    assert refused.status_code == 429
    assert refused.json() == {
        "code": 429,
        "message": "Too many requests hit the API too quickly.",
    }
    assert refused.headers["Retry-After"] == str(period)
    assert refused.headers["X-Rate-Limit-Type"] == "api_calls"
    assert refused.headers["X-Rate-Limit-Remaining"] == "0"
    assert refused.headers["X-Rate-Limit-Retry"] == str(now + period)
    box.clock.advance(timedelta(seconds=period - 1))
    assert client.get("/v1/orders").status_code == 429
    box.clock.advance(timedelta(seconds=1))
    assert client.get("/v1/orders").status_code == 200


@pytest.mark.parametrize(
    ("plan", "cycle"), [(Plan.BUSINESS, 100_000), (Plan.ORGANIZATION, 300_000)]
)
def test_plans_have_their_documented_cycles(plan, cycle):
    assert plan.value.per_cycle == cycle


def test_headers_count_down(start, connect):
    client = connect(start(plan=Plan.BUSINESS))
    answers = [client.get("/v1/orders") for _ in range(3)]
    assert [a.headers["X-Rate-Limit-Remaining"] for a in answers] == ["99", "98", "97"]
    assert {a.headers["X-Rate-Limit-Limit"] for a in answers} == {"100"}
    assert client.get("/v1/orders/none").headers["X-Rate-Limit-Remaining"] == "96"


def test_periods_start_at_full_minutes(start, connect, now):
    box = start(plan=Limits(2, 60), now=now + timedelta(seconds=45))
    client = connect(box)
    assert spend(client, 3) == [200, 200, 429]
    assert client.get("/v1/orders").headers["Retry-After"] == "15"
    box.clock.advance(timedelta(seconds=15))
    assert spend(client, 3) == [200, 200, 429]


def test_a_spent_cycle_stays_spent_for_weeks(start, connect):
    box = start(plan=Limits(per_period=10, per_cycle=3))
    client = connect(box)
    assert spend(client, 4) == [200, 200, 200, 429]
    box.clock.advance(timedelta(days=1))
    refused = client.get("/v1/orders")
    assert refused.headers["X-Rate-Limit-Type"] == "api_calls_cycle"
    assert int(refused.headers["Retry-After"]) == 29 * 86_400
    retry = int(refused.headers["X-Rate-Limit-Retry"])
    assert retry == box.clock.now().timestamp() + 29 * 86_400
    box.clock.advance(timedelta(days=29))
    assert spend(client, 1) == [200]


def test_an_ended_subscription_refuses_everything(start, connect):
    box = start()
    box.meter.subscription_ended = True
    answer = connect(box).get("/v1/orders")
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


def test_unlimited_says_nothing_about_limits(start, connect):
    headers = connect(start()).get("/v1/orders").headers
    assert not [name for name in headers if name.startswith("x-rate")]


def test_headers_can_be_switched_off(start, connect):
    box = start(plan=Limits(1), switches=Switches(rate_limit_headers="never"))
    client = connect(box)
    assert "X-Rate-Limit-Limit" not in client.get("/v1/orders").headers
    refused = client.get("/v1/orders")
    assert "X-Rate-Limit-Retry" not in refused.headers
    assert "Retry-After" in refused.headers


def test_retry_after_can_be_omitted_and_the_code_be_text(start, connect):
    box = start(plan=Limits(0), switches=Switches(retry_after="omitted", code_429="string"))
    refused = connect(box).get("/v1/orders")
    assert "Retry-After" not in refused.headers
    assert refused.json()["code"] == "429"


def test_bulk_calls_may_have_a_limit_of_their_own(start, connect):
    box = start(switches=Switches(bulk_calls_per_hour=1))
    client = connect(box)
    assert client.post("/v1/orders/import", json=[]).status_code == 200
    refused = client.post("/v1/exports", json={"exported_object": "order"})
    assert refused.status_code == 429
    assert refused.headers["X-Rate-Limit-Type"] == "bulk_api_calls"
    assert spend(client, 2) == [200, 200]
    box.clock.advance(timedelta(hours=1))
    assert client.post("/v1/orders/export", json={}).status_code == 200


def test_refused_keys_and_control_requests_do_not_count(start, connect):
    box = start(plan=Limits(1))
    assert connect(box, headers={}).get("/v1/orders").status_code == 401
    assert connect(box, headers={}).get("/_sandbox/state").status_code == 200
    assert spend(connect(box), 2) == [200, 429]
