"""Whether the keys in use open the account whose orders the warehouse holds.

The keys of another account answer like the right ones. Its orders would be mixed with those that
are here, and a comparison would find all of these gone. So when address or keys are not those of
the last load, some of the known orders are asked for before anything else is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from orders_connector.config import Account
from orders_connector.errors import (
    CallBudgetExhausted,
    ConfigurationError,
    FatalSourceError,
    SourceError,
    UnreadableAnswer,
)
from orders_connector.landing.raw_log import GONE, Landed
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.registry import source_of
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import transaction

if TYPE_CHECKING:
    from orders_connector.account_load import AccountLoad

__all__ = ["accept_keys", "refuse_another_account"]

ASKED_FOR = 5

# The newest, and as many from all over the history.
SAMPLE = f"""
    with known as (
        select order_id, max(version_at) as version_at
        from raw.order_payloads
        where source = $source and account = $account and part_id is null
        group by order_key, order_id
        having arg_max(channel, version_id) <> '{GONE}'
    ),
    newest as (from known order by version_at desc, order_id limit {ASKED_FOR})
    select order_id from newest
    union all
    select order_id from (
        from known where order_id not in (select order_id from newest)
        order by hash(order_id) limit {ASKED_FOR}
    )
"""


async def refuse_another_account(load: AccountLoad) -> None:
    """Ask for known orders when address or keys are new; one that is there settles it.

    Makes no request while they are those of the last load. Keys that are refused are left to the
    load, which says so in its own words. A source that fails meanwhile fails the load as well.

    Raises:
        ConfigurationError: none of the orders asked for is there.
    """
    account = load.account
    with warehouse_connection(load.settings) as con:
        accepted = con.execute(
            "select fingerprint from ops.account_keys where source = ? and account = ?",
            [account.source, account.name],
        ).fetchone()
        if accepted == (_fingerprint(account),):
            return
        who = {"source": account.source, "account": account.name}
        ids = [row[0] for row in con.execute(SAMPLE, who).fetchall()]
    started_at = datetime.now(UTC)
    try:
        answers = [answer async for answer in _answers(load, ids)]
    except (SourceError, CallBudgetExhausted) as problem:
        load.client.transport.fail_with(problem)
        return
    if answers and not any(answers):
        why = (
            f"{account.resolved_base_url} has none of {len(answers)} orders of account "
            f"{account.name} that were asked for, and its address or keys are not those of the "
            "last load: they look like another account's. Nothing was read. Go back to the old "
            "ones, or configure the other account under a name of its own. If these orders were "
            f"all deleted there, run `orders-connector doctor --accept-keys {account.name}`"
        )
        load.commit(
            "probe",
            Reading(Window(started_at, started_at), reason=why),
            lambda _: Landed(),
            started_at=started_at,
            status=lambda: "failed",
        )
        raise ConfigurationError(why)
    if answers or not ids:
        with warehouse_connection(load.settings) as con, transaction(con):
            accept_keys(con, account)


async def _answers(load: AccountLoad, ids: list[str]) -> AsyncGenerator[bool]:
    """Yield whether orders are there, up to the first that is; not what nothing is said about."""
    is_there = source_of(load.account.source).is_there
    for order_id in ids:
        try:
            there = await is_there(load.client, order_id)
        except (FatalSourceError, UnreadableAnswer):
            continue
        yield there
        if there:
            return


def accept_keys(con: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Note that address and keys of an account are its own, in the caller's transaction.

    Raises:
        ConfigurationError: the keys are not in the environment.
    """
    con.execute(
        "delete from ops.account_keys where source = ? and account = ?",
        [account.source, account.name],
    )
    con.execute(
        "insert into ops.account_keys values (?, ?, ?, ?)",
        [account.source, account.name, _fingerprint(account), datetime.now(UTC)],
    )


def _fingerprint(account: Account) -> str:
    """Return what is the same for the same address and keys, and from which no key can be had."""
    secrets = [secret.get_secret_value() for secret in account.read_secrets()]
    told = "\0".join([account.resolved_base_url, *secrets]).encode()
    salt = f"{account.source} {account.name}".encode()
    return hashlib.scrypt(told, salt=salt, n=2**12, r=8, p=1, dklen=16).hex()
