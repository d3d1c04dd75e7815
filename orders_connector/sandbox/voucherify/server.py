"""The sandbox as a whole: its state and its three hosts."""

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any

from starlette.types import Scope

from orders_connector.sandbox.voucherify.access import APP_ID, APP_TOKEN, Access
from orders_connector.sandbox.voucherify.api import Api
from orders_connector.sandbox.voucherify.clock import Clock
from orders_connector.sandbox.voucherify.control import control_app
from orders_connector.sandbox.voucherify.download import Downloads
from orders_connector.sandbox.voucherify.errors import ApiError
from orders_connector.sandbox.voucherify.exports import Exports
from orders_connector.sandbox.voucherify.faults import Faults
from orders_connector.sandbox.voucherify.gate import Call, Gate
from orders_connector.sandbox.voucherify.history import history
from orders_connector.sandbox.voucherify.hosting import ServerThread
from orders_connector.sandbox.voucherify.imports import AsyncActions
from orders_connector.sandbox.voucherify.limits import Limits, Meter, Plan
from orders_connector.sandbox.voucherify.moves import Moves
from orders_connector.sandbox.voucherify.orders import OrderMaker
from orders_connector.sandbox.voucherify.shop import Shop
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["VoucherifySandbox", "serve"]

_BULK = ("/v1/exports", "/v1/orders/export", "/v1/orders/import")


class VoucherifySandbox:
    """A Voucherify project on loopback ports, from `with` to the end of the block.

    Args:
        orders: how many orders its past has; 0 gives an empty shop.
        seed: the same seed and `now` give the same bytes.
        switches: how the open questions of the documentation are answered.
        plan: rate limits; a `Limits` object for limits of your own.
        now: where the clock starts (aware); by default the current time, in whole seconds.
        history_days: how far the past reaches.
        port: of the API host; 0 takes a free one.
        download_port: of the download host; 0 takes a free one.
        traffic: random moves of the shop before each list of orders.
        clock_speed: sandbox seconds per real second; 0 stands still until told to move.

    Attributes:
        shop: the state; its methods are the back door for tests.
        clock: the sandbox's time.
        faults: trouble on order.
        meter: rate limits; `meter.subscription_ended = True` refuses everything.
        exports: to start an export as somebody in the dashboard would.
        actions: async actions, for purging a metadata key.
        moves: lets the shop live: `moves.some(n)`, `moves.day()`.
    """

    app_id = APP_ID
    app_token = APP_TOKEN

    def __init__(
        self,
        orders: int = 2000,
        seed: int = 7,
        switches: Switches | None = None,
        plan: Plan | Limits = Plan.UNLIMITED,
        now: datetime | None = None,
        history_days: int = 730,
        port: int = 0,
        download_port: int = 0,
        *,
        traffic: int = 0,
        clock_speed: float = 0.0,
    ) -> None:
        self.clock = Clock(now, speed=clock_speed)
        self.shop = Shop(self.clock, switches, seed=seed)
        self.faults = Faults()
        self.meter = Meter(plan.value if isinstance(plan, Plan) else plan, self.shop)
        self.exports = Exports(self.shop)
        self.actions = AsyncActions(self.shop)
        maker = OrderMaker(seed)
        self.shop.prices = maker.catalogue.prices()
        fresh = self.shop.unchanged_since_creation
        past = history(maker, orders, self.clock.now(), history_days)
        # An absent key is one of the oddities and stays absent under every switch.
        self.shop.load(fresh(o) if "updated_at" in o and not o["updated_at"] else o for o in past)
        self.moves = Moves(self.shop, maker, seed)
        self.traffic = traffic
        self._access = Access(self.clock, seed)
        self._ports = (port, download_port, 0)
        self._hosts = self._build()
        self._thread: ServerThread | None = None

    def _build(self) -> tuple[Gate, Gate, Gate]:
        api = Api(self.shop, self.exports, self.actions, self._access, self._before_list)
        self._downloads = Downloads(self.shop, self.exports, self._access)
        common: dict[str, Any] = {"shop": self.shop, "faults": self.faults}
        return (
            Gate(
                api.app,
                host="api",
                admit=self._admit,
                headers=self.meter.headers,
                control=control_app(self),
                **common,
            ),
            Gate(self._downloads.app, host="download", **common),
            Gate(self._downloads.storage, host="storage", **common),
        )

    def _before_list(self) -> None:
        if self.traffic:
            self.moves.some(self.traffic)

    def _admit(self, scope: Scope) -> None:
        path: str = scope["path"]
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        accept = headers.get("accept", "*/*")
        if not any(kind in accept for kind in ("json", "*/*", "application/*")):
            raise ApiError(406)
        parts = path.split("/")
        self._access.check(headers, parts[2] if len(parts) > 2 else "")
        self.meter.take(bulk=scope["method"] == "POST" and path in _BULK)

    # --- life ----------------------------------------------------------------------------------

    def __enter__(self) -> "VoucherifySandbox":
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
        self.exports.download_url = self.download_url
        self._downloads.storage_url = self.storage_url
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and ports."""
        if self._thread is not None:
            self._thread.stop()

    # --- what tests ask ------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The API host, `http://127.0.0.1:PORT`."""
        return self._url(0)

    @property
    def download_url(self) -> str:
        """The download host."""
        return self._url(1)

    @property
    def storage_url(self) -> str:
        """The host that downloads may be redirected to; it refuses auth headers."""
        return self._url(2)

    @property
    def switches(self) -> Switches:
        """The switches in force; assign others at any time."""
        return self.shop.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.shop.switches = switches

    @property
    def calls(self) -> list[Call]:
        """Requests to the API host since the start or the last reset, in order of arrival."""
        return self._hosts[0].calls

    @property
    def downloads(self) -> list[Call]:
        """Requests to the download and storage hosts."""
        return self._hosts[1].calls + self._hosts[2].calls

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

    def _url(self, place: int) -> str:
        if self._thread is None:
            raise RuntimeError("The sandbox is not started: use it in a with block")
        return f"http://127.0.0.1:{self._thread.ports[place]}"


def serve(
    announce: Callable[[VoucherifySandbox], object],
    *,
    orders: int = 50_000,
    seed: int = 7,
    port: int = 0,
    download_port: int = 0,
    plan: Plan | Limits = Plan.UNLIMITED,
    traffic: int = 0,
    switches: Switches | None = None,
    now: datetime | None = None,
    history_days: int = 730,
    clock_speed: float = 1.0,
) -> None:
    """Run a sandbox in the foreground until SIGTERM or SIGINT; for the command line.

    Args:
        announce: called once with the running sandbox; shows its `base_url`, `download_url`,
            `app_id` and `app_token`.
        orders: how many orders its past has.
        seed: of all random data.
        port: of the API host; 0 takes a free one.
        download_port: of the download host; 0 takes a free one.
        plan: rate limits.
        traffic: random moves of the shop before each list of orders.
        switches: answers to the open questions; `Switches.parse` reads them from text.
        now: where the clock starts.
        history_days: how far the past reaches.
        clock_speed: sandbox seconds per real second.

    Raises:
        OSError: a port is taken.
    """
    ended = threading.Event()
    former = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    box = VoucherifySandbox(
        orders,
        seed,
        switches,
        plan,
        now,
        history_days,
        port,
        download_port,
        traffic=traffic,
        clock_speed=clock_speed,
    )
    try:
        with box:
            announce(box)
            ended.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
