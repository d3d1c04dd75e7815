"""What an asset shows of its figures: numbers that the UI plots, and its newest rows.

Both are looks at the table, not the figures themselves: a plot needs a floating point number.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb

from dagster_project.defs.labels import as_markdown
from orders_connector.modeling.metrics import Contract, contracts_of
from orders_connector.modeling.model import BUSINESS_DATE, Model

__all__ = ["facts_of_dates", "newest_rows", "plotted_totals"]

# By name of the metric: the mart that defines one of these plots it per business date.
PLOTTED = ("orders_placed", "orders_recognised", "net_revenue")
MONEY = "_minor"  # ends the name of every column that holds an amount
ROWS_SHOWN, COLUMNS_SHOWN, CELL = 5, 10, 40


def facts_of_dates(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    hidden: Collection[str],
    touched: Collection[date],
) -> dict[date, dict[str, Any]]:
    """Return what is known of each date of a mart: rows, figures and, of the newest, its rows.

    Args:
        con: To the warehouse.
        model: Keyed by business date.
        hidden: Personal columns; they are not shown.
        touched: Dates that the load rebuilt.
    """
    query = f"select {BUSINESS_DATE}, count(*) from {model.name} group by all"
    facts: dict[date, dict[str, Any]] = {
        day: {"dagster/partition_row_count": rows} for day, rows in con.execute(query).fetchall()
    }
    for contract in _plotted(model):
        for day, name, value in _values(con, model, contract, BUSINESS_DATE):
            facts[day][name] = value
    for day in {max(days) for days in (facts, touched) if days}.intersection(facts):
        facts[day] |= newest_rows(con, model, hidden, day)
    return facts


def plotted_totals(
    con: duckdb.DuckDBPyConnection, models: Mapping[str, Model]
) -> dict[str, dg.MetadataValue[Any]]:
    """Return the plotted figures of all business dates together, by currency."""
    return {
        f"{name}_of_all_days": value
        for model in models.values()
        for contract in _plotted(model)
        for _, name, value in _values(con, model, contract, "null")
    }


def newest_rows(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    hidden: Collection[str],
    day: date | None = None,
) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the newest rows of a model, or some of one business date, as a table.

    Columns that name the row come first, then metrics. Personal data is left out: what Dagster
    noted stays there when a customer is erased.
    """
    metrics = [contract.terms.column for contract in contracts_of(model).values()]
    ordered = dict.fromkeys([*model.header.grain, *metrics, *model.columns])
    columns = [name for name in ordered if name in model.columns and name not in hidden]
    columns = columns[:COLUMNS_SHOWN]
    if not columns:
        return {}
    where = f" where {BUSINESS_DATE} = $day" if day else ""
    dated = f" order by {BUSINESS_DATE} desc nulls last" if BUSINESS_DATE in model.columns else ""
    rows = con.execute(
        f"select {', '.join(columns)} from {model.name}{where}{dated} limit {ROWS_SHOWN}",
        {"day": day} if day else {},
    ).fetchall()
    if not rows:
        return {}
    return {"preview": as_markdown(columns, [[_cell(value) for value in row] for row in rows])}


def _plotted(model: Model) -> list[Contract]:
    found = contracts_of(model)
    return [found[name] for name in PLOTTED if name in found]


def _values(
    con: duckdb.DuckDBPyConnection, model: Model, contract: Contract, by: str
) -> list[tuple[Any, str, dg.MetadataValue[Any]]]:
    """Return group, name and value: one count over all currencies, or an amount of each."""
    column = contract.terms.column
    if not column.endswith(MONEY):
        rows = con.execute(f"select {by}, sum({column}) from {model.name} group by all").fetchall()
        return [
            (group, contract.metric, dg.MetadataValue.int(int(value)))
            for group, value in rows
            if value is not None
        ]
    rows = con.execute(
        f"select {by}, currency, minor_unit_exponent, sum({column}) from {model.name}"
        f" where {column} is not null and minor_unit_exponent is not null"
        " group by all order by currency"
    ).fetchall()
    return [
        (
            group,
            f"{contract.metric}_{currency}",
            dg.MetadataValue.float(float(Decimal(int(minor)).scaleb(-exponent))),
        )
        for group, currency, exponent, minor in rows
    ]


def _cell(value: object) -> str:
    """Write a value so that it stays one cell and none of it is taken for markup."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int | float | Decimal | date):
        return str(value)
    text = " ".join(str(value).split())
    text = text if len(text) <= CELL else f"{text[: CELL - 1]}…"
    return "".join(f"\\{char}" if char in "\\`*_[]<>#!&" else char for char in text)
