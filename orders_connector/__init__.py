"""Complete, provable order history from commerce APIs in a DuckDB warehouse."""

__version__ = "0.1.0"
