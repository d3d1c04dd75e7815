"""The command `orders-connector`; what it does is in the library. Commands: docs/cli.md."""

from orders_connector.cli.app import main

__all__ = ["main"]
