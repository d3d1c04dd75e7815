"""The command `publish`: a fresh copy for readers, or one that they had before."""

from __future__ import annotations

from dataclasses import asdict

import typer

from orders_connector.cli import load
from orders_connector.cli.terminal import print_json, say, table
from orders_connector.config import Settings
from orders_connector.dashboard.serving import renew_dashboard
from orders_connector.publishing.publish import KeptVersion, go_back, kept_versions

__all__ = ["publish"]


def publish(
    settings: Settings, *, rollback: bool, to: str | None, listing: bool, as_json: bool
) -> None:
    """Publish, return to a version that is kept, or list those.

    Raises:
        PublishBlocked: a check failed.
        WarehouseError: the version is not kept.
    """
    if sum((rollback, to is not None, listing)) > 1:
        raise typer.BadParameter("take one of --list, --rollback and --to")
    if listing:
        _list(settings, as_json=as_json)
    elif rollback or to is not None:
        _go_back(settings, to, as_json=as_json)
    else:
        load.publish(settings, as_json=as_json)


def _go_back(settings: Settings, to: str | None, *, as_json: bool) -> None:
    shown = go_back(settings.warehouse.published, to)
    renew_dashboard(settings)
    if as_json:
        print_json(asdict(shown))
        return
    say(
        f"readers see {shown.version} again, published {shown.published_at}",
        "  the next publish goes forward; until then load with --no-publish",
    )


def _list(settings: Settings, *, as_json: bool) -> None:
    kept = kept_versions(settings.warehouse.published)
    if as_json:
        print_json([asdict(version) for version in kept])
    elif not kept:
        say("no version is kept yet: run `orders-connector publish`")
    else:
        table(
            ["version", "data through", "load", "orders", "personal data", ""],
            [_row(version) for version in reversed(kept)],
            right=[False, False, False, True, False, False],
        )


def _row(kept: KeptVersion) -> list[str]:
    return [
        kept.version,
        kept.data_through or "not proven",
        kept.load_id or "",
        "" if kept.orders is None else f"{kept.orders:,}",
        kept.personal_data,
        "readers see it" if kept.is_current else "",
    ]
