"""The LicenseSpring sandbox: the shapes of the API, its life, and its open questions."""

from contextlib import ExitStack
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from orders_connector.sandbox.errors import Refusal
from orders_connector.sandbox.licensespring import Fault, LicenseSpringSandbox, Switches

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
GUIDE = Path(__file__).parents[3] / "docs" / "licensespring.md"

ORDER_KEYS = {
    *("id", "created_at", "updated_at", "store_id", "type", "customer_email", "is_test"),
    *("customer_reference", "is_trial", "download_id", "language", "campaign_params"),
    *("customer_first_name", "customer_last_name", "customer_company", "customer_phone"),
    *("metadata", "company", "customer", "customer_account", "license_users"),
}
CUSTOMER_KEYS = {
    *("id", "total_orders", "total_licenses", "labels", "email", "first_name", "last_name"),
    *("company_name", "phone", "reference", "address", "postcode", "city", "country", "state"),
    *("clabels_all", "cognito_user_pool_id", "metadata", "company", "license_user", "clabels"),
}
LICENSE_KEYS = {
    *("id", "order", "order_item", "order_store_id", "license_key", "status", "active"),
    *("enabled", "is_trial", "license_type", "created_at", "updated_at", "validity_period"),
    *("valid_duration", "max_activations", "times_activated", "time_activated"),
    *("subscription_id", "note", "product", "customer", "product_features"),
    *("product_custom_fields", "license_users"),
}
USER_KEYS = {
    *("id", "email", "true_email", "first_name", "last_name", "is_active", "is_manager"),
    *("initial_password", "is_initial_password"),
}
NEW = {
    "id": "CRM-1",
    "append": False,
    "is_test": False,
    "created": "2026-03-08 00:00:12",
    "order_type": "normal",
    "language": "en",
    "metadata": '{"invoice": "INV-55"}',
    "customer": {"email": "buyer@example.com", "company_name": "Example GmbH"},
    "items": [
        {
            "product_code": "draft",
            "licenses": [
                {
                    "users": [{"email": "user@example.com", "is_manager": False}],
                    "license_type": "subscription",
                    "valid_duration": "1y",
                    "max_activations": 3,
                },
                {"key": "OWN-KEY"},
            ],
        }
    ],
}


@pytest.fixture
def start():
    """Start sandboxes, empty ones with a fixed clock unless told otherwise, and connect."""
    with ExitStack() as stack:

        def make(orders=0, *, headers=None, **options):
            box = stack.enter_context(LicenseSpringSandbox(orders, **{"now": NOW, **options}))
            key = {"Authorization": f"Api-Key {box.api_key}"}
            client = httpx.Client(
                base_url=f"{box.base_url}/api/v1",
                headers=key if headers is None else headers,
                trust_env=False,
                verify=False,  # plain http: saves loading certificates for every client
            )
            return box, stack.enter_context(client)

        yield make


@pytest.fixture
def ids():
    def read(answer):
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["results"]]

    return read


# --- shapes ---------------------------------------------------------------------------------


def test_an_order_in_the_documented_form_is_created_and_read_back(start):
    box, client = start()
    created = client.post("/orders/create_order/", json=NEW)
    assert created.status_code == 201
    order = created.json()
    assert order == client.get(f"/orders/{order['id']}/").json() == box.truth()[0]
    assert order.keys() == ORDER_KEYS | {"order_items"}
    assert order["customer"].keys() == CUSTOMER_KEYS
    assert (order["store_id"], order["created_at"]) == ("CRM-1", "2026-03-08T00:00:12Z")
    assert order["metadata"] == {"invoice": "INV-55"}
    first, second = order["order_items"][0]["licenses"]
    assert first.keys() == LICENSE_KEYS
    assert first["license_users"][0].keys() == USER_KEYS
    assert first["validity_period"] == "2027-08-01T12:00:00Z"
    assert second["license_key"] == "OWN-KEY"
    assert (order["customer"]["total_orders"], order["customer"]["total_licenses"]) == (1, 2)


