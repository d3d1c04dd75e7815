"""UltraCart sandboxes and clients that close themselves."""

from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest

from orders_connector.sandbox.ultracart import UltraCartSandbox

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
VERSION = {"X-UltraCart-Api-Version": "2017-03-01"}


@pytest.fixture
def start():
    """Start sandboxes, empty ones with a fixed clock unless told otherwise."""
    with ExitStack() as stack:

        def make(orders=0, **options):
            options = {"now": NOW, "latency": 0.0, **options}
            return stack.enter_context(UltraCartSandbox(orders, **options))

        yield make


@pytest.fixture
def connect():
    """Connect to a sandbox's API, with its simple key unless told otherwise."""
    with ExitStack() as stack:

        def make(box, headers=None):
            keys = VERSION | {"X-UltraCart-Simple-Key": box.simple_key}
            client = httpx.Client(
                base_url=f"{box.base_url}/rest/v2",
                headers=keys if headers is None else headers,
                timeout=60,
                trust_env=False,
                verify=False,  # plain http: saves loading certificates for every client
            )
            return stack.enter_context(client)

        yield make


@pytest.fixture(scope="module")
def lived_in():
    """A shop with a past; tests only read it."""
    with UltraCartSandbox(1200, now=NOW, latency=0.0) as box:
        yield box


@pytest.fixture
def order_ids():
    def read(answer):
        assert answer.status_code == 200, answer.text
        return [order["order_id"] for order in answer.json().get("orders", [])]

    return read


@pytest.fixture
def paid_order():
    """Find a paid order with nothing refunded yet."""

    def find(box, also=lambda order: True):
        return next(
            order
            for order in box.truth()
            if "payment_dts" in order["payment"] and "refund_dts" not in order and also(order)
        )

    return find


@pytest.fixture
def now():
    return NOW
