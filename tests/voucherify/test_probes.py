"""Probes find out each thing that the sandbox can be switched to, within the stated bound."""

import random
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from orders_connector.sandbox.voucherify import Fault, Plan, Switches
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.probes import MOST_CALLS, probe
from orders_connector.sources.voucherify.profile import Profile

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def ask(settings_for, tmp_path):
    """Probe a sandbox and count at the sandbox; waits move its clock."""

    async def probing(box, extra="", **transport):
        async def sleep(seconds):
            box.clock.advance(timedelta(seconds=seconds))

        box.reset_calls()
        time = {
            "sleep": sleep,
            "clock": lambda: box.clock.now().timestamp(),
            "rng": random.Random(1),
        }
        account = settings_for(box, extra).accounts["shop"]
        async with VoucherifyClient.for_account(account, **(time | transport)) as client:
            answers = await probe(client, tmp_path)
        assert len(box.calls) + len(box.downloads) <= MOST_CALLS
        assert [found.capability for found in answers] == [field.name for field in fields(Profile)]
        assert all(found.evidence for found in answers)
        return {found.capability: found.answer for found in answers}

    return probing


@pytest.fixture
def shop(start_shop):
    def start(orders=130, **switches):
        return start_shop(orders, switches=Switches(**switches))

    return start


async def test_the_documented_reading(shop, ask):
    answers = await ask(shop())
    assert Profile.of(answers) == Profile(
        last_page=100,
        exports_allowed=True,
        null_updated_at_in_exports=False,
        export_bounds_inclusive=False,
        export_header="labels",
        export_money="integers",
        export_metadata="json",
        list_created_at_filter="ignored",
        nulls_in_updated_sort="last",
        default_sort="newest_first",
        rate_headers=False,  # the sandbox's plan has no limits here
        download="works",
        source_id_with_slash=True,
    )


@pytest.mark.parametrize(
    ("switch", "value", "capability", "answer"),
    [
        ("page_over_limit", "invalid_query_params", "last_page", "100"),
        ("page_over_limit", "not_found", "last_page", "100"),
        ("page_over_limit", "empty", "last_page", "100"),
        ("export_allowed", "no", "exports_allowed", "no"),
        ("export_allowed", "no", "export_money", "not seen"),
        ("export_null_updated_at", "shown", "null_updated_at_in_exports", "yes"),
        ("export_null_updated_at", "hidden", "null_updated_at_in_exports", "no"),
        ("export_bounds", "inclusive", "export_bounds_inclusive", "yes"),
        ("export_bounds", "exclusive", "export_bounds_inclusive", "no"),
        ("export_header", "fields", "export_header", "fields"),
        ("export_money", "decimal", "export_money", "decimal"),
        ("export_metadata", "columns", "export_metadata", "columns"),
        ("list_created_at_filter", "honoured", "list_created_at_filter", "honoured"),
        ("list_created_at_filter", "rejected", "list_created_at_filter", "rejected"),
        ("null_updated_at", "first", "nulls_in_updated_sort", "first"),
        ("null_updated_at", "smallest", "nulls_in_updated_sort", "smallest"),
        ("null_updated_at", "largest", "nulls_in_updated_sort", "largest"),
        ("updated_at_on_create", "same", "null_updated_at_in_exports", "not seen"),
        ("updated_at_on_create", "absent", "null_updated_at_in_exports", "no"),
        ("default_sort", "newest_last", "default_sort", "newest_last"),
        ("download_redirect", "storage", "download", "works"),
        ("download_auth", "token", "download", "works"),
        ("download_auth", "keys", "download", "works"),
        ("download_auth", "either", "download", "works"),
    ],
)
async def test_each_answer(shop, ask, switch, value, capability, answer):
    assert (await ask(shop(**{switch: value})))[capability] == answer


FORMS = [
    {"export_quoting": "all", "export_line_end": "crlf", "export_csv_bom": "yes"},
    {"export_bound_precision": "seconds", "export_echo": "with_defaults"},
    {"tie_order": "shuffled", "response_key_order": "varies"},
]


@pytest.mark.parametrize("other", FORMS)
@pytest.mark.parametrize("bounds", ["inclusive", "exclusive"])
async def test_other_forms_of_the_file_change_no_answer(shop, ask, other, bounds):
    usual = await ask(shop(export_bounds=bounds))
    assert await ask(shop(export_bounds=bounds, **other)) == usual


@pytest.mark.parametrize("over_limit", ["page_over_limit", "not_found", "empty"])
@pytest.mark.parametrize("pages", [1, 3, 57, 99, 101, 128])
async def test_a_cap_of_the_server_s_own(shop, ask, pages, over_limit):
    box = shop(listing_pages=pages, page_over_limit=over_limit)
    assert (await ask(box))["last_page"] == str(pages)


async def test_a_cap_far_above_the_documented_one_is_never_overstated(start_shop, ask):
    box = start_shop(1_100, switches=Switches(listing_pages=777))
    assert 100 < int((await ask(box))["last_page"]) <= 777
    box.switches = replace(box.switches, listing_pages=5_000)
    assert (await ask(box))["last_page"] == "1000"


@pytest.mark.parametrize(("plan", "answer"), [(Plan.SANDBOX, "yes"), (Plan.UNLIMITED, "no")])
async def test_rate_headers(start_shop, ask, plan, answer):
    assert (await ask(start_shop(20, plan=plan)))["rate_headers"] == answer


async def test_rate_headers_can_be_switched_off(start_shop, ask):
    box = start_shop(20, plan=Plan.SANDBOX, switches=Switches(rate_limit_headers="never"))
    assert (await ask(box))["rate_headers"] == "no"


