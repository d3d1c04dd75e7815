"""What probes found out about an account, with the date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import duckdb

__all__ = ["ProbedAnswer", "note_answer", "probed_at", "read_profile", "write_profile"]


class ProbedAnswer(Protocol):
    """What a source's probes say about one capability."""

    @property
    def capability(self) -> str:
        """What was asked."""

    @property
    def answer(self) -> str:
        """What was found, in a word or a number."""

    @property
    def evidence(self) -> str:
        """By which request."""


def write_profile(
    con: duckdb.DuckDBPyConnection,
    source: str,
    account: str,
    answers: Iterable[ProbedAnswer],
    probed_at: datetime,
) -> None:
    """Replace the profile of an account, in the caller's transaction.

    Args:
        con: Connection to the warehouse.
        source: Kind of API.
        account: Configured account.
        answers: One for each capability.
        probed_at: When they were given, UTC.
    """
    con.execute(
        "delete from ops.account_profiles where source = ? and account = ?", [source, account]
    )
    for found in answers:
        con.execute(
            "insert into ops.account_profiles values (?, ?, ?, ?, ?, ?)",
            [source, account, found.capability, found.answer, found.evidence, probed_at],
        )


def note_answer(
    con: duckdb.DuckDBPyConnection,
    source: str,
    account: str,
    capability: str,
    answer: str,
    evidence: str,
    at: datetime,
) -> None:
    """Replace one answer, learned from a load rather than a probe, in the caller's transaction."""
    con.execute(
        "delete from ops.account_profiles where source = ? and account = ? and capability = ?",
        [source, account, capability],
    )
    con.execute(
        "insert into ops.account_profiles values (?, ?, ?, ?, ?, ?)",
        [source, account, capability, answer, evidence, at],
    )


def read_profile(con: duckdb.DuckDBPyConnection, source: str, account: str) -> dict[str, str]:
    """Return the answers of an account by capability; empty when it was never probed."""
    return dict(
        con.execute(
            "select capability, answer from ops.account_profiles"
            " where source = ? and account = ? order by rowid",
            [source, account],
        ).fetchall()
    )


def probed_at(con: duckdb.DuckDBPyConnection, source: str, account: str) -> datetime | None:
    """Return when an account was probed, UTC; None when it never was."""
    ((moment,),) = con.execute(
        "select max(probed_at) from ops.account_profiles where source = ? and account = ?",
        [source, account],
    ).fetchall()
    return moment if isinstance(moment, datetime) else None
