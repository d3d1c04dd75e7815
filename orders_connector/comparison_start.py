"""Where a comparison with the source begins, also when the ones before it came to no end."""

from __future__ import annotations

from datetime import UTC, datetime

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.landing.raw_log import Landed
from orders_connector.sources.base import Reading, Window

__all__ = ["FEW", "SHOWS_NONE", "begin_comparison"]

FEW = 10  # orders that may all have been deleted
SHOWS_NONE = (
    "the source shows no orders at all, and this warehouse knows some, so nothing was marked as "
    "deleted: is the source in order? Run again when it is"
)

# What comparisons that came to no end have landed since the last load is no part of what was there:
# no load read these orders, so they are still to be told of.
BEFORE = """
    with ended as (
        select greatest(
            (
                select coalesce(max(ended_at), '-infinity') from ops.extractions
                where source = $source and account = $account
                    and strategy = 'listing' and status <> 'failed'
            ),
            (
                select coalesce(max(ended_at), '-infinity') from ops.reconciliations
                where source = $source and account = $account and status <> 'failed'
            )
        ) as at
    )
    select coalesce(
        (
            select min((e.evidence ->> '$[0].before')::bigint)
            from ops.extractions as e, ended
            where e.source = $source and e.account = $account
                and e.strategy = 'reconciliation' and e.ended_at > ended.at
        ),
        (select max(version_id) from raw.order_payloads),
        0
    )
"""


def begin_comparison(load: AccountLoad, comparison_id: str, started_at: datetime) -> int:
    """Return the newest version from before a comparison, and note it for one that is killed.

    Args:
        load: The account's load.
        comparison_id: As in ops.reconciliations.
        started_at: First request, UTC.
    """
    now = datetime.now(UTC)
    reading = Reading(Window(now, now))
    before = 0

    def work(commit: Commit) -> Landed:
        nonlocal before
        who = {"source": load.account.source, "account": load.account.name}
        ((before,),) = commit.con.execute(BEFORE, who).fetchall()
        reading.exports.append({"reconciliation": comparison_id, "before": before})
        return Landed()

    load.commit(
        "reconciliation",
        reading,
        work,
        started_at=started_at,
        status=lambda: "landed",  # the judgement is another row
    )
    return before
