"""Readers: those that are configured, the doors, and what the dashboard reads."""

import inspect
import re

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.defs.dashboard import READS
from orders_connector.config import Settings
from orders_connector.dashboard import cube
from orders_connector.errors import ConfigurationError

ACCOUNT = """
[accounts.shop]
source = "voucherify"
region = "eu"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = 2026-06-20
"""
SHEET = """
[[readers]]
name = "finance_sheet"
kind = "tableau"
url = "https://tableau.example.com/views/7"
owner = "finance@example.com"
reads = ["marts.daily_revenue", "core.orders"]
"""


def settings(folder, readers):
    path = folder / "orders.toml"
    path.write_text(ACCOUNT + readers)
    return Settings.load(path)


def keys(*names):
    return {dg.AssetKey(name.split(".")) for name in names}


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    plain = '\n[[readers]]\nname = "notebook"\nreads = ["marts.products"]\n'
    definitions = build_definitions(settings(folder, SHEET + plain))
    return definitions.resolve_asset_graph()


def test_a_reader_stands_behind_what_it_reads(graph):
    node = graph.get(dg.AssetKey(["readers", "finance_sheet"]))
    assert node.parent_keys == keys("published", "marts.daily_revenue", "core.orders")
    assert not node.is_executable
    assert (node.group_name, node.kinds) == ("6_readers", {"tableau"})
    assert list(node.owners) == ["finance@example.com"]
    assert node.metadata["url"].value == "https://tableau.example.com/views/7"


def test_a_reader_needs_no_more_than_a_name_and_tables(graph):
    node = graph.get(dg.AssetKey(["readers", "notebook"]))
    assert (node.kinds, list(node.owners)) == ({"report"}, [])
    assert "url" not in node.metadata


def test_all_who_read_are_in_one_group(graph):
    found = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name == "6_readers"}
    doors = ("duckdb_file", "live_views", "parquet_folder")
    readers = (f"readers.{name}" for name in (*doors, "finance_sheet", "notebook"))
    assert found == keys("dashboard", *readers)


def test_the_dashboard_stands_behind_every_table_that_it_asks(graph):
    asked = set(re.findall(r"\b(?:core|marts)\.\w+", inspect.getsource(cube)))
    assert asked == set(READS)
    assert graph.get(dg.AssetKey("dashboard")).parent_keys == keys("published", *READS)


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("marts.daily_revenues", "; did you mean marts.daily_revenue?"),
        ("staging.orders", ""),
        ("raw.order_payloads", ""),
    ],
)
def test_a_reader_of_what_is_not_published_is_refused(tmp_path, table, hint):
    wrong = settings(tmp_path, SHEET.replace("marts.daily_revenue", table))
    with pytest.raises(ConfigurationError) as caught:
        build_definitions(wrong)
    assert f"readers.0.reads: {table} is not published{hint}" in str(caught.value)


def test_a_reader_may_not_take_the_name_of_a_door(tmp_path):
    wrong = settings(tmp_path, SHEET.replace("finance_sheet", "live_views"))
    with pytest.raises(ConfigurationError, match=r"readers\.0\.name = 'live_views': a door"):
        build_definitions(wrong)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"finance_sheet"', '"Finance Sheet"', "readers.0.name"),
        ('"tableau"', '"Tab leau"', "readers.0.kind"),
        ("https://tableau", "ftp://tableau", "readers.0.url"),
        ("finance@example.com", "finance", "readers.0.owner"),
        ('["marts.daily_revenue", "core.orders"]', "[]", "readers.0.reads"),
        ("kind", "kindd", "readers.0.kindd: there is no such setting; did you mean kind?"),
    ],
    ids=["name", "kind", "url", "owner", "reads", "unknown"],
)
def test_a_wrong_setting_is_named(tmp_path, old, new, said):
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, SHEET.replace(old, new, 1))
    assert said in str(caught.value)


def test_two_readers_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="the name finance_sheet is there twice"):
        settings(tmp_path, SHEET * 2)
