"""Each benchmark runs in its tiny size. They check their own results; times are not judged here."""

import pytest

from benchmarks import calls, landing, memory, pipeline, refresh_scale
from benchmarks.__main__ import BENCHMARKS, as_markdown
from benchmarks.harness import Child, Row, Spent, must_equal, run_child

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


def peer(cpu, *, stopped=False):
    return Child(result=None, spent=Spent(cpu=cpu), imported=0, peak=0, stopped=stopped)


def test_a_job_is_stopped_at_its_cpu_limit():
    child = run_child("tests.test_benchmarks:count_for_ever", cpu_limit=1)

    assert child.stopped
    assert 0.9 < child.spent.cpu < 5


def count_for_ever():
    while True:
        pass


def test_a_stopped_peer_bounds_the_ratio_from_below():
    ours = [Spent(cpu=cpu) for cpu in (3.9, 4.0, 4.4)]

    row = pipeline.compared("load", ours, [peer(83.9, stopped=True)], target=12)
    assert (row.peer, row.ratio, row.met) == ("> 83 CPU s (stopped)", "> 20", True)

    row = pipeline.compared("load", ours, [peer(44.0, stopped=True)], target=12)
    assert (row.ratio, row.met) == ("> 11", False)


def test_a_peer_that_ended_is_compared_as_it_is():
    ours = [Spent(cpu=4.0)]

    row = pipeline.compared("load", ours, [peer(46.0), peer(50.0), peer(60.0)], target=12)
    assert (row.peer, row.ratio, row.met) == ("50.00 CPU s", "12.5", True)

    row = pipeline.compared("load", ours, [peer(6.0)])
    assert (row.ratio, row.target, row.met) == ("1.5", "", None)


def test_markdown_is_one_line_per_row():
    text = as_markdown([Row("landing", "2", "4", "0.50", "≥ 0.5", True), Row("memory", "9 MB")])

    assert text.splitlines() == [
        "| what | ours | peer | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
        "| landing | 2 | 4 | 0.50 | ≥ 0.5 | yes |",
        "| memory | 9 MB |  |  |  |  |",
    ]
