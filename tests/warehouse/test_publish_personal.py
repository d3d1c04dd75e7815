"""Who somebody is: shown as it is, as a keyed hash, or not at all."""

import duckdb
import pytest

from orders_connector.config import Settings
from orders_connector.errors import ConfigurationError, ModelError
from orders_connector.load import publish_warehouse, refresh_models
from orders_connector.modeling.model import load_models, model_directory
from orders_connector.publishing.personal import personal_columns
from orders_connector.publishing.publish import kept_versions
from orders_connector.sandbox.voucherify import VoucherifySandbox
from orders_connector.sync import sync_account
from tests.conftest import CONFIG, NOW
from tests.warehouse.publishing import ask

KEY = "a key that nobody can guess"
VARIABLE = "ORDERS_PERSONAL_DATA_KEY"
WITHOUT_NAMES = ("customer_key", "customer_id", "referrer_id", "person_key")

OWN = """/*
description: Who bought last, under a name of its own.
grain: [source, account, buyer]
columns:
  source: Kind of API.
  account: Account.
  buyer: The customer, in capitals.
  orders: Orders.
  others: Customers of the same account.
*/
select
    o.source,
    o.account,
    upper(o.customer_key) as buyer,
    count(*) as orders,
    count(distinct o.customer_key) as others
from core.orders as o
where o.customer_key is not null
group by o.source, o.account, upper(o.customer_key)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A load that every test publishes in its own way."""
    folder = tmp_path_factory.mktemp("personal")
    (folder / "models/marts").mkdir(parents=True)
    (folder / "models/marts/last_buyers.sql").write_text(OWN)
    with VoucherifySandbox(30, now=NOW) as box, pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOUCHERIFY_APP_ID", box.app_id)
        patch.setenv("VOUCHERIFY_APP_TOKEN", box.app_token)
        hosts = {"base_url": box.base_url, "download_host": box.download_url[len("http://") :]}
        text = CONFIG.format(**hosts, extra='[models]\nfolder = "models"')
        (folder / "orders.toml").write_text(text)
        made = Settings.load(folder / "orders.toml")
        sync_account(made, "shop").raise_unless_complete()
        refresh_models(made)
    return made


@pytest.fixture
def publish_as(settings, monkeypatch, tmp_path):
    """Publish the load with a tier, to a place of its own."""
    monkeypatch.setenv(VARIABLE, KEY)
    place = {"published": tmp_path / "published/orders.duckdb"}

    def publish(tier):
        warehouse = settings.warehouse.model_copy(update=place | {"personal_data": tier})
        return publish_warehouse(settings.model_copy(update={"warehouse": warehouse}))

    return publish


def people(settings):
    return {
        name
        for (name,) in ask(
            settings.warehouse.path,
            "select distinct customer_key from core.orders where customer_key is not null"
            " union select distinct referrer_id from core.orders where referrer_id is not null",
        )
    }


def tables_that_name(file, people):
    """Return each table with a value that is somebody's name, in any column and any case."""
    found = set()
    with duckdb.connect(str(file), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        for schema, name in con.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall():
            rows = con.execute(f"select lower(to_json(t)::varchar) from {schema}.{name} t")
            text = "\n".join(row for (row,) in rows.fetchall())
            if any(person.lower() in text for person in people):
                found.add(f"{schema}.{name}")
    return found


def files_that_name(folder, people):
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(person.encode() in path.read_bytes() for person in people)
    ]


def test_the_columns_are_found_from_where_they_are_declared():
    models = load_models()
    declared = {name for name, model in models.items() if model.header.personal}
    assert declared == {"staging.orders", "marts.people"}
    found = personal_columns(models)
    published = {
        f"{name}.{column}"
        for name, columns in found.items()
        for column in columns
        if not name.startswith("staging.")
    }
    named = {
        f"{name}.{column}"
        for name, model in models.items()
        for column in model.columns
        if column in WITHOUT_NAMES and not name.startswith("staging.")
    }
    # All that is named like a person, and nothing that only counts persons.
    assert published == named
    assert len(published) >= 20


def test_a_header_names_columns_of_its_own(tmp_path):
    (tmp_path / "marts").mkdir()
    wrong = OWN.replace("columns:", "personal: [customer_key]\ncolumns:", 1)
    (tmp_path / "marts/last_buyers.sql").write_text(wrong)
    with pytest.raises(ModelError, match=r"these are not: \['customer_key'\]"):
        load_models(model_directory(), own=tmp_path)


