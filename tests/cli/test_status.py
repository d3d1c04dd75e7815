"""status: can the figures be trusted today?"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orders_connector.config import Settings
from orders_connector.status import FRESH_FOR, Trust, read_status
from orders_connector.warehouse.database import open_warehouse

FIRST_LINES = {
    Trust.YES: "Yes: every order up to ",
    Trust.RESERVED: "With reservations: ",
    Trust.NO: "No, not to be trusted today: ",
}


def warehouse(folder):
    return open_warehouse(folder / "data/orders.duckdb")


def state(folder, **options):
    return read_status(Settings.load(folder / "orders.toml"), **options)


def more_accounts(folder, *names):
    file = folder / "orders.toml"
    text = file.read_text()
    file.write_text(text + "".join(text.replace("accounts.shop", f"accounts.{n}") for n in names))


def test_before_the_first_load(installation, run):
    ran = run("status")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"{FIRST_LINES[Trust.NO]}nothing was loaded yet."
    assert "orders-connector sync" in ran.out


def test_after_a_good_load(published, run):
    lines = run("status").out.splitlines()
    assert lines[0].startswith(FIRST_LINES[Trust.YES])
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    data = run("status", "--json").data
    assert data["verdict"] == lines[0]
    assert (data["trust"], data["problems"], data["remarks"]) == ("yes", [], [])
    (account,) = data["accounts"]
    assert account["last"]["calls"] == account["calls_of_cycle"] > 1


def test_old_data_is_not_trusted(published):
    later = datetime.now(UTC) + FRESH_FOR + timedelta(hours=1)
    found = state(published, now=later)
    assert found.trust is Trust.NO
    assert found.verdict == (
        f"{FIRST_LINES[Trust.NO]}shop: the newest proven data is 27 hours old."
    )


def test_a_gap_is_not_trusted(loaded, run):
    with warehouse(loaded) as con:
        con.execute("update ops.coverage set covered_from = '2024-05-01 00:00Z'")
    ran = run("status")
    gap = "gap in shop: 2023-01-01 00:00 to 2024-05-01 00:00 UTC"
    assert ran.out.splitlines()[:2] == [f"{FIRST_LINES[Trust.NO]}{gap}.", ""]


def test_the_oldest_account_is_named_and_the_others_are_counted(loaded):
    more_accounts(loaded, "second", "third")
    with warehouse(loaded) as con:
        for account, hours in (("second", 50), ("third", 40)):
            for table in ("ops.extractions", "ops.coverage"):
                con.execute(
                    f"insert into {table} by name from {table}"
                    f" select * replace ('{account}' as account)"
                )
            con.execute(
                f"update ops.coverage set covered_to = covered_to - interval {hours} hours"
                " where account = ?",
                [account],
            )
    found = state(loaded)
    assert found.verdict == (
        f"{FIRST_LINES[Trust.NO]}second: the newest proven data is 50 hours old and 1 more."
    )


def test_what_is_missing_goes_before_what_is_old(loaded):
    with warehouse(loaded) as con:
        con.execute("update ops.coverage set covered_from = '2024-05-01 00:00Z'")
    found = state(loaded, now=datetime.now(UTC) + FRESH_FOR + timedelta(hours=1))
    assert [problem.split()[0] for problem in found.problems] == ["gap", "shop:"]
    assert found.verdict.startswith(f"{FIRST_LINES[Trust.NO]}gap in shop: ")
    assert found.verdict.endswith(" and 1 more.")


def test_an_account_that_was_never_loaded_is_not_trusted(loaded, run):
    more_accounts(loaded, "second")
    ran = run("status")
    assert ran.out.splitlines()[0] == f"{FIRST_LINES[Trust.NO]}second was never loaded."
    assert "run `orders-connector sync`" in ran.out


def test_orders_that_are_not_built_are_not_trusted(loaded, run, box):
    box.shop.create({"amount": 1000})
    run("sync", "--no-refresh", "--json")
    first = run("status").out.splitlines()[0]
    assert first == f"{FIRST_LINES[Trust.NO]}orders were landed that the tables do not show yet."


@pytest.mark.parametrize("status", ["failed", "incomplete"])
def test_a_load_that_is_not_complete_says_why(loaded, run, status):
    reason = "the listing did not hold still, " * 20
    with warehouse(loaded) as con:
        con.execute("update ops.extractions set status = ?, reason = ?", [status, reason])
    trust = Trust.RESERVED if status == "failed" else Trust.NO
    lines = run("status").out.splitlines()
    what = "failed" if status == "failed" else "is incomplete"
    assert lines[0].startswith(f"{FIRST_LINES[trust]}shop: the last load {what}: the listing did")
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 24
    assert run("status", "--json").data["verdict"] == lines[0]
    assert "status --json" in lines[6]


def test_quarantined_orders_are_a_reservation_until_they_are_repaired(loaded, run, box):
    order = box.shop.truth()[0]
    box.clock.advance(timedelta(minutes=1))
    box.shop.put_raw(order | {"items": "none", "updated_at": "2199-01-01T00:00:00Z"})
    assert run("sync", "--json").code == 0
    ran = run("status")
    assert ran.out.splitlines()[0].startswith(FIRST_LINES[Trust.RESERVED])
    assert "shop: orders in quarantine, missing or old in the figures: 1.\n" in ran.out
    assert "\nquarantine  1 x " in ran.out
    box.shop.put_raw(order | {"updated_at": "2199-01-02T00:00:00Z"})
    run("sync", "--json")
    assert state(loaded).accounts[0].quarantined == 0


def with_settings(folder, text):
    file = folder / "orders.toml"
    file.write_text(f"{file.read_text()}\n{text}\n")


def test_calls_are_counted_by_billing_cycle_and_shown_with_the_quota(loaded, run):
    with_settings(loaded, "calls_per_cycle = 1000")
    (account,) = run("status", "--json").data["accounts"]
    spent, resets_at = account["calls_of_cycle"], datetime.fromisoformat(account["cycle_resets_at"])
    assert account["calls_per_cycle"] == 1_000
    assert f" {spent} of 1,000 " in run("status").out
    assert resets_at.day == 1
    assert state(loaded, now=resets_at - timedelta(seconds=1)).accounts[0].calls_of_cycle == spent
    assert state(loaded, now=resets_at).accounts[0].calls_of_cycle == 0


@pytest.mark.parametrize("spent", [89, 90])
def test_a_spent_billing_cycle_is_a_reservation_with_its_end(loaded, run, spent):
    with warehouse(loaded) as con:
        con.execute("update ops.extractions set calls = ?", [spent])
    with_settings(loaded, "calls_per_cycle = 101\nreserve = 0.1")
    found = state(loaded)
    end = f"{found.accounts[0].cycle_resets_at:%Y-%m-%d}"
    spent_up = f"90 of 101 requests of the billing cycle are spent: loads stop until {end}"
    assert found.remarks == ([f"shop: {spent_up}"] if spent == 90 else [])
    assert (spent_up in run("status").out) == (spent == 90)


@pytest.mark.parametrize("quota", [None, 1_000], ids=["no_cycle", "cycle"])
def test_a_comparison_that_the_budget_ended_says_when_it_is_made_again(loaded, run, quota):
    limit = f"\ncalls_per_cycle = {quota}" if quota else ""
    with_settings(loaded, f"reconcile_every_days = 7{limit}")
    compared(loaded, "failed", "Account shop used the 60 requests that one run may make")
    data = run("status", "--json").data
    zone = ZoneInfo(Settings.load(loaded / "orders.toml").schedule.time_zone)
    due = (LATER + timedelta(days=7)).astimezone(zone).date()
    if quota:
        start = LATER.replace(day=1, hour=0)
        reset = (start + timedelta(days=31)).replace(day=1)
        due = min(due, reset.astimezone(zone).date())
    assert data["accounts"][0]["compared"]["next_on"] == due.isoformat()
    line = f"the call budget ended it; the nightly load compares again on {due}"
    assert line in run("status").out
    compared(loaded, "equal", None)
    assert run("status", "--json").data["accounts"][0]["compared"]["next_on"] is None
    assert "the call budget ended it" not in run("status").out


LATER = datetime(2199, 3, 28, 12, tzinfo=UTC)  # than whatever was compared while the shop was made


def compared(folder, status, reason):
    """Note a comparison, later than those that were noted before."""
    with warehouse(folder) as con:
        ((before,),) = con.execute(
            "select count(*) from ops.reconciliations where started_at >= ?", [LATER]
        ).fetchall()
        at = LATER + timedelta(minutes=before)
        row = [f"rec_{before}", "voucherify", "shop", status, reason, at, at, 60, 9, 9, 9]
        con.execute(f"insert into ops.reconciliations values ({', '.join('?' * len(row))})", row)


def failing(folder, *severities):
    """Note checks that failed, as the last run of all checks would."""
    with warehouse(folder) as con:
        for severity in severities:
            con.execute(
                "insert into ops.failing_rows by name select now() as checked_at,"
                " 'marts.daily_revenue' as model, $1 || '_check' as check_name, $1 as severity,"
                " 'why' as reason, json('{}') as row from range(3)",
                [severity],
            )


def test_a_failed_check_that_keeps_readers_on_the_old_copy_is_named(loaded, run, box):
    box.shop.create({"amount": 1000})
    run("sync", "--no-publish", "--json")
    failing(loaded, "warn", "error")
    found = state(loaded)
    assert found.trust is Trust.RESERVED
    assert found.remarks[0].startswith("readers keep the copy of 20")
    assert found.remarks[0].endswith("the check marts.daily_revenue.error_check (3 rows) failed")
    assert run("status").out.startswith(f"{FIRST_LINES[Trust.RESERVED]}readers keep the copy of ")
    (loaded / "data/published/orders.duckdb").unlink()
    assert state(loaded).problems == [
        "nothing is published yet: the check marts.daily_revenue.error_check (3 rows) failed"
    ]


def test_a_failed_check_of_what_is_published_is_not_trusted(loaded, run):
    failing(loaded, "error")
    ran = run("status")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == (
        f"{FIRST_LINES[Trust.NO]}published figures break marts.daily_revenue.error_check (3 rows)."
    )
    assert "1 error, 0 warnings" in ran.out


def test_a_warning_of_a_check_is_told_and_changes_no_verdict(loaded, run):
    failing(loaded, "warn")
    ran = run("status", "--json")
    assert ran.data["trust"] == "yes"
    assert ran.data["failed_checks"] == [
        {"model": "marts.daily_revenue", "name": "warn_check", "severity": "warn", "rows": 3}
    ]
    assert "0 errors, 1 warning: marts.daily_revenue.warn_check (3 rows)\n" in run("status").out


def test_a_copy_that_lags_behind_is_a_reservation(loaded, run, box):
    box.shop.create({"amount": 1000})
    run("sync", "--no-publish", "--json")
    ran = run("status")
    assert ran.out.splitlines()[0].startswith(FIRST_LINES[Trust.RESERVED])
    assert "tables are newer than the published copy" in ran.out


def test_a_missing_copy_is_not_trusted(loaded):
    (loaded / "data/published/orders.duckdb").unlink()
    found = state(loaded)
    assert found.trust is Trust.NO
    assert found.published is None
    assert found.verdict == f"{FIRST_LINES[Trust.NO]}nothing is published yet."
