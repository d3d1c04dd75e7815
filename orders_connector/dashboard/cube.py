"""Reads what the dashboard shows from the published copy: sums per day, as compact plain data.

Only what may be added over days goes in, so that the page can filter it; amounts are whole numbers
in minor units. No order and no customer is in it, so the page may be handed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.budget import Allowance
from orders_connector.errors import WarehouseError
from orders_connector.modeling.metrics import Contract
from orders_connector.status import FRESH_FOR
from orders_connector.warehouse.database import begin_session

__all__ = ["read_cube"]

HISTORY_DAYS = 1_200  # a little over three years, so that each year has one to compare with
RESTATEMENTS_SHOWN = 200
COHORTS = 36
COHORT_MONTHS = 18
# Products and codes may be many: those with most orders keep rows of their own.
MOST_PRODUCT_ROWS = 30_000
MOST_PROMOTION_ROWS = 12_000
PRODUCT = "kind || ':' || product_key"
PROMOTION = "kind || ':' || coalesce(promotion_id, '')"


@dataclass(frozen=True)
class _Table:
    """One table of the cube, sorted by date.

    Attributes:
        source: What to read, with its condition.
        dimensions: Columns with few values, as SQL; each is written as its place in a list.
        measures: Sums, as SQL.
    """

    name: str
    source: str
    dimensions: Mapping[str, str]
    measures: Mapping[str, str]


def _sums(*columns: str) -> dict[str, str]:
    return {column.removesuffix("_minor"): f"sum({column})" for column in columns}


def _recognised(column: str) -> str:
    return f"coalesce(sum({column}) filter (where is_recognised), 0)"


ACCOUNT = {"account": "source || '/' || account"}
MONEY = ACCOUNT | {"currency": "currency"}
TABLES = (
    # Of core, as no mart tells revenue by status. Its sums are those of marts.daily_revenue.
    _Table(
        "orders",
        "core.orders where not is_test and not is_deleted",
        MONEY | {"status": "status"},
        {
            "placed": "count(*)",
            "recognised": "count(*) filter (where is_recognised)",
            "unpriced": "count(*) filter (where is_recognised and net_minor is null)",
            "gross": _recognised("gross_minor"),
            "discounts": _recognised("total_discount_minor"),
            "net": _recognised("net_minor"),
        },
    ),
    _Table(
        "discounts",
        "marts.daily_discounts where true",
        MONEY,
        _sums(
            "orders_recognised",
            "orders_discounted",
            "orders_without_amount",
            "full_discount_orders",
            "gross_revenue_minor",
            "order_level_discount_minor",
            "item_level_discount_minor",
            "depth_0_orders",
            "depth_0_5_orders",
            "depth_5_10_orders",
            "depth_10_20_orders",
            "depth_20_50_orders",
            "depth_over_50_orders",
        ),
    ),
    _Table(
        "customers",
        "marts.daily_customers where true",
        MONEY,
        _sums(
            "new_customers",
            "new_customer_orders",
            "returning_customer_orders",
            "guest_orders",
            "new_customer_net_minor",
            "returning_customer_net_minor",
            "guest_net_minor",
        ),
    ),
    _Table(
        "funnel",
        "marts.status_funnel where true",
        MONEY,
        _sums(
            "orders_placed",
            "orders_ever_fulfilled",
            "orders_ever_cancelled",
            "orders_ever_recognised",
            "orders_reversed",
        )
        | {"orders_immature": "coalesce(sum(orders_placed) filter (where not is_mature), 0)"},
    ),
    _Table(
        "durations",
        "marts.status_durations where true",
        ACCOUNT | {"from_status": "from_status", "to_status": "to_status"},
        _sums("stays", "stays_measured", "stays_exact", "lower_seconds_sum", "upper_seconds_sum"),
    ),
    _Table(
        "licenses",
        "marts.daily_licenses where true",
        ACCOUNT,
        _sums(
            "issued_orders",
            "trial_orders",
            "test_orders",
            "orders_without_licenses",
            "licenses",
            "trial_licenses",
            "licenses_active",
            "licenses_enabled",
            "licenses_disabled",
        ),
    ),
)


def read_cube(
    published: Path,
    contracts: Mapping[str, Contract],
    budgets: Mapping[str, Allowance],
) -> dict[str, Any]:
    """Return everything that the page shows, as values that JSON knows.

    Args:
        published: The published copy.
        contracts: What the metrics mean, by metric.
        budgets: Requests of the billing cycle, by account; those that are missing are not known.

    Raises:
        WarehouseError: nothing is published, or not what the page needs.
    """
    if not published.exists():
        raise WarehouseError(
            f"nothing is published at {published} yet: run `orders-connector sync`"
        )
    try:
        with duckdb.connect(str(published), read_only=True) as con:
            begin_session(con)
            return _cube(con, contracts, budgets)
    except duckdb.CatalogException as error:
        raise WarehouseError(
            f"{published} has not all that the dashboard shows: run `orders-connector refresh`, "
            f"then `orders-connector publish` ({error})"
        ) from error


def _cube(
    con: duckdb.DuckDBPyConnection,
    contracts: Mapping[str, Contract],
    budgets: Mapping[str, Allowance],
) -> dict[str, Any]:
    ((published_at, load_id, data_through),) = con.execute(
        "select published_at, load_id, data_through from meta.publication"
    ).fetchall()
    ((oldest, newest),) = con.execute(
        "select min(order_date), max(order_date) from marts.daily_revenue"
    ).fetchall()
    start = max(oldest, newest - timedelta(days=HISTORY_DAYS - 1)) if oldest else None
    before = 0
    if start:
        ((before,),) = con.execute(
            "select coalesce(sum(orders_placed), 0) from marts.daily_revenue where order_date < ?",
            [start],
        ).fetchall()
    tables = {table.name: _encoded(con, table, start) for table in TABLES if start}
    if start:
        tables["promotions"] = _encoded(con, _promotions(con, start), start)
        tables["products"] = _encoded(con, _products(con, start), start)
    found: dict[str, Any] = _plain(
        {
            "made_at": datetime.now(UTC),
            "published_at": published_at,
            "data_through": data_through,
            "fresh_for_seconds": FRESH_FOR.total_seconds(),
            "first_day": start,
            "last_day": newest,
            "orders_before": before,
            "accounts": _accounts(con, budgets),
            "currencies": _currencies(con),
            "tables": tables,
            "product_names": _product_names(con) if start else {},
            "cohorts": _cohorts(con),
            "restatements": _restatements(con, load_id),
            "metrics": {name: _meaning(contract) for name, contract in contracts.items()},
        }
    )
    return found


def _encoded(con: duckdb.DuckDBPyConnection, table: _Table, start: date) -> dict[str, Any]:
    """Read a table by columns: dates as days since the row before, dimensions as places in a list.

    The first date counts from `start`.
    """
    selected = [f"{sql} as {name}" for name, sql in table.dimensions.items()]
    selected += [f"{sql} as {name}" for name, sql in table.measures.items()]
    rows = con.execute(
        f"select order_date, {', '.join(selected)} from {table.source} and order_date >= ?"
        " group by all order by all",
        [start],
    ).fetchall()
    days, *columns = zip(*rows, strict=True) if rows else ((), *[()] * len(selected))
    names = [*table.dimensions, *table.measures]
    steps = [(day - before).days for before, day in pairwise((start, *days))]
    encoded: dict[str, Any] = {"day": steps}
    values = {}
    for name, column in zip(names, columns, strict=True):
        if name in table.dimensions:
            values[name] = sorted(set(column))
            places = {value: place for place, value in enumerate(values[name])}
            encoded[name] = [places[value] for value in column]
        else:
            encoded[name] = column
    return {"rows": encoded, "values": values}


def _products(con: duckdb.DuckDBPyConnection, start: date) -> _Table:
    """Name the products of most orders; the others become one row a day, without orders."""
    _keep_most(con, "marts.daily_products", PRODUCT, start, MOST_PRODUCT_ROWS)
    return _Table(
        "products",
        f"marts.daily_products left join kept on kept.key = {PRODUCT} where true",
        MONEY | {"product": "coalesce(kept.key, 'further:')"},
        {
            "orders": "case when max(kept.key) is not null then sum(orders_recognised) end",
            "units": "sum(units)",
            "discounts": "sum(item_discount_minor + order_discount_minor)",
            "net": "sum(net_revenue_minor)",
        },
    )


def _product_names(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the newest name of each product of `kept` that has another name than its key."""
    return dict(
        con.execute(
            "select product_key, arg_max(product_name, order_date) as name"
            f" from marts.daily_products join kept on kept.key = {PRODUCT}"
            " group by product_key having name <> '' and name <> product_key order by 1"
        ).fetchall()
    )


