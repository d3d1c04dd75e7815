"""Removes a customer from everything that the warehouse keeps and publishes.

The rows go in one transaction, in which the models are built anew too. Then the files are written
anew, as a deleted row stays on disk otherwise. What stands at the source is not touched.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.account_load import AccountLoad, account_of, exports_folder, open_account
from orders_connector.config import Account, Settings
from orders_connector.errors import FatalSourceError, NotFound, WarehouseError
from orders_connector.landing.coverage import ExtractionRecord, load_state, record_extraction
from orders_connector.landing.raw_log import GONE, Landed
from orders_connector.landing.settings_tables import write_settings
from orders_connector.load import publish_warehouse
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh_within
from orders_connector.sources.base import Reading, Window
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
        mentions: Orders of others whose text still holds the id elsewhere, such as in metadata.
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
    files: tuple[Path, ...]


def erase_customer(
    settings: Settings,
    account_name: str,
    customer_id: str,
    *,
    keep_at_source: bool = False,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> Certificate:
    """Erase a customer from raw log, models, published copy, and the bytes of the files.

    Run again after a failure or a kill, it does what is left, also when no order is left.

    Args:
        settings: All settings.
        account_name: The account the customer belongs to.
        customer_id: The source's id of the customer.
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
        ValueError: the id is empty.
    """
    if not customer_id:
        raise ValueError("the customer's id is empty")
    tell = doing or (lambda _: None)
    account = account_of(settings, account_name)

    async def work(load: AccountLoad) -> Certificate:
        tell("asking the source")
        calls = await _refuse_if_there(load, customer_id)
        return _erase(settings, account, customer_id, calls, tell)

    if not keep_at_source:
        return open_account(settings, account_name, work, doing=doing, **transport)
    with turn(
        settings.warehouse.path,
        account.name,
        longest_wait_seconds=account.max_wait_seconds,
        on_wait=transport.get("on_wait"),
    ):
        shutil.rmtree(exports_folder(settings, account), ignore_errors=True)
        return _erase(settings, account, customer_id, _Calls(datetime.now(UTC)), tell)


@dataclass
class _Calls:
    """What asking the source cost."""

    started_at: datetime
    calls: int = 0
    bytes_received: int = 0


async def _refuse_if_there(load: AccountLoad, customer_id: str) -> _Calls:
    """Ask the source for some of the orders; what it still has, the next load would bring back."""
    account, transport = load.account, load.client.transport
    asking = _Calls(datetime.now(UTC))
    with warehouse_connection(load.settings) as con:
        _find(con, account, customer_id)
        ids = con.execute(
            "select order_id from states where not is_gone order by newest desc limit ?", [ASKED]
        ).fetchall()
    there = 0
    for (order_id,) in ids:
        try:
            await load.client.get_order(order_id)
            there += 1
        except NotFound:
            continue
    asking.calls, asking.bytes_received = transport.calls, transport.bytes_received
    if there:
        with warehouse_connection(load.settings) as con, transaction(con):
            _record(con, account, asking, "failed", reason="the source still has the orders")
        raise FatalSourceError(
            f"The source still has {there} of {len(ids)} orders of this customer that it was asked "
            "for, so loads would bring them back. Nothing was removed. Erase the customer there "
            "first (permanent deletion) and run again; or pass --keep-at-source to erase here all "
            "the same: an order that a later load reads, as it changed or stands on a page with "
            "new ones, comes back then.",
            account=account.name,
        )
    return asking


def _erase(
    settings: Settings,
    account: Account,
    customer_id: str,
    asking: _Calls,
    tell: Callable[[str], None],
) -> Certificate:
    certificate = _remove(settings, account, customer_id, asking, tell)
    try:
        tell("writing the warehouse anew")
        rewrite_warehouse(settings)
        tell("publishing")
        # Also when a check fails: a reader's copy with the customer in it is worse.
        publish_warehouse(settings)
    except WarehouseError as error:
        raise type(error)(
            "the customer is removed from all tables, but not yet from the bytes of all files: "
            f"{error}. Run the same command again: it does what is left"
        ) from error
    return certificate


def _remove(
    settings: Settings,
    account: Account,
    customer_id: str,
    asking: _Calls,
    tell: Callable[[str], None],
) -> Certificate:
    """Remove rows, rebuild models and leave the certificate, in one transaction."""
    models = load_models()
    who = {"source": account.source, "account": account.name}
    with warehouse_connection(settings) as con, transaction(con):
        write_settings(con, settings)
        tell("looking for the customer")
        _find(con, account, customer_id)
        orders, versions, referrals = _counts(con)
        known = count_rows(con, "states", "not is_gone")
        unnamed = _delete(con, who, customer_id)
        # The content hash stays that of the text as sent, so that the same text, read again, is
        # known and is not stored again with the referrer in it.
        con.execute(
            "update raw.order_payloads set payload = json_merge_patch(payload,"
            """ '{"referrer_id": null, "referrer": null}')"""
            " where version_id in (select version_id from changed where not is_removed)"
        )
        if orders or unnamed or asking.calls:
            _record(con, account, asking, "complete", removed=known, unnamed=unnamed)
        report = refresh_within(
            con, models, changed="changed", progress=lambda model: tell(f"building {model}")
        )
        certificate = Certificate(
            erasure_id=f"erasure_{uuid.uuid4().hex[:16]}",
            account=account.name,
            source=account.source,
            erased_at=datetime.now(UTC),
            orders=orders,
            versions=versions,
            referrals=referrals,
            business_dates=len(report.restated),
            mentions=_mentions(con, who, customer_id),
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


def _find(con: duckdb.DuckDBPyConnection, account: Account, customer_id: str) -> None:
    """Make the temporary tables `states` and `changed`.

    `states` has the orders that named the customer in any version, with whether they are gone at
    the source. `changed` has the raw versions to remove, and those of others that name the
    customer as referrer.
    """
    who = {"source": account.source, "account": account.name}
    con.execute(
        """
        create or replace temp table named as
        select version_id, order_key, order_id, is_customer, is_referrer
        from (
            select version_id, order_key, order_id,
                coalesce(v[1] = $customer, false) or coalesce(v[2] = $customer, false)
                    as is_customer,
                coalesce(v[3] = $customer, false) or coalesce(v[4] = $customer, false)
                    as is_referrer
            from (
                select version_id, order_key, order_id, json_extract_string(
                    payload,
                    ['$.customer_id', '$.customer.id', '$.referrer_id', '$.referrer.id']
                ) as v
                from raw.order_payloads
                where source = $source and account = $account
            )
        )
        where is_customer or is_referrer
        """,
        who | {"customer": customer_id},
    )
    con.execute(
        f"""
        create or replace temp table states as
        select order_key, order_id, max(version_id) as newest,
            arg_max(channel, version_id) = '{GONE}' as is_gone
        from raw.order_payloads
        where source = $source and account = $account
            and (order_key, order_id) in (
                select (order_key, order_id) from named where is_customer
            )
        group by order_key, order_id
        """,
        who,
    )
    con.execute(
        """
        create or replace temp table changed as
        select version_id, order_key, order_id, true as is_removed
        from raw.order_payloads
        where source = $source and account = $account
            and (order_key, order_id) in (select (order_key, order_id) from states)
        union all
        select version_id, order_key, order_id, false as is_removed
        from named
        where is_referrer
            and (order_key, order_id) not in (select (order_key, order_id) from states)
        """,
        who,
    )


def _counts(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Return orders and versions to remove, and orders of others to change."""
    rows = con.execute(
        "select (select count(*) from states), count(*) filter (where is_removed),"
        " count(distinct (order_key, order_id)) filter (where not is_removed) from changed"
    ).fetchall()
    orders, versions, referrals = rows[0]
    return orders, versions, referrals


