"""A shop that moves while it is read, and the control of it from another process."""

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox


def test_traffic_moves_the_shop_before_each_list_repeatably(start, connect):
    runs = []
    for _ in range(2):
        box = start(orders=300, traffic=5)
        client = connect(box)
        answers = [client.get("/v1/orders?order=-updated_at").content for _ in range(20)]
        runs.append((answers, box.shop.bodies(), box.clock.now()))
    assert runs[0] == runs[1]
    assert len(set(runs[0][0])) == 20


def test_traffic_leaves_other_requests_alone(start, connect):
    box = start(orders=50, traffic=5)
    before = box.shop.bodies()
    connect(box).get(f"/v1/orders/{json.loads(before[0])['id']}")
    assert box.shop.bodies() == before


def test_every_kind_of_move_keeps_the_sums_right(start):
    box = start(orders=400)
    made = box.moves.some(600)
    assert all(made[kind] for kind in box.moves.weights)
    for order in box.shop.truth():
        total = order.get("total_discount_amount", 0)
        if "amount" in order:
            assert order["total_amount"] == order["amount"] - total >= 0


def test_moves_stamp_the_time_they_happen(start, connect):
    box = start(orders=200)
    client = connect(box)
    for kind in box.moves.weights:
        before = {order["id"]: order for order in box.shop.truth()}
        box.clock.advance(timedelta(minutes=1))
        box.moves.make(kind)
        stamp = box.clock.now().isoformat(timespec="milliseconds")[:23] + "Z"
        for order in box.shop.truth():
            if order != before.get(order["id"]) and kind not in ("backdate", "create", "import"):
                assert order["updated_at"] == stamp
    assert client.get("/v1/orders").json()["total"] == len(box.shop)


def test_a_kind_of_move_can_be_switched_off(start):
    box = start(orders=100)
    box.moves.weights = {"create": 1}
    assert dict(box.moves.some(10)) == {"create": 10}


def test_a_day_ends_24_hours_later_with_new_and_changed_orders(start, now):
    box = start(orders=2000)
    before = {order["id"]: order for order in box.shop.truth()}
    counts = box.moves.day()
    assert box.clock.now() == now + timedelta(days=1)
    after = {order["id"]: order for order in box.shop.truth()}
    assert len(after.keys() - before.keys()) >= counts["create"] >= 3
    changed = [o for key, o in after.items() if key in before and o != before[key]]
    assert changed
    assert any(order["created_at"] < "2026-07-20" for order in changed)


def test_empty_shops_and_lagging_ones_live_too(start):
    assert len(start().shop) == 0
    empty = start()
    assert empty.moves.day()["create"] == 3
    lagging = start(orders=100, switches=Switches(listing_lag_seconds=60))
    lagging.moves.some(300)
    with lagging.shop.lock:
        assert len(lagging.shop.visible().records) <= len(lagging.shop) + 300


def test_the_hook_runs_before_each_api_request(start, connect):
    box = start()
    seen = []

    def create_one(call):
        seen.append((call.method, call.path, call.query))
        box.shop.create({"amount": 1})

    box.on_request = create_one
    client = connect(box)
    assert [client.get("/v1/orders?limit=1").json()["total"] for _ in range(3)] == [1, 2, 3]
    assert seen == [("GET", "/v1/orders", "limit=1")] * 3
    box.on_request = None
    client.get("/v1/orders")
    assert [call.status for call in box.calls] == [200] * 4
    box.reset_calls()
    assert box.calls == []


def test_answers_carry_the_date_of_the_clock(start, connect):
    box = start()
    client = connect(box)
    assert client.get("/v1/orders").headers["date"] == "Sat, 01 Aug 2026 12:00:00 GMT"
    box.clock.advance(timedelta(days=1))
    assert client.get("/v1/orders/none").headers["date"] == "Sun, 02 Aug 2026 12:00:00 GMT"


def test_a_sandbox_can_be_asked_for_its_url_only_when_started(now):
    with pytest.raises(RuntimeError, match="not started"):
        _ = VoucherifySandbox(0, now=now).base_url


# --- control over HTTP ----------------------------------------------------------------------------


@pytest.fixture
def box(start):
    return start(orders=100)


@pytest.fixture
def control(box, connect):
    client = connect(box, headers={})

    def post(what, **body):
        return client.post(f"/_sandbox/{what}", json=body)

    post.client = client
    return post


def test_control_moves_the_clock(box, control):
    answer = control("clock", advance_seconds=90).json()
    assert answer == {"now": "2026-08-01T12:01:30.000Z"}
    assert control("clock", set="2026-09-01T00:00:00Z").json()["now"][:10] == "2026-09-01"
    assert control("clock", speed=1).status_code == 200


def test_control_lives_days(box, control, now):
    answer = control("day", days=2).json()
    assert answer["now"] == "2026-08-03T12:00:00.000Z"
    assert answer["moves"]["create"] >= 6
    assert answer["orders"] == len(box.shop)


def test_control_shows_truth_and_state(box, control, connect):
    connect(box).get("/v1/orders")
    lines = control.client.get("/_sandbox/truth").text.splitlines()
    assert [json.loads(line) for line in lines] == box.shop.truth()
    assert control.client.get("/_sandbox/state").json() == {
        "now": "2026-08-01T12:00:00.000Z",
        "orders": 100,
        "calls": {"GET /v1/orders": 1},
    }


def test_control_orders_faults(box, control, connect):
    control("faults", kind="status", status=503, nth=[1])
    client = connect(box)
    assert [client.get("/v1/orders").status_code for _ in range(2)] == [503, 200]
    control("faults", kind="status")
    control("faults", clear=True)
    assert client.get("/v1/orders").status_code == 200
    assert control("faults", kind="explode").status_code == 400
    assert control("faults", colour="red").status_code == 400


def test_control_mutates(box, control):
    created = control("mutate", op="create", order={"id": "o", "customer": {"id": "c"}}).json()
    assert created["id"] == "o"
    assert (
        control("mutate", op="update", id="o", order={"status": "PAID"}).json()["status"] == "PAID"
    )
    assert control("mutate", op="rollback", id="o").json()["status"] == "CANCELED"
    assert control("mutate", op="erase", customer_id="c").json() == {"orders": 1}
    assert control("mutate", op="import", orders=[{"amount": 1}]).json() == {"orders": 1}
    assert control("mutate", op="raw", order={"id": "odd", "amount": "x"}).json()["amount"] == "x"
    assert control("mutate", op="moves", count=3).status_code == 200
    assert control("mutate", op="explode").status_code == 400
    assert control("mutate", op="update", id="none", order={}).status_code == 404
    assert control("mutate", op="update").status_code == 400


def test_serve_runs_until_it_is_told_to_end():
    code = (
        "from orders_connector.sandbox.voucherify import serve\n"
        "serve(lambda box: print(box.base_url, box.app_id, flush=True), orders=10)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with process:
        url, app_id = process.stdout.readline().split()
        assert url.startswith("http://127.0.0.1:")
        assert app_id == "sandbox-app-id"
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
