"""Each benchmark runs in its tiny size. They check their own results; times are not judged here."""

import pytest

from benchmarks import calls, landing, memory, pipeline, refresh_scale
from benchmarks.__main__ import BENCHMARKS, as_markdown
from benchmarks.harness import Row, must_equal, run_child

QUICK_ROWS = {landing: 2, calls: 3, memory: 4, refresh_scale: 4, pipeline: 2}


@pytest.fixture(autouse=True)
def without_peer(monkeypatch):
    monkeypatch.setattr("benchmarks.pipeline.find_spec", lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", QUICK_ROWS, ids=lambda module: module.__name__)
def test_quick_size_runs_and_proves_its_result(benchmark):
    rows = benchmark.run(quick=True)

    assert len(rows) == QUICK_ROWS[benchmark]
    assert all(row.what and row.ours for row in rows)


@pytest.mark.slow
def test_incremental_loads_keep_to_their_bound_of_requests():
    assert [row.met for row in calls.run(quick=True)] == [True, True, True]


def test_every_benchmark_can_be_asked_for_by_name():
    assert {module.run for module in QUICK_ROWS} == set(BENCHMARKS.values())


def test_wrong_results_are_refused():
    with pytest.raises(AssertionError, match="ids: found"):
        must_equal("ids", ["a"], ["a", "b"])


def test_a_failing_job_says_why():
    with pytest.raises(RuntimeError, match="No module named"):
        run_child("benchmarks.nothing:job")


def test_markdown_is_one_line_per_row():
    text = as_markdown([Row("landing", "2", "4", "0.50", "≥ 0.5", True), Row("memory", "9 MB")])

    assert text.splitlines() == [
        "| what | ours | peer | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
        "| landing | 2 | 4 | 0.50 | ≥ 0.5 | yes |",
        "| memory | 9 MB |  |  |  |  |",
    ]
