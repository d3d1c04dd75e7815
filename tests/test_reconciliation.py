"""Reconciliation against the sandbox: what no load can see is found by id, and put right."""

import json
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.cli import main
from orders_connector.errors import LoadIncomplete, PermissionDenied
from orders_connector.landing.settings_tables import write_settings
from orders_connector.load import refresh_models
from orders_connector.modeling.refresh import refresh
from orders_connector.reconciliation import reconcile_account
from orders_connector.sandbox.voucherify import Fault, Switches, VoucherifySandbox
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import transaction
from tests.conftest import NOW
from tests.modeling.conftest import upstream_of

CORE = upstream_of("core.orders")
STATUS = {"CREATED": "created", "PAID": "paid", "FULFILLED": "fulfilled", "CANCELED": "cancelled"}


async def no_wait(_):
    """Polls of exports need not be waited for here."""


def sync(settings):
    return sync_account(settings, "shop", sleep=no_wait)


def reconcile(settings, **options):
    return reconcile_account(settings, "shop", sleep=no_wait, **options)


def rows(settings, query):
    with warehouse_connection(settings) as con:
        return con.execute(query).fetchall()


def stored_differences(settings):
    return rows(
        settings,
        "select order_id, cause, repaired, detail from ops.reconciliation_differences"
        " where reconciliation_id = (select max_by(reconciliation_id, ended_at)"
        " from ops.reconciliations) order by all",
    )


def refresh_core(settings):
    """Refresh what `in_core` looks at: to build every model takes longer than a load."""
    with warehouse_connection(settings) as con:
        with transaction(con):
            write_settings(con, settings)
        refresh(con, CORE)


def in_core(settings):
    """Return order id to status and amount, and the ids of deleted orders."""
    found = rows(settings, "select order_id, status, net_minor, is_deleted from core.orders")
    return {row[0]: row[1:3] for row in found if not row[3]}, {row[0] for row in found if row[3]}


def truth(box):
    return {
        order["id"]: (STATUS[order["status"]], order.get("total_amount"))
        for order in box.shop.truth()
    }


@pytest.fixture
def loaded(start_shop, settings_for):
    """A shop of 300 orders, loaded, two hours ago."""

    def make(**options):
        box = start_shop(300, **options)
        settings = settings_for(box)
        assert sync(settings).status == "complete"
        box.clock.advance(timedelta(hours=2))
        return box, settings

    return make


def order_of_a_customer(box):
    return next(order for order in box.shop.truth() if order.get("customer_id"))


def test_nothing_differs_after_a_load(loaded):
    _, settings = loaded()
    found = reconcile(settings)
    assert (found.status, found.reason, found.differences) == ("equal", None, Counter())
    assert found.source_total == found.export_rows == found.warehouse_orders == 300
    assert found.days_different == 0
    days = rows(
        settings,
        "select sum(source_orders), sum(warehouse_orders), count(*) filter (where"
        " source_net_minor <> warehouse_net_minor), count(source_net_minor)"
        " from ops.reconciliation_days",
    )
    assert days[0][:3] == (300, 300, 0)
    assert days[0][3] > 100
    found.raise_unless_equal()


def test_an_empty_shop_is_equal(start_shop, settings_for):
    found = reconcile(settings_for(start_shop(0)))
    assert (found.status, found.source_total, found.export_rows) == ("equal", 0, 0)


def test_days_are_those_of_the_models(loaded):
    _, settings = loaded()
    reconcile(settings)
    refresh_models(settings)
    compared = "order_date, status, warehouse_orders::bigint from ops.reconciliation_days"
    built = "order_date, status, count(*) from core.orders group by all"
    assert rows(settings, f"select {compared} order by all") == rows(
        settings, f"select {built} order by all"
    )


def test_an_erased_customer_is_confirmed_and_marked_as_deleted(loaded):
    box, settings = loaded()
    refresh_models(settings)
    erased = order_of_a_customer(box)
    day = rows(settings, f"select order_date from core.orders where order_id = '{erased['id']}'")
    count = box.shop.erase_customer(erased["customer_id"])
    found = reconcile(settings)
    assert (found.status, found.differences, found.repaired) == (
        "repaired",
        Counter(vanished=count),
        count,
    )
    assert found.warehouse_orders == 300 - count
    assert day[0][0] in refresh_models(settings).restated
    held, deleted = in_core(settings)
    assert held.keys() == truth(box).keys()
    assert erased["id"] in deleted
    placed = "select sum(orders_placed) from marts.daily_revenue"
    real = "select count(*) from core.orders where not is_deleted and not is_test"
    assert rows(settings, placed) == rows(settings, real)
    assert reconcile(settings).status == "equal"


