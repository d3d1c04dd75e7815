"""A refresh key that gives wrong slices is refused before any data is read."""

# ruff: noqa: E501 - headers and SELECTs of models

import pytest

from orders_connector.errors import ModelError
from orders_connector.modeling import keys
from orders_connector.modeling import model as modeling
from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.warehouse.database import open_warehouse

ORDERS = """/*
description: The newest version of each order.
grain: [source, account, order_id]
refresh_key: order_key
columns: {order_key: x, source: x, account: x, order_id: x, version_id: x, order_date: x, customer_key: x, amount: x}
*/
select n.order_key, n.source, n.account, n.order_id, n.version_id,
    n.order_date, n.customer_key, n.amount
from (
    select p.order_key, p.source, p.account, p.order_id, p.version_id,
        cast(json_extract_string(p.payload, '$.day') as date) as order_date,
        json_extract_string(p.payload, '$.who') as customer_key,
        cast(json_extract_string(p.payload, '$.amount') as bigint) as amount,
        row_number() over (partition by p.source, p.account, p.order_id order by p.version_id desc) as newest
    from raw.order_payloads as p
) as n
where n.newest = 1
"""
VERSIONS = """/*
description: Every version of each order.
grain: [version_id]
refresh_key: version_id
columns: {version_id: x, order_key: x, source: x, account: x, order_id: x, order_date: x, customer_key: x}
*/
select p.version_id, p.order_key, p.source, p.account, p.order_id,
    cast(json_extract_string(p.payload, '$.day') as date) as order_date,
    json_extract_string(p.payload, '$.who') as customer_key
from raw.order_payloads as p
"""
LINES = """/*
description: Two lines of each order, with the order's day.
grain: [source, account, order_id, line_no]
refresh_key: order_key
columns: {order_key: x, source: x, account: x, order_id: x, version_id: x, order_date: x, customer_key: x, line_no: x}
*/
select o.order_key, o.source, o.account, o.order_id, o.version_id, o.order_date, o.customer_key,
    unnest(range(1, 3)) as line_no
from core.orders as o
"""


@pytest.fixture
def folder(tmp_path):
    for path, text in {
        "staging/versions": VERSIONS,
        "core/orders": ORDERS,
        "core/lines": LINES,
    }.items():
        file = tmp_path / f"{path}.sql"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def add(folder, select, key="order_date", columns=None):
    columns = columns or f"{{{key}: x, n: x}}"
    (folder / "marts").mkdir(exist_ok=True)
    (folder / "marts/tried.sql").write_text(
        f"/*\ndescription: x\ngrain: [{key}]\nrefresh_key: {key}\ncolumns: {columns}\n*/\n{select}\n"
    )


