"""The Dagster side of orders-connector: thin assets over the library."""
