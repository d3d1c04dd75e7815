"""What is reserved for the shop's own traffic stays free in every window of the source's limits."""

import asyncio
from datetime import timedelta

import pytest

from orders_connector.errors import QuotaExhausted, RateLimited
from orders_connector.sandbox.voucherify import Fault, Limits, Plan
from orders_connector.sources.voucherify.client import VoucherifyClient

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Load:
    """A client whose waits move the sandbox's clock; keeps what each answer says is left."""

    def __init__(self, box, account, *, shop_takes=0, **options):
        self.box, self.shop_takes = box, shop_takes
        self.left, self.waits = [], []
        self.client = VoucherifyClient.for_account(
            account,
            sleep=self.sleep,
            clock=lambda: box.clock.now().timestamp(),
            on_wait=lambda _, reason: self.waits.append(reason),
            **options,
        )
        self.shop_works()

    async def sleep(self, seconds):
        self.box.clock.advance(timedelta(seconds=seconds))
        self.shop_works()

    def shop_works(self):
        for _ in range(self.shop_takes):
            self.box.meter.take(bulk=False)

    async def ask(self, requests, *, parallel=1):
        async def some(share):
            for _ in range(share):
                listed = await self.client.list_orders(limit=1)
                self.left.append(int(listed.answer.headers["x-rate-limit-remaining"]))

        await asyncio.gather(*[some(requests // parallel) for _ in range(parallel)])
        return self


@pytest.fixture
async def load(start_shop, settings_for):
    loads = []

    def make(plan, reserve, **options):
        box = start_shop(1, plan=plan)
        account = settings_for(box, f"reserve = {reserve}").accounts["shop"]
        loads.append(Load(box, account, **options))
        return loads[-1]

    yield make
    for made in loads:
        await made.client.transport.aclose()


@pytest.mark.parametrize(
    ("plan", "reserve", "left"),
    [
        (Plan.BUSINESS, 0.1, 10),
        (Limits(per_period=10), 0.25, 3),
        (Limits(per_period=10), 0, 0),
        (Limits(per_period=3), 0.9, 2),
        (Limits(per_period=1), 0.9, 0),
    ],
)
async def test_each_window_is_used_down_to_the_reserve_and_no_further(load, plan, reserve, left):
    limit = getattr(plan, "value", plan).per_period
    done = await load(plan, reserve).ask(3 * (limit - left))
    assert done.left == [*range(limit - 1, left - 1, -1)] * 3
    assert len(done.waits) == 2


@pytest.mark.parametrize(
    ("plan", "reserve", "left"), [(Plan.BUSINESS, 0.1, 10), (Limits(per_period=10), 0.2, 2)]
)
@pytest.mark.parametrize("shop_takes", [0, 3])
async def test_parallel_requests_leave_the_reserve_too(load, plan, reserve, left, shop_takes):
    done = await load(plan, reserve, shop_takes=shop_takes).ask(200, parallel=8)
    assert min(done.left) >= left
    assert (len(done.left), len(done.box.calls), done.client.transport.retries) == (200, 200, 0)


async def test_what_the_shop_takes_comes_from_our_part(load):
    done = await load(Limits(per_period=10), 0.2, shop_takes=3).ask(10)
    assert done.left == [6, 5, 4, 3, 2] * 2


async def test_a_window_that_ended_by_itself_is_not_taken_for_granted(load):
    idle = load(Limits(per_period=10), 0.2, shop_takes=3)
    await idle.ask(2)
    await idle.sleep(60)
    await idle.ask(8, parallel=8)
    assert min(idle.left) >= 2


async def test_one_request_per_window_goes_however_busy_the_shop_is(load):
    done = await load(Limits(per_period=10), 0.5, shop_takes=8).ask(4, parallel=2)
    assert done.left == [1, 1, 1, 1]


async def test_a_wait_names_what_is_left_for_the_shop(load):
    done = await load(Limits(per_period=10), 0.4).ask(7)
    [reason] = done.waits
    assert reason.startswith("4 of 10 requests are left for the shop until 20")


async def test_a_wait_that_is_too_long_says_that_the_reserve_may_be_lowered(load):
    hourly = load(Plan.SANDBOX, 0.9)
    with pytest.raises(RateLimited, match=r"90 of 100 .* lower `reserve` or raise max_wait"):
        await hourly.ask(11)
    assert len(hourly.box.calls) == 10


async def test_a_first_request_that_fails_lets_the_others_go(load):
    busy = load(Limits(per_period=10), 0.2, max_attempts=1)
    busy.box.faults.add(Fault("reset_before", path="/v1/orders", times=1))
    results = await asyncio.wait_for(
        asyncio.gather(*[busy.ask(1) for _ in range(3)], return_exceptions=True), 30
    )
    assert sum(isinstance(result, Exception) for result in results) == 1
    assert len(busy.left) == 2


async def test_a_first_request_that_is_given_up_lets_the_others_go(load):
    busy = load(Limits(per_period=10), 0.2)
    busy.box.faults.add(Fault("slow", path="/v1/orders", times=1, delay_seconds=1))
    given_up = asyncio.ensure_future(busy.client.list_orders())
    while not busy.box.calls:
        await asyncio.sleep(0.01)
    waiting = asyncio.ensure_future(busy.ask(1))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait_for(waiting, 30)
    assert len(busy.left) == 1


async def test_the_end_of_the_billing_cycle_stops_all_requests_at_once(load):
    plan = Limits(per_period=100, per_cycle=5)
    spent = load(plan, 0.1)
    client = spent.client
    results = await asyncio.gather(
        *[client.list_orders() for _ in range(8)], return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, QuotaExhausted)]
    assert (len(refused), client.transport.retries, spent.waits) == (3, 0, [])
    assert all(error.resets_at for error in refused)
    sent = len(spent.box.calls)
    with pytest.raises(QuotaExhausted, match="billing cycle"):
        await client.list_orders()
    assert len(spent.box.calls) == sent
