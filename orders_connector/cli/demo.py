"""The command `demo`: three made-up shops, loaded twice by the real nightly Dagster job.

Everything lies in `.demo` of the current directory and is made anew each time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from orders_connector.cli.demo_report import (
    Night,
    say_figures,
    say_licenses,
    say_next,
    say_night,
    say_restated,
)
from orders_connector.cli.sandbox import KINDS
from orders_connector.cli.terminal import print_json, relative, say, spinner
from orders_connector.config import Settings
from orders_connector.errors import OrdersConnectorError
from orders_connector.status import read_status

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["demo", "is_made", "open_ui"]


@dataclass(frozen=True)
class _Shop:
    """One of the made-up shops.

    Attributes:
        account: Its name in the configuration.
        orders: Its share of the orders.
        traffic: What happens before each page, so that pages shift while they are read. Nothing
            is erased just then: the source's count would not be explained.
        erasing: What takes an order away on the day that passes.
        settings: Beside those that all have.
    """

    account: str
    orders: float
    traffic: str
    erasing: str
    settings: str


SHOPS = {
    "voucherify": _Shop(
        "demo_shop",
        0.6,
        "create,pay,fulfil,cancel,change,redeem",
        "erase",
        'currency = "EUR"\ndownload_hosts = ["{download_host}"]',
    ),
    "ultracart": _Shop(
        "demo_store",
        0.25,
        "create,advance,refund",
        "delete",
        'currency = "USD"\nreconcile_every_days = 1',
    ),
    "licensespring": _Shop(
        "demo_vendor",
        0.15,
        "create,trial,append,activate",
        "delete",
        "requests_per_second = 100\nreconcile_every_days = 1",
    ),
}
CONFIG = """\
# Made by `orders-connector demo`, for the sandboxes that it starts.
[warehouse]
path = "data/orders.duckdb"
published = "data/published/orders.duckdb"
"""
ACCOUNT = """
[accounts.{account}]
source = "{source}"
base_url = "{base_url}"
{settings}
time_zone = "Europe/Warsaw"
holidays = "PL"
history_start = {history_start}
"""


def demo(*, orders: int, history_days: int, as_json: bool) -> None:
    """Load the shops, let a day pass in them, load again, and say what happened."""
    folder = _empty_folder()
    settings_file = folder / "orders.toml"
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    if not as_json:
        names = ", ".join(kind.name for kind in KINDS.values())
        say(
            f"Three made-up shops ({names}) with {orders:,} orders in all, loaded into "
            f"{relative(folder)}.",
            "",
        )
    past = (f"--history-days={history_days}", f"--now={yesterday:%Y-%m-%dT%H:%M:%S}")
    with ExitStack() as stack:
        told = {
            source: stack.enter_context(
                _sandbox(folder, source, f"--orders={round(orders * shop.orders)}", *past)
            )
            for source, shop in SHOPS.items()
        }
        history_start = yesterday.date() - timedelta(days=history_days + 1)
        _write_settings(settings_file, told, str(history_start))
        _set_environment(folder, told)
        _make_dagster_instance()
        first = _night(settings_file, "first night", yesterday)
        if not as_json:
            say("First night, by the nightly Dagster job", style="bold")
            say_night(first)
        moves = {source: _live_a_day(source, told[source]) for source in SHOPS}
        second = _night(settings_file, "second night", yesterday + timedelta(days=1))
    if as_json:
        print_json({"first": first.as_data(), "moves": moves, "second": second.as_data()})
        return
    say("", "A day passes in the shops")
    for source, made in moves.items():
        lived = ", ".join(f"{count} {move}" for move, count in sorted(made.items()) if count)
        say(f"  {KINDS[source].name}: {lived}")
    say("", "Second night, of what is new", style="bold")
    say_night(second)
    say_restated(first, second)
    published = Settings.load(settings_file).warehouse.published
    say_figures(published)
    say_licenses(published)
    say_next()


def open_ui() -> None:
    """Run the Dagster UI and the sandboxes on what the demo left, until Ctrl-C.

    Raises:
        OrdersConnectorError: the demo was not made yet, or not to its end.
    """
    folder = Path.cwd() / ".demo"
    if not is_made():
        raise OrdersConnectorError("there is no demo here yet: run `orders-connector demo`")
    settings_file = folder / "orders.toml"
    (history_start,) = set(re.findall(r"history_start = (\S+)", settings_file.read_text()))
    with ExitStack() as stack:
        told = {source: stack.enter_context(_sandbox(folder, source)) for source in SHOPS}
        _write_settings(settings_file, told, history_start)
        _set_environment(folder, told)
        workspace = Path("workspace.yaml")
        code = (
            ["-w", str(workspace)] if workspace.exists() else ["-m", "dagster_project.definitions"]
        )
        say("", "The Dagster UI starts; Ctrl-C ends it and the sandboxes.", style="bold")
        ui = subprocess.Popen([sys.executable, "-m", "dagster", "dev", *code])  # noqa: S603
        try:
            ui.wait()
        except KeyboardInterrupt:
            ui.wait()


def is_made() -> bool:
    """Tell whether the demo of this directory was made to its end."""
    return all(_state(Path.cwd() / ".demo", source).exists() for source in SHOPS)


def _empty_folder() -> Path:
    folder = Path.cwd() / ".demo"
    for made in ("data", "dagster_home"):
        shutil.rmtree(folder / made, ignore_errors=True)
    for source in SHOPS:
        _state(folder, source).unlink(missing_ok=True)
    (folder / "dagster_home").mkdir(parents=True)
    (folder / "dagster_home" / "dagster.yaml").write_text(_dagster_yaml(), encoding="utf-8")
    return folder


def _state(folder: Path, source: str) -> Path:
    return folder / f"{source}.json"


def _dagster_yaml() -> str:
    """Return the project's own settings of Dagster, or the least when there is no checkout."""
    template = Path("dagster.yaml")
    if template.exists():
        return template.read_text(encoding="utf-8")
    return "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"


