"""Keys of another account are told before anything of it is read."""

import pytest

from orders_connector.account_identity import accept_keys
from orders_connector.errors import ConfigurationError, ServerFailed
from orders_connector.sandbox.faults import Fault
from orders_connector.warehouse.configured import warehouse_connection
from tests.invariants.every_source import NIGHTS
from tests.invariants.nights import open_nights

SOURCES = sorted(NIGHTS)
# Its order ids begin with the merchant's.
NAMES = {"ultracart": {"merchant_id": "OTHER"}}


def stranger(night):
    """Make another account of the same source."""
    return type(night).sandbox(30, seed=99, **NAMES.get(night.source, {}))


@pytest.fixture(params=SOURCES)
def night(request, tmp_path, monkeypatch):
    """An account that was loaded once."""
    kind = NIGHTS[request.param]
    with kind.sandbox(30) as box:
        night = kind(box)
        open_nights([night], tmp_path, monkeypatch)
        assert night.sync().status == "complete"
        yield night


@pytest.fixture
def moved_to(night, tmp_path, monkeypatch):
    """Point the account's address to another sandbox, in the same warehouse."""

    def move(box):
        night.box = box
        open_nights([night], tmp_path, monkeypatch)
        return box

    return move


def held(night):
    """Return everything that the warehouse knows of orders, and its proofs."""
    with warehouse_connection(night.settings) as con:
        return [
            con.execute(f"from {rows} order by all").fetchall()
            for rows in (
                "raw.order_payloads",
                "(from ops.coverage where covered_from < covered_to)",
                "ops.watermarks",
            )
        ]


@pytest.mark.parametrize("verb", ["sync", "reconcile"])
def test_nothing_is_read_with_the_keys_of_another_account(night, moved_to, verb):
    before = held(night)
    with stranger(night) as other:
        moved_to(other)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="look like another account's") as told:
                getattr(night, verb)()
        assert f"doctor --accept-keys {night.account}" in str(told.value)
        assert not any(secret in str(told.value) for secret in night.environment.values())
    assert held(night) == before
    with warehouse_connection(night.settings) as con:
        found = con.execute(
            "select strategy, status, calls > 0, reason from ops.extractions"
            " order by ended_at desc limit 2"
        ).fetchall()
    assert found == [("probe", "failed", True, str(told.value))] * 2


def test_the_same_account_at_another_address_costs_one_request_once(night, moved_to):
    with type(night).sandbox(30) as same:
        moved_to(same)
        first, second = night.sync(), night.sync()
        assert (first.status, second.status) == ("complete", "complete")
        assert first.calls == second.calls + 1


def test_accepted_keys_are_not_asked_about(night, moved_to):
    with stranger(night) as other:
        moved_to(other)
        account = night.settings.accounts[night.account]
        with warehouse_connection(night.settings) as con:
            accept_keys(con, account)
        found = night.reconcile()
        assert (found.status, found.differences["vanished"]) == ("repaired", 30)
        assert found.warehouse_orders == 30


def test_an_answer_that_says_nothing_accepts_nothing(night, moved_to):
    before = held(night)
    with stranger(night) as other:
        moved_to(other)
        other.faults.add(Fault("status", times=100))
        failed = night.sync()
        assert (failed.status, type(failed.error)) == ("failed", ServerFailed)
        other.faults.clear()
        with pytest.raises(ConfigurationError, match="look like another account's"):
            night.sync()
    assert held(night) == before
