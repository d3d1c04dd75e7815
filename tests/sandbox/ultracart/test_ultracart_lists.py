"""Lists: filters, date windows, sorting, pages, the cache, and batches."""

from datetime import datetime, timedelta

import pytest

from orders_connector.sandbox.ultracart import Switches

ALL = {"creation_date_begin": "2020-01-01T00:00:00-05:00"}


def walk(client, query=ALL, **paging):
    """Read all pages by `more` and `next_offset`."""
    rows, offset = [], 0
    while True:
        params = {"_limit": 50, "_offset": offset, **paging}
        answer = client.post("/order/orders/query", params=params, json=query).json()
        rows += [order["order_id"] for order in answer["orders"]]
        counted = answer["metadata"]["result_set"]
        assert counted["count"] == len(answer["orders"])
        if not counted.get("more"):
            return rows
        offset = counted["next_offset"]


def order_ids(box, keep=lambda order: True):
    return [order["order_id"] for order in box.truth() if keep(order)]


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [{}, {"query_target": "origin"}, {"email": None}])
def test_at_least_one_parameter_is_needed(start, connect, query):
    client = connect(start())
    assert client.post("/order/orders/query", json=query).status_code == 400
    assert client.get("/order/orders", params={"_limit": 5, "_offset": 0}).status_code == 400


def test_paging_may_count_as_the_parameter(start, connect):
    client = connect(start(switches=Switches(limit_alone="accepted")))
    assert client.get("/order/orders", params={"_limit": 5}).status_code == 200
    assert client.get("/order/orders").status_code == 400


@pytest.mark.parametrize(
    "params",
    [
        {"_limit": "201"},
        {"_limit": "0"},
        {"_limit": "many"},
        {"_offset": "-1"},
        {"_sort": "+nothing"},
        {"_sort": "creation_dts"},
        {"_sort": " creation_dts"},  # a plus that was not encoded
        {"creation_date_end": "yesterday"},
        {"creation_date_end": "2026-08-01T00:00:00 00:00"},  # another such plus
        {"current_stage": "Somewhere"},
        {"total": "much"},
    ],
)
def test_bad_parameters_are_refused(start, connect, params):
    assert connect(start()).get("/order/orders", params=ALL | params).status_code == 400


def test_a_limit_over_the_highest_may_be_lowered(start, connect, order_ids):
    box = start(30, switches=Switches(limit_over_most="lowered", most_per_page=10))
    answer = connect(box).get("/order/orders", params=ALL | {"_limit": 200})
    assert len(order_ids(answer)) == 10
    assert answer.json()["metadata"]["result_set"]["limit"] == 10


def test_unknown_filters_are_ignored_or_refused(start, connect):
    box = start(2)
    client = connect(box)
    assert client.get("/order/orders", params=ALL | {"colour": "red"}).status_code == 200
    assert client.get("/order/orders", params={"colour": "red"}).status_code == 400
    # Refund dates exist in queries alone.
    only_there = {"refund_date_begin": "2020-01-01T00:00:00Z"}
    assert client.get("/order/orders", params=only_there).status_code == 400
    assert client.post("/order/orders/query", json=only_there).status_code == 200
    box.switches = Switches(unknown_filters="rejected")
    assert client.get("/order/orders", params=ALL | {"colour": "red"}).status_code == 400


def filters_of(order):
    """Return filters that find an order, each taken from what it holds."""
    billing, payment, checkout = order["billing"], order["payment"], order["checkout"]
    found = {
        "order_id": order["order_id"],
        "payment_method": payment["payment_method"],
        "first_name": billing["first_name"].upper(),
        "last_name": billing["last_name"],
        "city": billing["city"],
        "state_region": billing["state_region"],
        "postal_code": billing["postal_code"],
        "country_code": billing["country_code"],
        "phone": billing["day_phone"],
        "email": billing["email"].lower(),
        "total": order["summary"]["total"]["value"],
        "storefront_host_name": checkout["storefront_host_name"],
        "screen_branding_theme_code": checkout.get("screen_branding_theme_code"),
        "custom_field_1": checkout.get("custom_field1"),
        "item_id": order["items"][-1]["merchant_item_id"],
        "current_stage": order["current_stage"],
        "purchase_order_number": payment.get("purchase_order", {}).get("purchase_order_number"),
        "customer_profile_oid": order.get("customer_profile", {}).get("customer_profile_oid"),
    }
    found |= {
        key: order["channel_partner"][key]
        for key in ("channel_partner_code", "channel_partner_order_id")
        if "channel_partner" in order
    }
    return {name: value for name, value in found.items() if value is not None}


