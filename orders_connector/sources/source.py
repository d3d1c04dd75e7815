"""What a source is made of; each folder beside this file has one, named `SOURCE`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orders_connector.loading import Loading

__all__ = ["NOT_SEEN", "UNKNOWN", "Customers", "Greeting", "ProbeAnswer", "Source"]

UNKNOWN, NOT_SEEN = "unknown", "not seen"


@dataclass(frozen=True)
class ProbeAnswer:
    """What was found about one capability of an account.

    Attributes:
        capability: What was asked.
        answer: A word or a number, `not seen`, or `unknown` after an error.
        evidence: By which request, or the error.
    """

    capability: str
    answer: str
    evidence: str


@dataclass(frozen=True)
class Greeting:
    """What the first answer of an account says.

    Attributes:
        orders: Orders that it has; None when the source does not say.
        note: What a first load should know, as a sentence; empty when there is nothing to say.
    """

    orders: int | None
    note: str = ""


@dataclass(frozen=True)
class Customers:
    """Where payloads name customers, for erasure.

    An order is a customer's when an id is the wanted one, or an e-mail address is: compared in
    lower case and without spaces around it, or by its SHA-256 where the customer_key of
    `core.orders` is `email:<hash>`.

    Attributes:
        ids: JSON paths that name the order's own customer.
        emails: JSON paths of this customer's e-mail addresses.
        referrers: JSON paths that name another customer, as referrer.
        referrer_keys: Top-level keys that are taken out where that customer is erased.
        erased_by: How a customer's orders are erased at the source, in words.
    """

    ids: Sequence[str]
    emails: Sequence[str] = ()
    referrers: Sequence[str] = ()
    referrer_keys: Sequence[str] = ()
    erased_by: str = "with all orders"


@dataclass(frozen=True)
class Source:
    """One kind of API.

    Attributes:
        name: As in `source` of an account and of every row.
        client: Makes the client of an account (an async context manager with a `transport`);
            takes overrides for the transport.
        profile: Makes of the answers of probes, by capability, what the loads work with.
        loading: What loads do.
        greet: Asks for one page with as little as possible.
        probe: Asks what the documentation leaves open; may use a folder for files.
        probe_calls: Requests that `probe` makes at most.
        plan_calls: Requests that planning a backfill takes at most.
        is_there: Asks for an order by id and says whether the source still has it.
        customers: Where payloads name customers.
        reads: How a load reads orders, in a sentence or two for people.
        makes_exports: Whether there are files to export, and items to wait for.
        not_comparable: Takes a profile; says why nightly loads cannot compare such an account with
            its source, in words; empty when they can.
    """

    name: str
    client: Callable[..., Any]
    loading: Loading
    greet: Callable[[Any], Awaitable[Greeting]]
    probe: Callable[[Any, Path], Awaitable[Sequence[ProbeAnswer]]]
    probe_calls: int
    plan_calls: int
    is_there: Callable[[Any, str], Awaitable[bool]]
    customers: Customers
    reads: str = ""
    makes_exports: bool = False
    not_comparable: Callable[[Any], str] = lambda _: ""
    profile: Callable[[Mapping[str, str]], Any] = dict
