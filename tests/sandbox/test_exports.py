"""Exports: their life, their filters, their files, and what is open about them."""

import csv
import io
import json
from datetime import timedelta

import pytest

from orders_connector.sandbox.voucherify import Switches

FIELDS = [
    *("id", "source_id", "created_at", "updated_at", "status", "amount", "discount_amount"),
    *("items_discount_amount", "total_discount_amount", "total_amount", "customer_id"),
    *("referrer_id", "metadata"),
]


def filtered(field, operator):
    return {"parameters": {"filters": {field: {"conditions": {operator: ["x"]}}}}}


@pytest.fixture
def rows(connect, export, download):
    """Export from a box and return the CSV rows, the header first."""

    def run(box, **parameters):
        client = connect(box)
        answer = download(client, export(client, **parameters))
        assert answer.status_code == 200, answer.text
        return list(csv.reader(io.StringIO(answer.text)))

    return run


@pytest.fixture
def exported(rows):
    """Export with filters and return just the ids."""

    def run(box, filters, order="created_at"):
        return [row[0] for row in rows(box, fields=["id"], filters=filters, order=order)[1:]]

    return run


@pytest.fixture
def five(start):
    """Orders o0 to o4, one second apart; o3 updated a minute later."""

    def make(**switches):
        box = start(switches=Switches(**switches))
        for number in range(5):
            box.shop.create(
                {"id": f"o{number}", "amount": 100 * number, "source_id": f"s-{number}"}
            )
            box.clock.advance(timedelta(seconds=1))
        box.clock.advance(timedelta(minutes=1))
        box.shop.update("o3", {"status": "PAID", "metadata": {"tags": ["a", "b"], "n": 5}})
        return box

    return make


def test_export_goes_from_scheduled_over_in_progress_to_done(start, connect):
    client = connect(start())
    started = client.post("/v1/orders/export", json={"parameters": {"fields": ["id"]}}).json()
    assert started["id"].startswith("exp_")
    assert (started["status"], started["result"], started["channel"]) == ("SCHEDULED", None, "API")
    assert (started["exported_object"], started["parameters"]) == ("order", {"fields": ["id"]})
    states = [client.get(f"/v1/exports/{started['id']}").json() for _ in range(3)]
    assert [state["status"] for state in states] == ["IN_PROGRESS", "DONE", "DONE"]
    assert "token=" in states[-1]["result"]["url"]


def test_export_takes_time_on_the_clock(start, connect):
    box = start(switches=Switches(export_seconds=60, export_polls=1))
    client = connect(box)
    path = f"/v1/exports/{client.post('/v1/orders/export', json={}).json()['id']}"
    assert [client.get(path).json()["status"] for _ in range(5)] == ["IN_PROGRESS"] * 5
    box.clock.advance(timedelta(seconds=60))
    assert client.get(path).json()["status"] == "DONE"


@pytest.mark.parametrize(
    ("value", "status"), [("done", "DONE"), ("error", "ERROR"), ("never", "IN_PROGRESS")]
)
def test_export_ends_as_the_switch_says(start, connect, export, value, status):
    state = export(connect(start(switches=Switches(export_outcome=value))))
    assert state["status"] == status
    assert (state["result"] is not None) == (status == "DONE")


def test_file_holds_the_orders_of_when_the_export_ran(five, connect, download):
    box = five()
    client = connect(box)
    path = f"/v1/exports/{client.post('/v1/orders/export', json={}).json()['id']}"
    box.shop.create({"id": "before the run"})
    client.get(path)
    box.shop.create({"id": "after the run"})
    box.shop.update("o1", {"status": "CANCELED"})
    text = download(client, client.get(path).json()).text
    assert "before the run" in text
    assert "after the run" not in text
    assert "CANCELED" not in text


def test_all_fields_come_as_the_api_shows_them(lived_in, rows):
    header, *lines = rows(lived_in, fields=FIELDS, order="created_at")
    assert header[:3] == ["ID", "Source ID", "Created At"]
    truth = {order["id"]: order for order in lived_in.shop.truth()}
    assert len(lines) == len(truth)
    for line in lines:
        order = truth[line[0]]
        for field, cell in zip(FIELDS[:-1], line, strict=False):
            value = order.get(field)
            assert cell == ("" if value is None else str(value))
        assert json.loads(line[-1] or "null") == order.get("metadata")


