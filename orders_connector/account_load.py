"""What one run holds about the account that it loads: its client, what it knows, what it spent."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

import duckdb

from orders_connector.account_identity import refuse_another_account
from orders_connector.budget import allowance, budget_reason, call_budget, refuse_when_spent
from orders_connector.config import Account, Settings
from orders_connector.errors import ConfigurationError
from orders_connector.landing.coverage import (
    ExtractionRecord,
    LoadState,
    load_state,
    record_extraction,
)
from orders_connector.landing.profiles import read_profile
from orders_connector.landing.raw_log import Landed
from orders_connector.landing.settings_tables import write_settings
from orders_connector.results import Plan
from orders_connector.sources.base import Reading
from orders_connector.sources.registry import source_of
from orders_connector.turns import turn
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import count_rows, transaction

__all__ = [
    "AccountLoad",
    "Commit",
    "Strategy",
    "account_of",
    "count_unnamed",
    "exports_folder",
    "open_account",
]

T = TypeVar("T")
Strategy = Literal["listing", "export", "hydration", "reconciliation", "erasure", "probe", "plan"]


class Origin(TypedDict):
    """Where landed rows come from."""

    source: str
    account: str
    extraction_id: str
    loaded_at: datetime


@dataclass
class Commit:
    """What a transaction of a load works with."""

    con: duckdb.DuckDBPyConnection
    extraction_id: str
    at: datetime
    load: AccountLoad

    @property
    def origin(self) -> Origin:
        """Arguments that every landing function takes."""
        return Origin(
            source=self.load.account.source,
            account=self.load.account.name,
            extraction_id=self.extraction_id,
            loaded_at=self.at,
        )

    @property
    def unnamed(self) -> int:
        """Orders in quarantine without an identity; a broken line of an export is none of them."""
        return count_unnamed(self.con, self.load.account)


@dataclass
class AccountLoad:
    """One run over one account.

    Attributes:
        client: The source's client, open.
        profile: What the source makes of the answers that probes of this account gave.
        known_orders: Orders the warehouse knows and does not hold for deleted.
        accepted_difference: Orders the source counts beyond those, with a reason.
        progress: Told what is going on, in words.
        call_budget: Requests that the run may send in all; None for no limit.
    """

    settings: Settings
    account: Account
    client: Any
    state: LoadState
    profile: Any
    progress: Callable[[str], None] = lambda _: None
    call_budget: int | None = None
    known_orders: int = 0
    accepted_difference: int = 0
    landed: Landed = field(default_factory=Landed)
    last_extraction_id: str = ""
    _calls: int = 0
    _bytes: int = 0

    def __post_init__(self) -> None:
        self.known_orders = self.state.known_orders
        self.accepted_difference = self.state.accepted_difference

    @property
    def calls_left(self) -> int | None:
        """Requests that the run may still send; None for no limit."""
        if self.call_budget is None:
            return None
        sent: int = self.client.transport.calls
        return max(0, self.call_budget - sent)

    def unnamed_orders(self) -> int:
        """Return how many orders are in quarantine without an identity."""
        with warehouse_connection(self.settings) as con:
            return count_unnamed(con, self.account)

    def limit(self, plan: Plan) -> None:
        """Write into a plan what limits its requests, and what one run will get done of it."""
        rate = self.client.transport.rate
        with warehouse_connection(self.settings) as con:
            quota = allowance(con, self.account, datetime.now(UTC))
        plan.questions, plan.quota = self.client.transport.calls, quota.quota
        plan.budget = call_budget(self.account, quota)
        if rate.limit:
            plan.per_window = max(1, rate.limit - rate.reserved)
            seconds = (rate.resets_at or 0) - self.client.transport.clock()
            plan.window_seconds = 60 if seconds <= 60 else 3_600

    def commit(
        self,
        strategy: Strategy,
        reading: Reading,
        work: Callable[[Commit], Landed],
        *,
        started_at: datetime,
        status: Callable[[], str],
        gone: Callable[[], int] = lambda: 0,
        memory_limit: str | None = None,
    ) -> str:
        """Land and record one extraction in one transaction and return its id.

        Args:
            strategy: How the orders were read.
            reading: What is proven; `work` may still change it.
            work: Lands; what it raises rolls everything back.
            started_at: First request, UTC.
            status: Asked for after `work`: complete, incomplete or failed.
            gone: Asked for after `work`: orders that `work` marked as gone.
            memory_limit: For DuckDB, where the configuration sets none.
        """
        now = datetime.now(UTC)
        extraction_id = f"ext_{now:%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}"
        transport = self.client.transport
        with (
            warehouse_connection(self.settings, memory_limit=memory_limit) as con,
            transaction(con),
        ):
            write_settings(con, self.settings)
            landed = work(Commit(con, extraction_id, now, self))
            known = self.known_orders + landed.new_orders - gone()
            record_extraction(
                con,
                ExtractionRecord(
                    extraction_id=extraction_id,
                    source=self.account.source,
                    account=self.account.name,
                    strategy=strategy,
                    status=status(),
                    started_at=started_at,
                    ended_at=datetime.now(UTC),
                    calls=transport.calls - self._calls,
                    bytes_received=transport.bytes_received - self._bytes,
                    known_orders=known,
                    accepted_difference=self.accepted_difference,
                    reading=reading,
                    landed=landed,
                ),
            )
        self.known_orders = known
        self._calls, self._bytes = transport.calls, transport.bytes_received
        self.landed += landed
        self.last_extraction_id = extraction_id
        return extraction_id


def count_unnamed(con: duckdb.DuckDBPyConnection, account: Account) -> int:
    """Return how many orders are in quarantine without an identity.

    A broken line of an export, or a part of an order, is none of them.
    """
    return count_rows(
        con,
        "ops.quarantine",
        f"source = '{account.source}' and account = '{account.name}' and order_id is null"
        " and stage = 'landing' and not contains(reason, 'part of an order')",
    )


def account_of(settings: Settings, name: str) -> Account:
    """Return a configured account.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if name not in settings.accounts:
        raise ConfigurationError(
            f"there is no account {name}; configured are: {', '.join(settings.accounts)}"
        )
    return settings.accounts[name]


