"""The commands `explain`, `restatements`, `metrics` and `docs`: where figures come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from orders_connector.cli.terminal import counted, minutes, print_json, relative, say, table
from orders_connector.config import Settings
from orders_connector.explain import Explanation
from orders_connector.explain import explain as take_apart
from orders_connector.modeling.configured import configured_models
from orders_connector.modeling.dictionary import write_documentation
from orders_connector.modeling.metrics import contracts
from orders_connector.modeling.model import load_models
from orders_connector.modeling.restatements import Restatement, read_restatements
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["documentation", "explain", "metrics", "restatements"]


def explain(
    settings: Settings,
    mart: str,
    day: date,
    metric: str | None,
    account: str | None,
    currency: str | None,
    *,
    limit: int,
    as_json: bool,
) -> None:
    """Print what a figure is made of, and whether it adds up.

    Raises:
        QueryRejected: there is no such mart or metric, or it cannot be taken apart.
        WarehouseError: there is no figure of that date.
    """
    found = take_apart(settings, mart, day, metric, account=account, currency=currency)
    if as_json:
        print_json([_as_data(explanation) for explanation in found])
    elif metric is None:
        _say_all(found)
    else:
        for explanation in found:
            _say(explanation, limit or len(explanation.contributions))


def _as_data(explanation: Explanation) -> dict[str, Any]:
    return asdict(explanation) | {"total": explanation.total}


def _say_all(found: Sequence[Explanation]) -> None:
    """Print one line per figure."""
    rows = [
        [
            _named(e.row),
            e.contract.metric if e.contract else e.column,
            _number(e.value),
            _unit(e),
            counted(len(e.contributions), "row"),
            _verdict(e),
        ]
        for e in found
    ]
    columns = ["", "metric", "figure", "", "behind it", ""]
    table(columns, rows, right=[name in ("figure", "behind it") for name in columns])
    say("", "--metric NAME lists the orders behind one figure.")


def _say(explanation: Explanation, limit: int) -> None:
    name = explanation.contract.metric if explanation.contract else explanation.column
    figure = f"{_number(explanation.value)} {_unit(explanation)}".rstrip()
    say(f"{name} of {_named(explanation.row)}: {figure}", style="bold")
    for rule in explanation.rules:
        say(f"  {rule}")
    say(f"  SQL: {explanation.sql}", "")
    if explanation.contributions:
        _say_orders(explanation, limit)
    say(f"{_verdict(explanation)}.")
    if explanation.left_out:
        left = ", ".join(f"{orders:,} {status}" for status, orders in explanation.left_out.items())
        say(f"Not in it, of the same date: {left}.")
    for restated in explanation.restated:
        say(
            f"Restated {minutes(restated.restated_at)} from {_number(restated.before)} to "
            f"{_number(restated.after)} by {_cause(restated)} ({restated.load_id})."
        )
    say("")


def _say_orders(explanation: Explanation, limit: int) -> None:
    operands = any(c.operand is not None for c in explanation.contributions)
    rows = [
        [
            c.order_id if c.line_no is None else f"{c.order_id} line {c.line_no}",
            "" if shown is None else _number(shown),
            c.status,
            minutes(c.version_at),
            c.channel,
            minutes(c.loaded_at),
            c.extraction_id,
        ]
        for c in explanation.contributions[:limit]
        for shown in [c.operand if operands else c.amount]
    ]
    share = f"{'value' if operands else 'share'}, {_unit(explanation)}".removesuffix(", ")
    columns = ["order", share, "status", "version of", "by", "loaded", "extraction"]
    table(columns, rows, right=[name == share for name in columns])
    more = len(explanation.contributions) - limit
    if more > 0:
        say(f"... and {counted(more, 'row')} more; --limit 0 shows all")


def _unit(explanation: Explanation) -> str:
    is_money = explanation.column.endswith("_minor") and explanation.value is not None
    return "minor units" if is_money else ""


def _verdict(explanation: Explanation) -> str:
    rows = counted(len(explanation.contributions), "row")
    if explanation.value is None:
        return "not known"
    if explanation.total is None:
        return f"no sum: computed over {rows}"
    if explanation.total == explanation.value:
        return f"adds up: {rows}, {_number(explanation.total)}"
    return (
        f"DOES NOT ADD UP: {rows} give {_number(explanation.total)}. Run `orders-connector refresh "
        "--full`; if it stays, report it"
    )


def restatements(
    settings: Settings, since: date | None, account: str | None, *, as_json: bool
) -> None:
    """Print which past figures loads changed, and the orders behind it."""
    with warehouse_connection(settings, read_only=True) as con:
        found = read_restatements(con, since=since, account=account)
    if as_json:
        print_json([asdict(r) | {"difference": r.difference} for r in found])
        return
    if not found:
        say("no past figure was changed")
        return
    rows = [
        [
            minutes(r.restated_at),
            str(r.order_date),
            r.account,
            r.currency,
            r.metric,
            _number(r.before),
            _number(r.after),
            "" if r.difference is None else _number(r.difference),
            _cause(r),
        ]
        for r in found
    ]
    columns = ["load", "day", "account", "", "metric", "before", "after", "difference", "cause"]
    table(columns, rows, right=[name in ("before", "after", "difference") for name in columns])
    days = {(r.account, r.order_date) for r in found}
    loads = {r.load_id for r in found}
    say(
        f"{counted(len(found), 'figure')} of {counted(len(days), 'business day')} by "
        f"{counted(len(loads), 'load')}"
    )


def metrics(settings: Settings, *, as_json: bool) -> None:
    """Print the contract of every metric, those of own models too."""
    found = contracts(configured_models(settings))
    if as_json:
        print_json(
            {
                name: asdict(contract) | {"terms": contract.terms.model_dump(by_alias=True)}
                for name, contract in found.items()
            }
        )
        return
    rows = [
        [name, str(c.terms.version), c.model, c.terms.column, c.formula]
        for name, c in found.items()
    ]
    table(
        ["metric", "version", "mart", "column", "formula"],
        rows,
        right=[False, True, False, False, False],
    )


def documentation(folder: Path, own: Path | None) -> None:
    """Write the data dictionary and the page of metrics; `own` is a folder of own models."""
    for page in write_documentation(load_models(own=own), folder):
        say(f"written: {relative(page)}")


def _cause(restated: Restatement) -> str:
    if restated.reason != "orders":
        return "a changed model or setting, or a rebuild"
    more = restated.orders - len(restated.examples)
    return ", ".join([*restated.examples, *([f"{more:,} more"] if more > 0 else [])])


def _named(row: Mapping[str, Any]) -> str:
    return " ".join(str(value) for name, value in row.items() if name != "source")


def _number(value: Decimal | None) -> str:
    if value is None:
        return "not known"
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value.normalize():,f}"
