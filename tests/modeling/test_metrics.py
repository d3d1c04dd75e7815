"""Metrics are on the worked example what they promise, and no definition changes unseen."""

from dataclasses import replace
from decimal import Decimal

import pytest

from orders_connector.errors import ModelError
from orders_connector.modeling.checks import run_checks
from orders_connector.modeling.metrics import (
    contracts,
    fingerprint,
    note_versions,
    unnoted_changes,
)
from orders_connector.modeling.model import load_models, parse_model
from tests.modeling.test_worked_example import ORDERS, ROLLED_BACK

MODELS = load_models()
REVENUE = "marts.daily_revenue"
FEW = {
    "gross_revenue": REVENUE,
    "net_revenue": REVENUE,
    "tax": REVENUE,
    "price_per_unit": "marts.daily_summary",
    "cancel_rate": "marts.daily_summary",
}
# What the five orders have nothing of: incentives, licenses, referrers, two products, coverage.
NOT_IN_THE_EXAMPLE = {
    "marts.campaigns",
    "marts.daily_licenses",
    "marts.daily_redemptions",
    "marts.license_products",
    "marts.load_costs",
    "marts.people",
    "marts.product_affinity",
    "marts.product_pairs",
    "marts.promotion_rates",
    "marts.promotions",
    "marts.referrals",
    "marts.status_durations",
}


def changed(tmp_path, name, *, header=(), sql=()):
    """Return all models with one in a changed copy, read from a file as any other."""
    head, _, select = MODELS[name].path.read_text(encoding="utf-8").partition("*/")
    for pairs, text in ((header, head), (sql, select)):
        for old, _ in pairs:
            assert old in text, old
    for old, new in header:
        head = head.replace(old, new)
    for old, new in sql:
        select = select.replace(old, new)
    layer, file = name.split(".")
    copy = tmp_path / f"{file}.sql"
    copy.write_text(f"{head}*/{select}", encoding="utf-8")
    return MODELS | {name: parse_model(copy, layer)}


def few(models):
    """Return the models with few metrics: a fingerprint takes a tenth of a second."""
    kept = {}
    for name, model in models.items():
        metrics = {k: v for k, v in model.header.metrics.items() if FEW.get(k) == name}
        kept[name] = replace(model, header=model.header.model_copy(update={"metrics": metrics}))
    return kept


def differing(models):
    """Return which of the few metrics are made of something else in `models`."""
    before, after = contracts(few(MODELS)), contracts(few(models))
    assert before.keys() == after.keys() == FEW.keys()
    return {n for n in before if fingerprint(MODELS, before[n]) != fingerprint(models, after[n])}


# --- the worked example ---------------------------------------------------------------------


def on_the_example(warehouse):
    """Return what the marts say of each metric; nothing for marts without a row there."""
    found = {}
    for name, contract in contracts(warehouse.models).items():
        rows = warehouse.rows(
            f"select {contract.terms.column} as figure from {contract.model}"
            f" where {contract.terms.example.where}"
        )
        if rows:
            (row,) = rows  # the condition of an example names one figure
            figure = row["figure"]
            found[name] = None if figure is None else round(Decimal(str(figure)), 5)
    return found


