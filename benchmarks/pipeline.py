"""The whole pipeline against dlt, which does extraction and loading alone."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from math import ceil
from statistics import median
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.harness import Child, Row, must_equal, run_child
from benchmarks.jobs import settings_for
from benchmarks.serving import served
from benchmarks.shop import Peer, Shop, must_be_complete, orders_of

STOPPED_AT = 20  # times what ours needed; dlt takes minutes for some orders as they come


def run(shop: Shop, *, quick: bool) -> list[Row]:
    """Load a shop from a server in another process, ours and dlt's in turn."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    orders, repetitions = (300, 1) if quick else (10_000, 3)
    ours: list[Child] = []
    peers: dict[Peer, list[Child]] = {peer: [] for peer in shop.peers}
    with served(shop, orders) as base_url:
        ids = _ids(shop, base_url)
        for _ in range(repetitions):
            ours.append(_ours(shop, base_url))
            # Once stopped, always stopped: to see it again would cost minutes and tell nothing.
            for peer, children in peers.items():
                if find_spec("dlt") and not any(child.stopped for child in children):
                    limit = ceil(STOPPED_AT * ours[-1].spent.cpu)
                    children.append(_dlt(peer, base_url, ids, limit))
    what = f"{shop.source}: pipeline of {orders:,} orders, HTTP to published marts; dlt:"
    rows = []
    for peer, children in peers.items():
        row = f"{what} {peer.what}"
        rows.append(compared(row, ours, children, target=peer.target))
        if peer.target is None:
            rows.append(compared(f"{row}, and the same models", ours, children, same_models=True))
    return rows


def compared(
    what: str,
    ours: list[Child],
    peers: list[Child],
    target: float | None = None,
    *,
    same_models: bool = False,
) -> Row:
    """Compare CPU seconds; a peer that was stopped gives a lower bound.

    Args:
        what: Name of the row.
        ours: Our runs; the result of each says what its models cost.
        peers: The peer's runs.
        target: Of the ratio.
        same_models: The peer is charged for the models, as measured in ours.
    """
    mine = median(child.spent.cpu for child in ours)
    if not peers:
        return Row(what, f"{mine:.2f} CPU s", "dlt is not installed")
    peer = median(child.spent.cpu for child in peers)
    if same_models:
        peer += median(child.result["models"] for child in ours)
    ratio = peer / mine
    row = Row(what, f"{mine:.2f} CPU s", f"{peer:.2f} CPU s", f"{ratio:.1f}")
    if any(child.stopped for child in peers):
        row = replace(row, peer=f"> {int(peer)} CPU s (stopped)", ratio=f"> {int(ratio)}")
    return replace(row, target=f"≥ {target}", met=ratio >= target) if target else row


def _ids(shop: Shop, base_url: str) -> list[str]:
    """Return the ids of orders and of their parts, sorted as text."""
    rows = [*orders_of(base_url), *shop.parts(base_url)]
    name = next(iter(shop.contracts.values())).id_path.removeprefix("$.")
    return sorted(str(row[name]) for row in rows)


def _ours(shop: Shop, base_url: str) -> Child:
    with TemporaryDirectory() as folder:
        account = shop.account(base_url)
        child = run_child("benchmarks.jobs:load", folder=folder, account=account)
        must_be_complete(settings_for(folder, account), shop, base_url)
        return child


def _dlt(peer: Peer, base_url: str, ids: list[str], cpu_limit: int) -> Child:
    with TemporaryDirectory() as folder:
        child = run_child(
            f"benchmarks.peer_dlt:{peer.job}",
            cpu_limit=cpu_limit,
            folder=folder,
            base_url=base_url,
        )
        if child.stopped:
            return child
        with duckdb.connect(f"{folder}/dlt.duckdb") as con:
            loaded = con.execute(peer.ids.format(folder=folder)).fetchall()
    must_equal("ids that dlt loaded", [one for (one,) in loaded], ids)
    return child
