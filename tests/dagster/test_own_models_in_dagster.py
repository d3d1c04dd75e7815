"""A model of the installation's own is an asset like those of the product."""

import re
from pathlib import Path

import dagster as dg
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs/own_models.md"
BASKETS = re.search(r"```sql\n(/\*.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)
SETTING = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)
KEY = dg.AssetKey(["marts", "daily_baskets"])


@pytest.fixture
def here(tmp_path, installation):
    (tmp_path / "models/marts").mkdir(parents=True)
    (tmp_path / "models/marts/daily_baskets.sql").write_text(BASKETS)
    return installation(schedule=SETTING)


def kept(here):
    return here.query("select distinct model, check_name, severity from ops.failing_rows")


def test_it_has_what_the_models_of_the_product_have(here):
    graph = here.defs.resolve_asset_graph()
    node = graph.get(KEY)
    assert node.group_name == "4_marts"
    assert node.parent_keys == {dg.AssetKey(["core", "orders"])}
    assert node.metadata["file"] == "models/marts/daily_baskets.sql"
    lineage = node.metadata["dagster/column_lineage"].deps_by_column
    assert lineage["net_revenue_minor"] == [
        dg.TableColumnDep(dg.AssetKey(["core", "orders"]), "net_minor")
    ]
    checks = {key.name for key in graph.get_check_keys_for_assets({KEY})}
    assert "baskets_hold_all_recognised_orders" in checks
    assert node.partitions_def == graph.get(dg.AssetKey(["marts", "daily_revenue"])).partitions_def


def test_it_is_refreshed_checked_and_published_by_the_nightly_job(here):
    assert here.nightly().success
    assert here.query("select count(*) from marts.daily_baskets", here.published)[0][0] > 0
    assert here.shown("marts", "daily_baskets") == here.shown("marts", "daily_revenue")
    assert kept(here) == []

    published = here.published.stat().st_mtime_ns
    here.tamper("update marts.daily_status set discounts_minor = discounts_minor + 1")
    assert here.nightly().success
    assert here.published.stat().st_mtime_ns > published
    assert kept(here) == [("marts.daily_status", "net_is_gross_less_discounts", "warn")]

    published = here.published.stat().st_mtime_ns
    here.tamper("update marts.daily_baskets set orders = orders + 1")
    blocked = here.nightly()
    assert here.failed_steps(blocked) == {"model_checks"}
    assert here.published.stat().st_mtime_ns == published
    assert (
        "marts.daily_baskets",
        "baskets_hold_all_recognised_orders",
        "error",
    ) in kept(here)


def test_without_its_file_it_is_no_asset(tmp_path, here, installation):
    (tmp_path / "models/marts/daily_baskets.sql").unlink()
    again = installation(schedule=SETTING)
    assert not again.defs.resolve_asset_graph().has(KEY)
