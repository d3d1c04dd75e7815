"""Each question that the documentation leaves open is answered, in both directions."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from orders_connector.sandbox.ultracart import Fault
from orders_connector.sources.source import NOT_SEEN, UNKNOWN
from orders_connector.sources.ultracart.client import UltraCartClient
from orders_connector.sources.ultracart.probes import CAPABILITIES, MOST_CALLS
from orders_connector.sources.ultracart.source import SOURCE

USUAL = {
    "page_limit": "200",
    "total_records": "sent",
    "more": "sent",
    "stage_histories": "sent",
    "limit_alone": "rejected",
    "date_begin": "inclusive",
    "date_end": "inclusive",
    "unknown_batch_ids": "left_out",
    "missing_order": "400",
    "retry_after": NOT_SEEN,
}


async def no_wait(_):
    """Backoff need not be waited for here."""


@pytest.fixture
def ask(settings_for):
    """Probe a sandbox; return the answers by capability."""

    def probe(box, work=SOURCE.probe):
        account = settings_for(box).accounts["shop"]

        async def run():
            async with UltraCartClient.for_account(account, sleep=no_wait) as client:
                return await work(client)

        return asyncio.run(run())

    def answers(box):
        found = probe(box, lambda client: SOURCE.probe(client, Path()))
        assert [one.capability for one in found] == list(CAPABILITIES)
        return {one.capability: one.answer for one in found}

    answers.with_client = probe
    return answers


def test_the_documented_behaviour_is_recognised_within_few_calls(start, ask):
    box = start(250)
    assert ask(box) == USUAL
    assert len(box.calls) == 7 < MOST_CALLS == SOURCE.probe_calls
    assert {call.method for call in box.calls} == {"GET", "POST"}
    assert len(box.shop) == 250


@pytest.mark.parametrize(
    ("switches", "answers"),
    [
        ({"most_per_page": 100}, {"page_limit": "100"}),
        ({"most_per_page": 90, "limit_over_most": "lowered"}, {"page_limit": "200"}),
        ({"total_records": "absent"}, {"total_records": "not sent"}),
        ({"more": "never_sent"}, {"more": "not sent"}),
        (
            {"more": "never_sent", "total_records": "absent"},
            {"more": NOT_SEEN, "total_records": "not sent"},
        ),
        ({"more": "false"}, {}),
        ({"unlisted_parts": "never"}, {"stage_histories": "not sent"}),
        ({"limit_alone": "accepted"}, {"limit_alone": "accepted"}),
        ({"date_begin": "exclusive"}, {"date_begin": "exclusive"}),
        ({"date_end": "exclusive"}, {"date_end": "exclusive"}),
        ({"unknown_batch_ids": "rejected"}, {"unknown_batch_ids": "rejected"}),
        ({"missing_order": "not_found"}, {"missing_order": "404"}),
        ({"missing_order": "no_order"}, {"missing_order": "no_order"}),
        ({"failure_status": "http_200"}, {"missing_order": "200"}),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) or "usual",
)
def test_each_switch_of_the_sandbox_is_seen(start, ask, switches, answers):
    box = start(250)
    box.switches = replace(box.switches, **switches)
    assert ask(box) == USUAL | answers


def test_an_empty_shop_leaves_questions_open(start, ask):
    found = ask(start(0))
    open_ones = ("more", "stage_histories", "date_begin", "date_end", "unknown_batch_ids")
    assert {found[one] for one in open_ones} == {NOT_SEEN}
    assert (found["missing_order"], found["limit_alone"]) == ("400", "rejected")


def test_a_question_that_fails_does_not_stop_the_others(start, ask):
    box = start(50)
    box.faults.add(Fault("status", path="batch", status=500))
    found = ask(box)
    assert found["unknown_batch_ids"] == UNKNOWN
    assert found["missing_order"] == "400"
    assert len(box.calls) <= MOST_CALLS + 5


def test_the_source_greets_and_knows_whether_an_order_is_there(start, ask):
    box = start(250)
    one = box.truth()[0]["order_id"]
    greeting = ask.with_client(box, SOURCE.greet)
    assert (greeting.orders, "2 requests" in greeting.note) == (250, True)
    assert ask.with_client(box, lambda client: SOURCE.is_there(client, one))
    assert not ask.with_client(box, lambda client: SOURCE.is_there(client, "ACME-NONE"))
    box.switches = replace(box.switches, total_records="absent")
    assert ask.with_client(box, SOURCE.greet).orders is None
