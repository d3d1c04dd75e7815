"""The sandbox as a whole: its state and its host."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from starlette.types import Scope

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.control import control_app
from orders_connector.sandbox.faults import Faults
from orders_connector.sandbox.gate import Gate
from orders_connector.sandbox.hosted import Hosted, run_until_told
from orders_connector.sandbox.ultracart.access import (
    CLIENT_ID,
    REFRESH_TOKEN,
    SIMPLE_KEY,
    Access,
)
from orders_connector.sandbox.ultracart.api import ROOT, Api
from orders_connector.sandbox.ultracart.errors import DIALECT
from orders_connector.sandbox.ultracart.history import history
from orders_connector.sandbox.ultracart.limits import Limits, Meter, Plan, Turns
from orders_connector.sandbox.ultracart.moves import Moves
from orders_connector.sandbox.ultracart.orders import MERCHANT_ID, OrderMaker
from orders_connector.sandbox.ultracart.shop import Order, Shop
from orders_connector.sandbox.ultracart.switches import Switches

__all__ = ["UltraCartSandbox", "serve"]


class UltraCartSandbox(Hosted):
    """An UltraCart account on a loopback port, from `with` to the end of the block.

    Args:
        orders: how many orders its past has; 0 gives an empty shop.
        seed: the same seed and `now` give the same orders.
        switches: how the open questions of the documentation are answered.
        plan: limits; a `Limits` object for limits of your own.
        now: where the clock starts (aware); by default the current time, in whole seconds.
        history_days: how far the past reaches.
        port: 0 takes a free one.
        merchant_id: first part of the order ids.
        traffic: random moves of the shop before each list of orders.
        clock_speed: sandbox seconds per real second; 0 stands still until told to move.
        latency: real seconds that an answer takes; two requests of one key that overlap within
            it are a breach of the API's rules, and the later one is refused.

    Attributes:
        shop: the state; its methods are the back door for tests.
        clock: the sandbox's time.
        faults: trouble on order.
        meter: limits.
        access: tokens; `access.disabled = True` switches the application off.
        moves: lets the shop live: `moves.some(n)`, `moves.day()`.
    """

    simple_key = SIMPLE_KEY
    client_id = CLIENT_ID
    refresh_token = REFRESH_TOKEN

    def __init__(
        self,
        orders: int = 2000,
        seed: int = 7,
        switches: Switches | None = None,
        plan: Plan | Limits = Plan.UNLIMITED,
        now: datetime | None = None,
        history_days: int = 730,
        port: int = 0,
        merchant_id: str = MERCHANT_ID,
        *,
        traffic: int = 0,
        clock_speed: float = 0.0,
        latency: float = 0.002,
    ) -> None:
        self.clock = Clock(now, speed=clock_speed)
        self.shop = Shop(self.clock, switches)
        self.faults = Faults()
        self.merchant_id = merchant_id
        limits = plan.value if isinstance(plan, Plan) else plan
        self.meter = Meter(limits, self.clock, merchant_id)
        self.access = Access(self.clock, seed)
        self.traffic = traffic
        self._maker = OrderMaker(seed, merchant_id)
        self.shop.load(history(self._maker, orders, self.clock.now(), history_days))
        self.moves = Moves(self.shop, self._maker, seed)
        self._turns = Turns()
        gate = Gate(
            Api(self.shop, self.access, self._before_list, latency).app,
            host="api",
            clock=self.clock,
            faults=self.faults,
            dialect=DIALECT,
            admit=self._admit,
            turn=self._turn,
            headers=lambda request_id: {"X-UltraCart-Request-Id": request_id.upper()},
            control=control_app(self, self._mutate),
        )
        super().__init__((gate,), (port,))

    def truth(self) -> list[Order]:
        """Return every order as a get with every expansion returns it now, sorted by id."""
        return self.shop.truth()

    def kept(self) -> dict[str, Any]:
        """Return the state as plain data, for `restore` of another sandbox of this kind."""
        return {"orders": self.shop.kept(), "made": self._maker.number}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take over the state of another sandbox; this one has no orders yet."""
        self.shop.load(kept["orders"])
        self._maker.number = kept["made"]

    @property
    def switches(self) -> Switches:
        """The switches in force; assign others at any time."""
        return self.shop.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.shop.switches = switches

    def _before_list(self) -> None:
        if self.traffic:
            self.moves.some(self.traffic)

    def _admit(self, scope: Scope) -> None:
        headers = _headers(scope)
        self.access.check(headers, scope["method"], scope["path"].removeprefix(ROOT))
        self.meter.take(self.switches)

    def _turn(self, scope: Scope) -> AbstractContextManager[None]:
        callers = {
            "key": self.access.key(_headers(scope)),
            "address": (scope.get("client") or ("",))[0],
            "allowed": None,
        }
        return self._turns.hold(callers[self.switches.concurrency], self.switches)

    def _mutate(self, asked: dict[str, Any]) -> object:
        """Answer `POST /_sandbox/mutate`."""
        match asked.get("op"):
            case "raw":
                return self.shop.put_raw(asked["order"])
            case "update":
                return self.shop.update(asked["id"], asked["order"])
            case "refund":
                return self.shop.refund(asked["id"], asked["order"])
            case "cancel":
                return self.shop.cancel(asked["id"])
            case "delete":
                self.shop.delete(asked["id"])
                return {"orders": 1}
            case "moves":
                return dict(self.moves.some(asked.get("count", 1)))
            case other:
                raise ValueError(f"unknown op {other!r}")


def serve(announce: Callable[[UltraCartSandbox], object], **options: Any) -> None:  # noqa: ANN401 - arguments of UltraCartSandbox
    """Run a sandbox in the foreground until SIGTERM or SIGINT; for the command line.

    Args:
        announce: called once with the running sandbox; shows its `base_url` and `simple_key`.
        **options: as `UltraCartSandbox` takes them; the clock runs with real time unless told
            otherwise.

    Raises:
        OSError: a port is taken.
    """
    run_until_told(UltraCartSandbox(**{"clock_speed": 1.0, **options}), announce)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
