# ruff: noqa: ANN001, ANN202, B018
# The cells that marimo writes have no types, and their last line is what they show.
"""The cookbook's questions, asked of the published copy; a notebook for marimo.

`make notebook` opens it on the demo's copy, `make notebook COPY=/srv/orders/orders.duckdb` on
another. The SQL is that of docs/cookbook: change it there, or ask something else in a new cell.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Orders cookbook")

with app.setup:
    from dataclasses import dataclass
    from pathlib import Path
    from typing import Any

    import duckdb
    import marimo as mo

    COOKBOOK = Path(__file__).parents[1] / "docs/cookbook"


@app.class_definition
@dataclass(frozen=True)
class Answer:
    """An answer, which marimo shows as question, table and SQL.

    Attributes:
        rows: Column to value, as Python has it: money is int or Decimal, never a float.
    """

    question: str
    remark: str
    sql: str
    rows: list[dict[str, Any]]

    def _display_(self) -> mo.Html:
        text = mo.md(f"## {self.question}\n\n{self.remark}")
        table = mo.ui.table(self.rows, selection=None, pagination=True)
        return mo.vstack([text, table, mo.accordion({"SQL": mo.md(f"```sql\n{self.sql}\n```")})])


@app.function
def ask(copy: Path, sql: str, question: str = "", remark: str = "") -> Answer:
    """Return the answer of the copy that is published at this moment.

    A connection for each question: one that is held goes on showing the copy it opened.
    """
    with duckdb.connect(str(copy), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        cursor = con.execute(sql)
        names = [name for name, *_ in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Answer(question, remark, sql, rows)


@app.cell(hide_code=True)
def _():
    mo.md("""
    # Orders cookbook

    Amounts in the marts are minor units; these questions show major units. An empty cell is not
    known, which is never the same as zero.
    """)
    return


@app.cell(hide_code=True)
def _():
    place = mo.ui.text(
        value=str(mo.cli_args().get("copy") or ".demo/data/published/orders.duckdb"),
        label="Published copy",
        full_width=True,
    )
    again = mo.ui.button(label="Ask again")
    mo.hstack([place, again], widths=[6, 1], align="end")
    return again, place


@app.cell(hide_code=True)
def _(again, place):
    again.value  # asks all questions anew
    copy = Path(place.value)
    mo.stop(
        not copy.is_file(),
        mo.md(f"Nothing is published at `{copy}`: run `make demo`, or name another copy above."),
    )
    publication = ask(
        copy, "select data_through, published_at, version, load_id from meta.publication"
    )

    def answer(name: str) -> Answer:
        """Return the answer to a question of the cookbook, by the name of its file."""
        lines = (COOKBOOK / f"{name}.sql").read_text(encoding="utf-8").strip().splitlines()
        remarks = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
        sql = "\n".join(lines[len(remarks) :])
        return ask(copy, sql, remarks[0], " ".join(remarks[1:]))

    mo.ui.table(publication.rows, selection=None, show_download=False)
    return answer, copy


@app.cell
def _(answer):
    revenue_by_month = answer("01_revenue_by_month")
    revenue_by_month
    return


@app.cell
def _(answer):
    growth = answer("02_growth")
    growth
    return


@app.cell
def _(answer):
    discount_levels = answer("03_discount_levels")
    discount_levels
    return


@app.cell
def _(answer):
    discount_depth = answer("04_discount_depth")
    discount_depth
    return


@app.cell
def _(answer):
    order_value_with_discount = answer("05_order_value_with_discount")
    order_value_with_discount
    return


@app.cell
def _(answer):
    new_and_returning = answer("06_new_and_returning")
    new_and_returning
    return


@app.cell
def _(answer):
    cohort_retention = answer("07_cohort_retention")
    cohort_retention
    return


@app.cell
def _(answer):
    second_order = answer("08_second_order")
    second_order
    return


@app.cell
def _(answer):
    best_customers = answer("09_best_customers")
    best_customers
    return


@app.cell
def _(answer):
    segments = answer("10_segments")
    segments
    return


@app.cell
def _(answer):
    product_ranking = answer("11_product_ranking")
    product_ranking
    return


@app.cell
def _(answer):
    product_pairs = answer("12_product_pairs")
    product_pairs
    return


@app.cell
def _(answer):
    campaign_return = answer("13_campaign_return")
    campaign_return
    return


@app.cell
def _(answer):
    unattributed_discount = answer("14_unattributed_discount")
    unattributed_discount
    return


@app.cell
def _(answer):
    status_funnel = answer("15_status_funnel")
    status_funnel
    return


@app.cell
def _(answer):
    time_in_status = answer("16_time_in_status")
    time_in_status
    return


@app.cell
def _(answer):
    stuck_orders = answer("17_stuck_orders")
    stuck_orders
    return


@app.cell
def _(answer):
    cancelled_value = answer("18_cancelled_value")
    cancelled_value
    return


@app.cell
def _(answer):
    month_end = answer("19_month_end")
    month_end
    return


@app.cell
def _(answer):
    restated = answer("20_restated")
    restated
    return


@app.cell
def _(answer):
    hourly_profile = answer("21_hourly_profile")
    hourly_profile
    return


@app.cell
def _(answer):
    trials_and_licenses = answer("22_trials_and_licenses")
    trials_and_licenses
    return


@app.cell
def _(answer):
    complete = answer("23_complete")
    complete
    return


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Your own question

    `answer.rows` of a question above is a list of dicts for pandas or polars. To ask something new,
    change the SQL here, or add a cell.
    """)
    return


@app.cell
def _(copy):
    own = ask(
        copy,
        """
        select order_date, account, currency, net_revenue_minor
        from marts.daily_revenue
        where net_revenue_minor is not null
        order by order_date desc, account
        """,
    )
    mo.ui.table(own.rows)
    return


if __name__ == "__main__":
    app.run()
