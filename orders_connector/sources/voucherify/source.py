"""Voucherify as a source."""

from orders_connector.errors import NotFound
from orders_connector.sources.source import Customers, Greeting, Source
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.loading.planner import MOST_QUESTIONS
from orders_connector.sources.voucherify.loading.verbs import VoucherifyLoading
from orders_connector.sources.voucherify.paging import REACH
from orders_connector.sources.voucherify.probes import MOST_CALLS, probe
from orders_connector.sources.voucherify.profile import Profile

__all__ = ["SOURCE"]


async def _greet(client: VoucherifyClient) -> Greeting:
    total = (await client.list_orders(limit=1)).model.total
    if total is None:
        return Greeting(None)
    if total > REACH:
        return Greeting(
            total, f"more than the {REACH:,} that a listing reaches: exports bring the rest"
        )
    return Greeting(total, "all within reach of the listing")


async def _is_there(client: VoucherifyClient, order_id: str) -> bool:
    try:
        await client.get_order(order_id)
    except NotFound:
        return False
    return True


def _not_comparable(profile: Profile) -> str:
    if profile.exports_allowed:
        return ""
    return "the key may not export, so nothing can be compared (`doctor --probe` asks again)"


SOURCE = Source(
    name="voucherify",
    client=VoucherifyClient.for_account,
    loading=VoucherifyLoading(),
    greet=_greet,
    probe=probe,
    probe_calls=MOST_CALLS,
    plan_calls=MOST_QUESTIONS,
    is_there=_is_there,
    customers=Customers(
        ids=("$.customer_id", "$.customer.id"),
        emails=("$.customer.email",),
        referrers=("$.referrer_id", "$.referrer.id"),
        referrer_keys=("referrer_id", "referrer"),
        erased_by="permanent deletion of the customer",
    ),
    reads=(
        "A run walks the listing from the last change back. What the listing does not reach is "
        "exported; items of exported orders follow, `hydration_calls_per_run` at a time."
    ),
    makes_exports=True,
    not_comparable=_not_comparable,
    profile=Profile.of,
)
