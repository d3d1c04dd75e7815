"""LicenseSpring as the benchmarks use it; its licenses are rows of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from math import ceil
from random import Random
from typing import Any

import httpx

from benchmarks.shop import NOW, Order, Peer, Shop, encoded
from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.licensespring import LicenseSpringSandbox, Switches, serve
from orders_connector.sandbox.licensespring.life import Maker, fill
from orders_connector.sandbox.licensespring.shop import Shop as Vendor
from orders_connector.sources.licensespring.changes import PORTION_PAGES
from orders_connector.sources.licensespring.client import MAX_LIMIT
from orders_connector.sources.licensespring.reading import LICENSES, ORDERS
from orders_connector.sources.licensespring.secrets import redacted

# A page begins with a row or two of the one before.
FRESH = MAX_LIMIT - 2
FEW = 1_000  # orders of one vendor, who is held in memory
QUIET = 6  # requests of a night without changes: two counts, a list of licenses, three of orders


def _rows(orders: int) -> Iterator[tuple[str, bytes]]:
    for first in range(0, orders, FEW):
        vendor = Vendor(Clock(NOW - timedelta(days=first // FEW)), seed=first)
        fill(vendor, Maker(first), min(FEW, orders - first), vendor.clock.now(), 730)
        for order_id in vendor.order_ids():
            yield "list", encoded(vendor.row(order_id))
        for license_id in vendor.license_ids():
            yield "licenses", encoded(vendor.license(license_id))


def _landed(row: Order) -> Order:
    clean: Order = json.loads(redacted(encoded(row)))
    return clean


def _licenses(base_url: str) -> Iterator[Order]:
    url: str | None = f"{base_url}/api/v1/licenses/?order_by=id&limit={MAX_LIMIT}"
    keys = {"Authorization": f"Api-Key {LicenseSpringSandbox.api_key}"}
    with httpx.Client(headers=keys, timeout=600) as client:
        while url:
            page = client.get(url).raise_for_status().json()
            yield from page["results"]
            url = page["next"]


def _keys(box: LicenseSpringSandbox) -> dict[str, str]:
    return {"LICENSESPRING_API_KEY": box.api_key}


def _settings() -> dict[str, Any]:
    return {"requests_per_second": 100}


def _create(box: LicenseSpringSandbox) -> int:
    before = len(box.shop.license_ids())
    return box.moves.make("create") + len(box.shop.license_ids()) - before


def _changeable(box: LicenseSpringSandbox) -> list[tuple[str, int]]:
    orders = [("order", one) for one in box.shop.order_ids()]
    return orders + [("license", one) for one in box.shop.license_ids()]


def _change(box: LicenseSpringSandbox, what: tuple[str, int], random: Random) -> None:
    kind, one = what
    if kind == "order":
        box.shop.update(one, {"download_id": f"ticket-{random.random()}"})
    else:
        box.shop.activate(one)


def _bound(versions: int, _: tuple[int, int]) -> int:
    # Archived orders are read again for each slice; slices grow up to so many pages.
    pages = ceil(versions / FRESH)
    left, most, slices = pages, 1, 0
    while left > 0:
        left, most, slices = left - most, min(PORTION_PAGES, 2 * most), slices + 1
    return QUIET + pages + slices


LICENSESPRING = Shop(
    source="licensespring",
    sandbox=LicenseSpringSandbox,
    serve=serve,
    switches=Switches.parse,
    keys=_keys,
    settings=_settings,
    contracts={"list": ORDERS, "licenses": LICENSES},
    page_size=MAX_LIMIT,
    rows=_rows,
    many=30_000,
    peers=(
        Peer(
            "its defaults",
            "licensespring",
            "select id::varchar from (select id from shop.orders union all"
            " select id from shop.licenses) order by 1",
        ),
    ),
    create=_create,
    change=_change,
    changeable=_changeable,
    bound=_bound,
    redacted=partial(redacted, checked=True),  # as pages are whose facts were read before
    landed=_landed,
    parts=_licenses,
)
