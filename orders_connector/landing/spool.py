"""Keeps pages on disk between the network and the warehouse.

Response bodies are written as they came to a temporary file of Arrow IPC streams. The warehouse
reads them batch by batch, so memory stays flat whatever the size of the load, and the file is
not held while requests are made.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from orders_connector.errors import DiskFull

__all__ = ["SCHEMA", "Spool", "batches_from_pages"]

SCHEMA = pa.schema([("page", pa.int32()), ("channel", pa.string()), ("body", pa.large_string())])
BATCH_BYTES = 512 * 1024
ORDERS_PER_PAGE = 100


class Spool:
    """Pages of one extraction, in the order they were read. Numbers start at 1.

    The file has no name: when the process dies, the system frees its space.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(prefix="orders_spool_", dir=directory)  # noqa: SIM115
        self._pending: list[tuple[int, str, bytes]] = []
        self._pending_bytes = 0
        self._largest = 0
        self.pages = 0

    @property
    def landing_memory(self) -> str:
        """What DuckDB needs to land these pages, as its `memory_limit`.

        It does not grow with the number of pages: with more, DuckDB would only keep more of the
        file in memory. It grows with the size of the orders, of which DuckDB handles 2,048 at a
        time, a few times over.
        """
        vector = self._largest * 2_048 // ORDERS_PER_PAGE
        return f"{256 + 4 * vector // 1_000_000}MB"

    def add(self, body: bytes, channel: str) -> int:
        """Append one page of valid JSON in UTF-8 and return its number.

        Raises:
            DiskFull: there is no room for it.
        """
        self.pages += 1
        self._pending.append((self.pages, channel, body))
        self._pending_bytes += len(body)
        self._largest = max(self._largest, len(body))
        if self._pending_bytes >= BATCH_BYTES:
            self._flush()
        return self.pages

    def batches(self, channels: Collection[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Return the pages so far; more may be added afterwards.

        Args:
            channels: Only pages that came by these.

        Raises:
            DiskFull: there is no room for the last of them.
        """
        self._flush()
        if channels is None:
            return self._written()
        wanted = pa.array(sorted(channels), pa.string())
        return (batch.filter(pc.is_in(batch["channel"], wanted)) for batch in self._written())

    def _written(self) -> Iterator[pa.RecordBatch]:
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        while self._file.tell() < end:
            with pa.ipc.open_stream(self._file) as reader:
                yield from reader

    def _flush(self) -> None:
        if not self._pending:
            return
        try:
            self._file.seek(0, os.SEEK_END)
            with pa.ipc.new_stream(self._file, SCHEMA) as writer:
                writer.write_batch(_batch(self._pending))
            self._file.flush()
        except OSError as error:
            raise DiskFull(
                f"no room to keep the pages that were read: {error}. Nothing of this load was "
                "kept and nothing was lost: free space and run again"
            ) from error
        self._pending, self._pending_bytes = [], 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # a full disk has been reported already
            self._file.close()


def _batch(pages: list[tuple[int, str, bytes]]) -> pa.RecordBatch:
    numbers, channels, bodies = zip(*pages, strict=True)
    return pa.record_batch(
        [
            pa.array(numbers, pa.int32()),
            pa.array(channels, pa.string()),
            # Arrow checks the UTF-8 when it casts; the bytes are not decoded in Python.
            pa.array(bodies, pa.large_binary()).cast(pa.large_string()),
        ],
        schema=SCHEMA,
    )


def batches_from_pages(pages: Iterator[bytes], channel: str = "list") -> Iterator[pa.RecordBatch]:
    """Yield batches of pages that are in memory already."""
    pending: list[tuple[int, str, bytes]] = []
    size = 0
    for number, body in enumerate(pages, start=1):
        pending.append((number, channel, body))
        size += len(body)
        if size >= BATCH_BYTES:
            yield _batch(pending)
            pending, size = [], 0
    if pending:
        yield _batch(pending)
