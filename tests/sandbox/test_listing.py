"""GET /v1/orders: pages, sorts, caps, and what the documentation leaves open about them."""

from datetime import timedelta

import pytest

from orders_connector.sandbox.voucherify import Switches


def moments(orders, key):
    return [order.get(key) for order in orders]


@pytest.fixture
def six(start):
    """Six orders: o0 to o5 created a second apart; o1 and o4 updated later, in this order."""

    def make(**switches):
        box = start(switches=Switches(**switches))
        for number in range(6):
            box.shop.create({"id": f"o{number}", "amount": number})
            box.clock.advance(timedelta(seconds=1))
        for number in (1, 4):
            box.shop.update(f"o{number}", {"status": "PAID"})
            box.clock.advance(timedelta(seconds=1))
        return box

    return make


def test_pages_partition_the_orders_in_each_sort(lived_in, connect, ids):
    client = connect(lived_in)
    everything = sorted(order["id"] for order in lived_in.shop.truth())
    for sort in ("created_at", "-created_at", "updated_at", "-updated_at"):
        seen = []
        for page in range(1, 17):
            answer = client.get("/v1/orders", params={"limit": 100, "page": page, "order": sort})
            assert answer.json()["total"] == 1500
            seen += ids(answer)
        assert sorted(seen) == everything


def test_envelope_is_the_documented_one(lived_in, connect):
    answer = connect(lived_in).get("/v1/orders").json()
    assert list(answer) == ["object", "data_ref", "orders", "total"]
    assert (answer["object"], answer["data_ref"], len(answer["orders"])) == ("list", "orders", 10)


def test_list_shows_the_same_object_as_get(lived_in, connect):
    client = connect(lived_in)
    for order in client.get("/v1/orders", params={"limit": 20}).json()["orders"]:
        assert client.get(f"/v1/orders/{order['id']}").json() == order


def test_page_beyond_the_end_is_empty(lived_in, connect, ids):
    assert ids(connect(lived_in).get("/v1/orders", params={"page": 100, "limit": 100})) == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "page=0", "page=-1", "order=amount", "order="]
)
def test_bad_parameters_are_refused(lived_in, connect, query):
    answer = connect(lived_in).get(f"/v1/orders?{query}")
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_query_params")


@pytest.mark.parametrize(
    ("value", "status", "key"),
    [
        ("page_over_limit", 400, "page_over_limit"),
        ("invalid_query_params", 400, "invalid_query_params"),
        ("not_found", 404, "not_found"),
        ("empty", 200, None),
    ],
)
def test_page_101_answers_what_the_switch_says(start, connect, value, status, key):
    box = start(switches=Switches(page_over_limit=value))
    box.shop.create({"amount": 1})
    answer = connect(box).get("/v1/orders?page=101")
    assert (answer.status_code, answer.json().get("key")) == (status, key)
    if status == 200:
        assert answer.json()["orders"] == []
        assert answer.json()["total"] == 1


def test_the_last_page_is_where_the_switch_puts_it(start, connect):
    client = connect(start(30, switches=Switches(listing_pages=2)))
    assert len(client.get("/v1/orders?limit=10&page=2").json()["orders"]) == 10
    refused = client.get("/v1/orders?limit=10&page=3")
    assert (refused.status_code, refused.json()["key"]) == (400, "page_over_limit")
    assert "higher than 2" in refused.json()["details"]
    assert client.get("/v1/exports?page=100").status_code == 200


def test_a_list_without_pages_is_no_switch():
    with pytest.raises(ValueError, match="listing_pages"):
        Switches(listing_pages=0)


@pytest.mark.parametrize(("value", "first"), [("newest_first", "o5"), ("newest_last", "o0")])
def test_default_sort(six, connect, ids, value, first):
    assert ids(connect(six(default_sort=value)).get("/v1/orders"))[0] == first


@pytest.mark.parametrize(
    ("value", "ascending", "descending"),
    [
        ("last", "o1 o4 o0 o2 o3 o5", "o4 o1 o5 o3 o2 o0"),
        ("first", "o0 o2 o3 o5 o1 o4", "o5 o3 o2 o0 o4 o1"),
        ("smallest", "o0 o2 o3 o5 o1 o4", "o4 o1 o5 o3 o2 o0"),
        ("largest", "o1 o4 o0 o2 o3 o5", "o5 o3 o2 o0 o4 o1"),
    ],
)
def test_place_of_orders_never_updated(six, connect, ids, value, ascending, descending):
    client = connect(six(null_updated_at=value))
    for sort, expected in (("updated_at", ascending), ("-updated_at", descending)):
        paged = [
            ids(client.get(f"/v1/orders?limit=2&page={page}&order={sort}")) for page in (1, 2, 3)
        ]
        assert [order_id for page in paged for order_id in page] == expected.split()


