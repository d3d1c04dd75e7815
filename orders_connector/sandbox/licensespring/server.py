"""The sandbox as a whole: its state and its host."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.types import Scope

from orders_connector.sandbox.clock import EPOCH, Clock
from orders_connector.sandbox.control import control_app
from orders_connector.sandbox.faults import Faults
from orders_connector.sandbox.gate import Gate
from orders_connector.sandbox.hosted import Hosted, run_until_told
from orders_connector.sandbox.licensespring.api import Api
from orders_connector.sandbox.licensespring.errors import DIALECT, refusal
from orders_connector.sandbox.licensespring.life import Maker, Moves, fill
from orders_connector.sandbox.licensespring.shop import Row, Shop
from orders_connector.sandbox.licensespring.switches import Switches

__all__ = ["LicenseSpringSandbox", "serve"]

# The only key the sandbox accepts. It opens nothing else, so it is no secret.
API_KEY = "sandbox.management-api-key"


class LicenseSpringSandbox(Hosted):
    """A vendor company at LicenseSpring on a loopback port, from `with` to the end of the block.

    Args:
        orders: how many orders its past has; 0 gives an empty one.
        seed: the same seed and `now` give the same bytes.
        switches: how the open questions of the documentation are answered.
        now: where the clock starts (aware); by default the current time, in whole seconds.
        history_days: how far the past reaches.
        port: of the API host; 0 takes a free one.
        traffic: random moves before each list of orders or licenses.
        clock_speed: sandbox seconds per real second; 0 stands still until told to move.

    Attributes:
        shop: the state; its methods are the back door for tests.
        clock: the sandbox's time.
        faults: trouble on order.
        moves: lets the vendor live: `moves.some(n)`, `moves.day()`.
    """

    api_key = API_KEY

    def __init__(
        self,
        orders: int = 500,
        seed: int = 7,
        switches: Switches | None = None,
        now: datetime | None = None,
        history_days: int = 730,
        port: int = 0,
        *,
        traffic: int = 0,
        clock_speed: float = 0.0,
    ) -> None:
        self.clock = Clock(now, speed=clock_speed)
        self.shop = Shop(self.clock, switches, seed=seed)
        self.faults = Faults()
        self._maker = Maker(seed)
        fill(self.shop, self._maker, orders, self.clock.now(), history_days)
        self.moves = Moves(self.shop, self._maker, seed)
        self.traffic = traffic
        self._minute = (0, 0)
        gate = Gate(
            Api(self.shop, self._before_list).app,
            host="api",
            clock=self.clock,
            faults=self.faults,
            dialect=DIALECT,
            admit=self._admit,
            control=control_app(self, self._mutate),
        )
        super().__init__((gate,), (port,))

    @property
    def switches(self) -> Switches:
        """The switches in force; assign others at any time."""
        return self.shop.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.shop.switches = switches

    def kept(self) -> dict[str, Any]:
        """Return the state as plain data, for `restore` of another sandbox of this kind."""
        made = {"buyers": self._maker.buyers, "number": self._maker.number}
        return {"shop": self.shop.kept(), "made": made}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take over the state of another sandbox; this one has no orders yet."""
        self.shop.restore(kept["shop"])
        self._maker.buyers, self._maker.number = kept["made"]["buyers"], kept["made"]["number"]

    def truth(self) -> list[Row]:
        """Return every order as GET returns it now, archived ones too, sorted by id."""
        return self.shop.truth()

    def _before_list(self) -> None:
        if self.traffic:
            self.moves.some(self.traffic)

    def _admit(self, scope: Scope) -> None:
        switches = self.switches
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get("authorization") != f"Api-Key {API_KEY}":
            raise refusal(401 if switches.wrong_key == "unauthorized" else 403, switches)
        if not switches.requests_per_minute:
            return
        seconds = (self.clock.now() - EPOCH).total_seconds()
        minute = int(seconds // 60)
        used = self._minute[1] if self._minute[0] == minute else 0
        if used >= switches.requests_per_minute:
            wait = math.ceil((minute + 1) * 60 - seconds)
            sent = switches.retry_after == "sent"
            raise refusal(429, switches, headers={"Retry-After": str(wait)} if sent else None)
        self._minute = (minute, used + 1)

    def _mutate(self, asked: dict[str, Any]) -> object:
        """Answer `POST /_sandbox/mutate`."""
        shop = self.shop
        match asked.get("op"):
            case "create":
                return shop.create(asked["order"])
            case "update":
                return shop.update(asked["id"], asked["order"])
            case "raw":
                return shop.put_raw(asked["order"])
            case "activate":
                return shop.activate(asked["license_id"])
            case "disable":
                return shop.disable(asked["license_id"])
            case "archive":
                shop.archive(asked["id"])
            case "delete":
                shop.delete(asked["id"])
            case "moves":
                return dict(self.moves.some(asked.get("count", 1)))
            case other:
                raise ValueError(f"unknown op {other!r}")
        return {"done": True}


def serve(
    announce: Callable[[LicenseSpringSandbox], object],
    *,
    orders: int = 5_000,
    seed: int = 7,
    port: int = 0,
    traffic: int = 0,
    switches: Switches | None = None,
    now: datetime | None = None,
    history_days: int = 730,
    clock_speed: float = 1.0,
) -> None:
    """Run a sandbox in the foreground until SIGTERM or SIGINT; for the command line.

    Args:
        announce: called once with the running sandbox; shows its `base_url` and `api_key`.
        orders: how many orders its past has.
        seed: of all random data.
        port: of the API host; 0 takes a free one.
        traffic: random moves before each list.
        switches: answers to the open questions; `Switches.parse` reads them from text.
        now: where the clock starts.
        history_days: how far the past reaches.
        clock_speed: sandbox seconds per real second.

    Raises:
        OSError: the port is taken.
    """
    box = LicenseSpringSandbox(
        orders,
        seed,
        switches,
        now,
        history_days,
        port,
        traffic=traffic,
        clock_speed=clock_speed,
    )
    run_until_told(box, announce)
