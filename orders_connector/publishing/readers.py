"""Who reads what: the doors of the published copy, and the readers that are configured."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from orders_connector.config import Settings
from orders_connector.errors import ConfigurationError
from orders_connector.modeling.model import Model
from orders_connector.publishing.live import live_path
from orders_connector.publishing.versions import Versions

__all__ = ["Door", "check_readers", "doors_of", "published_tables"]

PUBLISHED_LAYERS = ("core", "marts")


@dataclass(frozen=True)
class Door:
    """A file or folder that readers open.

    Attributes:
        layers: Schemas of the tables behind it, besides `meta`.
    """

    name: str
    path: Path
    kind: str
    meaning: str
    layers: tuple[str, ...]


def doors_of(settings: Settings) -> list[Door]:
    """Return the doors of the published copy."""
    published = settings.warehouse.published
    return [
        Door(
            "duckdb_file",
            published,
            "duckdb",
            "For tools that open a file: DBeaver, Tableau, notebooks, `orders-connector query`. "
            "New figures come with a new connection.",
            PUBLISHED_LAYERS,
        ),
        Door(
            "live_views",
            live_path(published),
            "duckdb",
            "For servers that hold connections: Metabase, Superset. New figures come with the next "
            "query.",
            ("marts",),
        ),
        Door(
            "parquet_folder",
            Versions(published).link,
            "parquet",
            "For what has no DuckDB driver: Power BI, Spark, pandas. A folder per mart.",
            ("marts",),
        ),
    ]


def published_tables(
    models: Mapping[str, Model], layers: Collection[str] = PUBLISHED_LAYERS
) -> list[str]:
    """Return the models that readers see, upstream first."""
    return [name for name, model in models.items() if model.layer in layers]


def check_readers(settings: Settings, models: Mapping[str, Model]) -> None:
    """Make sure that readers name published tables only, and no name that a door has.

    Raises:
        ConfigurationError: with all that is wrong.
    """
    known, doors = published_tables(models), {door.name for door in doors_of(settings)}
    wrong = []
    for number, reader in enumerate(settings.readers):
        if reader.name in doors:
            wrong.append(f"readers.{number}.name = {reader.name!r}: a door has this name already")
        for table in reader.reads:
            if table not in known:
                close = difflib.get_close_matches(table, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                wrong.append(f"readers.{number}.reads: {table} is not published{hint}")
    if wrong:
        lines = "\n".join(f"  - {problem}" for problem in wrong)
        raise ConfigurationError(f"The configuration has wrong readers:\n{lines}")
