"""Runs the command line as `python -m orders_connector.cli`."""

from orders_connector.cli.app import main

main()
