"""A sandbox as tests hold it: its hosts' life, addresses, and the requests they got."""

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from orders_connector.sandbox.gate import Call, Gate
from orders_connector.sandbox.hosting import ServerThread

__all__ = ["Hosted", "run_until_told"]


class Hosted(ABC):
    """Hosts on loopback ports, from `with` to the end of the block.

    Args:
        hosts: the API host first.
        ports: one per host; 0 takes a free one.
    """

    def __init__(self, hosts: tuple[Gate, ...], ports: tuple[int, ...]) -> None:
        self._hosts = hosts
        self._ports = ports
        self._thread: ServerThread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open the ports and answer requests, in a thread of its own."""
        self._thread = ServerThread(self._hosts, self._ports)
        self._opened()
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and ports."""
        if self._thread is not None:
            self._thread.stop()

    @property
    def base_url(self) -> str:
        """The API host, `http://127.0.0.1:PORT`."""
        return self._url(0)

    @property
    def calls(self) -> list[Call]:
        """Requests to the API host since the start or the last reset, in order of arrival."""
        return self._hosts[0].calls

    def reset_calls(self) -> None:
        """Forget the recorded requests."""
        for host in self._hosts:
            host.calls.clear()

    @property
    def on_request(self) -> Callable[[Call], object] | None:
        """A hook that is called before each API request is answered.

        It runs in the server's thread: it may use `shop`, `clock` and `faults`, but a request to
        the sandbox from within it would wait for itself.
        """
        return self._hosts[0].on_request

    @on_request.setter
    def on_request(self, hook: Callable[[Call], object] | None) -> None:
        self._hosts[0].on_request = hook

    @abstractmethod
    def kept(self) -> dict[str, Any]:
        """Return the state as plain data, for `restore` of another sandbox of this kind."""

    @abstractmethod
    def restore(self, kept: dict[str, Any]) -> None:
        """Take over the state of another sandbox; this one has no orders yet."""

    def _opened(self) -> None:  # noqa: B027 - most sandboxes need no word of their own address
        """Called when the ports are known and nothing is answered yet."""

    def _url(self, place: int) -> str:
        if self._thread is None:
            raise RuntimeError("The sandbox is not started: use it in a with block")
        return f"http://127.0.0.1:{self._thread.ports[place]}"


_Box = TypeVar("_Box", bound=Hosted)


def run_until_told(box: _Box, announce: Callable[[_Box], object]) -> None:
    """Run a sandbox in the foreground until SIGTERM or SIGINT.

    Args:
        box: not started yet.
        announce: called once with the running sandbox.

    Raises:
        OSError: a port is taken.
    """
    ended = threading.Event()
    former = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with box:
            announce(box)
            ended.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
