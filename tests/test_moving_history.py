"""Whatever the shop and the network do meanwhile: after one quiet night nothing differs."""

from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orders_connector.reconciliation import reconcile_account
from orders_connector.sandbox.voucherify import Fault, Switches, VoucherifySandbox
from tests.conftest import NOW
from tests.test_complete_history import full_orders, query, sync
from tests.test_sync import no_wait, truth_of, warehouse_of

GONE = """
    select order_id, arg_max(channel, version_id) = 'gone' from raw.order_payloads group by all
"""
KINDS = ["create", "pay", "fulfil", "change", "rollback", "backdate", "import", "erase"]
ANSWERS = {
    "page_over_limit": ["page_over_limit", "invalid_query_params", "not_found", "empty"],
    "null_updated_at": ["last", "first", "smallest", "largest"],
    "tie_order": ["id", "shuffled"],
    "updated_at_on_create": ["null", "same", "absent"],
    "export_bounds": ["exclusive", "inclusive"],
    "export_bound_precision": ["microseconds", "milliseconds", "seconds"],
    "export_null_updated_at": ["hidden", "shown"],
    "export_header": ["fields", "labels"],
    "export_money": ["integers", "decimal"],
    "export_metadata": ["json", "columns"],
    "export_metadata_nested": ["json", "joined"],
    "export_quoting": ["minimal", "all"],
    "export_line_end": ["lf", "crlf"],
    "export_csv_bom": ["no", "yes"],
    "export_echo": ["as_sent", "with_defaults"],
    "export_row_limit": [0, 100, 300],
    "export_over_row_limit": ["truncated", "error"],
    "download_redirect": ["none", "storage"],
    "listing_pages": [1, 2, 3],
}
SWITCHES = st.fixed_dictionaries({name: st.sampled_from(v) for name, v in ANSWERS.items()})
FAULTS = st.lists(
    st.builds(
        Fault,
        st.sampled_from(["status", "html", "reset_before", "reset_after", "truncated_body"]),
        path=st.sampled_from(["/v1/orders", "/v1/exports", "/v1/orders/export"]),
        status=st.sampled_from([500, 429]),
        retry_after=st.just(1),
        every=st.integers(5, 9),
        times=st.integers(1, 6),
    ),
    max_size=2,
)


def stale(settings, truth):
    """Return orders that the warehouse holds not at all, or in an older state than `truth`."""
    held = warehouse_of(settings)

    def at(order):
        return datetime.fromisoformat(order.get("updated_at") or order["created_at"])

    def is_behind(name, order):
        mine = held.get(name, {})  # of an order that is gone, the answer that said so
        return "created_at" not in mine or at(mine) < at(order)

    return {name for name, order in truth.items() if is_behind(name, order)}


@pytest.mark.slow
@settings(max_examples=20, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
@given(
    size=st.sampled_from([0, 99, 101, 199, 250, 350]),
    seed=st.integers(0, 5),
    switches=SWITCHES,
    faults=FAULTS,
    moves=st.lists(st.sampled_from(KINDS), max_size=30),
    changed=st.sampled_from([0, 30, 120]),
)
def test_no_claim_is_false_and_one_quiet_night_makes_all_equal(
    tmp_path_factory, settings_for, size, seed, switches, faults, moves, changed
):
    with VoucherifySandbox(size, seed=seed, now=NOW, switches=Switches(**switches)) as box:
        settings = settings_for(box, folder=tmp_path_factory.mktemp("backfill"))
        pending = list(moves)

        def move(call):
            box.clock.advance(timedelta(seconds=2))
            if pending and len(box.calls) % 2:
                box.moves.make(pending.pop())

        box.on_request = move
        box.faults.add(*faults)
        for _ in range(2):
            before = truth_of(box)
            result = sync(settings)
            if result.status == "complete":
                assert not stale(settings, before) - (before.keys() - truth_of(box).keys())
            box.clock.advance(timedelta(hours=3))
            for order in box.shop.truth()[:changed]:  # maybe more than the listing reaches
                box.clock.advance(timedelta(seconds=1))
                box.shop.update(order["id"], {"status": "CANCELED"})
        box.faults.clear()
        box.on_request = None
        box.clock.advance(timedelta(hours=1))
        quiet = sync(settings)
        compared = reconcile_account(settings, "shop", repair_calls=10_000, sleep=no_wait)
        assert quiet.status == "complete"
        assert compared.status in {"equal", "repaired"}
        gone = dict(query(settings, GONE))
        held = {name: order for name, order in full_orders(settings).items() if not gone[name]}
        assert held == truth_of(box)
