"""The command that removes a customer."""

from __future__ import annotations

import sys
from dataclasses import asdict

import typer

from orders_connector.account_load import account_of
from orders_connector.cli.terminal import counted, minutes, print_json, relative, say, spinner
from orders_connector.config import Settings
from orders_connector.dashboard.serving import renew_dashboard
from orders_connector.erasure import Certificate, erase_customer
from orders_connector.errors import ConfigurationError

__all__ = ["erase"]

FROM_STDIN = "-"
LONG_ENOUGH_TO_TELL = 2.0  # seconds


def erase(
    settings: Settings,
    customer: str | None,
    email: str | None,
    account: str | None,
    *,
    keep_at_source: bool,
    confirmed: bool,
    as_json: bool,
) -> None:
    """Erase a customer after a confirmation and print the certificate.

    A `-` as customer or address is read from the next line of stdin.

    Raises:
        ConfigurationError: the account is missing, or several are configured and none is named.
        FatalSourceError: the source still has orders of the customer; nothing was removed.
        WarehouseError: the files could not be written anew.
    """
    name = account or _only_account(settings)
    account_of(settings, name)
    customer = _given(customer, "--customer")
    email = _given(email, "--email")
    if customer is None and email is None:
        raise typer.BadParameter("give --customer, --email or both", param_hint="--customer")
    if not confirmed:
        typer.confirm(
            f"Remove all orders of this customer from {name}, for good?", abort=True, err=True
        )

    def on_wait(seconds: float, reason: str) -> None:
        if seconds >= LONG_ENOUGH_TO_TELL:
            typer.echo(f"{name}: waiting {seconds:.0f} s: {reason}", err=True)

    with spinner("erasing") as show:
        certificate = erase_customer(
            settings,
            name,
            customer,
            email=email,
            keep_at_source=keep_at_source,
            doing=show,
            on_wait=on_wait,
        )
        renew_dashboard(settings)
    if as_json:
        print_json(asdict(certificate) | {"files": [str(path) for path in certificate.files]})
    else:
        _say_certificate(certificate)


def _given(value: str | None, option: str) -> str | None:
    if value == FROM_STDIN:
        value = sys.stdin.readline().rstrip("\r\n")
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty", param_hint=option)
    return value


def _only_account(settings: Settings) -> str:
    if len(settings.accounts) > 1:
        raise ConfigurationError(
            "customers belong to one account: name it with --account; configured are: "
            + ", ".join(settings.accounts)
        )
    return next(iter(settings.accounts))


def _say_certificate(certificate: Certificate) -> None:
    say(
        f"{certificate.account}: erased {counted(certificate.orders, 'order')}"
        f" ({counted(certificate.versions, 'version')}) at {minutes(certificate.erased_at)}",
        f"  certificate  {certificate.erasure_id}",
        f"  referrals    {counted(certificate.referrals, 'order')} of others named the customer",
        f"  restated     {counted(certificate.business_dates, 'business date')}",
        *(f"  rewritten    {relative(path)}" for path in certificate.files),
    )
    if certificate.mentions:
        say(
            f"  left         {counted(certificate.mentions, 'order')} of others with the id in "
            "another place, such as metadata: mend them at the source"
        )