def test_a_list_has_flat_orders_and_an_update_answers_without_the_customer(start):
    _, client = start()
    order = client.post("/orders/create_order/", json=NEW).json()
    listed = client.get("/orders/").json()
    assert listed.keys() == {"count", "next", "previous", "results"}
    assert listed["results"][0].keys() == ORDER_KEYS
    changed = client.patch(f"/orders/{order['id']}/", json={"store_id": "patched store id"}).json()
    assert changed.keys() == ORDER_KEYS
    assert (changed["store_id"], changed["customer"]) == ("patched store id", None)
    licenses = client.get("/licenses/", params={"order__store_id": "patched store id"}).json()
    assert licenses["count"] == 2
    assert licenses["results"][0].keys() == LICENSE_KEYS


def test_the_same_seed_gives_the_same_past_and_life():
    def lived(seed):
        box = LicenseSpringSandbox(30, seed, now=NOW)
        box.moves.some(40)
        return box.shop.bodies(), box.clock.now()

    assert lived(3) == lived(3)
    assert lived(3) != lived(4)


def test_the_past_has_trials_tests_and_no_money(start):
    box, _ = start(400)
    orders = box.truth()
    assert {order["type"] for order in orders} == {"normal", "api_trial"}
    assert {order["is_test"] for order in orders} == {True, False}
    assert any(order["customer"] is None for order in orders)
    assert all(order["id"] > 2**50 for order in orders)
    keys = {key for order in orders for key in order}
    assert not keys & {"amount", "currency", "price", "total", "status", "discount"}


# --- lists ----------------------------------------------------------------------------------


def test_pages_are_cut_silently_and_linked(start, ids):
    box, client = start(30, switches=Switches(max_limit=12, archived="shown"))
    seen, url, pages = [], "/orders/?limit=100&order_by=created_at", 0
    while url:
        answer = client.get(url)
        seen += ids(answer)
        url, pages = answer.json()["next"], pages + 1
    assert (sorted(seen), pages) == (sorted(box.shop.order_ids()), 3)
    last = answer.json()
    assert (last["count"], len(last["results"])) == (30, 6)
    assert client.get(last["previous"]).json()["previous"] is not None
    assert len(ids(client.get("/orders/"))) == 12
    assert ids(client.get("/orders/?offset=30")) == []
    assert len(ids(client.get("/licenses/?limit=1000"))) <= 100


def test_sorting_turns_and_unknown_attributes_are_refused(start, ids):
    _, client = start(12)
    up, down = (ids(client.get(f"/orders/?order_by={sort}")) for sort in ("id", "-id"))
    assert up == sorted(up) == down[::-1]
    assert client.get("/orders/?order_by=amount").status_code == 400


def test_filters_of_orders(start, ids):
    _, client = start(5)
    order = client.post("/orders/create_order/", json=NEW | {"customer_account_id": 41}).json()
    for query in (
        "store_id=CRM-1",
        "store_id__startswith=CRM-1&customer__email=buyer@example.com",
        "customer__email__icontains=BUYER@",
        f"customer_id={order['customer']['id']}",
        "customer_company_name__icontains=gmbh&customer_email=buyer@example.com",
        "short_code=draft&customer_email=buyer@example.com",
        "customer_label__in=Customer,Other&customer_email=buyer@example.com",
        "metadata=%7B%22invoice%22%3A%20%22INV-55%22%7D",
    ):
        assert ids(client.get(f"/orders/?{query}")) == [order["id"]], query
    assert order["id"] in ids(client.get("/orders/?customer__account=41"))
    assert order["id"] not in ids(client.get("/orders/?customer__account__not=41"))
    assert ids(client.get("/orders/?store_id=nothing")) == []


def test_filters_of_licenses(start, ids):
    box, client = start(20)
    box.clock.advance(timedelta(hours=1))
    chosen = box.shop.license_ids()[7]
    box.shop.activate(chosen)
    since = "2026-08-01T13:00:00Z"
    assert ids(client.get("/licenses/", params={"updated_at__gte": since})) == [chosen]
    assert ids(client.get("/licenses/", params={"updated_at__gt": since})) == []
    assert ids(client.get("/licenses/", params={"updated_at__date__gte": "2026-08-01"})) == [chosen]
    assert ids(client.get("/licenses/", params={"id__in": f"{chosen},1"})) == [chosen]
    active = ids(client.get("/licenses/?active=true&limit=100"))
    idle = ids(client.get("/licenses/?active=false&limit=100"))
    assert chosen in active
    assert sorted(active + idle) == sorted(box.shop.license_ids())
    assert client.get("/licenses/?updated_at__gte=soon").status_code == 400


