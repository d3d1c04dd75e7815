"""What the tests of publishing share. Other processes are real ones here: locks are per process."""

import subprocess
import sys
import textwrap

import duckdb

from orders_connector.publishing.publish import publish
from orders_connector.warehouse.database import open_warehouse


def published(warehouse, target, **options):
    with open_warehouse(warehouse) as con:
        return publish(con, target, **options)


def change(warehouse, statement):
    with open_warehouse(warehouse) as con:
        con.execute(statement)


def ask(target, query):
    with duckdb.connect(str(target), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        return con.execute(query).fetchall()


def running(code, *arguments, **options):
    """Start Python on `code` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def others_in(target):
    return sorted(path.name for path in target.parent.iterdir() if path != target)


OTHERS = [".orders.duckdb.lock", "exports", "orders_live.duckdb"]
