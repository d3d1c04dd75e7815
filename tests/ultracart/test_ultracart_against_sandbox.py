"""Every operation of the UltraCart client against a server that behaves like UltraCart."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orders_connector.errors import (
    CredentialsRejected,
    NotFound,
    RateLimited,
    RequestRejected,
    ServerFailed,
)
from orders_connector.sandbox.ultracart import Fault, Limits, Switches, UltraCartSandbox
from orders_connector.sources.ultracart.account import UltraCartAccount
from orders_connector.sources.ultracart.client import UltraCartClient

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
EVERYTHING = {"creation_date_begin": "2020-01-01T00:00:00-05:00"}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def box():
    with UltraCartSandbox(120, now=NOW) as box:
        yield box


@pytest.fixture
def connect(monkeypatch):
    """Make the client of a sandbox; its waits move the sandbox's clock."""

    def make(box, *, auth="key", key=None, settings=None, **options):
        monkeypatch.setenv("ULTRACART_SIMPLE_KEY", key or box.simple_key)
        monkeypatch.setenv("ULTRACART_CLIENT_ID", box.client_id)
        monkeypatch.setenv("ULTRACART_REFRESH_TOKEN", key or box.refresh_token)
        account = UltraCartAccount(
            name="shop",
            source="ultracart",
            base_url=box.base_url,
            auth=auth,
            currency="USD",
            time_zone="America/New_York",
            history_start="2024-01-01",
            **(settings or {}),
        )

        async def sleep(seconds):
            box.clock.advance(timedelta(seconds=seconds))

        time = {
            "sleep": sleep,
            "clock": lambda: box.clock.now().timestamp(),
            "rng": random.Random(1),
        }
        return UltraCartClient.for_account(account, **(time | options))

    return make


def some(box, **wanted):
    """Find an order by its stage or by a key that its summary or payment must have."""
    for order in box.truth():
        facts = {**order["summary"], **order["payment"], "stage": order["current_stage"]}
        if all(facts.get(k) == v if v is not True else k in facts for k, v in wanted.items()):
            return order
    raise LookupError(wanted)


async def pages(client, **options):
    found = [page async for page in client.order_pages(EVERYTHING, limit=50, **options)]
    return [order.order_id for page in found for order in page.model.orders or []]


@pytest.mark.parametrize("auth", ["key", "oauth"])
async def test_orders_are_read_by_id_list_query_and_batch(box, connect, auth):
    truth = {order["order_id"]: order for order in box.truth()}
    one = next(iter(truth))
    async with connect(box, auth=auth) as client:
        stub = (await client.get_order(one)).model.order
        assert (stub.order_id, stub.summary) == (one, None)
        whole = (await client.get_order(one, expand=["summary", "item"])).model.order
        assert whole.summary.total.value == Decimal(str(truth[one]["summary"]["total"]["value"]))
        assert len(whole.items) == len(truth[one]["items"])
        listed = await client.list_orders({"order_id": one})
        queried = await client.query_orders({"order_id": one, "query_target": "origin"})
        assert listed.model.orders == queried.model.orders == [stub]
        batch = await client.get_orders_batch([one, "ACME-NONE"])
        assert [order.order_id for order in batch.model.orders] == [one]
        found = await pages(client)
    assert sorted(found) == sorted(truth)
    assert found == sorted(found, key=lambda one: box.shop.record(one).created)


async def test_windows_of_refunds_find_what_was_refunded(box, connect):
    order = some(box, payment_status="Processed")
    box.clock.advance(timedelta(hours=1))
    box.shop.refund(order["order_id"], {"summary": {"subtotal_refunded": {"value": 0.01}}})
    window = {
        "refund_date_begin": box.clock.now() - timedelta(minutes=1),
        "refund_date_end": box.clock.now() + timedelta(minutes=1),
    }
    async with connect(box) as client:
        found = await client.query_orders(window, expand=["summary"])
    [refunded] = found.model.orders
    assert refunded.order_id == order["order_id"]
    assert refunded.summary.total_refunded.value == Decimal("0.01")


