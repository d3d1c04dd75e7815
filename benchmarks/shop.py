"""What the benchmarks need of a source: its orders, its sandbox, and what a load should keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from random import Random
from tempfile import TemporaryFile
from typing import Any

import httpx

from benchmarks.harness import must_equal
from orders_connector.config import Settings
from orders_connector.sandbox.hosted import Hosted
from orders_connector.sources.base import PayloadContract
from orders_connector.warehouse.configured import warehouse_connection

NOW = datetime(2026, 8, 1, tzinfo=UTC)
CHUNK = 10_000

Order = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """A dlt pipeline that loads the same rows.

    Attributes:
        what: How it goes about it, in words.
        job: Function of `benchmarks.peer_dlt`.
        ids: SQL of the ids that it loaded, sorted as text; `{folder}` is where it put everything.
        target: How many times our CPU it should need; None when the row only informs.
    """

    what: str
    job: str
    ids: str
    target: float | None = None


@dataclass(frozen=True)
class Shop:
    """A source with made-up orders.

    Attributes:
        source: Kind of API.
        sandbox: Makes its sandbox.
        serve: Runs one in the foreground.
        switches: Reads answers to open questions from `name=value`.
        keys: Environment variables with the keys of a running sandbox.
        settings: Of an account, beside those that all have.
        contracts: How the rows of each channel are laid out.
        page_size: Rows on a page.
        rows: Makes so many orders and what belongs to them: channel and JSON as the API sends it.
        many: Orders that fill the buffers of landing several times; fewer where they are larger.
        peers: The pipelines to compare with.
        create: Adds an order to a running sandbox and returns the versions that a load finds.
        change: Changes one of `changeable`, so that a load finds one version.
        changeable: Returns what can be changed in a running sandbox.
        bound: Most requests of a load, by the versions that are new and by what is asked for again.
        asked_again: Returns what each run asks for again: orders created lately, and open ones.
        redacted: Takes secrets out of a page; None where there are none.
        landed: Makes of an order as the sandbox holds it what a load should keep.
        parts: Returns what is loaded beside orders, sorted by id, from the address of a sandbox.
    """

    source: str
    sandbox: Callable[..., Hosted]
    serve: Callable[..., None]
    switches: Callable[[Iterable[str]], Any]
    keys: Callable[[Any], dict[str, str]]
    settings: Callable[[], dict[str, Any]]
    contracts: Mapping[str, PayloadContract]
    page_size: int
    rows: Callable[[int], Iterator[tuple[str, bytes]]]
    many: int
    peers: tuple[Peer, ...]
    create: Callable[[Any], int]
    change: Callable[[Any, Any, Random], object]
    changeable: Callable[[Any], list[Any]]
    bound: Callable[[int, tuple[int, int]], int]
    asked_again: Callable[[Any], tuple[int, int]] = field(default=lambda _: (0, 0))
    redacted: Callable[[bytes], bytes] | None = None
    landed: Callable[[Order], Order] = field(default=lambda order: order)
    parts: Callable[[str], Iterable[Order]] = field(default=lambda _: ())

    def account(self, base_url: str) -> dict[str, Any]:
        """Return the settings of an account that reads a sandbox."""
        return {
            "source": self.source,
            "base_url": base_url,
            "time_zone": "Europe/Warsaw",
            "history_start": "2020-01-01",
        } | self.settings()

    def pages(self, rows: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Put rows on pages, never holding more than one page of each channel."""
        waiting: dict[str, list[bytes]] = {channel: [] for channel in self.contracts}
        for channel, row in rows:
            page = waiting[channel]
            page.append(row)
            if len(page) == self.page_size:
                yield channel, self._page(channel, page)
                page.clear()
        for channel, page in waiting.items():
            if page:
                yield channel, self._page(channel, page)

    def clean(self, body: bytes) -> bytes:
        """Take the secrets out of a page or a row, as a load does before landing."""
        return self.redacted(body) if self.redacted else body

    def _page(self, channel: str, rows: list[bytes]) -> bytes:
        key = self.contracts[channel].orders_path.removeprefix("$.").encode()
        return b'{"%b":[%b]}' % (key, b",".join(rows))


def encoded(row: Order) -> bytes:
    """Write a row as compact JSON."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def orders_of(base_url: str) -> Iterator[Order]:
    """Yield every order of a sandbox, sorted by id; they wait on disk, not in memory."""
    with TemporaryFile() as file:
        with httpx.stream("GET", f"{base_url}/_sandbox/truth", timeout=600) as answer:
            file.writelines(answer.iter_bytes())
        file.seek(0)
        yield from map(json.loads, file)


def calls_of(base_url: str) -> int:
    """Return how many requests the API host of a served shop was sent."""
    state = httpx.get(f"{base_url}/_sandbox/state", timeout=60).json()
    return sum(state["calls"].values())


def must_be_complete(settings: Settings, shop: Shop, base_url: str) -> None:
    """Compare the newest version of everything in the warehouse with a sandbox, key by key.

    Raises:
        AssertionError: an order, or a part of one, is missing, is stale or never existed.
    """
    must_hold(settings, shop, orders_of(base_url))
    must_hold(settings, shop, shop.parts(base_url), parts=True)


def must_hold(
    settings: Settings, shop: Shop, truth: Iterable[Order], *, parts: bool = False
) -> None:
    """Compare the newest version of every order in the warehouse with the truth, key by key.

    Args:
        settings: Where the warehouse is.
        shop: Whose orders they are.
        truth: Every order of the shop, sorted by id.
        parts: The truth is about parts of orders.

    Raises:
        AssertionError: an order is missing, is stale or never existed.
    """
    laid_out = [one for one in shop.contracts.values() if bool(one.part_path) == parts]
    drifting = laid_out[0].drifting if laid_out else {}
    with warehouse_connection(settings, read_only=True) as con:
        con.execute(
            "select payload::varchar from raw.order_payloads"
            " where (part_id is not null) = $parts qualify row_number() over"
            " (partition by order_id, part_id order by version_at desc, version_id desc) = 1"
            " order by coalesce(part_id, order_id)",
            {"parts": parts},
        )
        kept = (json.loads(row[0]) for row in iter(con.fetchone, None))
        for found, expected in zip_longest(kept, map(shop.landed, truth)):
            must_equal(
                f"the next {'part' if parts else 'order'} by id",
                found and _without_drift(found, drifting),
                expected and _without_drift(expected, drifting),
            )


def _without_drift(row: Order, drifting: Mapping[str, tuple[str, ...]]) -> Order:
    """Take out what changes although the order does not; a load need not notice it."""
    for path, keys in drifting.items():
        there: Any = row
        for name in path.split(".")[1:]:
            there = there.get(name)
        if isinstance(there, dict):
            for key in keys:
                there.pop(key, None)
    return row
