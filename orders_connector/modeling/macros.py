"""Table macros: SELECTs with a parameter, such as the state of a past evening.

One file in `sql/macros/<schema>` is one macro. They hold no rows, so they are made anew with each
refresh and in each published copy.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from orders_connector.errors import ModelError
from orders_connector.modeling.header import Text, read_header
from orders_connector.modeling.model import model_directory
from orders_connector.modeling.remembered import Facts, recall, remember

__all__ = ["Macro", "create_macros", "load_macros"]


class MacroHeader(BaseModel):
    """What a macro's comment declares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Text
    parameters: dict[str, Text]
    columns: dict[str, Text]


@dataclass(frozen=True)
class Macro:
    """One table macro: `name` is `<schema>.<file>`, `inputs` are the tables and macros it reads."""

    name: str
    path: Path
    header: MacroHeader
    sql: str
    inputs: frozenset[str]


@cache
def load_macros() -> tuple[Macro, ...]:
    """Read all macros, those that others call first.

    Raises:
        ModelError: a file is wrong.
    """
    folder = model_directory() / "macros"
    files = [
        (f"{schema}.{path.stem}", path, path.read_text(encoding="utf-8"))
        for schema in ("core", "marts")
        for path in sorted((folder / schema).glob("*.sql"))
    ]
    texts = tuple(("macro", name, text) for name, _, text in files)
    noted = recall(texts)
    found = [_read(path, name, text, noted.get(name)) for name, path, text in files]
    if not noted:
        remember(texts, {macro.name: _facts(macro) for macro in found})
    return tuple(found)


def _read(path: Path, name: str, text: str, facts: Facts | None) -> Macro:
    head, _, sql = text.removeprefix("/*").partition("*/")
    try:
        header = MacroHeader.model_validate(read_header(head))
    except (yaml.YAMLError, ValidationError) as error:
        raise ModelError(f"{path.name}: the macro cannot be read: {error}") from error
    inputs = facts.inputs if facts else _inputs_of(path, sql, header)
    return Macro(name, path, header, sql.strip(), inputs)


def _inputs_of(path: Path, sql: str, header: MacroHeader) -> frozenset[str]:
    # Imported where something is parsed, as in `model.py`.
    from sqlglot import ParseError, exp, parse_one

    try:
        select = parse_one(sql, read="duckdb")
    except ParseError as error:
        raise ModelError(f"{path.name}: the macro cannot be read: {error}") from error
    if not isinstance(select, exp.Query) or select.named_selects != list(header.columns):
        raise ModelError(f"{path.name}: header and SELECT name different columns")
    return frozenset(f"{t.db}.{t.this.name}" for t in select.find_all(exp.Table))


def _facts(macro: Macro) -> Facts:
    return Facts(columns=tuple(macro.header.columns), inputs=macro.inputs)


def create_macros(con: duckdb.DuckDBPyConnection, models: Container[str]) -> None:
    """Make the macros that read the given models, or make them anew.

    A published copy takes them along from the warehouse.
    """
    made: set[str] = set()
    for macro in load_macros():
        if not all(table in models or table in made for table in macro.inputs):
            continue
        made.add(macro.name)
        parameters = ", ".join(macro.header.parameters)
        con.execute(f"create or replace macro {macro.name}({parameters}) as table {macro.sql}")
