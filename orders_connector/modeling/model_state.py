"""What each model's table was built from, as `ops.model_state` keeps it between refreshes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

import duckdb

from orders_connector.modeling.model import SETTINGS_TABLES, Model
from orders_connector.modeling.remembered import code_of_models

__all__ = ["ModelState"]


@dataclass
class _Built:
    """What a table was built from.

    Attributes:
        code: Fingerprint of the SELECT and of the settings that it reads.
        files: Fingerprint of the files, comments included.
        seen: Highest version_id of the raw log that was there.
        sql_of, sql: The statements that refresh it as a JSON list, and what they were made from.
    """

    code: str
    files: str
    seen: int = 0
    sql_of: str | None = None
    sql: str | None = None


class ModelState:
    """Read when a refresh begins and written when it ends, in its transaction."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._settings: dict[str, str] = {}
        self._built = {
            name: _Built(*built)
            for name, *built in con.execute(
                "select model, code_version, file_version, input_version_id, slice_version,"
                " slice_sql from ops.model_state"
            ).fetchall()
        }

    @property
    def seen(self) -> int:
        """Highest version_id of the raw log that every model has seen; 0 before the first."""
        return min((built.seen for built in self._built.values()), default=0)

    @property
    def names(self) -> set[str]:
        """Models that were built."""
        return set(self._built)

    def forget(self, name: str) -> None:
        """Take a model that was dropped for one that was never built."""
        del self._built[name]

    def is_behind(self, model: Model) -> bool:
        """Tell whether a model was never built, or from other code or other settings."""
        built = self._built.get(model.name)
        return built is None or built.code != self._code_version(model)

    def note(self, model: Model) -> bool:
        """Note that a model is built as it stands; True when a comment in its files is new."""
        built = self._built.setdefault(model.name, _Built("", ""))
        is_new = built.files not in ("", _file_version(model))
        built.code, built.files = self._code_version(model), _file_version(model)
        return is_new

    def sql(
        self, model: Model, of: Iterable[Collection[str]], write: Callable[[], list[str]]
    ) -> list[str]:
        """Return the statements that refresh a model, as they were written for an earlier refresh.

        Parsing a SELECT and writing it anew takes longer than many a slice.

        Args:
            model: A table.
            of: What they are made from beside the model.
            write: Writes them.
        """
        found = ["|".join(sorted(part)) for part in of]
        parts = [code_of_models(), self._code(model), *found]
        signature = sha256("||".join(parts).encode()).hexdigest()[:16]
        built = self._built[model.name]
        if built.sql is None or built.sql_of != signature:
            built.sql_of = signature
            built.sql = json.dumps(write())
        statements: list[str] = json.loads(built.sql)
        return statements

    def write(self, models: Mapping[str, Model], seen: int) -> None:
        """Keep what these models were built from, with the raw log up to version_id `seen`."""
        now = datetime.now(UTC)
        rows = [
            (name, built.code, built.files, seen, now, built.sql_of, built.sql)
            for name, built in self._built.items()
            if name in models
        ]
        self._con.execute("delete from ops.model_state")
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        self._con.execute(
            f"insert into ops.model_state values {places}",
            [value for row in rows for value in row],
        )

    def _code_version(self, model: Model) -> str:
        # A view shows the settings as they are; only what was written from them can be behind.
        read = [] if model.is_view else sorted(model.tables & SETTINGS_TABLES)
        return ".".join([self._code(model), *map(self._settings_version, read)])

    def _code(self, model: Model) -> str:
        """Return the fingerprint of the SELECT, the noted one where no file changed."""
        built = self._built.get(model.name)
        if built and built.files == _file_version(model):
            return built.code.split(".")[0]
        return model.code_version

    def _settings_version(self, table: str) -> str:
        """Return a fingerprint of the table's content; computed there, as some have many rows."""
        if table not in self._settings:
            rows, content = self._con.execute(
                f"select count(*), sum(md5_number_lower(to_json(t)::varchar)) from {table} as t"
            ).fetchall()[0]
            self._settings[table] = sha256(f"{rows}|{content}".encode()).hexdigest()[:16]
        return self._settings[table]


@cache
def _file_version(model: Model) -> str:
    """Return a fingerprint of the model's file and of those of its views, comments included."""
    views = [_file_version(view).encode() for view in model.views]
    return sha256(b"|".join([model.path.read_bytes(), *views])).hexdigest()[:16]
