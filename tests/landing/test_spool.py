"""Pages lie on disk as they came, and can be read again after more were added."""

from orders_connector.landing import spool as spool_module
from orders_connector.landing.spool import Spool


def bodies(spool):
    return [
        (page, body)
        for batch in spool.batches()
        for page, body in zip(batch["page"].to_pylist(), batch["body"].to_pylist(), strict=True)
    ]


def test_pages_come_back_in_order_also_when_more_are_added(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "BATCH_BYTES", 20)
    with Spool(tmp_path) as spool:
        for number in range(1, 6):
            assert spool.add(f'{{"orders": [{number}, "ä"]}}'.encode(), "list") == number
        first = bodies(spool)
        spool.add(b'{"orders": []}', "list")
        assert bodies(spool) == [*first, (6, '{"orders": []}')]
    assert first == [(n, f'{{"orders": [{n}, "ä"]}}') for n in range(1, 6)]


def test_nothing_can_stay_on_disk_even_when_the_process_dies(tmp_path):
    with Spool(tmp_path) as spool:
        spool.add(b"{}", "list")
        assert bodies(spool) == [(1, "{}")]
        assert list(tmp_path.iterdir()) == []


def test_the_memory_to_land_follows_the_size_of_the_orders_not_their_number(tmp_path):
    small, large = b'{"orders": []}', b'{"orders": ["' + b"x" * 20_000_000 + b'"]}'
    with Spool(tmp_path) as spool:
        for _ in range(50):
            spool.add(small, "list")
        assert spool.landing_memory == "256MB"
        spool.add(large, "list")
        assert spool.landing_memory == "1894MB"
