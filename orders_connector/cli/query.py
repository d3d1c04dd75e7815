"""The command `query`: one read-only statement on the published copy."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.cli.terminal import print_json, say, table
from orders_connector.errors import QueryRejected, WarehouseError
from orders_connector.warehouse.database import begin_session

__all__ = ["query"]

READ_ONLY = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
ROWS_ON_SCREEN = 50
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


def query(published: Path, statement: str, form: str, limit: int | None) -> None:
    """Run a statement on the published copy and print its rows.

    Args:
        published: The published file.
        statement: One SELECT, or what DuckDB treats as one (FROM, DESCRIBE, SUMMARIZE, EXPLAIN).
        form: `table`, `csv` or `json`.
        limit: Most rows to print; None for 50 in a table and all otherwise, 0 for all.

    Raises:
        QueryRejected: it is something else, more than one, or wrong.
        WarehouseError: nothing was published yet.
    """
    if not published.exists():
        raise WarehouseError(
            f"nothing is published at {published} yet: run `orders-connector sync`"
        )
    if limit is None:
        limit = ROWS_ON_SCREEN if form == "table" else 0
    # Without external access a SELECT cannot read other files of this machine either.
    with duckdb.connect(
        str(published), read_only=True, config={"enable_external_access": "false"}
    ) as con:
        begin_session(con)
        _refuse_all_but_one_select(con, statement)
        try:
            cursor = con.execute(statement)
            columns = [(name, str(kind)) for name, kind, *_ in cursor.description or []]
            rows = cursor.fetchmany(limit + 1) if limit else cursor.fetchall()
        except duckdb.Error as error:
            raise QueryRejected(f"the query failed: {error}") from error
    more = bool(limit) and len(rows) > limit
    _print(columns, rows[:limit] if more else rows, form)
    if more and form == "table":
        say(f"... the first {limit} rows; --limit 0 shows all")


def _refuse_all_but_one_select(con: duckdb.DuckDBPyConnection, statement: str) -> None:
    try:
        statements = con.extract_statements(statement)
    except duckdb.Error as error:
        raise QueryRejected(f"this is not SQL that DuckDB knows: {error}") from error
    if len(statements) != 1:
        raise QueryRejected(f"one statement at a time; these are {len(statements)}")
    if statements[0].type not in READ_ONLY:
        raise QueryRejected(
            f"only SELECT and the like; this is {statements[0].type.name}. The published copy is "
            "read-only, and the warehouse changes by `sync` and `refresh` alone"
        )


def _print(columns: list[tuple[str, str]], rows: list[tuple[Any, ...]], form: str) -> None:
    names = [name for name, _ in columns]
    if form == "json":
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([names, *rows])
    else:
        texts = [["" if value is None else str(value) for value in row] for row in rows]
        table(
            names, texts, right=[kind.removeprefix("U").startswith(NUMBERS) for _, kind in columns]
        )
