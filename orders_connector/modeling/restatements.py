"""The ledger of restatements: which past figures a load changed, and the orders that caused it.

Written in the transaction of the refresh, from the rows that a slice had before and has after.
Figures are the metrics of marts with one row per account, business date and currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb

from orders_connector.modeling.model import BUSINESS_DATE, Model

__all__ = ["Ledger", "Restatement", "read_restatements"]

GRAIN = ("source", "account", "order_date", "currency")
ORDER = ("source", "account", "order_id", "order_date")
# Names of an observation; another one of the same content changes no figure.
NOT_CONTENT = {"version_id", "order_key"}
ORDERS = "core.orders"


@dataclass(frozen=True)
class Restatement:
    """One past figure that a load changed.

    Attributes:
        before: What it was; None when it was not known.
        after: What it is.
        reason: `orders`, or `rebuild` when the model, a setting or a rebuild by hand changed it.
        orders: How many orders of that date caused it.
        examples: Some of them, with what happened to each.
    """

    load_id: str
    restated_at: datetime
    model: str
    source: str
    account: str
    order_date: date
    currency: str
    metric: str
    before: Decimal | None
    after: Decimal | None
    reason: str
    orders: int
    examples: tuple[str, ...]

    @property
    def difference(self) -> Decimal | None:
        """After less before; None when one of them is not known."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before


class Ledger:
    """Collects what one refresh restates."""

    def __init__(self, con: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> None:
        self.con = con
        self.kept = [model for model in models if _is_kept(model)]
        # Table that a kept mart reads -> the columns that it names there; None for all of them.
        self.read: dict[str, frozenset[str] | None] = {}
        for model in self.kept:
            for table, columns in model.reads.items():
                known = self.read.get(table, frozenset())
                self.read[table] = None if known is None or columns is None else known | columns
        con.execute(
            "create or replace temp table restated_figures ("
            "model varchar, source varchar, account varchar, order_date date, currency varchar,"
            " metric varchar, before decimal(38, 4), after decimal(38, 4), reason varchar)"
        )
        con.execute(
            "create or replace temp table causes ("
            "model varchar, source varchar, account varchar, order_id varchar, order_date date,"
            " was boolean, is_now boolean)"
        )

    def note_figures(self, model: Model, before: str, after: str, reason: str) -> None:
        """Note the metrics of dates that had figures in `before` and have others in `after`.

        Args:
            model: Any model; one that the ledger does not keep is passed over.
            before: Table with the rows of the rebuilt slices as they were.
            after: Table with the same slices as they are.
            reason: `orders` or `rebuild`.
        """
        if model not in self.kept:
            return
        there = {row[0] for row in self.con.execute(f"describe {before}").fetchall()}
        columns = [metric.column for metric in model.header.metrics.values()]
        figures = ", ".join(
            f"{{metric: '{column}', before: b.{column}::decimal(38, 4),"
            f" after: a.{column}::decimal(38, 4)}}"
            for column in columns
            if column in there
        )
        grain = ", ".join(GRAIN)
        self.con.execute(
            "insert into restated_figures"
            f" select '{model.name}', {grain}, f.metric, f.before, f.after, '{reason}' from ("
            f"  select {grain}, unnest([{figures}]) as f"
            f"  from {before} as b full join {after} as a using ({grain})"
            f"  where (source, account, order_date) in"
            f"   (select (source, account, order_date) from {before})"
            " ) where f.before is distinct from f.after"
        )

    def note_causes(self, model: Model, before: str, after: str) -> None:
        """Note the orders whose rows differ in what the kept marts read."""
        if model.name not in self.read or not set(ORDER) <= set(model.columns):
            return
        read = self.read[model.name]
        content = ", ".join(
            column
            for column in model.columns
            if (read is None or column in read or column in ORDER) and column not in NOT_CONTENT
        )
        order = ", ".join(ORDER)
        self.con.execute(
            "insert into causes"
            f" select '{model.name}', {order}, bool_or(side = 1), bool_or(side = -1) from ("
            f"  select {content}, sign(sum(side)) as side from ("
            f"   select {content}, 1 as side from {before}"
            f"   union all select {content}, -1 as side from {after})"
            "  group by all having sum(side) <> 0)"
            f" group by {order}"
        )

    def write(self, load_id: str, at: datetime) -> None:
        """Append what was noted to `ops.restatements` and `ops.restated_orders`."""
        self.con.execute(
            "insert into ops.restatements by name"
            " select $load as load_id, $at as restated_at, * from restated_figures",
            {"load": load_id, "at": at},
        )
        self.con.execute(
            "insert into ops.restated_orders by name"
            " select $load as load_id, source, account, order_id, order_date,"
            f"  case when not bool_or(model = '{ORDERS}') then 'resequenced'"
            f"   when not bool_or(was and model = '{ORDERS}') then 'added'"
            f"   when not bool_or(is_now and model = '{ORDERS}') then 'removed'"
            "   else 'changed' end as change"
            " from causes semi join restated_figures using (source, account, order_date)"
            " group by source, account, order_id, order_date",
            {"load": load_id},
        )


def read_restatements(
    con: duckdb.DuckDBPyConnection,
    *,
    since: date | None = None,
    load_id: str | None = None,
    account: str | None = None,
) -> list[Restatement]:
    """Return restatements, newest load first.

    Args:
        con: Connection to the warehouse.
        since: Only by loads that began on this UTC day or later.
        load_id: Only by this load.
        account: Only of this account.
    """
    rows = con.execute(
        "select r.load_id, r.restated_at, r.model, r.source, r.account, r.order_date, r.currency,"
        "  r.metric, r.before, r.after, r.reason,"
        "  count(o.order_id), (list(o.order_id || ' ' || o.change order by o.change, o.order_id)"
        "   filter (where o.order_id is not null))[:3]"
        " from ops.restatements as r left join ops.restated_orders as o"
        "  using (load_id, source, account, order_date)"
        " where ($since is null or r.restated_at::date >= $since)"
        "  and ($load is null or r.load_id = $load)"
        "  and ($account is null or r.account = $account)"
        " group by all order by r.restated_at desc, r.order_date desc, r.model, r.metric,"
        "  r.source, r.account, r.currency",
        {"since": since, "load": load_id, "account": account},
    ).fetchall()
    return [Restatement(*(*row[:-1], tuple(row[-1] or ()))) for row in rows]


def _is_kept(model: Model) -> bool:
    return (
        bool(model.header.metrics)
        and model.refresh_key == BUSINESS_DATE
        and set(model.header.grain) == set(GRAIN)
    )
