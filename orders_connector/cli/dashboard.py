"""The command `dashboard`: makes the page of the published copy, opens it, or serves it."""

from __future__ import annotations

import socket
import webbrowser
from contextlib import suppress
from dataclasses import asdict

import uvicorn

from orders_connector.cli.terminal import print_json, relative, say, size, spinner
from orders_connector.config import Settings
from orders_connector.dashboard.serving import build_dashboard, dashboard_app
from orders_connector.errors import OrdersConnectorError

__all__ = ["dashboard", "serve_dashboard"]


def dashboard(settings: Settings, *, opening: bool, as_json: bool) -> None:
    """Make the page and say where it is.

    Raises:
        WarehouseError: nothing is published, or there is no room for the page.
    """
    with spinner("making the dashboard"):
        made = build_dashboard(settings)
    if as_json:
        print_json(asdict(made) | {"path": str(made.path)})
    else:
        say(f"{relative(made.path)} ({size(made.bytes)})")
    if opening and not webbrowser.open(made.path.as_uri()):
        say("no browser could be opened here: open the file by hand")


def serve_dashboard(settings: Settings, port: int, *, opening: bool) -> None:
    """Serve a page that follows the published copy, on loopback, until Ctrl-C.

    Raises:
        ModelError: a SQL model is wrong.
        OrdersConnectorError: the port is taken.
    """
    config = uvicorn.Config(dashboard_app(settings), log_level="error", access_log=False)
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise OrdersConnectorError(f"port {port} cannot be used: {error}; try --port 0") from error
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    say(f"The dashboard is at {address} and follows the published copy. Ctrl-C ends it.")
    if opening:
        webbrowser.open(address)
    with suppress(KeyboardInterrupt):  # uvicorn ended well, and passes it on
        uvicorn.Server(config).run(sockets=[listening])