def test_every_filter_finds_its_orders_and_no_others(lived_in, connect):
    client, truth = connect(lived_in), lived_in.truth()
    filters = {}
    for order in truth[:200]:
        filters |= {name: (value, order) for name, value in filters_of(order).items()}
    assert len(filters) == 20
    for name, (value, order) in filters.items():
        found = walk(client, {name: value})
        assert order["order_id"] in found, name
        assert name == "storefront_host_name" or len(found) < len(truth), name


def test_filters_join_by_and(lived_in, connect):
    found = walk(connect(lived_in), {"country_code": "US", "current_stage": "Rejected"})
    rejected = order_ids(lived_in, lambda o: o["current_stage"] == "Rejected")
    assert 0 < len(found) < len(rejected)
    assert set(found) < set(rejected)


def test_texts_may_be_found_by_their_start(start, connect):
    box = start(30)
    name = box.truth()[0]["billing"]["last_name"]
    assert walk(connect(box), {"last_name": name[:2]}) == []
    box.switches = Switches(text_filter="starts_with")
    assert box.truth()[0]["order_id"] in walk(connect(box), {"last_name": name[:2].lower()})


def test_the_total_is_compared_in_base_or_shoppers_currency(lived_in, start, connect):
    order = next(o for o in lived_in.truth() if o.get("currency_code") == "GBP")
    total = order["summary"]["total"]
    box = start()
    box.shop.put_raw(order)
    for switch, key, other in (("base", "value", "localized"), ("localized", "localized", "value")):
        box.switches = Switches(total_filter=switch)
        assert walk(connect(box), {"total": total[key]}) == [order["order_id"]]
        assert walk(connect(box), {"total": total[other]}) == []


@pytest.mark.parametrize(
    ("value", "status"), [("honoured", 200), ("rejected", 400), ("nothing", 200)]
)
def test_stages_beyond_the_documented_filter(start, connect, order_ids, value, status):
    box = start(switches=Switches(undocumented_stages=value))
    box.shop.put_raw({"order_id": "ACME-1", "current_stage": "Pre-ordered"})
    answer = connect(box).get("/order/orders", params={"current_stage": "Pre-ordered"})
    assert answer.status_code == status
    assert status == 400 or order_ids(answer) == (["ACME-1"] if value == "honoured" else [])


# --- windows --------------------------------------------------------------------------------------


def put_dated(box, order_id, **dates):
    parts = {"payment_dts": "payment", "shipping_date": "shipping"}
    order = {"order_id": order_id, "current_stage": "Hold", "creation_dts": "2026-03-08T01:30:00Z"}
    for key, moment in dates.items():
        order |= {parts[key]: {key: moment}} if key in parts else {key: moment}
    box.shop.put_raw(order)


@pytest.mark.parametrize(
    ("window", "key"),
    [
        ("creation_date", "creation_dts"),
        ("payment_date", "payment_dts"),
        ("shipment_date", "shipping_date"),
        ("refund_date", "refund_dts"),
    ],
)
def test_windows_compare_moments_and_not_texts(start, connect, window, key):
    box = start()
    put_dated(box, "winter", **{key: "2026-03-08T01:59:59-05:00"})
    put_dated(box, "summer", **{key: "2026-03-08T03:00:00-04:00"})  # one second later
    if key != "creation_dts":
        put_dated(box, "never")
    at = {"begin": f"{window}_begin", "end": f"{window}_end"}
    client = connect(box)
    assert walk(client, {at["begin"]: "2026-03-08T07:00:00Z"}) == ["summer"]
    assert walk(client, {at["end"]: "2026-03-08T06:59:59+00:00"}) == ["winter"]
    assert walk(client, {at["begin"]: "2026-03-08T02:00:00-05:00"}) == ["summer"]
    both = {at["begin"]: "2026-03-07T00:00:00Z", at["end"]: "2026-03-09T00:00:00Z"}
    assert sorted(walk(client, both)) == ["summer", "winter"]


@pytest.mark.parametrize("begin", ["inclusive", "exclusive"])
@pytest.mark.parametrize("end", ["inclusive", "exclusive"])
def test_bounds_may_hold_their_own_moment_or_not(start, connect, begin, end):
    box = start(switches=Switches(date_begin=begin, date_end=end))
    for second in (1, 2, 3):
        put_dated(box, str(second), creation_dts=f"2026-05-01T00:00:0{second}-04:00")
    window = {
        "creation_date_begin": "2026-05-01T00:00:01-04:00",
        "creation_date_end": "2026-05-01T00:00:03-04:00",
    }
    wanted = ["1"] * (begin == "inclusive") + ["2"] + ["3"] * (end == "inclusive")
    assert walk(connect(box), window) == wanted


def test_fractions_behind_the_second_may_count(start, connect):
    box = start(switches=Switches(date_fraction="kept"))
    put_dated(box, "ACME-1", refund_dts="2026-05-01T00:00:00-04:00")
    exact = {"refund_date_end": "2026-05-01T00:00:00-04:00"}
    assert walk(connect(box), exact) == []
    assert walk(connect(box), {"refund_date_end": "2026-05-01T00:00:01-04:00"}) == ["ACME-1"]


