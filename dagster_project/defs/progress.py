"""What a long step is doing, in its log; what only counts on is logged now and then."""

import logging
import re
import time
from collections.abc import Callable

__all__ = ["on_wait", "orders_read", "what_is_done"]

SECONDS_BETWEEN = 30.0


def orders_read(log: logging.Logger) -> Callable[[int, int | None], None]:
    """Tell how many orders were read, and of how many."""
    last = time.monotonic()

    def show(orders: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN:
            last = time.monotonic()
            log.info(f"{orders:,} orders read; the source has {total or 'an unknown number':,}")

    return show


def what_is_done(log: logging.Logger) -> Callable[[str], None]:
    """Tell each thing that is done once, and its numbers every 30 s."""
    kind, last = "", time.monotonic()

    def show(text: str) -> None:
        nonlocal kind, last
        new = re.sub(r"\d+", "", text)  # the words, without what counts on
        if new != kind or time.monotonic() - last >= SECONDS_BETWEEN:
            kind, last = new, time.monotonic()
            log.info(text)

    return show


def on_wait(log: logging.Logger) -> Callable[[float, str], None]:
    """Tell of a wait before it begins."""
    return lambda seconds, reason: log.info(f"waiting {seconds:.0f} s: {reason}")
