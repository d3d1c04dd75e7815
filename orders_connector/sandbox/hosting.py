"""Runs ASGI applications on loopback ports, in a thread."""

import asyncio
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

__all__ = ["ServerThread"]


class ServerThread:
    """Runs several hosts in one event loop of one thread.

    Args:
        apps: one per host.
        ports: one per host; 0 takes a free one.

    Attributes:
        ports: the real ones.

    Raises:
        OSError: a port is taken.
    """

    def __init__(self, apps: tuple[ASGIApp, ...], ports: tuple[int, ...]) -> None:
        self._apps = apps
        self._sockets = [_listening(port) for port in ports]
        self.ports = [sock.getsockname()[1] for sock in self._sockets]
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="sandbox", daemon=True
        )

    def start(self) -> None:
        """Answer requests from now on; returns when the hosts are ready."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Cut all connections and end the thread."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    async def _run(self) -> None:
        # uvicorn's own main loop looks for its end only ten times a second; tests start and stop
        # many sandboxes, so it is left out here.
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        servers = []
        for app, sock in zip(self._apps, self._sockets, strict=True):
            config = uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                date_header=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=60,
            )
            config.load()
            server = uvicorn.Server(config)
            server.lifespan = config.lifespan_class(config)
            await server.startup(sockets=[sock])
            servers.append(server)
        self._ready.set()
        await self._end.wait()
        for server in servers:
            for listener in server.servers:
                listener.close()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            for task in list(server.server_state.tasks):
                task.cancel()
        for sock in self._sockets:
            sock.close()
        await asyncio.sleep(0.001)  # closed transports say goodbye in the loop's next rounds


def _listening(port: int) -> socket.socket:
    # Named as TCP, because asyncio switches Nagle's delay off only for sockets that say so.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock
