"""A load that is killed at any point and run again leaves the tables of one clean load."""

from datetime import UTC, datetime

import duckdb
import pytest

from orders_connector.load import refresh_models
from orders_connector.modeling.model import STATE_TABLES, load_models
from orders_connector.warehouse.configured import warehouse_connection
from tests.invariants.every_source import NIGHTS
from tests.invariants.killing import Loads
from tests.invariants.nights import open_nights

# Numbers and times of the load itself differ from run to run, and so do the ids of requests in an
# answer that an order is gone; other hashes are compared in the raw log.
OF_THE_LOAD = {"version_id", "extraction_id", "loaded_at", "first_loaded_at", "content_hash"}
ORDERS = 120
KILLS = 3
STATES = """
    select order_id, part_id, channel = 'gone', case when channel <> 'gone' then content_hash end,
        count(*)
    from raw.order_payloads group by all order by all
"""


class Twice:
    """The same sandbox, loaded into a warehouse by loads that are killed, and into another."""

    def __init__(self, kind, box, folder, monkeypatch):
        self.began = datetime.now(UTC)
        self.killed, self.clean = kind(box), kind(box)
        for name, night in (("killed", self.killed), ("clean", self.clean)):
            open_nights([night], folder / name, monkeypatch)

    def load(self, what):
        """Let both come to the end of a load."""
        for night in (self.clean, self.killed):
            result = getattr(night, what)()
            assert result.status in {"complete", "equal", "repaired"}

    def raw(self, night):
        """Return how often each state stands in the raw log."""
        with warehouse_connection(night.settings, read_only=True) as con:
            return con.execute(STATES).fetchall()

    def refresh(self):
        for night in (self.clean, self.killed):
            refresh_models(night.settings)

    def tables(self, night):
        """Return the rows of every model, and what the raw log holds, without times of loads.

        What the source does not date is dated by when it was seen.
        """
        ended = datetime.now(UTC)

        def timeless(value):
            loading = isinstance(value, datetime) and self.began <= value <= ended
            return "seen" if loading else value

        contents = {}
        with warehouse_connection(night.settings, read_only=True) as con:
            for name, model in load_models().items():
                if model.tables & STATE_TABLES:  # as of the end of coverage, to the second
                    continue
                columns = ", ".join(c for c in model.columns if c not in OF_THE_LOAD)
                rows = con.execute(f"select {columns} from {name}").fetchall()
                contents[name] = sorted(
                    ([timeless(value) for value in row] for row in rows), key=repr
                )
        return contents


def differences(some, others):
    """Return the first rows that are on one side only, by table."""
    return {
        name: (
            [row for row in some[name] if row not in others[name]][:2],
            [row for row in others[name] if row not in some[name]][:2],
        )
        for name in others
        if some[name] != others[name]
    }


@pytest.mark.slow
@pytest.mark.parametrize("source", NIGHTS)
def test_killed_loads_leave_the_tables_of_clean_ones(tmp_path, monkeypatch, source):
    kind, ended = NIGHTS[source], []
    with kind.sandbox(ORDERS) as box:
        both = Twice(kind, box, tmp_path, monkeypatch)
        killed = both.killed
        with Loads(tmp_path / "killed" / "orders.toml", seed=7) as loads:
            for what, after in (("sync", "day"), ("sync", "erasures"), ("reconcile", "")):
                ended += [loads.killed(killed, what, 9, 0.3) for _ in range(KILLS)]
                # What readers have is whole at any time.
                if (published := killed.settings.warehouse.published).exists():
                    with duckdb.connect(str(published), read_only=True) as con:
                        assert con.execute(
                            f"select count(*) >= {ORDERS} from core.orders"
                        ).fetchone()[0]
                both.load(what)
                assert both.raw(killed) == both.raw(both.clean)
                if after == "day":
                    box.moves.day()
                for _ in range(3 if after else 0):
                    box.moves.make("delete" if "delete" in kind.kinds else "erase")
        assert ended.count(-9) >= KILLS
        both.refresh()
        tables, others = both.tables(killed), both.tables(both.clean)
        assert [name for name in others if tables[name] != others[name]] == [], differences(
            tables, others
        )
        # Nothing of a killed load is left behind.
        names = {path.name for path in killed.settings.warehouse.path.parent.iterdir()}
        assert names <= {"orders.duckdb", f"orders.duckdb.{killed.account}.lock", "published"}
        # Running once more changes nothing.
        assert killed.sync().landed.versions == 0
        assert killed.reconcile().status == "equal"
        refresh_models(killed.settings)
        assert both.tables(killed) == tables
