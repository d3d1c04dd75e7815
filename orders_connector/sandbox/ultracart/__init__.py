"""A local server that behaves like the UltraCart order API; see docs/sandbox.md."""

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.faults import Fault
from orders_connector.sandbox.gate import Call
from orders_connector.sandbox.ultracart.limits import Limits, Plan
from orders_connector.sandbox.ultracart.refunds import RefundOptions
from orders_connector.sandbox.ultracart.server import UltraCartSandbox, serve
from orders_connector.sandbox.ultracart.switches import Switches

__all__ = [
    "Call",
    "Clock",
    "Fault",
    "Limits",
    "Plan",
    "RefundOptions",
    "Switches",
    "UltraCartSandbox",
    "serve",
]