# --- writes ---------------------------------------------------------------------------------


def test_an_order_grows_only_when_asked_to(start):
    box, client = start()
    first = client.post("/orders/create_order/", json=NEW).json()
    assert client.post("/orders/create_order/", json=NEW).status_code == 400
    box.clock.advance(timedelta(minutes=5))
    grown = client.post("/orders/create_order/", json=NEW | {"append": True}).json()
    assert (grown["id"], len(grown["order_items"])) == (first["id"], 2)
    assert grown["updated_at"] == first["updated_at"]


def test_an_order_stands_still_while_its_licenses_change(start):
    box, _ = start(3)
    before = box.truth()[0]
    box.clock.advance(timedelta(hours=1))
    license_id = box.shop.licenses_of(before["id"])[0]
    after = box.shop.disable(license_id)
    assert (after["status"], after["updated_at"]) == ("Disabled", "2026-08-01T13:00:00Z")
    assert box.shop.get(before["id"])["updated_at"] == before["updated_at"]


@pytest.mark.parametrize(
    "body",
    [
        {"id": "a"},
        {"items": [{"product_code": "none"}]},
        {"items": [], "metadata": {"a": 1}},
        {"items": [], "created": "yesterday"},
        [],
    ],
)
def test_a_wrong_order_is_refused(start, body):
    box, client = start()
    assert client.post("/orders/create_order/", json=body).status_code == 400
    assert len(box.shop) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"store_id": "CRM-2"},
        {"is_test": "yes"},
        {"is_trial": 1},
        {"customer": 1},
        {"store_id": None},
    ],
)
def test_a_wrong_update_is_refused(start, changes):
    box, client = start()
    for store_id in ("CRM-1", "CRM-2"):
        client.post("/orders/create_order/", json=NEW | {"id": store_id})
    before = box.truth()
    assert client.patch(f"/orders/{before[0]['id']}/", json=changes).status_code == 400
    assert box.truth() == before


def test_an_order_moves_to_another_customer_with_its_counts(start):
    box, client = start()
    first = client.post("/orders/create_order/", json=NEW).json()
    other = NEW | {"id": "CRM-2", "customer": {"email": "other@example.com"}, "items": []}
    second = client.post("/orders/create_order/", json=other).json()
    client.patch(f"/orders/{first['id']}/", json={"customer": second["customer"]["id"]})
    customer = box.shop.get(first["id"])["customer"]
    assert customer["email"] == "other@example.com"
    assert (customer["total_orders"], customer["total_licenses"]) == (2, 2)


def test_only_an_order_without_licenses_can_be_deleted(start):
    box, client = start()
    full = client.post("/orders/create_order/", json=NEW).json()["id"]
    empty = client.post("/orders/create_order/", json={"items": []}).json()["id"]
    assert client.delete(f"/orders/{full}/safe_delete/").status_code == 400
    assert client.delete(f"/orders/{empty}/safe_delete/").status_code == 204
    assert client.get(f"/orders/{empty}/").status_code == 404
    assert box.shop.order_ids() == [full]


def test_odd_payloads_are_answered_verbatim_until_the_next_update(start):
    box, client = start()
    odd = {"id": 7, "customer": "nobody", "created_at": None, "new_key": [1.5]}
    box.shop.put_raw(odd)
    assert client.get("/orders/7/").json() == client.get("/orders/").json()["results"][0] == odd
    assert client.patch("/orders/7/", json={"is_test": True}).json().keys() == ORDER_KEYS


def test_exports_and_generated_keys(start):
    _, client = start()
    order = client.post("/orders/create_order/", json=NEW).json()
    one = client.get(f"/orders/{order['id']}/export/").text.splitlines()
    assert (len(one), "OWN-KEY" in one[2]) == (3, True)
    assert client.get("/orders/export/?from=2026-03-08&to=2026-03-08").text.splitlines() == one
    assert len(client.get("/orders/export/?range=last30").text.splitlines()) == 1
    assert client.get("/orders/export/").status_code == 400
    keys = client.get("/orders/generate_license/?product=draft&quantity=3").json()
    assert len(set(keys)) == 3
    assert client.get("/orders/generate_license/?product=none").status_code == 404