def test_an_erasure_and_a_backdated_order_that_cancel_out_are_both_found(loaded):
    box, settings = loaded()
    gone = box.shop.truth()[0]["id"]
    box.shop.delete(gone)
    new = box.shop.upsert(
        {"status": "PAID", "amount": 900, "created_at": "2025-12-24T08:00:00.000Z"}
    )
    # The load cannot tell: as many orders as before.
    assert (sync(settings).status, len(box.shop)) == ("complete", 300)
    found = reconcile(settings)
    assert (found.status, found.differences) == ("repaired", Counter(vanished=1, hydrate=1))
    causes = {row[0]: row[1:] for row in stored_differences(settings)}
    assert causes[new["id"]][0] == "hydrate"
    assert "unknown before" in causes[new["id"]][2]
    assert "which no load found" in causes[new["id"]][2]
    assert causes[gone][:2] == ("vanished", True)
    refresh_models(settings)
    held, deleted = in_core(settings)
    assert (held.keys(), deleted) == (truth(box).keys(), {gone})
    detail = f"select detail_level from core.orders where order_id = '{new['id']}'"
    assert rows(settings, detail) == [("full",)]


@pytest.mark.parametrize("change", [{"status": "CANCELED"}, {"total_amount": 1}])
def test_a_change_without_a_new_time_is_read_again(loaded, change):
    box, settings = loaded()
    order = next(o for o in box.shop.truth() if o["status"] == "PAID" and o.get("total_amount"))
    now = order | change
    box.shop.put_raw(now)
    assert sync(settings).landed.versions == 0
    found = reconcile(settings)
    assert (found.status, found.differences) == ("repaired", Counter(wrong=1))
    ((_, cause, repaired, detail),) = stored_differences(settings)
    assert (cause, repaired) == ("wrong", True)
    assert f"had PAID and {order['total_amount']}, the source has {now['status']} and" in detail
    refresh_models(settings)
    held, _ = in_core(settings)
    assert held[order["id"]] == truth(box)[order["id"]]
    assert reconcile(settings).status == "equal"


def test_metadata_alone_is_no_difference(loaded):
    box, settings = loaded()
    order = box.shop.truth()[5]
    box.shop.put_raw(order | {"metadata": {"note": "silently"}})
    assert reconcile(settings).status == "equal"


def test_an_order_created_after_the_export_is_left_to_the_next_load(loaded):
    box, settings = loaded()
    downloads = []

    def create(call):
        # The export shows what was there when its first poll was answered.
        if "/exports/" in call.path and not downloads:
            downloads.append(call)
            return
        if downloads and len(downloads) < 3:
            downloads.append(call)
            box.clock.advance(timedelta(seconds=1))
            box.shop.upsert({"status": "CREATED", "amount": 100})

    box.on_request = create
    found = reconcile(settings)
    box.on_request = None
    assert found.status == "equal"
    assert sync(settings).status == "complete"
    assert reconcile(settings).warehouse_orders == len(box.shop) == 302


def test_an_order_that_the_export_hides_is_not_deleted(loaded):
    box, settings = loaded(switches=Switches(listing_lag_seconds=600))
    new = box.shop.upsert({"status": "CREATED", "amount": 100})
    box.clock.advance(timedelta(seconds=601))
    sync(settings)
    # An order of the warehouse vanishes from the listing for a while, and is there all the same.
    box.shop.listing.drop(new["id"])
    found = reconcile(settings)
    assert (found.status, found.differences) == ("repaired", Counter(vanished=1))
    assert "hidden from the export" in stored_differences(settings)[0][3]
    assert found.warehouse_orders == 301


def test_a_file_cut_off_silently_deletes_nothing(loaded):
    _, settings = loaded(switches=Switches(export_row_limit=100, export_over_row_limit="truncated"))
    found = reconcile(settings)
    assert (found.status, found.export_rows, found.differences) == ("equal", 300, Counter())