def test_default_fields_and_sorts(five, rows):
    box = five()
    header, *lines = rows(box)
    assert header == ["ID", "Source ID", "Status"]
    assert [line[0] for line in lines] == ["o4", "o3", "o2", "o1", "o0"]
    assert rows(box, order="-status")[1] == ["o3", "s-3", "PAID"]
    assert rows(box, order="status")[-1] == ["o3", "s-3", "PAID"]
    assert rows(box, order="-updated_at")[1][0] == "o3"


def test_metadata_key_columns(five, rows):
    box = five(export_header="fields")
    found = rows(box, fields=["id", "metadata.n", "metadata.tags"], order="created_at")
    assert found[0] == ["id", "metadata.n", "metadata.tags"]
    assert found[4] == ["o3", "5", '["a","b"]']
    assert found[1] == ["o0", "", ""]
    box.switches = Switches(export_metadata_nested="joined")
    assert rows(box, fields=["metadata.tags"], order="-updated_at")[1] == ["a,b"]


@pytest.mark.parametrize(
    ("bounds", "precision", "expected"),
    [
        ("exclusive", "milliseconds", ["o2"]),
        ("inclusive", "milliseconds", ["o1", "o2", "o3"]),
        ("exclusive", "microseconds", ["o1", "o2"]),
        ("inclusive", "seconds", ["o1", "o2", "o3"]),
    ],
)
def test_bounds_and_their_precision(five, exported, bounds, precision, expected):
    box = five(export_bounds=bounds, export_bound_precision=precision)
    odd = box.shop.get("o1") | {"created_at": "2026-08-01T12:00:01.000500Z"}
    box.shop.put_raw(odd)
    conditions = {"$after": ["2026-08-01T12:00:01.000Z"], "$before": ["2026-08-01T12:00:03.000Z"]}
    assert exported(box, {"junction": "and", "created_at": {"conditions": conditions}}) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("hidden", ["o3"]), ("shown", ["o0", "o1", "o2", "o3", "o4"])]
)
def test_orders_never_updated_in_a_filter_on_updated_at(five, exported, value, expected):
    filters = {"updated_at": {"conditions": {"$after": ["2026-08-01T00:00:00Z"]}}}
    assert exported(five(export_null_updated_at=value), filters) == expected


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("status", "$is", ["PAID"], "3"),
        ("status", "$is_not", ["PAID"], "0124"),
        ("status", "$in", ["PAID", "CANCELED"], "3"),
        ("status", "$not_in", ["CREATED"], "3"),
        ("source_id", "$starts_with", ["s-"], "01234"),
        ("source_id", "$ends_with", ["-2"], "2"),
        ("source_id", "$contains", ["1", "4"], "14"),
        ("source_id", "$not_contain", ["1"], "0234"),
        ("amount", "$more_than", 200, "34"),
        ("amount", "$less_than", [200], "01"),
        ("amount", "$more_than_equal", [200], "234"),
        ("amount", "$less_than_equal", [200], "012"),
        ("discount_amount", "$has_value", [], ""),
        ("discount_amount", "$is_unknown", [], "01234"),
        ("metadata.tags", "$in", ["b"], "3"),
        ("metadata.tags", "$count", [2], "3"),
        ("metadata.n", "$is", [5], "3"),
        ("metadata.n", "$more_than", ["text"], ""),
    ],
)
def test_general_filters(five, exported, field, operator, value, expected):
    found = exported(five(), {field: {"conditions": {operator: value}}})
    assert "".join(order_id[1] for order_id in found) == expected


def test_junction_joins_fields_and_by_switch_conditions(five, exported):
    box = five()
    filters = {
        "junction": "or",
        "amount": {"conditions": {"$more_than": [300], "$less_than": [100]}},
        "status": {"conditions": {"$is": ["PAID"]}},
    }
    assert exported(box, filters) == ["o3"]
    box.switches = Switches(export_conditions="junction")
    assert exported(box, filters) == ["o0", "o3", "o4"]
    assert exported(box, filters | {"junction": "and"}) == []


