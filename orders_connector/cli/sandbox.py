"""The command `sandbox`: a local server in the foreground, one for each source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from orders_connector import sandbox
from orders_connector.cli.terminal import relative, say

__all__ = ["KINDS", "serve_sandbox"]


@dataclass(frozen=True)
class Kind:
    """What is told about the sandbox of one source.

    Attributes:
        name: As a person writes it.
        keys: Attributes of the sandbox with its keys, by the variable that holds them by default.
        headers: How a request carries them; with the attributes in braces.
        path: A request to try.
    """

    name: str
    keys: Mapping[str, str]
    headers: Sequence[str]
    path: str


KINDS = {
    "voucherify": Kind(
        "Voucherify",
        {"VOUCHERIFY_APP_ID": "app_id", "VOUCHERIFY_APP_TOKEN": "app_token"},
        ("X-App-Id: {app_id}", "X-App-Token: {app_token}"),
        "/v1/orders?limit=2&order=-created_at",
    ),
    "ultracart": Kind(
        "UltraCart",
        {"ULTRACART_SIMPLE_KEY": "simple_key"},
        ("x-ultracart-simple-key: {simple_key}", "X-UltraCart-Api-Version: 2017-03-01"),
        "/rest/v2/order/orders?current_stage=Completed%20Order&_limit=2&_expand=summary",
    ),
    "licensespring": Kind(
        "LicenseSpring",
        {"LICENSESPRING_API_KEY": "api_key"},
        ("Authorization: Api-Key {api_key}",),
        "/api/v1/orders/?limit=2&order_by=-created_at",
    ),
}


def serve_sandbox(
    source: str,
    *,
    switches: list[str],
    moves: list[str] | None,
    state: Path | None,
    as_json: bool,
    plan: str | None = None,
    **options: Any,  # noqa: ANN401 - arguments of serve
) -> None:
    """Run the sandbox of a source until SIGTERM or SIGINT.

    Args:
        source: Whose.
        switches: `name=value`, answers to what the documentation leaves open.
        moves: Kinds of changes that traffic makes; None for all.
        state: File that keeps the shop from one run to the next.
        as_json: Announce the address as one line of JSON.
        plan: Name of a `Plan`, where the source has them.
        **options: As `serve` of this sandbox takes them.
    """
    kind, room = KINDS[source], import_module(f"{sandbox.__name__}.{source}")
    try:
        options["switches"] = room.Switches.parse(switches)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--switch") from error
    if plan is not None:
        options["plan"] = room.Plan[plan.upper()]
    kept = json.loads(state.read_text()) if state and state.exists() else None
    runs = kept["runs"] if kept else 0
    if kept:
        # Another seed, or what is new would be what was new in the runs before.
        seed = options["seed"] + runs
        options |= {"orders": 0, "now": datetime.fromisoformat(kept["now"]), "seed": seed}
    running: list[Any] = []

    def announce(box: Any) -> None:  # noqa: ANN401 - the sandbox of any source
        running.append(box)
        if kept:
            box.restore(kept["shop"])
        if moves:
            _limit_moves(box, moves)
        if as_json:
            typer.echo(json.dumps(_address(box, kind)))
        else:
            _say_address(box, kind, state)

    try:
        room.serve(announce, **options)
    finally:
        if state and running:
            _save(state, running[0], runs + 1)


def _limit_moves(box: Any, moves: list[str]) -> None:  # noqa: ANN401 - the sandbox of any source
    if unknown := set(moves) - box.moves.weights.keys():
        raise typer.BadParameter(
            f"unknown {', '.join(sorted(unknown))}; known: {', '.join(box.moves.weights)}",
            param_hint="--moves",
        )
    for kind in box.moves.weights.keys() - set(moves):
        box.moves.weights[kind] = 0


def _address(box: Any, kind: Kind) -> dict[str, Any]:  # noqa: ANN401 - the sandbox of any source
    downloads = {"download_url": box.download_url} if hasattr(box, "download_url") else {}
    return {
        "base_url": box.base_url,
        **downloads,
        **_keys(box, kind),
        "orders": len(box.shop),
        "now": box.clock.now().isoformat(),
    }


def _keys(box: Any, kind: Kind) -> dict[str, str]:  # noqa: ANN401 - the sandbox of any source
    return {attribute: getattr(box, attribute) for attribute in kind.keys.values()}


def _say_address(box: Any, kind: Kind, state: Path | None) -> None:  # noqa: ANN401 - as above
    keys = _keys(box, kind)
    variables = (f"{variable}={keys[attribute]}" for variable, attribute in kind.keys.items())
    headers = " ".join(f"-H '{header.format(**keys)}'" for header in kind.headers)
    say(
        f"{kind.name} sandbox at {box.base_url} with {len(box.shop):,} orders. Ctrl-C stops it.",
        "",
        f"  {' '.join(variables)}",
        f'  base_url = "{box.base_url}"    (in [accounts.NAME] of orders.toml)',
    )
    if hasattr(box, "download_url"):
        say(f'  download_hosts = ["{box.download_url.removeprefix("http://")}"]')
    say(
        "",
        "Try:",
        f"  curl {headers} '{box.base_url}{kind.path}'",
        f"  curl -X POST {box.base_url}/_sandbox/day         one day passes in the shop",
        f"  curl {box.base_url}/_sandbox/state               clock, orders, calls so far",
    )
    if state:
        say("", f"The shop is kept in {relative(state.absolute())}.")


def _save(state: Path, box: Any, runs: int) -> None:  # noqa: ANN401 - the sandbox of any source
    draft = state.with_name(f"{state.name}.tmp")
    kept = {"now": box.clock.now().isoformat(), "runs": runs, "shop": box.kept()}
    draft.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    draft.replace(state)