async def test_orders_are_changed_refunded_cancelled_and_deleted(box, connect):
    paid, unpaid = some(box, payment_status="Processed"), some(box, stage="Accounts Receivable")
    async with connect(box) as client:
        changed = await client.update_order(
            paid["order_id"], {"billing": {"city": "Łódź"}}, expand=["billing"]
        )
        assert changed.model.order.billing["city"] == "Łódź"
        refunded = await client.refund_order(
            paid["order_id"],
            {"summary": {"subtotal_refunded": {"value": Decimal("0.05")}}},
            skip_customer_notification=True,
            reject_after_refund=True,
            expand=["summary"],
        )
        assert refunded.model.order.summary.total_refunded.value == Decimal("0.05")
        assert refunded.model.order.current_stage == "Rejected"
        assert (await client.cancel_order(unpaid["order_id"])).model.success
        with pytest.raises(RequestRejected):
            await client.cancel_order(unpaid["order_id"])
        await client.delete_order(unpaid["order_id"])
        for call in (client.delete_order, client.get_order):
            with pytest.raises(NotFound, match=unpaid["order_id"]):
                await call(unpaid["order_id"])
    assert len(box.shop) == 119


async def test_orders_are_rendered_and_mails_sent_again(box, connect):
    shipped = next(o["order_id"] for o in box.truth() if "shipping_date" in o["shipping"])
    waiting = next(o["order_id"] for o in box.truth() if "shipping_date" not in o["shipping"])
    async with connect(box) as client:
        text = await client.format_order(shipped, {"format": "text"})
        assert shipped in text.model.formatted_result
        assert (await client.resend_receipt(waiting)).model.success
        assert (await client.resend_shipment_confirmation(shipped)).model.success
        unsure = (await client.resend_shipment_confirmation(waiting)).model
        assert (unsure.success, bool(unsure.warning.warning_message)) == (None, True)
    assert box.shop.mails == [("receipt", waiting), ("shipment", shipped)]


@pytest.mark.parametrize(
    "switches",
    [
        {"more": "false"},
        {"more": "never_sent"},
        {"more": "never_sent", "short_pages": "yes"},
        {"more": "never_sent", "short_pages": "yes", "total_records": "absent"},
        {"result_set": "absent", "short_pages": "yes", "no_orders": "absent"},
        {"total_records": "absent", "most_per_page": 7, "limit_over_most": "lowered"},
    ],
)
async def test_a_list_is_read_whole_however_its_pages_are_told(box, connect, switches):
    box.switches = replace(box.switches, **switches)
    async with connect(box) as client:
        found = await pages(client)
        nothing = {"order_id": "ACME-NONE"}
        assert [p.model.orders or [] async for p in client.order_pages(nothing)] == [[]]
    assert sorted(found) == [order["order_id"] for order in box.truth()]


@pytest.mark.parametrize("missing", ["bad_request", "not_found", "no_order"])
@pytest.mark.parametrize("status", ["http_400", "http_200"])
@pytest.mark.parametrize("success", ["absent", "false"])
async def test_a_missing_order_is_told_however_it_is_answered(
    box, connect, missing, status, success
):
    box.switches = replace(
        box.switches, missing_order=missing, failure_status=status, failure_success=success
    )
    async with connect(box) as client:
        for call in (client.get_order, client.delete_order):
            with pytest.raises(NotFound):
                await call("ACME-NONE")
        with pytest.raises(RequestRejected):
            await client.cancel_order("ACME-NONE")
        assert client.transport.retries == 0


async def test_calls_at_the_same_time_take_turns(connect):
    with UltraCartSandbox(3, now=NOW, latency=0.01) as box:
        async with connect(box) as client:
            await asyncio.gather(*[client.list_orders(EVERYTHING) for _ in range(5)])
        assert client.transport.retries == 0
        assert [call.status for call in box.calls] == [200] * 5


