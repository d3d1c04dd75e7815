"""What deploy/ holds fits together, and to the rest of the project."""

import re
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster_postgres.utils import get_conn_string

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def read_yaml(path):
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """The settings of Dagster, with the appended storage, as Dagster reads them."""
    texts = (
        path.read_text("utf-8")
        for path in (ROOT / "dagster.yaml", DEPLOY / "postgres_storage.yaml")
    )
    (tmp_path / "dagster.yaml").write_text("".join(texts), encoding="utf-8")
    for line in (DEPLOY / "systemd" / "environment.example").read_text("utf-8").splitlines():
        if line.startswith("DAGSTER_PG_"):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value or "secret")
    settings, _ = dagster_instance_config(str(tmp_path))
    return settings


def test_dagster_takes_its_settings_with_the_storage_appended(instance):
    assert instance["storage"]["postgres"]["postgres_db"]["hostname"] == {"env": "DAGSTER_PG_HOST"}
    assert instance["concurrency"]["pools"]["default_limit"] == 1


def test_the_driver_of_the_storage_is_there(instance):
    scheme = instance["storage"]["postgres"]["postgres_db"]["scheme"]
    address = get_conn_string("dagster", "secret", "127.0.0.1", "dagster", scheme=scheme)
    assert sqlalchemy.create_engine(address).dialect.driver == "psycopg2"


def test_what_dagster_brings_is_of_one_release():
    pins = dict(
        re.findall(
            r"^(dagster[\w-]*)==([\d.]+)",
            "\n".join(
                [
                    *PROJECT["project"]["dependencies"],
                    *PROJECT["project"]["optional-dependencies"]["postgres"],
                ]
            ),
            re.M,
        )
    )
    assert pins["dagster-postgres"] == pins["dagster-duckdb"]
    assert f"--version {pins['dagster']} " in (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert f"dagster-k8s=={pins['dagster-duckdb']} " in (ROOT / "docs" / "deploy.md").read_text(
        "utf-8"
    )
    assert f"dagster-postgres=={pins['dagster-postgres']}" in PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_program_that_is_installed(unit):
    text = unit.read_text("utf-8")
    folder = re.search(r"^WorkingDirectory=(.*)$", text, re.M)[1]
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    program, *arguments = command.replace(f"{folder}/", f"{ROOT}/").split()
    assert Path(program).exists()
    for name, value in pairwise(arguments):
        assert name != "--workspace" or (ROOT / value).exists()
    assert ("EnvironmentFile=/etc/orders-connector/keys" in text) == (unit.stem == "orders-code")


def test_systemd_has_no_complaint_about_the_units(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    files = [*UNITS, DEPLOY / "systemd" / "orders.target"]
    for file in files:
        text = file.read_text("utf-8").replace("/opt/orders-connector", str(ROOT))
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / file.name) for file in files)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in verified.stderr.splitlines() if "orders" in line]
    assert complaints == []


def test_the_image_is_made_of_files_that_are_there():
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for name in line.split()]
    assert len(copied) > 5
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name.split('/')[0]}" in allowed, name


def test_only_the_code_server_of_the_compose_file_has_keys_and_warehouse():
    services = read_yaml(DEPLOY / "compose.yaml")["services"]
    assert [name for name, service in services.items() if "env_file" in service] == ["code"]
    code = services["code"]
    published = Path(code["environment"]["ORDERS_WAREHOUSE__PUBLISHED"]).parent
    assert f"{published}:{published}" in code["volumes"]
    assert code["environment"].items() >= services["daemon"]["environment"].items()
    assert services["web"]["ports"] == ["127.0.0.1:3000:3000"]


def test_the_chart_is_told_what_dagster_yaml_says():
    chart, here = read_yaml(DEPLOY / "values.yaml"), read_yaml(ROOT / "dagster.yaml")
    daemon, concurrency = chart["dagsterDaemon"], chart["concurrency"]
    said = {
        "telemetry": chart["telemetry"],
        "nux": chart["additionalInstanceConfig"]["nux"],
        "concurrency": {
            "runs": {"max_concurrent_runs": concurrency["runs"]["maxConcurrentRuns"]},
            "pools": {
                "default_limit": concurrency["pools"]["defaultLimit"],
                "granularity": concurrency["pools"]["granularity"],
            },
        },
        "run_monitoring": {
            "enabled": daemon["runMonitoring"]["enabled"],
            "free_slots_after_run_end_seconds": daemon["runMonitoring"][
                "freeSlotsAfterRunEndSeconds"
            ],
        },
        "run_retries": {
            "enabled": daemon["runRetries"]["enabled"],
            "max_retries": daemon["runRetries"]["maxRetries"],
            "retry_on_asset_or_op_failure": daemon["runRetries"]["retryOnAssetOrOpFailure"],
        },
        "retention": {
            "schedule": {"purge_after_days": chart["retention"]["schedule"]["purgeAfterDays"]},
            "sensor": {"purge_after_days": chart["retention"]["sensor"]["purgeAfterDays"]},
        },
        "python_logs": {
            "managed_python_loggers": chart["pythonLogs"]["managedPythonLoggers"],
            "python_log_level": chart["pythonLogs"]["pythonLogLevel"],
        },
    }
    assert said == here
    assert concurrency["enabled"]
    assert chart["retention"]["enabled"]
