"""All sources in one warehouse: no secret anywhere, and every amount exact."""

import logging
import re
import traceback
from collections import Counter
from contextlib import ExitStack
from decimal import Decimal
from types import SimpleNamespace

import duckdb
import pytest

from orders_connector.errors import SourceError
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.sandbox.faults import Fault
from orders_connector.sources.secrets import MARK
from tests.invariants.every_source import NIGHTS
from tests.invariants.nights import open_nights

CARD = {"card_number": "4111111111111111", "card_verification_number": "739201"}
PLANTED = {
    "payment": {
        "credit_card": CARD,
        "echeck": {"bank_account_number": "000123456789", "bank_owner_name": "Planted Owner"},
    },
    "items": [{"merchant_item_id": "CODE", "activation_codes": ["PLANTED-CODE-1", "PLANTED-2-2"]}],
}
WRONG = "wrong-key-that-nobody-may-see"
# Averages, shares and growth: quotients, which only views have.
QUOTIENT = re.compile(
    r"_(rate|share|growth|retention)$|_growth_|_per_|^(retention|support|lift)$"
    r"|^(average|confidence|estimated_share|ltv|share)_"
)


class Kept(logging.Handler):
    """Keeps what is logged, as it would be written."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """All sources loaded with trouble, compared, refreshed and published; what was said of it."""
    log, said = Kept(), []
    logging.getLogger().addHandler(log)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        nights = [kind(stack.enter_context(kind.sandbox(120))) for kind in NIGHTS.values()]
        warehouse = open_nights(nights, tmp_path_factory.mktemp("loaded"), patch)
        for night in nights:
            if night.source == "ultracart":
                night.put(1, night.whole()[0] | PLANTED)
            night.tick()
            for fault in (Fault("malformed_json"), Fault("broken_order", order_index=1), None):
                if fault:
                    night.box.faults.add(fault)
                say(said, night.sync())
                night.box.faults.clear()
            with pytest.MonkeyPatch.context() as wrong:
                for name in night.environment:
                    wrong.setenv(name, WRONG)
                say(said, night.sync())
            say(said, night.reconcile())
        refresh_models(warehouse)
        publish_warehouse(warehouse)
        yield SimpleNamespace(nights=nights, warehouse=warehouse.warehouse, said=said, log=log)
    logging.getLogger().removeHandler(log)
    logging.getLogger().setLevel(level)


def say(said, result):
    """Keep what a run tells, its traceback too."""
    said.append(f"{result.as_metadata()} {result!r}")
    if result.error:
        assert isinstance(result.error, SourceError)
        said.append("".join(traceback.format_exception(result.error)))


def rows_of(path):
    """Return all that stands in a DuckDB file as one text."""
    parts = []
    with duckdb.connect(str(path), read_only=True) as con:
        tables = "select schema_name, table_name from duckdb_tables() order by all"
        for schema, table in con.execute(tables).fetchall():
            parts.append(repr(con.execute(f'from "{schema}"."{table}"').fetchall()))
    return "\n".join(parts)


def test_no_secret_is_in_any_table_log_or_traceback(loaded):
    sought = {WRONG, *CARD.values(), "000123456789", "PLANTED-CODE-1", "PLANTED-2-2"}
    for night in loaded.nights:
        sought |= set(night.environment.values()) | night.secrets()
    sought = {one for one in sought if len(one) > 5}
    assert len(sought) > 100
    places = {
        "warehouse": rows_of(loaded.warehouse.path),
        "published": rows_of(loaded.warehouse.published),
        "log": "\n".join(loaded.log.lines),
        "said": "\n".join(loaded.said),
    }
    assert MARK in places["warehouse"]
    assert "Traceback" in places["said"]
    assert places["log"]
    for place, text in places.items():
        assert [one for one in sought if one in text] == [], place


def test_amounts_are_exact_sums_of_what_the_source_says(loaded):
    with duckdb.connect(str(loaded.warehouse.path), read_only=True) as con:
        for night in loaded.nights:
            truth, wrong = {}, []
            for order in night.whole():
                truth[str(order[night.id_key])] = night.money(order)
            columns = list(next(iter(truth.values())))
            rows = con.execute(
                f"select order_id, currency, {', '.join(columns)} from core.orders"
                " where source = ? and not is_deleted",
                [night.source],
            ).fetchall()
            sums, expected = Counter(), Counter()
            for order_id, currency, *amounts in rows:
                told = truth[order_id]
                for name, amount in zip(columns, amounts, strict=True):
                    assert amount is None or isinstance(amount, int)
                    if amount != told[name]:
                        wrong.append((order_id, name, amount, told[name]))
                    sums[currency, name] += amount or 0
                    expected[currency, name] += told[name] or Decimal()
            assert wrong == []
            assert sums == expected
            quarantined = con.execute(
                "select distinct order_id from ops.quarantine"
                " where source = ? and stage = 'typing'",
                [night.source],
            ).fetchall()
            assert truth.keys() - {row[0] for row in rows} <= {name for (name,) in quarantined}


def test_no_amount_is_a_float_and_no_sum_mixes_currencies(loaded):
    with duckdb.connect(str(loaded.warehouse.path), read_only=True) as con:
        columns = con.execute(
            "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
            " where schema_name in ('staging', 'core', 'marts')"
        ).fetchall()
    floats = [(t, c) for t, c, kind in columns if kind in ("FLOAT", "DOUBLE")]
    assert [(t, c) for t, c in floats if not QUOTIENT.search(c)] == []
    with_money = {t for t, c, _ in columns if c.endswith("_minor")}
    assert with_money
    for name, model in load_models().items():
        if name in with_money and name.startswith("marts."):
            assert {"currency", "order_id"} & set(model.header.grain), name
