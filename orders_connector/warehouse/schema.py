"""Tables that are not models: the raw log and the state of operations.

No PRIMARY KEY or UNIQUE anywhere: DuckDB refuses some deletes and inserts of one transaction on
indexed tables. Uniqueness is proven by checks.
"""

from __future__ import annotations

import duckdb

__all__ = ["create_schema"]

TABLES = {
    "raw.order_payloads": (
        "Every observed version of every order, as the source sent it. Append-only.",
        {
            "version_id": ("bigint", "Number of the observation, rising."),
            "order_key": ("bigint", "Hash of (source, account, order_id); slices, not identity."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_id": ("varchar", "Order id of the source."),
            "version_at": ("timestamptz", "When the source says the version came to be."),
            "content_hash": ("varchar", "MD5 of the payload: de-duplication, not security."),
            "payload": ("json", "The order as sent; only white space is not kept."),
            "channel": ("varchar", "How it came: list, get, export, webhook."),
            "extraction_id": ("varchar", "ops.extractions."),
            "page": ("integer", "Request of the extraction that carried it, from 1."),
            "position": ("integer", "Place on that page, from 1."),
            "loaded_at": ("timestamptz", "When it was landed."),
            "quarantine_reason": ("varchar", "Why the version cannot be read; NULL when it can."),
        },
    ),
    "ops.extractions": (
        "Every attempt to cover a window: what was asked, what was read, what is proven.",
        {
            "extraction_id": ("varchar", "Identity of the attempt."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "strategy": ("varchar", "How the orders were read: listing."),
            "window_from": ("timestamptz", "Start of the window asked for, inclusive."),
            "window_to": ("timestamptz", "End of the window asked for, exclusive."),
            "status": ("varchar", "complete, incomplete or failed."),
            "reason": ("varchar", "Why it is not complete."),
            "missing": ("json", "Windows that were asked for and are not proven."),
            "started_at": ("timestamptz", "First request."),
            "ended_at": ("timestamptz", "Commit."),
            "calls": ("bigint", "Requests made, retries included."),
            "bytes": ("bigint", "Bytes received."),
            "orders_read": ("bigint", "Order payloads on the pages, repeats included."),
            "versions_landed": ("bigint", "New versions among them."),
            "quarantined": ("bigint", "Rows put into quarantine."),
            "source_total": ("bigint", "Orders the source says it has."),
            "known_orders": ("bigint", "Orders the warehouse knows of, after this load."),
            "accepted_difference": ("bigint", "Orders the source counts and no load must explain."),
            "evidence": ("json", "The walks: pages, heads, ends, repeats, anchors."),
        },
    ),
    "ops.coverage": (
        "Windows of version_at that are proven complete.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "covered_from": ("timestamptz", "Inclusive."),
            "covered_to": ("timestamptz", "Exclusive."),
            "extraction_id": ("varchar", "The proof, in ops.extractions."),
        },
    ),
    "ops.watermarks": (
        "Newest value seen on the first page of each sort order, by the last complete extraction.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "sort_key": ("varchar", "updated_at or created_at."),
            "watermark": ("timestamptz", "The next load starts here, less the overlap."),
            "extraction_id": ("varchar", "Where it was seen."),
        },
    ),
    "ops.quarantine": (
        "Input that could not be read, with its reason. The raw text is kept.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_id": ("varchar", "Order, when it is known."),
            "version_id": ("bigint", "Raw version, when it has one."),
            "stage": ("varchar", "landing or typing."),
            "reason": ("varchar", "What is wrong."),
            "content_hash": ("varchar", "MD5 of the text."),
            "content": ("varchar", "The text as it came, for input without an identity."),
            "extraction_id": ("varchar", "The extraction that brought it."),
            "page": ("integer", "Request of the extraction that carried it."),
            "position": ("integer", "Place on that page."),
            "seen_at": ("timestamptz", "When it was first seen."),
        },
    ),
    "ops.model_state": (
        "What each model was built from.",
        {
            "model": ("varchar", "schema.table."),
            "code_version": ("varchar", "Fingerprint of the SELECT and of the settings it reads."),
            "file_version": ("varchar", "Fingerprint of the file, comments included."),
            "input_version_id": ("bigint", "Newest raw version it contains."),
            "refreshed_at": ("timestamptz", "Last time rows were rebuilt."),
        },
    ),
    "ops.loads": (
        "Every refresh: how many slices, which business dates changed.",
        {
            "load_id": ("varchar", "Identity of the refresh."),
            "started_at": ("timestamptz", "Start."),
            "ended_at": ("timestamptz", "Commit."),
            "input_version_id": ("bigint", "Newest raw version it contains."),
            "report": ("json", "Per model: mode, slices, rows, seconds, business dates."),
        },
    ),
    "ops.accounts": (
        "Settings of each account that models read.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "currency": ("varchar", "ISO 4217 code of amounts without one."),
            "minor_unit_exponent": ("integer", "Decimals of that currency's minor unit."),
            "time_zone": ("varchar", "IANA zone of the business date."),
            "business_date_path": ("varchar", "Where orders carry their own date."),
            "currency_path": ("varchar", "Where orders carry their own currency."),
            "test_order_path": ("varchar", "Where test orders say so."),
        },
    ),
    "ops.account_lists": (
        "Settings that are lists: recognised_statuses, non_product_items.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "list_name": ("varchar", "Name of the setting."),
            "value": ("varchar", "One entry."),
        },
    ),
    "ops.currencies": (
        "Currencies and their minor units.",
        {
            "currency": ("varchar", "ISO 4217 code."),
            "minor_unit_exponent": ("integer", "Decimals of the minor unit."),
        },
    ),
}
SCHEMAS = ("raw", "ops", "staging", "core", "marts")


def create_schema(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing; cheap when all is there."""
    known = {
        f"{schema}.{table}"
        for schema, table in con.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
    }
    if known >= TABLES.keys():
        return
    con.begin()
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
    for table, (comment, columns) in TABLES.items():
        if table in known:
            continue
        typed = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        con.execute(f"create table {table} ({typed})")
        con.execute(f"comment on table {table} is '{comment.replace(chr(39), chr(39) * 2)}'")
        for name, (_, meaning) in columns.items():
            text = meaning.replace("'", "''")
            con.execute(f"comment on column {table}.{name} is '{text}'")
    con.commit()