def open_account(
    settings: Settings,
    name: str,
    work: Callable[[AccountLoad], Awaitable[T]],
    *,
    doing: Callable[[str], None] | None = None,
    **transport: Any,  # noqa: ANN401 - arguments of Transport
) -> T:
    """Do something with an account while no other load does, within its budget of calls.

    Args:
        settings: All settings.
        name: The account.
        work: Gets the account's load with its client open.
        doing: Told what is going on, in words.
        **transport: Overrides for the account's transport.

    Raises:
        ConfigurationError: the account or its credentials are missing, or the credentials are
            those of another account than the one whose orders are here.
        QuotaExhausted: nothing is left of the billing cycle's requests.
        WarehouseLocked: another process holds the warehouse or loads this account.
    """
    account = account_of(settings, name)
    source = source_of(account.source)

    async def run() -> T:
        with warehouse_connection(settings) as con:
            state = load_state(con, account.source, account.name)
            profile = source.profile(read_profile(con, account.source, account.name))
            allowed = allowance(con, account, datetime.now(UTC))
        refuse_when_spent(account, allowed)
        options = {
            "call_budget": call_budget(account, allowed),
            "budget_reason": budget_reason(account, allowed),
        } | transport
        async with source.client(account, **options) as client:
            load = AccountLoad(settings, account, client, state, profile)
            load.call_budget = options["call_budget"]
            if doing:
                load.progress = doing
            await refuse_another_account(load)
            return await work(load)

    with turn(
        settings.warehouse.path,
        account.name,
        longest_wait_seconds=account.max_wait_seconds,
        on_wait=transport.get("on_wait"),
    ):
        # What a load that was killed left behind.
        shutil.rmtree(exports_folder(settings, account), ignore_errors=True)
        return asyncio.run(run())


def exports_folder(settings: Settings, account: Account) -> Path:
    """Return where files of exports are kept while they are read."""
    path = settings.warehouse.path
    return path.with_name(f"{path.name}.{account.name}.exports")
