"""The commands and their options. Bodies are imported when they run, so that help is quick."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orders_connector import __version__
from orders_connector.errors import OrdersConnectorError
from orders_connector.redaction import redact

if TYPE_CHECKING:
    from orders_connector.config import Settings

__all__ = ["app", "main"]

app = typer.Typer(
    help="Loads the complete order history of commerce APIs into a DuckDB warehouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sandbox_app = typer.Typer(
    help="Local servers that behave like the APIs, with made-up orders.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(sandbox_app, name="sandbox")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class Form(StrEnum):
    """How `query` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class VoucherifyPlan(StrEnum):
    """Rate limits of the sandbox, by the documented plans."""

    UNLIMITED = "unlimited"
    BUSINESS = "business"
    ORGANIZATION = "organization"
    SANDBOX = "sandbox"


class UltraCartPlan(StrEnum):
    """Limits of the sandbox: none, or those that every merchant begins with."""

    UNLIMITED = "unlimited"
    DEFAULT = "default"


@dataclass
class Invocation:
    """What was given before the command's name."""

    config: Path | None = None
    debug: bool = False

    def settings(self) -> "Settings":
        """Read the configuration."""
        from orders_connector.config import Settings

        return Settings.load(self.config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit codes are those of `orders_connector.errors`."""
    invocation = Invocation()
    try:
        app(args=arguments, obj=invocation, prog_name="orders-connector")
    except OrdersConnectorError as error:
        _report(str(error), debug=invocation.debug)
        sys.exit(error.exit_code)
    except Exception as error:
        _report(
            f"unexpected {type(error).__name__}: {error}. Please report this with the output of "
            "`orders-connector --debug ...`",
            debug=invocation.debug,
        )
        sys.exit(OrdersConnectorError.exit_code)


def _report(message: str, *, debug: bool) -> None:
    if debug:
        typer.echo(redact(traceback.format_exc()), err=True)
    typer.echo(f"error: {redact(message)}", err=True)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file. Default: $ORDERS_CONFIG, else ./orders.toml."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that hold for all commands."""
    context.obj.config, context.obj.debug = config, debug


@app.command()
def sync(
    context: typer.Context,
    account: Annotated[str | None, typer.Option(help="Only this account. Default: all.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=TIMES, help="Cover versions from here on, UTC."),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", formats=TIMES, help="Up to here, exclusive, UTC; needs --from."),
    ] = None,
    no_refresh: Annotated[
        bool, typer.Option("--no-refresh", help="Land only; build and publish nothing.")
    ] = False,
    no_publish: Annotated[
        bool, typer.Option("--no-publish", help="Readers keep the copy they have.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Load what is new: read, land, build, check, publish."""
    from orders_connector.cli import load
    from orders_connector.sources.base import Window

    if end and not start:
        raise typer.BadParameter("give --from as well", param_hint="--to")
    if start and end and end <= start:
        raise typer.BadParameter("it is not after --from", param_hint="--to")
    asked = (
        Window(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC) if end else None)
        if start
        else None
    )
    load.sync(
        context.obj.settings(),
        account,
        asked,
        with_refresh=not no_refresh,
        with_publish=not no_publish,
        as_json=as_json,
    )


@app.command()
def backfill(
    context: typer.Context,
    start: Annotated[
        datetime, typer.Option("--from", formats=TIMES, help="Cover versions from here on, UTC.")
    ],
    end: Annotated[
        datetime | None,
        typer.Option("--to", formats=TIMES, help="Up to here, exclusive, UTC. Default: now."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only this account. Default: all.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost; read nothing.")
    ] = False,
    no_items: Annotated[
        bool, typer.Option("--no-items", help="Header facts only; fetch no items.")
    ] = False,
    most_calls: Annotated[
        int | None,
        typer.Option(min=1, help="Requests to spend on items. Default: what the budget allows."),
    ] = None,
    no_refresh: Annotated[
        bool, typer.Option("--no-refresh", help="Land only; build and publish nothing.")
    ] = False,
    no_publish: Annotated[
        bool, typer.Option("--no-publish", help="Readers keep the copy they have.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Cover a window by listing, exports and single requests, or say what that would cost."""
    from orders_connector.cli import backfill
    from orders_connector.sources.base import Window

    if end and end <= start:
        raise typer.BadParameter("it is not after --from", param_hint="--to")
    backfill.backfill(
        context.obj.settings(),
        account,
        Window(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC) if end else None),
        dry_run=dry_run,
        items=not no_items,
        most_calls=most_calls,
        with_refresh=not no_refresh,
        with_publish=not no_publish,
        as_json=as_json,
    )


@app.command()
def reconcile(
    context: typer.Context,
    account: Annotated[str | None, typer.Option(help="Only this account. Default: all.")] = None,
    no_refresh: Annotated[
        bool, typer.Option("--no-refresh", help="Compare and repair only; publish nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare the whole warehouse with the source by id, and repair what differs."""
    from orders_connector.cli import reconcile

    reconcile.reconcile(
        context.obj.settings(), account, with_refresh=not no_refresh, as_json=as_json
    )


@app.command()
def refresh(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Rebuild all from the raw log.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Build the stale parts of the tables from what is landed."""
    from orders_connector.cli import load

    load.refresh(context.obj.settings(), full=full, as_json=as_json)


@app.command()
def check(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Run the checks of all models; changes nothing."""
    from orders_connector.cli import load

    load.check(context.obj.settings(), as_json=as_json)


@app.command()
def publish(
    context: typer.Context,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Give readers back what they had before.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Give readers this kept version.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show the versions kept.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check, then swap in a fresh copy for readers; or go back to one that is kept."""
    from orders_connector.cli import publish

    publish.publish(
        context.obj.settings(), rollback=rollback, to=to, listing=listing, as_json=as_json
    )


@app.command()
def status(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say whether the figures can be trusted today, and why not."""
    from orders_connector.cli import status

    status.status(context.obj.settings(), as_json=as_json)


@app.command()
def query(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT, in quotes.")],
    form: Annotated[Form, typer.Option("--format", help="How to print the rows.")] = Form.TABLE,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Most rows; 0 for all. Default: 50 in a table, else all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Ask the published copy; nothing can be changed."""
    from orders_connector.cli import query

    published = context.obj.settings().warehouse.published
    query.query(published, statement, "json" if as_json else form.value, limit)


@app.command()
def dashboard(
    context: typer.Context,
    opening: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    serving: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve it on loopback; it follows the published copy until Ctrl-C."
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Of --serve; 0 takes a free one.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Make the page of the published copy: one file, to be opened in a browser."""
    from orders_connector.cli import dashboard

    if serving:
        dashboard.serve_dashboard(context.obj.settings(), port, opening=opening)
    else:
        dashboard.dashboard(context.obj.settings(), opening=opening, as_json=as_json)


@app.command()
def explain(
    context: typer.Context,
    mart: Annotated[str, typer.Argument(help="A mart by business date, such as daily_revenue.")],
    day: Annotated[datetime, typer.Argument(formats=TIMES[:1], help="The business date.")],
    metric: Annotated[
        str | None, typer.Option(help="A metric or column. Default: all, a line each.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only in this currency.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most orders to list; 0 for all.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List the orders, versions, loads and rules behind a figure, and add them up."""
    from orders_connector.cli import explain

    explain.explain(
        context.obj.settings(),
        mart,
        day.date(),
        metric,
        account,
        currency,
        limit=limit,
        as_json=as_json,
    )


@app.command()
def restatements(
    context: typer.Context,
    since: Annotated[
        datetime | None,
        typer.Option(formats=TIMES[:1], help="Of loads since this UTC day. Default: of all."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say which past figures loads changed, by how much, and the orders that caused it."""
    from orders_connector.cli import explain

    explain.restatements(
        context.obj.settings(), since.date() if since else None, account, as_json=as_json
    )


@app.command()
def metrics(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List every metric with its version and its formula in words."""
    from orders_connector.cli import explain

    explain.metrics(context.obj.settings(), as_json=as_json)


@app.command(name="docs")
def documentation(
    folder: Annotated[Path, typer.Argument(help="Where to write the pages.")],
    models: Annotated[
        Path | None, typer.Option(help="A folder of own models to describe as well.")
    ] = None,
) -> None:
    """Write the data dictionary and the page of metrics from the models."""
    from orders_connector.cli import explain

    explain.documentation(folder, models)


@app.command()
def doctor(
    context: typer.Context,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Also ask each account, within a few requests, what the documentation leaves"
            " open, and keep the answers as its profile.",
        ),
    ] = False,
    accept_keys: Annotated[
        str | None,
        typer.Option(
            "--accept-keys",
            metavar="ACCOUNT",
            help="First note that the new address or keys of this account are its own, although"
            " none of the orders asked for is there.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Look whether everything is in place, with one request per account."""
    from orders_connector.cli import doctor

    if accept_keys:
        doctor.accept(context.obj.config, accept_keys)
    doctor.doctor(context.obj.config, as_json=as_json, probing=probe)


@app.command()
def erase(
    context: typer.Context,
    customer: Annotated[
        str | None,
        typer.Option(help="The customer_key of core.orders, mostly an id; - reads it from stdin."),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(help="The customer's e-mail address, also beside --customer; - as above."),
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="The customer's account; needed when there are several.")
    ] = None,
    keep_at_source: Annotated[
        bool,
        typer.Option(
            "--keep-at-source",
            help="Do not ask whether the source still has the orders. Those that a later load reads"
            " come back.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove a customer from all tables and files, and print a certificate."""
    from orders_connector.cli import erase

    erase.erase(
        context.obj.settings(),
        customer,
        email,
        account,
        keep_at_source=keep_at_source,
        confirmed=yes,
        as_json=as_json,
    )


@app.command()
def demo(
    ui: Annotated[
        bool, typer.Option("--ui", help="Open the Dagster UI on the demo, made first if missing.")
    ] = False,
    orders: Annotated[
        int, typer.Option(min=1, help="How many orders the shops have in all.")
    ] = 6_000,
    history_days: Annotated[
        int, typer.Option(min=1, help="How far its past reaches. Dagster notes every day.")
    ] = 60,
    as_json: JsonFlag = False,
) -> None:
    """Load three made-up shops twice with the nightly Dagster job, into ./.demo."""
    from orders_connector.cli import demo as demonstration

    if not ui or not demonstration.is_made():
        demonstration.demo(orders=orders, history_days=history_days, as_json=as_json)
    if ui:
        demonstration.open_ui()


Orders = Annotated[int, typer.Option(min=0, help="How many orders its past has.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same shop.")]
Port = Annotated[int, typer.Option(help="Of the API; 0 takes a free one.")]
Traffic = Annotated[
    int, typer.Option(min=0, help="Changes in the shop before each list of orders.")
]
MovesNamed = Annotated[
    str | None,
    typer.Option("--moves", help="Kinds of these changes, such as create,pay. Default: all."),
]
SwitchesSet = Annotated[
    list[str] | None,
    typer.Option("--switch", help="NAME=VALUE: how an open question is answered; repeatable."),
]
Now = Annotated[datetime | None, typer.Option(formats=TIMES, help="Where its clock starts, UTC.")]
HistoryDays = Annotated[int, typer.Option(min=1, help="How far its past reaches.")]
ClockSpeed = Annotated[
    float, typer.Option(min=0, help="Its seconds per real second; 0 stands still.")
]
State = Annotated[
    Path | None, typer.Option(help="File that keeps the shop from one run to the next.")
]


@sandbox_app.command()
def voucherify(
    orders: Orders = 5_000,
    seed: Seed = 7,
    port: Port = 0,
    download_port: Annotated[int, typer.Option(help="Of the export files; 0 as well.")] = 0,
    plan: Annotated[VoucherifyPlan, typer.Option(help="Rate limits.")] = VoucherifyPlan.UNLIMITED,
    traffic: Traffic = 0,
    moves: MovesNamed = None,
    switch: SwitchesSet = None,
    now: Now = None,
    history_days: HistoryDays = 730,
    clock_speed: ClockSpeed = 1.0,
    state: State = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve a made-up Voucherify project until Ctrl-C."""
    _serve("voucherify", **locals())


@sandbox_app.command()
def ultracart(
    orders: Orders = 5_000,
    seed: Seed = 7,
    port: Port = 0,
    plan: Annotated[UltraCartPlan, typer.Option(help="Limits.")] = UltraCartPlan.UNLIMITED,
    traffic: Traffic = 0,
    moves: MovesNamed = None,
    switch: SwitchesSet = None,
    now: Now = None,
    history_days: HistoryDays = 730,
    clock_speed: ClockSpeed = 1.0,
    state: State = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve a made-up UltraCart merchant until Ctrl-C."""
    _serve("ultracart", **locals())


@sandbox_app.command()
def licensespring(
    orders: Orders = 5_000,
    seed: Seed = 7,
    port: Port = 0,
    traffic: Traffic = 0,
    moves: MovesNamed = None,
    switch: SwitchesSet = None,
    now: Now = None,
    history_days: HistoryDays = 730,
    clock_speed: ClockSpeed = 1.0,
    state: State = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve a made-up LicenseSpring vendor until Ctrl-C; switch requests_per_minute limits it."""
    _serve("licensespring", **locals())


def _serve(source: str, **given: Any) -> None:  # noqa: ANN401 - the options of a sandbox
    from orders_connector.cli import sandbox

    moves, now = given.pop("moves"), given.pop("now")
    sandbox.serve_sandbox(
        source,
        switches=given.pop("switch") or [],
        moves=moves.split(",") if moves else None,
        now=now.replace(tzinfo=UTC) if now else None,
        **given,
    )