def test_ties_are_stable_by_id_or_change_between_requests(start, connect, ids):
    box = start()
    for number in range(30):
        box.shop.create({"id": f"o{number:02d}"})
    client = connect(box)
    stable = {tuple(ids(client.get("/v1/orders?limit=7&page=2"))) for _ in range(5)}
    assert len(stable) == 1
    box.switches = Switches(tie_order="shuffled")
    shuffled = {tuple(ids(client.get("/v1/orders?limit=7&page=2"))) for _ in range(5)}
    assert len(shuffled) > 1
    assert all(len(set(page)) == 7 for page in shuffled)


def test_shuffling_ties_keeps_the_sort(lived_in, connect):
    lived_in.switches = Switches(tie_order="shuffled")
    try:
        answer = connect(lived_in).get("/v1/orders?limit=100&order=-created_at&page=3").json()
    finally:
        lived_in.switches = Switches()
    times = [order["created_at"][:19] for order in answer["orders"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "created_at[after]={}",
        "[created_at][after]={}",
        "[filters][created_at][conditions][$after][0]={}",
    ],
)
def test_date_filter_is_ignored_honoured_or_rejected(six, connect, ids, query):
    box = six()
    client = connect(box)
    url = "/v1/orders?" + query.format(box.shop.get("o2")["created_at"])
    assert client.get(url).json()["total"] == 6
    box.switches = Switches(list_created_at_filter="honoured")
    answer = client.get(url + "&order=created_at")
    assert (ids(answer), answer.json()["total"]) == (["o3", "o4", "o5"], 3)
    assert client.get("/v1/orders?created_at[before]=soon").status_code == 400
    box.switches = Switches(list_created_at_filter="rejected")
    assert client.get(url).status_code == 400


def test_updated_at_filter_has_its_own_switch(six, connect, ids):
    box = six(list_updated_at_filter="honoured")
    url = f"/v1/orders?updated_at[after]={box.shop.get('o1')['updated_at']}"
    assert ids(connect(box).get(url)) == ["o4"]


def test_unknown_parameters_are_ignored_or_rejected(six, connect):
    box = six()
    assert connect(box).get("/v1/orders?status=PAID").json()["total"] == 6
    box.switches = Switches(unknown_query_params="rejected")
    assert connect(box).get("/v1/orders?status=PAID").status_code == 400
    assert connect(box).get("/v1/orders?limit=5&page=1&order=created_at").status_code == 200


def test_key_order_is_fixed_or_varies(lived_in, connect):
    client = connect(lived_in)
    texts = {client.get("/v1/orders?limit=3").text for _ in range(3)}
    assert len(texts) == 1
    lived_in.switches = Switches(response_key_order="varies")
    try:
        varied = [client.get("/v1/orders?limit=3") for _ in range(3)]
    finally:
        lived_in.switches = Switches()
    assert len({answer.text for answer in varied}) == 3
    assert all(answer.json() == varied[0].json() for answer in varied)


def test_listing_lags_behind_writes_but_get_does_not(start, connect, ids):
    box = start(switches=Switches(listing_lag_seconds=30))
    client = connect(box)
    box.shop.create({"id": "o1", "amount": 1})
    assert client.get("/v1/orders/o1").status_code == 200
    assert ids(client.get("/v1/orders")) == []
    box.clock.advance(timedelta(seconds=20))
    box.shop.update("o1", {"amount": 2})
    box.clock.advance(timedelta(seconds=10))
    assert client.get("/v1/orders").json()["orders"][0]["amount"] == 1
    box.clock.advance(timedelta(seconds=20))
    assert client.get("/v1/orders").json()["orders"][0]["amount"] == 2


def test_an_order_updated_jumps_to_the_front(six, connect, ids):
    box = six()
    box.shop.update("o0", {"metadata": {"a": 1}})
    assert ids(connect(box).get("/v1/orders?order=-updated_at"))[0] == "o0"


def test_odd_dates_do_not_break_the_listing(start, connect, ids):
    box = start()
    box.shop.put_raw({"id": "odd", "created_at": 17, "updated_at": "soon", "amount": "x"})
    box.shop.create({"id": "fine"})
    assert ids(connect(box).get("/v1/orders?order=created_at")) == ["odd", "fine"]
    assert box.shop.get("odd")["amount"] == "x"
