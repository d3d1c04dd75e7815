"""A local server that behaves like LicenseSpring's Management API; see docs/licensespring.md."""

from orders_connector.sandbox.clock import Clock
from orders_connector.sandbox.faults import Fault
from orders_connector.sandbox.gate import Call
from orders_connector.sandbox.licensespring.server import LicenseSpringSandbox, serve
from orders_connector.sandbox.licensespring.switches import Switches

__all__ = ["Call", "Clock", "Fault", "LicenseSpringSandbox", "Switches", "serve"]
