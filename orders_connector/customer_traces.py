"""Finds where the raw log names a customer, by the JSON paths that the customer's source names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from orders_connector.config import Account
from orders_connector.landing.raw_log import GONE
from orders_connector.sources.registry import source_of

__all__ = ["Wanted", "find_traces", "other_orders_named", "text_pattern"]


@dataclass(frozen=True)
class Wanted:
    """The customer that is looked for; at least one of both is given.

    Attributes:
        customer_key: As in `core.orders`: the source's id, or `email:<SHA-256>`.
        email: An e-mail address, in any case.
    """

    customer_key: str | None = None
    email: str | None = None

    @property
    def address(self) -> str | None:
        """The e-mail address as it is compared."""
        return None if self.email is None else self.email.strip().lower()


def find_traces(con: duckdb.DuckDBPyConnection, account: Account, wanted: Wanted) -> None:
    """Make the temporary tables `named`, `states` and `changed`.

    `named` has the raw versions that name the customer, with every key and address they give the
    order's own customer. `states` has the orders that named the customer as their own in any
    version: whether they are gone at the source, and whether loads count them. `changed` has the
    raw versions to remove, parts of the orders included, and those of others that name the
    customer as referrer.
    """
    who = {"source": account.source, "account": account.name}
    con.execute(
        f"""
        create or replace temp table named as
        select version_id, order_key, order_id, keys, addresses, is_customer, is_referrer
        from (
            select version_id, order_key, order_id, keys, addresses,
                coalesce(list_contains(keys, $customer), false)
                    or coalesce(list_contains(addresses, $address), false) as is_customer,
                coalesce(list_contains(referrers, $customer), false) as is_referrer
            from ({_customers_of(account)})
        )
        where is_customer or is_referrer
        """,
        who | {"customer": wanted.customer_key, "address": wanted.address},
    )
    con.execute(
        f"""
        create or replace temp table states as
        select order_key, order_id, newest, is_gone, is_order and not is_gone as is_known
        from (
            select order_key, order_id, max(version_id) as newest,
                coalesce(
                    arg_max(channel, version_id) filter (where part_id is null) = '{GONE}', false
                ) as is_gone,
                bool_or(part_id is null) as is_order
            from raw.order_payloads
            where source = $source and account = $account
                and (order_key, order_id) in (
                    select (order_key, order_id) from named where is_customer
                )
            group by order_key, order_id
        )
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


def other_orders_named(con: duckdb.DuckDBPyConnection, account: Account) -> int:
    """Return how many orders that are left share a key with those that `named` removed.

    Makes the temporary table `keys_left` of the customer keys that they share.
    """
    who = {"source": account.source, "account": account.name}
    con.execute(
        f"""
        create or replace temp table keys_left as
        select order_key, order_id, key
        from (select order_key, order_id, unnest(keys) as key from ({_customers_of(account)}))
        where key in (select unnest(keys) from named where is_customer)
        """,
        who,
    )
    rows = con.execute("select count(distinct (order_key, order_id)) from keys_left").fetchall()
    return int(rows[0][0])


def text_pattern(con: duckdb.DuckDBPyConnection, wanted: Wanted) -> str:
    """Return a pattern that finds the customer in JSON text, but no longer id or address.

    Looks into `named` for the address that a key with a hash stands for.
    """
    addresses = {wanted.address} if wanted.address else set()
    rows = con.execute(
        "select distinct address from (select unnest(addresses) as address from named)"
        " where 'email:' || sha256(address) = ?",
        [wanted.customer_key],
    ).fetchall()
    addresses |= {address for (address,) in rows}
    parts = []
    if wanted.customer_key:
        parts.append(f"(^|[^A-Za-z0-9_-])({_spellings([wanted.customer_key])})([^A-Za-z0-9_-]|$)")
    if addresses:
        # A dot may end a sentence, or begin the rest of a longer host.
        parts.append(
            f"(^|[^A-Za-z0-9_.+-])(?i:{_spellings(sorted(addresses))})"
            r"([^A-Za-z0-9_.-]|\.([^A-Za-z0-9]|$)|$)"
        )
    return "|".join(parts)


def _customers_of(account: Account) -> str:
    """SQL of all raw versions of an account with the customers they name."""
    named = source_of(account.source).customers
    paths = [*named.ids, *named.emails, *named.referrers]
    ids, emails, referrers = _slices(named.ids, named.emails, named.referrers)
    return f"""
        select version_id, order_key, order_id, addresses, referrers,
            ids || ['email:' || sha256(address) for address in addresses] as keys
        from (
            select version_id, order_key, order_id,
                [id for id in v{ids} if id <> ''] as ids,
                [lower(trim(address)) for address in v{emails} if trim(address) <> '']
                    as addresses,
                v{referrers} as referrers
            from (
                select version_id, order_key, order_id,
                    json_extract_string(payload, {paths!r}) as v
                from raw.order_payloads
                where source = $source and account = $account
            )
        )
    """


def _slices(*groups: Sequence[str]) -> list[str]:
    """SQL of the part of a list that belongs to each group of its elements, one after another."""
    slices, start = [], 1
    for group in groups:
        slices.append(f"[{start}:{start + len(group) - 1}]")
        start += len(group)
    return slices


def _spellings(texts: Iterable[str]) -> str:
    """A pattern of texts as they are, and as JSON may write them."""
    spellings = {
        spelling
        for text in texts
        for spelling in (
            text,
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
        )
    }
    return "|".join(re.escape(spelling) for spelling in sorted(spellings))