def test_filters_on_ids_are_rejected_or_accepted(five, connect, exported):
    filters = {"id": {"conditions": {"$in": ["o1"]}}}
    body = {"parameters": {"filters": filters}}
    answer = connect(five()).post("/v1/orders/export", json=body)
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
    assert exported(five(export_id_filters="accepted"), filters) == ["o1"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"parameters": {"fields": ["items"]}}, "invalid_export_fields"),
        ({"parameters": {"fields": "id"}}, "invalid_payload"),
        ({"parameters": {"order": "amount"}}, "invalid_export_params"),
        ({"parameters": {"filters": {"status": "PAID"}}}, "invalid_payload"),
        (filtered("status", "$like"), "invalid_payload"),
        (filtered("created_at", "$is"), "invalid_payload"),
        (filtered("created_at", "$after"), "invalid_payload"),
        (filtered("nonsense", "$is"), "invalid_payload"),
        ({"parameters": {"filters": {"junction": "xor"}}}, "invalid_payload"),
        ({"parameters": []}, None),
        ({"parameters": 5}, "invalid_payload"),
    ],
)
def test_wrong_parameters_are_refused(start, connect, body, key):
    answer = connect(start()).post("/v1/orders/export", json=body)
    assert answer.json().get("key") == key
    assert (answer.status_code == 400) == (key is not None)


def test_generic_start_needs_a_known_object(start, connect):
    client = connect(start())
    answer = client.post("/v1/exports", json={"exported_object": "orders"})
    assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
    assert client.post("/v1/exports", json={"exported_object": "order"}).status_code == 200


def test_exports_are_listed_with_those_of_the_dashboard(start, connect):
    box = start()
    client = connect(box)
    mine = client.post("/v1/orders/export", json={}).json()
    box.exports.start({"exported_object": "customer"}, channel="WEBSITE")
    answer = client.get("/v1/exports?order=-created_at&limit=1").json()
    assert (answer["data_ref"], answer["total"]) == ("exports", 2)
    assert answer["exports"][0]["channel"] == "WEBSITE"
    assert client.get("/v1/exports?order=created_at").json()["exports"][0] == mine
    assert client.get("/v1/exports?page=3").json()["exports"] == []
    assert client.get("/v1/exports?order=id").status_code == 400