@pytest.mark.parametrize("retry_after", ["sent", "omitted"])
async def test_two_programs_with_one_key_get_through_or_are_told_why(connect, retry_after):
    switches = Switches(retry_after=retry_after)

    async def sleep(_):
        await asyncio.sleep(0.01)  # in real time, as the other one's request takes some

    patient = {"max_attempts": 20, "sleep": sleep}
    with UltraCartSandbox(3, now=NOW, latency=0.02, switches=switches) as box:
        async with connect(box, **patient) as ours, connect(box, **patient) as theirs:
            both = (ours.list_orders(EVERYTHING), theirs.list_orders(EVERYTHING))
            await asyncio.gather(*both)
        assert [call.status for call in box.calls].count(200) == 2
        box.faults.add(Fault("status", path="/rest/v2/order/orders", status=429))
        async with connect(box) as client:
            with pytest.raises(RateLimited, match="another program") as caught:
                await client.list_orders(EVERYTHING)
    assert caught.value.kind == "unnamed"


async def test_the_limits_are_kept_before_they_are_hit(connect):
    with UltraCartSandbox(3, now=NOW, plan=Limits(per_hour=60, per_day=110)) as box:
        settings = {"calls_per_hour": 60, "calls_per_day": 110}
        async with connect(box, settings=settings) as client:
            for _ in range(105):
                await client.list_orders(EVERYTHING)
        assert client.transport.retries == 0
        assert {call.status for call in box.calls} == {200}
        assert box.clock.now() > NOW + timedelta(hours=1)


@pytest.mark.parametrize("retry_after", ["sent", "omitted"])
async def test_a_limit_that_others_used_up_is_waited_for(connect, retry_after):
    switches = Switches(retry_after=retry_after)
    with UltraCartSandbox(3, now=NOW, plan=Limits(per_hour=60), switches=switches) as box:
        async with connect(box) as client:
            for _ in range(62):
                await client.list_orders(EVERYTHING)
        assert client.transport.retries == 2
        assert box.clock.now() == NOW + timedelta(minutes=2)


async def test_a_limit_that_takes_too_long_says_when_to_come_back(connect):
    with UltraCartSandbox(3, now=NOW, plan=Limits(per_hour=3)) as box:
        async with connect(box) as client:
            for _ in range(3):
                await client.list_orders(EVERYTHING)
            with pytest.raises(RateLimited) as caught:
                await client.list_orders(EVERYTHING)
    assert (caught.value.kind, caught.value.retry_after) == ("hourly", 1_200)


async def test_a_token_runs_out_and_is_renewed(box, connect):
    async with connect(box, auth="oauth") as client:
        await client.list_orders(EVERYTHING, limit=1)
        box.clock.advance(timedelta(hours=1))
        await client.list_orders(EVERYTHING, limit=1)
    token, orders = "/rest/v2/oauth/token", "/rest/v2/order/orders"
    assert [call.path for call in box.calls] == [token, orders, token, orders]


@pytest.mark.parametrize("auth", ["key", "oauth"])
async def test_wrong_credentials_and_a_disabled_application_are_told_apart(box, connect, auth):
    async with connect(box, auth=auth, key="wrong") as client:
        with pytest.raises(CredentialsRejected, match="merchant"):
            await client.list_orders(EVERYTHING)
        assert client.transport.calls == 1
    box.access.disabled = True
    async with connect(box, auth=auth) as client:
        with pytest.raises(CredentialsRejected, match="disabled"):
            await client.list_orders(EVERYTHING)


@pytest.mark.parametrize(
    "kind", ["status", "html", "reset_before", "reset_after", "truncated_body", "cut_json"]
)
async def test_trouble_that_passes_does_not_show_in_what_is_read(box, connect, kind):
    box.faults.add(Fault(kind, path="/rest/v2/order/orders/query", times=2, status=503))
    async with connect(box) as client:
        assert len(await pages(client)) == 120
        assert client.transport.retries == 2


async def test_a_refund_whose_answer_is_lost_is_not_made_twice(box, connect):
    order = some(box, payment_status="Processed")
    path = f"/rest/v2/order/orders/{order['order_id']}/refund"
    box.faults.add(Fault("status", path=path, times=1, status=500))
    async with connect(box) as client:
        with pytest.raises(ServerFailed) as caught:
            await client.refund_order(order["order_id"], {"summary": {}})
    assert caught.value.maybe_processed
    assert [call.path for call in box.calls] == [path]
