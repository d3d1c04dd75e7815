"""Trouble on order."""

import json
import time

import httpx
import pytest

from orders_connector.sandbox.voucherify import Fault, Switches


@pytest.fixture
def box(start):
    return start(orders=40)


@pytest.fixture
def client(box, connect):
    return connect(box)


def statuses(client, count, path="/v1/orders"):
    return [client.get(path).status_code for _ in range(count)]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_any_status_can_be_ordered(box, client, status):
    box.faults.add(Fault("status", status=status, times=1))
    answer = client.get("/v1/orders")
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert "retry-after" not in answer.headers
    assert client.get("/v1/orders").status_code == 200


def test_a_429_may_say_when_to_come_back(box, client):
    box.faults.add(Fault("status", status=429, retry_after=7))
    assert client.get("/v1/orders").headers["Retry-After"] == "7"


def test_rules_match_path_method_and_host(box, client):
    box.faults.add(Fault("status", path="/v1/exports", method="POST"))
    assert client.get("/v1/orders").status_code == 200
    assert client.get("/v1/exports").status_code == 200
    assert client.post("/v1/exports", json={"exported_object": "order"}).status_code == 500
    box.faults.clear()
    box.faults.add(Fault("status", host="download"))
    assert client.get("/v1/orders").status_code == 200
    assert client.get(f"{box.download_url}/v1/exports/x").status_code == 500


def test_rules_strike_at_the_nth_or_every_kth_request(box, client):
    box.faults.add(Fault("status", nth=(2, 3)), Fault("status", status=503, every=5))
    assert statuses(client, 10) == [200, 500, 500, 200, 503, 200, 200, 200, 200, 503]


def test_rules_strike_by_chance_repeatably(box, client):
    runs = []
    for _ in range(2):
        box.faults.add(Fault("status", probability=0.5, seed=3))
        runs.append(statuses(client, 30))
        box.faults.clear()
    assert runs[0] == runs[1]
    assert 5 < runs[0].count(500) < 25


def test_a_rule_strikes_at_most_so_many_times(box, client):
    box.faults.add(Fault("status", times=2))
    assert statuses(client, 4) == [500, 500, 200, 200]


@pytest.mark.parametrize("status", [200, 502])
def test_a_web_page_instead_of_json(box, client, status):
    box.faults.add(Fault("html", status=status))
    answer = client.get("/v1/orders")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")


def test_a_connection_cut_before_the_request_is_handled(box, client):
    box.faults.add(Fault("reset_before", times=1))
    with pytest.raises(httpx.TransportError):
        client.post("/v1/orders/export", json={})
    assert client.get("/v1/exports").json()["total"] == 0
    assert [call.status for call in box.calls] == [0, 200]


def test_an_answer_lost_after_the_request_was_handled(box, client):
    box.faults.add(Fault("reset_after", method="POST", times=1))
    with pytest.raises(httpx.TransportError):
        client.post("/v1/orders/export", json={})
    assert client.get("/v1/exports").json()["total"] == 1


def test_a_body_shorter_than_promised(box, client):
    box.faults.add(Fault("truncated_body", times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/v1/orders")
    assert client.get("/v1/orders").status_code == 200


def test_a_file_cut_with_and_without_notice(box, client, export, download):
    state = export(client)
    whole = download(client, state).content
    box.faults.add(Fault("cut_json", host="download", times=1))
    assert download(client, state).content == whole[: len(whole) // 2]
    box.faults.add(Fault("truncated_body", host="download"))
    with pytest.raises(httpx.RemoteProtocolError):
        download(client, state)


@pytest.mark.parametrize("kind", ["cut_json", "malformed_json"])
def test_json_that_does_not_parse(box, client, kind):
    box.faults.add(Fault(kind))
    answer = client.get("/v1/orders")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_wrong_content_type(box, client):
    box.faults.add(Fault("wrong_content_type"))
    answer = client.get("/v1/orders")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.json()["object"] == "list"


def test_a_slow_answer(box, client):
    box.faults.add(Fault("slow", delay_seconds=0.2, times=1))
    before = time.monotonic()
    assert client.get("/v1/orders").status_code == 200
    assert time.monotonic() - before >= 0.2


def test_one_order_of_a_page_with_a_syntax_error(box, client):
    box.faults.add(Fault("broken_order", order_index=3))
    text = client.get("/v1/orders").text
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert len(json.loads(text.replace('"status" ', '"status": '))["orders"]) == 10


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        ("string", lambda order: order == "oops"),
        ("null", lambda order: order is None),
        ("number", lambda order: order == 42),
        ("no_id", lambda order: "id" not in order and "status" in order),
        ("id_number", lambda order: order["id"] == 12345),
        ("amount_text", lambda order: order["amount"] == "12,50"),
        ("dates", lambda order: order["created_at"] == "yesterday"),
    ],
)
def test_one_broken_order_in_a_page(box, client, broken, check):
    good = client.get("/v1/orders").json()["orders"]
    box.faults.add(Fault("broken_order", broken=broken, order_index=2))
    spoilt = client.get("/v1/orders").json()["orders"]
    assert check(spoilt[2])
    assert spoilt[:2] + spoilt[3:] == good[:2] + good[3:]


def test_a_broken_order_from_get_and_none_from_an_empty_page(box, client):
    order_id = box.shop.truth()[0]["id"]
    box.faults.add(Fault("broken_order", broken="amount_text"))
    assert client.get(f"/v1/orders/{order_id}").json()["amount"] == "12,50"
    assert client.get("/v1/orders?page=9").json()["orders"] == []
    assert client.get("/v1/orders/none").status_code == 404


def test_the_storage_host_can_fail_too(box, client, export, connect):
    box.switches = Switches(download_redirect="storage")
    box.faults.add(Fault("status", status=503, host="storage"))
    redirect = client.get(export(client)["result"]["url"])
    assert redirect.status_code == 302
    assert connect(box, headers={}).get(redirect.headers["location"]).status_code == 503


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="explode"):
        Fault("explode")
    with pytest.raises(ValueError, match="odd"):
        Fault("broken_order", broken="odd")