def test_refused_exports_are_told_and_delete_nothing(loaded):
    box, settings = loaded(switches=Switches(export_allowed="no"))
    box.shop.delete(box.shop.truth()[0]["id"])
    found = reconcile(settings)
    assert found.status == "failed"
    with pytest.raises(PermissionDenied):
        found.raise_unless_equal()
    assert rows(settings, "select count(*) from raw.order_payloads where channel = 'gone'") == [
        (0,)
    ]
    assert rows(settings, "select status from ops.reconciliations") == [("failed",)]
    # As soon as exports are allowed, loads may plan with them again.
    box.switches = Switches()
    assert reconcile(settings).status == "repaired"
    allowed = "select answer from ops.account_profiles where capability = 'exports_allowed'"
    assert rows(settings, allowed) == [("yes",)]


def test_an_export_without_all_orders_compares_nothing(loaded):
    box, settings = loaded(
        switches=Switches(
            export_row_limit=2, export_over_row_limit="truncated", export_bounds="inclusive"
        )
    )
    same_time = [order | {"created_at": "2026-01-01T00:00:00.000Z"} for order in box.shop.truth()]
    for order in same_time:
        box.shop.put_raw(order)
    found = reconcile(settings)
    assert found.status == "failed"
    with pytest.raises(LoadIncomplete, match="counts 300 orders and its exports hold 2"):
        found.raise_unless_equal()
    assert rows(settings, "select count(*) from ops.reconciliation_differences") == [(0,)]


def test_what_the_calls_do_not_reach_is_found_again(loaded):
    box, settings = loaded()
    for order in box.shop.truth()[:25]:
        box.shop.delete(order["id"])
    first = reconcile(settings, repair_calls=16)
    assert (first.status, first.repaired, first.warehouse_orders) == ("different", 16, 284)
    with pytest.raises(LoadIncomplete, match="9 vanished"):
        first.raise_unless_equal()
    # A back-dated order does not hide behind those that are still to be asked for.
    box.shop.upsert({"status": "PAID", "amount": 9, "created_at": "2025-12-24T08:00:00.000Z"})
    assert sync(settings).landed.new_orders == 1
    second = reconcile(settings, repair_calls=16)
    assert (second.status, second.repaired, second.warehouse_orders) == ("repaired", 9, 276)


@pytest.mark.parametrize("left", [0, 2])
def test_a_budget_that_ends_keeps_what_was_confirmed(loaded, left):
    box, settings = loaded()
    to_compare = reconcile(settings).calls
    for order in box.shop.truth()[:5]:
        box.shop.delete(order["id"])
    found = reconcile(settings, call_budget=to_compare + left)
    assert (found.status, found.repaired, found.calls) == ("different", left, to_compare + left)
    assert "max_calls_per_run" in found.reason
    assert reconcile(settings).repaired == 5 - left


def test_an_order_that_comes_back_is_there_again(loaded):
    box, settings = loaded()
    order = box.shop.truth()[0]
    box.shop.delete(order["id"])
    reconcile(settings)
    box.shop.put_raw(order)
    found = reconcile(settings)
    assert (found.status, found.differences) == ("repaired", Counter(hydrate=1))
    refresh_models(settings)
    assert in_core(settings) == (truth(box), set())


def test_a_reconciliation_covers_and_keeps_the_rows_of_its_own_export_alone(loaded):
    box, settings = loaded()
    reconcile(settings)
    reconcile(settings)
    assert rows(settings, "select count(*), count(distinct job_id) from raw.export_rows") == [
        (300, 1)
    ]
    covered = rows(settings, "select max(covered_to) from ops.coverage")
    assert covered == [(box.clock.now(),)]
    quiet = sync(settings)
    assert (quiet.status, quiet.landed.versions, quiet.exports) == ("complete", 0, 0)


@pytest.fixture
def run(capsys, tmp_path):
    """Run `reconcile` as a command; return its exit code and what it printed."""

    def command(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["--config", str(tmp_path / "orders.toml"), "reconcile", *arguments])
        return end.value.code or 0, *capsys.readouterr()

    return command


