"""Sandboxes and clients that close themselves."""

from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest

from orders_connector.sandbox.voucherify import VoucherifySandbox

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def start():
    """Start sandboxes, empty ones with a fixed clock unless told otherwise."""
    with ExitStack() as stack:

        def make(orders=0, **options):
            options = {"now": NOW, **options}
            return stack.enter_context(VoucherifySandbox(orders, **options))

        yield make


@pytest.fixture
def connect():
    """Connect to a sandbox's API, with its key pair unless told otherwise."""
    with ExitStack() as stack:

        def make(box, headers=None, url=None):
            keys = {"X-App-Id": box.app_id, "X-App-Token": box.app_token}
            client = httpx.Client(
                base_url=url or box.base_url,
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
    with VoucherifySandbox(1500, now=NOW) as box:
        yield box


@pytest.fixture
def ids():
    def read(answer):
        return [order["id"] for order in answer.json()["orders"]]

    return read


@pytest.fixture
def export():
    """Start an export, wait for its end, return its last state."""

    def run(client, **parameters):
        started = client.post("/v1/orders/export", json={"parameters": parameters})
        assert started.status_code == 200, started.text
        for _ in range(20):
            state = client.get(f"/v1/exports/{started.json()['id']}").json()
            if state["status"] in ("DONE", "ERROR"):
                break
        return state

    return run


@pytest.fixture
def download():
    """Fetch an export's file with the keys of the client."""

    def fetch(client, state):
        return client.get(state["result"]["url"], follow_redirects=False)

    return fetch