async def test_a_source_id_with_a_slash(shop, ask):
    box = shop()
    order = box.shop.create({"source_id": "web/2026/1", "amount": 500})
    assert (await ask(box))["source_id_with_slash"] == "yes"
    box.faults.add(Fault("status", status=404, path=f"/v1/orders/{order['source_id']}"))
    assert (await ask(box))["source_id_with_slash"] == "no"


@pytest.mark.parametrize("answer", ["ignored", "honoured", "rejected"])
async def test_an_order_of_the_future_does_not_hide_how_the_filter_works(shop, ask, answer):
    box = shop(list_created_at_filter=answer)
    box.shop.create({"amount": 500, "created_at": "2199-01-01T00:00:00.000Z"})
    assert (await ask(box))["list_created_at_filter"] == answer


async def test_an_edge_that_is_erased_meanwhile_decides_nothing(shop, ask):
    box = shop(export_bounds="inclusive")
    newest = max(box.shop.truth(), key=lambda o: (o["updated_at"] is not None, o["created_at"]))

    def erase(call):
        if call.path == "/v1/orders/export":
            box.shop.delete(newest["id"])

    box.on_request = erase
    answers = await ask(box)
    assert answers["export_bounds_inclusive"] == "mixed"
    assert Profile.of(answers).export_bounds_inclusive is None


async def test_a_download_host_that_is_not_allowed_gets_no_keys(shop, ask):
    box = shop()
    box.exports.download_url = box.download_url.replace("127.0.0.1", "localhost")
    answers = await ask(box)
    assert (answers["download"], answers["export_header"]) == ("refused", "not seen")
    assert box.downloads == []


async def test_an_empty_shop_answers_what_it_can(shop, ask):
    answers = await ask(shop(0))
    assert {name for name, answer in answers.items() if answer != "not seen"} == {
        *("exports_allowed", "download", "export_header", "export_metadata", "rate_headers")
    }


@pytest.mark.parametrize("orders", [1, 2, 3])
async def test_few_orders_are_enough_for_the_forms(shop, ask, orders):
    answers = await ask(shop(0))
    box = shop(0, export_money="decimal")
    for number in range(orders):
        box.shop.create({"amount": 1_000 + number})
        box.clock.advance(timedelta(hours=1))
    answers = await ask(box)
    assert (answers["export_money"], answers["export_header"]) == ("decimal", "labels")
    assert answers["export_bounds_inclusive"] == ("no" if orders == 3 else "not seen")
    assert answers["last_page"] == "not seen"


async def test_an_imported_shop_has_one_creation_time_and_no_bounds(shop, ask):
    box = shop(0, export_bounds="inclusive")
    for number in range(5):
        box.shop.create({"amount": 1_000 + number})
    answers = await ask(box)
    assert (answers["export_money"], answers["export_bounds_inclusive"]) == ("integers", "not seen")


async def test_what_fails_is_unknown_and_the_rest_goes_on(shop, ask):
    box = shop(export_outcome="error")
    answers = await ask(box)
    assert (answers["export_money"], answers["last_page"]) == ("unknown", "100")
    assert answers["exports_allowed"] == "yes"
    box.faults.add(Fault("status", status=500, path="/v1/orders", times=1))
    answers = await ask(box, max_attempts=1)
    assert answers["default_sort"] == "unknown"
    assert answers["list_created_at_filter"] == "ignored"


@pytest.mark.parametrize(("orders", "pages"), [(130, 63), (1_100, 777)])
async def test_the_bound_holds_at_the_worst(shop, ask, orders, pages):
    worst = {
        **{"listing_pages": pages, "export_polls": 6, "download_redirect": "storage"},
        **{"default_sort": "newest_last", "updated_at_on_create": "same"},
    }
    box = shop(orders, **worst)
    box.shop.create({"source_id": "web/1", "amount": 100})
    answers = await ask(box, extra='auth = "oauth"')
    assert "unknown" not in answers.values()
    assert pages - 10 < int(answers["last_page"]) <= pages
    assert answers["export_bounds_inclusive"] == "no"


async def test_repeated_requests_stay_within_the_budget_of_the_client(shop, ask):
    box = shop()
    box.faults.add(Fault("status", status=503, path="/v1/", times=100))
    answers = await ask(box, call_budget=MOST_CALLS - 1, max_attempts=20)
    assert len(box.calls) == MOST_CALLS - 1
    assert answers.pop("source_id_with_slash") == "not seen"
    assert set(answers.values()) == {"unknown"}


async def test_an_export_that_takes_too_long_is_left_alone(shop, ask):
    answers = await ask(shop(export_outcome="never", listing_pages=63))
    assert (answers["export_header"], answers["last_page"]) == ("unknown", "63")


async def test_the_file_is_not_left_behind(shop, ask, tmp_path):
    await ask(shop())
    assert not list(tmp_path.glob("*.csv*"))


@pytest.mark.parametrize("orders", [130, 600])
async def test_the_export_is_small(shop, ask, orders):
    box = shop(orders, export_null_updated_at="shown")
    sizes = []
    real = box.exports.file
    box.exports.file = lambda export: sizes.append(len(export.snapshot)) or real(export)
    await ask(box)
    assert sizes
    assert max(sizes) <= 100


async def test_answers_that_say_nothing_leave_the_cautious_default():
    words = ("unknown", "not seen", "mixed", "0", "-1", "")
    for word in words:
        assert Profile.of({field.name: word for field in fields(Profile)}) == Profile()
    assert Profile.of({"last_page": "7", "of_a_later_version": "yes"}) == Profile(last_page=7)