def test_the_command_repairs_builds_and_publishes(loaded, run):
    box, _ = loaded(switches=Switches(export_polls=1))
    box.shop.delete(box.shop.truth()[0]["id"])
    code, out, _ = run("--json")
    report = json.loads(out)
    (account,) = report["accounts"]
    assert (code, account["status"], account["differences"]) == (0, "repaired", {"vanished": 1})
    assert report["published"]["tables"]["core.orders"] == 300
    code, out, _ = run("--no-refresh")
    assert (code, "published" in out) == (0, False)
    assert " ".join(out.splitlines()[1].split()) == "shop equal 299 299 299 0 0 0 0 0 0"


def test_the_command_ends_with_5_when_exports_are_refused(loaded, run):
    loaded(switches=Switches(export_allowed="no"))
    code, out, err = run("--no-refresh")
    assert (code, out.splitlines()[1].split()[:2]) == (5, ["shop", "failed"])
    assert err.startswith("error: ")


class Interrupted(Exception):
    """Raised by nothing but these tests, so nothing catches it."""


def interrupted(settings, at, **options):
    """Let a comparison end without a word as soon as it says that it does something."""

    def doing(text):
        if at in text:
            raise Interrupted

    with pytest.raises(Interrupted):
        reconcile(settings, doing=doing, **options)


def drift(box):
    """Let happen what no load finds; return the ids: back-dated, erased, changed silently."""
    changed, gone = [order for order in box.shop.truth() if order["status"] == "PAID"][:2]
    new = box.shop.upsert(
        {"status": "PAID", "amount": 900, "created_at": "2025-12-24T08:00:00.000Z"}
    )
    box.shop.delete(gone["id"])
    box.shop.put_raw(changed | {"status": "CANCELED"})
    return new["id"], gone["id"], changed["id"]


# Before anything is landed, after the export is, after orders were asked for.
INTERRUPTIONS = ["export of", "comparing the export", "orders that differ", "fetching items"]


@pytest.mark.parametrize("at", INTERRUPTIONS)
def test_a_comparison_that_was_interrupted_is_made_up_for(loaded, at):
    box, settings = loaded()
    new, gone, changed = drift(box)
    interrupted(settings, at)
    interrupted(settings, at)
    found = reconcile(settings)
    assert (found.status, found.repaired) == ("repaired", 3)
    differences = stored_differences(settings)
    assert {row[0]: row[1:3] for row in differences} == {
        new: ("hydrate", True),
        gone: ("vanished", True),
        changed: ("wrong", True),
    }
    assert "unknown before" in next(row[3] for row in differences if row[0] == new)
    refresh_models(settings)
    assert in_core(settings) == (truth(box), {gone})
    full = "select count(*) from core.orders where detail_level <> 'full' and not is_deleted"
    assert rows(settings, full) == [(0,)]
    assert reconcile(settings).status == "equal"


def test_a_comparison_that_failed_after_its_export_came_is_made_up_for(loaded):
    box, settings = loaded()
    new, _, _ = drift(box)
    # The third one is the last look at the listing, behind the first and an order to compare with.
    box.faults.add(Fault("status", status=403, path="/v1/orders", method="GET", nth=3))
    assert reconcile(settings).status == "failed"
    assert rows(settings, f"select channel from raw.order_payloads where order_id = '{new}'") == [
        ("export",)
    ]
    box.faults.clear()
    found = reconcile(settings)
    assert (found.status, found.differences) == (
        "repaired",
        Counter(hydrate=1, vanished=1, wrong=1),
    )
    refresh_models(settings)
    detail = f"select detail_level from core.orders where order_id = '{new}'"
    assert rows(settings, detail) == [("full",)]


def test_what_a_load_read_since_an_interrupted_comparison_is_no_difference(loaded):
    box, settings = loaded()
    interrupted(settings, "comparing the export")
    box.shop.upsert({"status": "PAID", "amount": 900})
    box.clock.advance(timedelta(hours=2))
    assert sync(settings).landed.new_orders == 1
    found = reconcile(settings)
    assert (found.status, found.differences) == ("equal", Counter())


def test_what_was_asked_for_before_an_interruption_costs_no_call_again(loaded):
    box, settings = loaded()
    for order in box.shop.truth()[:25]:
        box.shop.delete(order["id"])
    interrupted(settings, "9 are left", repair_calls=16)
    found = reconcile(settings, repair_calls=16)
    assert (found.status, found.repaired, found.warehouse_orders) == ("repaired", 25, 275)


