"""Who reads what is published: its doors, and the readers that the configuration names."""

from typing import Any

import dagster as dg

from dagster_project.defs.labels import GROUPS, OWNERS, model_key, reader_key
from dagster_project.defs.models import ModelAssets
from dagster_project.defs.publishing import PUBLISHED
from orders_connector.config import Reader
from orders_connector.publishing.readers import Door, check_readers, doors_of, published_tables

__all__ = ["build_readers"]


def build_readers(assets: ModelAssets) -> list[dg.AssetSpec]:
    """Make what is shown of readers; nothing of it is run.

    Raises:
        ConfigurationError: a reader names a table that is not published.
    """
    check_readers(assets.settings, assets.models)
    return [
        *(_door(door, assets) for door in doors_of(assets.settings)),
        *(_reader(reader) for reader in assets.settings.readers),
    ]


def _door(door: Door, assets: ModelAssets) -> dg.AssetSpec:
    tables = len(published_tables(assets.models, door.layers))
    return dg.AssetSpec(
        reader_key(door.name),
        deps=[PUBLISHED],
        description=f"{door.meaning}\n\nAll {tables} tables of {' and '.join(door.layers)}. Each "
        "good load renews it; a failed check leaves it as it was.",
        group_name=GROUPS["readers"],
        kinds={door.kind},
        owners=OWNERS,
    )


def _reader(reader: Reader) -> dg.AssetSpec:
    tables = "\n".join(f"- `{name}`" for name in reader.reads)
    metadata: dict[str, Any] = {"reads": list(reader.reads)}
    if reader.url:
        metadata["url"] = dg.MetadataValue.url(reader.url)
    return dg.AssetSpec(
        reader_key(reader.name),
        deps=[PUBLISHED, *map(model_key, reader.reads)],
        description=f"Reads, as of the last published copy:\n\n{tables}\n\nNamed under "
        "`[[readers]]` of the configuration.",
        group_name=GROUPS["readers"],
        kinds={reader.kind},
        owners=[reader.owner] if reader.owner else [],
        metadata=metadata,
    )