def _promotions(con: duckdb.DuckDBPyConnection, start: date) -> _Table:
    """Name the promotions of most orders; the others become one row a day, without orders."""
    _keep_most(con, "marts.daily_promotions", PROMOTION, start, MOST_PROMOTION_ROWS)
    return _Table(
        "promotions",
        f"marts.daily_promotions left join kept on kept.key = {PROMOTION} where true",
        MONEY | {"promotion": "coalesce(kept.key, 'further:')"},
        {
            "redemptions": "sum(net_redemptions)",
            "rollbacks": "sum(rollbacks)",
            "orders": "case when max(kept.key) is not null then sum(orders_recognised) end",
            "new_customers": "case when max(kept.key) is not null then sum(new_customers) end",
            "discounts": "sum(discount_minor)",
        },
    )


def _keep_most(
    con: duckdb.DuckDBPyConnection, mart: str, key: str, start: date, most_rows: int
) -> None:
    """Note in the temporary table `kept` the keys of most orders that fit into so many rows."""
    con.execute(
        f"""
        create or replace temp table kept as
        select key
        from (
            select key, sum(n) over (order by orders desc, key rows unbounded preceding) as so_far
            from (
                select {key} as key, count(*) as n, sum(orders_recognised) as orders
                from {mart} where order_date >= ? group by 1
            )
        )
        where so_far <= {most_rows}
        """,
        [start],
    )


