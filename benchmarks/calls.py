"""Requests that an incremental load needs."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.harness import Row, must_equal
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.shop import NOW, must_be_complete, set_keys
from orders_connector.sandbox.voucherify import VoucherifySandbox
from orders_connector.sync import sync_account

DAY = timedelta(days=1)


def run(*, quick: bool) -> list[Row]:
    """Load a shop, then day after day what changed in it."""
    orders, changes = (300, (0, 5, 150)) if quick else (9_000, (0, 50, 500, 2_000))
    rows = []
    random = Random(1)
    with TemporaryDirectory() as folder, VoucherifySandbox(orders, now=NOW) as box:
        set_keys(box.app_id, box.app_token, box.download_url)
        settings = settings_for(folder, box.base_url)
        sync_account(settings, ACCOUNT).raise_unless_complete()
        for count in changes:
            _live_a_day(box, count, random)
            box.reset_calls()
            loaded = sync_account(settings, ACCOUNT)
            loaded.raise_unless_complete()
            must_equal("versions landed", loaded.landed.versions, count)
            must_equal("calls as the sandbox counts them", loaded.calls, len(box.calls))
            must_be_complete(settings, box.shop.truth())
            rows.append(_row(count, loaded.calls))
    return rows


def _live_a_day(box: VoucherifySandbox, changes: int, random: Random) -> None:
    """Change `changes` different orders, spread over a day; every third is a new one."""
    old = random.sample([order["id"] for order in box.shop.truth()], changes)
    end = box.clock.now() + DAY
    for n, order_id in enumerate(old):
        box.clock.advance(DAY / (changes + 1))
        if n % 3 == 0:
            box.moves.make("create")
        else:
            box.shop.update(order_id, {"metadata": {"ticket": n}})
    box.clock.set(end)


def _row(changes: int, calls: int) -> Row:
    bound = 2 * ceil(changes / 100) + 4
    what = f"requests to load {changes:,} changed orders"
    return Row(what, f"{calls} requests", target=f"≤ {bound}", met=calls <= bound)
