"""The command `doctor`: is everything in place, and what to do where it is not."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb
import typer

from orders_connector.account_identity import accept_keys
from orders_connector.account_load import account_of
from orders_connector.cli.terminal import counted, minutes, print_json, relative, say, size, spinner
from orders_connector.config import Account, Settings
from orders_connector.errors import ConfigurationError, OrdersConnectorError, WarehouseError
from orders_connector.landing.coverage import ExtractionRecord, load_state, record_extraction
from orders_connector.landing.profiles import write_profile
from orders_connector.landing.raw_log import Landed
from orders_connector.rate import RateWindow
from orders_connector.sources.base import Reading, Window
from orders_connector.sources.registry import source_of
from orders_connector.sources.source import NOT_SEEN, UNKNOWN, Greeting, ProbeAnswer
from orders_connector.status import FRESH_FOR, published_copy
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import open_warehouse, transaction

__all__ = ["Finding", "accept", "doctor", "examine"]

MARK = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}
LITTLE_ROOM, NO_ROOM = 2_000_000_000, 200_000_000
LONGEST_WAIT = 10.0
MANY_ORDERS = 10_000  # a first load of more should be planned


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        about: What was looked at.
        level: How it is.
        says: What was found and, unless it is fine, what to do.
        exit_code: Of the command, when this is the first failure.
    """

    about: str
    level: Literal["ok", "warn", "fail"]
    says: str
    exit_code: int = 0


@dataclass(frozen=True)
class Probed:
    """What the probes of one account found.

    Attributes:
        calls: Requests they made.
        received: Bytes of their answers.
    """

    account: Account
    started_at: datetime
    answers: Sequence[ProbeAnswer]
    calls: int
    received: int

    @property
    def says_something(self) -> bool:
        """Whether any question was answered; an outage must not replace what is known."""
        return any(found.answer not in (UNKNOWN, NOT_SEEN) for found in self.answers)

    def as_data(self) -> dict[str, object]:
        """Return plain values for `--json`."""
        answers = [asdict(found) for found in self.answers]
        return {"account": self.account.name, "probed_at": self.started_at, "answers": answers}


def doctor(config: Path | None, *, as_json: bool, probing: bool = False) -> None:
    """Look at everything and print a line for each; ends with the code of the first failure.

    Args:
        config: The configuration file, if it was given.
        as_json: Print JSON instead.
        probing: Ask each account what the documentation leaves open, too, and store the answers.
    """
    calls = [0]
    findings = []
    with spinner("looking around"):
        for finding in examine(config, calls):
            findings.append(finding)
            if not as_json:
                _say_finding(finding)
    profiles: list[Probed] = []
    if probing:
        if not as_json:
            _announce_probes(config, findings)
        for probed, problem in _probe_accounts(config, findings):
            profiles.append(probed)
            calls[0] += probed.calls
            findings += [problem] if problem else []
            if not as_json:
                _say_answers(probed)
                if problem:
                    _say_finding(problem)
    if as_json:
        data = {"findings": [asdict(finding) for finding in findings], "calls": calls[0]}
        shown = {"profiles": [probed.as_data() for probed in profiles]} if probing else {}
        print_json(data | shown)
    else:
        say("", f"{counted(calls[0], 'request')} made.")
    raise typer.Exit(next((f.exit_code for f in findings if f.level == "fail"), 0))


def accept(config: Path | None, name: str) -> None:
    """Note that address and keys of an account are its own.

    Raises:
        ConfigurationError: there is no such account, or its keys are not in the environment.
        WarehouseLocked: another process holds the warehouse.
    """
    settings = Settings.load(config)
    with warehouse_connection(settings) as con, transaction(con):
        accept_keys(con, account_of(settings, name))


def _say_finding(finding: Finding) -> None:
    mark, style = MARK[finding.level]
    say(f"{mark}  {finding.about}: {finding.says}", style=style if mark != "ok  " else None)


