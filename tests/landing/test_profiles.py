"""A profile is replaced as a whole, account by account."""

from datetime import UTC, datetime

import duckdb
import pytest

from orders_connector.landing.profiles import probed_at, read_profile, write_profile
from orders_connector.sources.source import ProbeAnswer
from orders_connector.sources.voucherify.profile import Profile
from orders_connector.warehouse.schema import create_schema

FIRST, SECOND = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        create_schema(con)
        yield con


def answers(**found):
    return [ProbeAnswer(capability, answer, "seen") for capability, answer in found.items()]


def test_what_was_stored_comes_back(con):
    write_profile(con, "voucherify", "shop", answers(last_page="57", export_money="decimal"), FIRST)
    stored = read_profile(con, "voucherify", "shop")
    assert Profile.of(stored) == Profile(last_page=57, export_money="decimal")
    assert probed_at(con, "voucherify", "shop") == FIRST


def test_a_new_profile_replaces_the_old_one_of_its_account_only(con):
    write_profile(con, "voucherify", "shop", answers(last_page="57", rate_headers="yes"), FIRST)
    write_profile(con, "voucherify", "other", answers(last_page="3"), FIRST)
    write_profile(con, "voucherify", "shop", answers(last_page="100"), SECOND)
    assert read_profile(con, "voucherify", "shop") == {"last_page": "100"}
    assert read_profile(con, "voucherify", "other") == {"last_page": "3"}
    assert probed_at(con, "voucherify", "shop") == SECOND


def test_never_probed(con):
    assert read_profile(con, "voucherify", "shop") == {}
    assert probed_at(con, "voucherify", "shop") is None
