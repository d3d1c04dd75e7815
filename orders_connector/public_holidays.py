"""Public holidays of a country or a part of one, for comparing days with their like."""

from __future__ import annotations

import warnings
from datetime import date

__all__ = ["known_region", "public_holidays"]

# Of some countries the library knows the days of a few decades only, and says so in a warning;
# the calendar leaves the years without any day open.
FIRST_YEAR = 2000
YEARS_AHEAD = 2


def known_region(region: str) -> str:
    """Return the region as it is when its holidays are known.

    Args:
        region: ISO 3166 code of a country, such as ``PL``, or of a part of one, such as ``DE-BY``.

    Raises:
        ValueError: Nothing is known of it.
    """
    try:
        _days(region, range(0))
    except NotImplementedError as error:
        raise ValueError("no holidays are known of it") from error
    return region


def public_holidays(region: str, today: date) -> dict[date, str]:
    """Return the days of rest of a region and what is celebrated, in English where translated.

    Args:
        region: One that `known_region` let pass.
        today: The days of two more years are returned.
    """
    return _days(region, range(FIRST_YEAR, today.year + YEARS_AHEAD + 1))


def _days(region: str, years: range) -> dict[date, str]:
    import holidays  # asked only where an account has the setting

    country, _, part = region.partition("-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without a language it is that of the machine's user.
        found = holidays.country_holidays(
            country, subdiv=part or None, years=years, language="en_US"
        )
    return dict(sorted(found.items()))
