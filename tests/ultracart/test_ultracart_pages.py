"""Reading lists of any length: what a page says, what it leaves out, and what speaks against it."""

import json
import random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_connector.errors import UnreadableAnswer
from orders_connector.http import Transport
from orders_connector.sources.ultracart.client import UltraCartClient

pytestmark = pytest.mark.anyio

WINDOW = {"creation_date_begin": "2026-03-08T00:00:00-05:00"}


@pytest.fixture
def anyio_backend():
    return "asyncio"


class List:
    """A list of orders, paged as UltraCart does; `change` may spoil what it says of a page."""

    def __init__(self, orders, *, most=200, short=(), change=lambda result_set: None):
        self.orders = [{"order_id": f"DEMO-{n}"} for n in range(orders)]
        self.most = most
        self.short = set(short)
        self.change = change
        self.asked = []

    def __call__(self, request):
        query = request.url.params
        offset, limit = int(query["_offset"]), min(int(query["_limit"]), self.most)
        self.asked.append(offset)
        assert len(self.asked) < 99, "going in circles"
        length = limit - 1 if len(self.asked) in self.short else limit
        page = self.orders[offset : offset + length]
        told = {"count": len(page), "offset": offset, "limit": limit, "next_offset": offset}
        told["total_records"] = len(self.orders)
        if offset + len(page) < len(self.orders):
            told |= {"more": True, "next_offset": offset + limit}
        metadata = {"payload_name": "orders", "result_set": told}
        self.change(metadata)
        return httpx.Response(200, json={"orders": page, "success": True, "metadata": metadata})


async def read(api, limit=10, **options):
    client = UltraCartClient(Transport("https://api.test", http_transport=httpx.MockTransport(api)))
    pages = [page async for page in client.order_pages(WINDOW, limit=limit, **options)]
    return [order.order_id for page in pages for order in page.model.orders or []]


def without(*names):
    def change(metadata):
        for name in names:
            metadata["result_set"].pop(name, None)

    return change


ids = [f"DEMO-{n}" for n in range(25)]


@pytest.mark.parametrize(
    ("orders", "offsets"), [(0, [0]), (9, [0]), (10, [0]), (11, [0, 10]), (25, [0, 10, 20])]
)
async def test_pages_are_read_to_the_last_one_and_no_further(orders, offsets):
    api = List(orders)
    assert await read(api) == [f"DEMO-{n}" for n in range(orders)]
    assert api.asked == offsets


@pytest.mark.parametrize(
    "change",
    [
        without("more"),
        without("more", "next_offset"),
        without("more", "total_records"),
        without("next_offset"),
        without("next_offset", "total_records"),
        without("more", "total_records", "limit", "next_offset"),
        lambda metadata: metadata.pop("result_set"),
        lambda metadata: metadata["result_set"].update(total_records=None, more=None),
    ],
)
async def test_what_is_left_out_loses_no_orders(change):
    assert await read(List(25, change=change)) == ids


async def test_a_limit_that_the_server_lowers_leaves_no_gap():
    api = List(25, most=7)
    assert await read(api) == ids
    assert api.asked == [0, 7, 14, 21]


async def test_an_end_that_nothing_tells_is_proven_by_an_empty_page():
    api = List(25, short={3}, change=without("more", "total_records"))
    assert await read(api) == ids
    assert api.asked == [0, 10, 20, 25]

    def spelled_out(metadata):
        metadata["result_set"].pop("total_records")
        metadata["result_set"].setdefault("more", False)

    api = List(25, change=spelled_out)
    assert await read(api) == ids
    assert api.asked == [0, 10, 20]


async def test_behind_a_short_page_in_the_middle_no_order_is_passed_over():
    api = List(25, short={2})
    assert await read(api) == ids
    assert api.asked == [0, 10, 19], "next_offset was 20"


async def test_a_next_offset_that_goes_back_is_followed_but_never_in_circles():
    def back(metadata):
        metadata["result_set"]["next_offset"] -= 1

    assert dict.fromkeys(await read(List(25, change=back))) == dict.fromkeys(ids)

    def to_the_start(metadata):
        metadata["result_set"]["next_offset"] = 0

    assert await read(List(25, change=to_the_start)) == ids


async def test_beyond_the_end_there_is_one_empty_page():
    api = List(25)
    assert await read(api, offset=90) == []
    assert api.asked == [90]


@pytest.mark.parametrize("promise", [{"more": True}, {"total_records": 26}])
async def test_a_page_without_orders_that_promises_more_is_not_the_end(promise):
    api = List(25, change=lambda metadata: metadata["result_set"].update(promise))
    with pytest.raises(UnreadableAnswer, match="more follow"):
        await read(api, offset=25)


@pytest.mark.parametrize("body", ["[]", '{"orders": {}}', '{"orders": 7, "success": true}'])
async def test_a_page_of_another_form_is_not_the_end(body):
    with pytest.raises(UnreadableAnswer):
        await read(lambda _: httpx.Response(200, content=body.encode()))


async def test_an_empty_list_may_be_left_out():
    assert await read(lambda _: httpx.Response(200, json={"success": True, "metadata": {}})) == []


async def test_batches_ask_for_each_order_once_and_tell_what_was_asked():
    asked = []

    def api(request):
        asked.append(json.loads(request.content)["order_ids"])
        found = [{"order_id": one} for one in asked[-1] if one != "DEMO-7"]
        return httpx.Response(200, json={"orders": found, "success": True})

    client = UltraCartClient(Transport("https://api.test", http_transport=httpx.MockTransport(api)))
    wanted = [f"DEMO-{n}" for n in range(1_001)]
    missing = set()
    async for ids, answer in client.order_batches([*wanted, "DEMO-3"]):
        missing |= set(ids) - {order.order_id for order in answer.model.orders}
    assert [len(batch) for batch in asked] == [500, 500, 1]
    assert [one for batch in asked for one in batch] == wanted
    assert missing == {"DEMO-7"}


@given(
    orders=st.integers(0, 60),
    most=st.integers(2, 12),
    limit=st.integers(2, 12),
    seed=st.integers(0, 99),
)
async def test_no_order_is_lost_whatever_a_page_leaves_out(orders, most, limit, seed):
    rng = random.Random(seed)

    def forget(metadata):
        told = metadata["result_set"]
        for name in rng.sample(sorted(told), rng.randrange(len(told))):
            told.pop(name, None)

    api = List(orders, most=most, short=rng.sample(range(1, 20), 5), change=forget)
    assert await read(api, limit) == [f"DEMO-{n}" for n in range(orders)]