RIGHT = {
    "group by the key": (
        "order_date",
        "select o.order_date, count(*) as n from core.orders as o group by o.order_date",
    ),
    "group by its place, by all, by its name": (
        "order_date",
        """select t.order_date, sum(t.n) as n from (
            select order_date, count(*) as n from core.orders group by all
            union all select order_date, count(*) as n from core.orders group by 1
            union all select o.order_date as order_date, count(*) as n from core.orders as o group by order_date
        ) as t group by t.order_date""",
    ),
    "an order has one day": (
        "order_date",
        """select o.order_date, count(*) as n from core.orders as o
        inner join core.lines as l using (source, account, order_id) group by o.order_date""",
    ),
    "a version that both took from one place": (
        "order_date",
        """select o.order_date, count(*) as n from core.orders as o
        left join core.lines as l on l.version_id = o.version_id group by o.order_date""",
    ),
    "identity determines the hash": (
        "order_key",
        """select max(v.order_key) as order_key, count(*) as n from staging.versions as v
        group by v.source, v.account, v.order_id""",
    ),
    "a window over the identity": (
        "order_key",
        """select v.order_key, row_number() over w as n from staging.versions as v
        window w as (partition by v.source, v.account, v.order_id order by v.version_id)""",
    ),
    "exists and in on the key": (
        "order_key",
        """select o.order_key, 1 as n from core.orders as o
        where exists (select 1 from core.lines as l where l.order_key = o.order_key)
            and o.version_id in (select v.version_id from staging.versions as v)""",
    ),
    "a full join of the key": (
        "order_date",
        """select coalesce(a.order_date, b.order_date) as order_date, a.n
        from (select o.order_date, count(*) as n from core.orders as o group by o.order_date) as a
        full join (select l.order_date, count(*) as n from core.lines as l group by l.order_date) as b
            on a.order_date = b.order_date""",
    ),
    "settings beside an input": (
        "order_date",
        """select o.order_date, (select count(*) from ops.currencies as c) as n from core.orders as o
        left join ops.accounts as a on a.account = o.account""",
    ),
    "with clauses and a union of both": (
        "customer_key",
        """with a as (select o.customer_key, o.amount from core.orders as o)
        select a.customer_key, a.amount as n from a union all
        select b.customer_key, b.amount as n from a as b""",
    ),
}
# Kind of mistake: key, SELECT, what the reason says.
WRONG = {
    "a computed key": (
        "order_date",
        "select cast(o.order_date + interval 1 day as date) as order_date, 1 as n from core.orders as o",
        "not an unchanged copy",
    ),
    "a branch with another key": (
        "order_date",
        """select o.order_date, 1 as n from core.orders as o union all
        select date '2026-01-01' as order_date, 1 as n from core.orders as o""",
        "not an unchanged copy",
    ),
    "a branch without input": (
        "order_date",
        """select o.order_date, 1 as n from core.orders as o union all
        select date '2026-01-01' as order_date, 1 as n""",
        "one branch of the UNION reads no input",
    ),
    "a union that drops repeats": (
        "order_date",
        """select t.d as order_date, t.n from (
            select null as d, o.amount as n from core.orders as o union
            select null as d, p.amount as n from core.orders as p) as t""",
        "UNION compares rows of different slices",
    ),
    "a group across keys": (
        "order_date",
        """select o.order_date, m.n from core.orders as o inner join (
            select p.customer_key, count(*) as n from core.orders as p group by p.customer_key
        ) as m on m.customer_key = o.customer_key""",
        "GROUP BY p.customer_key puts rows of different slices",
    ),
    "a group of versions by order": (
        "order_date",
        """select max(v.order_date) as order_date, count(*) as n from staging.versions as v
        group by v.source, v.account, v.order_id""",
        "GROUP BY v.source, v.account, v.order_id puts rows",
    ),
    "a group by parts of two orders": (
        "order_key",
        """select max(a.order_key) as order_key, count(*) as n from core.orders as a
        inner join core.orders as b on b.order_key = a.order_key
        group by a.source, a.account""",
        "GROUP BY a.source, a.account puts rows",
    ),
    "a window across keys": (
        "order_date",
        """select o.order_date, row_number() over (partition by o.account order by o.amount) as n
        from core.orders as o""",
        "the window of .* reaches over rows of different slices",
    ),
    "a window by what may be missing": (
        "order_date",
        """select o.order_date, count(*) over (partition by l.order_date) as n from core.orders as o
        left join core.lines as l on l.order_date = o.order_date""",
        "the window of .* reaches over",
    ),
    "a join without the key": (
        "order_date",
        """select o.order_date, count(*) as n from core.orders as o
        inner join core.lines as l on l.customer_key = o.customer_key group by o.order_date""",
        "the join with l does not tie both sides",
    ),
    "a join of a version's day with the order's": (
        "order_date",
        """select o.order_date, count(*) as n from core.orders as o
        inner join staging.versions as v
            on v.source = o.source and v.account = o.account and v.order_id = o.order_id
        group by o.order_date""",
        "the join with v does not tie both sides",
    ),
    "a join that compares": (
        "order_date",
        """select o.order_date, 1 as n from core.orders as o
        inner join core.orders as p on p.order_date <= o.order_date""",
        "the join with p does not tie both sides",
    ),
    "a join of settings that keeps them": (
        "order_date",
        """select o.order_date, 1 as n from ops.accounts as a
        left join core.orders as o on o.account = a.account""",
        "keeps rows that have no slice",
    ),
    "a key from the optional side": (
        "order_date",
        """select l.order_date, 1 as n from core.orders as o
        left join core.lines as l on l.order_date = o.order_date and l.line_no = o.amount""",
        "not an unchanged copy",
    ),
    "a scalar subquery": (
        "order_date",
        """select o.order_date, (select max(p.amount) from core.orders as p) as n from core.orders as o""",
        "is a value made of other rows",
    ),
    "a correlated scalar subquery": (
        "order_date",
        """select o.order_date, (select max(p.amount) from core.orders as p
            where p.customer_key = o.customer_key) as n from core.orders as o""",
        "is a value made of other rows",
    ),
    "not in": (
        "order_date",
        """select o.order_date, 1 as n from core.orders as o
        where o.order_date not in (select p.order_date from core.lines as p)""",
        "write EXISTS for NOT IN",
    ),
    "in another column": (
        "order_date",
        """select o.order_date, 1 as n from core.orders as o
        where o.customer_key in (
            select p.customer_key from core.lines as p where p.order_id = 'o3')""",
        "does not tie both sides",
    ),
    "exists without the key": (
        "order_date",
        """select o.order_date, 1 as n from core.orders as o
        where not exists (
            select 1 from core.orders as p
            where p.customer_key = o.customer_key and p.order_id <> o.order_id)""",
        "the condition of EXISTS does not tie",
    ),
    "an aggregate without group": (
        "order_date",
        """select max(o.order_date) as order_date, count(*) as n from core.orders as o""",
        "has no GROUP BY",
    ),
    "a total beside each row": (
        "order_date",
        """select o.order_date, t.n from core.orders as o
        cross join (select count(*) as n from core.orders as p) as t""",
        "has no GROUP BY",
    ),
    "a lateral join": (
        "order_date",
        """select o.order_date, t.n from core.orders as o
        cross join lateral (select p.amount as n from core.orders as p limit 1) as t""",
        "lateral join",
    ),
    "a limit": (
        "order_date",
        "select o.order_date, o.amount as n from core.orders as o order by n limit 10",
        "LIMIT chooses among the rows of all slices",
    ),
    "distinct without the key": (
        "order_date",
        """select t.d as order_date, t.n from (
            select distinct null as d, o.amount as n from core.orders as o) as t""",
        "DISTINCT puts rows of different slices together",
    ),
    "a rollup": (
        "order_date",
        "select o.order_date, count(*) as n from core.orders as o group by rollup (o.order_date)",
        "ROLLUP",
    ),
    "a recursion": (
        "order_date",
        """with recursive r as (
            select o.order_date, 1 as n from core.orders as o union all
            select r.order_date, r.n + 1 as n from r where r.n < 3)
        select r.order_date, r.n from r""",
        "recursion",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_key_that_works_is_accepted(folder, name):
    key, select = RIGHT[name]
    add(folder, select, key)
    assert load_models(folder)["marts.tried"].refresh_key == key


@pytest.mark.parametrize("name", WRONG)
def test_a_key_that_gives_wrong_slices_is_refused_with_the_reason(folder, name):
    key, select, reason = WRONG[name]
    add(folder, select, key)
    message = rf"tried\.sql: refresh_key {key} cannot work: (?s:.)*({reason})"
    with pytest.raises(ModelError, match=message):
        load_models(folder)
    # Without the key there are no slices to go wrong.
    (folder / "marts/tried.sql").write_text(
        (folder / "marts/tried.sql").read_text().replace(f"refresh_key: {key}\n", "")
    )
    assert load_models(folder)["marts.tried"].refresh_key is None


def land(con, version, order, day, who, amount):
    con.execute(
        "insert into raw.order_payloads (version_id, order_key, source, account, order_id, payload)"
        " values (?, ?, 's', 'a', ?, json_object('day', ?::text, 'who', ?::text, 'amount', ?))",
        [version, order, f"o{order}", day, who, amount],
    )


def after_two_loads(folder, con):
    """Return the rows after an incremental refresh, and those of a full one."""
    models = load_models(folder)
    for order, day, who in [
        (1, "2026-03-01", "ann"),
        (2, "2026-03-02", "ann"),
        (3, "2026-03-03", "bob"),
    ]:
        land(con, order, order, day, who, order)
    refresh(con, models)
    land(con, 11, 1, "2026-03-01", "bob", 50)  # the customer and the amount change
    land(con, 12, 4, "2026-03-02", "ann", 60)
    refresh(con, models)
    found = con.execute("from marts.tried order by all").fetchall()
    refresh(con, models, full=True)
    return found, con.execute("from marts.tried order by all").fetchall()


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_what_is_accepted_gives_the_rows_of_a_full_refresh(folder, tmp_path, name):
    key, select = RIGHT[name]
    add(folder, select, key)
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        found, expected = after_two_loads(folder, con)
    assert found == expected
    assert found


@pytest.mark.parametrize(
    "name",
    [
        "a branch without input",
        "a group across keys",
        "a window across keys",
        "a join without the key",
        "a join that compares",
        "a scalar subquery",
        "a correlated scalar subquery",
        "exists without the key",
        "in another column",
        "a total beside each row",
        "an aggregate without group",
        "a limit",
    ],
)
def test_what_is_refused_would_give_wrong_rows(folder, tmp_path, monkeypatch, name):
    key, select, _ = WRONG[name]
    add(folder, select.replace("limit 10", "limit 2"), key)
    monkeypatch.setattr(keys, "why_not_in_slices", lambda *_: None)
    # Else the cache would hold models that were never refused, for every test after this one.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    modeling._models.cache_clear()
    with open_warehouse(tmp_path / "orders.duckdb") as con:
        found, expected = after_two_loads(folder, con)
    modeling._models.cache_clear()
    assert found != expected
