"""Builds the dashboard, as a file or as a served page that follows the published copy."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from orders_connector.budget import Allowance, allowance
from orders_connector.config import Settings
from orders_connector.dashboard.cube import read_cube
from orders_connector.dashboard.page import render_page, write_page
from orders_connector.errors import WarehouseError
from orders_connector.modeling.configured import configured_models
from orders_connector.modeling.metrics import Contract, contracts
from orders_connector.warehouse.database import open_warehouse

__all__ = ["Dashboard", "build_dashboard", "dashboard_app", "dashboard_path", "renew_dashboard"]

LOCK_WAIT_SECONDS = 2.0  # the page is worth more than the one figure that needs the warehouse


@dataclass(frozen=True)
class Dashboard:
    """What was made.

    Attributes:
        path: The page.
        bytes: Its size.
    """

    path: Path
    bytes: int


def dashboard_path(settings: Settings) -> Path:
    """Return where the page is: beside the published copy."""
    return settings.warehouse.published.with_name("dashboard.html")


def build_dashboard(settings: Settings) -> Dashboard:
    """Make the page of the published copy and swap it in.

    Raises:
        WarehouseError: nothing is published, or the page could not be written; the old one stays.
        ModelError: a SQL model is wrong.
    """
    path = dashboard_path(settings)
    meanings = contracts(configured_models(settings))
    html = render_page(read_cube(settings.warehouse.published, meanings, _budgets(settings)))
    try:
        write_page(html, path)
    except OSError as error:
        raise WarehouseError(f"{path} was not written, the old page stays: {error}") from error
    return Dashboard(path, path.stat().st_size)


def renew_dashboard(settings: Settings) -> Dashboard | None:
    """Make the page anew where one was made before, after what it shows was published anew."""
    return build_dashboard(settings) if dashboard_path(settings).exists() else None


def dashboard_app(settings: Settings) -> Starlette:
    """Return a server of the page; it makes the page anew when another copy is published.

    Only requests to a loopback name are answered, so that no other site can read the page through a
    name of its own.
    """
    follower = _Follower(settings)

    def page(request: Request) -> HTMLResponse:
        try:
            return HTMLResponse(follower.page(), headers={"Cache-Control": "no-store"})
        except WarehouseError as error:
            return HTMLResponse(_unavailable(str(error)), status_code=503)

    def version(request: Request) -> PlainTextResponse:
        return PlainTextResponse(follower.version(), headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[Route("/", page), Route("/version", version)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


class _Follower:
    """The page of the copy that is published now, made once per copy."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._published = settings.warehouse.published
        self._meanings: dict[str, Contract] = contracts(configured_models(settings))
        self._turn = threading.Lock()
        self._made: tuple[str, str] | None = None

    def version(self) -> str:
        """Return what changes with each published copy; empty while there is none."""
        try:
            copy = self._published.stat()
        except FileNotFoundError:
            return ""
        return f"{copy.st_ino:x}-{copy.st_mtime_ns:x}"

    def page(self) -> str:
        """Return the page of the copy as it is.

        Raises:
            WarehouseError: nothing is published yet.
        """
        with self._turn:
            version = self.version()  # before reading: a copy swapped in meanwhile is another one
            if self._made is None or self._made[0] != version:
                cube = read_cube(self._published, self._meanings, _budgets(self._settings))
                self._made = (version, render_page(cube, version=version))
            return self._made[1]


def _budgets(settings: Settings) -> dict[str, Allowance]:
    """Return the requests of the billing cycle by account; nothing while a load holds the file."""
    warehouse = settings.warehouse
    now = datetime.now(UTC)
    try:
        with open_warehouse(
            warehouse.path, read_only=True, lock_timeout_seconds=LOCK_WAIT_SECONDS
        ) as con:
            return {name: allowance(con, a, now) for name, a in settings.accounts.items()}
    except WarehouseError:
        return {}


def _unavailable(message: str) -> str:
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh"'
        f' content="5"><title>Orders</title><p>{text}</p></html>'
    )
