"""What reading the models told, kept in the user's cache: parsing them takes most of a second.

A file of the cache belongs to exactly these models and this code, so it is never behind; without it
all is read anew.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["Facts", "code_of_models", "recall", "remember"]

KEPT = 100  # files: of own models while they are written, and of other installations


@dataclass(frozen=True)
class Facts:
    """What parsing one model tells, or one macro, of which only columns and inputs are asked.

    Attributes:
        columns: Output columns in the order of the SELECT.
        inputs: Tables and views that the SELECT reads.
        tables: Tables that its rows come from.
        reads: Columns that it names of each of these; None where it may be any.
        raw_sources: Sources whose rows of the raw log it looks at; None for all.
        code_version: Fingerprint of the SELECT.
    """

    columns: tuple[str, ...]
    inputs: frozenset[str]
    tables: frozenset[str] = frozenset()
    reads: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    raw_sources: frozenset[str] | None = None
    code_version: str = ""


@cache
def code_of_models() -> str:
    """Return a fingerprint of all code that makes something of a model."""
    parts = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    return sha256(b"\0".join([version("sqlglot").encode(), *parts])).hexdigest()


def recall(texts: tuple[tuple[str, ...], ...]) -> dict[str, Facts]:
    """Return what was noted of these models, by name; nothing when nothing was."""
    try:
        noted = json.loads(_file(texts).read_text(encoding="utf-8"))
        return {
            name: Facts(
                columns=tuple(one["columns"]),
                inputs=frozenset(one["inputs"]),
                tables=frozenset(one["tables"]),
                reads={table: _set(columns) for table, columns in one["reads"].items()},
                raw_sources=_set(one["raw_sources"]),
                code_version=one["code_version"],
            )
            for name, one in noted.items()
        }
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember(texts: tuple[tuple[str, ...], ...], facts: Mapping[str, Facts]) -> None:
    """Note what the models are; a cache that cannot be written is none."""
    with suppress(OSError, RuntimeError):
        file = _file(texts)
        file.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: asdict(one) for name, one in facts.items()}
        handle, draft = tempfile.mkstemp(dir=file.parent, suffix=".draft")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(plain, stream, default=sorted)
        Path(draft).replace(file)
        for old in sorted(file.parent.iterdir(), key=lambda one: -one.stat().st_mtime)[KEPT:]:
            old.unlink(missing_ok=True)


def _file(texts: tuple[tuple[str, ...], ...]) -> Path:
    key = sha256(json.dumps([code_of_models(), texts]).encode()).hexdigest()
    return user_cache_path("orders-connector") / "models" / f"{key[:32]}.json"


def _set(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)
