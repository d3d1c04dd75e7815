"""LicenseSpring as a source."""

from orders_connector.account_load import AccountLoad
from orders_connector.errors import NotFound
from orders_connector.sources.licensespring.client import LicenseSpringClient
from orders_connector.sources.licensespring.probes import MOST_CALLS, probe
from orders_connector.sources.licensespring.reading import LicenseSpringReader
from orders_connector.sources.source import Customers, Greeting, Source
from orders_connector.window_loading import WindowLoading

__all__ = ["SOURCE"]

# Counts, and the ends of a window in two lists of a hundred million rows.
MOST_QUESTIONS = 100


def _reader(load: AccountLoad) -> LicenseSpringReader:
    return LicenseSpringReader(load.client, load.account)


async def _greet(client: LicenseSpringClient) -> Greeting:
    count = (await client.list_orders(limit=1)).model.count
    return Greeting(count if isinstance(count, int) else None, "archived orders may come on top")


async def _is_there(client: LicenseSpringClient, order_id: str) -> bool:
    try:
        await client.get_order(int(order_id))
    except NotFound:
        return False
    return True


SOURCE = Source(
    name="licensespring",
    client=LicenseSpringClient.for_account,
    loading=WindowLoading(_reader),
    greet=_greet,
    probe=probe,
    probe_calls=MOST_CALLS,
    plan_calls=MOST_QUESTIONS,
    is_there=_is_there,
    customers=Customers(
        ids=("$.customer.id", "$.customer"),
        emails=("$.customer.email", "$.customer_email"),
        erased_by="deletion of the orders in the vendor's platform",
    ),
    reads=(
        "A run reads two lists by the time of the last change: orders, and licenses, which are "
        "parts of orders with versions of their own. License keys and passwords are not stored."
    ),
)