def test_plain_is_the_default_and_names_everybody(publish_as, settings):
    assert settings.warehouse.personal_data == "plain"
    done = publish_as("plain")
    everybody = people(settings)
    assert len(everybody) > 3
    assert {"core.orders", "marts.customers", "marts.line_item_enhanced", "marts.last_buyers"} <= (
        tables_that_name(done.path, everybody)
    )


@pytest.mark.parametrize("tier", ["hashed", "absent"])
def test_no_door_names_anybody(publish_as, settings, tier):
    done = publish_as(tier)
    everybody = people(settings)
    assert tables_that_name(done.path, everybody) == set()
    assert tables_that_name(done.live, everybody) == set()
    assert files_that_name(done.path.parent, [*everybody, KEY]) == []
    assert ask(done.path, "select personal_data from meta.publication") == [(tier,)]


def test_hashes_join_as_the_names_do(publish_as, settings):
    joined = (
        "select count(*), sum(c.orders_recognised), count(distinct o.customer_key)"
        " from marts.orders o join marts.customers c using (source, account, customer_key)"
    )
    plain = ask(publish_as("plain").path, joined)
    done = publish_as("hashed")
    assert ask(done.path, joined) == ask(done.live, joined) == plain
    assert plain[0][0] > 0
    one = "select min(customer_key), count(*) - count(customer_key) from core.orders"
    ((first, guests),) = ask(done.path, one)
    assert len(first) == 32
    assert guests == ask(settings.warehouse.path, one)[0][1]
    again = publish_as("hashed")
    assert ask(again.path, one) == [(first, guests)]


def test_another_key_gives_other_hashes(publish_as, monkeypatch):
    keys = "select list(distinct customer_key) from core.orders where customer_key is not null"
    ((first,),) = ask(publish_as("hashed").path, keys)
    monkeypatch.setenv(VARIABLE, KEY[::-1])
    ((second,),) = ask(publish_as("hashed").path, keys)
    assert len(first) == len(second)
    assert not set(first) & set(second)


@pytest.mark.parametrize("key", ["", "too short"])
def test_a_key_that_could_be_tried_out_is_refused(publish_as, tmp_path, monkeypatch, key):
    monkeypatch.setenv(VARIABLE, key)
    with pytest.raises(ConfigurationError, match=VARIABLE):
        publish_as("hashed")
    assert not (tmp_path / "published").exists()


def test_what_showed_more_cannot_be_brought_back(publish_as, settings):
    for tier in ("plain", "plain", "hashed"):
        done = publish_as(tier)
    assert [kept.personal_data for kept in kept_versions(done.path)] == ["hashed"]
    assert files_that_name(done.path.parent, people(settings)) == []
    publish_as("hashed")
    publish_as("plain")
    assert [kept.personal_data for kept in kept_versions(done.path)] == [
        "hashed",
        "hashed",
        "plain",
    ]


def columns_of(file):
    return {
        (f"{schema}.{table}", column)
        for schema, table, column in ask(
            file,
            "select table_schema, table_name, column_name from information_schema.columns",
        )
    }


def test_absent_leaves_out_the_columns_and_nothing_else(publish_as, settings):
    plain = columns_of(publish_as("plain").path)
    done = publish_as("absent")
    models = load_models(own=settings.models.folder)
    personal = {
        (name, column) for name, columns in personal_columns(models).items() for column in columns
    }
    assert ("marts.last_buyers", "buyer") in personal
    assert ("marts.last_buyers", "others") not in personal
    assert columns_of(done.path) == plain - personal
    assert {pair for pair in columns_of(done.live) if pair in personal} == set()
    rows = "select count(*) from marts.customers"
    assert ask(done.path, rows) == ask(publish_as("plain").path, rows)


def test_past_evenings_can_be_asked_without_names(publish_as, settings):
    evening = "select count(*) from core.orders_as_of('2030-01-01T00:00:00Z')"
    days = "select sum(customers) from marts.daily_revenue_as_of('2030-01-01T00:00:00Z')"
    plain = publish_as("plain").path
    everything = ask(plain, evening), ask(plain, days)
    hashed = publish_as("hashed").path
    assert (ask(hashed, evening), ask(hashed, days)) == everything
    absent = publish_as("absent").path
    assert ask(absent, evening) == everything[0]
    with pytest.raises(duckdb.CatalogException):  # it counts customers
        ask(absent, days)
