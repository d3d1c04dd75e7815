"""The checks of the headers pass on good data and find what is broken."""

import json
from datetime import date, timedelta

import pytest

from orders_connector.errors import ModelError
from orders_connector.modeling.checks import keep_failing_rows, run_checks
from orders_connector.modeling.model import load_models

ORDERS = [
    {
        "id": f"o{n}",
        "created_at": f"2026-03-{n:02}T10:00:00Z",
        "status": "PAID",
        "amount": 1000,
        "items": [{"product_id": "p", "quantity": 1, "amount": 1000}],
    }
    for n in range(1, 6)
]


def load_good(warehouse):
    warehouse.land(*ORDERS)
    warehouse.refresh()


@pytest.fixture
def loaded(copy_of):
    return copy_of(load_good)


def failing(warehouse):
    results = run_checks(warehouse.con, warehouse.models.values())
    assert len(results) > 20
    return {(r.model, r.name): r for r in results if not r.passed}


def test_good_data_passes_every_check(loaded):
    assert failing(loaded) == {}


@pytest.mark.parametrize(
    ("damage", "model", "check"),
    [
        (
            "insert into core.orders from core.orders limit 1",
            "core.orders",
            "unique_source_account_order_id",
        ),
        (
            "update core.orders set order_date = null where order_id = 'o1'",
            "core.orders",
            "not_null_order_key_source_account_order_id_version_id_order_date_status_currency",
        ),
        ("update core.orders set status = 'lost'", "core.orders", "status_accepted"),
        ("update core.orders set net_minor = 7", "core.orders", "net_is_gross_less_discounts"),
        ("delete from core.orders", "core.order_items", "belongs_to_core_orders"),
        (
            "update marts.daily_revenue set guest_orders = 9",
            "marts.daily_revenue",
            "customers_split_is_complete",
        ),
    ],
)
def test_damage_is_found_and_shown(loaded, damage, model, check):
    loaded.con.execute(damage)
    found = failing(loaded)[model, check]
    assert found.failing > 0
    assert found.sample


def test_severity_comes_from_the_header(loaded):
    loaded.con.execute("update core.orders set net_minor = 7")
    severities = {check.severity for check in failing(loaded).values()}
    assert severities == {"warn"}


DAY = """/*
description: One row per day.
grain: [source, account, order_date]
columns: {source: x, account: x, order_date: x, orders: x, net: x}
checks:
CHECKS
*/
select p.source, p.account, cast(p.version_at as date) as order_date,
    p.position as orders, p.page as net
from raw.order_payloads as p
"""
TOTALS = """
  - totals: {name: same, by: [source, order_date], sum: orders, to: marts.other, WHERE}
"""
VOLUME = "  - volume: {name: usual, by: [source, account], count: orders, date: order_date}"


class Days:
    """Two models of daily counts, `marts.per_day` with a check, and `marts.other`."""

    def __init__(self, folder, con, checks):
        (folder / "marts").mkdir()
        for name, text in {"per_day": checks, "other": "  []"}.items():
            (folder / f"marts/{name}.sql").write_text(DAY.replace("CHECKS", text))
        self.con = con
        self.models = load_models(folder)
        for name in self.models:
            con.execute(
                f"create or replace table {name} (source varchar, account varchar,"
                " order_date date, orders bigint, net bigint)"
            )

    def put(self, name, *rows):
        for day, orders in rows:
            self.con.execute(f"insert into marts.{name} values ('s', 'a', ?, ?, 0)", [day, orders])

    def found(self):
        (result,) = run_checks(self.con, self.models.values())
        keep_failing_rows(self.con, list(self.models.values()), self.models)
        kept = self.con.execute("select reason, row from ops.failing_rows order by all").fetchall()
        assert len(kept) == result.failing
        return [(reason, json.loads(row)) for reason, row in kept]


FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        ([(FIRST, 5)], [(FIRST, 2), (FIRST, 3)], None),
        ([(FIRST, 5)], [(FIRST, 4)], "5 here, 4 in marts.other"),
        ([(FIRST, 0)], [(FIRST, None)], "0 here, NULL in marts.other"),
        ([(FIRST, None)], [(FIRST, None)], None),
        ([(FIRST, None)], [], "marts.other lacks this group"),
        ([], [(FIRST, 0)], "only marts.other has this group"),
        ([(None, 1)], [(None, 1)], None),
        ([(None, 1)], [(None, 2)], "1 here, 2 in marts.other"),
    ],
    ids=["equal", "less", "null", "nulls", "lacking", "only-there", "null-group", "null-differs"],
)
def test_totals_of_two_models_are_compared_group_by_group(warehouse, tmp_path, here, there, reason):
    days = Days(tmp_path, warehouse.con, TOTALS.replace(", WHERE", ""))
    for name, rows in (("per_day", here), ("other", there)):
        days.put(name, *rows, (SECOND, 7))
    assert [found for found, _ in days.found()] == ([reason] if reason else [])


def test_totals_count_the_rows_that_are_asked_for(warehouse, tmp_path):
    where = "where: orders > 1, their_sum: 2 * net, their_where: net > 0"
    days = Days(tmp_path, warehouse.con, TOTALS.replace("WHERE", where))
    days.put("per_day", (FIRST, 1), (FIRST, 4))
    days.put("other", (SECOND, 9))  # net is 0
    warehouse.con.execute("insert into marts.other values ('s', 'b', '2026-03-01', 8, 2)")
    assert days.found() == []


TODAY = date(2026, 6, 1)  # not over, so it is not looked at


@pytest.mark.parametrize(
    ("weeks", "usual", "on_the_day", "fails"),
    [
        (8, 30, 30, False),
        (8, 30, 10, False),
        (8, 30, 9, True),
        (8, 30, 90, False),
        (8, 30, 91, True),
        (8, 30, None, True),
        (8, 19, 0, False),
        (8, 20, 0, True),
        (4, 30, 0, True),
        (3, 30, 0, False),
    ],
)
def test_a_count_far_from_the_same_weekday_before_is_told(
    warehouse, tmp_path, weeks, usual, on_the_day, fails
):
    days = Days(tmp_path, warehouse.con, VOLUME)
    day = TODAY - timedelta(days=1)
    days.put("per_day", (TODAY, 0))
    days.put("per_day", *((day - timedelta(weeks=n), usual) for n in range(1, weeks + 1)))
    if on_the_day is not None:
        days.put("per_day", (day, on_the_day))
    found = [(reason, row) for reason, row in days.found() if row["order_date"] == str(day)]
    if not fails:
        assert found == []
        return
    ((reason, row),) = found
    assert row["orders"] == (on_the_day or 0)
    assert reason.startswith(f"{on_the_day or 0} on {day}, while {usual}.0 is the median")
    assert {check.severity for check in run_checks(days.con, days.models.values())} == {"warn"}


def test_missing_weeks_count_as_0_and_other_weekdays_as_nothing(warehouse, tmp_path):
    days = Days(tmp_path, warehouse.con, VOLUME)
    day = TODAY - timedelta(days=1)
    days.put("per_day", (TODAY, 0), (day, 0), (day - timedelta(weeks=8), 100))
    days.put("per_day", *((day - timedelta(weeks=n), 100) for n in (1, 2, 3)))  # 4 of 8: median 50
    days.put("per_day", (day - timedelta(days=1), 1000))
    found = {row["order_date"]: row["usual"] for _, row in days.found()}
    assert found[str(day)] == 50
    assert str(day - timedelta(days=1)) not in found


