"""Writes the settings that models read into tables, so that `sql/` stays plain SQL."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
from babel.numbers import get_currency_precision, list_currencies

from orders_connector.config import Settings
from orders_connector.public_holidays import public_holidays

__all__ = ["write_settings"]


def write_settings(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Replace what `ops` has of the settings, in the caller's transaction."""
    accounts = settings.accounts.values()
    con.execute("delete from ops.accounts")
    con.execute("delete from ops.account_lists")
    con.execute("delete from ops.billing_cycles")
    con.execute("delete from ops.holidays")
    for account in accounts:
        con.execute(
            "insert into ops.accounts values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                account.source,
                account.name,
                account.currency,
                account.minor_unit_exponent,
                account.time_zone,
                account.business_date_path,
                account.currency_path,
                account.test_order_path,
            ],
        )
        con.execute(
            "insert into ops.billing_cycles values (?, ?, ?, ?)",
            [account.source, account.name, account.calls_per_cycle, account.cycle_start_day],
        )
        if account.holidays:
            days = public_holidays(account.holidays, datetime.now(UTC).date())
            con.execute(
                "insert into ops.holidays"
                " select $source, $account, unnest($days::date[]), unnest($names::varchar[])",
                {
                    "source": account.source,
                    "account": account.name,
                    "days": list(days),
                    "names": list(days.values()),
                },
            )
        for list_name in account.lists:
            values = sorted(set(getattr(account, list_name)))
            con.execute(
                "insert into ops.account_lists"
                " select $source, $account, $list, unnest($values::varchar[])",
                {
                    "source": account.source,
                    "account": account.name,
                    "list": list_name,
                    "values": values,
                },
            )
    codes = sorted(list_currencies())
    exponents = [get_currency_precision(code) for code in codes]
    con.execute("delete from ops.currencies")
    con.execute(
        "insert into ops.currencies"
        " select unnest($codes::varchar[]), unnest($exponents::integer[])",
        {"codes": codes, "exponents": exponents},
    )
