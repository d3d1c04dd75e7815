"""Command line of the benchmarks: `python -m benchmarks [--only NAME] [--source NAME] ...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from rich.console import Console
from rich.table import Table

from benchmarks import (
    calls,
    complete,
    export,
    landing,
    memory,
    moving,
    nightly,
    pipeline,
    refresh_scale,
)
from benchmarks.harness import Row
from benchmarks.shop import Shop
from benchmarks.shops import SHOPS

# The same for every source, and those of what Voucherify alone has.
PER_SOURCE = {
    "landing": landing.run,
    "pipeline": pipeline.run,
    "calls": calls.run,
    "memory": memory.run,
}
VOUCHERIFY_ALONE = {
    "refresh": refresh_scale.run,
    "nightly": nightly.run,
    "complete": complete.run,
    "moving": moving.run,
    "export": export.run,
}
COLUMNS = ("what", "ours", "peer", "ratio", "target", "met")
WIDE = 150  # columns, for a log that is no terminal


def chosen(
    names: Iterable[str] | None, sources: Iterable[str] | None
) -> Iterator[tuple[str, Callable[..., list[Row]]]]:
    """Yield what is to be run, with its name; None chooses all."""
    shops: list[Shop] = [SHOPS[source] for source in sources or SHOPS]
    for name in names or (*PER_SOURCE, *VOUCHERIFY_ALONE):
        if name in PER_SOURCE:
            for shop in shops:
                yield f"{name}, {shop.source}", partial(PER_SOURCE[name], shop)
        elif SHOPS["voucherify"] in shops:
            yield name, VOUCHERIFY_ALONE[name]


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as text."""
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return (row.what, row.ours, row.peer, row.ratio, row.target, met)


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the table for docs/benchmarks.md."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_table(rows: Iterable[Row]) -> Table:
    """Return the table for a terminal."""
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*cells(row), style="red" if row.met is False else None)
    return table


def main() -> int:
    """Run the benchmarks; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "--only", choices=(*PER_SOURCE, *VOUCHERIFY_ALONE), action="append", help="may be repeated"
    )
    parser.add_argument("--source", choices=SHOPS, action="append", help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; only shows that it runs")
    parser.add_argument("--markdown", action="store_true", help="print Markdown for the docs")
    options = parser.parse_args()
    rows: list[Row] = []
    progress = Console(stderr=True)
    for name, run in chosen(options.only, options.source):
        with progress.status(f"{name} ..."):
            rows += run(quick=options.quick)
    if options.quick:
        rows = [replace(row, target="", met=None) for row in rows]
    if options.markdown:
        print(as_markdown(rows))
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(as_table(rows))
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
