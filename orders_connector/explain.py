"""Takes a figure of a mart apart: the orders behind it, their versions, the loads and the rules.

What a figure is made of is read from the mart's SELECT, so an explanation cannot differ from the
figure. The rows that the SELECT adds up are listed with the share of each; their sum is compared
with what the mart shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
from sqlglot import exp

from orders_connector.config import Settings
from orders_connector.errors import QueryRejected, WarehouseError
from orders_connector.modeling.configured import configured_models
from orders_connector.modeling.metrics import Contract, contracts, contracts_of
from orders_connector.modeling.model import BUSINESS_DATE, Model
from orders_connector.modeling.restatements import Restatement, read_restatements
from orders_connector.modeling.views import inline_views
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["Contribution", "Explanation", "explain", "explain_within"]

IDENTITY = ("source", "account", "order_id")
ZERO = exp.Literal.number(0)


@dataclass(frozen=True)
class Contribution:
    """One row behind a figure.

    Attributes:
        amount: What it adds to the figure; None where the figure is not a sum.
        operand: What it gives to a figure that is not a sum, such as its amount to a median.
        version_at: When the source says that this version of the order came to be.
        channel: How the version came: list, get, export.
        extraction_id: The load that brought it.
    """

    order_id: str
    line_no: int | None
    amount: Decimal | None
    operand: Decimal | None
    status: str
    source_status: str | None
    version_at: datetime
    channel: str
    extraction_id: str
    loaded_at: datetime


@dataclass(frozen=True)
class Explanation:
    """One figure taken apart.

    Attributes:
        row: The other columns that name the figure, such as account and currency.
        value: What the mart shows.
        rules: In words: the contract, and the settings of the account that bear on it.
        sql: The expression that makes the figure.
        contributions: The rows behind it, largest share or operand first.
        left_out: Orders of the same date that are not in it, by status.
        restated: What loads changed about it before, newest first.
    """

    model: str
    column: str
    contract: Contract | None
    row: Mapping[str, Any]
    value: Decimal | None
    rules: Sequence[str]
    sql: str
    contributions: Sequence[Contribution]
    left_out: Mapping[str, int] = field(default_factory=dict)
    restated: Sequence[Restatement] = ()

    @property
    def total(self) -> Decimal | None:
        """Sum of the contributions; None when the figure is not a sum."""
        amounts = [c.amount for c in self.contributions if c.amount is not None]
        if len(amounts) < len(self.contributions):
            return None
        return sum(amounts, Decimal(0))


def explain(
    settings: Settings,
    mart: str,
    day: date,
    metric: str | None = None,
    *,
    account: str | None = None,
    currency: str | None = None,
) -> list[Explanation]:
    """Explain the figures of a business date.

    Args:
        settings: All settings.
        mart: A mart with one row per business date, such as `daily_revenue`.
        day: The business date.
        metric: A metric or a column of it; None for every metric.
        account: Only of this account.
        currency: Only in this currency.

    Raises:
        QueryRejected: there is no such mart or metric, or it cannot be taken apart.
        WarehouseError: the warehouse has no figure of that date, or nothing yet.
    """
    with warehouse_connection(settings, read_only=True) as con:
        return explain_within(
            con, configured_models(settings), mart, day, metric, account=account, currency=currency
        )


def explain_within(
    con: duckdb.DuckDBPyConnection,
    models: Mapping[str, Model],
    mart: str,
    day: date,
    metric: str | None = None,
    *,
    account: str | None = None,
    currency: str | None = None,
) -> list[Explanation]:
    """Explain the figures of a business date on an open warehouse (see `explain`)."""
    model = _mart(models, mart)
    columns = _columns(models, model, metric)
    rows = _figures(con, model, day, account, currency)
    return [_explain(con, models, model, column, row) for row in rows for column in columns]


def _mart(models: Mapping[str, Model], name: str) -> Model:
    model = models.get(name if "." in name else f"marts.{name}")
    explained = sorted(
        m.name.removeprefix("marts.") for m in models.values() if _names_orders(models, m)
    )
    if model is None or not _names_orders(models, model):
        what = "there is no such mart" if model is None else "it does not add up orders by date"
        raise QueryRejected(
            f"{name} cannot be explained: {what}. These can: {', '.join(explained)}"
        )
    return model


def _names_orders(models: Mapping[str, Model], model: Model) -> bool:
    """Tell whether the mart groups rows that name their order, by business date."""
    if model.layer != "marts" or BUSINESS_DATE not in model.header.grain:
        return False
    grouped = [_grouped(part) for part in _parts(_adding_up(models, model))]
    return all(part is not None and _names_order_of(models, part) is not None for part in grouped)


def _adding_up(models: Mapping[str, Model], model: Model) -> exp.Query:
    """Return the SELECT of a mart; of a view, with those of the core tables that it shows."""
    if not model.is_view:
        return model.select
    return inline_views(
        model.select,
        {name: m.select for name, m in models.items() if m.layer == "core" and not m.is_view},
    )


def _parts(query: exp.Query) -> list[exp.Select]:
    """Return the SELECTs whose rows stand one below the other."""
    if isinstance(query, exp.SetOperation):
        return [*_parts(query.this), *_parts(query.expression)]
    return [query] if isinstance(query, exp.Select) else []


def _grouped(part: exp.Select) -> exp.Select | None:
    """Return the SELECT that adds up, the outermost one with a GROUP BY."""
    for select in part.find_all(exp.Select, bfs=True):
        if select.args.get("group"):
            return select
    return None


def _names_order_of(models: Mapping[str, Model], grouped: exp.Select) -> exp.Table | None:
    """Return the table of the grouped rows that carries the identity of their order."""
    source = grouped.args["from_"].this if grouped.args.get("from_") else None
    while isinstance(source, exp.Subquery):
        inner = source.this
        if not isinstance(inner, exp.Select) or inner.args.get("group"):
            return None
        source = inner.args["from_"].this
    if not isinstance(source, exp.Table):
        return None
    model = models.get(f"{source.db}.{source.name}")
    return source if model and {*IDENTITY, BUSINESS_DATE} <= set(model.columns) else None


def _columns(models: Mapping[str, Model], model: Model, metric: str | None) -> list[str]:
    own = contracts_of(model)
    if metric is None:
        return [contract.terms.column for contract in own.values()] or [
            c for c in model.columns if c not in model.header.grain
        ]
    if metric in own:
        return [own[metric].terms.column]
    if metric in model.columns:
        return [metric]
    elsewhere = contracts(models).get(metric)
    hint = f"; {metric} is a metric of {elsewhere.model}" if elsewhere else ""
    raise QueryRejected(
        f"{model.name} has no metric {metric}{hint}. It has: {', '.join(own or model.columns)}"
    )


def _figures(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    day: date,
    account: str | None,
    currency: str | None,
) -> list[dict[str, Any]]:
    where = [f"{BUSINESS_DATE} = $day"]
    given: dict[str, Any] = {"day": day}
    for column, value in (("account", account), ("currency", currency)):
        if value is not None and column in model.columns:
            where.append(f"{column} = ${column}")
            given[column] = value
    try:
        cursor = con.execute(
            f"from {model.name} where {' and '.join(where)}"
            f" order by {', '.join(model.header.grain)}",
            given,
        )
    except duckdb.CatalogException:
        raise WarehouseError(
            "the warehouse has no tables yet: run `orders-connector sync`"
        ) from None
    names = [column[0] for column in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not rows:
        raise WarehouseError(
            f"{model.name} has no row for {day}"
            + "".join(f", {k} {v}" for k, v in given.items() if k != "day")
            + ": there were no orders, or they are not loaded (`orders-connector status`)"
        )
    return rows


def _explain(
    con: duckdb.DuckDBPyConnection,
    models: Mapping[str, Model],
    model: Model,
    column: str,
    row: Mapping[str, Any],
) -> Explanation:
    grain = {name: row[name] for name in model.header.grain}
    contract = next((c for c in contracts_of(model).values() if c.terms.column == column), None)
    place = model.columns.index(column)
    contributions: list[Contribution] = []
    formulas = []
    for part in _parts(_adding_up(models, model)):
        grouped = _grouped(part)
        assert grouped is not None  # noqa: S101 - `_mart` has looked
        made = _made_of(part, grouped, place)
        formulas.append(made.sql(dialect="duckdb"))
        keys = {name: _made_of(part, grouped, model.columns.index(name)) for name in grain}
        contributions += _contributions(con, models, grouped, made, keys, grain)
    value = row[column]
    return Explanation(
        model=model.name,
        column=column,
        contract=contract,
        row=grain,
        value=None if value is None else Decimal(str(value)),
        rules=_rules(con, model, contract, column, grain),
        sql=" or ".join(dict.fromkeys(formulas)),
        contributions=contributions,
        left_out=_left_out(con, grain, {c.order_id for c in contributions}),
        restated=[
            r
            for r in read_restatements(con, account=grain["account"])
            if (r.model, r.metric, r.order_date) == (model.name, column, grain[BUSINESS_DATE])
            and r.currency == grain.get("currency", r.currency)
        ],
    )


def _made_of(part: exp.Select, grouped: exp.Select, place: int) -> exp.Expr:
    """Return the expression of the column in the SELECT that adds up."""
    outer = part.selects[place].unalias()
    inner = {projection.alias_or_name: projection.unalias() for projection in grouped.selects}
    if grouped is part:
        return outer
    return outer.transform(
        lambda node: inner.get(node.name, node) if isinstance(node, exp.Column) else node
    )


def _contributions(
    con: duckdb.DuckDBPyConnection,
    models: Mapping[str, Model],
    grouped: exp.Select,
    made: exp.Expr,
    keys: Mapping[str, exp.Expr],
    grain: Mapping[str, Any],
) -> list[Contribution]:
    rows = grouped.copy()
    named = _names_order_of(models, rows)
    assert named is not None  # noqa: S101 - `_mart` has looked
    alias = str(rows.args["from_"].this.alias_or_name)
    upstream = models[f"{named.db}.{named.name}"]
    wanted = [*IDENTITY, *(["line_no"] if "line_no" in upstream.columns else [])]
    _pass_on(rows, wanted)
    share = _share(_known(made))
    operand, counted = (None, None) if share is not None else _operand(made)
    rows.set("group", None)
    rows.set("having", None)
    columns = [exp.column(name, table=alias).as_(name) for name in wanted]
    columns += [exp.alias_(share or exp.null(), "amount")]
    columns += [exp.alias_(operand or exp.null(), "operand")]
    rows.set("expressions", columns)
    conditions = [
        f"({key.sql(dialect='duckdb')}) is not distinct from ${name}" for name, key in keys.items()
    ]
    if counted is not None:
        conditions.append(f"({counted.sql(dialect='duckdb')})")
    for condition in conditions:
        rows = rows.where(condition, dialect="duckdb", copy=False)
    line = "r.line_no" if "line_no" in wanted else "null"
    return [
        Contribution(*found)
        for found in con.execute(
            f"select r.order_id, {line}, r.amount::decimal(38, 4), r.operand::decimal(38, 4),"
            "  o.status, o.source_status, o.version_at, p.channel, o.extraction_id, o.loaded_at"
            f" from ({rows.sql(dialect='duckdb')}) as r"
            " join core.orders as o using (source, account, order_id)"
            " join raw.order_payloads as p on p.version_id = o.version_id"
            + (" where r.amount is not null" if share is not None else "")
            + " order by abs(coalesce(r.amount, r.operand)) desc nulls last, r.order_id, 2",
            dict(grain),
        ).fetchall()
    ]


def _pass_on(grouped: exp.Select, wanted: Sequence[str]) -> None:
    """Make subqueries below hand up the identity of the orders that their table names."""
    source = grouped.args["from_"].this
    while isinstance(source, exp.Subquery):
        inner = source.this
        below = str(inner.args["from_"].this.alias_or_name)
        for name in wanted:
            if name not in inner.named_selects:
                inner.select(exp.column(name, table=below).as_(name), copy=False)
        source = inner.args["from_"].this


def _known(made: exp.Expr) -> exp.Expr:
    """Return what makes the figure, without the condition that says when it is known."""
    while (
        isinstance(made, exp.Case) and len(made.args["ifs"]) == 1 and not made.args.get("default")
    ):
        made = made.args["ifs"][0].args["true"]
    return made


def _share(made: exp.Expr) -> exp.Expr | None:
    """Return what one row adds to the figure, NULL where it is not in it.

    None when the figure is more than sums and counts added up: an average, a distinct count, a
    quantile.
    """
    match made:
        case exp.Cast() | exp.Paren():
            return _share(made.this)
        case exp.Coalesce() if [_share(other) for other in made.expressions] == [exp.null()]:
            return _share(made.this)
        case exp.Literal() if made == ZERO:
            return exp.null()
        case exp.Filter():
            if (share := _share(made.this)) is not None:
                return exp.case().when(made.expression.this.copy(), share)
        case exp.Sum() if not made.find(exp.Distinct):
            added: exp.Expr = made.this.copy()
            return added
        case exp.Count() if not made.find(exp.Distinct):
            one = exp.Literal.number(1)
            if isinstance(made.this, exp.Star):
                return one
            return exp.case().when(made.this.copy().is_(exp.null()).not_(), one)
        case exp.Add() | exp.Sub():
            both = [_share(side) for side in (made.left, made.right)]
            if None in both:
                return None
            left, right = (exp.func("coalesce", side, ZERO.copy()) for side in both)
            return exp.func("nullif", type(made)(this=left, expression=right), ZERO.copy())
    return None


def _operand(made: exp.Expr) -> tuple[exp.Expr | None, exp.Expr | None]:
    """Return what one row gives to a figure that is not a sum, and which rows count.

    The operand is None when it is not one number, as the customer is in a distinct count. All rows
    count where parts of the figure look at different ones.
    """
    numbers = [
        part
        for part in made.find_all(exp.Sum, exp.ArrayAgg)
        if not part.this.find(exp.Distinct, exp.AggFunc)
    ]
    operands = {number.this for number in numbers}
    counted = _one_condition(made.find_all(exp.AggFunc)) or _one_condition(numbers)
    return operands.pop() if len(operands) == 1 else None, counted


def _one_condition(parts: Iterable[exp.Expr]) -> exp.Expr | None:
    """Return the filter of the parts that have one, if it is the same."""
    found = {part.parent.expression.this for part in parts if isinstance(part.parent, exp.Filter)}
    return found.pop() if len(found) == 1 else None


def _rules(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    contract: Contract | None,
    column: str,
    grain: Mapping[str, Any],
) -> list[str]:
    rules = [model.header.columns[column]]
    if contract:
        rules.append(str(contract))
        if contract.terms.differs:
            rules.append(f"Differs from the source's report: {contract.terms.differs}")
    who = {"source": grain["source"], "account": grain["account"]}
    zones = con.execute(
        "select time_zone, business_date_path, test_order_path from ops.accounts"
        " where source = $source and account = $account",
        who,
    ).fetchall()
    statuses = con.execute(
        "select string_agg(value, ', ' order by value) from ops.account_lists"
        " where source = $source and account = $account and list_name = 'recognised_statuses'",
        who,
    ).fetchall()
    for zone, date_path, test_path in zones:
        dated = f"{date_path}, else created_at" if date_path else "created_at"
        rules.append(f"The business date is that of {dated}, in {zone}.")
        if test_path:
            rules.append(f"Test orders ({test_path}) and deleted orders count nowhere.")
    if statuses[0][0]:
        rules.append(f"Recognised statuses of {grain['account']}: {statuses[0][0]}.")
    return rules


def _left_out(
    con: duckdb.DuckDBPyConnection, grain: Mapping[str, Any], counted: set[str]
) -> dict[str, int]:
    rows = con.execute(
        "select case when is_deleted then 'deleted' when is_test then 'test' else status end,"
        "  order_id from core.orders where source = $source and account = $account"
        "  and order_date = $day and ($currency is null or currency = $currency)",
        {
            "source": grain["source"],
            "account": grain["account"],
            "day": grain[BUSINESS_DATE],
            "currency": grain.get("currency"),
        },
    ).fetchall()
    left: dict[str, int] = {}
    for status, order_id in rows:
        if order_id not in counted:
            left[status] = left.get(status, 0) + 1
    return dict(sorted(left.items()))