# --- access, trouble, life ------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Api-Key wrong"}, {"X-App-Id": "a"}])
def test_only_the_key_opens(start, headers):
    _, client = start(1, headers=headers)
    assert client.get("/orders/").status_code == 401


def test_errors_hold_one_text(start):
    _, client = start()
    assert client.get("/orders/1/").json().keys() == {"message"}
    assert client.post("/orders/create_order/", content=b"{").json().keys() == {"detail"}
    assert client.put("/orders/").status_code == 405


def test_a_path_without_its_slash_is_redirected_for_reading_only(start):
    box, client = start()
    moved = client.get("/orders?limit=3", follow_redirects=False)
    assert moved.status_code == 301
    assert moved.headers["location"] == f"{box.base_url}/api/v1/orders/?limit=3"
    assert client.post("/orders/create_order", json=NEW).status_code == 404


def test_trouble_on_order_and_one_spoilt_order_of_a_page(start):
    box, client = start(5)
    whole = client.get("/orders/").json()["results"]
    box.faults.add(Fault("status", status=503, times=1), Fault("broken_order", broken="null"))
    assert client.get("/orders/").status_code == 503
    rows = client.get("/orders/").json()["results"]
    assert rows == [None, *whole[1:]]


def test_the_vendor_lives_while_somebody_reads(start):
    box, client = start(40, traffic=30)
    before = box.truth()
    client.get("/licenses/")
    assert box.truth() != before
    assert box.clock.now() > NOW
    made = box.moves.day()
    assert sum(made.values()) > 5


@pytest.mark.parametrize(
    "kind",
    ["create", "trial", "append", "patch", "activate", "disable", "backdate", "archive", "delete"],
)
def test_each_kind_of_move_leaves_a_whole_state(start, kind):
    box, client = start(6)
    before = len(box.shop)
    assert box.moves.make(kind) == 1
    grows = {"create": 1, "trial": 1, "backdate": 1, "delete": -1}
    assert len(box.truth()) == len(box.shop) == before + grows.get(kind, 0)
    licenses = [
        one for order in box.truth() for item in order["order_items"] for one in item["licenses"]
    ]
    assert sorted(one["id"] for one in licenses) == sorted(box.shop.license_ids())
    assert client.get("/orders/").status_code == 200


def test_control_from_another_process(start):
    box, client = start(2)
    root = f"{box.base_url}/_sandbox"
    client.post(f"{root}/clock", json={"advance_seconds": 60})
    assert box.clock.now() == NOW + timedelta(minutes=1)
    client.post(f"{root}/mutate", json={"op": "create", "order": NEW})
    assert len(client.get(f"{root}/truth").text.splitlines()) == 3
    assert client.post(f"{root}/mutate", json={"op": "fly"}).status_code == 400
    assert box.calls == []


# --- open questions -------------------------------------------------------------------------


def switched(box, **changes):
    box.switches = replace(box.switches, **changes)


def test_filters_on_times_of_orders(start):
    box, client = start(10, switches=Switches(archived="shown"))
    late = {"updated_at__gte": "2030-01-01T00:00:00Z"}
    assert client.get("/orders/", params=late).json()["count"] == 10
    switched(box, time_filters="honoured")
    assert client.get("/orders/", params=late).json()["count"] == 0
    switched(box, time_filters="rejected")
    assert client.get("/orders/", params=late).status_code == 400


def test_sorting_by_updated_at(start, ids):
    box, client = start(20)
    box.shop.update(box.truth()[0]["id"], {"is_test": True})
    assert ids(client.get("/orders/?order_by=-updated_at"))[0] == box.truth()[0]["id"]
    switched(box, sort_by_updated_at="ignored")
    assert ids(client.get("/orders/?order_by=-updated_at")) == ids(client.get("/orders/"))
    switched(box, sort_by_updated_at="rejected")
    assert client.get("/orders/?order_by=-updated_at").status_code == 400


def test_default_sort_and_ties(start, ids):
    box, client = start(0)
    for _ in range(12):
        box.shop.create({"items": []})
    first = ids(client.get("/orders/"))
    assert ids(client.get("/orders/")) == first
    switched(box, tie_order="shuffled")
    assert len({tuple(ids(client.get("/orders/"))) for _ in range(4)}) > 1
    switched(box, tie_order="id", default_sort="newest_last")
    assert ids(client.get("/orders/")) == ids(client.get("/orders/?order_by=created_at"))