def test_days_are_watched_up_to_what_is_proven(warehouse, tmp_path):
    days = Days(tmp_path, warehouse.con, VOLUME)
    warehouse.con.execute("update ops.accounts set source = 's', account = 'a'")
    # 23:30 UTC is 01:30 in Warsaw, so 31 May is over and 1 June is not.
    warehouse.con.execute(
        "insert into ops.coverage values ('s', 'a', '2026-01-01', '2026-05-31 23:30:00+00', 'x')"
    )
    days.put("per_day", *((TODAY - timedelta(days=n), 50) for n in range(3, 60)))
    assert {row["order_date"] for _, row in days.found()} == {"2026-05-30", "2026-05-31"}


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (TOTALS.replace("marts.other, WHERE", "marts.lost"), r"marts\.lost, which is no model"),
        (TOTALS.replace("sum: orders, ", "").replace(", WHERE", ""), "totals same lacks sum"),
        (VOLUME.replace("account", "net"), "names source and account"),
        (VOLUME.replace(", date: order_date", ""), "volume usual lacks date"),
        (VOLUME.replace("count: orders", "count: lost"), r"not: \['lost'\]"),
    ],
    ids=["no-such-model", "no-sum", "no-account", "no-date", "no-such-column"],
)
def test_a_check_that_cannot_work_is_refused(warehouse, tmp_path, check, message):
    with pytest.raises(ModelError, match=message):
        Days(tmp_path, warehouse.con, check)


def test_failing_rows_are_kept_with_their_reason_until_the_check_runs_again(loaded):
    models = list(loaded.models.values())

    def kept():
        return {
            (model, check): (severity, reason, json.loads(row))
            for model, check, severity, reason, row in loaded.con.execute(
                "select model, check_name, severity, reason, row from ops.failing_rows"
            ).fetchall()
        }

    loaded.con.execute("insert into core.orders from core.orders where order_id = 'o1'")
    loaded.con.execute("update core.orders set status = 'lost' where order_id = 'o2'")
    loaded.con.execute("update core.orders set net_minor = 7 where order_id = 'o3'")
    loaded.con.execute("update core.orders set currency = null where order_id = 'o4'")
    loaded.con.execute("delete from core.orders where order_id = 'o5'")
    keep_failing_rows(loaded.con, models, loaded.models)
    found = kept()
    severity, reason, row = found["core.orders", "unique_source_account_order_id"]
    assert (severity, reason) == ("error", "2 rows share the same (source, account, order_id)")
    assert row == {"source": "voucherify", "account": "shop", "order_id": "o1", "rows": 2}
    _, reason, row = found["core.orders", "status_accepted"]
    assert reason.startswith("status is lost, which is not one of created,")
    assert row["order_id"] == "o2"
    severity, reason, row = found["core.orders", "net_is_gross_less_discounts"]
    assert severity == "warn"
    assert reason == "this does not hold: net_minor = gross_minor - total_discount_minor"
    (missing,) = (v for k, v in found.items() if k[0] == "core.orders" and "not_null" in k[1])
    assert (missing[1], missing[2]["order_id"]) == ("currency is missing", "o4")
    _, reason, row = found["core.order_items", "belongs_to_core_orders"]
    assert reason == "no row of core.orders has the same (source, account, order_id)"
    assert row["order_id"] == "o5"
    key = ("core.order_items", "discounts_of_lines_are_those_of_the_order")
    assert found[key][1] in {"0 here, 993 in core.orders", "core.orders lacks this group"}

    # Only what is checked again is replaced.
    loaded.con.execute("update core.orders set status = 'paid' where order_id = 'o2'")
    loaded.con.execute("delete from core.order_items")
    keep_failing_rows(loaded.con, [loaded.models["core.orders"]], loaded.models)
    later = kept()
    assert found.keys() - later.keys() == {("core.orders", "status_accepted")}
    # A model that is gone leaves nothing behind.
    keep_failing_rows(loaded.con, [], ["core.order_items"])
    assert {model for model, _ in kept()} == {"core.order_items"}


def test_at_most_1000_rows_of_a_check_are_kept(loaded):
    loaded.con.execute(
        "insert into core.orders select o.* replace ('lost' as status, 'n' || n as order_id)"
        " from (from core.orders limit 1) as o cross join range(1500) as r(n)"
    )
    results = keep_failing_rows(loaded.con, [loaded.models["core.orders"]], loaded.models)
    assert {r.name: r.failing for r in results}["status_accepted"] == 1500
    ((kept,),) = loaded.con.execute(
        "select count(*) from ops.failing_rows where check_name = 'status_accepted'"
    ).fetchall()
    assert kept == 1000
