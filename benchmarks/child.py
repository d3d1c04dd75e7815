"""Runs one job in this process; started by `harness.run_child`.

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


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    job = getattr(importlib.import_module(module), function)
    imported = peak_memory()
    result = job(**json.loads(sys.argv[2]))
    print(json.dumps({"result": result, "imported": imported, "peak": peak_memory()}))
