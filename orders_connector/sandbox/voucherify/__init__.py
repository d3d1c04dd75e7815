"""A local server that behaves like the Voucherify Orders API; see docs/sandbox.md."""

from orders_connector.sandbox.voucherify.clock import Clock
from orders_connector.sandbox.voucherify.faults import Fault
from orders_connector.sandbox.voucherify.gate import Call
from orders_connector.sandbox.voucherify.limits import Limits, Plan
from orders_connector.sandbox.voucherify.server import VoucherifySandbox, serve
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["Call", "Clock", "Fault", "Limits", "Plan", "Switches", "VoucherifySandbox", "serve"]
