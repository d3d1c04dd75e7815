"""Settings: what is accepted, what is refused, and how the refusal helps."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from orders_connector.config import Account, Models, Schedule, Settings, Warehouse
from orders_connector.errors import ConfigurationError
from orders_connector.sources.registry import account_types
from orders_connector.sources.voucherify.account import VoucherifyAccount

ROOT = Path(__file__).parent.parent

ACCOUNT = """
[accounts.shop]
source = "voucherify"
region = "eu"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = "2024-01-01"
"""


MERCHANT = """
[accounts.store]
source = "ultracart"
currency = "USD"
time_zone = "America/New_York"
history_start = "2024-01-01"
"""

VENDOR = """
[accounts.vendor]
source = "licensespring"
time_zone = "Europe/Berlin"
history_start = "2024-01-01"
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, tmp_path):
    ours = ("ORDERS_", "VOUCHERIFY_", "ULTRACART_", "LICENSESPRING_")
    for name in [name for name in os.environ if name.startswith(ours)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(folder, text):
    file = folder / "orders.toml"
    file.write_text(text)
    return file


def refusal(folder, text):
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(written(folder, text))
    return str(caught.value)


def account(**changes):
    values = {
        "name": "shop",
        "source": "voucherify",
        "region": "eu",
        "currency": "EUR",
        "time_zone": "UTC",
        "history_start": "2024-01-01",
    } | changes
    return VoucherifyAccount(**{key: value for key, value in values.items() if value is not None})


# --- where the file is looked for -----------------------------------------------------------


def test_the_given_path_goes_before_the_variable_and_the_current_directory(tmp_path, monkeypatch):
    for name, cron in (("given", "1 1 * * *"), ("named", "2 2 * * *")):
        (tmp_path / f"{name}.toml").write_text(f'[schedule]\ncron = "{cron}"\n{ACCOUNT}')
    written(tmp_path, f'[schedule]\ncron = "3 3 * * *"\n{ACCOUNT}')
    assert Settings.load().schedule.cron == "3 3 * * *"
    monkeypatch.setenv("ORDERS_CONFIG", str(tmp_path / "named.toml"))
    assert Settings.load().schedule.cron == "2 2 * * *"
    assert Settings.load(tmp_path / "given.toml").schedule.cron == "1 1 * * *"


@pytest.mark.parametrize("variable", [None, "elsewhere/my.toml"])
def test_a_missing_file_is_an_error_that_names_where_it_was_looked_for(
    tmp_path, monkeypatch, variable
):
    if variable:
        monkeypatch.setenv("ORDERS_CONFIG", variable)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert (variable or str(tmp_path / "orders.toml")) in str(caught.value)
    assert "ORDERS_CONFIG" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_file_that_is_not_toml_is_an_error_with_its_line(tmp_path):
    assert "line 2" in refusal(tmp_path, 'a = "b"\nc = \n')


# --- what is accepted -----------------------------------------------------------------------


def test_five_settings_of_an_account_are_enough(tmp_path):
    settings = Settings.load(written(tmp_path, ACCOUNT))
    shop = settings.accounts["shop"]
    assert (shop.name, shop.source) == ("shop", "voucherify")
    assert shop.resolved_base_url == "https://api.voucherify.io"
    assert shop.allowed_hosts == {"api.voucherify.io", "download.voucherify.io"}
    assert shop.recognised_statuses == ("PAID", "FULFILLED")
    assert shop.minor_unit_exponent == 2
    assert settings.schedule.time_zone == "Europe/Warsaw"


def test_accounts_of_all_sources_stand_in_one_file(tmp_path):
    settings = Settings.load(written(tmp_path, ACCOUNT + MERCHANT + VENDOR))
    found = {name: (a.source, a.currency) for name, a in settings.accounts.items()}
    assert found == {
        "shop": ("voucherify", "EUR"),
        "store": ("ultracart", "USD"),
        "vendor": ("licensespring", "XXX"),
    }
    store, vendor = settings.accounts["store"], settings.accounts["vendor"]
    assert store.allowed_hosts == {"secure.ultracart.com"}
    assert vendor.allowed_hosts == {"saas.licensespring.com"}
    assert store.recognised_statuses == ("Shipping Department", "Completed Order")
    assert vendor.recognised_statuses == ("issued",)
    assert store.secret_variables == ("ULTRACART_SIMPLE_KEY",)
    assert vendor.secret_variables == ("LICENSESPRING_API_KEY",)
    assert settings.accounts["shop"].pace == ""
    assert store.pace == "1,000 calls per hour and 10,000 per day"
    assert vendor.pace == "4 requests per second"


def test_the_environment_goes_before_the_file_for_every_source(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDERS_ACCOUNTS__STORE__AUTH", "oauth")
    monkeypatch.setenv("ORDERS_ACCOUNTS__STORE__CALLS_PER_HOUR", "500")
    monkeypatch.setenv("ORDERS_ACCOUNTS__VENDOR__REQUESTS_PER_SECOND", "0.5")
    monkeypatch.setenv("ORDERS_ACCOUNTS__VENDOR__API_KEY_ENV", "OTHER_KEY")
    monkeypatch.setenv("ORDERS_ACCOUNTS__VENDOR__RECOGNISED_STATUSES", "issued,trial")
    accounts = Settings.load(written(tmp_path, MERCHANT + VENDOR)).accounts
    assert accounts["store"].secret_variables == (
        "ULTRACART_CLIENT_ID",
        "ULTRACART_REFRESH_TOKEN",
    )
    assert accounts["store"].calls_per_hour == 500
    assert accounts["vendor"].requests_per_second == 0.5
    assert accounts["vendor"].recognised_statuses == ("issued", "trial")
    with pytest.raises(ConfigurationError, match=r"OTHER_KEY is not set.*api_key_env"):
        accounts["vendor"].read_secrets()


def test_an_account_may_come_from_the_environment_alone(tmp_path, monkeypatch):
    for setting in (
        "source=ultracart",
        "currency=USD",
        "time_zone=UTC",
        "history_start=2024-01-01",
    ):
        name, value = setting.split("=")
        monkeypatch.setenv(f"ORDERS_ACCOUNTS__STORE__{name.upper()}", value)
    assert list(Settings.load(written(tmp_path, ACCOUNT)).accounts) == ["shop", "store"]


def test_relative_paths_belong_to_the_folder_of_the_file(tmp_path, monkeypatch):
    folder = tmp_path / "etc"
    folder.mkdir()
    file = written(folder, f'[warehouse]\npath = "db/o.duckdb"\n{ACCOUNT}')
    monkeypatch.setenv("ORDERS_WAREHOUSE__PUBLISHED", "/srv/published.duckdb")
    warehouse = Settings.load(file).warehouse
    assert warehouse.path == folder / "db/o.duckdb"
    assert warehouse.published == Path("/srv/published.duckdb")


def test_own_models_are_optional_and_belong_to_the_folder_of_the_file(tmp_path):
    assert Settings.load(written(tmp_path, ACCOUNT)).models.folder is None
    named = written(tmp_path, f'[models]\nfolder = "models"\n{ACCOUNT}')
    assert Settings.load(named).models.folder == tmp_path / "models"
    message = refusal(tmp_path, f'[models]\nfolders = "models"\n{ACCOUNT}')
    assert "models.folders: there is no such setting; did you mean folder?" in message


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    file = written(tmp_path, f"[warehouse]\nthreads = 2\n{ACCOUNT}")
    monkeypatch.setenv("ORDERS_WAREHOUSE__THREADS", "7")
    monkeypatch.setenv("ORDERS_ACCOUNTS__SHOP__REGION", "us")
    monkeypatch.setenv("ORDERS_ACCOUNTS__SHOP__RECOGNISED_STATUSES", "PAID, SHIPPED")
    monkeypatch.setenv("ORDERS_ACCOUNTS__SHOP__NON_PRODUCT_ITEMS", '["a,b", "c"]')
    settings = Settings.load(file)
    assert settings.warehouse.threads == 7
    assert settings.accounts["shop"].resolved_base_url == "https://us1.api.voucherify.io"
    assert settings.accounts["shop"].recognised_statuses == ("PAID", "SHIPPED")
    assert settings.accounts["shop"].non_product_items == ("a,b", "c")
    assert settings.accounts["shop"].currency == "EUR"


def test_settings_made_in_code_do_not_read_the_environment(monkeypatch):
    monkeypatch.setenv("ORDERS_WAREHOUSE__THREADS", "7")
    assert Settings(accounts={"shop": account().model_dump()}).warehouse.threads is None


@pytest.mark.parametrize(("currency", "exponent"), [("EUR", 2), ("JPY", 0), ("KWD", 3)])
def test_the_exponent_follows_the_currency_unless_it_is_set(currency, exponent):
    assert account(currency=currency).minor_unit_exponent == exponent
    assert account(currency=currency, minor_unit_exponent=1).minor_unit_exponent == 1


@pytest.mark.parametrize(
    ("base_url", "hosts"),
    [
        ("https://eu7.api.voucherify.io", {"eu7.api.voucherify.io"}),
        ("https://EU7.api.voucherify.io:443/", {"eu7.api.voucherify.io"}),
        ("http://127.0.0.1:8080", {"127.0.0.1:8080"}),
        ("http://localhost:8080", {"localhost:8080"}),
        ("http://[::1]:8080", {"[::1]:8080"}),
    ],
)
def test_an_own_address_may_replace_the_region(base_url, hosts):
    assert account(region=None, base_url=base_url).allowed_hosts == hosts


def test_download_hosts_replace_those_of_the_region():
    hosts = account(download_hosts=["files.example.com", "cdn.example.com:8443"]).allowed_hosts
    assert hosts == {"api.voucherify.io", "files.example.com", "cdn.example.com:8443"}


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('currency = "EURO"', "accounts.shop.currency = 'EURO'"),
        ('time_zone = "Europe/Warschau"', "accounts.shop.time_zone = 'Europe/Warschau'"),
        ('time_zone = "../etc/passwd"', "accounts.shop.time_zone"),
        ('region = "mars"', "accounts.shop.region = 'mars'"),
        ('source = "shopify"', "accounts.shop.source = 'shopify'"),
        ("minor_unit_exponent = 9", "accounts.shop.minor_unit_exponent = 9"),
        ("recognised_statuses = []", "accounts.shop.recognised_statuses = []"),
        ('business_date_path = "metadata.day"', "accounts.shop.business_date_path"),
        ('business_date_path = "$"', "accounts.shop.business_date_path"),
        ("""currency_path = "$.a'; drop table x" """, "accounts.shop.currency_path"),
        ('test_order_path = "$.a[*]"', "accounts.shop.test_order_path"),
        ('holidays = "Poland"', "accounts.shop.holidays = 'Poland'"),
        ('holidays = "PL-XX"', "accounts.shop.holidays = 'PL-XX': no holidays are known of it"),
        ('history_start = "2024-02-30"', "accounts.shop.history_start = '2024-02-30'"),
        ("max_attempts = 0", "accounts.shop.max_attempts = 0"),
        ("overlap_minutes = -1", "accounts.shop.overlap_minutes = -1"),
        ("timeout_seconds = 0", "accounts.shop.timeout_seconds = 0"),
        ("max_calls_per_run = 0", "accounts.shop.max_calls_per_run = 0"),
        ('download_hosts = ["https://x.example.com"]', "accounts.shop.download_hosts"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(tmp_path, line, place):
    key = line.split(" = ")[0]
    kept = "\n".join(row for row in ACCOUNT.splitlines() if not row.startswith(f"{key} ="))
    message = refusal(tmp_path, f"{kept}\n{line}\n")
    assert place in message
    assert "allowed: " in message
    assert message.count("\n") == 1, "one wrong setting, one line"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '[accounts.shop]\nsource = "shopify"\n',
            "accounts.shop.source = 'shopify': not allowed; allowed: "
            '"licensespring", "ultracart", "voucherify"',
            id="unknown_source",
        ),
        pytest.param(
            '[accounts.shop]\ncurrency = "EUR"\n',
            'accounts.shop.source: missing; allowed: "licensespring", "ultracart", "voucherify"',
            id="no_source",
        ),
        pytest.param(
            MERCHANT + "calls_per_hour = 0\n",
            "accounts.store.calls_per_hour = 0: Input should be greater than or equal to 1; "
            "allowed: a whole number from 1",
            id="ultracart_value",
        ),
        pytest.param(
            MERCHANT + 'region = "eu"\n',
            "accounts.store.region: there is no such setting; there are: source, name, currency, ",
            id="setting_of_another_source",
        ),
        pytest.param(
            MERCHANT.replace('currency = "USD"\n', ""),
            "accounts.store.currency: missing; allowed: an ISO 4217 code",
            id="ultracart_needs_a_currency",
        ),
        pytest.param(
            VENDOR + 'api_key = "8d3c1f0a"\n',
            "accounts.vendor.api_key: there is no such setting; did you mean api_key_env?",
            id="licensespring_key_in_the_file",
        ),
        pytest.param(
            VENDOR + "requests_per_second = 0\n",
            "accounts.vendor.requests_per_second = 0",
            id="licensespring_value",
        ),
        pytest.param(
            VENDOR.replace("[accounts.vendor]", "[accounts.Vendor]"),
            "accounts.Vendor.name = 'Vendor': not allowed; allowed: a table name of lower-case",
            id="licensespring_name",
        ),
    ],
)
def test_refusals_name_the_settings_of_the_source(tmp_path, text, expected):
    message = refusal(tmp_path, text)
    assert expected in message
    assert message.count("\n") == 1, "one wrong setting, one line"


