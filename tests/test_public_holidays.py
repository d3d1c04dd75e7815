"""Public holidays: whose are known, and how they get to the warehouse."""

from datetime import date

import pytest

from orders_connector.config import Settings
from orders_connector.landing.settings_tables import write_settings
from orders_connector.public_holidays import known_region, public_holidays
from orders_connector.warehouse.database import open_warehouse, transaction

TODAY = date(2026, 11, 23)


def test_days_of_a_country_and_of_a_part_of_it():
    poland = public_holidays("PL", TODAY)
    assert poland[date(2026, 11, 11)] == "National Independence Day"
    assert date(2026, 11, 12) not in poland
    assert (min(poland).year, max(poland).year) == (2000, 2028)
    epiphany = date(2026, 1, 6)
    assert epiphany in public_holidays("DE-BY", TODAY)
    assert epiphany not in public_holidays("DE", TODAY)


def test_names_do_not_depend_on_the_language_of_the_machine(monkeypatch):
    here = public_holidays("DE", TODAY)
    monkeypatch.setenv("LANGUAGE", "de")
    assert public_holidays("DE", TODAY) == here
    assert here[date(2026, 10, 3)] == "German Unity Day"


def test_a_country_whose_days_are_known_for_some_years_only_gives_those():
    assert public_holidays("CN", TODAY)[date(2026, 10, 1)] == "National Day"


@pytest.mark.parametrize("region", ["XX", "PL-XX", "DE-by"])
def test_an_unknown_region_is_refused(region):
    with pytest.raises(ValueError, match="no holidays are known of it"):
        known_region(region)


def test_each_load_writes_what_is_configured_now(tmp_path):
    account = {
        "source": "voucherify",
        "region": "eu",
        "currency": "EUR",
        "time_zone": "Europe/Warsaw",
        "history_start": "2024-01-01",
    }
    written = (
        "select account, holiday_date, name from ops.holidays where holiday_date = '2026-11-11'"
    )
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        for region, found in [("PL", True), ("DE", False), (None, False)]:
            shops = {"shop": account | {"holidays": region}, "other": account}
            with transaction(con):
                write_settings(con, Settings(accounts=shops))
            expected = [("shop", date(2026, 11, 11), "National Independence Day")] if found else []
            assert con.execute(written).fetchall() == expected
        assert con.execute("from ops.holidays").fetchall() == []
