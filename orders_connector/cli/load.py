"""The commands that change something: sync, refresh, check, publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from orders_connector.account_load import account_of
from orders_connector.cli.terminal import (
    counted,
    days,
    print_json,
    progress_bar,
    relative,
    say,
    size,
    spinner,
    window,
)
from orders_connector.config import Settings
from orders_connector.dashboard.serving import renew_dashboard
from orders_connector.errors import PublishBlocked
from orders_connector.load import (
    check_models,
    publish_warehouse,
    read_personal_data_key,
    refresh_models,
)
from orders_connector.modeling.checks import CheckResult
from orders_connector.modeling.refresh import RefreshReport
from orders_connector.publishing.publish import Published
from orders_connector.sources.base import Window
from orders_connector.sync import SyncResult, sync_account

__all__ = ["build", "check", "finish", "publish", "refresh", "say_extraction", "sync"]

LONG_ENOUGH_TO_TELL = 2.0  # seconds


def sync(
    settings: Settings,
    account: str | None,
    asked: Window | None,
    *,
    with_refresh: bool,
    with_publish: bool,
    as_json: bool,
) -> None:
    """Read, land, refresh, check and publish; an incomplete account stops nothing but its exit.

    Raises:
        LoadIncomplete: an account is not covered; everything that was read is in the tables.
        SourceError: the same, as the source refused or failed.
        PublishBlocked: a check failed.
    """
    names = [account] if account else list(settings.accounts)
    for name in names:
        account_of(settings, name).read_secrets()  # missing keys are told before anything is done
    if with_refresh and with_publish:
        read_personal_data_key(settings)
    results = []
    for name in names:
        result = _extract(settings, name, asked)
        results.append(result)
        if not as_json:
            say_extraction(result)
    finish(
        settings,
        results,
        with_refresh=with_refresh,
        with_publish=with_publish,
        as_json=as_json,
    )


def finish(
    settings: Settings,
    results: Sequence[SyncResult],
    *,
    with_refresh: bool,
    with_publish: bool,
    as_json: bool,
) -> None:
    """Refresh, check and publish after loads, and end with what they could not cover.

    Raises:
        LoadIncomplete: an account is not covered; everything that was read is in the tables.
        SourceError: the same, as the source refused or failed.
        PublishBlocked: a check failed.
    """
    report: dict[str, Any] = {"accounts": [result.as_metadata() for result in results]}
    blocked = None
    if with_refresh:
        blocked = build(settings, report, with_publish=with_publish, as_json=as_json)
    if as_json:
        print_json(report)
    if blocked:
        raise blocked
    for result in results:
        result.raise_unless_complete()


def build(
    settings: Settings, report: dict[str, Any], *, with_publish: bool, as_json: bool
) -> PublishBlocked | None:
    """Refresh, check and publish; return what kept readers on the copy they have.

    Args:
        settings: All settings.
        report: Gets what was done, for `--json`.
        with_publish: Swap in a fresh copy when the checks hold.
        as_json: Print nothing for a person.
    """
    report["refresh"] = _refresh(settings, full=False, as_json=as_json)
    checks = _check(settings, as_json=as_json)
    report["checks"] = _checks_as_data(checks)
    blocked = _blocked(checks)
    if with_publish and not blocked:
        report["published"] = _publish(settings, as_json=as_json)
    return blocked


def refresh(settings: Settings, *, full: bool, as_json: bool) -> None:
    """Bring the tables up to date with what is landed."""
    report = _refresh(settings, full=full, as_json=as_json)
    if as_json:
        print_json(report)


def check(settings: Settings, *, as_json: bool) -> None:
    """Run all checks.

    Raises:
        PublishBlocked: one failed that stops publishing.
    """
    checks = _check(settings, as_json=as_json)
    if as_json:
        print_json(_checks_as_data(checks))
    if blocked := _blocked(checks):
        raise blocked


def publish(settings: Settings, *, as_json: bool) -> None:
    """Swap in a fresh copy, if the checks hold.

    Raises:
        PublishBlocked: a check failed.
    """
    if blocked := _blocked(_check(settings, as_json=as_json)):
        raise blocked
    published = _publish(settings, as_json=as_json)
    if as_json:
        print_json(published)


def _extract(settings: Settings, name: str, asked: Window | None) -> SyncResult:
    def on_wait(seconds: float, reason: str) -> None:
        if seconds >= LONG_ENOUGH_TO_TELL:
            typer.echo(f"{name}: waiting {seconds:.0f} s: {reason}", err=True)

    with progress_bar(f"{name}: reading orders") as show:
        return sync_account(
            settings,
            name,
            window=asked,
            progress=show,
            doing=lambda what: show.say(f"{name}: {what}"),
            on_wait=on_wait,
        )


def say_extraction(result: SyncResult) -> None:
    """Print what a load did and what is proven."""
    landed, reading = result.landed, result.reading
    versions = counted(landed.versions, "new version")
    orders = counted(landed.new_orders, "new order")
    total = "" if reading.total is None else f"; the source counts {reading.total:,}"
    cost = f"{counted(result.calls, 'call')} and {result.seconds:.1f} s"
    say(f"{result.account}: {result.status}. {versions}, {orders}, in {cost}{total}")
    if reading.proven:
        say(f"  proven   {window(reading.proven)}")
    for gap in reading.missing:
        say(f"  missing  {window(gap)}")
    if reading.reason:
        say(f"  because  {reading.reason}")
    if result.hydrated.orders:
        say(f"  items    {counted(result.hydrated.orders, 'order')} fetched in full")
    if result.hydrated.awaiting:
        say(
            f"  waiting  {counted(result.hydrated.awaiting, 'order')} known from exports alone; "
            "the next runs fetch their items"
        )
    if landed.quarantined:
        say(f"  put into quarantine: {counted(landed.quarantined, 'row')} that cannot be read")


def _refresh(settings: Settings, *, full: bool, as_json: bool) -> dict[str, Any]:
    with spinner("building tables") as show:
        report = refresh_models(
            settings, full=full, progress=lambda model: show(f"building {model}")
        )
    if not as_json:
        _say_refresh(report)
    return {
        "load_id": report.load_id,
        "rebuilt_days": len(report.dates),
        "restated": report.restated,
        "models": [asdict(model) for model in report.models],
    }


def _say_refresh(report: RefreshReport) -> None:
    rebuilt = [model for model in report.models if model.mode != "unchanged"]
    if not rebuilt:
        say("tables: nothing is stale")
        return
    seconds = sum(model.seconds for model in rebuilt)
    say(
        f"tables: {counted(len(rebuilt), 'model')} built in {seconds:.1f} s, "
        f"{counted(len(report.dates), 'business day')} rebuilt, {len(report.restated):,} restated"
    )
    if report.restated:
        say(f"  restated {days(report.restated)}")


def _check(settings: Settings, *, as_json: bool) -> list[CheckResult]:
    with spinner("running checks"):
        checks = check_models(settings)
    if not as_json:
        failed = [result for result in checks if not result.passed]
        say(f"checks: {len(checks) - len(failed)} of {len(checks)} hold")
        for result in failed:
            word = "warning" if result.severity == "warn" else "FAILED"
            say(
                f"  {word}  {result.model} {result.name}: {counted(result.failing, 'row')}, such as"
            )
            for row in result.sample[:2]:
                say("    " + ", ".join(f"{column}={value}" for column, value in row.items()))
        if failed:
            say("  all of these rows, with reasons: ops.failing_rows of the warehouse")
    return checks


def _checks_as_data(checks: Sequence[CheckResult]) -> list[dict[str, Any]]:
    return [asdict(result) | {"passed": result.passed} for result in checks]


def _blocked(checks: Sequence[CheckResult]) -> PublishBlocked | None:
    failed = [
        f"{result.model} {result.name}"
        for result in checks
        if not result.passed and result.severity == "error"
    ]
    if not failed:
        return None
    return PublishBlocked(
        f"{counted(len(failed), 'check')} failed, so readers keep the last good copy: "
        f"{', '.join(failed)}. Look at the rows that `orders-connector check` names; when the "
        "cause is gone, run `orders-connector publish`"
    )


def _publish(settings: Settings, *, as_json: bool) -> dict[str, Any]:
    with spinner("publishing"):
        published = publish_warehouse(settings)
        renew_dashboard(settings)
    if not as_json:
        _say_published(published)
    return asdict(published)


def _say_published(published: Published) -> None:
    say(
        f"published: {relative(published.path)}, {len(published.tables)} tables, "
        f"{size(published.bytes)}, {published.seconds:.1f} s"
    )
