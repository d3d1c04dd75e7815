"""After an erasure nothing of the customer is left: no row, no figure, no byte."""

import io
import json
from dataclasses import asdict
from datetime import timedelta

import duckdb
import pytest

from orders_connector import erasure
from orders_connector.cli import main
from orders_connector.erasure import erase_customer
from orders_connector.errors import ConfigurationError, DiskFull, FatalSourceError, WarehouseError
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models
from orders_connector.publishing.publish import go_back, kept_versions
from orders_connector.sources.base import Window
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection

CUSTOMER = "cust_" + "ForgetMeForgetMe" * 3
# What differs between two loads of the same orders, and the hash of the text as it was sent.
OF_THE_LOAD = {"version_id", "extraction_id", "loaded_at", "first_loaded_at", "content_hash"}


def person(customer):
    return {"customer_id": customer, "customer": {"id": customer, "object": "customer"}}


def referrer(customer):
    return {"referrer_id": customer, "referrer": {"id": customer, "object": "customer"}}


def fill(box):
    """Add three orders of the customer, and one of somebody whom the customer referred."""
    orders = box.shop.truth()
    for number, order in enumerate(orders[:3]):
        box.shop.put_raw(order | person(CUSTOMER) | {"id": f"ord_of_customer_{number}"})
    box.shop.put_raw(orders[5] | {"id": "ord_referred"} | referrer(CUSTOMER))


def load(settings):
    result = sync_account(settings, "shop")
    refresh_models(settings)
    publish_warehouse(settings)
    return result


@pytest.fixture
def shop(start_shop):
    box = start_shop(40)
    fill(box)
    return box


@pytest.fixture
def settings(shop, settings_for):
    made = settings_for(shop)
    load(made).raise_unless_complete()
    return made


def tables(settings, without=frozenset()):
    with warehouse_connection(settings, read_only=True) as con:
        return {
            name: con.execute(
                f"select {', '.join(c for c in model.columns if c not in without)} from {name}"
                " order by all"
            ).fetchall()
            for name, model in load_models().items()
            if not model.tells_of_runs
        }


def ask(settings, query):
    with warehouse_connection(settings, read_only=True) as con:
        return con.execute(query).fetchall()


def rows_that_hold(file, text):
    """Return every table of a file that holds the text anywhere, with how many rows do."""
    found = {}
    with duckdb.connect(str(file), read_only=True) as con:
        names = con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where not internal"
        ).fetchall()
        for (name,) in names:
            ((rows,),) = con.execute(
                f"select count(*) from {name} as t where contains(to_json(t)::varchar, $text)",
                {"text": text},
            ).fetchall()
            if rows:
                found[name] = rows
    return found


def files_that_hold(settings, text):
    folder = settings.warehouse.path.parent
    return [f for f in folder.rglob("*") if f.is_file() and text.encode() in f.read_bytes()]


def test_no_row_and_no_byte_is_left(shop, settings):
    warehouse, published = settings.warehouse.path, settings.warehouse.published
    assert rows_that_hold(warehouse, CUSTOMER)["raw.order_payloads"] == 4
    assert rows_that_hold(published, CUSTOMER)["core.orders"] == 4
    assert {warehouse, published} <= set(files_that_hold(settings, CUSTOMER))
    # A load that was killed left its files behind.
    for leftover in ("orders.duckdb.tmp", "orders.duckdb.shop.exports"):
        warehouse.with_name(leftover).mkdir()
        warehouse.with_name(leftover).joinpath("part").write_text(CUSTOMER)
    warehouse.with_name(".orders.duckdb.1.tmp").write_text(CUSTOMER)

    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    assert rows_that_hold(warehouse, CUSTOMER) == {}
    assert rows_that_hold(published, CUSTOMER) == {}
    assert files_that_hold(settings, CUSTOMER) == []


OWN_MODEL = """/*
description: Buyers, as the sales team wants them.
grain: [customer_key]
refresh_key: customer_key
columns: {customer_key: Who bought., orders: How often.}
*/
select o.customer_key, count(*) as orders
from core.orders as o
where o.customer_key is not null
group by o.customer_key
"""


def test_no_row_of_a_model_of_ones_own_is_left(shop, settings_for, tmp_path):
    own = tmp_path / "models/marts/buyers.sql"
    own.parent.mkdir(parents=True)
    own.write_text(OWN_MODEL)
    settings = settings_for(shop, '\n[models]\nfolder = "models"\n')
    load(settings).raise_unless_complete()
    published = settings.warehouse.published
    assert rows_that_hold(published, CUSTOMER)["marts.buyers"] == 1
    assert parquet_that_holds(settings, CUSTOMER)
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    assert rows_that_hold(settings.warehouse.path, CUSTOMER) == {}
    assert rows_that_hold(published, CUSTOMER) == {}
    assert not parquet_that_holds(settings, CUSTOMER)
    assert files_that_hold(settings, CUSTOMER) == []


