"""When a nightly load compares again after a comparison that the call budget ended."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from orders_connector.comparison_due import LastComparison, last_comparison
from orders_connector.config import Settings
from orders_connector.warehouse.database import open_warehouse

WARSAW, NEW_YORK = ZoneInfo("Europe/Warsaw"), ZoneInfo("America/New_York")
AT = datetime(2026, 8, 28, 3, tzinfo=UTC)
RESET = datetime(2026, 9, 1, tzinfo=UTC)

CONFIG = """
[accounts.vendor]
source = "licensespring"
time_zone = "Europe/Warsaw"
history_start = 2020-01-01
{quota}
"""


@pytest.mark.parametrize(
    ("resets_at", "days", "due"),
    [(None, 7, date(2026, 9, 4)), (RESET, 7, date(2026, 9, 1)), (RESET, 2, date(2026, 8, 30))],
    ids=["no_cycle", "reset_is_earlier", "day_is_earlier"],
)
def test_it_waits_for_the_next_due_day_or_the_reset_of_the_cycle(resets_at, days, due):
    last = LastComparison("rec_1", "failed", AT, days, resets_at)
    assert last.next_on(WARSAW) == due
    at_night = [datetime(2026, 8, day, 3, tzinfo=UTC) for day in (29, 30, 31)]
    at_night += [datetime(2026, 9, day, 3, tzinfo=UTC) for day in (1, 2, 3, 4)]
    first = next(now for now in at_night if last.is_due(now, WARSAW))
    assert first.date() == due


def test_the_day_of_the_reset_is_not_enough_before_its_hour():
    last = LastComparison("rec_1", "failed", AT, 7, RESET)
    assert not last.is_due(datetime(2026, 8, 31, 7, tzinfo=UTC), NEW_YORK)
    assert last.is_due(datetime(2026, 9, 1, 7, tzinfo=UTC), NEW_YORK)


@pytest.mark.parametrize(
    ("reason", "quota", "found"),
    [
        ("Account vendor used the 1,200 requests that one run may make. Run again", "", None),
        (
            "Account vendor used the 40 requests that its billing cycle had left: of 90, 9 are",
            "calls_per_cycle = 90",
            RESET,
        ),
    ],
    ids=["run", "cycle"],
)
def test_what_the_budget_ended_is_told_by_its_reason(tmp_path, reason, quota, found):
    (tmp_path / "orders.toml").write_text(CONFIG.format(quota=quota))
    settings = Settings.load(tmp_path / "orders.toml")
    account = settings.accounts["vendor"]
    with open_warehouse(settings.warehouse.path) as con:
        for number, (status, why) in enumerate(
            [("equal", None), ("failed", reason), ("failed", "the source did not hold still")]
        ):
            row = [f"rec_{number}", "licensespring", "vendor", status, why]
            at = AT.replace(minute=number)
            row += [at, at, 40, 9, 9, 9]
            con.execute(f"insert into ops.reconciliations values ({', '.join('?' * 11)})", row)
        last = last_comparison(con, account)
    assert last == LastComparison("rec_1", "failed", AT.replace(minute=1), 7, found)