@contextmanager
def _sandbox(folder: Path, source: str, *options: str) -> Iterator[dict[str, str]]:
    """Run a sandbox in a process of its own; it keeps the shop in the folder."""
    command = [sys.executable, "-m", "orders_connector.cli", "sandbox", source, "--json"]
    command += ["--traffic=1", f"--moves={SHOPS[source].traffic}"]
    command += [f"--state={_state(folder, source)}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            announcement = next(iter(process.stdout or ()), "")
            if not announcement:
                raise OrdersConnectorError("the sandbox did not start; its message is above")
            yield json.loads(announcement)
        finally:
            process.terminate()


def _write_settings(file: Path, told: Mapping[str, Mapping[str, str]], history_start: str) -> None:
    """Write the configuration for sandboxes that run."""
    text = CONFIG
    for source, shop in SHOPS.items():
        host = told[source].get("download_url", "").removeprefix("http://")
        text += ACCOUNT.format(
            account=shop.account,
            source=source,
            base_url=told[source]["base_url"],
            settings=shop.settings.format(download_host=host),
            history_start=history_start,
        )
    file.write_text(text, encoding="utf-8")


def _set_environment(folder: Path, told: Mapping[str, Mapping[str, str]]) -> None:
    """Point this process at the demo; settings of a real installation must not leak into it."""
    for name in [name for name in os.environ if name.startswith("ORDERS_")]:
        del os.environ[name]
    os.environ |= {
        "ORDERS_CONFIG": str(folder / "orders.toml"),
        "DAGSTER_HOME": str(folder / "dagster_home"),
    }
    for source in SHOPS:
        for variable, attribute in KINDS[source].keys.items():
            os.environ[variable] = told[source][attribute]


def _live_a_day(source: str, told: Mapping[str, str]) -> dict[str, int]:
    """Let a day pass in a shop, and one order vanish; return what happened, by kind."""
    control = f"{told['base_url']}/_sandbox"
    moves: dict[str, int] = httpx.post(f"{control}/day", timeout=60).json()["moves"]
    erasing = SHOPS[source].erasing
    gone = httpx.post(f"{control}/move", json={"kind": erasing}, timeout=60).json()["orders"]
    return moves | {erasing: moves.get(erasing, 0) + gone}


def _make_dagster_instance() -> None:
    """Make Dagster's tables and the pool's row while no other process looks at them.

    Two processes that find a brand-new instance disturb each other: docs/dagster.md.
    """
    with spinner("preparing Dagster"):
        import dagster as dg

        from dagster_project.defs.labels import POOL

        with dg.DagsterInstance.get() as instance:
            instance.event_log_storage.set_concurrency_slots(POOL, 1)


def _night(settings_file: Path, name: str, now: datetime) -> Night:
    """Run the job as the schedule would: for the last UTC day that is over."""
    started = datetime.now(UTC)
    _run_nightly_job(name, str(now.date() - timedelta(days=1)))
    seconds = (datetime.now(UTC) - started).total_seconds()
    return Night.of(read_status(Settings.load(settings_file)), seconds)


def _run_nightly_job(name: str, day: str) -> None:
    """Run the job in this process, recorded in DAGSTER_HOME like any other run."""
    with spinner(f"{name}: starting Dagster") as show, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster's notes on what is in beta
        import dagster as dg

        from dagster_project.definitions import defs

        def show_step(entry: dg.EventLogEntry) -> None:
            if entry.dagster_event and entry.dagster_event.is_step_start:
                show(f"{name}: {entry.dagster_event.step_key}")

        run_id = str(uuid.uuid4())
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        with dg.DagsterInstance.get() as instance:
            instance.add_event_listener(run_id, show_step)
            result = (
                defs()
                .resolve_job_def("nightly")
                .execute_in_process(
                    partition_key=day,
                    run_config=quiet,
                    instance=instance,
                    raise_on_error=False,
                    run_id=run_id,
                )
            )
    if not result.success:
        raise OrdersConnectorError(f"the nightly job failed: {_failure(result)}")


def _failure(result: dg.ExecuteInProcessResult) -> str:
    """Return what the first failed step said; its message, not its stack."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            return (error.cause or error).message.strip()
    return "see the run in the Dagster UI (`make dev`)"