def parquet_that_holds(settings, text):
    """Return each Parquet file that holds the text in any row, as Parquet keeps it compressed."""
    found = []
    with duckdb.connect() as con:
        for file in settings.warehouse.published.parent.rglob("*.parquet"):
            ((rows,),) = con.execute(
                f"select count(*) from read_parquet('{file}', hive_partitioning = false) as t"
                " where contains(to_json(t)::varchar, $text)",
                {"text": text},
            ).fetchall()
            found += [file] if rows else []
    return found


def test_no_version_brings_the_customer_back(shop, settings):
    published = settings.warehouse.published
    for _ in range(2):
        publish_warehouse(settings)
    go_back(published)
    assert len(kept_versions(published)) == 3
    assert len(parquet_that_holds(settings, CUSTOMER)) >= 3 * 2
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    (kept,) = kept_versions(published)
    assert kept.is_current
    assert parquet_that_holds(settings, CUSTOMER) == []
    assert files_that_hold(settings, CUSTOMER) == []
    with pytest.raises(WarehouseError, match="no version before"):
        go_back(published)
    assert rows_that_hold(published, CUSTOMER) == {}


def test_versions_go_even_when_there_is_no_room_for_another(shop, settings, monkeypatch):
    published = settings.warehouse.published
    publish_warehouse(settings)
    shop.shop.erase_customer(CUSTOMER)
    with monkeypatch.context() as patch:

        def die(*_, **__):
            raise DiskFull("no room")

        patch.setattr("orders_connector.publishing.publish.write_copy", die)
        with pytest.raises(DiskFull, match="Run the same command again"):
            erase_customer(settings, "shop", CUSTOMER)
    assert [kept.is_current for kept in kept_versions(published)] == [True]
    erase_customer(settings, "shop", CUSTOMER)
    assert parquet_that_holds(settings, CUSTOMER) == []


def test_somebody_with_a_longer_id_is_left_alone(shop, settings):
    longer = person(f"{CUSTOMER}_and_more")
    shop.shop.put_raw(shop.shop.truth()[6] | {"id": "ord_of_other"} | longer)
    load(settings)
    shop.shop.erase_customer(CUSTOMER)
    assert erase_customer(settings, "shop", CUSTOMER).mentions == 0
    assert ask(settings, "select count(*) from core.orders where order_id = 'ord_of_other'") == [
        (1,)
    ]


def test_tables_are_those_of_a_full_rebuild(shop, settings):
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    after = tables(settings)
    refresh_models(settings, full=True)
    assert tables(settings) == after


def test_tables_are_as_if_the_customer_had_never_been(
    shop, settings, start_shop, settings_for, tmp_path
):
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    without = start_shop(40)
    fill(without)
    without.shop.erase_customer(CUSTOMER)
    referred = without.shop.get("ord_referred")
    without.shop.put_raw({k: v for k, v in referred.items() if not k.startswith("referrer")})
    never = settings_for(without, folder=tmp_path / "never")
    load(never)
    assert tables(settings, OF_THE_LOAD) == tables(never, OF_THE_LOAD)


def test_an_order_that_was_the_customers_once_goes_in_all_versions(shop, settings):
    shop.clock.advance(timedelta(hours=1))
    order = shop.shop.get("ord_of_customer_0")
    now = shop.clock.now().isoformat()
    shop.shop.put_raw(order | person("cust_other") | {"updated_at": now})
    load(settings)
    shop.shop.erase_customer(CUSTOMER)
    shop.shop.erase_customer("cust_other")
    certificate = erase_customer(settings, "shop", CUSTOMER)
    assert (certificate.orders, certificate.versions) == (3, 4)


def test_the_referral_alone_is_taken_from_orders_of_others(shop, settings):
    before = ask(settings, "select payload from raw.order_payloads where order_id = 'ord_referred'")
    shop.shop.erase_customer(CUSTOMER)
    certificate = erase_customer(settings, "shop", CUSTOMER)
    assert (certificate.referrals, certificate.mentions) == (1, 0)
    after = ask(settings, "select payload from raw.order_payloads where order_id = 'ord_referred'")
    with duckdb.connect() as con:
        expected = con.execute(
            """select json_merge_patch(?, '{"referrer": null, "referrer_id": null}')::varchar""",
            [before[0][0]],
        ).fetchall()
    assert after == expected
    assert CUSTOMER not in after[0][0]
    assert CUSTOMER in before[0][0]


