"""When a shop's orders are placed: weekdays, seasons, growth, hours, and everybody's midnight."""

import random
from datetime import datetime, timedelta
from itertools import accumulate
from math import cos, tau

from orders_connector.sandbox.clock import EPOCH

__all__ = ["DAY", "HOUR", "day_weight", "placed"]

HOUR = 3_600_000
DAY = 24 * HOUR
_WEEK = (1.0, 0.95, 0.95, 1.0, 1.2, 1.35, 1.15)
_HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 11, 10, 9, 9, 9, 10, 12, 13, 13, 11, 8, 5)
_MIDNIGHTS = tuple(int((24 - zone) % 24 * HOUR) for zone in (-8, -5, 0, 1, 2, 5.5, 9))


def day_weight(day: datetime) -> float:
    """Return how busy a day is, 1 being usual: weekends, summer, November and December."""
    season = 1 + 0.15 * cos(tau * (day.timetuple().tm_yday - 350) / 365)
    peak = {11: 1.35, 12: 1.5}.get(day.month, 1.0)
    return _WEEK[day.weekday()] * season * peak


def placed(rng: random.Random, count: int, now: datetime, days: int) -> list[int]:
    """Spread orders over days by season and growth, and over hours by habit.

    Args:
        rng: decides.
        count: how many orders.
        now: aware, UTC; nothing is younger.
        days: how far the past reaches.

    Returns:
        list[int]: milliseconds since 1970 UTC, unsorted.
    """
    end = (now - EPOCH) // timedelta(milliseconds=1)
    weights = [
        day_weight(now - timedelta(days=back)) * (1 + 0.8 * (days - back) / days)
        for back in range(days)
    ]
    midnight = end - end % DAY
    times = []
    for back in rng.choices(range(days), cum_weights=list(accumulate(weights)), k=count):
        if rng.random() < 0.02:  # within two seconds of somebody's midnight
            time = rng.choice(_MIDNIGHTS) + int((rng.random() - 0.5) * 4000)
        else:
            time = int((rng.choices(range(24), _HOURS)[0] + rng.random()) * HOUR)
        created = midnight - back * DAY + time
        if created > end:  # the rest of today has not happened yet
            created -= DAY
        times.append(created)
    return times
