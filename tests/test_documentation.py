"""Pages made from models say what these say; the cookbook answers are those of real loads."""

import re
from pathlib import Path

import pytest

from orders_connector.modeling.dictionary import data_dictionary, metric_page
from orders_connector.modeling.macros import load_macros
from orders_connector.modeling.metrics import contracts
from orders_connector.modeling.model import load_models
from tests import cookbook
from tests.modeling.test_worked_example import ORDERS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MODELS = load_models()
RENEW = "the page is not what the models give: run `make docs` and look at what changed"
WRITTEN = [
    "bi.md",
    "models.md",
    "marts/README.md",
    "worked_example.md",
    "cookbook.md",
    "data_dictionary.md",
    "metrics.md",
]


def read(name):
    return (DOCS / name).read_text(encoding="utf-8")


# --- dictionary and metrics -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made"), [("data_dictionary.md", data_dictionary), ("metrics.md", metric_page)]
)
def test_the_page_is_what_the_models_give(name, made):
    assert read(name) == made(MODELS), RENEW


def test_every_table_column_and_metric_is_on_a_page():
    dictionary, metrics = read("data_dictionary.md"), read("metrics.md")
    for name, model in MODELS.items():
        section = dictionary.split(f"\n### {name}\n")[1].split("\n### ")[0]
        for column in model.columns:
            assert f"\n| `{column}` |" in section, f"{name}.{column}"
    for macro in load_macros():
        assert f"\n### {macro.name}(" in dictionary
    for name in contracts(MODELS):
        assert f"\n| `{name}` |" in metrics


RESERVED = {"end", "graph", "flowchart", "subgraph", "default", "style", "class", "click", "call"}


def test_the_picture_of_the_lineage_can_be_drawn():
    picture = re.search(r"```mermaid\nflowchart LR\n(.*?)```", read("data_dictionary.md"), re.S)[1]
    lines = [line.strip() for line in picture.splitlines()]
    node = r"(\w+)(?:\[\(\"[^\"]+\"\)\]|\(\[\"[^\"]+\"\]\)|\[\"[^\"]+\"\])"
    nodes, arrows = set(), set()
    for line in lines:
        if found := re.fullmatch(r"(\w+) --> (\w+)", line):
            arrows.add(found.groups())
        elif line != "end" and not re.fullmatch(r"subgraph \w+\[\"\w+\"\]", line):
            boxes = line.split(" --> ")
            assert all(re.fullmatch(node, box) for box in boxes), line
            nodes |= {re.fullmatch(node, box)[1] for box in boxes}
    assert not nodes & RESERVED
    assert {end for arrow in arrows for end in arrow} <= nodes
    shown = {name.replace(".", "_") for name in MODELS if not name.startswith("staging.")}
    assert nodes - shown == {"raw_log", "staging_models", "operations"}
    assert shown == {end for _, end in arrows}, "a table without an arrow into it"


# --- written by hand ------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITTEN)
def test_links_lead_to_files_and_headings(name):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", read(name)):
        file = (DOCS / name).parent / target if target else DOCS / name
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {anchor_of(heading) for heading in headings}, f"{target}#{anchor}"


