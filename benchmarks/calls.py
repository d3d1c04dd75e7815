"""Requests that a first load and nightly loads need."""

from __future__ import annotations

import os
from datetime import timedelta
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import Row, must_equal
from benchmarks.jobs import ACCOUNT, settings_for
from benchmarks.shop import NOW, Shop, must_be_complete
from orders_connector.config import Settings
from orders_connector.sync import SyncResult, sync_account

DAY = timedelta(days=1)


def run(shop: Shop, *, quick: bool) -> list[Row]:
    """Load a shop, then day after day what changed in it."""
    orders, changes = (300, (0, 5, 150)) if quick else (9_000, (0, 50, 500, 2_000))
    random = Random(1)
    with TemporaryDirectory() as folder, shop.sandbox(orders, now=NOW) as box:
        os.environ |= shop.keys(box)
        settings = settings_for(folder, shop.account(box.base_url))
        first = _load(shop, settings, box)
        rows = [_row(shop, f"load {orders:,} orders at first", first, box)]
        for count in changes:
            versions = _live_a_day(shop, box, count, random)
            loaded = _load(shop, settings, box)
            must_equal("versions landed", loaded.landed.versions, versions)
            rows.append(_row(shop, f"load {count:,} changes", loaded, box))
    return rows


def _load(shop: Shop, settings: Settings, box: Any) -> SyncResult:  # noqa: ANN401 - of any source
    box.reset_calls()
    loaded = sync_account(settings, ACCOUNT)
    loaded.raise_unless_complete()
    must_equal("calls as the sandbox counts them", loaded.calls, len(box.calls))
    must_be_complete(settings, shop, box.base_url)
    return loaded


def _live_a_day(shop: Shop, box: Any, changes: int, random: Random) -> int:  # noqa: ANN401
    """Change different things, spread over a day; every third is a new order.

    Returns:
        The versions that a load should find.
    """
    versions = 0
    end = box.clock.now() + DAY
    for n, old in enumerate(random.sample(shop.changeable(box), changes)):
        box.clock.advance(DAY / (changes + 1))
        if n % 3 == 0:
            versions += shop.create(box)
        else:
            shop.change(box, old, random)
            versions += 1
    box.clock.set(end)
    return versions


def _row(shop: Shop, what: str, loaded: SyncResult, box: Any) -> Row:  # noqa: ANN401
    bound = shop.bound(loaded.landed.versions, shop.asked_again(box))
    return Row(
        f"{shop.source}: requests to {what} ({loaded.landed.versions:,} versions)",
        f"{loaded.calls} requests",
        target=f"≤ {bound}",
        met=loaded.calls <= bound,
    )