def _announce_probes(config: Path | None, findings: list[Finding]) -> None:
    if any(finding.about == "configuration" and finding.level == "fail" for finding in findings):
        return
    sources = [source_of(a.source) for a in Settings.load(config).accounts.values()]
    most = max(source.probe_calls for source in sources)
    export = ", one small export" if any(source.makes_exports for source in sources) else ""
    say("", f"Probing: at most {most} more requests per account{export}.")


def _say_answers(probed: Probed) -> None:
    say(f"{probed.account.name}, profile of {minutes(probed.started_at)}:")
    for found in probed.answers:
        say(f"  {found.capability}: {found.answer} ({found.evidence})")


def _probe_accounts(
    config: Path | None, findings: list[Finding]
) -> Iterator[tuple[Probed, Finding | None]]:
    """Probe the accounts that nothing is wrong with, and keep what they say.

    Yields:
        The answers of an account, and what went wrong with them.
    """
    wrong = {finding.about for finding in findings if finding.level == "fail"}
    if "configuration" in wrong:
        return
    settings = Settings.load(config)
    for account in settings.accounts.values():
        if wrong & {f"{account.name} keys", f"{account.name} source"}:
            continue
        with spinner(f"probing {account.name}"), tempfile.TemporaryDirectory() as folder:
            probed = asyncio.run(_probe(account, Path(folder)))
        try:
            _store(settings, probed)
        except WarehouseError as error:
            yield probed, _failure(f"{account.name} profile", error)
            continue
        nothing = Finding(
            f"{account.name} profile",
            "fail",
            "no question was answered, so an earlier profile stays. Probe again later",
            exit_code=5,
        )
        yield probed, None if probed.says_something else nothing


async def _probe(account: Account, folder: Path) -> Probed:
    started_at, source = datetime.now(UTC), source_of(account.source)
    # The file of an export may come from a storage host, which is on nobody's meter.
    most = source.probe_calls - source.makes_exports
    most = min(most, account.max_calls_per_run or most)
    async with source.client(account, call_budget=most, max_wait_seconds=LONGEST_WAIT) as client:
        answers = await source.probe(client, folder)
        transport = client.transport
        return Probed(account, started_at, answers, transport.calls, transport.bytes_received)


def _store(settings: Settings, probed: Probed) -> None:
    """Write profile and calls; the load's own figures are carried on as they were."""
    account, now = probed.account, datetime.now(UTC)
    reading = Reading(Window(now, now))
    if not probed.says_something:
        reading.reason = probed.answers[0].evidence
    with warehouse_connection(settings) as con, transaction(con):
        state = load_state(con, account.source, account.name)
        if probed.says_something:
            write_profile(con, account.source, account.name, probed.answers, probed.started_at)
        record_extraction(
            con,
            ExtractionRecord(
                extraction_id=f"ext_{now:%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}",
                source=account.source,
                account=account.name,
                strategy="probe",
                status="failed" if reading.reason else "complete",
                started_at=probed.started_at,
                ended_at=now,
                calls=probed.calls,
                bytes_received=probed.received,
                known_orders=state.known_orders,
                accepted_difference=state.accepted_difference,
                reading=reading,
                landed=Landed(),
            ),
        )


def examine(config: Path | None, calls: list[int]) -> Iterator[Finding]:
    """Yield findings; one request per account is made.

    Args:
        config: The configuration file, if it was given.
        calls: Its only element is raised by the requests made.
    """
    try:
        settings = Settings.load(config)
    except ConfigurationError as error:
        yield _failure("configuration", error)
        return
    names = ", ".join(settings.accounts)
    yield Finding("configuration", "ok", f"{counted(len(settings.accounts), 'account')}: {names}")
    for account in settings.accounts.values():
        yield from _account(account, calls)
    yield _warehouse(settings)
    yield _disk(settings)
    yield _published(settings)


