"""Every operation of the client against a server that behaves like Voucherify."""

import csv
import io
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orders_connector.errors import (
    ConnectionFailed,
    CredentialsRejected,
    NotFound,
    PageOverLimit,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from orders_connector.hosts import host_of
from orders_connector.sandbox.voucherify import Fault, Limits, Switches, VoucherifySandbox
from orders_connector.sources.voucherify.account import VoucherifyAccount
from orders_connector.sources.voucherify.client import VoucherifyClient

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def box():
    with VoucherifySandbox(120, now=NOW) as box:
        yield box


@pytest.fixture
def connect(monkeypatch):
    """Make the client of a sandbox; its waits move the sandbox's clock."""

    def make(box, *, auth="keys", token=None, **options):
        monkeypatch.setenv("VOUCHERIFY_APP_ID", box.app_id)
        monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", token or box.app_token)
        account = VoucherifyAccount(
            name="shop",
            source="voucherify",
            base_url=box.base_url,
            download_hosts=[host_of(box.download_url)],
            auth=auth,
            currency="EUR",
            time_zone="UTC",
            history_start="2024-01-01",
        )

        async def sleep(seconds):
            box.clock.advance(timedelta(seconds=seconds))

        time = {
            "sleep": sleep,
            "clock": lambda: box.clock.now().timestamp(),
            "rng": random.Random(1),
        }
        return VoucherifyClient.for_account(account, **(time | options))

    return make


@pytest.mark.parametrize("auth", ["keys", "oauth"])
async def test_orders_are_created_read_changed_and_listed(box, connect, auth):
    async with connect(box, auth=auth) as client:
        created = await client.create_order(
            {"source_id": "cart 1/7#ä", "items": [{"product_id": "p", "quantity": 2, "price": 5}]}
        )
        assert (created.model.status, created.model.amount) == ("CREATED", 10)
        box.clock.advance(timedelta(seconds=1))
        changed = await client.update_order("cart 1/7#ä", {"status": "PAID"})
        found = await client.get_order(created.model.id)
        assert changed.model.status == found.model.status == "PAID"
        assert found.model.source_id == "cart 1/7#ä"
        page = await client.list_orders(limit=2, order="-updated_at")
        assert page.model.orders[0] == found.model
        assert (len(page.model.orders), page.model.total) == (2, 121)
        assert page.answer.date == box.clock.now()
        with pytest.raises(NotFound, match="/v1/orders/ord_none"):
            await client.get_order("ord_none")


async def test_the_pages_of_the_list_hold_every_order_byte_for_byte(box, connect):
    async with connect(box) as client:
        pages = [await client.list_orders(page=page, order="created_at") for page in (1, 2, 3)]
    assert [len(page.model.orders) for page in pages] == [100, 20, 0]
    listed = b"".join(page.content for page in pages)
    for body in box.shop.bodies():
        assert body in listed


@pytest.mark.parametrize("answer", ["page_over_limit", "invalid_query_params", "not_found"])
async def test_page_101_is_the_end_of_paging_however_it_is_answered(box, connect, answer):
    box.switches = replace(box.switches, page_over_limit=answer)
    async with connect(box) as client:
        with pytest.raises(PageOverLimit):
            await client.list_orders(page=101)


@pytest.mark.parametrize("auth", ["keys", "oauth"])
@pytest.mark.parametrize("redirect", ["none", "storage"])
async def test_an_export_is_started_awaited_downloaded_and_deleted(
    box, connect, auth, redirect, tmp_path
):
    box.switches = replace(box.switches, download_redirect=redirect, export_seconds=20)
    fields = ["id", "status", "updated_at", "total_amount"]
    async with connect(box, auth=auth) as client:
        started = await client.start_orders_export(fields, order="-created_at")
        assert started.model.status == "SCHEDULED"
        states = []
        done = await client.wait_for_export(started.model.id, progress=states.append)
        assert states[-1].status == "DONE"
        target = tmp_path / "orders.csv"
        await client.download_export(done.model, target)
        rows = list(csv.reader(target.read_text().splitlines()))
        assert (len(rows), len(rows[0])) == (121, 4)
        listed = await client.list_exports()
        assert [export.id for export in listed.model.exports] == [started.model.id]
        await client.delete_export(started.model.id)
        with pytest.raises(NotFound):
            await client.get_export(started.model.id)
    assert len(box.downloads) == (1 if redirect == "none" else 2)


async def test_an_export_of_any_kind_is_started(box, connect):
    async with connect(box) as client:
        export = await client.create_export("order", {"fields": ["id"]})
        done = await client.wait_for_export(export.model.id)
        target = io.BytesIO()
        await client.download_export(done.model, target)
    assert len(target.getvalue().splitlines()) == 121


@pytest.mark.parametrize("echo", ["as_sent", "with_defaults"])
async def test_a_lost_answer_starts_one_export_and_a_lost_request_another(box, connect, echo):
    box.switches = replace(box.switches, export_echo=echo)
    filters = {"created_at": {"conditions": {"$after": ["2026-07-01T00:00:00.000Z"]}}}
    for fault, starts in (("reset_after", 1), ("reset_before", 1), ("status", 1)):
        before = len((await exports(box, connect)).model.exports)
        box.faults.add(Fault(fault, path="/v1/orders/export", times=1, status=502))
        async with connect(box) as client:
            started = await client.start_orders_export(["id", "status"], filters=filters)
        after = (await exports(box, connect)).model.exports
        assert len(after) - before == starts, fault
        assert after[0].id == started.model.id
        box.faults.clear()
        box.clock.advance(timedelta(minutes=1))


async def exports(box, connect):
    async with connect(box) as client:
        return await client.list_exports()


async def test_a_filter_the_server_does_not_know_is_refused_with_its_details(box, connect):
    async with connect(box) as client:
        with pytest.raises(RequestRejected) as caught:
            await client.start_orders_export(["id", "nonsense"])
    assert caught.value.key == "invalid_export_fields"
    assert "total_amount" in caught.value.details


@pytest.mark.parametrize("auth", ["keys", "oauth"])
async def test_an_import_is_awaited_and_listed(box, connect, auth):
    async with connect(box, auth=auth) as client:
        started = await client.import_orders([{"source_id": "imported-1", "amount": 700}])
        done = await client.wait_for_async_action(started.model.async_action_id)
        assert (done.model.type, done.model.result.done_count) == ("ORDERS.IMPORT", 1)
        listed = await client.list_async_actions(limit=10)
        assert listed.model.async_actions[0].id == done.model.id
        earlier = await client.list_async_actions(end_date=NOW - timedelta(days=1))
        assert earlier.model.async_actions == []
        assert (await client.get_order("imported-1")).model.amount == 700


async def test_a_token_runs_out_and_is_renewed(box, connect):
    async with connect(box, auth="oauth") as client:
        await client.list_orders(limit=1)
        box.clock.advance(timedelta(seconds=901))
        await client.list_orders(limit=1)
        paths = [call.path for call in box.calls]
    assert paths == [
        "/v1/oauth/token",
        "/v1/orders",
        "/v1/orders",
        "/v1/oauth/token",
        "/v1/orders",
    ]


async def test_a_token_is_bought_by_hand(box, connect):
    async with connect(box) as client:
        token = (await client.create_oauth_token("orders")).model
    assert (token.token_type, token.expires_in, token.scope) == ("Bearer", 900, "orders")


async def test_wrong_keys_are_refused_once(box, connect):
    async with connect(box, token="wrong") as client:
        with pytest.raises(CredentialsRejected, match="environment variables"):
            await client.list_orders()
        assert client.transport.calls == 1


async def test_the_rate_limit_is_waited_for_and_never_hit(connect):
    with VoucherifySandbox(5, now=NOW, plan=Limits(per_period=3, period=60)) as box:
        async with connect(box) as client:
            for _ in range(8):
                await client.list_orders(limit=1)
        assert client.transport.retries == 0
        assert (client.transport.calls, len(box.calls)) == (8, 8)
        assert box.clock.now() >= NOW + timedelta(minutes=2)


@pytest.mark.parametrize("headers", ["always", "never"])
@pytest.mark.parametrize("retry_after", ["sent", "omitted"])
async def test_a_refusal_passes_whatever_it_says_of_its_end(connect, headers, retry_after):
    switches = Switches(rate_limit_headers=headers, retry_after=retry_after, code_429="string")
    limits = Limits(per_period=3, period=60)
    with VoucherifySandbox(5, now=NOW, plan=limits, switches=switches) as box:
        async with connect(box, max_attempts=9) as client:
            for _ in range(4):
                await client.list_orders(limit=1)


async def test_a_sandbox_project_that_used_its_hour_says_when_to_come_back(connect):
    with VoucherifySandbox(5, now=NOW, plan=Limits(per_period=2, period=3_600)) as box:
        async with connect(box, reserve=0) as client:
            await client.list_orders()
            await client.list_orders()
            with pytest.raises(RateLimited) as caught:
                await client.list_orders()
        assert len(box.calls) == 2
    assert caught.value.retry_after == pytest.approx(3_600, abs=5)


async def test_the_end_of_the_billing_cycle_and_of_the_subscription_stop_the_run(connect):
    with VoucherifySandbox(5, now=NOW, plan=Limits(per_cycle=1)) as box:
        async with connect(box) as client:
            await client.list_orders()
            with pytest.raises(QuotaExhausted, match="billing cycle"):
                await client.list_orders()
        assert client.transport.retries == 0
        box.meter.subscription_ended = True
        async with connect(box) as client:
            with pytest.raises(QuotaExhausted, match="subscription"):
                await client.list_orders()


@pytest.mark.parametrize(
    "kind",
    [
        "status",
        "html",
        "reset_before",
        "reset_after",
        "truncated_body",
        "cut_json",
        "wrong_content_type",
    ],
)
async def test_trouble_that_passes_does_not_show(box, connect, kind):
    box.faults.add(Fault(kind, path="/v1/orders", times=2, status=503))
    async with connect(box) as client:
        assert len((await client.list_orders()).model.orders) == 100
        assert client.transport.retries == 2


@pytest.mark.parametrize("kind", ["truncated_body", "reset_before", "html", "status"])
async def test_trouble_while_downloading_does_not_show_in_the_file(box, connect, kind, tmp_path):
    async with connect(box) as client:
        export = await client.start_orders_export(["id", "metadata"])
        done = await client.wait_for_export(export.model.id)
        whole, again = tmp_path / "whole.csv", tmp_path / "again.csv"
        await client.download_export(done.model, whole)
        box.faults.add(Fault(kind, host="download", times=2, status=503))
        await client.download_export(done.model, again)
    assert again.read_bytes() == whole.read_bytes()


async def test_a_slow_server_is_not_waited_for_longer_than_configured(box, connect):
    box.faults.add(Fault("slow", path="/v1/orders", delay_seconds=0.4))
    async with connect(box, timeout=0.05, max_attempts=2) as client:
        with pytest.raises(ConnectionFailed, match="run again later"):
            await client.list_orders()
        assert client.transport.calls == 2
