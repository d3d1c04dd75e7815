"""What every benchmark needs: a clock for CPU seconds, child processes, rows of a table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was done.
        ours: Figure of this project, with its unit.
        peer: Figure it is compared with; empty when there is none.
        ratio: The figure that the target speaks of.
        target: What `ratio` should be; empty when the row only informs.
        met: Whether it is; None without a target.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None


@dataclass
class Spent:
    """What a piece of work cost, in seconds."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def spending(who: int = RUSAGE_SELF) -> Iterator[Spent]:
    """Measure the body: CPU of this process with all its threads, or of children that ended."""
    spent, cpu, wall = Spent(), _cpu(who), time.perf_counter()
    yield spent
    spent.cpu, spent.wall = _cpu(who) - cpu, time.perf_counter() - wall


def _cpu(who: int) -> float:
    usage = getrusage(who)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True)
class Child:
    """A job that ran in a process of its own.

    Attributes:
        result: What the job returned.
        spent: From the start of its interpreter to its end.
        imported: Peak memory in MB after the job's module was imported.
        peak: Peak memory in MB at the end.
        stopped: It was ended at its CPU limit: there is no result, and it would have spent more.
    """

    result: Any
    spent: Spent
    imported: float
    peak: float
    stopped: bool = False


def run_child(
    job: str,
    *,
    cpu_limit: int | None = None,
    **arguments: Any,  # noqa: ANN401 - anything that is JSON
) -> Child:
    """Run `module:function` in a fresh interpreter; what it prints before its result is dropped.

    Args:
        job: The function.
        cpu_limit: CPU seconds at which the system stops it.
        arguments: What it is called with.

    Raises:
        RuntimeError: the job failed; being stopped at the limit is no failure.
    """
    command = [sys.executable, "-m", "benchmarks.child", job, json.dumps(arguments)]
    if cpu_limit is not None:
        command.append(str(cpu_limit))
    # Bytecode is kept as on a user's machine, where Python parses no module twice.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    with spending(RUSAGE_CHILDREN) as spent:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if cpu_limit is not None and done.returncode == -signal.SIGXCPU:
        return Child(result=None, spent=spent, imported=0, peak=0, stopped=True)
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-4000:]}")
    return Child(spent=spent, **json.loads(done.stdout.splitlines()[-1]))


def must_equal(what: str, found: object, expected: object) -> None:
    """Refuse the figures of work that was not done right.

    Raises:
        AssertionError: the two differ.
    """
    if found != expected:
        raise AssertionError(f"{what}: found {found!r:.500}, expected {expected!r:.500}")
