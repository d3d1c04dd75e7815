"""Sandboxes that other processes serve, so that their work counts for nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.shop import NOW, Shop
from benchmarks.shops import SHOPS


@contextmanager
def served(shop: Shop, orders: int, *switches: str) -> Iterator[str]:
    """Serve a shop from another process; yields its address. Its keys go to the environment.

    Args:
        shop: Which source.
        orders: How many it has.
        switches: How it answers open questions, each as `name=value`.
    """
    command = [sys.executable, "-m", "benchmarks.serving", shop.source, str(orders), *switches]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            os.environ |= told["keys"]
            yield told["base_url"]
        finally:
            server.terminate()


def main(source: str, orders: str, *switches: str) -> None:
    """Serve a shop until the process is ended, its address and keys on the first line."""
    shop = SHOPS[source]

    def announce(box: Any) -> None:  # noqa: ANN401 - the sandbox of any source
        print(json.dumps({"base_url": box.base_url, "keys": shop.keys(box)}), flush=True)

    shop.serve(
        announce, orders=int(orders), switches=shop.switches(switches), now=NOW, clock_speed=0
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