def _delete(con: duckdb.DuckDBPyConnection, who: dict[str, str], customer_id: str) -> int:
    """Delete what `changed` and `states` name; return how many nameless rows went with it."""
    con.execute(
        "delete from raw.order_payloads"
        " where version_id in (select version_id from changed where is_removed)"
    )
    for table in ("raw.export_rows", "ops.quarantine", "ops.reconciliation_differences"):
        con.execute(
            f"delete from {table} where source = $source and account = $account"
            " and order_id in (select order_id from states)",
            who,
        )
    rows = con.execute(
        "delete from ops.quarantine where source = $source and account = $account"
        " and order_id is null and regexp_matches(content, $pattern)",
        who | {"pattern": _pattern(customer_id)},
    ).fetchall()
    return int(rows[0][0])


def _mentions(con: duckdb.DuckDBPyConnection, who: dict[str, str], customer_id: str) -> int:
    rows = con.execute(
        "select count(distinct (order_key, order_id)) from raw.order_payloads"
        " where source = $source and account = $account"
        " and regexp_matches(payload::varchar, $pattern)",
        who | {"pattern": _pattern(customer_id)},
    ).fetchall()
    return int(rows[0][0])


def _pattern(customer_id: str) -> str:
    """Return a pattern for the id in JSON text that does not match longer ids."""
    spellings = {
        customer_id,
        json.dumps(customer_id)[1:-1],
        json.dumps(customer_id, ensure_ascii=False)[1:-1],
    }
    words = "|".join(re.escape(spelling) for spelling in sorted(spellings))
    return f"(^|[^A-Za-z0-9_-])({words})([^A-Za-z0-9_-]|$)"


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
