import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_connector.sources.voucherify.paging import (
    MAX_LIMIT,
    REACH,
    MalformedPage,
    PageFacts,
    PageReader,
    Reach,
    next_request,
)


def page_of(*orders, total=None):
    return json.dumps({"orders": list(orders), "total": total}).encode()


def order(name, updated_at="2026-03-01T00:00:00Z"):
    return {"id": name, "updated_at": updated_at}


REACHES = st.builds(Reach, pages=st.integers(1, 100))


@given(reach=REACHES, share=st.floats(0, 1), overlap=st.integers(1, 99))
def test_each_page_overlaps_what_was_read_and_goes_beyond_it(reach, share, overlap):
    read = 1 + int(share * (reach.orders - 1))
    request = next_request(read, reach, overlap=overlap)
    if request is None:
        return
    assert request.start <= read - overlap
    assert read < request.start + request.limit
    assert 1 <= request.page <= reach.pages
    assert 1 <= request.limit <= MAX_LIMIT


@given(reach=REACHES)
def test_pages_that_overlap_by_two_rows_or_one_reach_the_end_or_the_last_page_of_100(reach):
    read, pages = 0, 0
    while request := next_request(read, reach, overlap=2) or next_request(read, reach):
        read, pages = request.start + request.limit, pages + 1
    end = reach.orders if reach.pages < 100 else reach.last_request.start
    assert read == end
    assert pages <= 1.2 * end / 100 + 1


@pytest.mark.parametrize("read", [9_900, REACH])
def test_no_page_overlaps_and_adds_at_row_9900_and_at_the_end(read):
    assert next_request(read, Reach()) is None


def test_the_overlap_costs_less_than_a_fifth_more_pages():
    read, pages = 0, 0
    while (request := next_request(read, Reach())) is not None:
        read, pages = request.start + request.limit, pages + 1
    assert (read, pages) == (9_900, 115)


def test_a_page_tells_its_times_and_what_was_seen_before():
    reader = PageReader("updated_at")
    first = reader.read(page_of(order("a", "2026-03-02T00:00:00Z"), order("b"), total=3))
    assert (first.count, first.total, first.anchors, first.fresh) == (2, 3, 0, 2)
    assert first.newest.isoformat() == "2026-03-02T00:00:00+00:00"
    assert first.oldest.isoformat() == "2026-03-01T00:00:00+00:00"
    second = reader.read(page_of(order("b"), order("c", None), total=3))
    assert (second.anchors, second.fresh, second.ends_with_null) == (1, 1, True)
    assert reader.orders_seen == 3


def test_a_page_tells_how_it_begins_and_ends_by_the_rows_that_are_orders():
    broken = [3, {"id": "x", "updated_at": "soon"}]
    tied = [order("a", "2026-03-02T00:00:00Z"), order("b"), order("c")]
    facts = PageReader("updated_at").read(page_of(*broken, *tied, *broken))
    assert facts.first.isoformat() == "2026-03-02T00:00:00+00:00"
    assert facts.last.isoformat() == "2026-03-01T00:00:00+00:00"
    assert (facts.tied, facts.starts_with_null, facts.ends_with_null) == (4, False, False)
    nulls = PageReader("updated_at").read(page_of(order("a", None), {"id": "b"}))
    assert (nulls.first, nulls.tied, nulls.starts_with_null) == (None, 2, True)
    assert PageReader("updated_at").read(page_of()) == PageFacts()


@pytest.mark.parametrize(
    ("names", "known_first"), [("abcd", True), ("ab", True), ("cd", True), ("acbd", False)]
)
def test_a_page_tells_whether_what_is_known_comes_first(names, known_first):
    reader = PageReader("updated_at")
    reader.read(page_of(order("a"), order("b")))
    assert reader.read(page_of(*map(order, names))).known_first is known_first


def test_a_row_that_changed_meanwhile_is_no_anchor():
    reader = PageReader("updated_at")
    reader.read(page_of(order("a")))
    facts = reader.read(page_of(order("a", "2026-03-05T00:00:00Z")))
    assert (facts.anchors, facts.fresh) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b'{"orders": 5}', b"{}", b'{"orders": [', b"\xff\xfe{}", b"[1]"],
)
def test_a_page_without_a_list_of_orders_is_malformed(body):
    with pytest.raises(MalformedPage):
        PageReader("updated_at").read(body)


def test_rows_that_are_no_orders_are_counted_and_do_no_harm():
    body = b'{"orders": [null, "x", 3, {"id": 7}, {"id": "a", "updated_at": "soon"}], "total": 5}'
    facts = PageReader("updated_at").read(body)
    assert (facts.count, facts.newest) == (5, None)
