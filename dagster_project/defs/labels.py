"""Names, owners and keys of all definitions, and how tables are shown in the UI."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

from orders_connector.config import Account, Settings
from orders_connector.sources.registry import source_of

__all__ = [
    "GROUPS",
    "NIGHTLY",
    "OWNERS",
    "POOL",
    "as_markdown",
    "column_schema",
    "exported_key",
    "exporting_accounts",
    "extraction_key",
    "hydrated_key",
    "model_key",
    "raw_keys",
    "reader_key",
    "reconciled_key",
]

# DuckDB has one writing process: every step that opens the warehouse takes this pool's only slot.
POOL = "duckdb"
OWNERS = ("team:data-platform",)
NIGHTLY = "nightly"  # the job
# The UI sorts groups by name: the number keeps them in the order of the flow.
GROUPS = {
    name: f"{number}_{name}"
    for number, name in enumerate(("raw", "staging", "core", "marts", "published", "readers"), 1)
}


def extraction_key(account: str) -> dg.AssetKey:
    """Return the key of what is read from an account."""
    return dg.AssetKey(["raw", f"{account}_orders"])


def exported_key(account: str) -> dg.AssetKey:
    """Return the key of what is exported by hand from an account."""
    return dg.AssetKey(["raw", f"{account}_exported_orders"])


def hydrated_key(account: str) -> dg.AssetKey:
    """Return the key of the items that are fetched for orders known from exports alone."""
    return dg.AssetKey(["raw", f"{account}_hydrated_orders"])


def reconciled_key(account: str) -> dg.AssetKey:
    """Return the key of the comparison of an account with its source."""
    return dg.AssetKey(["raw", f"{account}_reconciliation"])


def exporting_accounts(settings: Settings) -> list[Account]:
    """Return the accounts whose source makes exports; only these have items to wait for."""
    return [a for a in settings.accounts.values() if source_of(a.source).makes_exports]


def raw_keys(account: Account) -> list[dg.AssetKey]:
    """Return the keys of everything that lands orders of an account, the extraction first."""
    by_hand = [exported_key, hydrated_key] if source_of(account.source).makes_exports else []
    return [make(account.name) for make in (extraction_key, *by_hand, reconciled_key)]


def model_key(name: str) -> dg.AssetKey:
    """Return the key of a model: its schema and its table."""
    return dg.AssetKey(name.split("."))


def reader_key(name: str) -> dg.AssetKey:
    """Return the key of who reads what is published."""
    return dg.AssetKey(["readers", name])


def column_schema(
    meanings: Mapping[str, str],
    types: Mapping[str, str],
    *,
    never_null: Collection[str] = (),
) -> dg.TableSchema:
    """Describe the columns of a table."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column,
                type=types[column].lower(),
                description=meaning,
                constraints=dg.TableColumnConstraints(nullable=column not in never_null),
            )
            for column, meaning in meanings.items()
        ]
    )


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """Show rows as a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    text = "\n".join(
        f"| {' | '.join(str(cell).replace('|', '¦') for cell in line)} |" for line in lines
    )
    return dg.MetadataValue.md(text)
