"""Decides how readers see personal data: as it is, as a keyed hash, or not at all.

Model headers declare which columns are personal (`personal:`). A column that takes its value from
such a column is personal as well, in whatever model and under whatever name, so a mart of one's own
need not declare it again. Counts and comparisons do not carry a value on.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, cast

from sqlglot import exp

from orders_connector.errors import ConfigurationError
from orders_connector.modeling.lineage import column_origins
from orders_connector.modeling.model import Model

__all__ = ["TIERS", "PersonalData", "Tier", "key_for_hashes", "personal_columns"]

Tier = Literal["plain", "hashed", "absent"]
TIERS: tuple[str, ...] = ("plain", "hashed", "absent")  # each shows less than the one before
SHORTEST_KEY = 16
HASH_DIGITS = 32
# What they give says how many or whether, not who.
CARRY_NOTHING = (exp.Count, exp.ApproxDistinct, exp.CountIf, exp.Predicate, exp.Not, exp.Connector)


@dataclass(frozen=True)
class PersonalData:
    """How readers see personal data.

    Attributes:
        tier: `plain`, `hashed` or `absent`.
        columns: The personal columns of each relation, as `schema.table`; empty when `plain`.
        key: What `hashed` is keyed with. The same key gives the same hashes, in all tables and in
            all copies.
    """

    tier: Tier = "plain"
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    key: str = field(default="", repr=False)

    @property
    def names(self) -> frozenset[str]:
        """All names that personal columns have."""
        return frozenset[str]().union(*self.columns.values())

    def of(self, relation: str) -> frozenset[str]:
        """Return the personal columns of a relation."""
        return self.columns.get(relation, frozenset())

    def hides(self, relation: str, column: str) -> bool:
        """Return whether readers do not get the column at all."""
        return self.tier == "absent" and column in self.of(relation)

    def rows(self, relation: str, quoted: str) -> tuple[str, dict[str, str]]:
        """Return the SELECT of a relation as readers may see it, and its parameters.

        Args:
            relation: As `schema.table`.
            quoted: The same, as it stands in SQL.
        """
        personal = sorted(self.of(relation))
        if self.tier == "plain" or not personal:
            return f"from {quoted}", {}
        if self.tier == "absent":
            return f"select * exclude ({', '.join(map(_name, personal))}) from {quoted}", {}
        hashes = ", ".join(f"{_hash(_name(column))} as {_name(column)}" for column in personal)
        return f"select * replace ({hashes}) from {quoted}", {"key": self.key}

    def comment(self, relation: str, column: str, text: str | None) -> str | None:
        """Return the comment of a column, which says when it was replaced."""
        if self.tier == "hashed" and column in self.of(relation):
            return f"{text or ''} Replaced by a keyed hash, the same in all tables.".strip()
        return text

    def view(self, model: Model) -> str | None:
        """Return the SELECT of a view for readers; None when it has to become a table."""
        select = model.inlined
        if self.tier == "hashed" and model.header.personal:
            return None  # no table behind it has the hash
        if self.tier == "absent":
            return self.without(select, self.of(model.name))
        return select.sql(dialect="duckdb")

    def without(self, select: exp.Expr, hidden: Container[str] | None = None) -> str | None:
        """Return a SELECT without these outputs; None when it asks for personal columns elsewhere.

        Args:
            select: What a view or a macro is made of.
            hidden: Outputs to leave out. Default: those that are named as personal columns are.
        """
        names = self.names
        hidden = names if hidden is None else hidden
        if not isinstance(select, exp.Select):
            return None
        reduced = select.copy()
        reduced.set("expressions", [p for p in reduced.selects if p.alias_or_name not in hidden])
        if any(column.name in names for column in reduced.find_all(exp.Column)):
            return None
        return reduced.sql(dialect="duckdb")


def personal_columns(models: Mapping[str, Model]) -> dict[str, frozenset[str]]:
    """Return the personal columns of each model that has some.

    Args:
        models: Upstream first.
    """
    return dict(_personal_columns(tuple(models.values())))


@lru_cache(maxsize=4)
def _personal_columns(models: tuple[Model, ...]) -> dict[str, frozenset[str]]:
    """Follow the columns, again only for other models: it takes half a second."""
    carried = column_origins({model.name: model for model in models}, reduced=_carrying)
    found: dict[str, frozenset[str]] = {}
    for model in models:
        name = model.name
        derived = {
            column
            for column, origins in carried[name].items()
            if any(origin in found.get(table, ()) for table, origin in origins)
        }
        if personal := derived | set(model.header.personal):
            found[name] = frozenset(personal)
    return found


def key_for_hashes(variable: str, environment: Mapping[str, str]) -> str:
    """Return the key of `hashed` from the environment.

    Raises:
        ConfigurationError: it is missing or so short that it could be tried out.
    """
    key = environment.get(variable, "")
    if len(key) < SHORTEST_KEY:
        raise ConfigurationError(
            f'personal_data = "hashed" needs a key: set the environment variable {variable} to at '
            f"least {SHORTEST_KEY} characters that nobody can guess, and keep them: another key "
            "gives other hashes"
        )
    return key


def _carrying(select: exp.Query) -> exp.Query:
    """Return the SELECT reduced to what carries values on, for `column_origins`."""

    def reduced(node: exp.Expr) -> exp.Expr:
        while isinstance(node, exp.Window | exp.Filter | exp.WithinGroup):
            node = node.this
        return exp.true() if isinstance(node, CARRY_NOTHING) else node

    return cast("exp.Query", select.transform(reduced))


def _hash(column: str) -> str:
    inner = f"sha256($key || '|' || {column}::varchar)"
    return f"left(sha256($key || '|' || {inner}), {HASH_DIGITS})"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