def anchor_of(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_catalogue_names_every_mart_once_as_the_answer():
    named = re.findall(r"^\| [^|]+ \| `(marts\.\w+)", read("marts/README.md"), re.MULTILINE)
    assert len(named) == len(set(named))
    marts = {name for name in MODELS if name.startswith("marts.")}
    macros = {macro.name for macro in load_macros() if macro.name.startswith("marts.")}
    assert set(named) == marts | macros


def test_the_orders_of_the_worked_example_are_those_of_its_test():
    rows = re.findall(r"^\| ([A-E]) \|(.*)\|$", read("worked_example.md"), re.MULTILINE)
    written = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    assert written.keys() == {order["id"] for order in ORDERS}
    for order in ORDERS:
        customer, created, _, status, *amounts = written[order["id"]]
        assert customer == (order["customer_id"] or "a guest")
        day, time = order["created_at"][8:10].lstrip("0"), order["created_at"][11:16]
        assert created == f"{day} March, {time}"
        assert status == order["status"].lower().replace("canceled", "cancelled")
        keys = ("amount", "discount_amount", "items_discount_amount", "total_amount")
        assert amounts == [f"{order[key]:,}" if order.get(key) else "" for key in keys]


def test_the_figures_of_the_worked_example_are_those_of_the_contracts():
    """Which are those of the marts: tests/modeling/test_metrics.py."""
    table = read("worked_example.md").split("## The figures of 3 March")[1].split("\n## ")[0]
    written = re.findall(r"^\| ([a-z][^|]+) \| ([\d,./ %]+) \|", table, re.MULTILINE)
    metrics = {
        "orders placed": "orders_placed",
        "orders recognised": "orders_recognised",
        "gross revenue": "gross_revenue",
        "discounts": "discounts",
        "net revenue": "net_revenue",
        "average order, net": "average_order_net",
        "median order, net": "median_order_net",
        "discount rate": "discount_rate",
        "share of orders with a discount": "discounted_order_share",
        "cancelled value": "cancelled_value",
        "cancel rate": "cancel_rate",
        "pipeline value": "pipeline_value",
        "new customers": "new_customers",
        "returning customers": "returning_customers",
        "guests": "guest_orders",
    }
    assert [name for name, _ in written] == list(metrics)
    found = contracts(MODELS)
    for name, shown in written:
        text = shown.strip().replace(",", "")
        number, _, divisor = text.removesuffix(" %").partition("/")
        value = float(number) / float(divisor or 1) / (100 if text.endswith("%") else 1)
        assert round(value, 5) == float(found[metrics[name]].terms.example.is_), name


# --- cookbook -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shops(tmp_path_factory):
    """The published copy of three shops, loaded twice, open to be asked."""
    folder = tmp_path_factory.mktemp("cookbook")
    with pytest.MonkeyPatch.context() as patch:
        published = cookbook.load_shops(folder, patch.setenv)
    with cookbook.open_copy(published) as con:
        yield con


@pytest.mark.parametrize("file", cookbook.QUESTIONS, ids=lambda file: file.stem)
def test_the_answer_on_the_page_is_what_the_query_gives(shops, file):
    question, remark, sql = cookbook.parts(file)
    assert question.endswith("?")
    section = read("cookbook.md").split(f". {question}\n\n")[1].split("\n## ")[0]
    answer = cookbook.answer(shops, sql)
    assert len(answer) > 2, "no row"
    written = [*([remark, ""] if remark else []), "```sql", sql, "```", "", *answer]
    assert section.strip().splitlines() == "\n".join(written).splitlines(), "run `make docs`"


def test_the_cookbook_is_what_its_questions_and_shops_give(shops):
    assert read("cookbook.md") == cookbook.page(shops), "run `make docs`"
    assert len(cookbook.QUESTIONS) >= 20


def test_the_shops_are_loaded_whole_and_their_checks_hold(shops):
    asked = "select count(*), sum(orders), max(gaps), max(quarantined) from marts.data_freshness"
    ((accounts, orders, gaps, quarantined),) = shops.execute(asked).fetchall()
    assert (accounts, gaps, quarantined) == (3, 0, 0)
    assert 0 < orders <= 900


def test_the_month_end_differs_by_what_was_restated(shops):
    """Two pages of the cookbook tell the same story."""
    restated = shops.execute(
        "select sum(delta) from marts.restatements where model = 'marts.daily_revenue'"
        " and metric = 'net_revenue_minor' and account = 'demo_shop'"
        " and order_date between '2026-07-01' and '2026-07-31'"
    ).fetchone()
    then, now = (
        shops.execute(
            f"select sum(net_revenue_minor) from {table} where account = 'demo_shop'"
            " and order_date between '2026-07-01' and '2026-07-31'"
        ).fetchone()
        for table in ("marts.daily_revenue_as_of('2026-07-31T22:00:00Z')", "marts.daily_revenue")
    )
    assert restated[0] == now[0] - then[0] != 0
