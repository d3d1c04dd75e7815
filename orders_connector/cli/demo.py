"""The command `demo`: a made-up shop, loaded twice by the real nightly Dagster job.

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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import httpx

from orders_connector.cli.terminal import (
    counted,
    days,
    print_json,
    relative,
    say,
    size,
    spinner,
    table,
    window,
)
from orders_connector.config import Settings
from orders_connector.errors import OrdersConnectorError
from orders_connector.sandbox.voucherify.access import APP_ID, APP_TOKEN
from orders_connector.sources.base import Window
from orders_connector.status import Attempt, Comparison, read_status

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["demo", "is_made", "open_ui"]

# The shop changes before each page, so pages shift while they are read. Nothing is erased just
# then: the source's count would not be explained, and the job would wait before it tries again.
TRAFFIC = ("--traffic=1", "--moves=create,pay,fulfil,cancel,change,redeem")
RESTATED_SHOWN = 8
DAYS_SHOWN = 7
CONFIG = """\
# Made by `orders-connector demo`, for the sandbox that it starts.
[warehouse]
path = "data/orders.duckdb"
published = "data/published/orders.duckdb"

[accounts.demo_shop]
source = "voucherify"
base_url = "{base_url}"
download_hosts = ["{download_host}"]
app_id_env = "SANDBOX_APP_ID"
app_token_env = "SANDBOX_APP_TOKEN"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = {history_start}
"""


@dataclass(frozen=True)
class _Night:
    """What one run of the nightly job did."""

    seconds: float
    last: Attempt
    proven: list[Window]
    restated: list[date]
    net: dict[date, Decimal]
    published_bytes: int
    compared: Comparison | None


def demo(*, orders: int, history_days: int, as_json: bool) -> None:
    """Load the shop, let a day pass in it, load again, and say what happened."""
    folder = _empty_folder()
    settings_file = folder / "orders.toml"
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    if not as_json:
        say(
            f"A made-up Voucherify shop with {orders:,} orders, loaded into {relative(folder)}.", ""
        )
    size_of_shop = [f"--orders={orders}", f"--history-days={history_days}"]
    with _sandbox(folder, *size_of_shop, f"--now={yesterday:%Y-%m-%dT%H:%M:%S}") as address:
        history_start = yesterday.date() - timedelta(days=history_days + 1)
        text = CONFIG.format(**address, history_start=history_start)
        settings_file.write_text(text, encoding="utf-8")
        _set_environment(folder)
        _make_dagster_instance()
        first = _night(settings_file, "first load", yesterday)
        if not as_json:
            say("First load, by the nightly Dagster job", style="bold")
            _say_night(first)
        day = httpx.post(f"{address['base_url']}/_sandbox/day", timeout=60).json()
        moves = day["moves"]
        second = _night(settings_file, "second load", datetime.fromisoformat(day["now"]))
    if as_json:
        print_json({"first": asdict(first), "moves": moves, "second": asdict(second)})
        return
    lived = ", ".join(f"{count} {move}" for move, count in sorted(moves.items()) if count)
    say("", f"A day passes in the shop: {lived}")
    say("", "Second load, of what is new", style="bold")
    _say_night(second)
    if second.last.read_to_the_end:
        say(
            "  The source counted an order that nothing new explains (it was back-dated), so the "
            "listing was read to its end.",
        )
    _say_restated(first, second)
    _say_last_days(Settings.load(settings_file).warehouse.published)
    _say_next()


def open_ui() -> None:
    """Run the Dagster UI and the sandbox on what the demo left, until Ctrl-C.

    Raises:
        OrdersConnectorError: the demo was not made yet, or not to its end.
    """
    folder = Path.cwd() / ".demo"
    if not is_made():
        raise OrdersConnectorError("there is no demo here yet: run `orders-connector demo`")
    with _sandbox(folder) as address:
        settings_file = folder / "orders.toml"
        text = settings_file.read_text(encoding="utf-8")
        text = re.sub(r'base_url = "[^"]*"', f'base_url = "{address["base_url"]}"', text)
        hosts = f'download_hosts = ["{address["download_host"]}"]'
        text = re.sub(r"download_hosts = .*", hosts, text)
        settings_file.write_text(text, encoding="utf-8")
        _set_environment(folder)
        workspace = Path("workspace.yaml")
        code = (
            ["-w", str(workspace)] if workspace.exists() else ["-m", "dagster_project.definitions"]
        )
        say("", "The Dagster UI starts; Ctrl-C ends it and the sandbox.", style="bold")
        ui = subprocess.Popen([sys.executable, "-m", "dagster", "dev", *code])  # noqa: S603
        try:
            ui.wait()
        except KeyboardInterrupt:
            ui.wait()


def is_made() -> bool:
    """Tell whether the demo of this directory was made to its end."""
    return (Path.cwd() / ".demo" / "shop.json").exists()


def _empty_folder() -> Path:
    folder = Path.cwd() / ".demo"
    for made in ("data", "dagster_home"):
        shutil.rmtree(folder / made, ignore_errors=True)
    (folder / "shop.json").unlink(missing_ok=True)
    (folder / "dagster_home").mkdir(parents=True)
    (folder / "dagster_home" / "dagster.yaml").write_text(_dagster_yaml(), encoding="utf-8")
    return folder


def _dagster_yaml() -> str:
    """Return the project's own settings of Dagster, or the least when there is no checkout."""
    template = Path("dagster.yaml")
    if template.exists():
        return template.read_text(encoding="utf-8")
    return "telemetry:\n  enabled: false\n"


