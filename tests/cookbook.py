"""The cookbook's page: questions, their SQL, and the answers of three shops, always the same.

`make docs` runs this file; `test_documentation.py` compares the page with what it gives.
"""

import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from orders_connector.config import Settings
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.voucherify import VoucherifySandbox
from orders_connector.sync import sync_account

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "cookbook.md"
QUESTIONS = sorted((DOCS / "cookbook").glob("*.sql"))
ROWS = 10
# Midnight in Warsaw: the first load sees July as its last evening left it.
MONTH_END = datetime(2026, 7, 31, 22, tzinfo=UTC)
CONFIG = """
[accounts.demo_shop]
source = "voucherify"
base_url = "{shop.base_url}"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = 2026-01-01

[accounts.demo_store]
source = "ultracart"
base_url = "{store.base_url}"
currency = "USD"
time_zone = "Europe/Warsaw"
history_start = 2026-01-01

[accounts.demo_vendor]
source = "licensespring"
base_url = "{vendor.base_url}"
requests_per_second = 100
time_zone = "Europe/Warsaw"
history_start = 2026-01-01
"""
INTRODUCTION = """\
# Cookbook

<!-- Made by `make docs` from docs/cookbook/*.sql; changes here are lost. -->

Questions that analysts ask, each with SQL for the published copy and its answer. Run one with
`orders-connector query "$(cat docs/cookbook/01_revenue_by_month.sql)"`, or open the copy in any
DuckDB client. [Which mart answers what](marts/README.md), [every column](data_dictionary.md),
[what each figure means](metrics.md).

The answers are those of three made-up shops with {orders} orders from February to July 2026, one
per source. They were loaded at the end of July and once more a day later. Amounts in the marts are
minor units; these currencies have two decimals, so the SQL divides by 100, or by
`power(10, minor_unit_exponent)` where currencies may differ. An empty cell is not known, which is
never the same as zero. At most {rows} rows are shown.
"""


def load_shops(folder: Path, setenv: Callable[[str, str], object]) -> Path:
    """Load three shops, let a day pass in them, load again; return the published copy."""
    past = {"seed": 7, "now": MONTH_END, "history_days": 180}
    with ExitStack() as stack:
        shop = stack.enter_context(VoucherifySandbox(450, **past))
        store = stack.enter_context(UltraCartSandbox(220, latency=0.0, **past))
        vendor = stack.enter_context(LicenseSpringSandbox(170, **past))
        setenv("VOUCHERIFY_APP_ID", shop.app_id)
        setenv("VOUCHERIFY_APP_TOKEN", shop.app_token)
        setenv("ULTRACART_SIMPLE_KEY", store.simple_key)
        setenv("LICENSESPRING_API_KEY", vendor.api_key)
        file = folder / "orders.toml"
        file.write_text(CONFIG.format(shop=shop, store=store, vendor=vendor), encoding="utf-8")
        settings = Settings.load(file)
        for boxes in ((), (shop, store, vendor)):
            for box in boxes:
                box.moves.day()
            for name in settings.accounts:
                sync_account(settings, name).raise_unless_complete()
            refresh_models(settings)
        publish_warehouse(settings)
    return settings.warehouse.published


def open_copy(published: Path) -> duckdb.DuckDBPyConnection:
    """Open the published copy as `orders-connector query` does."""
    con = duckdb.connect(str(published), read_only=True)
    con.execute("set TimeZone = 'UTC'")
    return con


def page(con: duckdb.DuckDBPyConnection) -> str:
    """Return the whole page, with the answers that the copy gives."""
    ((orders,),) = con.execute("select count(*) from core.orders").fetchall()
    read = [parts(file) for file in QUESTIONS]
    headings = [f"{number}. {question}" for number, (question, _, _) in enumerate(read, start=1)]
    lines = [INTRODUCTION.format(orders=orders, rows=ROWS)]
    lines += [f"- [{heading}](#{_anchor(heading)})" for heading in headings]
    for heading, (_, remark, sql) in zip(headings, read, strict=True):
        lines += ["", f"## {heading}", ""]
        lines += [remark, ""] if remark else []
        lines += ["```sql", sql, "```", "", *answer(con, sql)]
    return "\n".join(lines) + "\n"


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """Return the first rows as a table in Markdown."""
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    columns = [_cells(column) for column in zip(*rows[:ROWS], strict=True)]
    numbers = [any(map(_is_number, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"| {' | '.join(names)} |",
        f"|{'|'.join(' ---: ' if number else ' --- ' for number in numbers)}|",
        *(f"| {' | '.join(cells)} |" for cells in zip(*columns, strict=True)),
    ]
    return [*lines, "", f"... and {len(rows) - ROWS} more rows."] if len(rows) > ROWS else lines


def parts(file: Path) -> tuple[str, str, str]:
    """Split a file into its question, a remark and the statement."""
    comment, statement = re.fullmatch(
        r"((?:-- [^\n]*\n)+)(.*)", file.read_text(encoding="utf-8"), re.DOTALL
    ).groups()
    question, *remark = [line.removeprefix("-- ") for line in comment.splitlines()]
    return question, "\n".join(remark), statement.strip()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cells(column: tuple[object, ...]) -> list[str]:
    """Write the values of one column, all numbers of it with equally many decimals."""
    numbers = [Decimal(str(v)).normalize() for v in column if isinstance(v, float | Decimal)]
    decimals = max((-int(n.as_tuple().exponent) for n in numbers), default=0)
    return [_cell(value, max(decimals, 0)) for value in column]


def _cell(value: object, decimals: int) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() | Decimal():
            return f"{value:,.{decimals}f}"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def main() -> None:
    """Write the page."""
    with TemporaryDirectory() as folder:
        published = load_shops(Path(folder), os.environ.__setitem__)
        with open_copy(published) as con:
            PAGE.write_text(page(con), encoding="utf-8")


if __name__ == "__main__":
    main()