@pytest.mark.parametrize(
    ("value", "found"), [("eastern", ["ACME-1"]), ("utc", []), ("rejected", None)]
)
def test_bounds_without_offset(start, connect, value, found):
    box = start(switches=Switches(date_without_offset=value))
    put_dated(box, "ACME-1", creation_dts="2026-05-01T02:00:00Z")  # still April in the east
    query = {"creation_date_end": "2026-04-30T23:00:00"}
    answer = connect(box).post("/order/orders/query", json=query)
    assert answer.status_code == (400 if found is None else 200)
    assert found is None or [o["order_id"] for o in answer.json()["orders"]] == found


def test_shipments_after_the_first_may_be_found(start, connect):
    box = start()
    items = [{"shipped_dts": "2026-05-01T00:00:00Z"}, {"shipped_dts": "2026-05-09T00:00:00Z"}]
    shipping = {"shipping_date": "2026-05-01T00:00:00Z"}
    order = {"order_id": "ACME-1", "creation_dts": "2026-04-01T00:00:00Z"}
    box.shop.put_raw(order | {"shipping": shipping, "items": items})
    late = {"shipment_date_begin": "2026-05-05T00:00:00Z"}
    assert walk(connect(box), late) == []
    box.switches = Switches(shipment_date="any")
    assert walk(connect(box), late) == ["ACME-1"]


# --- pages ----------------------------------------------------------------------------------------


def test_a_walk_sees_every_order_once_in_order_of_creation(lived_in, connect):
    found = walk(connect(lived_in), _sort="+creation_dts")
    created = {o["order_id"]: datetime.fromisoformat(o["creation_dts"]) for o in lived_in.truth()}
    assert sorted(found) == sorted(created)
    assert [created[one] for one in found] == sorted(created.values())
    assert walk(connect(lived_in), _sort="-creation_dts,-order_id") == found[::-1]


def test_several_sort_keys(lived_in, connect):
    found = walk(connect(lived_in), _sort="+billing.last_name,-order_id")
    names = {o["order_id"]: o["billing"]["last_name"] for o in lived_in.truth()}
    assert found == sorted(sorted(names, reverse=True), key=lambda one: names[one])


def test_the_result_set_of_a_middle_and_a_last_page(start, connect):
    client = connect(start(5))
    pages = [
        client.get("/order/orders", params=ALL | {"_limit": 2, "_offset": offset}).json()
        for offset in (0, 4)
    ]
    assert [page["metadata"]["result_set"] for page in pages] == [
        {"count": 2, "offset": 0, "limit": 2, "more": True, "next_offset": 2, "total_records": 5},
        {"count": 1, "offset": 4, "limit": 2, "next_offset": 4, "total_records": 5},
    ]


def test_nothing_found_and_offsets_beyond_the_end(start, connect):
    box = start(5)
    client = connect(box)
    assert client.get("/order/orders", params={"order_id": "none"}).json() == {
        "orders": [],
        "success": True,
        "metadata": {
            "result_set": {
                "count": 0,
                "offset": 0,
                "limit": 100,
                "next_offset": 0,
                "total_records": 0,
            },
            "payload_name": "orders",
        },
    }
    beyond = client.get("/order/orders", params=ALL | {"_offset": 50}).json()
    assert (beyond["orders"], beyond["metadata"]["result_set"]["count"]) == ([], 0)
    box.switches = Switches(no_orders="absent")
    assert "orders" not in client.get("/order/orders", params={"order_id": "none"}).json()


@pytest.mark.parametrize(
    ("switches", "mores"),
    [
        (Switches(), [True, None]),
        (Switches(more="false"), [True, False]),
        (Switches(more="never_sent"), [None, None]),
    ],
)
def test_how_more_is_said(start, connect, switches, mores):
    client = connect(start(5, switches=switches))
    pages = [
        client.get("/order/orders", params=ALL | {"_limit": 3, "_offset": offset}).json()
        for offset in (0, 3)
    ]
    assert [page["metadata"]["result_set"].get("more") for page in pages] == mores


def test_counts_may_be_left_out(start, connect):
    box = start(5, switches=Switches(total_records="absent"))
    client = connect(box)
    counted = client.get("/order/orders", params=ALL).json()["metadata"]["result_set"]
    assert "total_records" not in counted
    box.switches = Switches(result_set="absent")
    assert client.get("/order/orders", params=ALL).json()["metadata"] == {"payload_name": "orders"}


