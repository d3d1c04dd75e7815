"""Removes a customer from everything that the warehouse keeps and publishes.

The rows go in one transaction, in which the models are built anew too. Then the files are written
anew, as a deleted row stays on disk otherwise. What stands at the source is not touched.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.account_load import (
    AccountLoad,
    account_of,
    count_unnamed,
    exports_folder,
    open_account,
)
from orders_connector.config import Account, Settings
from orders_connector.customer_traces import (
    Wanted,
    find_traces,
    other_orders_named,
    text_pattern,
)
from orders_connector.errors import FatalSourceError, WarehouseError
from orders_connector.landing.coverage import ExtractionRecord, load_state, record_extraction
from orders_connector.landing.raw_log import Landed
from orders_connector.landing.settings_tables import write_settings
from orders_connector.load import publish_warehouse, read_personal_data_key
from orders_connector.modeling.configured import configured_models
from orders_connector.modeling.refresh import refresh_within
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.registry import source_of
from orders_connector.turns import turn
from orders_connector.warehouse.compact import rewrite_warehouse
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import count_rows, transaction

__all__ = ["Certificate", "erase_customer"]

ASKED = 3  # orders that the source is asked for


@dataclass(frozen=True)
class Certificate:
    """What was erased. Holds no personal data.

    Attributes:
        erasure_id: Its row in ops.erasures.
        erased_at: Commit, UTC.
        orders: Orders removed.
        versions: Versions removed.
        referrals: Orders of others that named the customer as referrer.
        business_dates: Business dates that were restated.
        mentions: Orders of others whose text still holds the id or the address elsewhere, such as
            in metadata.
        related: Orders that are left and share an id or an e-mail address with those removed.
        files: Files that were written anew.
    """

    erasure_id: str
    account: str
    source: str
    erased_at: datetime
    orders: int
    versions: int
    referrals: int
    business_dates: int
    mentions: int
    related: int
    files: tuple[Path, ...]


def erase_customer(
    settings: Settings,
    account_name: str,
    customer_key: str | None,
    *,
    email: str | None = None,
    keep_at_source: bool = False,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> Certificate:
    """Erase a customer from raw log, models, published copy, and the bytes of the files.

    Run again after a failure or a kill, it does what is left, also when no order is left.

    Args:
        settings: All settings.
        account_name: The account the customer belongs to.
        customer_key: As in `core.orders`: the source's id of the customer, or `email:<SHA-256>`;
            None to go by the address alone.
        email: The customer's e-mail address, in any case.
        keep_at_source: Do not ask whether the source still has the orders; needs no keys.
        doing: Told what is going on, in words.
        **transport: Overrides for the account's transport.

    Raises:
        ConfigurationError: the account or its credentials are missing.
        FatalSourceError: the source still has orders of the customer; nothing was removed.
        SourceError: the source refused or failed to answer; nothing was removed.
        QuotaExhausted: nothing is left of the billing cycle's requests.
        ModelError: a model failed; nothing was removed.
        WarehouseLocked: another process holds the warehouse or loads this account.
        WarehouseError: the rows are removed, the files could not be written anew.
        ValueError: neither an id nor an address is given, or one is empty.
    """
    wanted = Wanted(customer_key, email)
    if "" in (customer_key, wanted.address) or (customer_key is None and email is None):
        raise ValueError("the customer's id or e-mail address is empty")
    tell = doing or (lambda _: None)
    account = account_of(settings, account_name)
    read_personal_data_key(settings)  # without it, nothing could be published afterwards

    async def work(load: AccountLoad) -> Certificate:
        tell("asking the source")
        calls = await _refuse_if_there(load, wanted)
        return _erase(settings, account, wanted, calls, tell)

    if not keep_at_source:
        return open_account(settings, account_name, work, doing=doing, **transport)
    with turn(
        settings.warehouse.path,
        account.name,
        longest_wait_seconds=account.max_wait_seconds,
        on_wait=transport.get("on_wait"),
    ):
        shutil.rmtree(exports_folder(settings, account), ignore_errors=True)
        return _erase(settings, account, wanted, _Calls(datetime.now(UTC)), tell)


@dataclass
class _Calls:
    """What asking the source cost."""

    started_at: datetime
    calls: int = 0
    bytes_received: int = 0


async def _refuse_if_there(load: AccountLoad, wanted: Wanted) -> _Calls:
    """Ask the source for some of the orders; what it still has, the next load would bring back."""
    account, transport = load.account, load.client.transport
    source = source_of(account.source)
    asking = _Calls(datetime.now(UTC))
    with warehouse_connection(load.settings) as con:
        find_traces(con, account, wanted)
        ids = con.execute(
            "select order_id from states where not is_gone order by newest desc limit ?", [ASKED]
        ).fetchall()
    there = 0
    for (order_id,) in ids:
        there += await source.is_there(load.client, order_id)
    asking.calls, asking.bytes_received = transport.calls, transport.bytes_received
    if there:
        with warehouse_connection(load.settings) as con, transaction(con):
            _record(con, account, asking, "failed", reason="the source still has the orders")
        raise FatalSourceError(
            f"The source still has {there} of {len(ids)} orders of this customer that it was asked "
            "for, so loads would bring them back. Nothing was removed. Erase the customer there "
            f"first ({source.customers.erased_by}) and run again; or pass --keep-at-source to "
            "erase here all the same: an order that a later load reads, as it changed or stands "
            "on a page with new ones, comes back then.",
            account=account.name,
        )
    return asking


def _erase(
    settings: Settings,
    account: Account,
    wanted: Wanted,
    asking: _Calls,
    tell: Callable[[str], None],
) -> Certificate:
    certificate = _remove(settings, account, wanted, asking, tell)
    try:
        tell("writing the warehouse anew")
        rewrite_warehouse(settings)
        tell("publishing")
        # Also when a check fails: a reader's copy with the customer in it is worse. No version with
        # the customer may come back either.
        publish_warehouse(settings, forget_older=True)
    except WarehouseError as error:
        raise type(error)(
            "the customer is removed from all tables, but not yet from the bytes of all files: "
            f"{error}. Run the same command again: it does what is left"
        ) from error
    return certificate


def _remove(
    settings: Settings,
    account: Account,
    wanted: Wanted,
    asking: _Calls,
    tell: Callable[[str], None],
) -> Certificate:
    """Remove rows, rebuild models and leave the certificate, in one transaction."""
    models = configured_models(settings)
    with warehouse_connection(settings) as con, transaction(con):
        write_settings(con, settings)
        tell("looking for the customer")
        find_traces(con, account, wanted)
        orders, versions, referrals = _counts(con)
        known = count_rows(con, "states", "is_known")
        pattern = text_pattern(con, wanted)
        unnamed = _delete(con, account, pattern)
        _take_out_referrals(con, account)
        related = other_orders_named(con, account)
        _forget_person(con, account, wanted)
        if orders or unnamed or asking.calls:
            _record(con, account, asking, "complete", removed=known, unnamed=unnamed)
        report = refresh_within(
            con, models, changed="changed", progress=lambda model: tell(f"building {model}")
        )
        # The refresh has just named these orders as the cause of restatements.
        _delete_orders(con, account, ("ops.restated_orders",))
        con.execute("delete from ops.failing_rows")  # the next checks find those that are left
        certificate = Certificate(
            erasure_id=f"erasure_{uuid.uuid4().hex[:16]}",
            account=account.name,
            source=account.source,
            erased_at=datetime.now(UTC),
            orders=orders,
            versions=versions,
            referrals=referrals,
            business_dates=len(report.restated),
            mentions=_mentions(con, account, pattern),
            related=related,
            files=(settings.warehouse.path, settings.warehouse.published),
        )
        con.execute(
            "insert into ops.erasures values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                certificate.erasure_id,
                certificate.source,
                certificate.account,
                certificate.erased_at,
                certificate.orders,
                certificate.versions,
                certificate.referrals,
                certificate.business_dates,
            ],
        )
    return certificate


def _counts(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Return orders and versions to remove, and orders of others to change."""
    rows = con.execute(
        "select (select count(*) from states), count(*) filter (where is_removed),"
        " count(distinct (order_key, order_id)) filter (where not is_removed) from changed"
    ).fetchall()
    orders, versions, referrals = rows[0]
    return orders, versions, referrals


