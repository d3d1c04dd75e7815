"""A walk believes no server that does not do as it was asked."""

import asyncio
import json

import httpx
import pytest

from orders_connector.errors import RequestRejected, UnreadableAnswer
from orders_connector.http import Transport
from orders_connector.sources.ultracart.client import UltraCartClient
from orders_connector.sources.ultracart.page_fetching import PageFetcher
from orders_connector.sources.ultracart.walking import QueryWalk
from tests.ultracart.conftest import NOW


class Pages(list):
    """A sink in memory."""

    def add(self, body, channel):
        self.append(json.loads(body))
        return len(self)


class Api:
    """Answers each request by a function of its body and number."""

    def __init__(self, answer):
        self.answer = answer
        self.limits = []

    def __call__(self, request):
        self.limits.append(request.url.params.get("_limit"))
        found = self.answer(json.loads(request.content), len(self.limits), request.url.params)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)


def orders(*days, more=True):
    rows = [{"order_id": f"D-{n}", "creation_dts": f"2026-07-{n:02}T08:00:00Z"} for n in days]
    return {"orders": rows, "success": True, "metadata": {"result_set": {"more": more}}}


def walk(answer, *, steps=40):
    """Walk until something ends it; return the walk, the pages and what was asked."""
    api, pages = Api(answer), Pages()

    async def run():
        transport = Transport("https://api.test", http_transport=httpx.MockTransport(api))
        async with UltraCartClient(transport) as client:
            query = {"payment_date_begin": NOW}
            one = QueryWalk(PageFetcher(client), pages, query, name="payment_date")
            for _ in range(steps):
                await one.step()
                if one.evidence.ended:
                    return one
        raise AssertionError("going in circles")

    return asyncio.run(run()), pages, api


def test_a_page_begins_a_second_before_the_end_of_the_last_one():
    begins = []

    def answer(query, number, _):
        begins.append(query.get("creation_date_begin"))
        return orders(1, 2, 3) if number == 1 else orders(3, 4, more=False)

    done, pages, _ = walk(answer)
    assert (done.evidence.ended, done.evidence.orders_seen, len(pages)) == ("end", 4, 2)
    assert begins == [None, "2026-07-03T07:59:59+00:00"]


def test_a_list_in_another_order_is_not_claimed():
    done, _, _ = walk(lambda *_: orders(2, 1, 3))
    assert done.evidence.ended == "unsorted"


def test_a_filter_that_is_ignored_is_noticed():
    done, _, _ = walk(lambda *_: orders(1, 2, 3))
    assert done.evidence.ended == "unfiltered"


def test_pages_that_hold_no_known_order_are_not_tied():
    def answer(query, number, _):
        return orders(1, 2, 3) if "creation_date_begin" not in query else orders(5, 6)

    done, _, _ = walk(answer, steps=80)
    assert (done.evidence.ended, done.evidence.rereads) == ("moving", 26)
    assert done.read_to.day == 3


def test_pages_of_one_order_prove_nothing():
    done, _, _ = walk(lambda *_: orders(1))
    assert done.evidence.ended == "narrow"


@pytest.mark.parametrize(
    "contradiction", [{"more": True}, {"total_records": 7}], ids=["more", "total"]
)
def test_an_empty_page_that_says_that_more_follow_is_no_end(contradiction):
    answer = {"orders": [], "success": True, "metadata": {"result_set": contradiction}}
    with pytest.raises(UnreadableAnswer, match="more follow"):
        walk(lambda *_: answer)


def test_a_refused_page_size_is_lowered_once_for_all_pages():
    def answer(query, number, params):
        if int(params.get("_limit", 0)) > 50:
            return httpx.Response(400, json={"error": {"user_message": "_limit"}, "metadata": {}})
        return orders(1, 2, 3) if "creation_date_begin" not in query else orders(3, 4, more=False)

    done, _, api = walk(answer)
    assert done.evidence.ended == "end"
    assert api.limits == ["200", "100", None, None]


def test_a_request_that_is_refused_whatever_the_page_size_is_told():
    refused = httpx.Response(400, json={"error": {"user_message": "No."}, "metadata": {}})
    with pytest.raises(RequestRejected, match="No"):
        walk(lambda *_: refused)
