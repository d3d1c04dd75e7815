"""The command `sandbox voucherify`: the local server in the foreground."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from orders_connector.cli.terminal import say
from orders_connector.sandbox.voucherify import Plan, Switches, VoucherifySandbox, serve

__all__ = ["serve_voucherify"]


def serve_voucherify(
    *, switches: list[str], plan: str, state: Path | None, as_json: bool, **options: Any
) -> None:
    """Run the sandbox until it is told to stop.

    Args:
        switches: `name=value`, answers to what the documentation leaves open.
        plan: Name of a `Plan`.
        state: File that keeps the shop from one run to the next; it goes before `orders`.
        as_json: Announce the address as one line of JSON.
        **options: As `serve` takes them.
    """
    try:
        answers = Switches.parse(switches)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--switch") from error
    running: list[VoucherifySandbox] = []
    saved = _read_state(state)
    if saved:
        options |= {"orders": 0, "now": saved["now"]}

    def announce(box: VoucherifySandbox) -> None:
        running.append(box)
        if saved:
            box.shop.load(saved["orders"])
        (_announce_json if as_json else _announce)(box)

    try:
        serve(announce, switches=answers, plan=Plan[plan.upper()], **options)
    finally:
        if state and running:
            _write_state(state, running[0])