def test_the_same_text_read_again_brings_no_referral_back(shop, settings):
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    assert shop.shop.get("ord_referred")["referrer_id"] == CUSTOMER
    everything = sync_account(settings, "shop", window=whole_of(settings))
    assert (everything.status, everything.landed.versions) == ("complete", 0)


def whole_of(settings):
    ((start, end),) = ask(settings, "select min(covered_from), max(covered_to) from ops.coverage")
    return Window(start, end)


def test_input_without_identity_goes_too(start_shop, settings_for):
    box = start_shop(10)
    fill(box)
    box.shop.put_raw(box.shop.get("ord_of_customer_0") | {"id": ""})
    settings = settings_for(box)
    load(settings)
    assert rows_that_hold(settings.warehouse.path, CUSTOMER)["ops.quarantine"] == 1
    box.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    assert files_that_hold(settings, CUSTOMER) == []
    assert load(settings).status == "complete"


@pytest.mark.parametrize("loads_between", [0, 1])
def test_later_loads_count_right(shop, settings, loads_between):
    shop.shop.erase_customer(CUSTOMER)
    for _ in range(loads_between):
        assert load(settings).status == "complete"
    erase_customer(settings, "shop", CUSTOMER)
    shop.clock.advance(timedelta(hours=1))
    result = load(settings)
    assert result.status == "complete"
    assert result.known_orders == result.reading.total == len(shop.shop)
    # The count is exact again: an order that no new page holds is noticed.
    shop.shop.upsert({"status": "PAID", "amount": 900, "created_at": "2025-12-24T08:00:00.000Z"})
    shop.clock.advance(timedelta(hours=1))
    assert load(settings).landed.new_orders == 1


def test_orders_found_gone_before_are_not_counted_twice(shop, settings):
    shop.shop.delete("ord_of_customer_1")
    with warehouse_connection(settings) as con:
        con.execute(
            "insert into raw.order_payloads select * replace ((select max(version_id) + 1"
            " from raw.order_payloads) as version_id, 'gone' as channel, '{}' as payload)"
            " from raw.order_payloads where order_id = 'ord_of_customer_1'"
        )
        con.execute("update ops.extractions set known_orders = known_orders - 1")
    shop.shop.erase_customer(CUSTOMER)
    certificate = erase_customer(settings, "shop", CUSTOMER)
    assert (certificate.orders, certificate.versions) == (3, 4)
    assert load(settings).known_orders == len(shop.shop)


def test_what_the_source_still_has_is_not_erased(shop, settings):
    before = tables(settings)
    with pytest.raises(FatalSourceError, match="permanent deletion") as refused:
        erase_customer(settings, "shop", CUSTOMER)
    assert CUSTOMER not in str(refused.value)
    assert tables(settings) == before
    ((calls, known),) = ask(
        settings, "select calls, known_orders from ops.extractions where strategy = 'erasure'"
    )
    assert (calls, known) == (3, len(shop.shop))
    assert load(settings).status == "complete"


def test_kept_at_the_source_they_go_here_and_come_back_when_they_change(
    start_shop, settings_for, monkeypatch
):
    box = start_shop(450)
    for order in sorted(box.shop.truth(), key=lambda order: order["created_at"])[:2]:
        box.shop.put_raw(order | person(CUSTOMER) | {"updated_at": None})
    settings = settings_for(box)
    load(settings)
    asked = len(box.calls)
    monkeypatch.delenv("VOUCHERIFY_APP_TOKEN")
    assert erase_customer(settings, "shop", CUSTOMER, keep_at_source=True).orders == 2
    assert len(box.calls) == asked
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", box.app_token)
    box.clock.advance(timedelta(hours=9))
    result = load(settings)
    # That the source counts two orders more is known and makes no load look for them.
    assert (result.status, result.landed.new_orders) == ("complete", 0)
    order = next(o for o in box.shop.truth() if o.get("customer_id") == CUSTOMER)
    box.shop.update(order["id"], {"status": "CANCELED"})
    assert load(settings).landed.new_orders == 1
    assert rows_that_hold(settings.warehouse.path, CUSTOMER)["core.orders"] == 1


def test_what_a_killed_erasure_left_is_done_by_the_next(shop, settings, monkeypatch):
    def die(_):
        raise DiskFull("no room")

    shop.shop.erase_customer(CUSTOMER)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "rewrite_warehouse", die)
        with pytest.raises(DiskFull, match="Run the same command again"):
            erase_customer(settings, "shop", CUSTOMER)
    assert rows_that_hold(settings.warehouse.path, CUSTOMER) == {}
    assert files_that_hold(settings, CUSTOMER)
    assert erase_customer(settings, "shop", CUSTOMER).orders == 0
    assert files_that_hold(settings, CUSTOMER) == []