def test_a_deleted_export_is_gone(start, connect, export, download):
    client = connect(start())
    state = export(client)
    deleted = client.delete(f"/v1/exports/{state['id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    again = client.delete(f"/v1/exports/{state['id']}")
    assert (again.status_code, again.json()["resource_type"]) == (404, "export")
    assert download(client, state).status_code == 404


# --- files: open questions -----------------------------------------------------------------------


def test_header_holds_labels_or_field_names(five, rows):
    assert rows(five(export_header="labels"), fields=FIELDS)[0][-2:] == ["Referrer ID", "Metadata"]
    assert rows(five(export_header="fields"), fields=FIELDS)[0] == FIELDS


@pytest.mark.parametrize(("value", "cell"), [("integers", "700"), ("decimal", "7.00")])
def test_money_is_integers_or_decimals(start, rows, value, cell):
    box = start(switches=Switches(export_money=value))
    box.shop.create({"amount": 700})
    assert rows(box, fields=["amount"])[1] == [cell]


def test_metadata_is_one_json_column_or_a_column_per_key(five, rows):
    box = five(export_header="fields", export_metadata="columns")
    found = rows(box, fields=["id", "metadata", "amount"], order="created_at")
    assert found[0] == ["id", "metadata.n", "metadata.tags", "amount"]
    assert found[4] == ["o3", "5", '["a","b"]', "300"]
    box.switches = Switches(export_metadata="json")
    assert json.loads(rows(box, fields=["metadata"], order="-updated_at")[1][0])["n"] == 5


def test_bom_line_ends_and_quotes(five, connect, export, download):
    box = five()
    client = connect(box)

    def raw(**switches):
        box.switches = Switches(export_header="fields", **switches)
        return download(client, export(client, fields=["id", "amount"])).content

    assert raw().startswith(b"id,amount\no4,400\n")
    assert raw(export_line_end="crlf").startswith(b"id,amount\r\no4,400\r\n")
    assert raw(export_csv_bom="yes").startswith(b"\xef\xbb\xbfid,amount\n")
    assert raw(export_quoting="all").startswith(b'"id","amount"\n"o4","400"\n')


def test_echo_repeats_parameters_as_sent_or_with_defaults(start, connect):
    box = start()
    client = connect(box)
    body = {"parameters": {"fields": ["id"]}}
    assert client.post("/v1/orders/export", json=body).json()["parameters"] == {"fields": ["id"]}
    box.switches = Switches(export_echo="with_defaults")
    assert client.post("/v1/orders/export", json=body).json()["parameters"] == {
        "order": "-created_at",
        "fields": ["id"],
        "filters": {"junction": "and"},
    }


def test_row_limit_fails_or_truncates_silently(five, connect, export, rows):
    box = five(export_row_limit=3)
    assert export(connect(box))["status"] == "ERROR"
    box.switches = Switches(export_row_limit=3, export_over_row_limit="truncated")
    assert len(rows(box)) == 1 + 3
    box.switches = Switches(export_row_limit=5)
    assert len(rows(box)) == 1 + 5


def test_exports_beyond_the_parallel_limit_wait(start, connect):
    client = connect(start(switches=Switches(export_parallel=1)))
    one, two = (client.post("/v1/orders/export", json={}).json()["id"] for _ in range(2))
    assert client.get(f"/v1/exports/{two}").json()["status"] == "SCHEDULED"
    assert [client.get(f"/v1/exports/{one}").json()["status"] for _ in range(2)][-1] == "DONE"
    assert client.get(f"/v1/exports/{two}").json()["status"] == "IN_PROGRESS"


def test_an_export_that_nobody_asks_for_does_not_block_the_queue(start, connect):
    client = connect(start(switches=Switches(export_parallel=1)))
    _, two = (client.post("/v1/orders/export", json={}).json()["id"] for _ in range(2))
    seen = [client.get(f"/v1/exports/{two}").json()["status"] for _ in range(4)]
    assert seen == ["SCHEDULED", "SCHEDULED", "IN_PROGRESS", "DONE"]


def test_role_may_forbid_exports(start, connect):
    answer = connect(start(switches=Switches(export_allowed="no"))).post(
        "/v1/orders/export", json={}
    )
    assert (answer.status_code, answer.json()["key"]) == (403, "missing_required_permission")


# --- download ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "neither", "token", "keys", "both"),
    [
        ("both", 401, 401, 401, 200),
        ("token", 401, 200, 401, 200),
        ("keys", 401, 401, 200, 200),
        ("either", 401, 200, 200, 200),
    ],
)
def test_download_asks_for_what_the_switch_says(
    start, connect, export, mode, neither, token, keys, both
):
    box = start(switches=Switches(download_auth=mode))
    keyed, bare = connect(box), connect(box, headers={})
    url = export(keyed)["result"]["url"]
    without = url.split("?")[0]
    statuses = [
        c.get(u).status_code
        for c, u in ((bare, without), (bare, url), (keyed, without), (keyed, url))
    ]
    assert statuses == [neither, token, keys, both]
    wrong = bare.get(without + "?token=wrong")
    assert (wrong.status_code, wrong.json()) == (
        401,
        {"code": 401, "message": "Unauthorized", "key": "unauthorized"},
    )


def test_download_is_on_another_host_and_plain_text(start, connect, export, download):
    box = start()
    client = connect(box)
    state = export(client)
    assert state["result"]["url"].startswith(box.download_url)
    answer = download(client, state)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["date"] == "Sat, 01 Aug 2026 12:00:00 GMT"
    same_path = client.get(f"/v1/exports/{state['id']}")
    assert same_path.json()["object"] == "export"
    assert [call.status for call in box.downloads] == [200]


def test_download_may_redirect_to_a_host_that_refuses_keys(start, connect, export, download):
    box = start(switches=Switches(download_redirect="storage"))
    client = connect(box)
    answer = download(client, export(client))
    assert answer.status_code == 302
    target = answer.headers["location"]
    assert target.startswith(box.storage_url)
    assert client.get(target).status_code == 400
    bare = connect(box, headers={})
    assert bare.get(target).text == "ID,Source ID,Status\n"
    assert bare.get(target.split("?")[0]).status_code == 401


def test_a_file_can_be_had_for_its_life_only(start, connect, export, download):
    box = start(switches=Switches(download_life_seconds=60))
    client = connect(box)
    state = export(client)
    box.clock.advance(timedelta(seconds=59))
    assert download(client, state).status_code == 200
    box.clock.advance(timedelta(seconds=1))
    assert download(client, state).status_code == 401


def test_an_unfinished_export_has_no_file(start, connect):
    box = start()
    client = connect(box)
    started = client.post("/v1/orders/export", json={}).json()
    answer = client.get(f"{box.download_url}/v1/exports/{started['id']}?token=x")
    assert answer.status_code == 404
