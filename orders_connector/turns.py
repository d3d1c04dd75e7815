"""Loads of one account take turns: they share its calls, its windows and its place in the file.

A lock file beside the warehouse does it. The system releases it when a process dies, so a load
that was killed holds nobody up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from orders_connector.errors import WarehouseLocked

__all__ = ["turn"]


@contextmanager
def turn(
    warehouse: Path,
    account: str,
    *,
    longest_wait_seconds: float,
    on_wait: Callable[[float, str], None] | None = None,
) -> Iterator[None]:
    """Hold the account until the body ends; wait while another process does.

    Args:
        warehouse: The DuckDB file; the lock file lies beside it.
        account: Configured account.
        longest_wait_seconds: When to give up.
        on_wait: Called before waiting with the longest wait in seconds and the reason.

    Raises:
        WarehouseLocked: another load of the account went on for longer than that.
    """
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(warehouse.with_name(f"{warehouse.name}.{account}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait:
            on_wait(longest_wait_seconds, f"another load of {account} is running")
        try:
            lock.acquire(timeout=longest_wait_seconds)
        except Timeout:
            raise WarehouseLocked(
                f"another load of account {account} has been running for more than "
                f"{longest_wait_seconds:.0f} s (lock file {lock.lock_file}). Loads of one account "
                "take turns; let it end, or stop it, and run again. Nothing was lost"
            ) from None
    try:
        yield
    finally:
        lock.release()