@pytest.mark.parametrize("word", ["exported", "hydrated", "reconciliation"])
def test_names_that_dagster_would_confuse_are_refused(tmp_path, word):
    text = ACCOUNT + VENDOR.replace("accounts.vendor", f"accounts.shop_{word}")
    message = refusal(tmp_path, text)
    assert (
        f"  - accounts.shop_{word}: what Dagster makes for accounts.shop has this name" in message
    )
    assert Settings.load(written(tmp_path, text.replace("accounts.shop]", "accounts.shops]")))


@pytest.mark.parametrize(
    "path", ["$.metadata.day", "$.metadata.sign-up", "$.a.b[0]", "$.a[1][2].c"]
)
def test_json_paths_of_keys_and_indexes_are_accepted(path):
    assert account(business_date_path=path).business_date_path == path


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.voucherify.io",
        "http://127.0.0.1.example.com",
        "https://api.voucherify.io/v1",
        "https://me:secret@api.voucherify.io",
        "ftp://localhost",
        "api.voucherify.io",
    ],
)
def test_an_address_must_be_plain_https_except_on_this_machine(tmp_path, base_url):
    text = ACCOUNT.replace('region = "eu"', f'base_url = "{base_url}"')
    message = refusal(tmp_path, text)
    assert "accounts.shop.base_url" in message
    assert "me:secret" not in message