@contextmanager
def _sandbox(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """Run the sandbox in a process of its own; it keeps the shop in the folder."""
    command = [sys.executable, "-m", "orders_connector.cli", "sandbox", "voucherify", "--json"]
    command += [*TRAFFIC, f"--state={folder / 'shop.json'}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            announcement = next(iter(process.stdout or ()), "")
            if not announcement:
                raise OrdersConnectorError("the sandbox did not start; its message is above")
            told = json.loads(announcement)
            host = told["download_url"].removeprefix("http://")
            yield {"base_url": told["base_url"], "download_host": host}
        finally:
            process.terminate()


def _set_environment(folder: Path) -> None:
    """Point this process at the demo; settings of a real installation must not leak into it."""
    for name in [name for name in os.environ if name.startswith("ORDERS_")]:
        del os.environ[name]
    os.environ |= {
        "ORDERS_CONFIG": str(folder / "orders.toml"),
        "SANDBOX_APP_ID": APP_ID,
        "SANDBOX_APP_TOKEN": APP_TOKEN,
        "DAGSTER_HOME": str(folder / "dagster_home"),
    }


def _make_dagster_instance() -> None:
    """Make Dagster's tables and the pool's row while no other process looks at them.

    Two processes that find a brand-new instance disturb each other: docs/dagster.md.
    """
    with spinner("preparing Dagster"):
        import dagster as dg

        from dagster_project.defs.labels import POOL

        with dg.DagsterInstance.get() as instance:
            instance.event_log_storage.set_concurrency_slots(POOL, 1)


def _night(settings_file: Path, name: str, now: datetime) -> _Night:
    """Run the job as the schedule would: for the last UTC day that is over."""
    started = datetime.now(UTC)
    _run_nightly_job(name, str(now.date() - timedelta(days=1)))
    seconds = (datetime.now(UTC) - started).total_seconds()
    settings = Settings.load(settings_file)
    state = read_status(settings)
    rows = _ask(
        settings.warehouse.published, "select order_date, net_revenue from marts.daily_summary"
    )
    account, copy = state.accounts[0], state.published
    if account.last is None or copy is None:
        raise OrdersConnectorError("the nightly job ended well but loaded or published nothing")
    return _Night(
        seconds=seconds,
        last=account.last,
        proven=account.proven,
        restated=state.restated,
        net=dict(rows),
        published_bytes=copy.bytes,
        compared=account.compared,
    )


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


def _ask(published: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(published), read_only=True) as con:
        return con.execute(query).fetchall()


def _say_night(night: _Night) -> None:
    last = night.last
    say(
        f"  {last.versions_landed:,} new order versions in {last.calls:,} calls; "
        f"the source counts {last.source_total:,} orders",
        f"  {last.status}; proven {', '.join(window(span) for span in night.proven)}",
        f"  compared with the source by id: {_comparison(night.compared)}",
        f"  {len(night.net):,} business days built, {len(night.restated):,} restated, checked and "
        f"published ({size(night.published_bytes)}); {night.seconds:.1f} s in all",
    )


def _comparison(compared: Comparison | None) -> str:
    if compared is None:
        return "not done"
    words = {
        "vanished": "erased at the source, now marked deleted",
        "hydrate": "new or changed since the listing was read",
        "wrong": "changed without a new time, read again",
        "newer_than_export": "changed since the export was made",
    }
    found = [f"{n:,} {words[cause]}" for cause, n in compared.differences.items()]
    return "; ".join([compared.status, *found])


def _say_restated(first: _Night, second: _Night) -> None:
    changed = [day for day in second.restated if first.net.get(day) != second.net.get(day)]
    say(
        "",
        f"Restated: {counted(len(second.restated), 'business day')} ({days(second.restated)}); "
        f"net revenue changed on {len(changed)} of them, the newest:",
    )
    rows = []
    for day in changed[-RESTATED_SHOWN:]:
        before, after = first.net.get(day, Decimal(0)), second.net.get(day, Decimal(0))
        rows.append([str(day), f"{before:,.2f}", f"{after:,.2f}", f"{after - before:+,.2f}"])
    table(["day", "net before", "after", "change"], rows, right=[False, True, True, True])


def _say_last_days(published: Path) -> None:
    rows = _ask(
        published,
        f"""
        select d.order_date, d.orders_placed, s.created, s.paid, s.fulfilled, s.cancelled,
            d.gross_revenue, d.discounts, d.discount_rate, d.net_revenue, d.currency
        from marts.daily_summary as d
        inner join (
            select source, account, order_date, currency,
                coalesce(sum(orders) filter (where status = 'created'), 0) as created,
                coalesce(sum(orders) filter (where status = 'paid'), 0) as paid,
                coalesce(sum(orders) filter (where status = 'fulfilled'), 0) as fulfilled,
                coalesce(sum(orders) filter (where status = 'cancelled'), 0) as cancelled
            from marts.daily_status
            group by all
        ) as s using (source, account, order_date, currency)
        order by d.order_date desc
        limit {DAYS_SHOWN}
        """,
    )
    say("", f"The last {DAYS_SHOWN} business days, as readers see them", style="bold")
    statuses = ["created", "paid", "fulfilled", "cancelled"]
    table(
        ["day", "orders", *statuses, "gross", "discounts", "rate", "net", ""],
        [
            [
                str(day),
                *(f"{count:,}" for count in counts),
                f"{gross:,.2f}",
                f"{discounts:,.2f}",
                f"{rate or 0:.1%}",
                f"{net:,.2f}",
                currency,
            ]
            for day, *counts, gross, discounts, rate, net, currency in reversed(rows)
        ],
        right=[False, *[True] * 9, False],
    )


def _say_next() -> None:
    command = "orders-connector --config .demo/orders.toml"
    if not shutil.which("orders-connector"):
        command = relative(Path(sys.executable).with_name("orders-connector")) + command[16:]
    say("", "Next", style="bold")
    say(
        f"  {command} status",
        f"  {command} query 'from marts.daily_summary order by order_date desc'",
        "  make dev      the Dagster UI on this warehouse, the shop going on",
        "  README.md     a real account, step by step",
    )
