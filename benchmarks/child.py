"""Runs one job in this process; started by `harness.run_child`.

Arguments: `module:function`, its arguments as JSON, and the CPU seconds after which the system
ends the process with SIGXCPU; without these there is no limit.

Nothing is imported here that the job does not import itself: its start counts as well.
"""

import importlib
import json
import sys
from pathlib import Path


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    try:
        # Not ru_maxrss: on Linux a child inherits the peak of the process that started it.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except FileNotFoundError:
        from resource import RUSAGE_SELF, getrusage

        return getrusage(RUSAGE_SELF).ru_maxrss / 1024**2  # macOS counts bytes


def limit_cpu(seconds: int) -> None:
    """Let the system end this process after so much CPU time, start included."""
    from resource import RLIM_INFINITY, RLIMIT_CORE, RLIMIT_CPU, setrlimit

    setrlimit(RLIMIT_CORE, (0, 0))
    setrlimit(RLIMIT_CPU, (seconds, RLIM_INFINITY))


if __name__ == "__main__":
    if len(sys.argv) > 3:
        limit_cpu(int(sys.argv[3]))
    module, _, function = sys.argv[1].partition(":")
    job = getattr(importlib.import_module(module), function)
    imported = peak_memory()
    result = job(**json.loads(sys.argv[2]))
    print(json.dumps({"result": result, "imported": imported, "peak": peak_memory()}))
