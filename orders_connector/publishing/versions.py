"""Keeps the last versions of what is published, and says which one readers see.

A version is a folder that is complete when it has its name, and never changes afterwards. To show
one is to point `exports/current` at it and to put its file into the published place: each by a
rename, so that a reader finds the old one or the new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orders_connector.errors import WarehouseError, WarehouseLocked
from orders_connector.publishing.copy import Manifest

__all__ = ["MANIFEST", "Versions", "only_publisher"]

MANIFEST = "manifest.json"
NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")


class Versions:
    """The versions kept of one published file, in `exports` beside it.

    Attributes:
        published: The file that readers open.
        folder: Where the versions are.
        link: `current`, a relative link to the one that readers see.
    """

    def __init__(self, published: Path) -> None:
        self.published = published
        self.folder = published.with_name("exports")
        self.link = self.folder / "current"

    def names(self) -> list[str]:
        """Return what is kept, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))

    def current(self) -> str | None:
        """Return the version that readers see; None when there is none."""
        if not self.link.is_symlink() or not self.link.exists():
            return None
        return self.link.readlink().name

    def previous(self) -> str | None:
        """Return what readers saw before the current version was published, if it is kept."""
        current = self.current()
        before = self.manifest(current).get("previous") if current else None
        return before if before in self.names() else None

    def manifest(self, version: str) -> Manifest:
        """Return what a version says of itself."""
        text = (self.folder / version / MANIFEST).read_text(encoding="utf-8")
        manifest: Manifest = json.loads(text)
        return manifest

    def new_name(self) -> str:
        """Return a name later than all that are kept, whatever the clock says."""
        now = datetime.now(UTC)
        for last in self.names()[-1:]:
            newest = datetime.strptime(last, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
            now = max(now, newest + timedelta(milliseconds=1))
        return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"

    @contextmanager
    def draft(self, version: str) -> Iterator[Path]:
        """Give a folder that becomes the version when the body ends, and goes when it raises."""
        draft = self.folder / f".{version}.{os.getpid()}.tmp"
        draft.mkdir(parents=True)
        try:
            yield draft
            _make_lasting(draft)
            draft.rename(self.folder / version)
            _fsync(self.folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def show(self, version: str) -> None:
        """Let readers see a kept version.

        Raises:
            WarehouseError: it is not kept, or its file is not what was published.
        """
        if version not in self.names():
            raise WarehouseError(
                f"there is no version {version} of {self.published}. Kept are: "
                f"{', '.join(self.names()) or 'none'}"
            )
        file = self.folder / version / self.published.name
        if digest_of(file) != self.manifest(version)["file"]:
            raise WarehouseError(
                f"{file} is not what was published: something wrote to it. Readers keep what they "
                "have; run `orders-connector publish`, or choose another version"
            )
        link = self.folder / f".current.{os.getpid()}.tmp"
        link.symlink_to(version)
        if self.link.is_dir() and not self.link.is_symlink():
            # Somebody copied the folder by a tool that made a folder of the link.
            self.link.rename(self.folder / f".copied.{os.getpid()}.tmp")
        link.replace(self.link)
        _fsync(self.folder)
        swap_in(file, self.published)

    def forget(self, *, keep: int) -> None:
        """Remove all but the last `keep` versions; what readers see stays, with the one before."""
        names = self.names()
        stay = {*names[len(names) - keep :], self.current()}
        if keep > 1:
            stay.add(self.previous())
        for name in names:
            if name not in stay:
                # A version has its name as long as it is complete.
                gone = self.folder / f".{name}.{os.getpid()}.tmp"
                (self.folder / name).rename(gone)
                shutil.rmtree(gone)

    def remove_leftovers(self) -> None:
        """Remove what a killed publisher left; needs the lock."""
        for leftover in self.published.parent.glob(f".{self.published.name}.*.tmp*"):
            leftover.unlink(missing_ok=True)
        for leftover in self.folder.glob(".*.tmp"):
            if leftover.is_symlink():
                leftover.unlink()
            else:
                shutil.rmtree(leftover)


@contextmanager
def only_publisher(published: Path) -> Iterator[None]:
    """Hold a lock that the kernel drops with the process, so a killed publish leaves none.

    Raises:
        WarehouseLocked: another process holds it.
    """
    published.parent.mkdir(parents=True, exist_ok=True)
    with published.with_name(f".{published.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WarehouseLocked(
                f"another process is publishing {published}; it will be fresh when that one is done"
            ) from error
        yield


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def swap_in(file: Path, place: Path) -> None:
    """Put a finished file into a place that readers open, without a moment in which none is there.

    The file stays where it is: both names are one file, or a copy where the file system has no
    second names.
    """
    draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        draft.hardlink_to(file)
    except OSError:
        shutil.copy2(file, draft)
        _fsync(draft)
    # A tool that opened the old copy for writing may have left its log. Beside the new copy, older
    # DuckDB versions would replay it without a word.
    wal = place.with_name(f"{place.name}.wal")
    wal.unlink(missing_ok=True)
    draft.replace(place)
    wal.unlink(missing_ok=True)
    draft.unlink(missing_ok=True)  # a rename onto another name of the same file does nothing
    _fsync(place.parent)


def _make_lasting(folder: Path) -> None:
    """Make files read-only and have the disk keep them."""
    paths = [*folder.rglob("*"), folder]
    for path in paths:
        if path.is_file():
            path.chmod(0o444)
    with ThreadPoolExecutor(max_workers=8) as pool:  # the disk takes many at once as quickly as one
        list(pool.map(_fsync, paths))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
