"""UltraCart as a source."""

from typing import cast

from orders_connector.account_load import AccountLoad
from orders_connector.errors import NotFound
from orders_connector.sources.source import Customers, Greeting, Source
from orders_connector.sources.ultracart.account import UltraCartAccount
from orders_connector.sources.ultracart.client import MAX_LIMIT, UltraCartClient
from orders_connector.sources.ultracart.page_fetching import PageFetcher
from orders_connector.sources.ultracart.probes import MOST_CALLS, probe
from orders_connector.sources.ultracart.reading import EARLIEST, MOST_QUESTIONS, UltraCartReader
from orders_connector.window_loading import WindowLoading

__all__ = ["SOURCE"]


async def _greet(client: UltraCartClient) -> Greeting:
    rows = await PageFetcher(client).query(
        {"creation_date_begin": EARLIEST}, None, limit=1, expand=()
    )
    if rows.total is None:
        return Greeting(None)
    calls = -(-rows.total // MAX_LIMIT)
    return Greeting(rows.total, f"a first load takes about {calls:,} requests for all of them")


async def _is_there(client: UltraCartClient, order_id: str) -> bool:
    try:
        await client.get_order(order_id)
    except NotFound:
        return False
    return True


def _reader(load: AccountLoad) -> UltraCartReader:
    return UltraCartReader(load.client, cast(UltraCartAccount, load.account))


SOURCE = Source(
    name="ultracart",
    client=UltraCartClient.for_account,
    loading=WindowLoading(_reader),
    greet=_greet,
    probe=probe,
    probe_calls=MOST_CALLS,
    plan_calls=1 + MOST_QUESTIONS,
    is_there=_is_there,
    # Loads do not ask for profiles, so customers are known by their address; what others sent to
    # the warehouse may name a profile.
    customers=Customers(
        ids=("$.customer_profile.customer_profile_oid",),
        emails=("$.billing.email",),
        erased_by="deletion of each order",
    ),
    reads=(
        "The source keeps no time of change. A run asks for orders that were created, paid, "
        "shipped or refunded, and reads again those that are not settled and those of the last "
        "`reread_days`. A change without a time is dated when it is first seen."
    ),
)
