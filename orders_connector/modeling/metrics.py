"""The metric contract: what each figure means, and which version of that meaning is in force.

A metric is written beside its SQL, in the header of its mart. Its definition is the SQL itself,
reduced to what this one column is made of, down to the staging tables. `metric_versions.yaml` notes
the fingerprint of each version, so that a definition cannot change under the same number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections

from orders_connector.errors import ModelError
from orders_connector.modeling.header import Metric
from orders_connector.modeling.model import BUSINESS_DATE, Model, model_directory

__all__ = [
    "Contract",
    "contracts",
    "contracts_of",
    "fingerprint",
    "note_versions",
    "unnoted_changes",
    "versions_file",
]

NOT_FOLLOWED = ("raw", "ops", "staging")
CURRENCY = "currency"


@dataclass(frozen=True)
class Contract:
    """One metric with all that its mart says of it.

    Attributes:
        metric: Its identity.
        model: The mart that holds it, as `schema.table`.
        formula: In words.
        grain: Columns that name one value of it.
        currency_rule: What it does about currencies.
        day_rule: Which day it belongs to.
    """

    metric: str
    model: str
    terms: Metric
    formula: str
    grain: tuple[str, ...]
    currency_rule: str
    day_rule: str

    def __str__(self) -> str:
        """Return the contract in a sentence, as it stands in the column's comment."""
        return (
            f"Metric {self.metric}, version {self.terms.version}: {self.terms.counts}; "
            f"{self.currency_rule}; {self.day_rule}."
        )


def contracts(models: Mapping[str, Model]) -> dict[str, Contract]:
    """Return every metric of the models, in their order.

    Raises:
        ModelError: two models define the same metric.
    """
    found: dict[str, Contract] = {}
    for model in models.values():
        for name, contract in contracts_of(model).items():
            if name in found:
                raise ModelError(
                    f"{model.path.name}: the metric {name} is defined in {found[name].model} "
                    "already; a metric has one place"
                )
            found[name] = contract
    return found


def contracts_of(model: Model) -> dict[str, Contract]:
    """Return the metrics of one model."""
    return {name: _contract(model, name, metric) for name, metric in model.header.metrics.items()}


def _contract(model: Model, name: str, metric: Metric) -> Contract:
    grain = model.header.grain
    return Contract(
        metric=name,
        model=model.name,
        terms=metric,
        formula=model.header.columns[metric.column],
        grain=grain,
        currency_rule=(
            "one value per currency; never summed across"
            if CURRENCY in grain
            else "no money, or money of one currency each"
        ),
        day_rule=(
            "the order's business date in the account's time zone, as known now"
            if BUSINESS_DATE in grain
            else f"as named by {', '.join(grain)}"
        ),
    )


def fingerprint(models: Mapping[str, Model], contract: Contract) -> str:
    """Return what changes with the definition of a metric."""
    found = _definitions(models, models[contract.model], contract.terms.column, seen=set())
    parts = sorted(set(found))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _definitions(
    models: Mapping[str, Model], model: Model, column: str, seen: set[tuple[str, str]]
) -> Iterator[str]:
    """Yield the SQL of a column and of all that it is made of, staging and settings left out."""
    if (model.name, column) in seen:
        return
    seen.add((model.name, column))
    reduced = _reduced(model, column)
    yield f"{model.name}.{column}: {reduced.sql(dialect='duckdb', comments=False)}"
    for table in reduced.find_all(exp.Table):
        upstream = models.get(f"{table.db}.{table.name}")
        if upstream is None or upstream.layer in NOT_FOLLOWED:
            continue
        scope = table.parent_select
        read = {c.name for c in scope.find_all(exp.Column)} if scope else set()
        for name in sorted(read & set(upstream.columns)):
            yield from _definitions(models, upstream, name, seen)


@lru_cache(maxsize=4096)
def _reduced(model: Model, column: str) -> exp.Query:
    """Return the model's SELECT with this one column, and nothing below that it does not need."""
    place = model.columns.index(column)
    select = model.select.copy()
    for branch in _branches(select):
        branch.set("expressions", [branch.expressions[place]])
    return pushdown_projections(select)


def _branches(query: exp.Query) -> Iterator[exp.Select]:
    if isinstance(query, exp.SetOperation):
        for side in (query.this, query.expression):
            yield from _branches(side)
    elif isinstance(query, exp.Select):
        yield query


def versions_file() -> Path:
    """Return the file that notes which definition each version of a metric stands for."""
    return model_directory() / "metric_versions.yaml"


def unnoted_changes(models: Mapping[str, Model], file: Path | None = None) -> list[str]:
    """Say which metrics mean something else than their version did when it was noted."""
    noted = _read(file or versions_file())
    found = contracts(models)
    problems = []
    for name, contract in found.items():
        version, now = contract.terms.version, fingerprint(models, contract)
        old = noted.get(name)
        if old is None:
            problems.append(f"{name}: version {version} is new and not noted yet")
        elif old["version"] == version and old["definition"] != now:
            problems.append(
                f"{name}: its SQL is not what version {version} stands for. When figures can "
                f"differ, give it version {version + 1} in {contract.model}"
            )
        elif old["version"] != version:
            problems.append(f"{name}: version {version} is not noted, version {old['version']} is")
    problems += [f"{name}: noted, but no model defines it" for name in noted.keys() - found.keys()]
    return problems


def note_versions(
    models: Mapping[str, Model], file: Path | None = None, *, same_meaning: bool = False
) -> None:
    """Write down what each version stands for.

    Args:
        models: All models.
        file: Default: `metric_versions.yaml` beside the models.
        same_meaning: A changed SQL gives the same figures, so the version may stay.

    Raises:
        ModelError: a definition changed and its version did not rise.
    """
    file = file or versions_file()
    noted = _read(file)
    lines = {}
    for name, contract in sorted(contracts(models).items()):
        version, now = contract.terms.version, fingerprint(models, contract)
        old = noted.get(name, {"version": 0, "definition": now})
        changed = now != old["definition"] and not same_meaning
        if version < old["version"] or (version == old["version"] and changed):
            raise ModelError(
                f"the metric {name} of {contract.model} changed and is still version {version}: "
                "raise its version, so that readers can tell old figures from new ones"
            )
        lines[name] = {"version": version, "definition": now}
    file.write_text(yaml.safe_dump(lines, sort_keys=True), encoding="utf-8")


def _read(file: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