def test_erasing_twice_changes_nothing(shop, settings):
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    before = tables(settings)
    again = erase_customer(settings, "shop", CUSTOMER)
    assert (again.orders, again.versions, again.referrals, again.business_dates) == (0, 0, 0, 0)
    assert tables(settings) == before
    assert ask(settings, "select count(*) from ops.extractions where strategy = 'erasure'") == [
        (1,)
    ]


def test_the_certificate_counts_and_names_nobody(shop, settings):
    days = ask(
        settings,
        f"select count(distinct order_date) from core.orders where customer_key = '{CUSTOMER}'",
    )[0][0]
    shop.shop.erase_customer(CUSTOMER)
    certificate = erase_customer(settings, "shop", CUSTOMER)
    assert (certificate.orders, certificate.versions) == (3, 3)
    assert certificate.business_dates == days
    columns = [f for f in asdict(certificate) if f not in ("mentions", "related", "files")]
    row = ask(settings, f"select {', '.join(columns)} from ops.erasures")
    assert row == [tuple(asdict(certificate)[column] for column in columns)]
    assert len(ask(settings, "describe ops.erasures")) == len(columns)
    assert "ord_of_customer" not in repr(certificate)
    assert CUSTOMER not in repr(certificate)


def test_the_id_elsewhere_in_orders_of_others_is_told(shop, settings):
    order = shop.shop.get("ord_referred")
    shop.shop.put_raw(order | {"metadata": {"note": f"as {CUSTOMER} wished"}})
    load(settings)
    shop.shop.erase_customer(CUSTOMER)
    assert erase_customer(settings, "shop", CUSTOMER).mentions == 1


def test_another_account_keeps_its_customer_of_the_same_id(
    shop, start_shop, settings_for, tmp_path
):
    second = start_shop(10, seed=3)
    fill(second)
    extra = f"""
[accounts.outlet]
source = "voucherify"
base_url = "{second.base_url}"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = 2020-01-01
"""
    settings = settings_for(shop, extra)
    sync_account(settings, "outlet")
    load(settings)
    shop.shop.erase_customer(CUSTOMER)
    erase_customer(settings, "shop", CUSTOMER)
    assert ask(
        settings,
        f"select account, count(*) from core.orders where customer_key = '{CUSTOMER}' group by 1",
    ) == [("outlet", 3)]


def test_an_unknown_account_and_an_empty_id_are_refused(settings):
    with pytest.raises(ConfigurationError, match="no account"):
        erase_customer(settings, "elsewhere", CUSTOMER)
    with pytest.raises(ValueError, match="empty"):
        erase_customer(settings, "shop", "")


@pytest.fixture
def run(settings, tmp_path, monkeypatch, capsys):
    """Run `erase` on the configuration of `settings` with a text on stdin."""

    def command(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            main(["--config", str(tmp_path / "orders.toml"), "erase", *arguments])
        return end.value.code or 0, *capsys.readouterr()

    return command


def test_the_command_prints_the_certificate_without_the_id(shop, settings, run):
    shop.shop.erase_customer(CUSTOMER)
    code, out, err = run("--customer", "-", "--yes", stdin=f"{CUSTOMER}\n")
    assert (code, err) == (0, "")
    assert out.startswith("shop: erased 3 orders (3 versions) at ")
    assert f"certificate  {ask(settings, 'select erasure_id from ops.erasures')[0][0]}" in out
    assert CUSTOMER not in out
    _, out, _ = run("--customer", CUSTOMER, "--yes", "--json")
    assert json.loads(out)["orders"] == 0


def test_the_command_erases_nothing_without_a_yes(shop, settings, run):
    shop.shop.erase_customer(CUSTOMER)
    code, out, err = run("--customer", CUSTOMER, stdin="n\n")
    assert (code, out.strip()) == (1, "")
    assert CUSTOMER not in err
    assert ask(settings, "select count(*) from ops.erasures") == [(0,)]


def test_the_command_says_what_to_do_while_the_source_has_the_orders(run):
    code, _, err = run("--customer", CUSTOMER, "--yes")
    assert code == 5
    assert "--keep-at-source" in err
    assert CUSTOMER not in err


def test_the_command_refuses_an_empty_id(run):
    assert run("--customer", "-", "--yes", stdin="\n")[0] == 2
