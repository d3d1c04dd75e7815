"""A warehouse to put order payloads into, without any HTTP."""

import json
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from orders_connector.landing.raw_log import land, land_gone, land_rows
from orders_connector.landing.spool import batches_from_pages
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.sources.voucherify.extraction import CONTRACT
from orders_connector.warehouse.database import open_warehouse, transaction

MODELS = load_models()


class Warehouse:
    """Lands orders as the source would send them and answers queries."""

    def __init__(self, con, models=MODELS):
        self.con = con
        self.models = models
        self.loads = 0

    def configure(self, account="shop", **columns):
        settings = {
            "currency": "EUR",
            "minor_unit_exponent": 2,
            "time_zone": "Europe/Warsaw",
            "business_date_path": "$.metadata.ordered_at",
            "currency_path": "$.metadata.currency",
            "test_order_path": "$.metadata.test",
        } | columns
        self.con.execute("delete from ops.accounts where account = ?", [account])
        self.con.execute(
            "insert into ops.accounts values ('voucherify', ?, ?, ?, ?, ?, ?, ?)",
            [account, *settings.values()],
        )
        self.con.execute("delete from ops.account_lists where account = ?", [account])
        for name, value in [
            ("recognised_statuses", "PAID"),
            ("recognised_statuses", "FULFILLED"),
            ("non_product_items", "prod_5h1pp1ng"),
        ]:
            self.con.execute(
                "insert into ops.account_lists values ('voucherify', ?, ?, ?)",
                [account, name, value],
            )

    def land(self, *orders, account="shop", channel="list"):
        body = json.dumps({"orders": list(orders)}).encode()
        with transaction(self.con):
            return land(
                self.con,
                lambda: batches_from_pages(iter([body]), channel),
                contract=CONTRACT,
                **self._origin(account),
            )

    def land_export(self, *orders, account="shop"):
        """Land what an export shows of the orders: no items, no redemptions."""
        self.con.execute("create or replace temp table file (position bigint, payload json)")
        for position, order in enumerate(orders, start=1):
            header = {k: v for k, v in order.items() if k not in ("items", "redemptions")}
            self.con.execute("insert into file values (?, ?)", [position, json.dumps(header)])
        with transaction(self.con):
            return land_rows(
                self.con, "file", contract=CONTRACT, job_id="job", **self._origin(account)
            )

    def land_gone(self, *names, account="shop"):
        answers = [(name, '{"status": 404}') for name in names]
        with transaction(self.con):
            return land_gone(self.con, answers, **self._origin(account))

    def _origin(self, account):
        self.loads += 1
        return {
            "source": "voucherify",
            "account": account,
            "extraction_id": f"ext_{self.loads}",
            "loaded_at": datetime(2026, 3, 10, 2, tzinfo=UTC),
        }

    def refresh(self, **options):
        return refresh(self.con, self.models, **options)

    def rows(self, query):
        cursor = self.con.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def tables(self):
        """Return every model's rows, sorted."""
        return {
            name: self.con.execute(f"from {name} order by all").fetchall()
            for name, model in self.models.items()
            if not model.tells_of_runs
        }


def upstream_of(*names):
    """Return the named models and all that they are made from or checked against.

    To build every model takes long.
    """
    wanted, seen = set(names), set()
    while new := wanted - seen:
        seen |= new
        for model in (MODELS[name] for name in new):
            wanted |= (model.inputs | model.tables) & MODELS.keys()
            wanted |= {check.to for check in model.header.checks if check.to}
    return {name: model for name, model in MODELS.items() if name in wanted}


@pytest.fixture(scope="module")
def filled(request, tmp_path_factory):
    """Fill a warehouse by a function, once for the module; returns its file and what it was then.

    It is one of all models, or of those that the module names in MARTS.
    """
    named = getattr(request.module, "MARTS", ())
    models = upstream_of(*named) if named else MODELS
    made = {}

    def fill(by=None):
        if by not in made:
            path = tmp_path_factory.mktemp("filled") / "orders.duckdb"
            with open_warehouse(path) as con:
                house = Warehouse(con, models)
                house.configure()
                con.execute("insert into ops.currencies values ('EUR', 2), ('JPY', 0), ('KWD', 3)")
                if by:
                    by(house)
            made[by] = path, house
        return made[by]

    return fill


@pytest.fixture
def copy_of(filled, tmp_path):
    """Open a copy of the warehouse that a function fills (see `filled`)."""
    with ExitStack() as stack:

        def copy(by=None):
            path, first = filled(by)
            con = stack.enter_context(open_warehouse(shutil.copy(path, tmp_path / "orders.duckdb")))
            house = Warehouse(con, first.models)
            house.loads = first.loads
            return house

        yield copy


@pytest.fixture
def warehouse(copy_of):
    """A warehouse of all models, or of those that the test's module names in MARTS."""
    return copy_of()
