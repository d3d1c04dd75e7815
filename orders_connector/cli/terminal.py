"""How things look: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from orders_connector.sources.base import Window

__all__ = [
    "ago",
    "counted",
    "days",
    "minutes",
    "print_json",
    "progress_bar",
    "relative",
    "say",
    "size",
    "spinner",
    "table",
    "window",
]

PIPE_WIDTH = 10_000  # nothing is cut when nobody looks


def say(*lines: str, style: str | None = None) -> None:
    """Print lines for a person; markup in them is not interpreted."""
    out = _stdout()
    for line in lines:
        out.print(Text(line, style=style or ""), soft_wrap=True)


def print_json(data: object) -> None:
    """Print data for a machine: dates as ISO 8601, decimals as text, so that they stay exact."""
    typer.echo(json.dumps(data, default=_plain, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool]) -> None:
    """Print a table; the columns marked in `right` hold numbers."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name, is_number in zip(columns, right, strict=True):
        grid.add_column(Text(name), justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(Text(value) for value in row))
    _stdout().print(grid)


class Bar:
    """A bar that is shown: call it with done and total, of which the latter may be unknown."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None)

    def __call__(self, done: int, total: int | None) -> None:
        """Show how far it is."""
        total = max(done, total) if total else None
        self._progress.update(self._task, completed=done, total=total)

    def say(self, what: str) -> None:
        """Show what is being done now."""
        self._progress.update(self._task, description=what)


@contextmanager
def progress_bar(what: str) -> Iterator[Bar]:
    """Show done and total on stderr while the block runs, when stderr is a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with _progress(*columns) as progress:
        yield Bar(progress, what)


@contextmanager
def spinner(what: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr what is being done, when stderr is a terminal.

    Yields:
        Function to call with what is being done now.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with _progress(*columns) as progress:
        task = progress.add_task(what, total=None)

        def show(now: str) -> None:
            progress.update(task, description=now)

        yield show


def ago(span: timedelta) -> str:
    """Write an age for a person.

    Example:
        >>> ago(timedelta(hours=25))
        '25 h'
    """
    seconds = max(0.0, span.total_seconds())
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Example:
        >>> counted(1, "account"), counted(1200, "order")
        ('1 account', '1,200 orders')
    """
    return f"{number:,} {noun}{'s'[: number != 1]}"


def minutes(moment: datetime | None) -> str:
    """Write a moment to the minute, UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"


def window(span: Window) -> str:
    """Write a half-open window to the minute."""
    end = f"{span.end:%Y-%m-%d %H:%M}" if span.end else "now"
    return f"{span.start:%Y-%m-%d %H:%M} to {end} UTC"


def days(dates: Sequence[date], most: int = 3) -> str:
    """Write the first and last of many days."""
    if len(dates) <= most:
        return ", ".join(str(day) for day in dates)
    return f"{dates[0]} to {dates[-1]}"


def size(count: int) -> str:
    """Write a number of bytes for a person.

    Example:
        >>> size(4_730_880)
        '4.7 MB'
    """
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def relative(path: Path) -> str:
    """Write a path from here, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _progress(
    *columns: SpinnerColumn | TextColumn | BarColumn | MofNCompleteColumn | TimeElapsedColumn,
) -> Progress:
    return Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    )


def _stdout() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