def test_archived_orders(start, ids):
    box, client = start(0)
    kept, archived = (box.shop.create({"items": []})["id"] for _ in range(2))
    box.shop.archive(archived)
    assert ids(client.get("/orders/")) == [kept]
    assert ids(client.get("/orders/?is_archived=true")) == [archived]
    switched(box, archived="shown", archived_key="present")
    shown = {row["id"]: row["is_archived"] for row in client.get("/orders/").json()["results"]}
    assert shown == {kept: False, archived: True}


def test_rows_with_items_links_and_precision(start):
    box, client = start(0, now=NOW + timedelta(microseconds=5))
    switched(box, list_items="present", created_at_precision="microseconds")
    box.shop.create(NEW | {"created": None})
    box.shop.create(NEW | {"id": "CRM-2"})
    switched(box, next_links="other_host")
    page = client.get("/orders/?limit=1").json()
    assert len(page["results"][0]["order_items"][0]["licenses"]) == 2
    assert page["results"][0]["created_at"] == "2026-08-01T12:00:00.000005Z"
    assert not page["next"].startswith(box.base_url)


@pytest.mark.parametrize(("form", "kind"), [("object", dict), ("id", int), ("text", str)])
def test_the_account_of_a_customer(start, form, kind):
    box, client = start(0, switches=Switches(customer_account=form))
    order = box.shop.create({"items": [], "customer_account_id": 41})
    assert isinstance(order["customer_account"], kind)
    changed = client.patch(f"/orders/{order['id']}/", json={"customer_account": "North"}).json()
    assert isinstance(changed["customer_account"], kind)


@pytest.mark.parametrize(("form", "kind"), [("null", type(None)), ("id", int), ("object", dict)])
def test_the_customer_after_an_update(start, form, kind):
    box, _ = start(0, switches=Switches(updated_customer=form))
    order = box.shop.create(NEW)
    assert isinstance(box.shop.update(order["id"], {})["customer"], kind)


def test_creation_without_an_id_and_its_status(start):
    box, client = start()
    assert len(client.post("/orders/create_order/", json={"items": []}).json()["store_id"]) == 32
    switched(box, create_without_id="refused", create_status="ok")
    assert client.post("/orders/create_order/", json={"items": []}).status_code == 400
    assert box.moves.make("trial") == 1  # the platform gives its own orders an id
    assert client.post("/orders/create_order/", json=NEW).status_code == 200


def test_appending_may_move_the_order(start):
    box, _ = start(0, switches=Switches(append_touches_updated_at="yes"))
    first = box.shop.create(NEW)
    box.clock.advance(timedelta(seconds=1))
    assert box.shop.create(NEW | {"append": True})["updated_at"] > first["updated_at"]


def test_limits_and_what_errors_say(start):
    box, client = start(1, switches=Switches(requests_per_minute=2, unknown_filters="rejected"))
    assert client.get("/orders/?colour=red").status_code == 400
    assert client.get("/orders/").status_code == 200
    refused = client.get("/orders/")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    switched(box, retry_after="omitted", error_key="message")
    refused = client.get("/orders/")
    assert "retry-after" not in refused.headers
    assert refused.json().keys() == {"message"}
    box.clock.advance(timedelta(minutes=1))
    assert client.get("/orders/").status_code == 200
    switched(box, wrong_key="forbidden")
    assert client.get("/orders/", headers={"Authorization": "x"}).status_code == 403


def test_switches_are_checked_and_documented():
    assert Switches.parse(["max_limit=5", "archived=shown"]) == Switches(
        max_limit=5, archived="shown"
    )
    for wrong in ("archived=perhaps", "max_limit=0", "unknown=1"):
        with pytest.raises(ValueError, match="switch"):
            Switches.parse([wrong])
    guide = GUIDE.read_text()
    for switch in fields(Switches):
        assert f"| `{switch.name}` |" in guide
        assert f"**`{switch.default}`**" in guide


def test_the_back_door_refuses_what_is_not_there(start):
    box, _ = start()
    for ask in (
        lambda: box.shop.get(1),
        lambda: box.shop.license(1),
        lambda: box.shop.update(1, {}),
        lambda: box.shop.change_license(1),
        lambda: box.shop.safe_delete(1),
    ):
        with pytest.raises(Refusal):
            ask()
