"""Probes find out each thing that the sandbox can be switched to, within the stated bound."""

import asyncio

import pytest

from orders_connector.sandbox.licensespring import Fault, Switches
from orders_connector.sources.licensespring.client import LicenseSpringClient
from orders_connector.sources.licensespring.probes import CAPABILITIES, MOST_CALLS, probe


@pytest.fixture
def ask(vendor_settings, tmp_path):
    """Probe a sandbox; count at the sandbox."""

    def probing(box):
        account = vendor_settings(box).accounts["vendor"]
        box.reset_calls()

        async def go():
            async with LicenseSpringClient.for_account(account) as client:
                return await probe(client, tmp_path)

        answers = asyncio.run(go())
        assert len(box.calls) <= MOST_CALLS
        assert {call.method for call in box.calls} <= {"GET"}
        assert tuple(found.capability for found in answers) == CAPABILITIES
        assert all(found.evidence for found in answers)
        return {found.capability: found.answer for found in answers}

    return probing


def test_the_documented_reading(start_vendor, ask):
    assert ask(start_vendor(130)) == {
        "orders_page_limit": "100",
        "list_items": "absent",
        "archived_key": "absent",
        "archived_filter": "honoured",
        "archived_by_default": "hidden",
        "orders_created_at_filter": "ignored",
        "orders_updated_at_filter": "ignored",
        "orders_sorted_by_updated_at": "honoured",
        "orders_sorted_by_id": "honoured",
    }


@pytest.mark.parametrize(
    ("switch", "value", "capability", "answer"),
    [
        ("max_limit", 7, "orders_page_limit", "7"),
        ("list_items", "present", "list_items", "present"),
        ("archived_key", "present", "archived_key", "present"),
        ("archived", "shown", "archived_by_default", "shown"),
        ("time_filters", "honoured", "orders_created_at_filter", "honoured"),
        ("time_filters", "rejected", "orders_created_at_filter", "rejected"),
        ("time_filters", "honoured", "orders_updated_at_filter", "honoured"),
        ("time_filters", "rejected", "orders_updated_at_filter", "rejected"),
        ("sort_by_updated_at", "ignored", "orders_sorted_by_updated_at", "ignored"),
        ("sort_by_updated_at", "rejected", "orders_sorted_by_updated_at", "rejected"),
    ],
)
def test_a_switch_shows_in_its_answer(start_vendor, ask, switch, value, capability, answer):
    box = start_vendor(130, switches=Switches(**{switch: value}))
    assert ask(box)[capability] == answer


def test_an_empty_vendor_decides_nothing(start_vendor, ask):
    assert set(ask(start_vendor(0)).values()) == {"not seen"}


def test_few_orders_do_not_tell_how_long_a_page_may_be(start_vendor, ask):
    assert ask(start_vendor(5))["orders_page_limit"] == "not seen"


def test_a_question_that_fails_is_unknown_and_the_others_go_on(start_vendor, ask):
    box = start_vendor(130)
    box.faults.add(Fault("status", status=403, path="/orders/", nth=1))
    answers = ask(box)
    assert answers["orders_page_limit"] == "unknown"
    assert answers["orders_sorted_by_updated_at"] != "unknown"
