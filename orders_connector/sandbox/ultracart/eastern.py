"""Times as the API writes them: US Eastern, whole seconds."""

from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = ["EASTERN", "eastern"]

EASTERN = ZoneInfo("America/New_York")


def eastern(moment: datetime) -> str:
    """Write an aware moment, such as `2026-07-01T08:00:00-04:00`; fractions are cut."""
    return moment.astimezone(EASTERN).isoformat(timespec="seconds")
