"""What Dagster shows, as text that is reviewed; and what loading it needs.

`UPDATE_SNAPSHOTS=1 pytest tests/dagster/test_definitions.py` rewrites definitions.txt.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import defs as load_definitions
from orders_connector.errors import ConfigurationError
from orders_connector.modeling.metrics import contracts_of
from orders_connector.modeling.model import load_models

SNAPSHOT = Path(__file__).with_name("definitions.txt")
PROJECT = Path(__file__).parents[2]
ACCOUNTS = {
    "north": "voucherify",
    "south": "voucherify",
    "cart": "ultracart",
    "vendor": "licensespring",
}
SCHEDULE = '[schedule]\ncron = "30 4 * * *"\ntime_zone = "America/New_York"\n'


@pytest.fixture(scope="module")
def here(opened):
    return opened(orders=0, accounts=ACCOUNTS, schedule=SCHEDULE)


@pytest.fixture(scope="module")
def graph(here):
    return here.defs.resolve_asset_graph()


def described(here, graph):
    """Say in lines what the definitions are."""
    lines = []
    for key in sorted(graph.get_all_asset_keys(), key=lambda k: k.path):
        node = graph.get(key)
        op = node.assets_def.op if node.is_executable else None
        lines += [
            f"asset {key.to_user_string()}",
            f"  group {node.group_name}, kinds {', '.join(sorted(node.kinds))}",
            f"  step {op.name}, pool {op.pool}" if op else "  shown only",
            *[f"  reads {parent.to_user_string()}" for parent in sorted(node.parent_keys)],
        ]
        if node.partitions_def:
            lines.append(f"  partitions {node.partitions_def}")
        if node.backfill_policy:
            lines.append(f"  backfill {node.backfill_policy.policy_type.value}")
        if op and op.retry_policy:
            lines.append(f"  retries {op.retry_policy.max_retries}")
        if node.freshness_policy_or_from_metadata:
            lines.append("  has a freshness policy")
        for check in sorted(graph.get_check_keys_for_assets({key})):
            spec = graph.get_check_spec(check)
            lines.append(f"  check {spec.name}{', blocks' if spec.blocking else ''}")
    for name in ("nightly", "hydrate", "refresh"):
        job = here.defs.resolve_job_def(name)
        lines += [f"job {name}", *sorted(f"  step {node.name}" for node in job.nodes)]
    for schedule in here.defs.schedules:
        zone = schedule.execution_timezone
        lines.append(
            f"schedule {schedule.name}: {schedule.job_name}, {schedule.cron_schedule} {zone}"
        )
    lines += [f"sensor {sensor.name}" for sensor in here.defs.sensors]
    return "\n".join(lines) + "\n"


def test_the_definitions_are_as_reviewed(here, graph):
    text = described(here, graph)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


def test_the_definitions_load(here):
    dg.Definitions.validate_loadable(here.defs)


def test_every_step_that_opens_the_warehouse_shares_one_pool(graph):
    steps = [node for node in graph.assets_defs if node.is_executable]
    assert {step.op.pool for step in steps} == {"duckdb"}
    # Per account: extraction and comparison; where there are exports, these and items as well.
    assert len(steps) == 6 + 2 * 4 + 2 * 2


def test_every_model_is_an_asset_that_says_what_its_columns_mean(graph):
    for name, model in load_models().items():
        node = graph.get(dg.AssetKey(name.split(".")))
        assert node.group_name[2:] == model.layer
        assert node.code_version == model.code_version
        assert node.description.startswith(model.header.description.strip())
        schema = node.metadata["dagster/column_schema"].columns
        meanings = {column.name: column.description.split(" ← ")[0] for column in schema}
        assert meanings == model.header.columns
        for metric in contracts_of(model).values():
            assert f"- **{metric.metric}** (version " in node.description
        assert all(column.type for column in schema)


def test_a_column_says_what_it_comes_from(graph):
    schema = graph.get(dg.AssetKey(["marts", "daily_status"])).metadata["dagster/column_schema"]
    (column,) = (column for column in schema.columns if column.name == "redemptions")
    assert column.description.endswith(" ← core.orders.redemption_count")


def test_column_lineage_is_read_from_the_sql(graph):
    lineage = graph.get(dg.AssetKey(["marts", "daily_status"])).metadata["dagster/column_lineage"]
    assert lineage.deps_by_column["redemptions"] == [
        dg.TableColumnDep(dg.AssetKey(["core", "orders"]), "redemption_count")
    ]
    lineage = graph.get(dg.AssetKey(["staging", "voucherify_orders"])).metadata[
        "dagster/column_lineage"
    ]
    assert lineage.deps_by_column["loaded_at"] == [
        dg.TableColumnDep(dg.AssetKey(["raw", f"{account}_orders"]), "loaded_at")
        for account in ("north", "south")
    ]


def test_the_schedule_asks_for_the_last_closed_utc_day(here):
    schedule = here.defs.resolve_schedule_def("nightly_load")

    def request_at(moment):
        context = dg.build_schedule_context(
            repository_def=here.defs.get_repository_def(), scheduled_execution_time=moment
        )
        return schedule.evaluate_tick(context)

    (request,) = request_at(datetime(2026, 7, 2, 8, 30, tzinfo=UTC)).run_requests
    assert request.partition_key == "2026-07-01"
    # 20:30 in New York is the next day in UTC, so another UTC day is closed.
    (request,) = request_at(datetime(2026, 7, 3, 0, 30, tzinfo=UTC)).run_requests
    assert request.partition_key == "2026-07-02"
    tick = request_at(datetime(2026, 6, 20, 8, 30, tzinfo=UTC))
    assert not tick.run_requests
    assert "no UTC day" in tick.skip_message


def test_today_and_tomorrow_are_business_dates(graph):
    days = graph.get(dg.AssetKey(["marts", "daily_revenue"])).partitions_def
    keys = days.get_partition_keys(current_time=datetime(2026, 7, 10, 12, tzinfo=UTC))
    assert keys[0] == "2026-06-20"
    assert keys[-1] == "2026-07-11"


def test_a_missing_configuration_says_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERS_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml .*ORDERS_CONFIG"):
        load_definitions()


@pytest.mark.slow
def test_the_workspace_is_valid(here, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=PROJECT,
        env=os.environ | {"DAGSTER_HOME": str(tmp_path), "ORDERS_CONFIG": str(here.config)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location orders_connector" in done.stdout


@pytest.mark.slow
def test_the_instance_template_is_valid_and_limits_the_pool(tmp_path):
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.global_op_concurrency_default_limit == 1
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
