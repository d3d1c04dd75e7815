"""The sandbox as a whole: its state and its three hosts."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.types import Scope

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.control import control_app
from orders_connector.sandbox.faults import Faults
from orders_connector.sandbox.gate import Call, Gate
from orders_connector.sandbox.hosted import Hosted, run_until_told
from orders_connector.sandbox.voucherify.access import APP_ID, APP_TOKEN, Access
from orders_connector.sandbox.voucherify.api import Api
from orders_connector.sandbox.voucherify.download import Downloads
from orders_connector.sandbox.voucherify.errors import DIALECT, ApiError
from orders_connector.sandbox.voucherify.exports import Exports
from orders_connector.sandbox.voucherify.history import history
from orders_connector.sandbox.voucherify.imports import AsyncActions
from orders_connector.sandbox.voucherify.limits import Limits, Meter, Plan
from orders_connector.sandbox.voucherify.moves import Moves
from orders_connector.sandbox.voucherify.orders import OrderMaker
from orders_connector.sandbox.voucherify.shop import Shop
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["VoucherifySandbox", "serve"]

_BULK = ("/v1/exports", "/v1/orders/export", "/v1/orders/import")


class VoucherifySandbox(Hosted):
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
        super().__init__(self._build(), (port, download_port, 0))

    def _build(self) -> tuple[Gate, Gate, Gate]:
        api = Api(self.shop, self.exports, self.actions, self._access, self._before_list)
        self._downloads = Downloads(self.shop, self.exports, self._access)
        common: dict[str, Any] = {
            "clock": self.clock,
            "faults": self.faults,
            "dialect": DIALECT,
            "prefix": "v-",
        }
        return (
            Gate(
                api.app,
                host="api",
                admit=self._admit,
                headers=lambda _: self.meter.headers(),
                control=control_app(self, self._mutate),
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

    def _opened(self) -> None:
        self.exports.download_url = self.download_url
        self._downloads.storage_url = self.storage_url

    def _mutate(self, asked: dict[str, Any]) -> object:
        """Answer `POST /_sandbox/mutate`."""
        match asked.get("op"):
            case "create":
                return self.shop.create(asked["order"])
            case "update":
                return self.shop.update(asked["id"], asked["order"])
            case "raw":
                return self.shop.put_raw(asked["order"])
            case "rollback":
                return self.shop.rollback(asked["id"], asked.get("with_order", True))
            case "erase":
                return {"orders": self.shop.erase_customer(asked["customer_id"])}
            case "import":
                return {"orders": len([self.shop.imported(order) for order in asked["orders"]])}
            case "moves":
                return dict(self.moves.some(asked.get("count", 1)))
            case other:
                raise ValueError(f"unknown op {other!r}")

    def kept(self) -> dict[str, Any]:
        """Return the state as plain data, for `restore` of another sandbox of this kind."""
        return {"orders": self.shop.truth()}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take over the state of another sandbox; this one has no orders yet."""
        self.shop.load(kept["orders"])

    # --- what tests ask ------------------------------------------------------------------------

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
    def downloads(self) -> list[Call]:
        """Requests to the download and storage hosts."""
        return self._hosts[1].calls + self._hosts[2].calls


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
    run_until_told(box, announce)
