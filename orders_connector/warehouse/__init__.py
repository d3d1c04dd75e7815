"""Where tables live: the DuckDB file, its schema, and the copy that readers get."""
