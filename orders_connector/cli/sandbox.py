"""The command `sandbox voucherify`: the local server in the foreground."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from orders_connector.cli.terminal import relative, say
from orders_connector.sandbox.voucherify import Plan, Switches, VoucherifySandbox, serve

__all__ = ["serve_voucherify"]


def serve_voucherify(
    *,
    switches: list[str],
    moves: list[str] | None,
    plan: str,
    state: Path | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - arguments of serve
) -> None:
    """Run the sandbox until SIGTERM or SIGINT.

    Args:
        switches: `name=value`, answers to what the documentation leaves open.
        moves: Kinds of changes that traffic makes; None for all.
        plan: Name of a `Plan`.
        state: File that keeps the shop from one run to the next.
        as_json: Announce the addresses as one line of JSON.
        **options: As `serve` takes them.
    """
    try:
        answers = Switches.parse(switches)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--switch") from error
    saved = json.loads(state.read_text()) if state and state.exists() else None
    if saved:
        # Another seed, or the new orders would get the ids of the first run's new orders.
        seed = options["seed"] + len(saved["orders"])
        now = datetime.fromisoformat(saved["now"])
        options |= {"orders": 0, "now": now, "seed": seed}
    running: list[VoucherifySandbox] = []

    def announce(box: VoucherifySandbox) -> None:
        running.append(box)
        if saved:
            box.shop.load(saved["orders"])
        if moves:
            _limit_moves(box, moves)
        if as_json:
            typer.echo(json.dumps(_address(box)))
        else:
            _say_address(box, state)

    try:
        serve(announce, switches=answers, plan=Plan[plan.upper()], **options)
    finally:
        if state and running:
            _save(state, running[0])


def _limit_moves(box: VoucherifySandbox, moves: list[str]) -> None:
    if unknown := set(moves) - box.moves.weights.keys():
        raise typer.BadParameter(
            f"unknown {', '.join(sorted(unknown))}; known: {', '.join(box.moves.weights)}",
            param_hint="--moves",
        )
    for kind in box.moves.weights.keys() - set(moves):
        box.moves.weights[kind] = 0


def _address(box: VoucherifySandbox) -> dict[str, Any]:
    return {
        "base_url": box.base_url,
        "download_url": box.download_url,
        "app_id": box.app_id,
        "app_token": box.app_token,
        "orders": len(box.shop),
        "now": box.clock.now().isoformat(),
    }


def _say_address(box: VoucherifySandbox, state: Path | None) -> None:
    keys = f"-H 'X-App-Id: {box.app_id}' -H 'X-App-Token: {box.app_token}'"
    say(
        f"Voucherify sandbox at {box.base_url} with {len(box.shop):,} orders. Ctrl-C stops it.",
        "",
        f"  VOUCHERIFY_APP_ID={box.app_id} VOUCHERIFY_APP_TOKEN={box.app_token}",
        f'  base_url = "{box.base_url}"    (in [accounts.NAME] of orders.toml, instead of region)',
        f'  download_hosts = ["{box.download_url.removeprefix("http://")}"]',
        "",
        "Try:",
        f"  curl {keys} '{box.base_url}/v1/orders?limit=2&order=-created_at'",
        f"  curl -X POST {box.base_url}/_sandbox/day         one day passes in the shop",
        f"  curl {box.base_url}/_sandbox/state               clock, orders, calls so far",
    )
    if state:
        say("", f"The shop is kept in {relative(state.absolute())}.")


def _save(state: Path, box: VoucherifySandbox) -> None:
    draft = state.with_name(f"{state.name}.tmp")
    orders = b",\n".join(box.shop.bodies())
    now = box.clock.now().isoformat().encode()
    draft.write_bytes(b'{"now": "' + now + b'", "orders": [\n' + orders + b"\n]}\n")
    draft.replace(state)
