"""Publishes: makes a version of core and marts, shows it to readers, and goes back to one.

No reader ever opens the warehouse. Why each step is there: docs/publishing.md.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orders_connector.errors import DiskFull, WarehouseError
from orders_connector.publishing.copy import as_json, verify_copy, write_copy
from orders_connector.publishing.live import live_path, show_live
from orders_connector.publishing.parquet import export_parquet
from orders_connector.publishing.personal import TIERS, PersonalData
from orders_connector.publishing.versions import MANIFEST, Versions, digest_of, only_publisher
from orders_connector.warehouse.database import begin_session

__all__ = ["KeptVersion", "Published", "go_back", "kept_versions", "publish"]

KEEP = 3


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        path: The file that readers open.
        bytes: Its size.
        tables: Table, as `schema.name`, to its rows.
        seconds: Wall time.
        version: Its name.
        live: The file of views, for servers that hold connections.
        exports: Where the versions are, with their Parquet.
    """

    path: Path
    bytes: int
    tables: dict[str, int]
    seconds: float
    version: str
    live: Path
    exports: Path


@dataclass(frozen=True)
class KeptVersion:
    """A version that readers see or can be given back.

    Attributes:
        published_at: ISO 8601, UTC.
        data_through: The same; None when not every account is proven.
        orders: Rows of core.orders.
        is_current: Readers see it.
    """

    version: str
    published_at: str
    data_through: str | None
    load_id: str | None
    orders: int | None
    personal_data: str
    is_current: bool


def publish(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    views: Mapping[str, str] | None = None,
    storage_version: str = "v1.4.0",
    personal: PersonalData | None = None,
    keep: int = KEEP,
    forget_older: bool = False,
    about: Mapping[str, Any] | None = None,
) -> Published:
    """Swap in a fresh, verified, read-only version of core and marts.

    Readers of the old copy are not disturbed: they keep it until they connect anew.

    Args:
        con: Connection to the warehouse, not inside a transaction. The copy is one snapshot.
        path: The published file.
        views: Views that stay views in the copy, to their SELECT. All others become tables, as a
            reader asks a figure many times and it is made once.
        storage_version: DuckDB file format: as old as the oldest driver that is to read it.
        personal: How personal data is shown. Default: as it is. When readers are to see less than
            in a version that is kept, no older version stays.
        keep: Versions to keep, this one included.
        forget_older: Keep no other version, whatever `keep` says, and remove those that readers do
            not see before anything else, also when publishing fails then.
        about: Plain values for the manifest, such as `metadata` with the id of a run.

    Raises:
        PublishBlocked: there are no models yet.
        WarehouseLocked: another process is publishing to the same place.
        DiskFull: there is no room for the copy; the old one stays.
        WarehouseError: the copy could not be written or is not what was read; the old one stays.
    """
    started = time.perf_counter()
    versions = Versions(path)
    with only_publisher(path):
        try:
            versions.remove_leftovers()
            if forget_older:
                versions.forget(keep=0)
            version = versions.new_name()
            with versions.draft(version) as draft:
                manifest, tables = write_copy(
                    con,
                    draft / path.name,
                    version=version,
                    personal=personal or PersonalData(),
                    views=views or {},
                    storage_version=storage_version,
                    about={"previous": versions.current(), **(about or {})},
                )
                _export(con, draft, draft / path.name, tables)
                manifest["file"] = digest_of(draft / path.name)
                (draft / MANIFEST).write_text(as_json(manifest) + "\n", encoding="utf-8")
            _show(versions, version)
            looser = any(
                TIERS.index(kept.personal_data) < TIERS.index(manifest["personal_data"])
                for kept in kept_versions(path)
            )
            versions.forget(keep=1 if forget_older or looser else keep)
        except (duckdb.Error, OSError) as error:
            raise _explained(error, path) from error
        finally:
            versions.remove_leftovers()
    return Published(
        path=path,
        bytes=path.stat().st_size,
        tables=tables,
        seconds=round(time.perf_counter() - started, 3),
        version=version,
        live=live_path(path),
        exports=versions.folder,
    )


def go_back(path: Path, version: str | None = None) -> KeptVersion:
    """Show readers a version that is kept; the next publish goes forward again.

    Args:
        path: The published file.
        version: Its name. Default: what readers saw before the current one was published.

    Raises:
        WarehouseLocked: another process is publishing to the same place.
        WarehouseError: it is not kept, or not what was published; readers keep what they have.
    """
    versions = Versions(path)
    with only_publisher(path):
        version = version or versions.previous()
        if version is None:
            raise WarehouseError(
                f"no version before the current one of {path} is kept. `orders-connector publish"
                " --list` shows those that are"
            )
        try:
            versions.remove_leftovers()
            _show(versions, version)
        except (duckdb.Error, OSError) as error:
            raise _explained(error, path) from error
        finally:
            versions.remove_leftovers()
    return next(kept for kept in kept_versions(path) if kept.version == version)


def kept_versions(path: Path) -> list[KeptVersion]:
    """Return the versions of a published file, oldest first."""
    versions = Versions(path)
    current = versions.current()
    found = []
    for name in versions.names():
        manifest = versions.manifest(name)
        found.append(
            KeptVersion(
                version=name,
                published_at=manifest["published_at"],
                data_through=manifest["data_through"],
                load_id=manifest["load_id"],
                orders=manifest["tables"].get("core.orders"),
                personal_data=manifest["personal_data"],
                is_current=name == current,
            )
        )
    return found


def _show(versions: Versions, version: str) -> None:
    versions.show(version)
    show_live(versions, version)


def _export(
    con: duckdb.DuckDBPyConnection, draft: Path, copy: Path, tables: Mapping[str, int]
) -> None:
    """Verify the copy and write its Parquet, as a reader with the limits of the warehouse."""
    limits = con.execute(
        "select current_setting('memory_limit'), current_setting('threads')"
    ).fetchall()
    with duckdb.connect(str(copy), read_only=True) as reader:
        begin_session(reader)
        reader.execute(f"set memory_limit = '{limits[0][0]}'")
        reader.execute(f"set threads = {limits[0][1]}")
        reader.execute(f"set temp_directory = '{_escaped(draft / 'spilled')}'")
        verify_copy(reader, tables)
        export_parquet(reader, draft)
    shutil.rmtree(draft / "spilled", ignore_errors=True)


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _explained(error: Exception, path: Path) -> WarehouseError:
    text = str(error)
    no_room = isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
    )
    if no_room or "No space left" in text or "could not write" in text.lower():
        return DiskFull(
            f"no room to publish {path}: {text}. Readers keep the old file and the warehouse is "
            "complete: free space, then run `orders-connector publish`"
        )
    return WarehouseError(f"{path} was not published, readers keep the old file: {text}")
