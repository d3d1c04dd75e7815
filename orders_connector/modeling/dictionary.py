"""Documentation written from the models: every table and column, their origins, every metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from orders_connector.modeling.header import Check, Example
from orders_connector.modeling.lineage import column_origins, column_types
from orders_connector.modeling.macros import Macro, load_macros
from orders_connector.modeling.metrics import Contract, contracts, contracts_of
from orders_connector.modeling.model import Model

__all__ = ["data_dictionary", "metric_page", "write_documentation"]

MADE = "<!-- Made by `make docs` from the headers in sql/; changes here are lost. -->"
ACCOUNT = ("source", "account")
BUSINESS_DATE = "order_date"
EXAMPLE_DAY = "3 March"
LAYERS = {
    "marts": "What BI and analysts read: figures by day, customer, product, promotion, status.",
    "core": "One shape for all sources: orders, lines, versions, customers.",
    "staging": "Each source's raw JSON, typed. Not published.",
}


def write_documentation(models: Mapping[str, Model], folder: Path) -> list[Path]:
    """Write the data dictionary and the page of metrics.

    Args:
        models: All models, upstream first.
        folder: Where to; made when missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "data_dictionary.md": data_dictionary(models),
        "metrics.md": metric_page(models),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


def data_dictionary(models: Mapping[str, Model]) -> str:
    """Return every table with its grain, columns, origins and promises, as Markdown."""
    origins, types = column_origins(models), column_types(models)
    lines = ["# Data dictionary", "", MADE, ""]
    lines += [
        "Every table with its columns, what they mean, and which columns of other tables they are "
        "computed from. The published copy has core and marts. What each metric means: "
        "[metrics](metrics.md). Which mart answers what: [marts](marts/README.md).",
        "",
        "Rows belong to one source and account unless it says otherwise, so *one row per* leaves "
        "these two out. Tables are refreshed in slices of the column that is named.",
        "",
        *_index(models),
        *_lineage(models),
    ]
    for layer, what in LAYERS.items():
        lines += [f"## {layer}", "", what, ""]
        for model in _of_layer(models, layer):
            lines += _table(model, types[model.name], origins[model.name])
        for macro in load_macros():
            if macro.name.startswith(f"{layer}."):
                lines += _macro(macro)
    return "\n".join(lines)


def metric_page(models: Mapping[str, Model]) -> str:
    """Return the contract of every metric, as Markdown."""
    lines = ["# Metrics", "", MADE, ""]
    lines += [
        "Each figure has a name of its own, a version that rises when its meaning changes, and a "
        f"value on the [worked example](worked_example.md), that of {EXAMPLE_DAY} unless it says "
        "otherwise. Tests count these values. `orders-connector explain` takes the figure of a "
        "business date apart into the orders behind it.",
        "",
        "Amounts in columns that end in `_minor` are minor units. Nothing is summed across "
        "currencies.",
        "",
    ]
    by_model: dict[str, list[Contract]] = {}
    for contract in contracts(models).values():
        by_model.setdefault(contract.model, []).append(contract)
    for model, found in sorted(by_model.items()):
        lines += [f"## {model}", "", _scope(found), ""]
        rows = [
            (
                f"`{c.metric}`",
                c.terms.version,
                f"`{c.terms.column}`",
                c.formula,
                c.terms.counts,
                _example(c),
            )
            for c in found
        ]
        columns = ("metric", "version", "column", "formula", "counts", "example")
        lines += [*_grid(columns, rows), ""]
        differs = [c for c in found if c.terms.differs]
        if differs:
            lines += ["Beware:", ""]
            lines += [f"- `{c.metric}`: {c.terms.differs}" for c in differs]
            lines += [""]
    return "\n".join(lines)


def _scope(found: Sequence[Contract]) -> str:
    """Say what one value of the metrics of a mart is about, and which one the example is."""
    first = found[0]
    table = f"[{first.model}](data_dictionary.md#{_anchor(first.model)})"
    said = f"{table}: one value per {', '.join(first.grain)}."
    if BUSINESS_DATE in first.grain:
        said += " The day is the order's business date in the account's time zone, as known now."
    if all(c.terms.example.is_ is None for c in found):
        return f"{said} The worked example has none of it."
    rows = sorted({_row(c) for c in found} - {""})
    return f"{said} Example: where {' or '.join(f'`{row}`' for row in rows)}." if rows else said


def _row(contract: Contract) -> str:
    """Say of which row the example is, beyond its day."""
    where = contract.terms.example.where
    return where.removeprefix(Example.model_fields["where"].default).removeprefix(" and ")


def _example(contract: Contract) -> str:
    value = contract.terms.example.is_
    return "not known" if value is None else f"{value:,}"


def _index(models: Mapping[str, Model]) -> Iterator[str]:
    for layer in ("marts", "core"):
        rows = [
            (f"[{m.name}](#{_anchor(m.name)})", _first_sentence(m), _grain(m), _kind(m))
            for m in _of_layer(models, layer)
        ]
        yield from _grid((layer, "", "one row per", "refreshed"), rows)
        yield ""


