"""Writes the marts as Parquet, for what has no DuckDB driver and for the views of `live`."""

from __future__ import annotations

from pathlib import Path

import duckdb

__all__ = ["WHOLE", "WIDE", "export_parquet", "relations_of"]

WHOLE = "whole"
EXPORTED = ("marts", "meta")
PARTITIONED_BY = "order_date"
PARTITION = "month"
WIDE = ("HUGEINT", "UHUGEINT")
WRITTEN_AS = "format parquet, compression zstd"


def relations_of(reader: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return schema and name of each table and view that is exported."""
    return reader.execute(
        "select table_schema, table_name from information_schema.tables"
        " where list_contains($schemas, table_schema) order by all",
        {"schemas": EXPORTED},
    ).fetchall()


def export_parquet(reader: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write `marts/<model>/` and `whole/<schema>.<model>.parquet` below a folder.

    A model with an order_date is cut into a folder per month: days would make thousands of files of
    a few rows, years would make a reader of one month read twelve. `whole` has each table as one
    file, because a query that opens many files by a link may find some of the version before and
    some of the one after.

    Args:
        reader: Connection to the copy, in an instance of its own.
        folder: The version.
    """
    (folder / WHOLE).mkdir()
    for schema, name in relations_of(reader):
        whole = folder / WHOLE / f"{schema}.{name}.parquet"
        columns = _columns(reader, schema, name)
        # As numbers that Parquet has: it would take these as floating point.
        wide = [_name(column) for column, kind in columns.items() if kind in WIDE]
        exact = ", ".join(f"{column}::decimal(38, 0) as {column}" for column in wide)
        select = f"select * replace ({exact})" if exact else ""
        ((rows,),) = reader.execute(
            f"copy ({select} from {schema}.{_name(name)}) to {_quoted(whole)} ({WRITTEN_AS})"
        ).fetchall()
        if schema != "marts":
            continue
        parts = folder / schema / name
        parts.mkdir(parents=True)
        if rows and columns.get(PARTITIONED_BY) == "DATE" and PARTITION not in columns:
            reader.execute(
                f"copy (select *, strftime({PARTITIONED_BY}, '%Y-%m') as {PARTITION}"
                f" from read_parquet({_quoted(whole)})) to {_quoted(parts)}"
                f" ({WRITTEN_AS}, partition_by ({PARTITION}), overwrite_or_ignore)"
            )
        else:
            (parts / whole.name).hardlink_to(whole)


def _columns(reader: duckdb.DuckDBPyConnection, schema: str, name: str) -> dict[str, str]:
    described = reader.execute(f"describe {schema}.{_name(name)}").fetchall()
    return {column: kind for column, kind, *_ in described}


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