@pytest.mark.parametrize("lines", ['region = "eu"\nbase_url = "https://x.example.com"', ""])
def test_exactly_one_of_region_and_address_is_needed(tmp_path, lines):
    message = refusal(tmp_path, ACCOUNT.replace('region = "eu"', lines))
    assert "set one of `region` and `base_url`" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ACCOUNT + "recognized_statuses = []", "did you mean recognised_statuses?"),
        (
            ACCOUNT + "[warehouse]\nthread = 2",
            "no such setting; did you mean threads?",
        ),
        (ACCOUNT + "[warehaus]\npath = 'x'", "did you mean warehouse?"),
        (ACCOUNT + "[schedule]\nxyz = 1", "there are: cron, time_zone"),
    ],
)
def test_an_unknown_setting_is_refused_with_a_hint(tmp_path, text, expected):
    assert expected in refusal(tmp_path, text)


def test_a_misspelt_variable_is_refused_with_a_hint(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDERS_WAREHOSE__PATH", "x")
    monkeypatch.setenv("ORDERS_ACCOUNTS__SHOP__REGIN", "us")
    monkeypatch.setenv("ORDERS_SOMETHING_ELSE", "is not ours and passes")
    message = refusal(tmp_path, ACCOUNT)
    assert "ORDERS_WAREHOSE__PATH: there is no table [warehose]; did you mean warehouse?" in message
    assert "accounts.shop.regin: there is no such setting; did you mean region?" in message
    assert "SOMETHING_ELSE" not in message


def test_all_wrong_settings_come_in_one_message(tmp_path):
    message = refusal(
        tmp_path,
        '[warehouse]\nmemory_limit = "lots"\nstorage_version = "newest"\n'
        '[schedule]\ncron = "daily"\n[accounts.Shop-1]\nsource = "voucherify"\n',
    )
    for place in (
        "warehouse.memory_limit = 'lots'",
        "warehouse.storage_version = 'newest'",
        "schedule.cron = 'daily'",
        "accounts.Shop-1.name = 'Shop-1'",
        "accounts.Shop-1.currency: missing",
        "accounts.Shop-1.time_zone: missing",
        "accounts.Shop-1.history_start: missing",
    ):
        assert place in message


def test_no_account_at_all_is_an_error(tmp_path):
    assert "accounts: missing" in refusal(tmp_path, "[warehouse]\nthreads = 2\n")
    assert "at least one table [accounts.NAME]" in refusal(tmp_path, "[accounts]\n")


def test_the_published_copy_may_not_be_the_warehouse_itself(tmp_path):
    message = refusal(tmp_path, f'[warehouse]\npath = "a"\npublished = "a"\n{ACCOUNT}')
    assert "warehouse" in message
    assert "same file" in message


# --- secrets --------------------------------------------------------------------------------


def test_keys_are_read_from_the_named_variables(monkeypatch):
    monkeypatch.setenv("SHOP_ID", "the-id")
    monkeypatch.setenv("SHOP_TOKEN", " the-token\n")
    keys = account(app_id_env="SHOP_ID", app_token_env="SHOP_TOKEN").credentials()
    assert keys.app_id.get_secret_value() == "the-id"
    assert keys.app_token.get_secret_value() == "the-token"
    assert "the-token" not in f"{keys} {keys!r}"


def test_missing_and_empty_key_variables_are_named(monkeypatch):
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", "")
    with pytest.raises(ConfigurationError) as caught:
        account().credentials()
    assert "VOUCHERIFY_APP_ID and VOUCHERIFY_APP_TOKEN" in str(caught.value)
    assert "shop" in str(caught.value)


def test_a_key_pasted_in_place_of_its_variable_is_refused_and_not_shown(tmp_path):
    secret = "8d3c1f0a-secret-1f2e"
    message = refusal(tmp_path, f'{ACCOUNT}app_token_env = "{secret}"\napp_token = "{secret}"\n')
    assert "accounts.shop.app_token_env" in message
    assert "accounts.shop.app_token: there is no such setting" in message
    assert secret not in message


# --- documentation --------------------------------------------------------------------------


def example(*, switched_on=False):
    """Return the example file, with every optional setting and account on demand."""
    text = (ROOT / "orders.example.toml").read_text()
    if not switched_on:
        return text
    text = re.sub(r"^# ?(?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)
    # One of region and base_url, so the first goes.
    return re.sub(r"^region = .*$", "", text, flags=re.MULTILINE)


def tables_of(text):
    """Return the parts of a TOML text by the name of their table."""
    parts = re.split(r"^#? ?\[([a-z.]+)\]$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_example_file_is_valid():
    assert list(Settings(**tomllib.loads(example())).accounts) == ["shop"]


def test_the_example_file_is_valid_with_every_optional_setting_switched_on():
    accounts = Settings(**tomllib.loads(example(switched_on=True))).accounts
    assert {account.source for account in accounts.values()} == set(account_types())


def test_the_example_file_names_every_setting():
    parts = tables_of(example())
    tables = {"warehouse": Warehouse, "schedule": Schedule}
    by_source = {
        re.search(r'source = "(\w+)"', text).group(1): text
        for name, text in parts.items()
        if name.startswith("accounts.")
    }
    for name, table in tables.items():
        for setting in table.model_fields:
            assert re.search(rf"^#? ?{setting} = ", parts[name], re.MULTILINE), setting
    # What all accounts have in common is shown with the first one.
    for setting in set(Account.model_fields) - {"name"}:
        assert re.search(rf"^#? ?{setting} = ", by_source["voucherify"], re.MULTILINE), setting
    for source, table in account_types().items():
        for setting in table.model_fields.keys() - Account.model_fields.keys():
            assert re.search(rf"^#? ?{setting} = ", by_source[source], re.MULTILINE), setting


def test_the_manual_explains_every_setting():
    text = (ROOT / "docs" / "configuration.md").read_text()
    for table in (Warehouse, Schedule, Models, Account):
        for setting in set(table.model_fields) - {"name"}:
            assert f"| `{setting}` |" in text, setting
    sections = dict(re.findall(r"^## `source = \"(\w+)\"`$(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert sections.keys() == account_types().keys()
    for source, table in account_types().items():
        for setting in table.model_fields.keys() - Account.model_fields.keys():
            assert f"| `{setting}` |" in sections[source], setting