def test_an_export_of_an_earlier_attempt_does_not_hide_what_was_deleted_since(loaded):
    box, settings = loaded()
    interrupted(settings, ") is ")  # it was asked for and is not done
    gone = order_of_a_customer(box)["id"]
    box.shop.delete(gone)
    found = reconcile(settings)
    assert (found.status, found.source_total, found.export_rows) == ("repaired", 299, 299)
    assert [row[:3] for row in stored_differences(settings)] == [(gone, "vanished", True)]


def test_an_export_that_holds_more_than_the_source_counts_is_never_equal(loaded):
    box, settings = loaded()

    def erase(call):
        """Let an order go whenever the orders are counted."""
        if call.path == "/v1/orders" and "limit=1&" in f"{call.query}&":
            box.shop.delete(box.shop.truth()[0]["id"])

    box.on_request = erase
    found = reconcile(settings)
    assert (found.status, found.export_rows - found.source_total) == ("different", 1)
    assert "and its exports hold" in found.reason
    box.on_request = None
    assert reconcile(settings).status == "repaired"


@pytest.mark.parametrize("also", [False, True], ids=["alone", "with_a_difference"])
def test_an_order_in_quarantine_is_explained(loaded, also):
    box, settings = loaded()
    broken, changed = [order for order in box.shop.truth() if order["status"] == "PAID"][:2]
    now = {"updated_at": "2026-07-31T09:00:00.000Z", "status": "CANCELED"}
    box.shop.put_raw(broken | now | {"items": "none"})
    sync(settings)
    if also:
        box.shop.put_raw(changed | {"status": "CANCELED"})
    for status in ("repaired" if also else "equal", "equal"):
        found = reconcile(settings)
        assert (found.status, found.reason) == (status, None)
        (told,) = [row for row in stored_differences(settings) if row[0] == broken["id"]]
        assert told[1:3] == ("quarantined", False)
        assert "; quarantined: " in told[3]
        assert "items" in told[3]


MOVES = st.lists(
    st.sampled_from(
        ["create", "pay", "fulfil", "cancel", "change", "rollback", "backdate", "erase", "import"]
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=15)
@given(
    size=st.sampled_from([0, 3, 60, 120]),
    seed=st.integers(0, 5),
    moves=MOVES,
    money=st.sampled_from(["integers", "decimal"]),
    nulls=st.sampled_from(["last", "first"]),
)
def test_whatever_happened_core_is_the_truth_after_a_reconciliation(
    tmp_path_factory, settings_for, size, seed, moves, money, nulls
):
    switches = Switches(export_money=money, null_updated_at=nulls)
    with VoucherifySandbox(size, seed=seed, now=NOW, switches=switches) as box:
        settings = settings_for(box, folder=tmp_path_factory.mktemp("moving"))
        pending = list(moves)

        def move(call):
            if pending and len(box.calls) % 2:
                box.clock.advance(timedelta(seconds=7))
                box.moves.make(pending.pop())

        box.on_request = move
        sync(settings)
        box.clock.advance(timedelta(hours=3))
        reconcile(settings)
        while pending:
            box.moves.make(pending.pop())
        box.on_request = None
        box.clock.advance(timedelta(hours=1))
        sync(settings)
        found = reconcile(settings)
        assert found.status in {"equal", "repaired"}
        refresh_core(settings)
        held, deleted = in_core(settings)
        real = truth(box)
        assert held.keys() == real.keys()
        assert not {k for k in real if real[k][1] is not None and held[k] != real[k]}
        known = {row[0] for row in rows(settings, "select order_id from raw.order_payloads")}
        assert deleted == known - real.keys()
        assert found.warehouse_orders == found.export_rows == len(box.shop)


def test_a_source_that_shows_no_orders_at_all_deletes_nothing(loaded):
    box, settings = loaded()
    for order in box.shop.truth():
        box.shop.delete(order["id"])
    for _ in range(2):
        found = reconcile(settings)
        assert found.status == "failed"
        assert "shows no orders at all" in found.reason
    assert rows(settings, "select count(*) from raw.order_payloads where channel = 'gone'") == [
        (0,)
    ]