def _accounts(
    con: duckdb.DuckDBPyConnection, budgets: Mapping[str, Allowance]
) -> list[dict[str, Any]]:
    """Return what is known of each account's data, and its first and last day."""
    found = _records(
        con,
        """
        select f.*, r.first_day, r.last_day, coalesce(r.gives_money, false) as gives_money
        from marts.data_freshness as f
        left join (
            select source, account, min(order_date) as first_day, max(order_date) as last_day,
                bool_or(gives_money) as gives_money
            from marts.daily_revenue group by all
        ) as r using (source, account)
        order by source, account
        """,
    )
    for account in found:
        budget = budgets.get(account["account"])
        account["key"] = f"{account['source']}/{account['account']}"
        account["calls"] = budget and {
            "spent": budget.spent,
            "quota": budget.quota,
            "reserved": budget.reserved,
            "resets_at": budget.resets_at,
        }
    return found


def _currencies(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the currencies, those with money and most orders first."""
    return _records(
        con,
        """
        select currency, max(minor_unit_exponent) as exponent, bool_or(gives_money) as gives_money
        from marts.daily_revenue
        group by currency
        order by gives_money desc, sum(orders_recognised) desc, currency
        """,
    )


def _cohorts(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the newest cohorts, for as many months as the page shows."""
    return _columns_and_rows(
        con,
        f"""
        select source || '/' || account as account, currency, cohort_month, month_number, customers,
            active_customers, cumulative_net_minor as cumulative_net,
            coalesce(is_partial_month, false) as is_partial
        from marts.customer_cohort_grid
        where cohort_month > (select max(cohort_month) from marts.customer_cohort_grid)
                - interval {COHORTS} month
            and month_number <= {COHORT_MONTHS}
        order by cohort_month, month_number, 1, 2
        """,
    )


def _restatements(con: duckdb.DuckDBPyConnection, load_id: str | None) -> dict[str, Any]:
    """Return what the load that is shown changed in past days, the newest first."""
    found = _columns_and_rows(
        con,
        """
        select source || '/' || account as account, currency, order_date, metric, before,
            after, reason, orders
        from marts.restatements
        where load_id = $load_id and model = 'marts.daily_revenue'
            and metric in ('orders_placed', 'orders_recognised', 'orders_cancelled',
                'gross_revenue_minor', 'discounts_minor', 'net_revenue_minor', 'refunds_minor')
        order by order_date desc, account, currency, metric
        """,
        {"load_id": load_id},
    )
    rows = found["rows"]
    return found | {"rows": rows[:RESTATEMENTS_SHOWN], "in_all": len(rows)}


def _meaning(contract: Contract) -> dict[str, Any]:
    return {
        "formula": contract.formula,
        "contract": str(contract),
        "model": contract.model,
        "differs": contract.terms.differs,
    }


def _records(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    found = _columns_and_rows(con, query, parameters)
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def _columns_and_rows(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    cursor = con.execute(query, parameters or {})
    return {"columns": [name for name, *_ in cursor.description or ()], "rows": cursor.fetchall()}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return what JSON knows: dates as ISO 8601, whole decimals as whole numbers."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal | float):
        return int(value) if value == int(value) else round(float(value), 4)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value
