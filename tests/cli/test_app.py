"""The surface: help, versions, errors, exit codes."""

import os
import subprocess
import sys
import time

import pytest

import orders_connector
from orders_connector.cli.app import app

COMMANDS = ["sync", "refresh", "check", "publish", "status", "query", "doctor", "demo", "sandbox"]


def test_help_names_every_command(run):
    ran = run("--help")
    assert ran.code == 0
    assert all(f"\n  {command} " in ran.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    ran = run(command, "--help")
    assert ran.code == 0
    assert "Usage: orders-connector" in ran.out


def test_version(run):
    assert run("--version").out.strip() == orders_connector.__version__


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom orders_connector.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'duckdb', 'dagster', 'pydantic', 'httpx', 'pyarrow', 'sqlglot', 'starlette'}\n"
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    started = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert time.process_time() - started < 5


def test_no_configuration_ends_with_3(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORDERS_CONFIG", raising=False)
    ran = run("status")
    assert ran.code == 3
    assert ran.err.startswith("error: There is no configuration file at ")


def test_configuration_can_be_named(run, installation, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    ran = run("--config", installation / "orders.toml", "status")
    assert ran.code == 0
    assert "nothing was loaded yet" in ran.out


def test_debug_shows_the_traceback(run, tmp_path):
    ran = run("--debug", "--config", tmp_path / "none.toml", "status")
    assert ran.code == 3
    assert "Traceback" in ran.err


def test_unexpected_errors_are_one_message_without_secrets(run, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("X-App-Token: very-secret-value")

    monkeypatch.setattr("orders_connector.config.Settings.load", broken)
    ran = run("status")
    assert ran.code == 1
    assert "unexpected RuntimeError" in ran.err
    assert "very-secret-value" not in ran.err
    assert "very-secret-value" not in run("--debug", "status").err


@pytest.mark.parametrize("arguments", [("nonsense",), ("sync", "--from", "soon"), ("query",)])
def test_wrong_use_ends_with_2(run, arguments):
    assert run(*arguments).code == 2


def test_runs_as_a_module(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "orders_connector.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    assert done.stdout.strip() == orders_connector.__version__


def test_every_reporting_command_speaks_json(run):
    for command in COMMANDS[:-1]:
        assert "--json" in run(command, "--help").out
    for source in ("voucherify", "ultracart", "licensespring"):
        assert "--json" in run("sandbox", source, "--help").out
    assert app.info.help
