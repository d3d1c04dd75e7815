"""A load that is killed at any point and run again leaves the tables of one clean load."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import STATE_TABLES, load_models
from orders_connector.sandbox.voucherify import Switches
from orders_connector.sources.base import Window
from orders_connector.sync import backfill_account, sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.invariants.every_source import NIGHTS
from tests.invariants.killing import Loads
from tests.invariants.test_exactly_once import Twice

# Numbers and times of the load itself differ from run to run.
OF_THE_LOAD = {"version_id", "extraction_id", "loaded_at", "first_loaded_at"}
EVERYTHING = Window(datetime(2020, 1, 1, tzinfo=UTC))


async def no_pause(_):
    pass


def load(settings):
    sync_account(settings, "shop", sleep=no_pause).raise_unless_complete()
    refresh_models(settings)
    publish_warehouse(settings)


def tables(settings):
    contents = {}
    with warehouse_connection(settings, read_only=True) as con:
        for name, model in load_models().items():
            if model.tables & STATE_TABLES:  # as of the end of coverage, to the second
                continue
            columns = ", ".join(column for column in model.columns if column not in OF_THE_LOAD)
            contents[name] = con.execute(f"select {columns} from {name} order by all").fetchall()
    return contents


def left_over(settings):
    return {path.name for path in settings.warehouse.path.parent.iterdir()}


CLEAN = {"orders.duckdb", "orders.duckdb.shop.lock", "published"}


@pytest.mark.slow
def test_killed_nightly_loads_leave_the_tables_of_a_clean_one(start_shop, settings_for, tmp_path):
    box = start_shop(800)
    killed, clean = (settings_for(box, folder=tmp_path / name) for name in ("killed", "clean"))
    load(killed)
    load(clean)
    box.moves.weights |= {"erase": 0, "backdate": 0}
    ended = []
    with Loads(tmp_path / "killed" / "orders.toml", seed=7) as loads:
        for _ in range(3):
            box.moves.day()
            ended += [loads.killed_within(0.8, "sync", "shop") for _ in range(5)]
            # What readers have is whole at any time.
            with duckdb.connect(str(killed.warehouse.published), read_only=True) as con:
                assert con.execute("select count(*) from core.orders").fetchall()[0][0] >= 800
            # Whoever comes later sees only the states that are left, so both load once a day.
            load(killed)
            load(clean)
    assert ended.count(-9) >= 8
    assert tables(killed) == tables(clean)
    assert left_over(killed) == CLEAN


@pytest.mark.slow
def test_killed_backfills_go_on_where_they_were(start_shop, settings_for, tmp_path):
    """Three times the listing's reach: walks, exports of several files, items, all cut short."""
    box = start_shop(900, switches=Switches(listing_pages=3, export_row_limit=400))
    killed, clean = (settings_for(box, folder=tmp_path / name) for name in ("killed", "clean"))
    backfill_account(clean, "shop", EVERYTHING, sleep=no_pause).raise_unless_complete()
    refresh_models(clean)
    with Loads(tmp_path / "killed" / "orders.toml", seed=7) as loads:
        ended = [loads.killed_within(2.0, "backfill", "shop") for _ in range(16)]
    assert ended.count(-9) >= 8
    last = backfill_account(killed, "shop", EVERYTHING, sleep=no_pause)
    assert (last.status, last.hydrated.awaiting) == ("complete", 0)
    refresh_models(killed)
    assert tables(killed) == tables(clean)
    assert left_over(killed) <= CLEAN


def drift_voucherify(shop):
    changed, gone = [order for order in shop.truth() if order["status"] == "PAID"][:2]
    shop.upsert({"status": "PAID", "amount": 900, "created_at": "2025-12-24T08:00:00.000Z"})
    shop.delete(gone["id"])
    shop.put_raw(changed | {"status": "CANCELED"})


def drift_ultracart(shop):
    old, gone, changed = shop.kept()[:3]
    shop.put_raw(old | {"order_id": "ACME-FOUND-LATER"})
    shop.delete(gone["order_id"])
    shop.put_raw(changed | {"language_iso_code": "TLH"})


def drift_licensespring(shop):
    # A list shows no items, and licenses are read on their own.
    old, gone, changed = (dict(order, order_items=[]) for order in shop.truth()[:3])
    del old["order_items"], changed["order_items"]
    shop.put_raw(old | {"id": 10**15})
    shop.delete(gone["id"])
    shop.put_raw(changed | {"metadata": {"quiet": True}})


# What no load finds: an order of the past, one that is gone, a change without a date.
DRIFTS = {
    "voucherify": drift_voucherify,
    "ultracart": drift_ultracart,
    "licensespring": drift_licensespring,
}


def found(night):
    """Return the differences that the last comparison stored: order, cause, repaired."""
    return night.query(
        "select order_id, cause, repaired from ops.reconciliation_differences"
        " where source = ? and account = ? and reconciliation_id ="
        " (select max_by(reconciliation_id, ended_at) from ops.reconciliations) order by all"
    )


@pytest.mark.slow
@pytest.mark.parametrize("source", NIGHTS)
def test_a_comparison_killed_at_every_request_is_made_up_for(tmp_path, monkeypatch, source):
    kind, ended = NIGHTS[source], []
    with kind.sandbox(60) as box:
        both = Twice(kind, box, tmp_path, monkeypatch)
        both.load("sync")
        box.clock.advance(timedelta(hours=2))
        DRIFTS[source](box.shop)
        with Loads(tmp_path / "killed" / "orders.toml", seed=7) as loads:
            # One more request each time, until one comes to its end.
            while not ended or ended[-1] == -9:
                account = both.killed.account
                ended.append(loads.killed_at(len(ended) + 1, box, "reconcile", account))
        assert (ended[-1], both.clean.reconcile().status) == (0, "repaired")
        assert found(both.killed) == found(both.clean)
        assert len(ended) > 4
        both.refresh()
        assert both.raw(both.killed) == both.raw(both.clean)
        assert both.tables(both.killed) == both.tables(both.clean)
        box.clock.advance(timedelta(hours=22))
        both.load("sync")
        both.refresh()
        assert both.tables(both.killed) == both.tables(both.clean)
