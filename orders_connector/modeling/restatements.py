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

    def note(self, model: Model, changed: str) -> None:
        """Note what a refresh is about to change in a model, and the orders that cause it.

        Args:
            model: Any model; one that the ledger does not keep is passed over.
            changed: Table with the rows that differ: `__old` lists those there are, `__new` counts
                those that are to come.
        """
        if model in self.kept:
            before = f"(from {changed} where __old is not null)"
            after = f"(from {changed} where __new > 0)"
            self._note_figures(model, before, after, model.name, "orders")
        if model.name in self.read and set(ORDER) <= set(model.columns):
            self._note_causes(model, changed)

    def note_rebuilt(self, model: Model, before: str) -> None:
        """Note figures of a model that was built in full; `before` has its rows as they were."""
        if model in self.kept:
            self._note_figures(model, before, model.name, before, "rebuild")

    def _note_figures(self, model: Model, before: str, after: str, known: str, reason: str) -> None:
        """Note metrics that differ, of dates that have figures in `known`."""
        there = {row[0] for row in self.con.execute(f"describe from {known}").fetchall()}
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
            f"   (select (source, account, order_date) from {known})"
            " ) where f.before is distinct from f.after"
        )

    def _note_causes(self, model: Model, changed: str) -> None:
        """Note the orders whose rows differ in what the kept marts read."""
        read = self.read[model.name]
        content = ", ".join(
            column
            for column in model.columns
            if (read is None or column in read or column in ORDER) and column not in NOT_CONTENT
        )
        order = ", ".join(ORDER)
        self.con.execute(
            "insert into causes"
            f" select '{model.name}', {order}, bool_or(fewer > 0), bool_or(fewer < 0) from ("
            f"  select {content}, sum(coalesce(len(__old), 0) - __new) as fewer from {changed}"
            "  group by all having fewer <> 0)"
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
