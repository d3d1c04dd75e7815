"""A local server that behaves like the Voucherify Orders API; see docs/sandbox.md."""

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.faults import Fault
from orders_connector.sandbox.gate import Call
from orders_connector.sandbox.voucherify.limits import Limits, Plan
from orders_connector.sandbox.voucherify.server import VoucherifySandbox, serve
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["Call", "Clock", "Fault", "Limits", "Plan", "Switches", "VoucherifySandbox", "serve"]
