"""Tables that are not models: the raw log and the state of operations.

No PRIMARY KEY or UNIQUE anywhere: DuckDB refuses some deletes and inserts of one transaction on
indexed tables. Uniqueness is proven by checks.
"""

from __future__ import annotations

import hashlib

import duckdb

__all__ = ["SHAPE", "create_schema"]

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
            "channel": (
                "varchar",
                "How it came: list, get, export (header only), or gone: the answer that it is not"
                " there any more.",
            ),
            "extraction_id": ("varchar", "ops.extractions."),
            "page": ("integer", "Request of the extraction that carried it, from 1."),
            "position": ("integer", "Place on that page, from 1."),
            "loaded_at": ("timestamptz", "When it was landed."),
            "quarantine_reason": ("varchar", "Why the version cannot be read; NULL when it can."),
            "part_id": (
                "varchar",
                "Which part of the order this is, where a source sends parts on their own (a"
                " license); NULL for the order itself.",
            ),
        },
    ),
    "raw.export_rows": (
        "Which orders the last exports and full readings held, and how they stood; for comparisons"
        " by id.",
        {
            "job_id": ("varchar", "ops.export_jobs, or ops.reconciliations of a full reading."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_key": ("bigint", "Hash of (source, account, order_id); slices, not identity."),
            "order_id": ("varchar", "Order id of the source."),
            "version_at": ("timestamptz", "When the source says the version came to be."),
            "status": ("varchar", "Status as the source wrote it."),
            "total_minor": ("bigint", "What is left to pay, minor units."),
            "part_id": ("varchar", "Part of the order; NULL for the order itself."),
        },
    ),
    "ops.extractions": (
        "Every attempt to cover a window: what was asked, what was read, what is proven.",
        {
            "extraction_id": ("varchar", "Identity of the attempt."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "strategy": (
                "varchar",
                "listing, export, hydration, reconciliation, erasure, probe or plan.",
            ),
            "window_from": ("timestamptz", "Start of the window asked for, inclusive."),
            "window_to": ("timestamptz", "End of the window asked for, exclusive."),
            "status": (
                "varchar",
                "complete, incomplete or failed; landed: a file whose proof is another row.",
            ),
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
            "stage": ("varchar", "landing, typing, or export: a line of a file."),
            "reason": ("varchar", "What is wrong."),
            "content_hash": ("varchar", "MD5 of the text."),
            "content": ("varchar", "The text as it came, for input without an identity."),
            "extraction_id": ("varchar", "The extraction that brought it."),
            "page": ("integer", "Request of the extraction that carried it."),
            "position": ("integer", "Place on that page."),
            "seen_at": ("timestamptz", "When it was first seen."),
        },
    ),
    "ops.export_jobs": (
        "Exports that were asked for, so that none is started twice and a killed load finds it.",
        {
            "job_id": ("varchar", "Identity of the job."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "date_field": ("varchar", "created_at or updated_at: what the window is about."),
            "window_from": ("timestamptz", "Inclusive; NULL for no bound."),
            "window_to": ("timestamptz", "Exclusive; NULL for no bound."),
            "export_id": ("varchar", "Id of the source; NULL while its answer is awaited."),
            "status": ("varchar", "asked, started, landed, used (its proof is made) or failed."),
            "reason": ("varchar", "Why it failed."),
            "asked_at": ("timestamptz", "When it was asked for, by the source's clock."),
            "changed_at": ("timestamptz", "Last change of status."),
            "rows": ("bigint", "Rows of its file."),
            "extraction_id": ("varchar", "The extraction that landed it."),
        },
    ),
    "ops.account_profiles": (
        "What the documentation leaves open, as this account answered.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "capability": ("varchar", "What was asked."),
            "answer": ("varchar", "What was found."),
            "evidence": ("varchar", "By which request."),
            "probed_at": ("timestamptz", "When."),
        },
    ),
    "ops.account_keys": (
        "By which address and keys each account was last loaded; others are looked at first.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "fingerprint": ("varchar", "Slow hash of address and keys; tells neither."),
            "accepted_at": ("timestamptz", "Since when they are used."),
        },
    ),
    "ops.reconciliations": (
        "Comparisons of the whole account with the source.",
        {
            "reconciliation_id": ("varchar", "Identity of the comparison."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "status": ("varchar", "equal, repaired, different or failed."),
            "reason": ("varchar", "What is left to do, in words; NULL when nothing."),
            "started_at": ("timestamptz", "First request."),
            "ended_at": ("timestamptz", "Commit."),
            "calls": ("bigint", "Requests made."),
            "source_total": ("bigint", "Orders that the listing counts."),
            "export_rows": ("bigint", "Orders in the export."),
            "warehouse_orders": ("bigint", "Orders in the warehouse that are not deleted."),
        },
    ),
    "ops.reconciliation_days": (
        "Counts and sums per business day and status, on both sides.",
        {
            "reconciliation_id": ("varchar", "ops.reconciliations."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_date": ("date", "Business date."),
            "status": ("varchar", "Common status."),
            "source_orders": ("bigint", "Orders in the export."),
            "warehouse_orders": ("bigint", "Orders in the warehouse."),
            "source_net_minor": ("bigint", "Net amount in the export, minor units."),
            "warehouse_net_minor": ("bigint", "Net amount in the warehouse, minor units."),
        },
    ),
    "ops.reconciliation_differences": (
        "Orders that differ, with the cause.",
        {
            "reconciliation_id": ("varchar", "ops.reconciliations."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_id": ("varchar", "Order id of the source."),
            "order_date": ("date", "Business date, as far as known."),
            "cause": ("varchar", "newer_than_export, hydrate, vanished, or wrong."),
            "detail": ("varchar", "What differs and what was done."),
            "repaired": ("boolean", "Whether this run put it right."),
        },
    ),
    "ops.erasures": (
        "Customers that were erased on request; holds no personal data.",
        {
            "erasure_id": ("varchar", "Number of the certificate."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "erased_at": ("timestamptz", "Commit."),
            "orders": ("bigint", "Orders removed."),
            "versions": ("bigint", "Versions removed."),
            "referrals": ("bigint", "Orders of others that named the customer as referrer."),
            "business_dates": ("bigint", "Business dates that were restated."),
        },
    ),
    "ops.model_state": (
        "What each model was built from.",
        {
            "model": ("varchar", "schema.table."),
            "code_version": ("varchar", "Fingerprint of the SELECT and of the settings it reads."),
            "file_version": (
                "varchar",
                "Fingerprint of the file and of its views, comments included.",
            ),
            "input_version_id": ("bigint", "Newest raw version it contains."),
            "refreshed_at": ("timestamptz", "Last time rows were rebuilt."),
            "slice_version": ("varchar", "Fingerprint of what slice_sql was made of."),
            "slice_sql": ("varchar", "What refreshes it, as JSON, so that it is written once."),
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
    "ops.restatements": (
        "Every figure of a past business date that a load changed: before and after.",
        {
            "load_id": ("varchar", "ops.loads."),
            "restated_at": ("timestamptz", "When the load began, UTC."),
            "model": ("varchar", "The mart, schema.table."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_date": ("date", "The business date whose figure changed."),
            "currency": ("varchar", "ISO 4217 code."),
            "metric": ("varchar", "Column of the mart."),
            "before": ("decimal(38, 4)", "Before the load; NULL when it was not known."),
            "after": ("decimal(38, 4)", "After it; NULL when it is not known any more."),
            "reason": (
                "varchar",
                "orders: see ops.restated_orders; rebuild: the model or a setting changed, or the"
                " date was rebuilt by hand.",
            ),
        },
    ),
    "ops.restated_orders": (
        "The orders that caused the restatements of a load.",
        {
            "load_id": ("varchar", "ops.loads."),
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "order_id": ("varchar", "Order id of the source."),
            "order_date": ("date", "The business date that was restated."),
            "change": (
                "varchar",
                "added to the date, removed from it, changed, or resequenced: another order of the"
                " same customer changed, and with it which one is the first.",
            ),
        },
    ),
    "ops.failing_rows": (
        "Rows that broke a promise of a model when it was last checked; at most 1,000 per check.",
        {
            "checked_at": ("timestamptz", "When the check ran."),
            "model": ("varchar", "schema.table."),
            "check_name": ("varchar", "The check, as its header names it."),
            "severity": ("varchar", "error: nothing is published; warn: it is told."),
            "reason": ("varchar", "What is wrong with the row, in words."),
            "row": ("json", "The columns that find the row, and what was compared."),
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
    "ops.billing_cycles": (
        "How many requests each account has, and from when they count.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "calls_per_cycle": ("bigint", "Setting; NULL while it is not set."),
            "cycle_start_day": ("integer", "Day of the month, UTC, on which a cycle begins."),
        },
    ),
    "ops.holidays": (
        "Public holidays of accounts with the setting holidays, from 2000 to two years ahead.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "holiday_date": ("date", "The local day."),
            "name": ("varchar", "What is celebrated, in English where it is translated."),
        },
    ),
    "ops.customer_map": (
        "Which customers of different accounts are the same person; filled by the analyst, if at"
        " all. Nothing is guessed.",
        {
            "source": ("varchar", "Kind of API."),
            "account": ("varchar", "Configured account."),
            "customer_key": ("varchar", "Customer id of the source."),
            "person_key": ("varchar", "The person, by any name of your own."),
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


# What DuckDB would choose for JSON takes twice the time to write and five times the space.
COMPRESSED = {("raw.order_payloads", "payload"): "zstd"}

# A mark in the file of what was made: to look for each table and column takes ten times as long,
# and every commit opens the file anew.
SHAPE = "ops.shape_of_tables"
_SHAPE = hashlib.sha256(repr((TABLES, SCHEMAS, COMPRESSED)).encode()).hexdigest()


def create_schema(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing, columns of later versions too; cheap when all is there."""
    try:
        found = con.execute(f"select {SHAPE}()").fetchall()
    except duckdb.CatalogException:  # a new file, or one of an earlier version
        found = []
    if found != [(_SHAPE,)]:
        _create_missing(con)


def _create_missing(con: duckdb.DuckDBPyConnection) -> None:
    known: dict[str, set[str]] = {}
    for schema, table, column in con.execute(
        "select schema_name, table_name, column_name from duckdb_columns()"
        " where database_name = current_database() and not internal"
    ).fetchall():
        known.setdefault(f"{schema}.{table}", set()).add(column)
    statements = [f"create schema if not exists {schema}" for schema in SCHEMAS]
    for table, (comment, columns) in TABLES.items():
        there = known.get(table, set())
        if not there:
            typed = ", ".join(_typed(table, name) for name in columns)
            statements.append(f"create table {table} ({typed})")
            statements.append(f"comment on table {table} is {_quoted(comment)}")
        for name, (_, meaning) in columns.items():
            if name in there:
                continue
            if there:
                statements.append(f"alter table {table} add column {_typed(table, name)}")
            statements.append(f"comment on column {table}.{name} is {_quoted(meaning)}")
    statements.append(f"create or replace macro {SHAPE}() as {_quoted(_SHAPE)}")
    con.begin()
    con.execute("; ".join(statements))
    con.commit()


def _typed(table: str, column: str) -> str:
    kind = f"{column} {TABLES[table][1][column][0]}"
    compression = COMPRESSED.get((table, column))
    return f"{kind} using compression {compression}" if compression else kind


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
