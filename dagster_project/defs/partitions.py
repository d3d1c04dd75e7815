"""The two calendars, and how the UI learns what the warehouse holds for their days."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from orders_connector.config import Settings

__all__ = ["business_dates", "log_days", "version_days"]

# Each event costs Dagster about 8 ms on SQLite; older days follow with the next runs.
MOST_EVENTS = 1000


def version_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Return the UTC days of version_at: what an extraction is asked to cover."""
    start = min(account.history_start for account in settings.accounts.values())
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC")


def business_dates(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Return the days that orders count for, up to tomorrow: some zone may be there already."""
    start = min(account.history_start for account in settings.accounts.values())
    return dg.DailyPartitionsDefinition(
        start_date=start.isoformat(), timezone=settings.schedule.time_zone, end_offset=2
    )


def log_days(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    days: dg.DailyPartitionsDefinition,
    *,
    touched: Iterable[date] = (),
    present: Iterable[date] = (),
    metadata: Mapping[date, Mapping[str, Any]] | None = None,
) -> None:
    """Log a materialization for each day that this run touched or that Dagster does not know yet.

    Days get into the warehouse without Dagster, too: through the command line, or before its
    storage was lost. What it missed is made up for here, so the UI shows the warehouse's state.

    Args:
        context: Of the running step; the asset need not be part of it.
        key: The partitioned asset.
        days: Its partitions. Days outside of them are left out.
        touched: Days to log in any case.
        present: Days that the warehouse holds.
        metadata: Of single days.
    """
    possible = set(days.get_partition_keys())
    known = context.instance.get_materialized_partitions(key)
    wanted = {day.isoformat() for day in touched}
    wanted |= {day.isoformat() for day in present} - known
    chosen = sorted(wanted & possible)[-MOST_EVENTS:]
    for day in chosen:
        facts = (metadata or {}).get(date.fromisoformat(day))
        context.log_event(dg.AssetMaterialization(key, partition=day, metadata=facts))
