"""Names, owners and keys of all definitions, and how tables are shown in the UI."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

__all__ = ["OWNERS", "POOL", "as_markdown", "column_schema", "extraction_key", "model_key"]

# DuckDB has one writing process: every step that opens the warehouse takes this pool's only slot.
POOL = "duckdb"
OWNERS = ("team:data-platform",)


def extraction_key(account: str) -> dg.AssetKey:
    """Return the key of what is read from an account."""
    return dg.AssetKey(["raw", f"{account}_orders"])


def model_key(name: str) -> dg.AssetKey:
    """Return the key of a model: its schema and its table."""
    return dg.AssetKey(name.split("."))


def column_schema(meanings: Mapping[str, str], types: Mapping[str, str]) -> dg.TableSchema:
    """Describe the columns of a table."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column, type=types[column].lower(), description=meaning)
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
