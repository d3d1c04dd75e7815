"""What a model's comment declares: grain, refresh key, columns, checks and metrics, in YAML."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

__all__ = ["Check", "Example", "Header", "Metric", "Severity", "Text", "read_header"]

Severity = Literal["error", "warn"]
NEEDED = {
    "relation": ("to", "columns"),
    "formula": ("holds",),
    "totals": ("by", "sum", "to"),
    "volume": ("by", "count", "date"),
}

# Becomes comments and cells of tables, so how it was broken into lines is not kept.
Text = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Strict):
    """One promise of a model. `rule` is the kind, `name` is unique in the model.

    Attributes:
        columns: Columns of this model that the rule is about.
        by: Columns that name a group, for `totals` and `volume`.
        to: The other model, for `relation` and `totals`.
        sum: What `totals` adds up here; `their_sum` is what it adds up there, if not the same.
        where: Rows that `totals` counts here; `their_where` those there.
        count: The count that `volume` watches.
        date: The day of it.
    """

    rule: Literal[
        "unique", "not_null", "accepted_values", "relation", "formula", "totals", "volume"
    ]
    name: str
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    to: str | None = None
    holds: str | None = None
    by: tuple[str, ...] = ()
    sum: str | None = None
    where: str | None = None
    their_sum: str | None = None
    their_where: str | None = None
    count: str | None = None
    date: str | None = None
    severity: Severity = "error"

    @model_validator(mode="after")
    def _has_what_its_rule_needs(self) -> Check:
        missing = [key for key in NEEDED.get(self.rule, ()) if not getattr(self, key)]
        if missing:
            raise ValueError(f"{self.rule} {self.name} lacks {', '.join(missing)}")
        if self.rule == "volume" and not {"source", "account"} <= set(self.by):
            raise ValueError(f"volume {self.name}: `by` names source and account at least")
        return self


class Example(_Strict):
    """What a metric is on the worked example, a shop small enough to count by hand."""

    is_: Decimal | None = Field(alias="is")
    where: str = "order_date = '2026-03-03'"


class Metric(_Strict):
    """The contract of one figure; its formula in words is the meaning of its column.

    Attributes:
        column: The column that holds it.
        version: Rises with every change of what the figure means.
        counts: Which orders are in it.
        holds: What must be true of it in each row; becomes a check.
        example: Its value on the worked example.
        differs: Why it is not the figure that the source itself shows.
    """

    column: str
    version: int = Field(ge=1)
    counts: Text
    holds: str
    example: Example
    differs: Text | None = None


def _check_from_yaml(entry: object) -> object:
    """Turn the short form of the header (`- unique: [a, b]`) into the fields of a `Check`."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return entry
    ((rule, body),) = entry.items()
    match rule:
        case "unique" | "not_null":
            return {"rule": rule, "name": f"{rule}_{'_'.join(body)}", "columns": body}
        case "accepted_values":
            ((column, values),) = body.items()
            return {
                "rule": rule,
                "name": f"{column}_accepted",
                "columns": [column],
                "values": values,
            }
        case "relation":
            name = f"belongs_to_{body.get('to', '').replace('.', '_')}"
            return {"rule": rule, "name": name, **body}
        case "totals" | "volume" if isinstance(body, dict):
            named = [body.get("count"), body.get("date")]
            columns = [*(body.get("by") or []), *(column for column in named if column)]
            severity = {"severity": "warn"} if rule == "volume" else {}
            return {"rule": rule, "columns": columns, **severity, **body}
        case _:
            return {"rule": rule, **(body if isinstance(body, dict) else {})}


class Header(_Strict):
    """What a model's comment declares.

    `personal` names the columns that say who somebody is, where they enter the models. Columns made
    of them are found (`orders_connector.publishing.personal`).
    """

    description: Text
    grain: tuple[str, ...]
    refresh_key: str | None = None
    counted_by: str | None = None
    materialized: Literal["table", "view"] = "table"
    published_as: Literal["table", "view"] = "table"
    columns: dict[str, Text]
    personal: tuple[str, ...] = ()
    checks: tuple[Annotated[Check, BeforeValidator(_check_from_yaml)], ...] = Field(default=())
    metrics: dict[str, Metric] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _check_the_metrics(cls, header: object) -> object:
        """Make a check of what each metric says must hold."""
        metrics = header.get("metrics") if isinstance(header, dict) else None
        if not isinstance(header, dict) or not isinstance(metrics, dict):
            return header
        promised = [
            {"formula": {"name": f"metric_{name}", "holds": metric["holds"]}}
            for name, metric in metrics.items()
            if isinstance(metric, dict) and "holds" in metric
        ]
        return header | {"checks": [*(header.get("checks") or []), *promised]}


def read_header(text: str) -> object:
    """Read the YAML of a header, by libyaml where it is there: it is ten times as quick."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
