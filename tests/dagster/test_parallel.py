"""Two runs at a time share one DuckDB file."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import dagster as dg
import pytest


@pytest.mark.slow
def test_steps_of_parallel_runs_take_turns(installation):
    limits = {"concurrency": {"pools": {"default_limit": 1, "granularity": "op"}}}
    with dg.instance_for_test(overrides=limits) as instance:
        here = installation(instance=instance, orders=20)
        with ThreadPoolExecutor(2) as pool:
            runs = list(
                pool.map(
                    lambda day: here.rebuild([("raw", "shop_orders")], day, day),
                    ("2026-07-30", "2026-07-31"),
                )
            )
        assert all(run.success for run in runs)
        steps = [step for run in runs for step in instance.get_run_step_stats(run.run_id)]
        spans = sorted((step.start_time, step.end_time) for step in steps)
    assert len(spans) == 4
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert here.query("select count(distinct order_id) from raw.order_payloads") == [(20,)]