def _account(account: Account, calls: list[int]) -> Iterator[Finding]:
    try:
        account.read_secrets()
    except ConfigurationError as error:
        yield _failure(f"{account.name} keys", error)
        return
    names = " and ".join(account.secret_variables)
    yield Finding(f"{account.name} keys", "ok", f"found in {names}")
    try:
        greeting, rate = asyncio.run(_ask(account, calls))
    except OrdersConnectorError as error:
        yield _failure(f"{account.name} source", error)
        return
    host = account.resolved_base_url
    yield Finding(f"{account.name} source", "ok", f"{host} answers and the key may list orders")
    if says := _orders(account, greeting):
        yield Finding(f"{account.name} orders", "ok", says)
    yield _limits(account, rate)


def _orders(account: Account, greeting: Greeting) -> str:
    if greeting.orders is None:
        return greeting.note
    says = f"{greeting.orders:,}, {greeting.note}".removesuffix(", ")
    if greeting.orders > MANY_ORDERS:
        says += (
            f". `backfill --from {account.history_start} --dry-run` says what the first load costs"
        )
    return says


async def _ask(account: Account, calls: list[int]) -> tuple[Greeting, RateWindow]:
    source = source_of(account.source)
    patience = {"max_attempts": 1, "max_wait_seconds": LONGEST_WAIT, "timeout": LONGEST_WAIT}
    async with source.client(account, **patience) as client:
        try:
            return await source.greet(client), client.transport.rate
        finally:
            calls[0] += client.transport.calls


def _limits(account: Account, rate: RateWindow) -> Finding:
    about = f"{account.name} limits"
    own = f"{account.max_calls_per_run:,}" if account.max_calls_per_run else "any number of"
    ours = f"a run may make {own} requests"
    if rate.remaining is None:
        configured = f", {account.pace} are configured" if account.pace else ""
        return Finding(about, "ok", f"the source names none{configured}; {ours}")
    if rate.reserved:
        ours += f" and leaves {rate.reserved} per window to the shop"
    if rate.remaining == 0:
        return Finding(about, "warn", f"none of {rate.limit} requests are left for now; {ours}")
    level: Literal["ok", "warn"] = "ok" if rate.remaining > rate.reserved else "warn"
    return Finding(about, level, f"{rate.remaining} of {rate.limit} requests are left now; {ours}")


def _warehouse(settings: Settings) -> Finding:
    path = settings.warehouse.path
    folder = _existing(path)
    if not os.access(folder, os.W_OK):
        return Finding(
            "warehouse", "fail", f"{folder} cannot be written to: change its owner or `path`", 6
        )
    if not path.exists():
        return Finding("warehouse", "ok", f"{relative(path)} will be made by the first load")
    try:
        with open_warehouse(path, read_only=True, lock_timeout_seconds=0):
            return Finding(
                "warehouse", "ok", f"{relative(path)}, {size(path.stat().st_size)}, free"
            )
    except WarehouseError as error:
        if "lock" not in str(error):
            return _failure("warehouse", error)
        return Finding("warehouse", "warn", f"in use just now, by a load unless it stays: {error}")


def _disk(settings: Settings) -> Finding:
    folder = _existing(settings.warehouse.path)
    free = shutil.disk_usage(folder).free
    text = f"{size(free)} free at {folder}"
    if free < NO_ROOM:
        return Finding("disk", "fail", f"{text}: free some space before the next load", 6)
    if free < LITTLE_ROOM:
        return Finding("disk", "warn", f"{text}: a large first load may not fit")
    return Finding("disk", "ok", text)


def _published(settings: Settings) -> Finding:
    path = settings.warehouse.published
    try:
        copy = published_copy(path)
    except duckdb.Error as error:
        return Finding(
            "published copy", "warn", f"cannot be read; run `orders-connector publish`: {error}"
        )
    if copy is None:
        return Finding("published copy", "warn", "none yet: run `orders-connector sync`")
    text = f"{relative(path)} of {minutes(copy.published_at)}"
    if datetime.now(UTC) - copy.published_at > FRESH_FOR:
        return Finding("published copy", "warn", f"{text} is old: see `orders-connector status`")
    return Finding("published copy", "ok", text)


def _existing(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.exists())


def _failure(about: str, error: OrdersConnectorError) -> Finding:
    return Finding(about, "fail", str(error), error.exit_code)
