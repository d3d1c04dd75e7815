"""Runs with few calls each, until everything is landed and proven."""

from math import ceil

from tests.invariants.nights import open_nights

# Moves that a load sees: each has a time of its own, or is that of an open order.
SEEN = {
    "voucherify": ("create", "backdate", "pay", "change"),
    "ultracart": ("create", "advance"),
    "licensespring": ("create", "activate", "disable"),
}


def load_with_small_budget(
    kind, folder, monkeypatch, *, size, budget, switches, seed=0, moves=(), time_passes=False
):
    """Load a shop that moves for a while; then it is quiet, and everything has to be there.

    Args:
        kind: the night's class.
        folder: of the warehouses.
        monkeypatch: for credentials.
        size: orders of the past.
        budget: calls that a run may make.
        switches: of the sandbox.
        seed: of the sandbox.
        moves: what happens while the first runs read.
        time_passes: between quiet runs, so that each has a new window before the old one.

    Returns:
        Calls that one whole load takes, and quiet runs that it took with the budget.
    """
    with kind.sandbox(size, seed, switches) as box:
        night = kind(box)
        open_nights([night], folder / "whole", monkeypatch)
        night.sync()
        needed = len(box.calls)
        night = kind(box, moves)
        open_nights([night], folder / "small", monkeypatch, f"max_calls_per_run = {budget}")
        box.on_request = night.live if moves else None
        while night.pending:
            run_within(night, budget)
        box.on_request = None
        night.tick()
        runs = 1
        while not run_within(night, budget):
            runs += 1
            if time_passes:
                night.tick()
            assert runs <= 3 * ceil(needed / budget) + 3
        assert run_within(night, budget)
        assert len(night.coverage()) == 1
        assert night.gaps() == [] or night.gaps()[0].start == night.coverage()[0].end
        assert night.differing() - night.excused() == set()
        return needed, runs


def run_within(night, budget):
    """Load once within the budget; True when nothing is left to do."""
    night.box.reset_calls()
    result = night.sync()
    assert len(night.box.calls) <= budget
    assert result.calls <= budget
    if result.status != "complete":
        reason = result.reading.reason
        used = f"used the {budget:,} requests" in reason
        assert used or "than all windows explain" in reason or "than it shows" in reason, reason
    return result.status == "complete" and not result.hydrated.awaiting
