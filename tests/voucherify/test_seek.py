"""A window in the past is found by page number, read whole, and proven or named as missing."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from math import ceil, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox
from orders_connector.sources.base import Window
from orders_connector.sources.voucherify.client import VoucherifyClient
from orders_connector.sources.voucherify.extraction import ListingExtraction
from orders_connector.sources.voucherify.paging import Reach
from tests.conftest import NOW

NULLS = ["last", "first", "smallest", "largest"]
TIES = ["id", "shuffled"]
REFUSALS = ["page_over_limit", "invalid_query_params", "not_found", "empty"]
OVERLAP = timedelta(minutes=15)
DAY = timedelta(days=1)


class Kept:
    """Every order body on the pages that were read."""

    def __init__(self):
        self.bodies = {}

    def add(self, body, channel):
        for order in json.loads(body)["orders"]:
            self.bodies.setdefault(order["id"], []).append(order)
        return len(self.bodies)


@pytest.fixture
def read(settings_for, tmp_path_factory):
    """Read a window of a sandbox; returns what is proven and the orders on the pages."""

    def run(box, window, method="read_past", reach=None, **options):
        account = settings_for(box, folder=tmp_path_factory.mktemp("seek")).accounts["shop"]
        kept = Kept()

        async def go():
            async with VoucherifyClient.for_account(account) as client:
                with ListingExtraction(
                    client, kept, overlap=OVERLAP, reach=reach or Reach()
                ) as extraction:
                    return await getattr(extraction, method)(window, **options)

        return asyncio.run(go()), kept.bodies

    return run


def time_of(order, *keys):
    return datetime.fromisoformat(next(filter(None, map(order.get, keys))))


def version_at(order):
    return time_of(order, "updated_at", "created_at")


def within(window, moment):
    return window is not None and window.start <= moment < window.end


def lost(box, reading, kept, before=None):
    """Return the orders of the proven window that nobody touched and that no page shows."""
    return [
        order["id"]
        for order in before or box.shop.truth()
        if within(reading.proven, version_at(order))
        and order["id"] in box.shop
        and box.shop.get(order["id"]) == order
        and order not in kept.get(order["id"], [])
    ]


@pytest.mark.parametrize("days_ago", [2, 60, 250, 500, 725])
@pytest.mark.parametrize("days", [1, 20])
def test_a_window_costs_what_it_holds_and_little_more_however_deep_it_lies(
    start_shop, read, days_ago, days
):
    box = start_shop(3_000)
    start = NOW - days_ago * DAY
    window = Window(start, min(start + days * DAY, NOW))
    reading, kept = read(box, window)
    assert (reading.proven, reading.missing, reading.reason) == (window, [], None)
    assert lost(box, reading, kept) == []
    for key, walk in zip(("updated_at", "created_at"), reading.walks, strict=True):
        rows = sum(
            window.start - OVERLAP <= time_of(order, key) < window.end
            for order in box.shop.truth()
            if order.get(key)
        )
        assert walk.sought <= 1 + ceil(log2(30))
        assert walk.pages - walk.sought <= 1.2 * rows / 100 + 2
        assert walk.rereads == 0
        assert walk.orders_seen <= rows + 200  # what the search showed proves nothing
    assert len(box.calls) == sum(walk.pages for walk in reading.walks)


@pytest.mark.parametrize("nulls", NULLS)
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("days_ago", [3, 300, 640])
def test_where_nulls_and_ties_stand_does_not_matter(start_shop, read, nulls, ties, days_ago):
    box = start_shop(900, switches=Switches(null_updated_at=nulls, tie_order=ties))
    window = Window(NOW - (days_ago + 60) * DAY, NOW - days_ago * DAY)
    reading, kept = read(box, window)
    assert reading.proven == window
    assert lost(box, reading, kept) == []
    assert len(box.calls) < 16


@pytest.mark.parametrize("nulls", NULLS)
def test_pages_of_orders_never_updated_do_not_mislead_the_search(start_shop, read, nulls):
    box = start_shop(0, switches=Switches(null_updated_at=nulls))
    for number in range(700):
        box.shop.create({"id": f"o{number:03}"})
    for number in range(150):
        box.clock.advance(timedelta(hours=1))
        box.shop.update(f"o{number:03}", {"status": "PAID"})
    window = Window(NOW + timedelta(hours=2), NOW + timedelta(hours=100))
    reading, kept = read(box, window)
    assert reading.proven == window
    assert lost(box, reading, kept) == []


@pytest.mark.parametrize("ties", TIES)
def test_orders_of_one_moment_are_all_read_or_the_window_is_not_proven(start_shop, read, ties):
    box = start_shop(800, switches=Switches(tie_order=ties))
    for order in box.shop.truth()[:600]:
        box.shop.update(order["id"], {"status": "CANCELED"})
    box.clock.advance(DAY)
    for order in box.shop.truth()[:20]:
        box.shop.update(order["id"], {"status": "PAID"})
    box.clock.advance(DAY)
    reading, kept = read(box, Window(NOW - DAY, NOW + timedelta(hours=1)))
    assert lost(box, reading, kept) == []
    if ties == "id":
        assert reading.proven == reading.window


def test_a_past_window_says_nothing_about_the_head_or_the_rest(start_shop, read):
    reading, _ = read(start_shop(500), Window(NOW - 700 * DAY, NOW - 300 * DAY))
    assert [walk.ended for walk in reading.walks] == ["floor", "floor"]
    assert (reading.watermarks, reading.read_everything, reading.total) == ({}, False, 500)


def test_reaching_the_end_from_the_middle_is_not_reading_everything(start_shop, read):
    window = Window(datetime(2020, 1, 1, tzinfo=UTC), NOW - 300 * DAY)
    reading, _ = read(start_shop(500), window)
    assert reading.walks[1].ended == "end"
    assert (reading.proven, reading.read_everything, reading.watermarks) == (window, False, {})


def test_a_window_that_goes_on_is_proven_until_the_clock_of_the_source(start_shop, read):
    reading, kept = read(box := start_shop(300), Window(NOW - DAY, NOW + DAY))
    assert (reading.proven, reading.missing) == (Window(NOW - DAY, NOW), [])
    assert lost(box, reading, kept) == []


def test_a_window_without_an_end_is_no_past_one(start_shop, read):
    with pytest.raises(ValueError, match="end"):
        read(start_shop(0), Window(NOW))


@pytest.mark.parametrize("orders", [0, 1, 100, 101])
def test_shops_of_a_page_or_less(start_shop, read, orders):
    box = start_shop(orders)
    window = Window(NOW - 800 * DAY, NOW - DAY)
    reading, kept = read(box, window)
    assert reading.proven == window
    assert lost(box, reading, kept) == []


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("known", [3, 100])
def test_what_lies_beyond_the_last_page_is_named_however_it_is_refused(
    start_shop, read, refusal, known
):
    box = start_shop(700, switches=Switches(listing_pages=3, page_over_limit=refusal))
    reach = Reach(known)
    asked = Window(NOW - 600 * DAY, NOW - 10 * DAY)
    reading, kept = read(box, asked, reach=reach)
    assert "cap" in [walk.ended for walk in reading.walks]
    assert "ends at 300 orders" in reading.reason
    (missing,) = reading.missing
    assert missing == Window(asked.start, reading.proven.start)
    assert reading.proven.end == asked.end
    assert lost(box, reading, kept) == []
    assert sum(walk.rereads for walk in reading.walks) == 0

    deep = Window(NOW - 700 * DAY, NOW - 690 * DAY)
    reading, _ = read(box, deep, reach=reach)
    assert (reading.proven, reading.missing) == (None, [deep])


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_first_load_ends_at_a_last_page_that_nobody_documented(start_shop, read, refusal):
    box = start_shop(700, switches=Switches(listing_pages=3, page_over_limit=refusal))
    asked = Window(datetime(2020, 1, 1, tzinfo=UTC))
    reading, kept = read(box, asked, method="read", watermarks={}, first_load=True)
    assert [walk.ended for walk in reading.walks] == ["cap", "cap"]
    assert [walk.orders_seen for walk in reading.walks] == [300, 300]
    assert not reading.read_everything
    assert reading.missing == [Window(asked.start, reading.proven.start)]
    assert lost(box, reading, kept) == []


def test_rows_erased_between_the_search_and_the_walk_hide_nothing(start_shop, read):
    box = start_shop(900)
    newest_first = sorted(box.shop.truth(), key=version_at, reverse=True)
    window = Window(NOW - 500 * DAY, NOW - 300 * DAY)
    newer = [order["id"] for order in newest_first if version_at(order) >= window.end]

    def erase(call):
        for _ in range(30):
            if newer:
                box.shop.delete(newer.pop())

    box.on_request = erase
    reading, kept = read(box, window)
    assert sum(walk.rereads for walk in reading.walks) > 0
    assert reading.proven == window
    assert lost(box, reading, kept) == []


# --- a place that is known need not be sought --------------------------------------------------


@pytest.mark.parametrize("nulls", NULLS)
@pytest.mark.parametrize("wrong_by", [0, -130, -2_000, 1, 130, 2_000])
def test_a_place_that_is_wrong_costs_pages_and_hides_nothing(start_shop, read, nulls, wrong_by):
    box = start_shop(900, switches=Switches(null_updated_at=nulls))
    window = Window(NOW - 500 * DAY, NOW - 300 * DAY)
    first = nulls in ("first", "largest")

    def place(key, newest, nulls_first):
        times = [time_of(order, key) if order.get(key) else None for order in box.shop.truth()]
        above = sum(at is None if nulls_first else False for at in times)
        above += sum(at is not None and at >= newest for at in times)
        return max(0, above + wrong_by)

    reading, kept = read(box, window, method="go_on", place=place, nulls_first=first)
    assert (reading.proven, reading.missing) == (window, [])
    assert (reading.watermarks, reading.read_everything) == ({}, False)
    assert lost(box, reading, kept) == []
    if wrong_by == 0:
        rows = sum(within(window, time_of(order, "created_at")) for order in box.shop.truth())
        assert sum(walk.rereads for walk in reading.walks) == 0
        assert len(box.calls) <= 2 * (rows // 80 + 2)


def test_going_on_below_a_window_without_an_end_makes_no_sense(start_shop, read):
    with pytest.raises(ValueError, match="end"):
        read(start_shop(0), Window(NOW), method="go_on", place=lambda *_: 0, nulls_first=False)


@pytest.mark.parametrize("wrong_by", [0, -130, 130])
def test_a_walk_to_the_end_goes_on_where_it_was_left(start_shop, read, wrong_by):
    box = start_shop(900)
    began, left = NOW - DAY, NOW - 400 * DAY
    asked = Window(datetime(2020, 1, 1, tzinfo=UTC), began)

    def place(key, newest, nulls_first):
        above = sum(time_of(order, key) >= newest for order in box.shop.truth())
        return max(0, above + wrong_by)

    reading, kept = read(box, asked, method="sweep", place=place, swept_to=left)
    assert (reading.proven, reading.read_everything, reading.total) == (asked, True, 900)
    older = {o["id"] for o in box.shop.truth() if time_of(o, "created_at") <= left}
    assert older <= kept.keys()


@pytest.mark.parametrize("name", "abcde")
def test_ties_across_a_page_edge_are_not_lost_when_rows_move_up(start_shop, read, name):
    box = start_shop(0, switches=Switches(tie_order="shuffled"))
    for group in range(60):
        for number in range(9):
            box.shop.create({"id": f"{name}{group:02}{number}"})
        box.clock.advance(timedelta(hours=1))
    newest = [f"{name}{group}{number}" for group in range(50, 60) for number in range(9)]

    def erase(call):
        for _ in range(min(6, len(newest))):
            box.shop.delete(newest.pop())

    box.on_request = erase
    reading, kept = read(box, Window(NOW, NOW + timedelta(hours=50)))
    assert reading.proven == reading.window
    assert lost(box, reading, kept) == []


def test_orders_without_a_creation_date_do_not_stop_a_first_load(start_shop, read):
    box = start_shop(150)
    for number in range(130):
        box.shop.put_raw({"id": f"odd{number}", "created_at": None, "updated_at": None})
    asked = Window(datetime(2020, 1, 1, tzinfo=UTC))
    reading, kept = read(box, asked, method="read", watermarks={}, first_load=True)
    assert reading.read_everything
    assert kept.keys() == {order["id"] for order in box.shop.truth()}


@pytest.mark.slow
@settings(max_examples=25)
@given(
    size=st.sampled_from([3, 100, 199, 420, 900]),
    seed=st.integers(0, 5),
    edges=st.tuples(st.integers(0, 740), st.integers(0, 740)),
    moves=st.lists(
        st.sampled_from(["create", "pay", "change", "rollback", "backdate", "erase", "import"]),
        max_size=60,
    ),
    nulls=st.sampled_from(NULLS),
    ties=st.sampled_from(TIES),
    pages=st.sampled_from([2, 5, 100]),
)
def test_whatever_moves_while_we_read_nothing_of_the_proven_window_is_lost(
    read, size, seed, edges, moves, nulls, ties, pages
):
    switches = Switches(null_updated_at=nulls, tie_order=ties, listing_pages=pages)
    with VoucherifySandbox(size, seed=seed, now=NOW, switches=switches) as box:
        before = box.shop.truth()
        pending = list(moves)

        def move(call):
            for _ in range(min(4, len(pending))):
                box.clock.advance(timedelta(seconds=7))
                box.moves.make(pending.pop())

        box.on_request = move
        window = Window(NOW - max(edges) * DAY, NOW - min(edges) * DAY)
        reading, kept = read(box, window)
        assert lost(box, reading, kept, before) == []
        assert reading.proven == window or reading.missing or window.start == window.end