def test_each_metric_is_on_the_worked_example_what_its_contract_says(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()
    found = on_the_example(warehouse)
    defined = contracts(warehouse.models)
    assert found == {
        name: contract.terms.example.is_
        for name, contract in defined.items()
        if contract.model not in NOT_IN_THE_EXAMPLE
    }
    for name in defined.keys() - found.keys():
        assert defined[name].terms.example.is_ is None, name


def test_what_each_metric_promises_holds_before_and_after_the_rollback(warehouse):
    for orders in (ORDERS, [ROLLED_BACK]):
        warehouse.land(*orders)
        warehouse.refresh()
        results = run_checks(warehouse.con, warehouse.models.values())
        promised = [r for r in results if r.name.startswith("metric_")]
        assert len(promised) == len(contracts(warehouse.models))
        assert [r for r in promised if not r.passed] == []


def test_a_promise_of_a_metric_blocks_publishing(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()
    warehouse.con.execute("update marts.daily_revenue set orders_cancelled = 5")
    broken = [r for r in run_checks(warehouse.con, [MODELS[REVENUE]]) if not r.passed]
    assert ("metric_orders_cancelled", "error") in [(r.name, r.severity) for r in broken]


# --- versions -------------------------------------------------------------------------------


def test_every_version_is_noted():
    assert unnoted_changes(MODELS) == [], "run `make docs`, after raising what it names"


FORMULA = [("sum(o.gross_minor) filter (where o.is_recognised)", "sum(o.gross_minor)")]


@pytest.fixture
def noted(tmp_path):
    file = tmp_path / "noted.yaml"
    note_versions(few(MODELS), file)
    return file


def raised(tmp_path, models, name):
    """Return the models with one metric in its second version."""
    contract = contracts(models)[name]
    head, _, select = models[contract.model].path.read_text(encoding="utf-8").partition("*/")
    first = f"  {name}: {{column: {contract.terms.column}, version: 1,"
    assert first in head
    folder = tmp_path / name
    folder.mkdir()
    copy = folder / models[contract.model].path.name
    copy.write_text(f"{head.replace(first, first[:-2] + '2,')}*/{select}", encoding="utf-8")
    return models | {contract.model: parse_model(copy, "marts")}


def test_a_changed_formula_is_told_until_its_version_rises(tmp_path, noted):
    models = changed(tmp_path, REVENUE, sql=FORMULA)
    told = unnoted_changes(few(models), noted)
    assert [line.partition(":")[0] for line in told] == ["gross_revenue", "price_per_unit"]
    assert "give it version 2 in marts.daily_revenue" in told[0]
    with pytest.raises(ModelError, match=r"gross_revenue of .* changed and is still version 1"):
        note_versions(few(models), noted)

    models = raised(tmp_path, raised(tmp_path, models, "gross_revenue"), "price_per_unit")
    assert unnoted_changes(few(models), noted) == [
        "gross_revenue: version 2 is not noted, version 1 is",
        "price_per_unit: version 2 is not noted, version 1 is",
    ]
    note_versions(few(models), noted)
    assert unnoted_changes(few(models), noted) == []


def test_a_refused_change_leaves_the_file_as_it_was(tmp_path, noted):
    with pytest.raises(ModelError):
        note_versions(few(changed(tmp_path, REVENUE, sql=FORMULA)), noted)
    assert unnoted_changes(few(MODELS), noted) == []


def test_the_same_meaning_in_other_words_may_keep_its_version(tmp_path, noted):
    models = few(changed(tmp_path, REVENUE, sql=FORMULA))
    note_versions(models, noted, same_meaning=True)
    assert unnoted_changes(models, noted) == []


def test_a_version_does_not_fall(tmp_path, noted):
    note_versions(few(raised(tmp_path, MODELS, "gross_revenue")), noted)
    with pytest.raises(ModelError, match="gross_revenue"):
        note_versions(few(MODELS), noted)


def test_a_metric_that_came_or_went_is_told(tmp_path, noted):
    went = few(MODELS)
    header = went[REVENUE].header
    metrics = {n: m for n, m in header.metrics.items() if n != "tax"}
    metrics["levies"] = header.metrics["tax"]
    went[REVENUE] = replace(went[REVENUE], header=header.model_copy(update={"metrics": metrics}))
    assert unnoted_changes(went, noted) == [
        "levies: version 1 is new and not noted yet",
        "tax: noted, but no model defines it",
    ]


# --- what a definition is made of -----------------------------------------------------------


def test_another_column_of_the_mart_changes_no_metric(tmp_path):
    sql = [("sum(o.shipping_discount_minor) filter (where o.is_recognised)", "sum(1)")]
    models = changed(tmp_path, REVENUE, sql=sql)
    assert models[REVENUE].code_version != MODELS[REVENUE].code_version
    assert differing(models) == set()


def test_the_column_of_one_metric_changes_no_other(tmp_path):
    sql = [("sum(o.tax_minor) filter (where o.is_recognised)", "sum(o.tax_minor)")]
    assert differing(changed(tmp_path, REVENUE, sql=sql)) == {"tax"}


def test_words_and_comments_change_no_definition(tmp_path):
    header = [("Amount of recognised orders before discounts.", "Before discounts.")]
    sql = [("group by o.source", "-- One row per day.\ngroup by o.source")]
    assert differing(changed(tmp_path, REVENUE, header=header, sql=sql)) == set()


def test_a_change_upstream_is_a_change_of_what_is_made_of_it(tmp_path):
    models = changed(tmp_path, REVENUE, sql=FORMULA)
    assert differing(models) == {"gross_revenue", "price_per_unit"}


# --- the contract ---------------------------------------------------------------------------


def test_a_metric_of_two_models_is_refused(tmp_path):
    header = [("  new_customers: {", "  net_revenue: {")]
    models = changed(tmp_path, "marts.daily_customers", header=header)
    with pytest.raises(ModelError, match="net_revenue is defined in marts"):
        contracts(models)


def test_a_metric_of_a_column_that_is_not_there_is_refused(tmp_path):
    header = [("{column: gross_revenue_minor, ", "{column: gross_revenue, ")]
    with pytest.raises(ModelError, match=r"not: \['gross_revenue'\]"):
        changed(tmp_path, REVENUE, header=header)


def test_a_contract_says_what_the_comment_of_the_column_shows():
    contract = contracts(MODELS)["cancelled_value"]
    assert contract.formula == MODELS[REVENUE].header.columns["cancelled_value_minor"]
    assert str(contract) == (
        "Metric cancelled_value, version 1: cancelled orders; one value per currency; never summed"
        " across; the order's business date in the account's time zone, as known now."
    )
