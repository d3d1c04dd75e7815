"""What a load shows in the UI: plotted figures, newest rows, evidence, doors."""

import dagster as dg
import pytest

from dagster_project.defs.figures import newest_rows
from orders_connector.modeling.configured import configured_models
from orders_connector.publishing.personal import personal_columns


@pytest.fixture(scope="module")
def night(opened):
    here = opened(orders=150)
    result = here.nightly()
    assert result.success
    return here, result


def test_net_revenue_and_orders_are_numbers_of_each_date(night):
    here, result = night
    logged = here.logged(result, "marts", "daily_revenue")
    rows = here.query(
        "select order_date::varchar, sum(net_revenue_minor), sum(orders_placed), count(*)"
        " from marts.daily_revenue group by all"
    )
    assert len(rows) > 20
    for day, net, placed, count in rows:
        assert logged[day]["net_revenue_EUR"] == pytest.approx(int(net) / 100)
        assert logged[day]["orders_placed"] == placed
        assert logged[day]["dagster/partition_row_count"] == count


def test_the_published_copy_has_the_sums(night):
    here, result = night
    (facts,) = here.logged(result, "published").values()
    ((net,),) = here.query("select sum(net_revenue_minor) from marts.daily_revenue")
    assert facts["net_revenue_EUR_of_all_days"] == pytest.approx(int(net) / 100)
    assert facts["dashboard"] == (here.published.parent / "dashboard.html").as_uri()


def test_only_the_newest_date_shows_its_rows(night):
    here, result = night
    logged = here.logged(result, "marts", "daily_revenue")
    shown = [day for day, facts in logged.items() if "preview" in facts]
    assert shown == [max(logged)]
    assert f"| {max(logged)} | EUR |" in logged[shown[0]]["preview"]


def test_no_personal_data_is_shown(night):
    here, result = night
    customers = {key for (key,) in here.query("select customer_key from marts.customers")}
    assert len(customers) > 10
    for event in result.all_events:
        if event.is_step_materialization and event.asset_key.path[0] == "marts":
            metadata = event.step_materialization_data.materialization.metadata
            preview = metadata.get("preview")
            assert not preview or not [key for key in customers if key and key in preview.value]


def test_every_mart_with_rows_shows_some(night):
    here, _ = night
    models = configured_models(here.settings)
    hidden = personal_columns(models)
    with here.defs.resources["warehouse"].get_connection(read_only=True) as con:
        for name, model in models.items():
            if model.layer == "marts" and con.execute(f"from {name} limit 1").fetchall():
                preview = newest_rows(con, model, hidden.get(name, ()))["preview"].value
                head = preview.splitlines()[0].strip("| ").split(" | ")
                assert not set(head) & set(hidden.get(name, ())), name


def test_markup_in_a_name_stays_text(night):
    here, _ = night
    model = configured_models(here.settings)["marts.products"]
    here.tamper("update marts.products set product_key = '<b>[x](y)</b> | *z*\\n'")
    with here.defs.resources["warehouse"].get_connection(read_only=True) as con:
        preview = newest_rows(con, model, ())["preview"].value
    assert r"\<b\>\[x\](y)\</b\> ¦ \*z\*" in preview


def test_an_extraction_shows_its_evidence(night):
    here, result = night
    facts = here.logged(result, "raw", "shop_orders")["2026-07-31"]
    assert "| is it complete? | complete |" in facts["evidence"]
    assert "why not?" not in facts["evidence"]
    assert "| asked for | 2026-06-20 00:00 | 2026-08-01 00:00 |" in facts["windows"]


def test_doors_are_noted_when_they_are_renewed(night):
    here, _ = night
    for door in ("duckdb_file", "live_views", "parquet_folder"):
        event = here.instance.get_latest_materialization_event(dg.AssetKey(["readers", door]))
        path = event.asset_materialization.metadata["path"].value
        assert path.startswith(str(here.published.parent))
