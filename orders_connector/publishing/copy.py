"""Writes the copy that BI tools read: every model of core and marts, and what `meta` says of it.

Raw payloads, staging and the state of operations stay behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import sqlglot

from orders_connector.errors import PublishBlocked, WarehouseError
from orders_connector.landing.coverage import coverage_of
from orders_connector.publishing.personal import PersonalData
from orders_connector.warehouse.database import count_rows, transaction

__all__ = ["Manifest", "as_json", "verify_copy", "write_copy"]

Manifest = dict[str, Any]
SCHEMAS = ("core", "marts")
META = {
    "meta.publication": (
        "One row: which state of the warehouse this file shows.",
        {
            "published_at": ("timestamptz", "When this copy was made, UTC."),
            "load_id": ("varchar", "The refresh it shows, in ops.loads of the warehouse."),
            "data_through": (
                "timestamptz",
                "Every account is proven up to here, UTC; NULL when one is not at all. "
                "Gaps before: meta.coverage.",
            ),
            "storage_version": ("varchar", "File format of this copy."),
            "duckdb_version": ("varchar", "DuckDB that wrote it."),
            "metadata": ("varchar", "What the publisher added, as JSON."),
            "version": ("varchar", "Name of this version; `publish --to` returns to it."),
            "personal_data": ("varchar", "How personal columns are shown: plain, hashed, absent."),
            "manifest": (
                "varchar",
                "All of this and rows per table, checks and metric versions, as JSON.",
            ),
        },
    ),
    "meta.coverage": (
        "Windows of version time that are proven complete, per account. None: nothing is proven.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "covered_from": ("timestamptz", "Inclusive, UTC."),
            "covered_to": ("timestamptz", "Exclusive, UTC."),
        },
    ),
}


def write_copy(
    con: duckdb.DuckDBPyConnection,
    draft: Path,
    *,
    version: str,
    personal: PersonalData,
    views: Mapping[str, str],
    storage_version: str,
    about: Mapping[str, Any],
) -> tuple[Manifest, dict[str, int]]:
    """Write a new file with all that readers may see, as one snapshot.

    Args:
        con: Connection to the warehouse, not inside a transaction.
        draft: The file; there is none yet.
        version: Its name.
        personal: How personal data is shown.
        views: Views that stay views, to their SELECT.
        storage_version: DuckDB file format.
        about: Plain values that the manifest takes along.

    Returns:
        The manifest, and the rows of every table in the file.

    Raises:
        PublishBlocked: there are no models yet.
    """
    con.execute(
        f"attach {_quoted(str(draft))} as draft (storage_version {_quoted(storage_version)})"
    )
    try:
        with transaction(con):
            tables = _copy_models(con, views, personal)
            _copy_macros(con, personal)
            manifest = {
                "version": version,
                **_state_of(con),
                "personal_data": personal.tier,
                "storage_version": storage_version,
                "duckdb_version": duckdb.__version__,
                **about,
                "tables": tables,
            }
            meta = _write_meta(con, manifest)
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to tell
            con.execute("detach draft")
        raise
    con.execute("detach draft")  # writes all of the file; nothing stays in a .wal
    return manifest, tables | meta


def _copy_models(
    con: duckdb.DuckDBPyConnection, views: Mapping[str, str], personal: PersonalData
) -> dict[str, int]:
    """Copy tables and views of core and marts; return the rows of each."""
    relations = con.execute(
        "select schema_name, table_name, comment from duckdb_tables()"
        " where database_name = current_database() and schema_name in $schemas"
        " union all"
        " select schema_name, view_name, comment from duckdb_views()"
        " where database_name = current_database() and schema_name in $schemas"
        " order by all",
        {"schemas": SCHEMAS},
    ).fetchall()
    if not relations:
        raise PublishBlocked("there are no models to publish yet: run `orders-connector refresh`")
    tables = {}
    for schema in SCHEMAS:
        con.execute(f"create schema draft.{schema}")
    for schema, table, comment in relations:
        relation, name = f"{schema}.{table}", f'{schema}."{table}"'
        if select := views.get(relation):
            con.execute(f"create view draft.{name} as {select}")
            _comment(con, f"view draft.{name}", comment)
            tables[relation] = count_rows(con, name)
            continue
        rows, parameters = personal.rows(relation, name)
        ((copied,),) = con.execute(f"create table draft.{name} as {rows}", parameters).fetchall()
        _comment(con, f"table draft.{name}", comment)
        tables[relation] = copied
    columns = con.execute(
        "select schema_name, table_name, column_name, comment from duckdb_columns()"
        " where database_name = current_database() and schema_name in $schemas",
        {"schemas": SCHEMAS},
    ).fetchall()
    for schema, table, column, comment in columns:
        relation = f"{schema}.{table}"
        if not personal.hides(relation, column):
            text = personal.comment(relation, column, comment)
            _comment(con, f'column draft.{schema}."{table}"."{column}"', text)
    return tables


def _copy_macros(con: duckdb.DuckDBPyConnection, personal: PersonalData) -> None:
    """Copy table macros, which answer for past evenings; the order is that of their making."""
    macros = con.execute(
        "select schema_name, function_name, parameters, macro_definition from duckdb_functions()"
        " where database_name = current_database() and schema_name in $schemas"
        " and function_type = 'table_macro' order by function_oid",
        {"schemas": SCHEMAS},
    ).fetchall()
    for schema, name, parameters, made_of in macros:
        select: str | None = made_of
        if personal.tier == "absent":  # one that counts customers cannot do without, and stays out
            select = personal.without(sqlglot.parse_one(made_of, read="duckdb"))
        if select:
            con.execute(
                f"create macro draft.{schema}.{name}({', '.join(parameters)}) as table {select}"
            )


def _state_of(con: duckdb.DuckDBPyConnection) -> Manifest:
    """Return which state of the warehouse is copied and how far it is proven."""
    accounts = con.execute("select source, account from ops.accounts order by all").fetchall()
    covered = {who: coverage_of(con, *who) for who in accounts}
    ends = [windows[-1].end if windows else None for windows in covered.values()]
    proven = [end for end in ends if end is not None]
    load = con.execute("select load_id from ops.loads order by ended_at desc limit 1").fetchall()
    failing = con.execute(
        "select model, check_name, severity, count(*), max(checked_at) from ops.failing_rows"
        " group by all order by all"
    ).fetchall()
    return {
        "published_at": datetime.now(UTC),
        "load_id": load[0][0] if load else None,
        "data_through": min(proven) if proven and len(proven) == len(ends) else None,
        "coverage": {
            f"{source}/{account}": [[window.start, window.end] for window in windows]
            for (source, account), windows in covered.items()
        },
        "failing_checks": [
            {"model": model, "check": check, "severity": severity, "rows": rows, "checked_at": at}
            for model, check, severity, rows, at in failing
        ],
    }


def _write_meta(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> dict[str, int]:
    con.execute("create schema draft.meta")
    for table, (comment, columns) in META.items():
        typed = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        con.execute(f"create table draft.{table} ({typed})")
        _comment(con, f"table draft.{table}", comment)
        for name, (_, meaning) in columns.items():
            _comment(con, f"column draft.{table}.{name}", meaning)
    windows = [
        (*who.split("/", 1), start, end)
        for who, covered in manifest["coverage"].items()
        for start, end in covered
    ]
    for window in windows:
        con.execute("insert into draft.meta.coverage values (?, ?, ?, ?)", window)
    publication = manifest | {
        "metadata": as_json(manifest.get("metadata", {})),
        "manifest": as_json(manifest),
    }
    columns = META["meta.publication"][1]
    con.execute(
        f"insert into draft.meta.publication values ({', '.join('?' for _ in columns)})",
        [publication[column] for column in columns],
    )
    return {"meta.coverage": len(windows), "meta.publication": 1}


def as_json(values: Mapping[str, Any]) -> str:
    """Return plain values as JSON; times are ISO 8601 in UTC."""

    def plain(value: object) -> str:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return str(value)

    return json.dumps(dict(values), default=plain)


def verify_copy(reader: duckdb.DuckDBPyConnection, tables: Mapping[str, int]) -> None:
    """Count again, in the file as a reader opens it.

    Raises:
        WarehouseError: a table has other rows than were read.
    """
    for table, rows in tables.items():
        schema, name = table.split(".", 1)
        found = count_rows(reader, f'{schema}."{name}"')
        if found != rows:
            raise WarehouseError(
                f"the copy of {table} has {found:,} rows instead of {rows:,}, so it was not "
                "published; readers keep the old file"
            )


def _comment(con: duckdb.DuckDBPyConnection, what: str, text: str | None) -> None:
    if text:
        con.execute(f"comment on {what} is {_quoted(text)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