def _of_layer(models: Mapping[str, Model], layer: str) -> list[Model]:
    return sorted((m for m in models.values() if m.layer == layer), key=lambda m: m.name)


def _first_sentence(model: Model) -> str:
    first, _, _ = model.header.description.partition(". ")
    return first.removesuffix(".")


def _grain(model: Model) -> str:
    grain = model.header.grain
    if set(ACCOUNT) <= set(grain):
        return ", ".join(column for column in grain if column not in ACCOUNT) or "account"
    return f"{', '.join(grain)}, over all accounts"


def _kind(model: Model) -> str:
    if model.is_view:
        return "view"
    return f"by {model.refresh_key}" if model.refresh_key else "in full"


def _lineage(models: Mapping[str, Model]) -> Iterator[str]:
    """Yield the picture of core and marts; all of staging is one box.

    What a table reads by way of another one, too, has no arrow of its own: with all of them nobody
    could follow any.
    """
    drawn = {name: m for name, m in models.items() if m.layer != "staging"}
    reads = {name: {table for table in m.inputs if table in drawn} for name, m in drawn.items()}
    yield from ("## Lineage", "")
    yield (
        "Rounded boxes are views. What a table reads by way of another one, too, has no arrow of "
        "its own; its section names all that it reads."
    )
    yield from ("", "```mermaid", "flowchart LR")
    yield '    raw_log[("raw.order_payloads")] --> staging_models["staging, per source"]'
    yield '    operations[("ops: what was asked and loaded")]'
    for layer in ("core", "marts"):
        yield f'    subgraph layer_{layer}["{layer}"]'
        for model in _of_layer(models, layer):
            opening, closing = ("([", "])") if model.is_view else ("[", "]")
            yield f'        {_node(model.name)}{opening}"{model.name}"{closing}'
        yield "    end"
    for name, model in sorted(drawn.items()):
        near = reads[name] - {far for table in reads[name] for far in _behind(reads, table)}
        for table in sorted(near):
            yield f"    {_node(table)} --> {_node(name)}"
        if any(table.startswith("staging.") for table in model.inputs) and not near:
            yield f"    staging_models --> {_node(name)}"
        if all(table.startswith("ops.") for table in model.inputs):
            yield f"    operations --> {_node(name)}"
    yield from ("```", "")


def _behind(reads: Mapping[str, set[str]], name: str) -> set[str]:
    """Return all that a table is made of, however far back."""
    return reads[name] | {far for table in reads[name] for far in _behind(reads, table)}


def _table(
    model: Model, types: Mapping[str, str], origins: Mapping[str, Iterable[tuple[str, str]]]
) -> list[str]:
    metrics = {c.terms.column: c.metric for c in contracts_of(model).values()}
    lines = [f"### {model.name}", "", model.header.description, ""]
    lines += [
        f"One row per {', '.join(model.header.grain)}; {_refreshed(model)}. "
        f"Reads {', '.join(sorted(model.inputs))}.",
        "",
    ]
    rows = [
        (
            f"`{column}`",
            types[column].lower(),
            f"{meaning} Metric `{metrics[column]}`." if column in metrics else meaning,
            _origin(origins[column]),
        )
        for column, meaning in model.header.columns.items()
    ]
    lines += [*_grid(("column", "type", "meaning", "computed from"), rows), ""]
    promises = [_promise(c) for c in model.header.checks if not c.name.startswith("metric_")]
    return [*lines, f"Checks: {'; '.join(promises)}.", ""] if promises else lines


def _origin(columns: Iterable[tuple[str, str]]) -> str:
    """Name the columns that a column is computed from, table by table."""
    by_table: dict[str, list[str]] = {}
    for table, column in sorted(columns):
        by_table.setdefault(table, []).append(column)
    return "; ".join(f"{table}: {', '.join(found)}" for table, found in by_table.items())


def _macro(macro: Macro) -> list[str]:
    parameters = ", ".join(macro.header.parameters)
    lines = [f"### {macro.name}({parameters})", ""]
    lines += [macro.header.description, ""]
    lines += [f"- `{name}`: {meaning}" for name, meaning in macro.header.parameters.items()]
    rows = [(f"`{column}`", meaning) for column, meaning in macro.header.columns.items()]
    return [*lines, "", *_grid(("column", "meaning"), rows), ""]


def _refreshed(model: Model) -> str:
    return "a view" if model.is_view else f"refreshed {_kind(model)}"


def _promise(check: Check) -> str:
    columns = ", ".join(check.columns)
    match check.rule:
        case "unique":
            said = f"one row per {columns}"
        case "not_null":
            said = f"never NULL: {columns}"
        case _:
            said = check.name.replace("_", " ")
    return said if check.severity == "error" else f"{said} (warns)"


def _node(table: str) -> str:
    return table.replace(".", "_")


def _anchor(heading: str) -> str:
    return "".join(c for c in heading.lower() if c.isalnum() or c in "-_")


def _grid(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'|'.join(' --- ' for _ in columns)}|"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"