def test_pages_may_be_shorter_than_asked_although_more_follow(start, connect):
    box = start(200, switches=Switches(short_pages="yes"))
    client = connect(box)
    first = client.get("/order/orders", params=ALL | {"_limit": 50}).json()
    assert (len(first["orders"]), first["metadata"]["result_set"]["more"]) == (33, True)
    assert sorted(walk(client)) == order_ids(box)


@pytest.mark.parametrize("switches", [Switches(default_sort="shuffled"), Switches()])
def test_lists_without_sort(start, connect, switches):
    client = connect(start(60, switches=switches))
    same = walk(client, _limit=200) == walk(client, _limit=200)
    assert same == (switches.default_sort == "oldest_first")


@pytest.mark.parametrize("tie_order", ["id", "shuffled"])
def test_equal_sort_keys(start, connect, tie_order):
    box = start(switches=Switches(tie_order=tie_order))
    for number in range(20):
        put_dated(box, f"ACME-{number:02d}")
    walks = [walk(connect(box), _sort="+creation_dts") for _ in range(2)]
    assert sorted(walks[0]) == sorted(walks[1]) == order_ids(box)
    assert (walks[0] == walks[1]) == (tie_order == "id")


# --- copies ---------------------------------------------------------------------------------------


def test_the_cache_lags(start, connect):
    box = start(3)
    client = connect(box)
    put_dated(box, "new", creation_dts="2026-08-01T08:00:00-04:00")
    assert "new" in walk(client)
    assert "new" not in walk(client, ALL | {"query_target": "cache"})
    box.clock.advance(timedelta(seconds=300))
    assert "new" in walk(client, ALL | {"query_target": "cache"})
    box.shop.delete("new")
    assert "new" not in walk(client)
    assert "new" in walk(client, ALL | {"query_target": "cache"})


def test_cached_copies_of_old_orders_may_be_partial(start, connect):
    box = start(60, switches=Switches(cache_old_orders="partial"))
    ids = [order["order_id"] for order in box.truth()]
    client, params = connect(box), {"_expand": "summary,item"}
    bodies = {
        target: client.post(
            "/order/orders/batch", params=params, json={"order_ids": ids, "query_target": target}
        ).json()["orders"]
        for target in ("origin", "cache")
    }
    assert all("items" in order for order in bodies["origin"])
    thin = [order for order in bodies["cache"] if "items" not in order]
    assert 0 < len(thin) < 60
    assert all(o["creation_dts"] < "2025-08-02" for o in thin)
    assert {*thin[0]["summary"]} == {"total", "shipping_handling_total"}


def test_cards_and_transactions_are_found_in_the_cache_alone(lived_in, connect):
    client = connect(lived_in)
    order = next(o for o in lived_in.truth() if "credit_card" in o["payment"])
    cards = {
        "card_bin": "411111",
        "card_last4": order["payment"]["credit_card"]["card_number"][-4:],
    }
    dates = {
        "payment_date_begin": "2020-01-01T00:00:00Z",
        "payment_date_end": "2027-01-01T00:00:00Z",
    }
    detail = {"name": "Authorization Code", "value": "A"}
    cached = {"query_target": "cache"}
    assert order["order_id"] in walk(client, cards | dates | cached)
    assert walk(client, {"payment_transaction_filters": [detail]} | dates | cached)
    for bad in (cards | dates, cards | cached, {"payment_transaction_filters": [detail]}):
        assert client.post("/order/orders/query", json=bad).status_code == 400


def test_a_batch_leaves_out_what_is_gone(start, connect, order_ids):
    box = start(5)
    client = connect(box)
    asked = [order["order_id"] for order in box.truth()][::-1]
    box.shop.delete(asked[1])
    gone = {"order_ids": asked}
    assert order_ids(client.post("/order/orders/batch", json=gone)) == [asked[0], *asked[2:]]
    box.switches = Switches(batch_order="by_id")
    found = order_ids(client.post("/order/orders/batch", json=gone))
    assert found == sorted([asked[0], *asked[2:]])
    box.switches = Switches(unknown_batch_ids="rejected")
    assert client.post("/order/orders/batch", json=gone).status_code == 400


@pytest.mark.parametrize("ids", [[], ["x"] * 501, "x", None])
def test_a_batch_holds_one_to_five_hundred_ids(start, connect, ids):
    answer = connect(start()).post("/order/orders/batch", json={"order_ids": ids})
    assert answer.status_code == 400


def test_traffic_moves_the_shop_under_a_walk(start, connect):
    box = start(300, traffic=4)
    before = {order["order_id"]: order for order in box.truth()}
    box.moves.weights["delete"] = 20
    walk(connect(box), _limit=20, _sort="-creation_dts")
    after = {order["order_id"]: order for order in box.truth()}
    assert after.keys() - before.keys()
    assert before.keys() - after.keys()
    assert any(before[one] != after[one] for one in before.keys() & after.keys())