def _delete(con: duckdb.DuckDBPyConnection, account: Account, pattern: str) -> int:
    """Delete what `changed` and `states` name; return how many nameless orders went with it."""
    who = {"source": account.source, "account": account.name}
    con.execute(
        "delete from raw.order_payloads"
        " where version_id in (select version_id from changed where is_removed)"
    )
    _delete_orders(
        con, account, ("raw.export_rows", "ops.quarantine", "ops.reconciliation_differences")
    )
    before = count_unnamed(con, account)
    con.execute(
        "delete from ops.quarantine where source = $source and account = $account"
        " and order_id is null and regexp_matches(content, $pattern)",
        who | {"pattern": pattern},
    )
    return before - count_unnamed(con, account)


def _delete_orders(
    con: duckdb.DuckDBPyConnection, account: Account, tables: tuple[str, ...]
) -> None:
    """Delete the customer's orders from tables that name orders."""
    for table in tables:
        con.execute(
            f"delete from {table} where source = $source and account = $account"
            " and order_id in (select order_id from states)",
            {"source": account.source, "account": account.name},
        )


def _take_out_referrals(con: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Take the customer out of orders of others.

    The content hash stays that of the text as sent, so that the same text, read again, is known
    and is not stored again with the referrer in it.
    """
    keys = source_of(account.source).customers.referrer_keys
    con.execute(
        "update raw.order_payloads set payload = json_merge_patch(payload, $patch::json)"
        " where version_id in (select version_id from changed where not is_removed)",
        {"patch": json.dumps(dict.fromkeys(keys))},
    )


def _forget_person(con: duckdb.DuckDBPyConnection, account: Account, wanted: Wanted) -> None:
    """Delete the customer's keys from the map of persons, but those that other orders have."""
    con.execute(
        """
        delete from ops.customer_map
        where source = $source and account = $account
            and (
                customer_key in ($customer, 'email:' || sha256($address))
                or (
                    customer_key in (select unnest(keys) from named where is_customer)
                    and customer_key not in (select key from keys_left)
                )
            )
        """,
        {
            "source": account.source,
            "account": account.name,
            "customer": wanted.customer_key,
            "address": wanted.address,
        },
    )


def _mentions(con: duckdb.DuckDBPyConnection, account: Account, pattern: str) -> int:
    rows = con.execute(
        "select count(distinct (order_key, order_id)) from raw.order_payloads"
        " where source = $source and account = $account"
        " and regexp_matches(payload::varchar, $pattern)",
        {"source": account.source, "account": account.name, "pattern": pattern},
    ).fetchall()
    return int(rows[0][0])


def _record(
    con: duckdb.DuckDBPyConnection,
    account: Account,
    asking: _Calls,
    status: str,
    *,
    reason: str | None = None,
    removed: int = 0,
    unnamed: int = 0,
) -> None:
    """Write an extraction, so that the requests count and later loads count the orders right.

    What is removed is added to the accepted difference: the source may still count it, and a load
    that looked for it would bring it back. As soon as the source counts less, the next load
    lowers it again.
    """
    now = datetime.now(UTC)
    state = load_state(con, account.source, account.name)
    record_extraction(
        con,
        ExtractionRecord(
            extraction_id=f"ext_{now:%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}",
            source=account.source,
            account=account.name,
            strategy="erasure",
            status=status,
            started_at=asking.started_at,
            ended_at=now,
            calls=asking.calls,
            bytes_received=asking.bytes_received,
            known_orders=state.known_orders - removed,
            accepted_difference=state.accepted_difference + removed + unnamed,
            reading=Reading(Window(now, now), reason=reason),
            landed=Landed(),
        ),
    )
